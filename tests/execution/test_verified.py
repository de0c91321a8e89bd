"""A plan that was mined is never written down as failed for want of a reading."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from core_builders import OWNER, intent, loop, rule, state, terms, wad, wallet

from keeper.chain.accounts import Receipt
from keeper.chain.errors import NodeAwayError
from keeper.core.lending import actions
from keeper.core.lending.plan import Plan, plans
from keeper.core.prices import Doubt
from keeper.core.reasons import Reason
from keeper.core.snapshot import LendingPosition
from keeper.core.units import Wad, Wei
from keeper.execution.executor import _verified
from keeper.execution.holders import OwnKey
from keeper.execution.lending_errand import LendingParts
from keeper.service import senders
from keeper.venues.ports import PricesMovedError, ReadFailedError, ScopeOutdatedError

MISSING = ReadFailedError(Doubt(Reason.POSITION_UNREADABLE, "getUserAccountData reverted or is not there"))
AWAY = NodeAwayError("node", "eth_call", "no answer")
RECEIPT = Receipt("0xaa", True, 101, "0xbb", 21_000, Wei(1))


def a_plan() -> Plan:
    wanted = intent(loop("10", "13000"), rule(actions=(actions.TOP_UP,)))
    found = plans(wanted, state(wanted, wallet(WETH=50)), terms(), {})
    assert isinstance(found, tuple)
    return found[0]


@pytest.mark.parametrize("error", [MISSING, AWAY])
async def test_what_was_mined_and_cannot_be_read_did_not_fail(error: Exception) -> None:
    """Every call of it succeeded: it is told as unverified, uses up no try, and the position is judged anew."""

    async def read(_: str, __: int | None) -> LendingPosition:
        raise error

    nothing: Any = SimpleNamespace(carrier=SimpleNamespace(waits=lambda _: False), sent=())
    desk = LendingParts(nothing, nothing, read, nothing, None, Wad(wad("1.02")))
    outcome = await _verified(desk.errand(a_plan(), nothing, nothing, nothing), [RECEIPT])
    assert (outcome.kind, outcome.reason) == ("partial", Reason.UNVERIFIED)
    assert outcome.hashes == ("0xaa",)


@pytest.mark.parametrize(
    ("is_batch", "owed", "reason"),
    [
        (True, "6500", Reason.POSITION_CHANGED),
        (True, "13000", Reason.REVERTED),
        (True, "13100", Reason.REVERTED),
        (False, "6500", Reason.REVERTED),
    ],
)
async def test_one_call_that_reverts_where_debt_was_paid_meanwhile_was_overtaken(
    is_batch: bool, owed: str, reason: Reason
) -> None:
    """Nothing of one call stands, so it was somebody else; of several calls one of ours may have paid it."""

    async def read(_: str, __: int | None) -> LendingPosition:
        return loop("10", owed)

    nothing: Any = SimpleNamespace(holder=OwnKey(OWNER))
    script: Any = SimpleNamespace(carrier=SimpleNamespace(is_atomic=is_batch, waits=lambda _: False), sent=(), uses=())
    desk = LendingParts(nothing, nothing, read, nothing, None, Wad(wad("1.02")))
    errand = desk.errand(a_plan(), script, nothing, nothing)
    assert (await errand.ended("failed", Reason.REVERTED, "panic 0x11", ())).reason is reason


class _Watch:
    """Answers with these, one after the other."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.found: list[str] = []
        self.blocks = self
        self.known = SimpleNamespace()

    async def block_at(self, number: int) -> int:
        return number

    def position_probe(self, name: str, block: int) -> str:
        return f"{name} at {block}"

    async def find_anew(self, name: str, block: int) -> None:
        self.found.append(f"{name} at {block}")

    async def read(self, _: int, probe: str) -> str:
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return probe


@pytest.mark.parametrize("error", [MISSING, AWAY, PricesMovedError(), ScopeOutdatedError()])
async def test_a_reading_that_fails_is_tried_again_before_it_counts(error: Exception) -> None:
    """Many reads at once starve some nodes; what a position uses anew is found first."""
    watch = _Watch(error, error, "fine")
    assert await senders.read_patiently(watch, "loop", 7, 0.0) == "loop at 7"  # type: ignore[arg-type, comparison-overlap]
    is_new = isinstance(error, ScopeOutdatedError) and not isinstance(error, PricesMovedError)
    assert watch.found == (["loop at 7"] * 2 if is_new else [])


async def test_a_reading_that_never_comes_says_why() -> None:
    """Not for ever."""
    with pytest.raises(ReadFailedError):
        await senders.read_patiently(_Watch(*[MISSING] * 9), "loop", 7, 0.0)  # type: ignore[arg-type]
