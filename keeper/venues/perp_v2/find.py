"""An account at Perp v2, and the markets that matter to it."""

from __future__ import annotations

from keeper.core.prices import Doubt
from keeper.core.reasons import Reason
from keeper.core.units import Address
from keeper.venues.perp_v2 import account as perp_v2_account
from keeper.venues.perp_v2 import markets as perp_v2
from keeper.venues.ports import Discovery, PerpAccount, ReadFailedError, Site, Wanted


def find_account(network: Site, position: Wanted) -> Discovery[PerpAccount]:
    """Find the account of a position. Raises ReadFailedError when there is no such market."""
    where = network.perp("perp_v2", position.table)
    if where is None:
        raise _none(f"{network.name} names no {position.table or 'perp_v2'}")
    deployment = yield from perp_v2.discover_deployment(where.addresses["clearing_house"])
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

    scope = perp_v2.with_heartbeats(scope, heartbeat_s, feed)
    return perp_v2_account.PerpV2Account(deployment, scope, _quoter(network))


def _quoter(network: Site) -> Address | None:
    """Return who prices a trade: the markets are pools of Uniswap v3, and any quoter of a deployment knows them."""
    table = network.exchange("uniswap_v3")
    return table.addresses["quoter_v2"] if table else None


def _none(detail: str) -> ReadFailedError:
    return ReadFailedError(Doubt(Reason.POSITION_UNREADABLE, detail))
