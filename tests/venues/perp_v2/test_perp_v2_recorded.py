"""Perp v2 accounts from answers recorded on its own contracts: every figure, and every way an answer can be missing."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import pytest
from eth_abi.abi import encode

from keeper.core.perp import margin as perps
from keeper.core.perp.position import FACTOR, MarginBasis, PerpFigures, PerpPosition
from keeper.core.snapshot import BlockRef
from keeper.core.units import WAD, Address, Wei
from keeper.venues.codec.abi import Function, load
from keeper.venues.perp_v2 import markets as perp_v2
from keeper.venues.perp_v2 import position as perp_v2_account
from keeper.venues.perp_v2 import quotes as perp_v2_quotes
from keeper.venues.perp_v2.markets import PerpV2Deployment, PerpV2Scope
from keeper.venues.ports import Answer, Discovery, Read, ReadFailedError, ScopeOutdatedError

T = TypeVar("T")
RECORDED = json.loads((Path(__file__).parent / "perp_v2_recorded.json").read_text())
HOUSE, OWNER, ETH, BTC, QUOTER = (Address(RECORDED[k]) for k in ("clearing_house", "owner", "eth", "btc", "quoter"))
BLOCK = BlockRef(31337, 1, "0x" + "ab" * 32, "0x" + "cd" * 32, 1_750_017_115, Wei(10**9))

VAULT, BALANCE, BASE = (load(f"perp_v2_{name}") for name in ("vault", "account_balance", "base_token"))
VALUE = load("perp_v2_clearing_house").getAccountValue
BOOK, REGISTRY, FEED = (load(f"perp_v2_{name}") for name in ("order_book", "market_registry", "price_feed"))
CONFIG = load("perp_v2_config")


class Chain:
    """Answers as they were recorded, some of them changed: by function, for every call of it."""

    def __init__(self, changed: dict[Function, Answer] | None = None) -> None:
        self.changed = {function.selector: answer for function, answer in (changed or {}).items()}

    def answers(self, reads: Sequence[Read]) -> list[Answer]:
        return [self._answer(read) for read in reads]

    def discover(self, search: Discovery[T]) -> T:
        try:
            reads = next(search)
            while True:
                reads = search.send(self.answers(reads))
        except StopIteration as done:
            found: T = done.value
            return found

    def deployment(self) -> PerpV2Deployment:
        return self.discover(perp_v2.discover_deployment(HOUSE))

    def scope(self) -> PerpV2Scope:
        return self.discover(perp_v2.discover_scope(self.deployment(), OWNER, [ETH]))

    def position(self, scope: PerpV2Scope | None = None) -> PerpPosition:
        probe = perp_v2_account.position_probe(self.deployment(), scope or self.scope(), "mine", BLOCK)
        return probe.decode(self.answers(probe.reads))

    def _answer(self, read: Read) -> Answer:
        if read.data[:4] in self.changed:
            return self.changed[read.data[:4]]
        if read.data[:4] == CONFIG.getMarkPriceConfig.selector:
            return None  # the recording is older than the question
        found = RECORDED["answers"][f"{read.to} {read.data.hex()}"]
        return None if found is None else bytes.fromhex(found)


def answered(function: Function, *values: Any) -> bytes:
    return encode(function.outputs, values)


# --- what is there ---------------------------------------------------------------------------------------------------


def test_an_account_in_two_markets_is_read_whole() -> None:
    """Our figures are the contract's own; ratios, steps and precision are the venue's."""
    position = Chain().position()
    assert perps.figures(position) == position.reported
    assert position.reported == PerpFigures(RECORDED["equity"], RECORDED["requirement"])
    assert perp_v2_account.free_margin(position) == position.free_margin == RECORDED["free"]
    assert [(leg.symbol, leg.market) for leg in position.legs] == [("ETH", ETH), ("BTC", BTC)]
    assert (position.initial, position.maintenance) == (FACTOR // 10, FACTOR * 625 // 10_000)
    assert (position.is_cross, position.basis, position.usd_unit) == (True, MarginBasis.NOTIONAL, WAD)
    assert (position.collateral_symbol, position.collateral_decimals, position.equity_step) == ("USDC", 6, 10**12)
    assert position.orders == ()


def test_accounts_in_one_market_share_its_reads() -> None:
    """Of a second account only what is its own is asked: seven of the account, three of each market."""
    chain = Chain()
    deployment, scope = chain.deployment(), chain.scope()
    probes = [
        perp_v2_account.position_probe(deployment, replace(scope, owner=owner), "mine", BLOCK)
        for owner in (OWNER, QUOTER)
    ]
    first, both = set(probes[0].reads), {read for probe in probes for read in probe.reads}
    assert len(first) == len(probes[0].reads)
    assert len(both) - len(first) == 7 + 3 * len(scope.markets)


def test_longs_and_shorts_pay_opposite_ways() -> None:
    """The market was below the index: the short pays, the long is paid; both have it pending."""
    short, long = Chain().position().legs
    assert short.size < 0 < long.size
    assert short.funding_rate > 0 > long.funding_rate
    assert short.funding_owed > 0 > long.funding_owed


def test_the_index_comes_with_its_feed_and_age() -> None:
    """The aggregator behind the dispatcher, the time of its round, 8 decimals."""
    scope = perp_v2.with_heartbeats(Chain().scope(), {"ETH": 3600, "BTC": 7200}.__getitem__)
    oracle = Chain().position(scope).leg("ETH").oracle
    assert (oracle.answer, oracle.updated_at, oracle.heartbeat_s) == (2011_50000000, 1750015103, 3600)
    assert oracle.source == scope.markets[0].source != scope.markets[0].feed


# --- what is missing -------------------------------------------------------------------------------------------------

NEEDLESS = {FEED.getLatestOrCachedPrice, FEED.isToUseUniswapV3PriceFeed, BASE.getClosedPrice}


def test_no_answer_is_taken_for_zero() -> None:
    """Whichever read fails, the account is unreadable, unless it only tells an age or a closed market's price."""
    chain = Chain()
    deployment, scope = chain.deployment(), chain.scope()
    probe = perp_v2_account.position_probe(deployment, scope, "mine", BLOCK)
    answers = chain.answers(probe.reads)
    needless = {function.selector for function in NEEDLESS}
    for place, read in enumerate(probe.reads):
        missing = [*answers[:place], None, *answers[place + 1 :]]
        if read.data[:4] in needless:
            assert perps.figures(probe.decode(missing)) == probe.decode(answers).reported
        else:
            with pytest.raises(ReadFailedError):
                probe.decode(missing)


