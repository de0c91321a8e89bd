"""The seats of perpetual positions: which venue, found how. The one place that knows what venues there are."""

from __future__ import annotations

from collections.abc import Sequence

from eth_utils.address import is_hex_address

from keeper.core.prices import Doubt
from keeper.core.reasons import Reason
from keeper.core.units import Address
from keeper.settings.model import Network, Position
from keeper.venues.codec.abi import address
from keeper.venues.gmx_v2 import account as gmx_v2_seat
from keeper.venues.gmx_v2 import fees as gmx_v2_fees
from keeper.venues.gmx_v2 import markets as gmx_v2
from keeper.venues.gmx_v2 import trials as gmx_v2_trials
from keeper.venues.gmx_v2.positions import Scope
from keeper.venues.perp_v2 import account as perp_v2_seat
from keeper.venues.perp_v2 import markets as perp_v2
from keeper.venues.ports import Discovery, PerpSeat, ReadFailedError


def discover_seat(network: Network, position: Position) -> Discovery[PerpSeat]:
    """Find the seat of a position. Raises ReadFailedError when there is no such venue, or no such market."""
    if position.venue == "perp_v2":
        return (yield from _perp_v2(network, position))
    return (yield from _gmx_v2(network, position))


def _gmx_v2(network: Network, position: Position) -> Discovery[PerpSeat]:
    where = network.gmx_v2
    if where is None or position.market is None or position.is_long is None:
        raise _none(f"{network.name} names no gmx_v2")
    deployment = gmx_v2.Deployment(
        where.data_store,
        where.reader,
        where.exchange_router,
        where.router,
        where.order_vault,
        where.event_emitter,
        where.referral_storage,
    )
    token = where.markets.get(position.market.upper())
    if token is None and not is_hex_address(position.market):
        raise _none(
            f"{position.market} is no market of gmx_v2: name its market token, or one of {', '.join(where.markets)}"
        )
    named = token or address(position.market)
    called = next((name for name, market in where.markets.items() if market == named), None)
    market = yield from gmx_v2.discover_market(
        deployment, named, lambda symbol: network.asset(symbol).feed, called, where.names
    )

    def heartbeat_s(token: gmx_v2.Token) -> int:
        return (
            network.asset(token.symbol, token.address).heartbeat_s or token.heartbeat_s or network.default_heartbeat_s
        )

    market = gmx_v2.with_heartbeats(market, heartbeat_s)
    collateral = collateral_of(position.collateral or "", (market.long, market.short))
    scope = Scope(market, position.owner, collateral, position.is_long)
    trials = yield from gmx_v2_trials.discover_trials(deployment, network.multicall3)
    told, fees = gmx_v2.price_probe(market), gmx_v2_fees.fee_probe(deployment)
    answers = yield (*told.reads, *fees.reads)
    prices = told.decode(answers[: len(told.reads)])
    return gmx_v2_seat.GmxSeat(scope, prices, fees.decode(answers[len(told.reads) :]), trials)


def collateral_of(given: str, tokens: Sequence[gmx_v2.Token]) -> Address:
    """Return the token that is meant, by address or by a symbol of one. Raises ReadFailedError, with every address."""
    found = {t.address for t in tokens if given.lower() in (t.symbol.lower(), t.address.lower())}
    if len(found) > 1:
        raise _none(f"{given} is the symbol of {' and '.join(sorted(found))}: write the address")
    if not found:
        fits = " or ".join(dict.fromkeys(t.symbol for t in tokens))
        raise _none(f"{given} is no collateral of this market; it takes {fits}")
    return found.pop()


def _perp_v2(network: Network, position: Position) -> Discovery[PerpSeat]:
    where = network.perp_v2
    if where is None:
        raise _none(f"{network.name} names no perp_v2")
    deployment = yield from perp_v2.discover_deployment(where.clearing_house)
    known = list(where.markets.values())
    if position.market is not None:
        named = where.markets.get(position.market.upper())
        if named is None:
            raise _none(f"{position.market} is not a market of perp_v2; known: {', '.join(where.markets)}")
        known = [named]
    scope = yield from perp_v2.discover_scope(deployment, position.owner, known)

    def heartbeat_s(symbol: str) -> int:
        asset = network.asset(symbol)
        wrapped = network.asset(f"W{symbol}")
        return asset.heartbeat_s or wrapped.heartbeat_s or network.default_heartbeat_s

    def feed(symbol: str) -> Address | None:
        return network.asset(symbol).feed

    quoter = network.uniswap_v3.quoter_v2 if network.uniswap_v3 else None
    return perp_v2_seat.PerpV2Seat(deployment, perp_v2.with_heartbeats(scope, heartbeat_s, feed), quoter)


def _none(detail: str) -> ReadFailedError:
    return ReadFailedError(Doubt(Reason.POSITION_UNREADABLE, detail))
