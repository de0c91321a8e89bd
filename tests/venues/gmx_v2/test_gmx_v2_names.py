"""Markets whose index token is no contract have a name, and collateral that is what is traded moves with it."""

from __future__ import annotations

import pytest
from eth_abi.abi import encode
from eth_utils.address import to_checksum_address
from gmx_recordings import AT, MARKET, USDC, WETH, block_of, step
from test_gmx_v2_requests import ABIS, run

from keeper.core.metrics import Subject
from keeper.core.perp import margin as perps
from keeper.core.perp import metrics as perp_metrics
from keeper.core.units import Address
from keeper.venues.codec.abi import load
from keeper.venues.gmx_v2 import keys
from keeper.venues.gmx_v2.answers import FullClose, LiquidationCheck, MarketInfo, RawPosition
from keeper.venues.gmx_v2.markets import (
    EXACT,
    NO_NAMES,
    GmxMarket,
    MarketPrices,
    Names,
    Token,
    discover_market,
    price_of,
)
from keeper.venues.gmx_v2.positions import GmxScope, MarketLimits, _empty, _held
from keeper.venues.ports import Answer, Read

TRADER = Address("0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC")
BTC_MARKET = Address("0x47c031236e19d024b42f8AE6780E44A573170703")
INDEX = Address("0x47904963fc8b2340414262125aF798B9655E58Cd")
WBTC = Token(Address("0x2f2a2543B76A4166549F7aaB2e75Bef0aefC5B0f"), "WBTC", 8, WETH.feed, 10**44, 3600)
BTC_FEED = Address(to_checksum_address("0x" + "fe" * 20))
USD = 10**30
SDK: Names = {INDEX: "BTC", WBTC.address: "BTC"}


def chain(read: Read) -> Answer:
    """A market as BTC's on Arbitrum: the index is only an address, with a feed of its own."""
    data, reader, erc20 = ABIS["DataStore"], ABIS["Reader"], load("erc20")
    if read.data[:4] == reader.getMarket.selector:
        return encode(["address"] * 4, [BTC_MARKET, INDEX, WBTC.address, USDC.address])
    for token in (WBTC, USDC):
        if read.to == token.address:
            text = read.data[:4] == erc20.symbol.selector
            return encode(["string"], [token.symbol]) if text else encode(["uint8"], [token.decimals])
    if read.to == INDEX:
        return None
    feeds = {INDEX: BTC_FEED, WBTC.address: WBTC.feed, USDC.address: USDC.feed}
    for token_, feed in feeds.items():
        if read.data[4:] == keys.key("PRICE_FEED", token_):
            return encode(["address"], [feed])
        if read.data[4:] == keys.key("PRICE_FEED_MULTIPLIER", token_):
            return encode(["uint256"], [10**46 if token_ == USDC.address else 10**44])
    if read.to == AT.data_store:
        return encode(["uint256"], [3600])
    assert read.data[:4] != data.getAddress.selector
    return encode(["uint8"], [8])


def market(symbol: str | None = None, names: Names = NO_NAMES) -> GmxMarket:
    found = run(discover_market(AT, BTC_MARKET, symbol=symbol, names=names), chain)
    assert isinstance(found, GmxMarket)
    return found


@pytest.mark.parametrize(
    ("symbol", "names", "called"),
    [
        (None, SDK, "BTC"),
        ("BTC", NO_NAMES, "BTC"),
        ("BTC2", SDK, "BTC"),
        (None, NO_NAMES, INDEX),
    ],
)
def test_an_index_without_a_contract_has_a_name(symbol: str | None, names: Names, called: str) -> None:
    """By the shipped data, by the owner's own network file, at the very least its address; never nothing."""
    found = market(symbol, names)
    assert found.symbol == called
    assert (found.index.decimals, found.index.feed) == (8, BTC_FEED)


def test_the_feed_an_owner_names_for_such_an_index_is_taken() -> None:
    """By the name it has from the data."""
    mine = Address("0x" + "0f" * 20)
    found = run(discover_market(AT, BTC_MARKET, {"BTC": mine}.get, "BTC"), chain)
    assert isinstance(found, GmxMarket)
    assert found.index.feed == mine


@pytest.mark.parametrize(("symbol", "names"), [(None, SDK), ("BTC", NO_NAMES)])
def test_wrapped_bitcoin_is_tied_to_bitcoin(symbol: str | None, names: Names) -> None:
    """And dollars are not."""
    of = market(symbol, names)
    assert GmxScope(of, TRADER, WBTC.address, is_long=True).moves_with_index
    assert not GmxScope(of, TRADER, USDC.address, is_long=True).moves_with_index


@pytest.mark.parametrize(
    ("symbol", "index", "moves"),
    [
        ("wstETH", "ETH", True),
        ("tBTC", "BTC", True),
        ("WBTC", "STX", False),
        ("USDe", "ETH", False),
        ("SOL", "SOL", True),
    ],
)
def test_what_follows_the_index_moves_with_it(symbol: str, index: str, moves: bool) -> None:
    """Staked and bridged forms of it; nothing else that backs the market."""
    token = Token(Address("0x" + "aa" * 20), symbol, 18, BTC_FEED, 1, 0)
    assert token.moves_with(WETH, index) is moves


def test_a_token_told_by_the_index_s_own_feed_moves_with_it() -> None:
    """Whatever it is called."""
    token = Token(Address("0x" + "aa" * 20), "xyz", 18, WETH.feed, 1, 0)
    assert token.moves_with(WETH, "ETH")


def test_a_long_on_bitcoin_with_bitcoin_is_liquidated_where_both_have_fallen() -> None:
    """100,000 dollars at 100,000 with 0.1 WBTC: at 91,418.18, not at the 90,560.00 of a fixed margin."""
    scope = GmxScope(market(names=SDK), TRADER, WBTC.address, is_long=True)
    price = 100_000 * 10**22
    now = price_of(scope.market.index, price, EXACT)
    prices = MarketPrices(now, now, price_of(USDC, 10**24, EXACT))
    stored = RawPosition(TRADER, BTC_MARKET, WBTC.address, 100_000 * USD, 10**8, 10**7, 0, 0, 0, is_long=True)
    fee = 60 * USD // price
    closing = FullClose(stored, 0, (0, 0), 0, fee, fee, 0, price, False, 0, 0, 0, 0, 0)
    none = ((0, 0), (0, 0))
    info = MarketInfo((BTC_MARKET,) * 4, (0, 0), none, True, 0, 0, none, none, 0, False)
    bounds = MarketLimits(USD // 100, USD // 200, USD, (0, 0), 0, 0)
    check = LiquidationCheck(False, 9_940 * USD, 500 * USD, 500 * USD)
    empty = _empty(scope, "btc", block_of(step("02", 57)), prices, info, bounds, ())
    held = _held(empty, scope, prices, info, bounds, closing, check)
    found = perps.liquidation_price(held, "BTC")
    assert found is not None
    assert round(found / 10**22, 2) == 91_418.18
    assert perp_metrics.STOP_LOSS.now(held, Subject("BTC")) == 100_000 * 10**8


def test_the_recorded_market_is_called_as_ever() -> None:
    """The index that is a contract says what it is."""
    assert MARKET.index.underlying == "ETH"
