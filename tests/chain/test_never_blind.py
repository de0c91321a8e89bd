"""The state machine of several nodes: whatever they did, once they are honest a block is judged again, and soon.

The real ``Nodes`` and ``Blocks``; only what is on the wire is made up, and the time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from eth_abi import encode
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from rpc_server import hash_of

from keeper.chain.blocks import Blocks
from keeper.chain.client import Decode
from keeper.chain.errors import NodeAwayError, NodeBusyError, NodeError, WrongChainError
from keeper.chain.member import Member
from keeper.chain.nodes import Nodes
from keeper.chain.pace import RequestPace
from keeper.chain.refusals import refusal
from keeper.core.units import Address
from keeper.venues.ports import Read

CHAIN, BLOCK_S, POLL_S = 31337, 12, 4.0
MULTICALL = Address("0xcA11bde05977b3631167028862bE2a173976CA11")
POLLS = 24
"""Once all are honest a block is judged within so many polls: a minute of doubt, and some."""
QUICK_POLLS = 3
"""And within so many where no node named a head that is not there."""


class Chain:
    """What is true. Time is passed in, and blocks come with it."""

    def __init__(self) -> None:
        self.now = 0.0

    @property
    def head(self) -> int:
        return 1000 + int(self.now // BLOCK_S)


def header(number: int, branch: str = "a") -> dict[str, str]:
    hashes = {"hash": hash_of(number, branch), "parentHash": hash_of(number - 1, branch)}
    return {"number": hex(number), "timestamp": hex(BLOCK_S * number), "baseFeePerGas": "0x1", **hashes}


def multicall(number: int) -> str:
    words = [encode(["uint256"], [n]) for n in (BLOCK_S * number, CHAIN, 5)]
    return "0x" + encode(["(bool,bytes)[]"], [[(True, w) for w in words]]).hex()


class Site:
    """One node, in the place of its connection. ``mood`` is how it behaves now."""

    def __init__(self, name: str, chain: Chain) -> None:
        self.name, self.chain, self.mood = name, chain, "honest"
        self.pace = RequestPace()

    def may(self, _method: str) -> bool:
        return True

    async def close(self) -> None:
        pass

    async def ask(self, decode: Decode[Any], method: str, *params: Any) -> Any:
        await asyncio.sleep(0)
        return decode(self.name, self.answer(method, params))

    def answer(self, method: str, params: tuple[Any, ...]) -> Any:
        head, mood = self.chain.head, self.mood
        if mood == "down":
            raise NodeAwayError(self.name, method, "down")
        if mood == "busy":
            raise NodeBusyError(self.name, method, "busy", 60.0)
        match method:
            case "eth_chainId":
                return "0x5" if mood == "foreign" else hex(CHAIN)
            case "eth_getBlockByNumber":
                return self.block(params[0])
            case "eth_getCode":
                return "0x01"
            case _:
                return self.call(params[1], head)

    def block(self, which: str) -> Any:
        head, branch = self.chain.head, "a"
        match self.mood:
            case "behind":
                head -= 20
            case "a little ahead":
                head += 60
            case "far ahead":
                head += 10**6
            case "forked":
                branch = "x"
            case "garbled":
                return {"number": "purple"}
            case "frozen":
                head = 1000
        number = head if which == "latest" else int(which, 16)
        return header(number, branch) if number <= head else None

    def call(self, at: Any, head: int) -> Any:
        if at == "latest":
            return "0x" + (10**8).to_bytes(32, "big").hex()
        known = {hash_of(n): n for n in range(head - 5, head + 1)}
        if self.mood == "stale":
            return multicall(head - 30)
        if self.mood in ("refusing", "forked") or at["blockHash"] not in known:
            raise refusal(self.name, "eth_call", {"code": -32000, "message": "header for hash not found"})
        return multicall(known[at["blockHash"]])


LYING_HEADS = ["a little ahead", "far ahead", "forked"]
MOODS = ["honest", "down", "busy", "foreign", "behind", "garbled", "frozen", "stale", "refusing"]


class Keeper:
    """What a daemon does at each poll, as ``arrivals`` and ``cycle`` do it."""

    def __init__(self, count: int) -> None:
        self.chain = Chain()
        self.sites = [Site(f"n{i}", self.chain) for i in range(count)]
        clock: Callable[[], float] = lambda: self.chain.now  # noqa: E731
        told = lambda *_: None  # noqa: E731
        members = [Member(site, CHAIN, clock, told) for site in self.sites]  # type: ignore[arg-type]  # in its place
        self.nodes = Nodes(members, clock=clock, block_time_s=BLOCK_S)
        self.nodes._block_s = 0.0  # time is made up: nothing to be waited for comes
        self.blocks = Blocks(self.nodes, CHAIN, MULTICALL)
        self.was_met = self.is_met = False

    async def poll(self) -> int | None:
        """Judge a block; its number, None when none could be."""
        try:
            if not self.is_met:
                if self.was_met:
                    await self.blocks.head()
                await self.blocks.check_chain()
                self.is_met = self.was_met = True
            block = await self.blocks.head()
            answers = await self.blocks.answers(block, [Read(MULTICALL, b"")])
        except WrongChainError:
            self.is_met = False
            return None
        except NodeError:
            self.is_met = False
            return None
        finally:
            await asyncio.sleep(0)
            self.chain.now += POLL_S
        return block.number if answers == [(5).to_bytes(32, "big")] else None


async def play(count: int, moods: list[list[str]], waits: list[int], within: int) -> None:
    keeper = Keeper(count)
    await keeper.poll()
    for now, wait in zip(moods, waits, strict=True):
        for site, mood in zip(keeper.sites, now, strict=True):
            site.mood = mood
        keeper.chain.now += wait
        await keeper.poll()
    for site in keeper.sites:
        site.mood = "honest"
    judged = list[int | None]()
    for _ in range(within):
        judged.append(await keeper.poll())
        if judged[-1] is not None and abs(judged[-1] - keeper.chain.head) <= 1:
            break
    else:
        raise AssertionError(f"{judged} with the head at {keeper.chain.head}: {keeper.nodes.status()}")
    for _ in range(5):  # and from then on it stays so
        assert await keeper.poll() is not None
    await keeper.nodes.close()


def histories(moods: list[str]) -> st.SearchStrategy[tuple[int, list[list[str]], list[int]]]:
    def of(count: int) -> st.SearchStrategy[tuple[int, list[list[str]], list[int]]]:
        step = st.lists(st.sampled_from(moods), min_size=count, max_size=count)
        return st.lists(st.tuples(step, st.sampled_from([0, 1, 12, 70])), max_size=12).map(
            lambda steps: (count, [m for m, _ in steps], [w for _, w in steps])
        )

    return st.integers(1, 3).flatmap(of)


SLOW = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@SLOW
@example((2, [["stale", "stale"]] * 4, [0] * 4))  # both set aside for lying
@example((2, [["stale", "honest"], ["honest", "stale"]], [0, 30]))  # one stale answer of each within a minute
@example((2, [["down", "stale"]] * 4, [1] * 4))
@example((1, [["foreign"]] * 3, [1] * 3))
@given(histories(MOODS))
def test_whatever_nodes_did_a_block_is_judged_soon_after_they_are_honest(
    history: tuple[int, list[list[str]], list[int]],
) -> None:
    """Down, stale, on another chain, behind, garbled, refusing: nothing of it outlasts its cause by three polls."""
    asyncio.run(play(*history, QUICK_POLLS))


@SLOW
@given(histories([*MOODS, *LYING_HEADS]))
def test_whatever_nodes_lied_a_block_is_judged_within_a_bounded_time_after_they_are_honest(
    history: tuple[int, list[list[str]], list[int]],
) -> None:
    """Also where they named heads and histories that never were."""
    asyncio.run(play(*history, POLLS))
