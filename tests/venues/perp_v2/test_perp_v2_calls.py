"""Perp v2 calldata: made, read back, and refused in any other form."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from eth_abi.abi import encode
from hypothesis import given
from hypothesis import strategies as st
from perp_builders import a_leg, a_position

from keeper.core.perp.moves import AddMargin, AllowMargin, ClaimFunding, PlaceOrder, TakeMargin, Trade
from keeper.core.perp.position import OrderKind
from keeper.core.units import WAD, Address, Amount, Wei
from keeper.venues.codec.abi import address, load, revert_reason
from keeper.venues.effects import Approves, Call, Closes, Effect, Opens, Pays, Takes
from keeper.venues.perp_v2 import calls as perp_v2_calls
from keeper.venues.perp_v2.calls import encode_move
from keeper.venues.perp_v2.effects import decoders
from keeper.venues.perp_v2.markets import PerpV2Deployment, PerpV2Market, PerpV2Scope

HOUSE, VAULT = load("perp_v2_clearing_house"), load("perp_v2_vault")
A = [address("0x" + f"{i:02x}" * 20) for i in range(1, 14)]
OWNER, GUARDIAN, USDC, BASE = A[9], A[10], A[7], A[8]
WHERE = PerpV2Deployment(A[0], A[1], A[2], A[3], A[4], A[5], A[6], USDC, "USDC", 6, 900)
MARKET = PerpV2Market(BASE, "ETH", A[11], A[12], 1000, 10_000, 100_000, A[0], None, A[0])
SCOPE = PerpV2Scope(OWNER, (MARKET,))
DEADLINE = 1_750_000_600
REFERRAL = b"\0" * 32

sizes = st.integers(10**6, 10**24).flatmap(lambda size: st.sampled_from((size, -size)))
prices = st.integers(10**15, 10**24)
amounts = st.integers(1, 2**200).map(Amount)


def made(move: Any, signer: Address = OWNER) -> Call:
    return encode_move(WHERE, SCOPE, move, signer, DEADLINE)


def effects(call: Call, held: int = 0) -> tuple[Effect, ...]:
    """What a call does to an account that holds so much."""
    leg = replace(a_leg(size=held), market=BASE)
    return decoders(WHERE, SCOPE, a_position(leg, collateral=USDC))[call.to](call)


@given(sizes, prices)
def test_a_trade_is_read_back_with_its_price(size: int, worst: int) -> None:
    """To the clearing house, no value; an exact size of the underlying, a price before the fee, a deadline."""
    call = made(Trade(BASE, size > 0, size, 0, worst))
    assert (call.to, call.value) == (WHERE.clearing_house, 0)
    (opens,) = effects(call)
    assert isinstance(opens, Opens)
    assert (opens.market, opens.is_long, opens.size, opens.deadline) == (BASE, size > 0, abs(size), DEADLINE)
    (closes,) = effects(call, -2 * size)
    assert isinstance(closes, Closes)
    assert (closes.market, closes.is_long, closes.size, closes.deadline) == (BASE, size < 0, abs(size), DEADLINE)
    (whole,) = effects(made(Trade(BASE, size < 0, size, 0, worst, is_close=True)), -size)
    assert whole == replace(closes, size=None)
    for trade in (opens, closes):
        assert trade.worst_price is not None
        assert abs(trade.worst_price - worst) <= 4 + 4 * WAD // abs(size)


@given(sizes)
def test_a_trade_is_told_by_what_it_does_to_what_is_held(size: int) -> None:
    """The same calldata opens where the account holds nothing or that side, and closes where it holds the other."""
    call = made(Trade(BASE, size > 0, size, 0, 2000 * WAD))
    assert [type(effects(call, held)[0]) for held in (0, size, -size)] == [Opens, Opens, Closes]


@given(sizes, prices)
def test_the_bound_lets_the_worst_price_through_and_nothing_worse(size: int, worst: int) -> None:
    """What the contract compares: dollars after its fee, rounded up; one dollar-wei worse before the fee is refused."""
    bound, fee = perp_v2_calls.bound(MARKET, size, worst), MARKET.exchange_fee
    if size < 0:
        least = -(-abs(size) * worst // WAD)
        assert least - -(-least * fee // 10**6) >= bound
        much_less = least - 2  # the fee's own rounding hides one unit
        assert much_less - -(-much_less * fee // 10**6) < bound
    else:
        most = size * worst // WAD
        assert most + -(-most * fee // (10**6 - fee)) <= bound
        assert most + 1 + -(-(most + 1) * fee // (10**6 - fee)) > bound


@given(amounts)
def test_margin_goes_in_for_the_owner_whoever_pays(amount: Amount) -> None:
    """The owner deposits into the own account, a guardian into the owner's; approvals are exact."""
    own, other = made(AddMargin(BASE, True, USDC, amount)), made(AddMargin(BASE, True, USDC, amount), GUARDIAN)
    assert effects(own) == (Pays(USDC, amount, None, WHERE.vault),)
    assert effects(other) == (Pays(USDC, amount, OWNER, WHERE.vault),)
    taken = made(TakeMargin(BASE, True, USDC, amount))
    assert effects(taken) == (Takes(USDC, amount, None),)
    assert {own.to, other.to, taken.to} == {WHERE.vault}
    allowed = made(AllowMargin(USDC, amount))
    assert effects(allowed) == (Approves(USDC, WHERE.vault, amount),)


