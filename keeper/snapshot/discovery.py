"""What is found out once and not at every block: the market, the reserves positions use, the pools between them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from keeper.chain.blocks import Blocks
from keeper.core.book.position import Book
from keeper.core.names import unclear
from keeper.core.prices import Doubt
from keeper.core.reasons import Reason
from keeper.core.rules import Rule
from keeper.core.snapshot import BlockRef
from keeper.core.units import Address
from keeper.settings.model import Network, Position
from keeper.snapshot.accounts import discover_seat
from keeper.venues.aave_v3 import market as aave_v3
from keeper.venues.aave_v3.market import Market, Scope
from keeper.venues.exchanges import uniswap_v3
from keeper.venues.feeds import chainlink
from keeper.venues.ports import Discovery, PerpSeat, ReadFailedError


class AmbiguousNameError(Exception):
    """Settings call an asset by a symbol that several have: which is meant is for the owner to say."""

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = tuple(faults)


@dataclass(frozen=True, slots=True)
class Known:
    """What discovery found: it changes when a reserve is listed or a position uses another one."""

    market: Market
    scopes: dict[str, Scope]
    """Of every lending position that was looked at closely."""
    seats: dict[str, PerpSeat]
    """Perpetual positions: which venue, which reads."""
    lost: dict[str, ReadFailedError]
    """Positions that could not be found, and why: they are told as unreadable until the next discovery."""
    pools: tuple[uniswap_v3.Pool, ...]
    references: tuple[uniswap_v3.Reference, ...]
    hubs: tuple[Address, ...]
    """Where trades without a pool of their own meet: the wrapped native token and the market's deepest dollar."""
    flaws: tuple[str, ...] = ()
    """What is wrong in the network file and does not blind: with it, something cannot be done."""
    used: dict[Address, aave_v3.Listing] = field(default_factory=dict)
    """The reserves that matter to any of these positions, by asset."""


