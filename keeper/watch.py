"""What is read at each block: finds out once what matters to each position, then asks for all of it in one read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from keeper.chain.blocks import Blocks
from keeper.core.margins import PerpPosition
from keeper.core.moves import Spender
from keeper.core.planning import Allowances
from keeper.core.positions import BlockRef, LendingPosition, Listed, Snapshot, Unreadable, Wallet
from keeper.core.prices import Doubt, SecondPrice
from keeper.core.quotes import QuoteRequest, Quotes, sizes
from keeper.core.reasons import Reason
from keeper.core.rules import Rule
from keeper.core.units import Address
from keeper.seats import discover_seat
from keeper.settings.model import Network, Position
from keeper.venues import aave_v3, chainlink, erc20, uniswap_v3
from keeper.venues.aave_v3 import FeedRound, Market, Scope
from keeper.venues.ports import (
    Answer,
    OrderBook,
    OrderOutcome,
    PerpSeat,
    PricesMovedError,
    Probe,
    Read,
    ReadFailedError,
    ScopeOutdatedError,
)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Known:
    """What discovery found: it changes when a reserve is listed or a position uses another one."""

    market: Market
    scopes: dict[str, Scope]
    seats: dict[str, PerpSeat]
    """Perpetual positions: which venue, which reads."""
    lost: dict[str, ReadFailedError]
    """Positions that could not be found, and why: they are told as unreadable until the next discovery."""
    pools: tuple[uniswap_v3.Pool, ...]
    references: tuple[uniswap_v3.Reference, ...]
    hubs: tuple[Address, ...]
    """Where trades without a pool of their own meet: the wrapped native token and the market's deepest dollar."""


