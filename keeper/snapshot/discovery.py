"""What is found out once and not at every block: the market, the reserves positions use, the pools between them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from keeper.chain.blocks import Blocks
from keeper.core.book.position import Book
from keeper.core.family import Family
from keeper.core.lending.rules import Rule
from keeper.core.names import unclear
from keeper.core.prices import Doubt
from keeper.core.reasons import Reason
from keeper.core.snapshot import BlockRef
from keeper.core.units import Address
from keeper.settings.model import Network, Position
from keeper.snapshot.backing import Backed, discover_backing
from keeper.snapshot.price_port import origins
from keeper.venues.contracts import erc20
from keeper.venues.contracts.savings import discover_saver
from keeper.venues.feeds import rounds
from keeper.venues.ports import (
    Discovery,
    Exchange,
    Lender,
    LendingAccount,
    LendingMarket,
    Listed,
    PerpAccount,
    PoolReference,
    Pools,
    ReadFailedError,
    Saver,
    VenueTable,
    joined,
)
from keeper.venues.registry import VENUES, exchange_of, find_account, find_market, lender_of


class AmbiguousNameError(Exception):
    """Settings call an asset by a symbol that several have: which is meant is for the owner to say."""

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = tuple(faults)


@dataclass(frozen=True, slots=True)
class Known:
    """What discovery found: it changes when a reserve is listed or a position uses another one."""

    markets: dict[str, LendingMarket]
    """Lending markets by the names of their tables: those that positions are in, else the first that there is."""
    accounts: dict[str, LendingAccount]
    """Of every lending position that was looked at closely."""
    perp_accounts: dict[str, PerpAccount]
    """Perpetual positions: which venue, which reads."""
    lost: dict[str, ReadFailedError]
    """Positions that could not be found, and why: they are reported as unreadable until the next discovery."""
    pools: Mapping[str, Pools]
    """By the name of the exchange."""
    references: tuple[PoolReference, ...]
    hubs: tuple[Address, ...]
    """Where trades without a pool of their own meet: the wrapped native token and the market's deepest dollar."""
    flaws: tuple[str, ...] = ()
    """What is wrong in the network file and does not blind: with it, something cannot be done."""
    native_symbol: str = "native"
    """What the chain's native currency is called when it is wrapped."""
    native_pool: PoolReference | None = None
    """Pools that give its price, where neither a market nor a feed does."""
    savers: dict[str, dict[Address, Saver]] = field(default_factory=dict)
    """Where the savings of a position's signer are, by position and token: those that can help this position."""
    used: dict[Address, Listed] = field(default_factory=dict)
    """The assets that matter to any of these positions, by asset."""
    backed: dict[Address, Backed] = field(default_factory=dict)
    """What the used assets stand for, where the network file says it."""

    @property
    def listings(self) -> dict[Address, Listed]:
        """Every asset of every market, the first market's words first."""
        return {x.asset: x for market in reversed(self.markets.values()) for x in market.listings}

    @property
    def governed_by(self) -> tuple[Address, ...]:
        """Contracts that emit nothing but what changed in a market."""
        return tuple(dict.fromkeys(contract for market in self.markets.values() for contract in market.governed_by))

    def lists(self, asset: Address) -> LendingMarket | None:
        """Return the first market that lists an asset."""
        return next((m for m in self.markets.values() if any(x.asset == asset for x in m.listings)), None)


