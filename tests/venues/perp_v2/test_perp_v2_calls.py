"""Perp v2 calldata: made, read back, and refused in any other form."""

from __future__ import annotations

from typing import Any

import pytest
from eth_abi.abi import encode
from hypothesis import given
from hypothesis import strategies as st

from keeper.core.perp.moves import AddMargin, AllowMargin, ClaimFunding, PlaceOrder, TakeMargin, Trade
from keeper.core.perp.position import OrderKind
from keeper.core.units import WAD, Address, Amount
from keeper.venues.codec.abi import address, load, revert_reason
from keeper.venues.perp_v2 import calls as perp_v2_calls
from keeper.venues.perp_v2.calls import MarginCall, TradeCall, decode_call, encode_move, price_of
from keeper.venues.perp_v2.markets import Deployment, Market, Scope

HOUSE, VAULT = load("perp_v2_clearing_house"), load("perp_v2_vault")
A = [address("0x" + f"{i:02x}" * 20) for i in range(1, 14)]
OWNER, GUARDIAN, USDC, BASE = A[9], A[10], A[7], A[8]
WHERE = Deployment(A[0], A[1], A[2], A[3], A[4], A[5], A[6], USDC, "USDC", 6, 900)
MARKET = Market(BASE, "ETH", A[11], A[12], 1000, 10_000, 100_000, A[0], None, A[0])
SCOPE = Scope(OWNER, (MARKET,))
DEADLINE = 1_750_000_600
REFERRAL = b"\0" * 32

sizes = st.integers(10**6, 10**24).flatmap(lambda size: st.sampled_from((size, -size)))
prices = st.integers(10**15, 10**24)
amounts = st.integers(1, 2**200).map(Amount)


def made(move: Any, signer: Address = OWNER) -> perp_v2_calls.Call:
    return encode_move(WHERE, SCOPE, move, signer, DEADLINE)


@given(sizes, prices, st.booleans())
def test_a_trade_is_read_back_with_its_bound(size: int, worst: int, is_long: bool) -> None:
    """To the clearing house, no value; exact size of the underlying, a bound, a deadline."""
    call = made(Trade(BASE, is_long, size, 0, worst))
    bound = perp_v2_calls.bound(MARKET, size, worst)
    assert (call.to, call.value) == (WHERE.clearing_house, 0)
    assert decode_call(call.data) == TradeCall("openPosition", BASE, size, bound, DEADLINE)
    closing = made(Trade(BASE, is_long, size, 0, worst, is_close=True))
    assert decode_call(closing.data) == TradeCall("closePosition", BASE, None, bound, DEADLINE)


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


@given(sizes, prices)
def test_the_price_of_a_bound_is_the_worst_with_the_fee(size: int, worst: int) -> None:
    """A sale is worth at least that, a purchase costs at most that."""
    told = price_of(size, perp_v2_calls.bound(MARKET, size, worst))
    with_fee = worst * 999 // 1000 if size < 0 else worst * 1000 // 999
    assert abs(told - with_fee) <= 4 + 4 * WAD // abs(size)


@given(amounts)
def test_margin_goes_in_for_the_owner_whoever_pays(amount: Amount) -> None:
    """The owner deposits into the own account, a guardian into the owner's; approvals are exact."""
    own, other = made(AddMargin(BASE, True, USDC, amount)), made(AddMargin(BASE, True, USDC, amount), GUARDIAN)
    assert decode_call(own.data) == MarginCall("deposit", USDC, amount, None, takes_out=False)
    assert decode_call(other.data) == MarginCall("depositFor", USDC, amount, OWNER, takes_out=False)
    taken = made(TakeMargin(BASE, True, USDC, amount))
    assert decode_call(taken.data) == MarginCall("withdraw", USDC, amount, None, takes_out=True)
    assert {own.to, other.to, taken.to} == {WHERE.vault}
    allowed = made(AllowMargin(USDC, amount))
    spender, approved = load("erc20").approve.decode_inputs(allowed.data)
    assert (allowed.to, address(spender), approved) == (USDC, WHERE.vault, amount)


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
        (HOUSE.openPosition.encode(OPEN) + b"\0", "plain form"),
        (HOUSE.getAccountValue.encode(OWNER), "not one a keeper calls"),
        (b"", "not one a keeper calls"),
    ],
)
def test_any_other_form_is_refused(calldata: bytes, why: str) -> None:
    """The gate lets through only what a keeper makes: an exact size, bounded, whole, plain."""
    with pytest.raises(ValueError, match=why):
        decode_call(calldata)


def test_reverts_are_told_in_words_and_by_code() -> None:
    """The contract's string alone says nothing to an owner."""
    data = bytes.fromhex("08c379a0") + encode(("string",), ("CH_NEFCM",))
    assert revert_reason(data).endswith("only a liquidator may reduce it (CH_NEFCM)")
    unknown = bytes.fromhex("08c379a0") + encode(("string",), ("CH_WHAT",))
    assert revert_reason(unknown) == "CH_WHAT"