class Watch:
    """Reads positions, wallets, prices and doubts of one network."""

    def __init__(
        self,
        blocks: Blocks,
        network: Network,
        positions: Sequence[Position],
        rules: Sequence[Rule],
        wallets: Sequence[Address] = (),
    ) -> None:
        self.blocks = blocks
        self.network = network
        self.positions = {p.name: p for p in positions}
        self._named = {p.name: [r.trigger.asset for r in rules if r.position == p.name] for p in positions}
        self._wallets = tuple(wallets)
        """Wallets of books: read beside those that spend."""
        self.also: tuple[Read, ...] = ()
        """What armed plans want read with everything else: quotes and allowances they rest on."""
        self._moved: set[str] = set()
        """Positions of which nothing is outdated but the prices their venue was asked with."""
        self._known: Known | None = None
        self._is_outdated = False

    @property
    def known(self) -> Known:
        """What discovery found. Raises RuntimeError before the first snapshot."""
        if self._known is None:
            raise RuntimeError("take a snapshot first")
        return self._known

    @property
    def uniswap(self) -> uniswap_v3.Deployment | None:
        """Where swaps go, None when the network file names no Uniswap."""
        where = self.network.uniswap_v3
        if where is None:
            return None
        return uniswap_v3.Deployment(where.factory, where.quoter_v2, where.swap_router_02, where.fee_tiers)

    def forget(self) -> None:
        """Discover anew at the next snapshot: listings, feeds and pools change over months."""
        self._is_outdated = True

    async def snapshot(self, block: BlockRef) -> Snapshot:
        """Return everything at one block, in one read; a second one when a position uses something new."""
        known = self._known
        if known is None or self._is_outdated:
            known = await self._discover(block)
        snapshot, outdated = await self._read(block, known)
        if outdated:
            if outdated != self._moved:
                known = await self._discover(block)
            snapshot, outdated = await self._read(block, known)
        return snapshot

    async def quotes(self, block: BlockRef, requests: Iterable[QuoteRequest]) -> Quotes:
        """Return what the pools would charge, at several sizes and by every route."""
        where = self.uniswap
        if where is None:
            return Quotes()
        asked = [
            (size, route)
            for request in requests
            for size in sizes(request)
            for route in uniswap_v3.routes(self.known.pools, request.sell, request.buy, self.known.hubs)
        ]
        return Quotes(await self.blocks.read(block, uniswap_v3.quote_probe(where, asked)))

    async def allowances(self, block: BlockRef, spender: Address, assets: Iterable[Address]) -> Allowances:
        """Return what a wallet has approved already, to the market and to the router."""
        whom = {Spender.MARKET: self.known.market.pool}
        if self.uniswap:
            whom[Spender.ROUTER] = self.uniswap.router
        keys = [(asset, role) for asset in assets for role in whom]
        probes = [erc20.allowance_probe(spender, asset, whom[role]) for asset, role in keys]
        answers = await self.blocks.answers(block, [p.reads[0] for p in probes])
        return {key: p.decode([a]) for key, p, a in zip(keys, probes, answers, strict=True)}

    def position_probe(self, name: str, block: BlockRef) -> Probe[LendingPosition]:
        """Return the probe of one position alone, as rehearsal and verification use it."""
        return aave_v3.position_probe(self.known.market, self.known.scopes[name], name, block, {})

    def seat(self, name: str) -> PerpSeat:
        """Return the seat of a perpetual position. Raises KeyError when it was not found."""
        return self.known.seats[name]

    async def created_orders(self, name: str, hash_: str) -> tuple[str, ...]:
        """Return the keys of the orders that a mined transaction left with the venue. Raises NodeError."""
        book = self.seat(name).order_book
        found = await self.blocks.node.request("eth_getTransactionReceipt", hash_) if book else None
        return book.created(found.get("logs") or ()) if book and isinstance(found, dict) else ()

    async def order_outcomes(self, name: str, keys: Sequence[str], since: int) -> dict[str, OrderOutcome | None]:
        """Return what the venue's logs say of orders since a block, by key. Raises NodeError."""
        book: OrderBook | None = self.seat(name).order_book
        if book is None or not keys:
            return dict.fromkeys(keys)
        asked = {"fromBlock": hex(since), "toBlock": "latest", **book.filter(keys)}
        logs = await self.blocks.node.request("eth_getLogs", asked)
        return {key: book.outcome(key, logs if isinstance(logs, list) else ()) for key in keys}

    # --- one block ---------------------------------------------------------------------------------------------------

    async def _read(self, block: BlockRef, known: Known) -> tuple[Snapshot, set[str]]:
        """Return the snapshot, and the positions that have to be read anew; the empty name is new money."""
        sheet, network, market = Sheet(), self.network, known.market
        self._moved = set()
        rounds: dict[Address, FeedRound] = {}
        assets = {x.asset: x for scope in known.scopes.values() for x in scope.listings}
        feeds = {a: sheet.add(chainlink.round_probe(x.feed)) for a, x in assets.items() if x.feed}
        positions = {
            name: sheet.add(aave_v3.position_probe(market, scope, name, block, rounds))
            for name, scope in known.scopes.items()
        }
        seats = {name: sheet.add(seat.probe(name, block)) for name, seat in known.seats.items()}
        everything = list(
            dict.fromkeys([x.asset for x in market.listings] + [s.collateral for s in known.seats.values()])
        )
        spenders = dict.fromkeys([p.spender for p in self.positions.values()] + list(self._wallets))
        wallets = {s: sheet.add(erc20.wallet_probe(s, everything, network.multicall3)) for s in spenders}
        averages = [
            (r, sheet.add(uniswap_v3.average_probe(r, network.twap_window_s)), sheet.add(_price(market, r.quote)))
            for r in known.references
        ]
        seconds = [sheet.add(p) for p in self._second_feeds(assets.values())]
        sequencer = (
            sheet.add(chainlink.sequencer_probe(network.sequencer_feed, network.sequencer_grace_s))
            if network.sequencer_feed
            else None
        )
        native = sheet.add(_price(market, network.wrapped_native))
        listed = {x: sheet.add(_price(market, x.asset)) for x in market.listings} if self._wallets else {}
        also = {read: sheet.add(Probe((read,), lambda found: found[0])) for read in self.also}
        answers = await self.blocks.answers(block, sheet.reads)

        for asset, feed in feeds.items():
            found = feed.decode(answers)
            if found:
                rounds[asset] = FeedRound(found.round_id, found.updated_at)
        read: dict[str, LendingPosition | PerpPosition | Unreadable | None] = {}
        read |= {name: self._decoded(name, slot, answers) for name, slot in positions.items()}
        read |= {name: self._decoded(name, slot, answers) for name, slot in seats.items()}
        held = {s: Wallet(s, *slot.decode(answers)) for s, slot in wallets.items()}
        prices = [s.decode(answers) for s in seconds]
        prices += [average.decode(answers)(quote.decode(answers)) for _, average, quote in averages]
        snapshot = Snapshot(
            block=block,
            positions=tuple(self._seen(name, read, known) for name in self.positions),
            wallets=held,
            seconds={p.asset: p for p in prices},
            sequencer=sequencer.decode(answers) if sequencer else None,
            native_price=native.decode(answers),
            assets={x.asset: Listed(x.symbol, x.decimals, slot.decode(answers)) for x, slot in listed.items()},
            also={read: slot.decode(answers) for read, slot in also.items()},
        )
        new_money = any(
            asset not in {x.asset for x in scope.listings}
            for name, scope in known.scopes.items()
            for asset in held[self.positions[name].spender].tokens
            if any(asset == x.asset for x in market.listings)
        )
        outdated = {name for name, position in read.items() if position is None}
        return snapshot, outdated | ({""} if new_money else set())

    def _seen(
        self, name: str, found: Mapping[str, LendingPosition | PerpPosition | Unreadable | None], known: Known
    ) -> LendingPosition | PerpPosition | Unreadable:
        if name in known.lost:
            return Unreadable(name, self.positions[name].owner, known.lost[name].doubt)
        return found[name] or self._changing(name)

    def _decoded(
        self, name: str, slot: Slot[LendingPosition] | Slot[PerpPosition], answers: Sequence[Answer]
    ) -> LendingPosition | PerpPosition | Unreadable | None:
        """Return a position, why it cannot be read, or None when it must be discovered again."""
        try:
            return slot.decode(answers)
        except PricesMovedError:
            self._moved.add(name)
            return None
        except ScopeOutdatedError:
            return None
        except ReadFailedError as error:
            return Unreadable(name, self.positions[name].owner, error.doubt)

    def _changing(self, name: str) -> Unreadable:
        doubt = Doubt(Reason.POSITION_UNREADABLE, "the account's reserves changed while they were read")
        return Unreadable(name, self.positions[name].owner, doubt)

    def _second_feeds(self, listings: Iterable[aave_v3.Listing]) -> list[Probe[SecondPrice]]:
        named = [(x.asset, self.network.asset(x.symbol).second_feed) for x in listings]
        return [chainlink.second_feed_probe(asset, feed) for asset, feed in named if feed]

    # --- discovery ---------------------------------------------------------------------------------------------------

    async def _discover(self, block: BlockRef) -> Known:
        blocks, network = self.blocks, self.network
        market = await blocks.discover(block, aave_v3.discover_market(network.pool_addresses_provider))
        feeds = await blocks.discover(block, chainlink.discover_feeds([x.source for x in market.listings]))
        market = aave_v3.with_feeds(
            market,
            {x.asset: network.asset(x.symbol).feed or feeds.get(x.source) for x in market.listings},
            {x.asset: network.asset(x.symbol).heartbeat_s or network.default_heartbeat_s for x in market.listings},
        )
        scopes = {}
        seats, lost = dict[str, PerpSeat](), dict[str, ReadFailedError]()
        for name, position in self.positions.items():
            if position.is_perp:
                try:
                    seats[name] = await blocks.discover(block, discover_seat(network, position))
                except ReadFailedError as error:
                    lost[name] = error
                continue
            named = [symbol for symbol in self._named[name] if symbol]
            search = aave_v3.discover_scope(market, position.owner, [position.spender], named)
            scopes[name] = await blocks.discover(block, search)
        self._known = Known(market, scopes, seats, lost, *await self._discover_pools(block, market, scopes))
        self._is_outdated = False
        return self._known

    async def _discover_pools(
        self, block: BlockRef, market: Market, scopes: dict[str, Scope]
    ) -> tuple[tuple[uniswap_v3.Pool, ...], tuple[uniswap_v3.Reference, ...], tuple[Address, ...]]:
        where = self.uniswap
        used = list(dict.fromkeys(x.asset for scope in scopes.values() for x in scope.listings))
        listed = {x.asset: x for x in market.listings}
        if where is None or not used:
            return (), (), ()
        dollar = await self.blocks.read(block, aave_v3.dollar_probe(market))
        hub = [h for h in (self.network.wrapped_native, dollar) if h in listed]
        search = uniswap_v3.discover_pools(where, [*used, *hub], self.network.twap_window_s)
        pools = await self.blocks.discover(block, search)
        found = [
            uniswap_v3.reference_for(asset, [*used, *hub], pools, lambda a: listed[a].decimals)
            for asset in used
            if not self.network.asset(listed[asset].symbol).second_feed
        ]
        return pools, tuple(r for r in found if r), tuple(hub)


