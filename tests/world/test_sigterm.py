"""SIGTERM in each phase of a plan: an orderly end, nothing sent twice, nothing forgotten, and the next run goes on."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from proxy import Answer, Request, RpcProxy
from scenes import Scene

pytestmark = pytest.mark.world


@pytest.mark.parametrize(
    ("after", "phase"),
    [
        ("", "eth_call"),
        ("", "eth_simulateV1"),
        ("", "eth_sendRawTransaction"),
        ("", "eth_getTransactionReceipt"),
        ("eth_getTransactionReceipt", "eth_call"),
    ],
    ids=["reading", "rehearsing", "signed_not_sent", "sent", "verifying"],
)
@pytest.mark.parametrize("is_done", [True, False], ids=["before_the_answer", "before_the_node"])
def test_sigterm_in_each_phase_leaves_nothing_open(
    scene: Scene, proxy: RpcProxy, after: str, phase: str, is_done: bool
) -> None:
    """Code 0, each transaction once, each plan with an outcome; then `keeper once` finds or makes it well."""
    scene.url = proxy.url
    scene.open()
    scene.write()
    seen, keepers = list[str](), list[Callable[[], None]]()

    def around(request: Request, onward: Callable[[], Answer]) -> Answer:
        seen.append(request["method"])
        strikes = request["method"] == phase and (not after or after in seen) and keepers != []
        if strikes and not is_done:
            keepers.pop()()
        answer = onward()
        if strikes and is_done:
            keepers.pop()()
        return answer

    with scene.running("--live") as keeper:
        keeper.wait_for('"block"')
        keepers.append(keeper.process.terminate)
        proxy.around = around
        scene.crash()
        code = keeper.process.wait(25)
        log = keeper.log
    proxy.around = None
    assert code == 0, log
    assert '"stopped"' in log
    assert "Traceback" not in log
    plans = [row for row in scene.data("journal") if row["kind"] == "act"]
    assert all(row["outcome"] for row in plans), plans
    sent = scene.nonce()
    scene.once("--live")
    assert scene.health() > 1.59
    assert not plans or sent == scene.nonce(), "what was restored once is not done again"
