"""What one whole token costs in dollars, by whoever says so, each with its age: markets, feeds, perpetuals, pools.

The first that is fresh is believed; where none is, the first that answers: an old price of gas is better than none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from keeper.core.perp.position import PerpPosition
from keeper.core.prices import Quoted, SecondPrice
from keeper.core.units import USD, Address
from keeper.settings.model import Network
from keeper.venues.feeds import rounds
from keeper.venues.ports import Answer, LendingMarket, Probe

POOLED_S = 60
"""An average of pools is of the block itself."""

if TYPE_CHECKING:
    from keeper.snapshot.discovery import Known


def origins(network: Network, known: Known, asset: Address) -> Iterator[Probe[Quoted | None]]:
    """Yield the probes of an asset's price, the ones that liquidate first."""
    for market in known.markets.values():
        if any(x.asset == asset for x in market.listings):
            yield _by_market(market, asset)
    listed = known.listings.get(asset)
    symbol = listed.symbol if listed else known.native_symbol if asset == network.wrapped_native else ""
    given = network.asset(symbol, asset)
    heartbeat_s = given.heartbeat_s or network.default_heartbeat_s
    for feed in dict.fromkeys(feed for feed in (given.feed, given.second_feed) if feed is not None):
        yield _by_feed(feed, heartbeat_s)


def by_perpetuals(positions: Iterable[PerpPosition], symbol: str, heartbeat_s: int) -> Iterator[Quoted]:
    """Yield what the oracles of perpetual positions say of an underlying ("ETH" for WETH)."""
    names = {symbol.upper(), symbol.upper().removeprefix("W")}
    for position in positions:
        for leg in position.legs:
            if leg.symbol.upper() in names and leg.oracle.answer > 0:
                yield Quoted(leg.oracle.answer, leg.oracle.updated_at, heartbeat_s, f"the oracle of {position.venue}")


def by_pools(
    positions: Iterable[PerpPosition], quote: Address, average: Callable[[int], SecondPrice], now: int
) -> Iterator[Quoted]:
    """Yield what pools say of a token over a time, in terms of the collateral of a perpetual position.

    Their average and not their price of this moment, which anybody can move for a block.
    """
    for position in positions:
        if position.collateral == quote:
            found = average(position.collateral_price * USD // position.usd_unit)
            if found.answers and found.answers[0] > 0:
                yield Quoted(found.answers[0], now, POOLED_S, found.origin)
                return


def _by_market(market: LendingMarket, asset: Address) -> Probe[Quoted | None]:
    price, listed = market.price_probe(asset), market.listing(asset)
    latest = rounds.round_probe(listed.feed) if listed.feed else None
    cut = len(price.reads)

    def decode(answers: Sequence[Answer]) -> Quoted | None:
        answer, quoted = price.decode(answers[:cut]), latest.decode(answers[cut:]) if latest else None
        updated_at = quoted.updated_at if quoted else None
        return Quoted(answer, updated_at, listed.heartbeat_s, f"the oracle of {market.name}") if answer > 0 else None

    return Probe((*price.reads, *(latest.reads if latest else ())), decode)


def _by_feed(feed: Address, heartbeat_s: int) -> Probe[Quoted | None]:
    latest = rounds.latest_probe(feed)

    def decode(answers: Sequence[Answer]) -> Quoted | None:
        found = latest.decode(answers)
        return Quoted(found.answer, found.updated_at, heartbeat_s, f"the feed {feed}") if found else None

    return Probe(latest.reads, decode)