# --- one read of many probes -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Slot(Generic[T]):
    """Where a probe's answers are in the one read."""

    probe: Probe[T]
    places: tuple[int, ...]

    def decode(self, answers: Sequence[Answer]) -> T:
        """Return what the probe found. Raises as the probe does."""
        return self.probe.decode([answers[place] for place in self.places])


class Sheet:
    """Collects the reads of many probes, each asked once; every probe keeps its own places, so that one may fail alone.

    What positions share (a reserve's configuration, indices and price) is read once however many there are.
    """

    def __init__(self) -> None:
        self.reads: list[Read] = []
        self._places: dict[Read, int] = {}

    def add(self, probe: Probe[T]) -> Slot[T]:
        """Add a probe's reads and return where its answers will be."""
        return Slot(probe, tuple(self._place(read) for read in probe.reads))

    def _place(self, read: Read) -> int:
        place = self._places.setdefault(read, len(self.reads))
        if place == len(self.reads):
            self.reads.append(read)
        return place


def _price(market: Market, asset: Address) -> Probe[int]:
    """Return the probe of an asset's oracle price in base units, zero when the oracle does not know it."""
    read, function = aave_v3.price_read(market, asset)

    def decode(answers: Sequence[Answer]) -> int:
        found = function.decode_or_none(answers[0])
        return int(found[0]) if found else 0

    return Probe((read,), decode)