@pytest.mark.parametrize(
    "changed",
    [
        {FEED.getLatestOrCachedPrice: None},
        {FEED.isToUseUniswapV3PriceFeed: None},
        {FEED.isToUseUniswapV3PriceFeed: answered(FEED.isToUseUniswapV3PriceFeed, True)},
        {FEED.getChainlinkPriceFeedV3: None, FEED.getLatestOrCachedPrice: None},
        {FEED.getAggregator: None, FEED.getLatestOrCachedPrice: None},
    ],
)
def test_an_age_that_is_not_known_is_not_told(changed: dict[Function, Answer]) -> None:
    """No Chainlink feed behind the index, or another source in its place: the price stands, its age does not."""
    oracle = Chain(changed).position().leg("ETH").oracle
    assert (oracle.answer, oracle.updated_at) == (2011_50000000, None)


def test_a_feed_that_the_owner_names_tells_the_age() -> None:
    """What the reason's remedy promises: with a named feed an index of another kind has an age."""
    round_data = load("chainlink_feed").latestRoundData
    told = answered(round_data, 7, 2011_50000000, 1750016000, 1750016001, 7)
    chain = Chain({round_data: told, FEED.getChainlinkPriceFeedV3: None})
    scope = perp_v2.with_heartbeats(chain.scope(), lambda _: 60, lambda symbol: QUOTER if symbol == "ETH" else None)
    oracle = chain.position(replace(scope, markets=scope.markets[:1] + Chain().scope().markets[1:])).leg("ETH").oracle
    assert (oracle.updated_at, oracle.source) == (1750016001, QUOTER)
    silent = Chain({round_data: None, FEED.getChainlinkPriceFeedV3: None})
    scope = replace(scope, markets=scope.markets[:1] + Chain().scope().markets[1:])
    assert silent.position(scope).leg("ETH").oracle.updated_at is None


