"""The seats of perpetual positions: which venue, found how. The one place that knows what venues there are."""

from __future__ import annotations

from keeper.core.prices import Doubt
from keeper.core.reasons import Reason
from keeper.settings.model import Network, Position
from keeper.venues import perp_v2, perp_v2_seat
from keeper.venues.ports import Discovery, PerpSeat, ReadFailedError


def discover_seat(network: Network, position: Position) -> Discovery[PerpSeat]:
    """Find the seat of a position. Raises ReadFailedError when there is no such venue, or no such market."""
    if position.venue == "perp_v2":
        return (yield from _perp_v2(network, position))
    raise _none(f"{network.name} names no {position.venue}")


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

    quoter = network.uniswap_v3.quoter_v2 if network.uniswap_v3 else None
    return perp_v2_seat.PerpV2Seat(deployment, perp_v2.with_heartbeats(scope, heartbeat_s), quoter)


def _none(detail: str) -> ReadFailedError:
    return ReadFailedError(Doubt(Reason.POSITION_UNREADABLE, detail))
