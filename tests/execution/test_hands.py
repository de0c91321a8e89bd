"""What passes through a bundle's hands must leave them: by the logs of the rehearsal, and of the receipt."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from core_builders import BLOCK, loop

from keeper.chain.simulation import Simulated, Simulation
from keeper.core.reasons import Reason
from keeper.core.units import Address, Wei
from keeper.execution.carriers import Plain
from keeper.execution.encoding import Script
from keeper.execution.hands import is_seen, kept
from keeper.execution.rehearsal import Refused, Rehearsed, rehearse
from keeper.venues.codec.abi import address
from keeper.venues.contracts.transfers import TOPIC, Transfer, transfers
from keeper.venues.effects import Call

WETH, OWNER, ADAPTER, ROUTER, POOL = (Address(address("0x" + f"{i}" * 40)) for i in range(1, 6))
HANDS = {ADAPTER, ROUTER}
FIGURES = loop("10", "13000").reported


def log(token: Address, giver: Address, receiver: Address, amount: int) -> dict[str, object]:
    words = ["0x" + "00" * 12 + a[2:].lower() for a in (giver, receiver)]
    return {"address": token.lower(), "topics": [TOPIC, *words], "data": f"0x{amount:064x}"}


def test_what_comes_in_and_goes_out_leaves_nothing() -> None:
    """Whatever way it takes, and though a smallest unit is lost in rounding."""
    moved = [Transfer(WETH, OWNER, ADAPTER, 100), Transfer(WETH, ADAPTER, ROUTER, 99), Transfer(WETH, ROUTER, POOL, 99)]
    assert kept(HANDS, moved) is None
    assert is_seen(HANDS, moved)


def test_what_stays_in_a_hand_is_named() -> None:
    """Token, amount and where it is: an owner may still fetch it before anybody else does."""
    why = kept(HANDS, [Transfer(WETH, OWNER, ADAPTER, 100), Transfer(WETH, ADAPTER, ROUTER, 90)])
    assert why == f"10 of {WETH} stays with {ADAPTER}, 90 of {WETH} stays with {ROUTER}"


def test_what_lay_there_before_is_not_ours_to_answer_for() -> None:
    """A stranger's gift to a hand, swept along or not, refuses no rescue."""
    assert kept(HANDS, [Transfer(WETH, OWNER, ADAPTER, 100), Transfer(WETH, ADAPTER, POOL, 105)]) is None


def test_a_rehearsal_without_logs_proves_nothing() -> None:
    """Some nodes leave them out."""
    assert not is_seen(HANDS, ())
    assert not is_seen(HANDS, [Transfer(WETH, OWNER, POOL, 1)])


@pytest.mark.parametrize("logs", [None, "no", {}, [None], [{"topics": []}], [{"topics": [TOPIC, "0x", 1], "data": 5}]])
def test_logs_of_any_other_shape_are_left_out(logs: object) -> None:
    """They are a node's word, and nothing else breaks for it."""
    assert transfers(logs) == ()


def test_transfers_are_read_among_other_logs() -> None:
    """By their topic, with both accounts indexed."""
    other = log(WETH, OWNER, POOL, 5) | {"topics": ["0x" + "11" * 32, "0x" + "00" * 32, "0x" + "00" * 32]}
    assert transfers([other, log(WETH, OWNER, ADAPTER, 7)]) == (Transfer(WETH, OWNER, ADAPTER, 7),)


class Shown:
    """Rehearses with the logs it was given; the position comes out restored."""

    where = "here"

    def __init__(self, *moved: Transfer) -> None:
        self.moved = moved

    async def run(self, *_: object, **__: object) -> Simulation:
        return Simulation((Simulated(True, 500_000, None, self.moved),), ())


PLAN: Any = SimpleNamespace(
    label="by a loan",
    intent=SimpleNamespace(assessment=SimpleNamespace(position=SimpleNamespace(block=BLOCK))),
    postcondition=SimpleNamespace(is_met=lambda *_: True),
)
SCRIPT = Script((), (Call(POOL, b"", Wei(0), "a bundle"),), Plain(OWNER), hands=frozenset(HANDS))


@pytest.mark.parametrize(
    ("moved", "words"),
    [
        ((Transfer(WETH, OWNER, ADAPTER, 9), Transfer(WETH, ADAPTER, POOL, 9)), None),
        ((Transfer(WETH, OWNER, ADAPTER, 9), Transfer(WETH, ADAPTER, POOL, 5)), "4 of"),
        ((), "no token's logs"),
    ],
)
async def test_a_bundle_that_leaves_money_in_a_hand_is_not_sent(moved: tuple[Transfer, ...], words: str | None) -> None:
    """However well the position comes out; nor is one of which nothing is shown."""
    probe: Any = SimpleNamespace(reads=(), decode=lambda _: SimpleNamespace(reported=FIGURES, holdings=()))
    found = await rehearse(PLAN, SCRIPT, Shown(*moved), probe)
    if words is None:
        assert isinstance(found, Rehearsed)
    else:
        assert isinstance(found, Refused)
        assert found.reason is Reason.LEFT_IN_HANDS
        assert words in found.detail