MOST_LISTED = 32
"""Assets of a market that are read for a position whose rule may swap into any of them; others have to be named."""


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
        self.exchanges: Mapping[str, Exchange] = {t.name: exchange_of(t) for t in network.exchanges}
        """Where swaps go, by name."""
        self.lenders: Mapping[str, Lender] = {t.name: lender_of(t) for t in network.lenders}
        """Who lends within one transaction, by name."""
        self._named, self._given = dict[str, list[str]](), dict[str, str]()
        self._anything = set[str]()
        """Positions that a rule may swap into whatever their market lists."""
        for rule in rules:
            for name in (*rule.into, *((rule.target.of.symbol,) if rule.target and rule.target.of.symbol else ())):
                self._named.setdefault(rule.position, []).append(name)
                self._given[f"rule {rule.name!r} of {rule.position!r}: into or restore.asset, {name}"] = name
            if rule.rearranges and not rule.into:
                self._anything.add(rule.position)
            if symbol := rule.trigger.of.symbol:
                self._named.setdefault(rule.position, []).append(symbol)
                self._given[f"rule {rule.name!r} of {rule.position!r}: when.{rule.trigger.metric.named}"] = symbol
        self._given |= {f"network file: price_safety.assets.{name}": name for name in network.assets}
        self._given |= {
            f"network file: price_safety.assets.{name}.backed_by": safety.backed_by
            for name, safety in network.assets.items()
            if safety.backed_by is not None
        }
        self._given |= {f"book {book.name!r}: follows": name for book in books for name in book.follows}

    async def discover(self, block: BlockRef, names: Iterable[str], *, is_first: bool = True) -> Known:
        """Find everything, and what these positions use. Raises NodeError, ReadFailedError.

        The first time AmbiguousNameError where settings use a symbol that several assets have. Later on, where another
        is listed while the keeper runs, what was said by that symbol holds for none of them, and its rules say so.
        """
        markets = await self._markets(block)
        known = Known(markets, {}, {}, {}, {}, (), ())
        known = replace(known, markets={name: self._in_dollars(known, market) for name, market in markets.items()})
        known = replace(known, native_symbol=await self._native_symbol(block, known))
        if is_first and (faults := unclear(self._given, known.listings.values())):
            raise AmbiguousNameError(faults)
        return await self._with_native_pool(block, await self.extended(block, known, names))

    async def _with_native_pool(self, block: BlockRef, known: Known) -> Known:
        """Return what is known with the pools that say what the native currency costs, where nobody else does.

        They are between it and the collateral of perpetual positions, whose venues say what that is worth.
        """
        native = self._network.wrapped_native
        paid_in = dict.fromkeys(account.collateral for account in known.perp_accounts.values())
        others = [asset for asset in paid_in if asset != native]
        if not others or not self.exchanges or next(origins(self._network, known, native), None) is not None:
            return known
        assets, window_s = [native, *others], self._network.twap_window_s
        try:
            decimals = {asset: await self._blocks.read(block, erc20.decimals_probe(asset)) for asset in assets}
            found = [e.find_pools(assets, window_s) for e in self.exchanges.values()]
            pools = [await self._blocks.discover(block, each) for each in found]
        except ReadFailedError:
            return known  # without them the price of gas is not known; everything else is
        return replace(known, native_pool=_deepest(native, others, pools, decimals.__getitem__))

    async def _native_symbol(self, block: BlockRef, known: Known) -> str:
        wrapped = self._network.wrapped_native
        if listed := known.listings.get(wrapped):
            return listed.symbol
        return await self._blocks.read(block, erc20.symbol_probe(wrapped)) or "native"

    def _tables(self) -> list[VenueTable]:
        """Return the markets that positions are in; where they are in none, the first: it has prices all the same."""
        lent = [p for p in self._positions.values() if p.family is Family.LENDING]
        found = {table.name: table for p in lent if (table := self._network.market_of(p)) is not None}
        return list(found.values()) or self._whole[:1]

    @property
    def _whole(self) -> list[VenueTable]:
        """The tables that are of one market each."""
        return [table for table in self._network.markets if not VENUES[table.venue].has_parts]

    async def _markets(self, block: BlockRef) -> dict[str, LendingMarket]:
        """Find the markets, and where none of them counts in dollars one more that does: what their money is worth.

        Raises NodeError, ReadFailedError.
        """
        found = {table.name: await self._market(block, table) for table in self._tables()}
        if any(market.counts_in is None for market in found.values()):
            return found
        for table in self._whole if found else ():
            with contextlib.suppress(ReadFailedError):  # nobody is in it: it must not blind who is elsewhere
                market = await self._market(block, table)
                if market.counts_in is None:
                    return {**found, table.name: market}
        return found

    def _in_dollars(self, known: Known, market: LendingMarket) -> LendingMarket:
        """Return a market with whoever says what its money is worth, where it does not count in dollars."""
        money = market.counts_in
        return market if money is None else market.with_dollars(joined(list(origins(self._network, known, money))))

    async def extended(self, block: BlockRef, known: Known, names: Iterable[str]) -> Known:
        """Return what is known with what more positions use; pools are looked for where they use something new."""
        missing = [self._positions[n] for n in names if n not in known.accounts]
        known = await self._with_perp_accounts(block, known, [p for p in missing if p.family is Family.PERP])
        known = self._without_market(known, [p for p in missing if p.family is Family.LENDING])
        new = [p.name for p in missing if p.family is Family.LENDING and p.name not in known.lost]
        if not new:
            return known
        known = await self._with_savers(block, known, new)
        found = await self._blocks.discover_all(block, [self._account(known, name) for name in new])
        used = known.used | {x.asset: x for account in found for x in account.listings}
        more = replace(known, accounts={**known.accounts, **dict(zip(new, found, strict=True))}, used=used)
        if known.accounts and used.keys() == known.used.keys():
            return more
        backed, wrong = await self._blocks.discover(block, discover_backing(self._network, used, known.listings))
        more = replace(more, flaws=(*more.flaws, *await self._flaws(block)), backed=backed)
        try:
            pools, references, hubs = await self._pools(block, more)
        except ReadFailedError:
            if not more.flaws:
                raise
            return replace(more, flaws=(*more.flaws, *wrong))
        return replace(more, pools=pools, references=references, hubs=hubs, flaws=(*more.flaws, *wrong))

    async def _with_savers(self, block: BlockRef, known: Known, names: Sequence[str]) -> Known:
        """Return what is known with where the signers of these positions have savings, and what is none said.

        A supply in the very market and account of the position is no saving: it is its collateral.
        """
        savers, flaws = dict(known.savers), list[str]()
        for name in names:
            position = self._positions[name]
            tokens = position.signer.savings if position.signer else ()
            found = [await self._blocks.discover(block, discover_saver(token)) for token in tokens]
            market, mine = self._market_of(known, name), dict[Address, Saver]()
            for token, saver in zip(tokens, found, strict=True):
                own = token in market.receipts and position.spender == position.owner
                if saver is None or own or all(x.asset != saver.asset for x in market.listings):
                    what = "is the position's own collateral" if own else "is no savings in an asset of the market"
                    flaws.append(f"savings {token} of {position.spender}: {what}; it helps {name!r} in nothing")
                else:
                    mine[token] = saver
            savers[name] = mine
        return replace(known, savers=savers, flaws=(*known.flaws, *dict.fromkeys(flaws)))

    def _market_of(self, known: Known, name: str) -> LendingMarket:
        table = self._network.market_of(self._positions[name])
        assert table is not None  # noqa: S101 - who has none is lost
        return known.markets[table.name]

    async def _market(self, block: BlockRef, table: VenueTable) -> LendingMarket:
        """Find a lending market and the feeds behind its prices. Raises ReadFailedError: which address to correct."""
        network = self._network
        try:
            market = await self._blocks.discover(block, find_market(network, table))
        except ReadFailedError as error:
            where = f"the network file of {network.name}: {table}"
            detail = f"{where} is not one of this chain ({error.doubt.detail}); correct it"
            raise ReadFailedError(Doubt(Reason.POSITION_UNREADABLE, detail)) from None
        listed = market.listings
        feeds = await self._blocks.discover(block, rounds.discover_feeds([x.source for x in listed]))
        given = {x.asset: network.asset(x.symbol, x.asset) for x in listed}
        return market.with_feeds(
            {x.asset: given[x.asset].feed or feeds.get(x.source) for x in listed},
            {x.asset: given[x.asset].heartbeat_s or network.default_heartbeat_s for x in listed},
        )

    def _without_market(self, known: Known, positions: Sequence[Position]) -> Known:
        """Return what is known with the positions whose market the network file does not name, as lost."""
        lost = dict(known.lost)
        for position in positions:
            table = self._network.market_of(position)
            if table is None or table.name not in known.markets:
                what = f"{self._network.name} names no market {position.market or ''} of {position.venue}"
                lost[position.name] = ReadFailedError(Doubt(Reason.POSITION_UNREADABLE, what))
        return known if lost == known.lost else replace(known, lost=lost)

    async def _flaws(self, block: BlockRef) -> tuple[str, ...]:
        """Find what is wrong with the places of swaps: without them everything else still is kept."""
        found = list[str]()
        for table in self._network.exchanges:
            where = f"the network file of {self._network.name}: {table.place}"
            faults = await self._blocks.discover(block, self.exchanges[table.name].find_faults())
            found += [f"{where}.{fault}: no sale or purchase will work there; correct it" for fault in faults]
        for table in self._network.lenders:
            where = f"the network file of {self._network.name}: {table.place}"
            faults = await self._blocks.discover(block, self.lenders[table.name].find_faults())
            found += [f"{where}.{fault}: no rescue in one transaction will work; correct it" for fault in faults]
        return tuple(found)

    async def _with_perp_accounts(self, block: BlockRef, known: Known, positions: Sequence[Position]) -> Known:
        found, lost = dict(known.perp_accounts), dict(known.lost)
        for position in positions:
            if position.name in found or position.name in lost:
                continue
            try:
                found[position.name] = await self._blocks.discover(block, find_account(self._network, position))
            except ReadFailedError as error:
                lost[position.name] = error
        is_same = (found, lost) == (known.perp_accounts, known.lost)
        return known if is_same else replace(known, perp_accounts=found, lost=lost)

    def _account(self, known: Known, name: str) -> Discovery[LendingAccount]:
        position, market = self._positions[name], self._market_of(known, name)
        listed = [x.asset for x in market.listings[:MOST_LISTED]] if name in self._anything else []
        saved = [saver.asset for saver in known.savers.get(name, {}).values()]
        return market.find_account(position.owner, [position.spender], [*self._named.get(name, []), *listed, *saved])

    async def _pools(
        self, block: BlockRef, known: Known
    ) -> tuple[dict[str, Pools], tuple[PoolReference, ...], tuple[Address, ...]]:
        listed, used = known.listings, list(known.used)
        if not self.exchanges or not used:
            return {}, (), ()
        dollars = [await self._blocks.read(block, market.dollar_probe()) for market in known.markets.values()]
        hub = list(dict.fromkeys(h for h in (self._network.wrapped_native, *dollars) if h in listed))
        assets, window_s = [*used, *hub], self._network.twap_window_s
        pools = {
            name: await self._blocks.discover(block, exchange.find_pools(assets, window_s))
            for name, exchange in self.exchanges.items()
        }
        unsure = [a for a in used if not self._network.asset(listed[a].symbol, a).second_feed]
        found = [_reference(asset, assets, pools.values(), listed) for asset in unsure]
        return pools, tuple(r for r in found if r), tuple(hub)


def _reference(
    asset: Address, others: Sequence[Address], pools: Iterable[Pools], listed: Mapping[Address, Listed]
) -> PoolReference | None:
    """Return the deepest reference for an asset's price at any exchange; None when there is none."""
    return _deepest(asset, others, pools, lambda a: listed[a].decimals)


def _deepest(
    asset: Address, others: Sequence[Address], pools: Iterable[Pools], decimals: Callable[[Address], int]
) -> PoolReference | None:
    found = [p.reference(asset, others, decimals) for p in pools]
    return max((r for r in found if r is not None), key=lambda r: r.depth, default=None)
