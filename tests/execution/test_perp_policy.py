"""The last gate before a signature at a perpetual venue: what is not expressly allowed is refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from core_builders import NOW, OWNER, limits, usd, wad
from perp_builders import resting, short

from keeper.core.perp.position import OrderKind, PerpPosition
from keeper.core.reasons import Reason
from keeper.core.units import UINT256_MAX, WAD, Address, Usd, Wei
from keeper.execution.perp_policy import PerpGrant, check_perp
from keeper.execution.policy import Grant, PolicyError
from keeper.venues.ports import Call, PerpAct

GUARDIAN = Address("0x70997970C51812dc3A010C7d01b50e0d17dc79C8")
HEDGE = replace(short(), owner=OWNER, orders=(resting("0x01"), resting("0x02", OrderKind.LIMIT_INCREASE)))
ETH = HEDGE.legs[0].market
FEE = Wei(10**15)
CLOSES = PerpAct("trade", market=ETH, size=WAD, buys=True, worst_price=2010 * WAD, deadline=NOW)


class Seat:
    """Decodes a call into the acts it was made of."""

    is_delayed = False
    collateral = HEDGE.collateral

    def decode(self, position: PerpPosition, call: Call) -> tuple[PerpAct, ...]:
        acts = call.data
        if acts == b"\1":
            raise ValueError("not a call of this seat")
        return acts  # type: ignore[return-value]


def grant(*, increases: bool = False, signer: Address = OWNER, spent: str = "0", **caps: Any) -> PerpGrant:
    rule = Grant(31337, OWNER, signer, limits(**caps), Usd(usd(spent)), NOW)
    return PerpGrant(rule, increases, FEE)


def check(*acts: PerpAct, by: PerpGrant | None = None, value: int = 0, chain_id: int = 31337) -> None:
    data: Any = [(act,) for act in acts]
    calls = [Call(ETH, d, Wei(value), "call") for d in data]
    seat: Any = Seat()
    check_perp(calls, chain_id, by or grant(), seat, HEDGE)


def refused(*acts: PerpAct, **more: Any) -> PolicyError:
    with pytest.raises(PolicyError) as found:
        check(*acts, **more)
    return found.value


DEPOSIT = PerpAct("deposit", OWNER, asset=Seat.collateral, amount=500 * 10**6)
APPROVE = PerpAct("approve", asset=Seat.collateral, amount=500 * 10**6)


def test_what_plans_are_made_of_passes() -> None:
    """Approve what is paid, deposit, trade; place, change, cancel, claim."""
    check(APPROVE, DEPOSIT, CLOSES)
    check(replace(CLOSES, kind="order", worst_price=1, buys=True), PerpAct("cancel", OWNER, key="0x01"))
    check(PerpAct("update", OWNER, key="0x01", size_usd=6000 * WAD), PerpAct("claim", OWNER))


@pytest.mark.parametrize(
    ("act", "why"),
    [
        (replace(DEPOSIT, beneficiary=GUARDIAN), "is not the owner"),
        (replace(CLOSES, beneficiary=GUARDIAN), "is not the owner"),
        (PerpAct("claim", GUARDIAN), "is not the owner"),
        (PerpAct("withdraw", OWNER, amount=1), "withdraw is not on the list"),
        (PerpAct("transfer", OWNER, amount=1), "transfer is not on the list"),
        (replace(DEPOSIT, asset=ETH), "is not the collateral"),
        (replace(APPROVE, amount=UINT256_MAX), "without limit"),
        (replace(CLOSES, market=GUARDIAN), "is not a market of the position"),
        (replace(CLOSES, size=3 * WAD + 1), "closes more than there is"),
        (replace(CLOSES, buys=False, worst_price=1990 * WAD), "make the position larger"),
        (replace(CLOSES, deadline=NOW + 1), "is later than"),
        (replace(CLOSES, worst_price=None), "without a bound"),
        (PerpAct("update", OWNER, key="0x01", size_usd=6000 * WAD + 1), "would close more than there is"),
        (PerpAct("update", OWNER, key="0x02", size_usd=1), "is nothing to change"),
        (PerpAct("update", OWNER, key="0x03", size_usd=1), "is not one of this position"),
    ],
)
def test_what_is_for_others_or_too_much_is_refused(act: PerpAct, why: str) -> None:
    """Receivers, withdrawals, other markets, more than the position, no bound, strangers' orders."""
    error = refused(act)
    assert error.reason is Reason.POLICY_FORBIDS
    assert why in error.detail