def test_a_second_collateral_is_refused() -> None:
    """Its worth is not reckoned here, so none is told."""
    others = answered(VAULT.getCollateralTokens, [ETH, BTC])
    worth = answered(VALUE, Chain().position().reported.equity * 102 // 100)
    with pytest.raises(ReadFailedError, match="2 collaterals beside USDC"):
        Chain({VAULT.getCollateralTokens: others, VALUE: worth}).position()


def test_a_second_collateral_of_next_to_no_worth_counts_as_nothing() -> None:
    """Anybody may deposit a wei of it for anybody."""
    others = answered(VAULT.getCollateralTokens, [ETH])
    worth = answered(VALUE, Chain().position().reported.equity + 10**18)
    found = Chain({VAULT.getCollateralTokens: others, VALUE: worth}).position()
    assert found == replace(Chain().position(), gifts=10**18), "but that other nodes are asked for the contract's sum"


def test_liquidity_is_refused() -> None:
    """A maker's size changes with the market's price."""
    with pytest.raises(ReadFailedError, match="provides liquidity to ETH"):
        Chain({BOOK.getOpenOrderIds: answered(BOOK.getOpenOrderIds, [b"\1" * 32])}).position()


def test_a_market_that_was_not_read_is_read_again() -> None:
    """An account that entered another market is discovered anew."""
    scope = Chain().scope()
    entered = answered(BALANCE.getBaseTokens, [ETH, BTC, QUOTER])
    with pytest.raises(ScopeOutdatedError):
        Chain({BALANCE.getBaseTokens: entered}).position(scope)


def test_an_address_that_is_no_clearing_house_is_told() -> None:
    """Nothing is guessed from a wrong address in the network file."""
    house = load("perp_v2_clearing_house")
    with pytest.raises(ReadFailedError, match="getVault"):
        Chain({house.getVault: None}).deployment()


def test_a_registry_without_discounts_is_understood() -> None:
    """Before 2.8 fees were the same for everybody, under another name."""
    info = answered(REGISTRY.getMarketInfo, (ETH, 2000, 10_000, 0, 100_000))
    scope = Chain({REGISTRY.getMarketInfoByTrader: None, REGISTRY.getMarketInfo: info}).scope()
    assert {market.exchange_fee for market in scope.markets} == {2000}
    with pytest.raises(ReadFailedError):
        Chain({REGISTRY.getMarketInfoByTrader: None, REGISTRY.getMarketInfo: None}).scope()


# --- small print of the figures --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("size", "open_notional"), [(9, -777), (-9, 777), (0, -777), (0, 777), (9, 777)])
def test_a_rest_too_small_to_count_is_no_position_but_still_owed(size: int, open_notional: int) -> None:
    """Below 10 wei the contract counts no size; what is left of the entry stays in its worth."""
    info = answered(BALANCE.getAccountInfo, (size, open_notional, 0))
    position = Chain({BALANCE.getAccountInfo: info}).position()
    assert position.held == ()
    assert perps.requirement(position) == 0
    assert sum(perps.unrealized_pnl(leg) for leg in position.legs) == 2 * open_notional


@pytest.mark.parametrize(("most", "share"), [(100_000, None), (10, 10)])
def test_funding_is_capped_as_the_contract_caps_it(most: int, share: int | None) -> None:
    """At most this share of the index a day, whatever the gap."""
    leg = Chain({CONFIG.getMaxFundingRate: answered(CONFIG.getMaxFundingRate, most)}).position().leg("ETH")
    a_day = leg.funding_rate * leg.mark_price // (365 * WAD)
    gap = leg.index_price - leg.mark_price
    assert a_day <= leg.index_price * most // 10**6 + 1
    assert a_day == pytest.approx(leg.index_price * share // 10**6 if share else gap, rel=0.01)


def test_quotes_of_both_directions() -> None:
    """Fee a thousandth of what is exchanged, on top of a purchase; none where the market is not open or too thin."""
    chain = Chain()
    deployment, market = chain.deployment(), chain.scope().market(ETH)
    for size in (WAD // 7, -WAD // 7):
        probe = perp_v2_quotes.trade_probe(deployment, market, OWNER, size, QUOTER)
        told = probe.decode(chain.answers(probe.reads))
        assert told is not None
        assert told.size_change == size
        assert told.notional == pytest.approx(abs(size) * told.price // WAD, abs=1)
        assert told.fee == (-(-told.notional // 1000) if size < 0 else -(-told.notional // 999))
        for changed in (
            {BASE.isOpen: answered(BASE.isOpen, False)},
            {load("uniswap_v3_quoter_v2").quoteExactInputSingle: None},
        ):
            if size < 0 or BASE.isOpen in changed:
                assert probe.decode(Chain(changed).answers(probe.reads)) is None
