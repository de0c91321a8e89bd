"""A position of GMX v2 found from what the owner named: the market, its prices and fees, and how orders are tried."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields

from keeper.core.prices import Doubt
from keeper.core.reasons import Reason
from keeper.core.units import Address
from keeper.venues.codec.abi import address
from keeper.venues.codec.hashes import is_hex_address
from keeper.venues.gmx_v2 import account as gmx_v2_account
from keeper.venues.gmx_v2 import fees as gmx_v2_fees
from keeper.venues.gmx_v2 import markets as gmx_v2
from keeper.venues.gmx_v2 import trials as gmx_v2_trials
from keeper.venues.gmx_v2.positions import GmxScope
from keeper.venues.ports import Discovery, Owned, PerpAccount, ReadFailedError, Site, VenueTable, Wanted


def find_account(network: Site, position: Wanted) -> Discovery[PerpAccount]:
    """Find the account of a position. Raises ReadFailedError when there is no such market."""
    where = network.perp("gmx_v2", position.table)
    if where is None or position.market is None or position.is_long is None:
        raise _none(f"{network.name} names no {position.table or 'gmx_v2'}")
    deployment = _deployment(where)
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
    scope = GmxScope(market, position.owner, collateral, position.is_long)
    trials = yield from gmx_v2_trials.discover_trials(deployment, network.multicall3)
    stated, fees = gmx_v2.price_probe(market), gmx_v2_fees.fee_probe(deployment)
    answers = yield (*stated.reads, *fees.reads)
    prices = stated.decode(answers[: len(stated.reads)])
    return gmx_v2_account.GmxAccount(scope, prices, fees.decode(answers[len(stated.reads) :]), trials)


def find_owned(_: Site, where: VenueTable, owner: Address) -> Discovery[tuple[Owned, ...]]:
    """Find every position of an owner: each is one market, one collateral and one side. Raises ReadFailedError."""
    names = {market: name for name, market in where.markets.items()}
    positions, _orders = yield from gmx_v2.discover_account(_deployment(where), owner)
    found = dict[str, Owned]()
    for raw in positions:
        market = names.get(raw.market, raw.market)
        name = f"{where.name}-{market.lower()}-{'long' if raw.is_long else 'short'}"
        if name in found:  # the other collateral of the same market and side
            name = f"{name}-{raw.collateral_token[2:8].lower()}"
        found[name] = Owned(name, market, raw.collateral_token, raw.is_long)
    return tuple(found.values())


def _deployment(where: VenueTable) -> gmx_v2.GmxDeployment:
    return gmx_v2.GmxDeployment(*(where.addresses[part.name] for part in fields(gmx_v2.GmxDeployment)))


def collateral_of(given: str, tokens: Sequence[gmx_v2.Token]) -> Address:
    """Return the token that is meant, by address or by a symbol of one. Raises ReadFailedError, with every address."""
    found = {t.address for t in tokens if given.lower() in (t.symbol.lower(), t.address.lower())}
    if len(found) > 1:
        raise _none(f"{given} is the symbol of {' and '.join(sorted(found))}: write the address")
    if not found:
        fits = " or ".join(dict.fromkeys(t.symbol for t in tokens))
        raise _none(f"{given} is no collateral of this market; it takes {fits}")
    return found.pop()


def _none(detail: str) -> ReadFailedError:
    return ReadFailedError(Doubt(Reason.POSITION_UNREADABLE, detail))