@pytest.mark.parametrize("move", [TakeMargin(BASE, True, USDC, Amount(1)), Trade(BASE, True, -WAD, 0, 2000 * WAD)])
def test_only_the_owner_trades_and_withdraws(move: Any) -> None:
    """Both act on the sender's account: another signer's call would act on another account."""
    with pytest.raises(ValueError, match="only the owner"):
        made(move, GUARDIAN)


@pytest.mark.parametrize(
    "move", [ClaimFunding((BASE,), (USDC,)), PlaceOrder(OrderKind.STOP_LOSS, BASE, True, WAD, WAD, WAD)]
)
def test_what_this_venue_does_not_have_is_refused(move: Any) -> None:
    """No orders rest here, and funding is part of the margin."""
    with pytest.raises(ValueError, match="Perp v2 has no"):
        made(move)


def test_a_trade_without_a_bound_is_not_made() -> None:
    """To the contract a bound of zero is none."""
    for trade in (Trade(BASE, True, -1, 0, 1), Trade(BASE, True, WAD, 0, 0), Trade(BASE, True, 0, 0, WAD)):
        with pytest.raises(ValueError, match="cannot be bounded"):
            made(trade)


def test_a_market_outside_the_scope_is_not_traded() -> None:
    """Only what was read is acted on."""
    with pytest.raises(KeyError):
        made(Trade(USDC, True, WAD, 0, 2000 * WAD))


OPEN = (BASE, True, True, WAD, 1900 * WAD, DEADLINE, 0, REFERRAL)
CLOSE = (BASE, 0, 1900 * WAD, DEADLINE, REFERRAL)


@pytest.mark.parametrize(
    ("calldata", "why"),
    [
        (HOUSE.openPosition.encode((*OPEN[:2], False, *OPEN[3:])), "exact amount of dollars"),
        (HOUSE.openPosition.encode((*OPEN[:1], False, *OPEN[2:])), "exact amount of dollars"),
        (HOUSE.openPosition.encode((*OPEN[:4], 0, *OPEN[5:])), "without a bound"),
        (HOUSE.openPosition.encode((*OPEN[:6], 2**96, OPEN[7])), "filled in part"),
        (HOUSE.openPosition.encode((*OPEN[:7], b"\1" * 32)), "referral"),
        (HOUSE.closePosition.encode((BASE, 2**96, *CLOSE[2:])), "filled in part"),
        (HOUSE.closePosition.encode((BASE, 0, 0, *CLOSE[3:])), "without a bound"),
        (HOUSE.closePosition.encode((*CLOSE[:4], b"\1" * 32)), "referral"),
        (HOUSE.openPosition.encode(OPEN) + b"\0", "behind the arguments"),
        (HOUSE.getAccountValue.encode(OWNER), "not one a keeper calls"),
        (b"", "not one a keeper calls"),
    ],
)
def test_any_other_form_is_refused(calldata: bytes, why: str) -> None:
    """The gate lets through only what a keeper makes: an exact size, bounded, whole, plain."""
    with pytest.raises(ValueError, match=why):
        effects(Call(WHERE.clearing_house, calldata, Wei(0), "by hand"), -WAD)


def test_reverts_are_told_in_words_and_by_code() -> None:
    """The contract's string alone says nothing to an owner."""
    data = bytes.fromhex("08c379a0") + encode(("string",), ("CH_NEFCM",))
    assert revert_reason(data).endswith("only a liquidator may reduce it (CH_NEFCM)")
    unknown = bytes.fromhex("08c379a0") + encode(("string",), ("CH_WHAT",))
    assert revert_reason(unknown) == "CH_WHAT"