class Survey:
    """Finds out, in as few rounds as it takes, each of them one read."""

    def __init__(
        self,
        blocks: Blocks,
        network: Network,
        positions: Sequence[Position],
        rules: Sequence[Rule],
        books: Sequence[Book] = (),
    ) -> None:
        self._blocks = blocks
        self._network = network
        self._positions = {p.name: p for p in positions}
        self._named, self._given = dict[str, list[str]](), dict[str, str]()
        for rule in rules:
            if rule.trigger.asset:
                self._named.setdefault(rule.position, []).append(rule.trigger.asset)
                self._given[f"rule {rule.name!r} of {rule.position!r}: when.asset"] = rule.trigger.asset
        self._given |= {f"network file: price_safety.assets.{name}": name for name in network.assets}
        self._given |= {f"book {book.name!r}: follows": name for book in books for name in book.follows}

    @property
    def uniswap(self) -> uniswap_v3.Deployment | None:
        """Where swaps go, None when the network file names no Uniswap."""
        where = self._network.uniswap_v3
        if where is None:
            return None
        return uniswap_v3.Deployment(where.factory, where.quoter_v2, where.swap_router_02, where.fee_tiers)

    async def discover(self, block: BlockRef, names: Iterable[str], *, is_first: bool = True) -> Known:
        """Find everything, and what these positions use. Raises NodeError, ReadFailedError.

        The first time AmbiguousNameError where settings use a symbol that several assets have. Later on, where another
        is listed while the keeper runs, what was said by that symbol holds for none of them, and its rules say so.
        """
        blocks, network = self._blocks, self._network
        market = await self._market(block)
        if is_first and (faults := unclear(self._given, market.listings)):
            raise AmbiguousNameError(faults)
        feeds = await blocks.discover(block, chainlink.discover_feeds([x.source for x in market.listings]))
        market = aave_v3.with_feeds(
            market,
            {x.asset: network.asset(x.symbol, x.asset).feed or feeds.get(x.source) for x in market.listings},
            {
                x.asset: network.asset(x.symbol, x.asset).heartbeat_s or network.default_heartbeat_s
                for x in market.listings
            },
        )
        return await self.extended(block, Known(market, {}, {}, {}, (), (), ()), names)

    async def extended(self, block: BlockRef, known: Known, names: Iterable[str]) -> Known:
        """Return what is known with what more positions use; pools are looked for where they use something new."""
        missing = [self._positions[n] for n in names if n not in known.scopes]
        known = await self._with_seats(block, known, [p for p in missing if p.is_perp])
        new = [p.name for p in missing if not p.is_perp]
        if not new:
            return known
        found = await self._blocks.discover_all(block, [self._scope(known.market, name) for name in new])
        used = known.used | {x.asset: x for scope in found for x in scope.listings}
        more = replace(known, scopes={**known.scopes, **dict(zip(new, found, strict=True))}, used=used)
        if known.scopes and used.keys() == known.used.keys():
            return more
        more = replace(more, flaws=await self._flaws(block))
        try:
            pools, references, hubs = await self._pools(block, more)
        except ReadFailedError:
            if not more.flaws:
                raise
            return more
        return replace(more, pools=pools, references=references, hubs=hubs)

    async def _market(self, block: BlockRef) -> Market:
        """Find the lending market. Raises ReadFailedError, which names the address to correct."""
        provider = self._network.pool_addresses_provider
        try:
            return await self._blocks.discover(block, aave_v3.discover_market(provider))
        except ReadFailedError as error:
            where = f"the network file of {self._network.name}: aave_v3.pool_addresses_provider {provider}"
            detail = f"{where} is not one of this chain ({error.doubt.detail}); correct it"
            raise ReadFailedError(Doubt(Reason.POSITION_UNREADABLE, detail)) from None

    async def _flaws(self, block: BlockRef) -> tuple[str, ...]:
        """Find what is wrong with the place of swaps: without it everything else still is kept."""
        if self.uniswap is None:
            return ()
        faults = await self._blocks.discover(block, uniswap_v3.discover_faults(self.uniswap))
        where = f"the network file of {self._network.name}: uniswap_v3"
        return tuple(f"{where}.{fault}: no sale or purchase will work; correct it" for fault in faults)

    async def _with_seats(self, block: BlockRef, known: Known, positions: Sequence[Position]) -> Known:
        seats, lost = dict(known.seats), dict(known.lost)
        for position in positions:
            if position.name in seats or position.name in lost:
                continue
            try:
                seats[position.name] = await self._blocks.discover(block, discover_seat(self._network, position))
            except ReadFailedError as error:
                lost[position.name] = error
        return known if (seats, lost) == (known.seats, known.lost) else replace(known, seats=seats, lost=lost)

    def _scope(self, market: Market, name: str) -> Discovery[Scope]:
        position = self._positions[name]
        return aave_v3.discover_scope(market, position.owner, [position.spender], self._named.get(name, []))

    async def _pools(
        self, block: BlockRef, known: Known
    ) -> tuple[tuple[uniswap_v3.Pool, ...], tuple[uniswap_v3.Reference, ...], tuple[Address, ...]]:
        where, market, used = self.uniswap, known.market, list(known.used)
        listed = {x.asset: x for x in market.listings}
        if where is None or not used:
            return (), (), ()
        dollar = await self._blocks.read(block, aave_v3.dollar_probe(market))
        hub = [h for h in (self._network.wrapped_native, dollar) if h in listed]
        search = uniswap_v3.discover_pools(where, [*used, *hub], self._network.twap_window_s)
        pools = await self._blocks.discover(block, search)
        found = [
            uniswap_v3.reference_for(asset, [*used, *hub], pools, lambda a: listed[a].decimals)
            for asset in used
            if not self._network.asset(listed[asset].symbol, asset).second_feed
        ]
        return pools, tuple(r for r in found if r), tuple(hub)
