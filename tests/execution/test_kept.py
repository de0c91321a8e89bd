"""Lines whose removal nobody would notice until it costs money: the promise, the floor, a stranger's delegation."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from core_builders import intent, loop, rule, state, terms, wad, wallet

from keeper.chain.accounts import Receipt
from keeper.core.lending import actions
from keeper.core.lending import figures as lending
from keeper.core.lending.moves import Borrow, Withdraw
from keeper.core.lending.plan import Plan, plans
from keeper.core.reasons import Reason
from keeper.core.snapshot import LendingPosition
from keeper.core.units import Amount, Wad, Wei
from keeper.engine.lending.preflight import batch_of
from keeper.execution.course import SendFailedError
from keeper.execution.lending_errand import LendingParts
from keeper.venues.codec.abi import address
from keeper.venues.contracts import batch_account

RECEIPT = Receipt("0xaa", True, 101, "0xbb", 21_000, Wei(1))
ASSET = "0x" + "d" * 40
CONTRACT, OTHER, SIGNER = (address("0x" + c * 40) for c in "abc")


def a_plan() -> Plan:
    wanted = intent(loop("10", "13000"), rule(actions=(actions.TOP_UP,)))
    found = plans(wanted, state(wanted, wallet(WETH=50)), terms(), {})
    assert isinstance(found, tuple)
    return found[0]


def executor(now: LendingPosition, asked: list[int | None]) -> LendingParts:
    async def read(_: str, number: int | None) -> LendingPosition:
        asked.append(number)
        return now

    return LendingParts(SimpleNamespace(), SimpleNamespace(), read, read, None, Wad(wad("1.02")))  # type: ignore[arg-type]


# --- the promise, after mining ---------------------------------------------------------------------------------------


async def test_a_plan_that_was_mined_and_did_not_help_is_not_restored() -> None:
    """Receipts of success are no proof: the position is read at their block, and held against the promise."""
    asked = list[int | None]()
    outcome = await executor(loop("10", "13000"), asked).verify(a_plan(), [RECEIPT, replace(RECEIPT, block_number=99)])
    assert (outcome.kind, outcome.reason) == ("failed", Reason.POSTCONDITION_FAILED)
    assert "wanted" in outcome.detail
    assert asked == [101]


async def test_a_plan_that_was_mined_and_helped_is_restored() -> None:
    """The promise is kept by what the position is now."""
    outcome = await executor(loop("20", "13000"), []).verify(a_plan(), [RECEIPT])
    assert (outcome.kind, outcome.reason) == ("restored", Reason.RESTORED)


async def test_a_plan_that_helped_in_part_starts_no_cooldown() -> None:
    """Partial is what it promised, and partial is what is written down."""
    outcome = await executor(loop("20", "13000"), []).verify(replace(a_plan(), is_partial=True), [RECEIPT])
    assert (outcome.kind, outcome.reason) == ("partial", Reason.PARTIAL)


async def test_figures_that_are_not_the_protocols_prove_no_promise() -> None:
    """Ours can be wrong; then nothing is called restored."""
    now = loop("20", "13000")
    now = replace(now, reported=replace(now.reported, health_factor=Wad(now.reported.health_factor + 10**15)))
    outcome = await executor(now, []).verify(a_plan(), [RECEIPT])
    assert (outcome.kind, outcome.reason) == ("failed", Reason.FIGURES_DISAGREE)


# --- the floor, between bursts ---------------------------------------------------------------------------------------


def planned(*moves: Any) -> Any:
    return [SimpleNamespace(step=SimpleNamespace(move=m), call=SimpleNamespace(purpose="out")) for m in moves]


@pytest.mark.parametrize("kind", ["withdraw", "borrow", "two withdrawals"])
async def test_no_later_burst_takes_health_below_the_floor(kind: str) -> None:
    """The market moved since the first one: what leaves next is tried on the position as it is now."""
    now = loop("10", "13000")
    account = lending.proven(now)
    assert account is not None
    collateral = next(b for b in account.holdings if b.supplied)
    debt = next(b for b in account.holdings if b.borrowed)
    half = Amount(collateral.supplied // 2)
    moves = {
        "withdraw": [Withdraw(collateral.asset, half)],
        "borrow": [Borrow(debt.asset, Amount(debt.borrowed))],
        "two withdrawals": [Withdraw(collateral.asset, Amount(collateral.supplied // 11))] * 5,
    }[kind]
    with pytest.raises(SendFailedError) as stopped:
        await executor(now, []).keep_floor(a_plan(), planned(*moves))
    assert stopped.value.reason is Reason.FLOOR_TOO_NEAR


async def test_nothing_leaves_on_figures_that_are_not_the_protocols() -> None:
    """Whether the floor holds is not known then."""
    now = loop("20", "13000")
    now = replace(now, reported=replace(now.reported, health_factor=Wad(now.reported.health_factor + 10**15)))
    with pytest.raises(SendFailedError) as stopped:
        await executor(now, []).keep_floor(a_plan(), planned(Withdraw(address(ASSET), Amount(1))))
    assert stopped.value.reason is Reason.FIGURES_DISAGREE


async def test_a_burst_that_stays_above_the_floor_goes_on() -> None:
    """And what takes nothing out asks nothing."""
    now, asked = loop("20", "13000"), list[int | None]()
    account = lending.proven(now)
    assert account is not None
    asset = next(b.asset for b in account.holdings if b.supplied)
    await executor(now, asked).keep_floor(a_plan(), planned(Withdraw(asset, Amount(10**17))))
    assert asked == [None]
    await executor(now, asked).keep_floor(a_plan(), planned())
    assert asked == [None]


# --- a batch over a foreign delegation -------------------------------------------------------------------------------


def engine(code: bytes, batches: dict[str, str], known: str | None = None, network: str | None = CONTRACT) -> Any:
    async def answer(_: object, __: object) -> bytes:
        return code

    lane = SimpleNamespace(delegate=known)
    return SimpleNamespace(
        terms=SimpleNamespace(batches=batches),
        reader=SimpleNamespace(code=answer, network=SimpleNamespace(batch_account=network)),
        senders={SIGNER: SimpleNamespace(lane=lane)},
    )


@pytest.mark.parametrize(
    ("code", "is_used"),
    [
        (b"", True),
        (batch_account.delegated_code(CONTRACT), True),
        (batch_account.delegated_code(OTHER), False),
        (b"\x60\x80\x60\x40", False),
    ],
    ids=["plain", "ours", "another's", "a contract"],
)
async def test_a_batch_never_goes_over_a_foreign_delegation(code: bytes, is_used: bool) -> None:
    """Calls sent to an account that runs other code than was audited may do anything: plans go out call by call."""
    found = await batch_of(engine(code, {SIGNER: CONTRACT}), SimpleNamespace(), SIGNER)  # type: ignore[arg-type]
    assert (found is not None) == is_used
    assert found is None or found.is_delegated == bool(code)
    assert await batch_of(engine(code, {}), SimpleNamespace(), SIGNER) is None  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("known", "code", "is_used"),
    [
        (CONTRACT, batch_account.delegated_code(CONTRACT), True),
        (CONTRACT, batch_account.delegated_code(OTHER), False),
        (OTHER, batch_account.delegated_code(OTHER), False),
        (None, b"", False),
    ],
    ids=["ours", "changed since", "another's", "plain"],
)
async def test_an_account_delegated_to_the_networks_own_contract_goes_out_in_one(
    known: str | None, code: bytes, is_used: bool
) -> None:
    """Without `batch` in the settings as well: nodes take one of its transactions at a time. Nothing is delegated."""
    found = await batch_of(engine(code, {}, known), SimpleNamespace(), SIGNER)  # type: ignore[arg-type]
    assert (found is not None) == is_used
    assert found is None or found.is_delegated
    assert await batch_of(engine(code, {}, known, network=None), SimpleNamespace(), SIGNER) is None  # type: ignore[arg-type]
