"""The last gate before a signature, by effects alone: what is not expressly allowed is refused, whatever the venue."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from core_builders import NOW, OWNER, limits, usd, wad
from perp_builders import resting, short

from keeper.core.perp.grounds import grounds
from keeper.core.perp.position import OrderKind, PerpPosition
from keeper.core.reasons import Reason
from keeper.core.units import UINT256_MAX, WAD, Address, Usd, Wei
from keeper.execution import policy
from keeper.execution.policy import Grant, PolicyError
from keeper.venues.effects import (
    Approves,
    Call,
    Cancels,
    Carries,
    Changes,
    Claims,
    Closes,
    Effect,
    Opens,
    Orders,
    Pays,
    Takes,
)

GUARDIAN = Address("0x70997970C51812dc3A010C7d01b50e0d17dc79C8")
HEDGE = replace(short(), owner=OWNER, orders=(resting("0x01"), resting("0x02", OrderKind.LIMIT_INCREASE)))
ETH, DOLLAR = HEDGE.legs[0].market, HEDGE.collateral
VAULT = Address("0x9965507D1a55bcC2695C58ba16FB37d819B0A4dc")
FEE = Wei(10**15)
CLOSES = Closes(ETH, is_long=False, size=WAD, worst_price=2010 * WAD, deadline=NOW)
OPENS = Opens(ETH, is_long=False, size=WAD, worst_price=1990 * WAD)
STOP = Orders(ETH, is_long=False, size=WAD, trigger_price=1, worst_price=1, opens=False, beneficiary=OWNER)
DEPOSIT = Pays(DOLLAR, 500 * 10**6, OWNER, VAULT)
APPROVE = Approves(DOLLAR, VAULT, 500 * 10**6)
CHANGE = Changes("0x01", 3 * WAD, 1, 1, goes_with_position=True)


def decoded(call: Call) -> tuple[Effect, ...]:
    """A call is made of its effects."""
    found: Any = call.data
    if found == b"\1":
        raise ValueError("not a call of this account")
    return found  # type: ignore[no-any-return]


def grant(*, opens: bool = False, signer: Address = OWNER, spent: str = "0", **caps: Any) -> Grant:
    return Grant(31337, OWNER, signer, limits(**caps), Usd(usd(spent)), NOW, may_open=opens, most_fee=FEE)


def check(*effects: Effect, by: Grant | None = None, of: PerpPosition = HEDGE, chain_id: int = 31337) -> None:
    """Each effect in a call of its own."""
    together(*((effect,) for effect in effects), by=by, of=of, chain_id=chain_id)


def together(
    *calls: tuple[Effect, ...],
    by: Grant | None = None,
    of: PerpPosition = HEDGE,
    chain_id: int = 31337,
    value: int | None = None,
) -> None:
    made = list[Call]()
    for effects in calls:
        data: Any = effects
        carried = sum(e.amount for e in effects if isinstance(e, Carries)) if value is None else value
        made.append(Call(ETH, data, Wei(carried), "call"))
    policy.check(made, chain_id, by or grant(), {ETH: decoded}, grounds(of))


def refused(*effects: Effect, **more: Any) -> PolicyError:
    with pytest.raises(PolicyError) as found:
        check(*effects, **more)
    return found.value


def test_what_plans_are_made_of_passes() -> None:
    """Approve what is paid, deposit, trade; place, change, cancel, claim."""
    check(APPROVE, DEPOSIT, CLOSES)
    check(STOP, replace(STOP, size=None), Cancels("0x01", OWNER))
    check(CHANGE, Claims((), OWNER))


@pytest.mark.parametrize(
    ("effect", "why"),
    [
        (replace(DEPOSIT, beneficiary=GUARDIAN), "is not the owner"),
        (replace(CLOSES, beneficiary=GUARDIAN), "is not the owner"),
        (replace(OPENS, beneficiary=GUARDIAN), "is not the owner"),
        (replace(STOP, beneficiary=GUARDIAN), "is not the owner"),
        (replace(CHANGE, beneficiary=GUARDIAN), "is not the owner"),
        (Cancels("0x01", GUARDIAN), "is not the owner"),
        (Claims((), GUARDIAN), "is not the owner"),
        (Takes(DOLLAR, 1, OWNER), "lets nothing be taken out"),
        (replace(DEPOSIT, asset=ETH), "is not an asset of the position"),
        (replace(APPROVE, asset=ETH), "is not an asset of the position"),
        (replace(APPROVE, amount=UINT256_MAX), "without limit"),
        (replace(CLOSES, market=GUARDIAN), "is not a market of the position"),
        (replace(CLOSES, size=3 * WAD + 1), "closes more than there is"),
        (replace(STOP, size=3 * WAD + 1), "closes more than there is"),
        (replace(CLOSES, is_long=True), "make the position larger"),
        (replace(STOP, is_long=True), "make the position larger"),
        (replace(STOP, opens=True), "make the position larger"),
        (OPENS, "make the position larger"),
        (replace(CLOSES, deadline=NOW + 1), "is later than"),
        (replace(CLOSES, worst_price=None), "without a bound"),
        (replace(CHANGE, size=3 * WAD + 1), "would close more than there is"),
        (replace(CHANGE, order="0x02"), "is nothing to change"),
        (replace(CHANGE, order="0x03"), "is not one of this position"),
        (Cancels("0x03", OWNER), "is not one of this position"),
    ],
)
def test_what_is_for_others_or_too_much_is_refused(effect: Effect, why: str) -> None:
    """Receivers, withdrawals, other markets, more than the position, no bound, strangers' orders."""
    error = refused(effect)
    assert error.reason is Reason.POLICY_FORBIDS
    assert why in error.detail


