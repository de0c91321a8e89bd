"""What a book is exposed to; what is not known is a doubt, and never nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from core_builders import KINDS, OWNER, at, holding, loop, position, units, usd, wad
from hypothesis import given
from hypothesis import strategies as st
from perp_builders import BOOK, DOUBT, in_kind, leg_at, listed, long, short, snapshot, told
from perp_strategies import a_position

from keeper.core.book.position import Book, Exposure, exposure
from keeper.core.lending.figures import priced
from keeper.core.reasons import Reason
from keeper.core.snapshot import LendingPosition, Unreadable, Wallet
from keeper.core.units import WAD, Address, Amount, Wei

PURSE = Address("0x" + "77" * 20)


@pytest.fixture(autouse=True)
def _staked_ether(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(KINDS, "wstETH", (18, "2400", 7800, 8100))
    monkeypatch.setitem(KINDS, "LINK", (18, "20", 6600, 7100))


def seen(*members: Any, book: Book = BOOK, **changes: Any) -> Exposure:
    return exposure(book, snapshot(*members, **changes), "WETH")


def purse(native: str = "0", **tokens: str) -> dict[str, Any]:
    """A book's wallet, and what the market lists of it."""
    amounts = {at(symbol): units(symbol, amount) for symbol, amount in tokens.items()}
    assets = {at(symbol): listed(symbol, KINDS[symbol][1], KINDS[symbol][0]) for symbol in tokens}
    return {"wallets": {PURSE: Wallet(PURSE, Wei(wad(native)), amounts)}, "assets": assets}


WITH_PURSE = replace(BOOK, wallets=(PURSE,))
WITH_LINK = replace(BOOK, follows={"link": "LINK"})


def test_a_loop_and_its_short_add_up() -> None:
    """Ten supplied less three short."""
    found = seen(loop(), short())
    assert (found.delta("ETH"), found.doubts) == (wad("7"), ())


def test_debt_counts_against_what_is_supplied() -> None:
    """Borrowed ether is a short of it."""
    found = seen(position(holding("WETH", "4", "1.5"), holding("USDC", "10000")), short())
    assert found.delta("ETH") == wad("-0.5")


def test_staked_ether_counts_at_the_oracles_own_rate() -> None:
    """2,400 dollars where ether is 2,000: one and a fifth each."""
    found = seen(position(holding("wstETH", "10"), holding("WETH")), short())
    assert found.delta("ETH") == wad("9")


def test_without_plain_ether_in_the_market_the_perps_index_prices_it() -> None:
    """As where the loop is of staked ether alone."""
    assert seen(position(holding("wstETH", "10")), short()).delta("ETH") == wad("9")


def test_stablecoins_are_no_exposure() -> None:
    """Supplied, borrowed or in a wallet."""
    found = seen(
        position(holding("DAI", "5000"), holding("USDC", 0, "100")), short(), book=WITH_PURSE, **purse(USDC="9")
    )
    assert (found.delta("ETH"), found.doubts) == (wad("-3"), ())


def test_an_asset_nobody_placed_is_a_doubt_and_the_owner_may_place_it() -> None:
    """Not nothing."""
    held = position(holding("WETH", "1"), holding("LINK", "100"))
    (doubt,) = seen(held, short()).doubts
    assert (doubt.reason, "LINK" in doubt.detail) == (Reason.RULE_UNDECIDABLE, True)
    priced = a_position(leg_at("-3", "2000"), leg_at("0", "20", "SOL"))
    priced = replace(priced, legs=(priced.legs[0], replace(priced.legs[1], symbol="LINK")))
    found = seen(held, told(priced), book=WITH_LINK)
    assert (found.delta("LINK"), found.doubts) == (wad("100"), ())


def test_dust_of_an_unknown_kind_blinds_nobody() -> None:
    """An airdrop worth a hundredth of the largest holding at most."""
    assert seen(position(holding("WETH", "10"), holding("EURC", "180")), short()).doubts == ()
    assert len(seen(position(holding("WETH", "10"), holding("EURC", "190")), short()).doubts) == 1


def test_an_underlying_without_a_price_is_a_doubt() -> None:
    """Nothing can be divided by it."""
    (doubt,) = seen(position(holding("LINK", "100")), short(), book=WITH_LINK).doubts
    assert doubt.reason is Reason.PRICE_NOT_POSITIVE


@pytest.mark.parametrize("symbol", ["WETH", "wstETH"])
def test_a_holding_without_a_price_is_a_doubt_and_not_worth_nothing(symbol: str) -> None:
    """A feed that answers zero would make the hedge the whole book."""
    found = seen(position(holding(symbol, "10", price="0")), short())
    assert [d.reason for d in found.doubts] == [Reason.PRICE_NOT_POSITIVE]


