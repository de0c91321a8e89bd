"""What is read at each block: everything that matters to each position, in one eth_call (in several, where it is much).

What does not change from block to block is found out once, and anew off the path when the market changes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from keeper.chain.blocks import Blocks
from keeper.chain.chunks import Bundle
from keeper.chain.errors import NodeError
from keeper.core.book.position import Book
from keeper.core.lending.moves import MARKET, Route
from keeper.core.lending.plan import Allowances
from keeper.core.lending.quotes import Quote, QuoteRequest, Quotes, sizes
from keeper.core.lending.rules import Rule
from keeper.core.prices import Doubt
from keeper.core.reasons import Reason
from keeper.core.snapshot import BlockRef, LendingPosition, Snapshot, Unreadable
from keeper.core.units import Address, Amount, Bps
from keeper.settings.model import Network, Position
from keeper.snapshot.discovery import Known, Survey
from keeper.snapshot.layout import Page, PageSeen
from keeper.snapshot.market_events import MarketChanges
from keeper.snapshot.second_reader import Calm, SecondLook, Warn
from keeper.venues.contracts import erc20
from keeper.venues.ports import (
    Account,
    Answer,
    Chronicle,
    Exchange,
    Lender,
    LendingAccount,
    PerpAccount,
    Pools,
    Probe,
    Read,
    ReadFailedError,
    joined,
)
from keeper.venues.registry import VENUES

if TYPE_CHECKING:
    from keeper.snapshot.screening import Fleet

T = TypeVar("T")
AT_A_TIME = 100
"""Positions of a fleet whose reserves are found at once: of so few at the start, of more in the background."""
NEAR = Bps(300)
ALL_CLOSE = 24
"""Up to so many positions each is read in full at each block; of more, those that need it (``afar``)."""


class Watch:
    """Reads positions, wallets, prices and doubts of one network. ``near`` is how close to a trigger is close."""

    def __init__(
        self,
        blocks: Blocks,
        network: Network,
        positions: Sequence[Position],
        rules: Sequence[Rule],
        books: Sequence[Book] = (),
        near: Bps = NEAR,
        all_close: int = ALL_CLOSE,
        heard: tuple[Warn, Calm] = (lambda *_: None, lambda *_: None),
    ) -> None:
        self.blocks = blocks
        self.network = network
        self.positions = {p.name: p for p in positions}
        self.also: tuple[Read, ...] = ()
        """What armed plans want read with everything else: quotes and allowances they rest on."""
        self._rules, self._near = tuple(rules), near
        self._second = SecondLook(blocks, network.block_time_s, *heard)
        self._wallets = tuple(dict.fromkeys(wallet for book in books for wallet in book.wallets))
        """Wallets of books: read beside those that spend."""
        in_books = {name for book in books for name in (*book.positions, *book.hedges)}
        self._pinned = [p for p in positions if not VENUES[p.venue].is_screened or p.name in in_books]
        """Positions that are always read in full."""
        self._survey = Survey(blocks, network, positions, rules, books)
        self._signers = tuple(dict.fromkeys(p.spender for p in positions if p.signer))
        self._known: Known | None = None
        self._is_outdated = False
        self._renewal: asyncio.Task[None] | None = None
        self._changes: MarketChanges | None = None
        self._page: Page | None = None
        self._joined = Bundle(())
        self._apart: Bundle | None = None
        """The page's own reads, where they and the fleet's figures do not go into one call."""
        self._fleet: Fleet | None = None
        self._glance = Bundle(())
        pinned = {p.name for p in self._pinned}
        self._ships = [p for p in positions if p.name not in pinned] if len(positions) > all_close else []
        """Positions that are judged from afar, where there are many."""
        if self._ships:
            self._begin_fleet()

    @property
    def known(self) -> Known:
        """What discovery found. Raises RuntimeError before the first snapshot."""
        if self._known is None:
            raise RuntimeError("take a snapshot first")
        return self._known

    @property
    def exchanges(self) -> Mapping[str, Exchange]:
        """Where swaps go, by name: those that the network file has tables of."""
        return self._survey.exchanges

    @property
    def lenders(self) -> Mapping[str, Lender]:
        """Who lends within one transaction, by name."""
        return self._survey.lenders

    def forget(self) -> None:
        """Discover anew, off the path, from the next snapshot on: the market, its feeds or pools may have changed."""
        self._is_outdated = True
        self.blocks.caps.relax()

    def listen(self) -> None:
        """From now on find out anew what the market says has changed."""
        self._changes = self._changes or MarketChanges(self.blocks, self.forget)

    def follow(self, rules: tuple[Rule, ...]) -> None:
        """Judge from afar by these rules from now on."""
        if self._fleet is not None:
            self._fleet.follow(rules)

    def keep_close(self, names: Iterable[str]) -> None:
        """Read these positions in full at the next block as well, whatever their figures say."""
        if self._fleet is not None:
            self._fleet.keep(names)

    def compare_first(self, names: Iterable[str]) -> None:
        """Have another node's word on these positions at the next block, whatever else it is asked."""
        self._second.near(names)

    async def close(self) -> None:
        """Stop what goes on in the background."""
        if self._changes is not None:
            await self._changes.close()
        if self._renewal is not None:
            self._renewal.cancel()
            await asyncio.wait([self._renewal])

    async def snapshot(self, block: BlockRef) -> Snapshot:
        """Return everything at one block, in one read; a second one when a position uses something new, or came near.

        Raises NodeError, ReadFailedError.
        """
        close = self._close()
        known = await self._known_for(block, close)
        if self._changes is not None:
            self._changes.saw(block, known.governed_by)
        seen, figures = await self._read(block, known, close)
        if seen.outdated:
            if seen.outdated != seen.moved:
                known = await self._discover(block, close)
            seen, figures = await self._read(block, known, close)
        return await self._complete(block, close, seen, figures)

    async def head(self) -> BlockRef:
        """Return the newest block. Raises NodeError."""
        return await self.blocks.head()

    async def read(self, block: BlockRef, probe: Probe[T]) -> T:
        """Return what a probe finds at a block. Raises NodeError, ReadFailedError."""
        return await self.blocks.read(block, probe)

    async def confirmed(self, block: BlockRef, probe: Probe[T]) -> T:
        """Return what a probe finds when no other node says otherwise. Raises NodesDisagreeError, NodeError."""
        return await self.blocks.confirmed(block, probe)

    async def answers(self, block: BlockRef, reads: Sequence[Read]) -> list[Answer]:
        """Return the answers to reads at a block. Raises NodeError."""
        return await self.blocks.answers(block, reads)

    async def code(self, block: BlockRef, address: Address) -> bytes:
        """Return an account's code at a block. Raises NodeError."""
        return await self.blocks.code(block, address)

    async def quotes(self, block: BlockRef, requests: Iterable[QuoteRequest]) -> Quotes:
        """Return what the pools would charge, at several sizes and by every route."""
        if not self.exchanges:
            return Quotes()
        return Quotes(await self.blocks.read(block, self.quote_probe(requests)))

    def quote_probe(self, requests: Iterable[QuoteRequest]) -> Probe[tuple[Quote, ...]]:
        """Return what to ask the pools of every exchange; nothing where the network file names none."""
        wanted, pools = list(requests), self.known.pools
        each = joined(
            [self.exchanges[name].quote_probe(list(self._asked(found, wanted))) for name, found in pools.items()]
        )
        return Probe(each.reads, lambda answers: tuple(quote for found in each.decode(answers) for quote in found))

    def _asked(self, pools: Pools, requests: Iterable[QuoteRequest]) -> Iterator[tuple[QuoteRequest, Route]]:
        for request in requests:
            routes = pools.routes(request.sell, request.buy, self.known.hubs)
            yield from ((size, route) for size in sizes(request) for route in routes)

    async def allowances(self, block: BlockRef, name: str, spender: Address, assets: Iterable[Address]) -> Allowances:
        """Return what a wallet has approved already: to the market of a position, to exchanges, and to lenders.

        Lenders take what stands for a supply of the asset.
        """
        market, wanted = self.account(name).market, list(assets)
        whom = {x.name: x.spender for x in self.exchanges.values()}
        probes = {(a, role): erc20.allowance_probe(spender, a, at) for a in wanted for role, at in whom.items()}
        probes |= {(a, MARKET): erc20.allowance_probe(spender, a, market.taker_of(a)) for a in wanted}
        for lender in self.lenders.values():
            taker = lender.spender
            if taker is not None and lender.serves(market):
                standing = {asset: token for token, asset in market.receipts.items() if asset in wanted}
                probes |= {
                    (a, lender.name): erc20.allowance_probe(spender, token, taker) for a, token in standing.items()
                }
            agent = lender.agent(market)
            if agent is not None and market.agency is not None:
                probes |= {(a, lender.name): market.agency.standing_probe(spender, agent) for a in wanted}
        found: tuple[Amount, ...] = await self.blocks.read(block, joined(list(probes.values())))
        return dict(zip(probes, found, strict=True))

    def position_probe(self, name: str, block: BlockRef) -> Probe[LendingPosition]:
        """Return the probe of one position alone, as rehearsal and verification use it."""
        return self.account(name).probe(name, block)

    async def find(self, name: str, block: BlockRef) -> None:
        """Find out what one position uses, where that is not known yet. Raises NodeError, ReadFailedError."""
        await self._known_for(block, [self.positions[name]])

    async def find_anew(self, name: str, block: BlockRef) -> None:
        """Find out what one position uses by now. Raises NodeError, ReadFailedError."""
        rest = {other: account for other, account in self.known.accounts.items() if other != name}
        self._known = await self._survey.extended(block, replace(self.known, accounts=rest), [name])

    def account(self, name: str) -> LendingAccount:
        """Return the account of a lending position. Raises ReadFailedError when it was not found."""
        if name in self.known.accounts:
            return self.known.accounts[name]
        raise self.known.lost.get(name) or ReadFailedError(Doubt(Reason.POSITION_UNREADABLE, f"{name} was not found"))

    def chronicle(self, name: str) -> Chronicle:
        """Return what reads the logs about a position, whatever its kind. Raises KeyError, ReadFailedError."""
        return self.any_account(name).chronicle

    def any_account(self, name: str) -> Account[Any]:
        """Return the account of a position, of whatever kind. Raises ReadFailedError when it was not found."""
        return self.perp_account(name) if name in self.known.perp_accounts else self.account(name)

    def perp_account(self, name: str) -> PerpAccount:
        """Return the account of a perpetual position. Raises KeyError when it was not found."""
        return self.known.perp_accounts[name]

    # --- one block ---------------------------------------------------------------------------------------------------

    async def _read(self, block: BlockRef, known: Known, close: Sequence[Position]) -> tuple[PageSeen, list[Answer]]:
        """Return what is seen of positions closely, and the figures of the whole fleet where there is one."""
        page = self._page
        if page is None or not page.fits(block, known, close, self.also):
            page = self._page = self._page_of(block, known, close)
            self._joined = Bundle((*page.reads, *self._glance.reads))
            self._apart = None if self.blocks.is_one_call(self._joined) else Bundle(page.reads)
        look = self._second.begin(block, page, self._glance)
        if self._apart is None:
            answers = await self.blocks.answers(block, self._joined)
            closely, figures = answers[: len(page.reads)], answers[len(page.reads) :]
        else:
            closely, figures = await asyncio.gather(
                self.blocks.answers(block, self._apart), self.blocks.answers(block, self._glance)
            )
        seen = page.decode(block, closely)
        if look is not None:
            seen = replace(seen, otherwise=await self._second.compared(look, block, page, closely, figures))
        return seen, figures

    async def _complete(
        self, block: BlockRef, close: Sequence[Position], seen: PageSeen, figures: Sequence[Answer]
    ) -> Snapshot:
        """Return the snapshot, after reading those in full whose figures say that a rule may fire."""
        found, fleet, afar = dict(seen.positions), self._fleet, frozenset[str]()
        lendable, loan_fees, safes = dict(seen.lendable), dict(seen.loan_fees), dict(seen.safes)
        more, wallets, seconds, backings = seen, dict(seen.wallets), dict(seen.seconds), dict(seen.backings)
        if fleet is not None:
            sight = fleet.look(figures, seen.prices)
            listed = self._ships
            for i in sight.unreadable:
                found.setdefault(listed[i].name, _without_figures(listed[i]))
            late = [listed[i] for i in sight.may_fire if listed[i].name not in found]
            if late:
                more = await self._look_closely(block, late)
                found |= more.positions
                wallets |= more.wallets
                seconds |= more.seconds
                backings |= more.backings
                safes |= more.safes
                lendable = {name: {**lendable.get(name, {}), **there} for name, there in more.lendable.items()}
                loan_fees = {name: {**loan_fees.get(name, {}), **fees} for name, fees in more.loan_fees.items()}
            afar = frozenset(self.positions.keys() - found.keys())
        return Snapshot(
            block=block,
            positions=tuple(found[name] for name in self.positions if name in found),
            wallets=wallets,
            seconds=seconds,
            sequencer=seen.sequencer,
            native_price=seen.native_price,
            assets=seen.assets,
            afar=afar,
            also=seen.also,
            otherwise=seen.otherwise,
            backings=backings,
            lendable=lendable,
            loan_fees=loan_fees,
            safes=safes,
        )

    async def _look_closely(self, block: BlockRef, positions: Sequence[Position]) -> PageSeen:
        """Read positions in full that came near since the block before."""
        known = await self._known_for(block, positions)
        page = Page(self.network, known, positions, block, lenders=self.lenders.values())
        seen = page.decode(block, await self.blocks.answers(block, page.reads))
        if seen.outdated:
            known = await self._discover(block, [*positions, *(self._page.positions if self._page else ())])
            page = Page(self.network, known, positions, block, lenders=self.lenders.values())
            seen = page.decode(block, await self.blocks.answers(block, page.reads))
        return seen

    # --- what is close -----------------------------------------------------------------------------------------------

    def _begin_fleet(self) -> None:
        from keeper.snapshot.screening import Fleet  # noqa: PLC0415 - numpy is for those who need it

        self._fleet = Fleet([p.name for p in self._ships], self._rules, self._near / 10_000)

    def _close(self) -> list[Position]:
        if self._fleet is None:
            return list(self.positions.values())
        return [
            *self._pinned,
            *(self._ships[i] for i in self._fleet.close(self._known.accounts if self._known else ())),
        ]

    def _page_of(self, block: BlockRef, known: Known, close: Sequence[Position]) -> Page:
        symbols = self._fleet.symbols if self._fleet else ()
        return Page(
            self.network, known, close, block, self._signers, self._wallets, self.also, symbols, self.lenders.values()
        )

    # --- discovery ---------------------------------------------------------------------------------------------------

    async def _known_for(self, block: BlockRef, positions: Sequence[Position]) -> Known:
        """Return what is known, of these positions too. What may be outdated serves until it is found anew."""
        if self._known is None:
            few = self._ships if len(self._ships) <= AT_A_TIME else []
            known = await self._discover(block, [*positions, *few])
        else:
            known = self._known = await self._survey.extended(block, self._known, [p.name for p in positions])
        if self._renewal is None or self._renewal.done():
            rest = [p.name for p in self._ships if p.name not in known.accounts and p.name not in known.lost]
            if self._is_outdated or rest:
                self._renewal = asyncio.create_task(self._renew(block, positions, rest))
        return known

    async def _discover(self, block: BlockRef, positions: Sequence[Position]) -> Known:
        names, is_first = dict.fromkeys(p.name for p in positions), self._known is None
        known = self._known = await self._survey.discover(block, names, is_first=is_first)
        self._is_outdated = False
        if self._fleet is not None:
            self._glance = Bundle([self._figures_read(known, p) for p in self._ships])
        return known

    def _figures_read(self, known: Known, position: Position) -> Read:
        table = self.network.market_of(position)
        read = known.markets[table.name].figures_read(position.owner) if table and table.name in known.markets else None
        return read or Read(position.owner, b"")  # which answers no figures: unreadable

    async def _renew(self, block: BlockRef, positions: Sequence[Position], rest: Sequence[str]) -> None:
        """Off the path: find the market anew where it may have changed, then what the rest of a fleet uses."""
        try:
            known = await self._discover(block, positions) if self._is_outdated else self.known
            for i in range(0, len(rest), AT_A_TIME):
                known = await self._survey.extended(block, self.known, rest[i : i + AT_A_TIME])
                self._known = known
        except (NodeError, ReadFailedError):
            return  # the next block tries again


def _without_figures(position: Position) -> Unreadable:
    doubt = Doubt(Reason.POSITION_UNREADABLE, "getUserAccountData reverted or is not there")
    return Unreadable(position.name, position.owner, doubt)
