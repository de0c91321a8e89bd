"""A past for a young world's feeds: days of rounds that end now, at the prices there are."""

from __future__ import annotations

import math

from sandbox.prices import send_together
from sandbox.world import World

HOURS = 24 * 9
AT_ONCE = 60


def give_past(world: World, size: float) -> None:
    """Nine days of rounds behind the feeds of ether and dollars: hourly moves of ``size``, a hundredth for dollars."""
    now = int(world.w3.eth.get_block("latest")["timestamp"])
    prices = {"WETH": 2_000 * 10**8, "USDC": 10**8}
    calls = []
    for symbol, last in prices.items():
        feed = world.chain.at("Feed", world.addresses["feeds"][symbol])
        for i in range(HOURS, -1, -1):
            wave = size * math.sin(i * 1.3) + size * math.sin(i * 0.37) if i else 0.0
            value = round(last * math.exp(wave if symbol == "WETH" else wave / 100))
            calls.append((feed.address, False, feed.encode_abi("setAnswerAt", [value, now - i * 3_600])))
    for i in range(0, len(calls), AT_ONCE):
        world.chain.wait(send_together(world.chain, world.addresses, calls[i : i + AT_ONCE]), "rounds")
    world.refresh_feeds()