@pytest.mark.parametrize(("price", "fine"), [("2010", True), ("2010.01", False)])
def test_a_price_beyond_the_slippage_is_refused(price: str, *, fine: bool) -> None:
    """Half a percent of the index; bought and sold."""
    low = wad("4000") - wad(price)
    sells = replace(CLOSES, buys=False, worst_price=low)
    for act, by in ((replace(CLOSES, worst_price=wad(price)), grant()), (sells, grant(increases=True))):
        if fine:
            check(act, by=by)
        else:
            assert "more than max_slippage_bps" in refused(act, by=by).detail


def test_a_hedge_may_grow_by_a_trade_and_never_by_a_resting_order() -> None:
    """A resting order bears no price that could be judged now."""
    grows = replace(CLOSES, buys=False, worst_price=1990 * WAD)
    check(grows, by=grant(increases=True))
    assert "larger" in refused(replace(grows, kind="order"), by=grant(increases=True)).detail


def test_an_approval_is_no_more_than_what_is_paid() -> None:
    """What a plan leaves behind could be taken later."""
    check(APPROVE, replace(DEPOSIT, amount=500 * 10**6))
    assert "approves" in refused(APPROVE, replace(DEPOSIT, amount=499 * 10**6)).detail
    assert "approves" in refused(APPROVE).detail
    check(replace(APPROVE, amount=0))


def test_a_guardian_only_adds_margin() -> None:
    """To the owner's account, named in the call."""
    by = grant(signer=GUARDIAN)
    check(APPROVE, DEPOSIT, by=by)
    assert "not the owner" in refused(replace(DEPOSIT, beneficiary=None), by=by).detail
    for act in (CLOSES, PerpAct("claim", OWNER), PerpAct("cancel", OWNER, key="0x01")):
        assert "a guardian only adds margin" in refused(replace(act, beneficiary=OWNER), by=by).detail


@pytest.mark.parametrize(("value", "fine"), [(FEE, True), (FEE + 1, False)])
def test_a_call_carries_no_more_than_its_orders_may_cost(value: int, *, fine: bool) -> None:
    """A cancellation carries nothing."""
    if fine:
        check(CLOSES, value=value)
    else:
        assert "carries" in refused(CLOSES, value=value).detail
    assert "carries" in refused(PerpAct("cancel", OWNER, key="0x01"), value=1).detail


def test_limits_hold_for_what_the_calls_themselves_move() -> None:
    """At the index price, deposits and trades together; a dollar above is refused."""
    check(CLOSES, by=grant(per_tx="2000", per_day="2000"))
    assert refused(CLOSES, by=grant(per_tx="1999")).reason is Reason.SPEND_LIMIT
    assert refused(CLOSES, by=grant(per_day="2000", spent="1")).reason is Reason.SPEND_LIMIT
    assert refused(APPROVE, DEPOSIT, CLOSES, by=grant(per_day="2499")).reason is Reason.SPEND_LIMIT
    check(APPROVE, DEPOSIT, CLOSES, by=grant(per_tx="2000", per_day="2500"))


def test_dollars_of_the_opening_are_counted_as_the_size_they_close() -> None:
    """A venue that counts in what was paid: half of 6,000 dollars is half of three ether, at today's price."""
    half = replace(CLOSES, size=0, size_usd=3000 * WAD)
    dear = HEDGE.with_leg(replace(HEDGE.legs[0], index_price=2200 * WAD))
    seat: Any = Seat()
    calls: Any = [Call(ETH, (replace(half, worst_price=2200 * WAD),), Wei(0), "call")]  # type: ignore[arg-type]
    check_perp(calls, 31337, grant(per_tx="3300"), seat, dear)
    with pytest.raises(PolicyError):
        check_perp(calls, 31337, grant(per_tx="3299"), seat, dear)


def test_another_chain_and_a_call_nobody_knows_are_refused() -> None:
    """Before anything else is looked at."""
    assert "chain 1" in refused(CLOSES, chain_id=1).detail
    seat: Any = Seat()
    with pytest.raises(PolicyError, match="not a call of this seat"):
        check_perp([Call(ETH, b"\1", Wei(0), "call")], 31337, grant(), seat, HEDGE)