def test_nothing_is_closed_where_there_is_nothing() -> None:
    """What would close a position that is gone opens another."""
    gone = HEDGE.with_leg(replace(HEDGE.legs[0], size=0))
    for closing in (CLOSES, STOP, replace(CLOSES, size=None)):
        assert "make the position larger" in refused(closing, of=gone, by=grant(opens=True)).detail


def test_a_hedge_does_not_turn_a_position_round() -> None:
    """What opens the other side is no hedge that was decided on."""
    turned = replace(OPENS, is_long=True, worst_price=2010 * WAD)
    assert "turn the position round" in refused(turned, by=grant(opens=True)).detail


@pytest.mark.parametrize(("price", "fine"), [("2010", True), ("2010.01", False)])
def test_a_price_beyond_the_slippage_is_refused(price: str, *, fine: bool) -> None:
    """Half a percent of the index; bought and sold."""
    low = wad("4000") - wad(price)
    sells = replace(OPENS, worst_price=low)
    for effect, by in ((replace(CLOSES, worst_price=wad(price)), grant()), (sells, grant(opens=True))):
        if fine:
            check(effect, by=by)
        else:
            assert "more than max_slippage_bps" in refused(effect, by=by).detail


def test_a_hedge_may_grow_by_a_trade_and_never_by_a_resting_order() -> None:
    """A resting order bears no price that could be judged now."""
    check(OPENS, by=grant(opens=True))
    assert "larger" in refused(replace(STOP, opens=True), by=grant(opens=True)).detail


def test_an_approval_is_no_more_than_what_is_paid() -> None:
    """What a plan leaves behind could be taken later."""
    check(APPROVE, replace(DEPOSIT, amount=500 * 10**6))
    assert "approves" in refused(APPROVE, replace(DEPOSIT, amount=499 * 10**6)).detail
    assert "approves" in refused(APPROVE).detail
    check(replace(APPROVE, amount=0))


def test_a_guardian_only_adds_margin() -> None:
    """To the owner's account, named in the call."""
    by = grant(signer=GUARDIAN, opens=True)
    check(APPROVE, DEPOSIT, by=by)
    assert "not the owner" in refused(replace(DEPOSIT, beneficiary=None), by=by).detail
    for effect in (CLOSES, OPENS, STOP, CHANGE, Claims((), OWNER), Cancels("0x01", OWNER)):
        assert "never trades" in refused(replace(effect, beneficiary=OWNER), by=by).detail


@pytest.mark.parametrize(("fee", "fine"), [(FEE, True), (FEE + 1, False)])
def test_an_order_carries_no_more_than_it_may_cost(fee: int, *, fine: bool) -> None:
    """Each for itself; two orders in one call carry one fee each."""
    for effects in ((Carries(fee), CLOSES), (Carries(FEE), STOP, Carries(fee), STOP)):
        if fine:
            together(effects)
        else:
            with pytest.raises(PolicyError, match="carries"):
                together(effects)


@pytest.mark.parametrize(("effects", "value"), [((CLOSES,), 1), ((Carries(FEE), CLOSES), FEE - 1), ((CHANGE,), FEE)])
def test_a_call_carries_just_what_its_effects_use(effects: tuple[Effect, ...], value: int) -> None:
    """What nothing uses stays somewhere, and what is there is anybody's."""
    with pytest.raises(PolicyError, match="native currency"):
        together(effects, value=value)


def test_limits_hold_for_what_the_calls_themselves_move() -> None:
    """At the index price, deposits and trades together; a dollar above is refused."""
    check(CLOSES, by=grant(per_tx="2000", per_day="2000"))
    for one in (CLOSES, STOP):
        assert refused(one, by=grant(per_tx="1999")).reason is Reason.SPEND_LIMIT
    assert refused(CLOSES, by=grant(per_day="2000", spent="1")).reason is Reason.SPEND_LIMIT
    assert refused(APPROVE, DEPOSIT, CLOSES, by=grant(per_day="2499")).reason is Reason.SPEND_LIMIT
    check(APPROVE, DEPOSIT, CLOSES, by=grant(per_tx="2000", per_day="2500"))


def test_what_one_transaction_moves_counts_together() -> None:
    """Margin that rides with an order, and several orders of one call."""
    together((CLOSES, CLOSES), by=grant(per_tx="4000"))
    for effects in ((CLOSES, CLOSES), (DEPOSIT, CLOSES, CLOSES)):
        with pytest.raises(PolicyError) as found:
            together(effects, by=grant(per_tx="3999"))
        assert found.value.reason is Reason.SPEND_LIMIT


def test_the_whole_of_a_position_counts_as_its_size() -> None:
    """Three ether at today's price."""
    whole = replace(CLOSES, size=None)
    check(whole, by=grant(per_tx="6000"))
    assert refused(whole, by=grant(per_tx="5999")).reason is Reason.SPEND_LIMIT


def test_another_chain_and_a_call_nobody_knows_are_refused() -> None:
    """Before anything else is looked at."""
    assert "chain 1" in refused(CLOSES, chain_id=1).detail
    for unread, why in ((b"\1", "not a call of this account"), ((), "does nothing")):
        data: Any = unread
        with pytest.raises(PolicyError, match=why):
            policy.check([Call(ETH, data, Wei(0), "call")], 31337, grant(), {ETH: decoded}, grounds(HEDGE))