def test_an_unreadable_member_is_a_doubt() -> None:
    """Lending or hedge."""
    for members in ((Unreadable("loop", OWNER, DOUBT), short()), (loop(), Unreadable("short", OWNER, DOUBT))):
        (doubt,) = seen(*members).doubts
        assert doubt.reason is Reason.POSITION_UNREADABLE


def test_a_member_that_is_not_in_the_snapshot_is_a_doubt() -> None:
    """By name."""
    assert [d.detail for d in seen(short()).doubts] == ["loop"]


def test_a_member_named_twice_counts_once() -> None:
    """As a position and as the hedge."""
    assert seen(loop(), short(), book=replace(BOOK, positions=("loop", "short"))).delta("ETH") == wad("7")


def test_positions_of_others_do_not_count() -> None:
    """The snapshot has all."""
    assert seen(loop(), short(), replace(long(), name="other")).delta("ETH") == wad("7")


def test_what_wallets_hold_counts() -> None:
    """Native currency and tokens."""
    found = seen(loop(), short(), book=WITH_PURSE, **purse("0.25", wstETH="1", USDC="500"))
    assert (found.delta("ETH"), found.doubts) == (wad("8.45"), ())


def test_a_wallet_that_was_not_read_is_a_doubt() -> None:
    """Unknown is not zero."""
    (doubt,) = seen(loop(), short(), book=WITH_PURSE).doubts
    assert (doubt.reason, PURSE in doubt.detail) == (Reason.POSITION_UNREADABLE, True)


def test_native_currency_without_a_price_is_a_doubt_unless_there_is_none() -> None:
    """Of an empty wallet nothing need be known."""
    assert len(seen(loop(), short(), book=WITH_PURSE, native_price=0, **purse("1")).doubts) == 1
    assert seen(loop(), short(), book=WITH_PURSE, native_price=0, **purse("0")).doubts == ()


def test_collateral_in_kind_is_exposure_as_well() -> None:
    """Half an ether behind a long of three."""
    assert seen(loop(), replace(in_kind(), name="short")).delta("ETH") == wad("13.5")


def test_collateral_that_moves_by_itself_counts_for_what_it_follows() -> None:
    """Ether behind a position in another market."""
    behind = replace(short(), collateral_symbol="WETH", margin=wad("1000"))
    assert seen(loop(), told(behind)).delta("ETH") == wad("7.5")
    unknown = replace(behind, collateral_symbol="ARB")
    assert [d.reason for d in seen(loop(), told(unknown)).doubts] == [Reason.RULE_UNDECIDABLE]


@pytest.mark.parametrize("written", ["ETH", "eth", "Eth"])
def test_a_market_is_the_same_however_it_is_written(written: str) -> None:
    """A hedge that is not recognised would be opened again and again."""
    position_ = short()
    assert seen(loop(), replace(position_, legs=(replace(position_.legs[0], symbol=written),))).delta("ETH") == wad("7")


@given(
    st.integers(1, 10**24),
    st.integers(0, 10**24),
    st.integers(-(10**24), 10**24),
    st.integers(10**6, 10**13),
)
def test_exposure_is_the_sum_of_its_parts(supplied: int, owed: int, size: int, price: int) -> None:
    """Of ether supplied, owed and traded, at any price, to a wei for each division."""
    lent: LendingPosition = loop()
    weth = priced(lent.holdings[0], price)
    held = replace(weth, supplied=Amount(supplied), borrowed=Amount(owed))
    hedge = a_position(replace(leg_at("1", "2000"), size=size))
    found = seen(replace(lent, holdings=(held, *lent.holdings[1:])), told(hedge))
    assert found.doubts == ()
    assert abs(found.delta("ETH") - (supplied - owed + size)) <= 2 * WAD // price + 2
    assert found.delta("BTC") == 0
    assert found.prices["ETH"] == price
    assert usd(1) == 10**8


@given(st.integers(500, 2_000))
def test_no_price_moves_a_delta(thousandths: int) -> None:
    """A book counts in units of the underlying: nothing is made ready for prices that have not come."""
    loan, hedge = position(holding("WETH", "4", "1.5"), holding("wstETH", "2"), holding("USDC", "10000")), short()
    before = seen(loan, hedge).delta("ETH")
    moved = {h.asset: h.price.answer * thousandths // 1000 for h in loan.holdings if h.symbol != "USDC"}
    there = replace(loan, holdings=tuple(priced(h, moved.get(h.asset, h.price.answer)) for h in loan.holdings))
    after = seen(there, short(price=str(2000 * thousandths // 1000))).delta("ETH")
    assert abs(after - before) <= 10, "but for the rounding of a rate"
