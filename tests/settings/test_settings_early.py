"""Acting on the oracle's own events is only for those who hear them, and who alone decide."""

from __future__ import annotations

from collections.abc import Callable

from keeper.settings import Settings

Load = Callable[..., Settings]
Faults = Callable[..., list[str]]

EARLY = "\n[safety]\nact_on_oracle_events = true\n"
HTTP, SOCKET = 'rpc_url = "http://127.0.0.1:8545"', 'rpc_url = "ws://127.0.0.1:8545"'


def test_a_node_that_pushes_is_needed(load_text: Load, faults: Faults, good: str) -> None:
    """Over HTTP nothing is pushed; from the environment as well as from the file."""
    (said,) = faults(text=good + EARLY)
    assert said.startswith("safety.act_on_oracle_events: no node pushes events over HTTP; name a node that begins with")
    assert load_text((HTTP, SOCKET), text=good + EARLY).is_early
    assert load_text(text=good + EARLY, env={"KEEPER_RPC_URL": "wss://node.example"}).is_early


def test_it_is_off_unless_asked_for(load_text: Load) -> None:
    """Also over WebSocket."""
    assert not load_text((HTTP, SOCKET)).is_early


def test_several_nodes_would_have_to_agree_first(faults: Faults, good: str) -> None:
    """That is a read, and there is none."""
    (said,) = faults(text=good + EARLY, env={"KEEPER_RPC_URL": "wss://a.example wss://b.example"})
    assert "several nodes must agree" in said


def test_without_plans_made_ready_there_is_nothing_to_send(faults: Faults, good: str) -> None:
    """The two settings go together."""
    (said,) = faults((HTTP, SOCKET), text=good + EARLY + "arm_within_bps = 0\n")
    assert "arm_within_bps is 0" in said
