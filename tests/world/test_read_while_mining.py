"""A node that answers a pinned block with another block's time, as one does while it mines. Real contracts, live."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from armed_stage import SELL, rule
from proxy import Answer, Request, RpcProxy
from scenes import Scene

pytestmark = pytest.mark.world


@dataclass
class Mining:
    """Once something was sent, so many reads of the state are answered at an earlier time than their block's."""

    times: int
    is_sent: bool = False
    spoiled: int = 0

    def __call__(self, request: Request, onward: Callable[[], Answer]) -> Answer:
        self.is_sent = self.is_sent or request["method"] == "eth_sendRawTransaction"
        if self.is_sent and request["method"] == "eth_call" and self.spoiled < self.times:
            self.spoiled += 1
            call, block, *codes = request["params"]
            # interest counts from a later moment than this one: what asks for it fails
            request["params"] = [call, block, codes[0] if codes else {}, {"time": hex(1_000_000_000)}]
        return onward()


def falling(scene: Scene, proxy: RpcProxy, times: int) -> Mining:
    scene.rules, scene.url = rule(SELL), proxy.url
    scene.open().crash("1890")
    scene.write()
    scene.config.write_text(scene.config.read_text().replace('name = "me"', 'name = "me"\nbatch = true', 1))
    proxy.around = mining = Mining(times)
    return mining


@pytest.mark.parametrize("times", [1, 3])
def test_a_plan_that_worked_is_read_again_and_not_written_down_as_failed(
    scene: Scene, proxy: RpcProxy, times: int
) -> None:
    """The next answer is right: restored, as the chain has it."""
    mining = falling(scene, proxy, times)
    code, row = scene.once("--live")
    assert mining.spoiled == times
    assert (code, row["outcome"]["kind"]) == (0, "restored"), row["outcome"]


def test_a_plan_that_nobody_can_read_afterwards_is_no_failure(scene: Scene, proxy: RpcProxy) -> None:
    """All of it succeeded, so it is no try used up: what it came to is what is not known, and that is said."""
    mining = falling(scene, proxy, 10_000)
    _, row = scene.once("--live")
    assert mining.spoiled
    assert (row["outcome"]["kind"], row["outcome"]["reason"]) == ("partial", "unverified"), row["outcome"]
    assert scene.health() > 1.59
