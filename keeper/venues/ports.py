"""What a venue is: calls out, answers in, calldata out. No venue touches the network."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

from keeper.core.lending.moves import MarketMove, Route, Swap
from keeper.core.lending.position import Holding, LendingPosition
from keeper.core.lending.quotes import Quote, QuoteRequest
from keeper.core.occurrences import Occurrence
from keeper.core.perp.moves import PerpMove, TradeQuote
from keeper.core.perp.position import PerpPosition
from keeper.core.prices import Doubt, Quoted, SecondPrice
from keeper.core.reasons import Reason
from keeper.core.snapshot import BlockRef
from keeper.core.units import Address, Amount, Wei
from keeper.venues.effects import Call, Decoder

__all__ = [
    "AT_ONCE",
    "Account",
    "Answer",
    "AtOnce",
    "ByKeepers",
    "Call",
    "Chronicle",
    "Codes",
    "Discovery",
    "Exchange",
    "LendingAccount",
    "LendingMarket",
    "Listed",
    "OrderBook",
    "OrderOutcome",
    "OrderTrial",
    "PerpAccount",
    "PoolReference",
    "Pools",
    "PricesMovedError",
    "Probe",
    "Read",
    "ReadFailedError",
    "ScopeOutdatedError",
    "Settles",
    "VenueTable",
    "joined",
]

T = TypeVar("T")
P = TypeVar("P")


@dataclass(frozen=True, slots=True)
class Read:
    """One call to be answered at a block. ``gas`` is what it takes, roughly: it bounds how many go together."""

    to: Address
    data: bytes
    gas: int = field(default=10_000, compare=False)


Answer = bytes | None
"""What a read returned; None when it reverted or nothing lives at the address."""


@dataclass(frozen=True, slots=True)
class Probe(Generic[T]):
    """Reads that belong together, and what their answers mean. ``decode`` takes as many answers as there are reads."""

    reads: tuple[Read, ...]
    decode: Callable[[Sequence[Answer]], T]


Discovery = Generator[tuple[Read, ...], Sequence[Answer], T]
"""Reads in several rounds: yields reads, is sent their answers, returns what it found."""


class ReadFailedError(Exception):
    """An answer that a figure depends on is missing or makes no sense: the position is unknown, never healthy."""

    def __init__(self, doubt: Doubt) -> None:
        super().__init__(f"{doubt.reason.short}: {doubt.detail}")
        self.doubt = doubt


class ScopeOutdatedError(ReadFailedError):
    """The account uses something that was not read (a new reserve, another e-mode): discover it again."""

    def __init__(self) -> None:
        super().__init__(Doubt(Reason.POSITION_UNREADABLE, "the account uses what it did not use before; read again"))


class PricesMovedError(ScopeOutdatedError):
    """The figures were asked at prices that have moved since: read the block once more, with the new ones."""

    def __init__(self) -> None:
        what = "prices moved while the position was read; read again"
        ReadFailedError.__init__(self, Doubt(Reason.POSITION_UNREADABLE, what))


def joined(probes: Sequence[Probe[T]]) -> Probe[tuple[T, ...]]:
    """Return one probe that reads all and decodes each with its own answers."""
    ends = [0]
    for probe in probes:
        ends.append(ends[-1] + len(probe.reads))

    def decode(answers: Sequence[Answer]) -> tuple[T, ...]:
        return tuple(p.decode(answers[ends[i] : ends[i + 1]]) for i, p in enumerate(probes))

    return Probe(tuple(read for probe in probes for read in probe.reads), decode)


# --- assets and feeds ------------------------------------------------------------------------------------------------


class Listed(Protocol):
    """One asset of a market: what does not change from block to block."""

    @property
    def asset(self) -> Address:
        """Which it is."""

    @property
    def symbol(self) -> str:
        """How it is called."""

    @property
    def decimals(self) -> int:
        """Decimals of its amounts."""

    @property
    def source(self) -> Address:
        """Whom the market's oracle asks for its price."""

    @property
    def feed(self) -> Address | None:
        """The feed behind that, which says how old a price is; None where none is known."""

    @property
    def heartbeat_s(self) -> int:
        """How old its price may get."""


@dataclass(frozen=True, slots=True)
class VenueTable:
    """One table of a network file: a lending market, an exchange, or where perpetuals are traded.

    ``markets`` are a perpetual venue's by name, ``names`` what tokens are called that do not say it themselves.
    """

    name: str
    venue: str
    addresses: Mapping[str, Address] = field(default_factory=dict)
    markets: Mapping[str, Address] = field(default_factory=dict)
    names: Mapping[Address, str] = field(default_factory=dict)
    numbers: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    part: str = ""
    """Which of its isolated markets is meant, by id; empty where the table is of one market."""

    @property
    def place(self) -> str:
        """Where it is written."""
        table = self.name.removesuffix(f" {self.part}")
        return table if table == self.venue else f"markets.{table}"

    def __str__(self) -> str:
        return ", ".join(f"{self.place}.{key} {address}" for key, address in self.addresses.items())


# --- exchanges -------------------------------------------------------------------------------------------------------


class PoolReference(Protocol):
    """Pools that give an asset's price in terms of another asset, hard to move within a block."""

    @property
    def asset(self) -> Address:
        """Whose price it is."""

    @property
    def quote(self) -> Address:
        """In terms of which asset."""

    @property
    def depth(self) -> int:
        """How much of the asset stands behind it."""

    def probe(self, window_s: int) -> Probe[Callable[[int], SecondPrice]]:
        """Return the probe of the average over a time and of the price now, for a price of the quote asset.

        Pools that do not answer give a price without readings: a doubt.
        """


class Pools(Protocol):
    """The pools of one exchange between some assets, as they were found."""

    def routes(self, sell: Address, buy: Address, hubs: Sequence[Address]) -> tuple[Route, ...]:
        """Return the ways from one asset to another: direct ones, and through each hub. Each names the exchange."""

    def reference(
        self, asset: Address, others: Sequence[Address], decimals: Callable[[Address], int]
    ) -> PoolReference | None:
        """Return the best reference for an asset's price in terms of any of ``others``; None when there is none."""


class Exchange(Protocol):
    """One place where an asset is changed for another: a table of the network file, of whichever protocol."""

    @property
    def name(self) -> str:
        """The name of its table, which routes and approvals carry."""

    @property
    def spender(self) -> Address:
        """Who takes what is sold, and is approved for it."""

    def find_faults(self) -> Discovery[tuple[str, ...]]:
        """Find what is wrong with the addresses of its table, each led by the key."""

    def find_pools(self, assets: Sequence[Address], window_s: int) -> Discovery[Pools]:
        """Find every pool between the assets, and which of them remember ``window_s``."""

    def quote_probe(self, asked: Sequence[tuple[QuoteRequest, Route]]) -> Probe[tuple[Quote, ...]]:
        """Return the probe of what each request costs by its route; routes that cannot serve it are left out."""

    def encode(self, swap: Swap, recipient: Address, deadline: int, symbols: tuple[str, str]) -> Call:
        """Return the call that buys exactly so much for at most so much, void after ``deadline`` (unix seconds)."""

    def decoders(self) -> Mapping[Address, Decoder]:
        """Return the contracts that a keeper calls, and what calls to each do: the gate's allow-list."""


# --- accounts --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class AtOnce:
    """What was asked is done when it is mined."""


AT_ONCE = AtOnce()


@dataclass(frozen=True, slots=True)
class ByKeepers:
    """The venue's keepers carry out later what was asked; its owner may take it back after so many seconds."""

    cancel_after_s: int


Settles = AtOnce | ByKeepers


class Account(Protocol[P]):
    """One owner's position at one venue, as discovery found it: how it is read, and when what it is asked is done."""

    @property
    def settles(self) -> Settles:
        """When what was asked is done."""

    @property
    def chronicle(self) -> Chronicle:
        """What reads the venue's logs about the position."""

    def probe(self, name: str, block: BlockRef) -> Probe[P]:
        """Return the reads of the position. Decoding raises ReadFailedError where a figure is missing.

        ScopeOutdatedError where the account uses what is not read.
        """


# --- lending venues --------------------------------------------------------------------------------------------------


Codes = Mapping[Address, bytes]
"""Contract → the code it has in a rehearsal, in the place of its own."""


class LendingMarket(Protocol):
    """One market, as discovery found it: a table of the network file, of whichever protocol."""

    @property
    def name(self) -> str:
        """The name of its table."""

    @property
    def listings(self) -> Sequence[Listed]:
        """Every asset of it."""

    @property
    def spender(self) -> Address:
        """Who takes what is paid in, and is approved for it."""

    @property
    def governed_by(self) -> tuple[Address, ...]:
        """Contracts that emit nothing but what changed in the market."""

    def with_feeds(self, feeds: Mapping[Address, Address | None], heartbeats: Mapping[Address, int]) -> LendingMarket:
        """Return the market with the feed behind each asset's price, and how old it may get."""

    @property
    def counts_in(self) -> Address | None:
        """The asset that its money is; None for a market that counts in dollars."""

    def with_dollars(self, quoted: Probe[tuple[Quoted | None, ...]]) -> LendingMarket:
        """Return the market with what says how many dollars its money is: of a market that does not count in them."""

    def listing(self, asset: Address) -> Listed:
        """Return one of its assets; KeyError when it does not list it."""

    def named(self, name: str) -> Listed | None:
        """Return an asset by its address, or by a symbol that no other has; letter case aside."""

    def price_probe(self, asset: Address) -> Probe[int]:
        """Return the probe of an asset's price by the market's oracle, in 10^-8 dollars; zero where nobody knows it."""

    def dollar_probe(self) -> Probe[Address | None]:
        """Return the probe of the asset that is worth a dollar and of which it has most: where trades meet."""

    def figures_read(self, owner: Address) -> Read | None:
        """Return the read of an account's figures (``AccountFigures``, six words); None where there is no such view.

        Fleets of many accounts are screened by it.
        """

    def find_account(
        self, owner: Address, spenders: Sequence[Address], named: Sequence[str]
    ) -> Discovery[LendingAccount]:
        """Find the assets an account uses, a spender's wallet holds, or a rule names."""

    def encode(self, move: MarketMove, position: LendingPosition, signer: Address) -> Call:
        """Return the call of a move, for the owner's account. Raises ValueError for a move the venue does not have.

        ``position`` is the account as the plan was made from it: what everything is, a venue may have to name exactly.
        """

    def insist(self, asset: Address, least: Amount, owner: Address) -> Call | None:
        """Return a call of the owner's that moves nothing and reverts where his position has less of an asset.

        It leads a batch that sells: what a liquidator took before us in the same block is not sold again. None where
        the venue has no such call.
        """

    def decoders(self) -> Mapping[Address, Decoder]:
        """Return the market's contracts that a keeper calls, and what calls to each do: the gate's allow-list."""


class LendingAccount(Account[LendingPosition], Protocol):
    """One account in a lending market, as discovery found it: which reads it takes, and what its logs say."""

    @property
    def market(self) -> LendingMarket:
        """The market it is in."""

    @property
    def owner(self) -> Address:
        """Whose it is."""

    @property
    def listings(self) -> Sequence[Listed]:
        """The assets that matter to it."""

    def witness(self, position: LendingPosition) -> tuple[Read, bytes] | None:
        """Return the read that decides every spend, and the answer the position was judged by: others are asked it."""

    def priced_at(self, position: LendingPosition, moved: Sequence[Holding]) -> Codes:
        """Return what makes the market's oracle answer a position's prices: plans for them can be rehearsed.

        ``moved`` are its holdings whose prices are not the present ones.
        """


# --- what a venue knows of the chain, and of what the owner wants ---------------------------------------------------


class Feeds(Protocol):
    """What the network file says of one asset's feeds."""

    @property
    def heartbeat_s(self) -> int | None:
        """How old its price may get."""

    @property
    def feed(self) -> Address | None:
        """The feed that gives its age, where the oracle's own source does not."""

    @property
    def second_feed(self) -> Address | None:
        """An independent feed."""


class Site(Protocol):
    """One chain, as the network file describes it."""

    @property
    def name(self) -> str:
        """How it is called."""

    @property
    def multicall3(self) -> Address:
        """Multicall3."""

    def exchange(self, venue: str) -> VenueTable | None:
        """Return where an exchange is; None where the file does not name it."""

    @property
    def default_heartbeat_s(self) -> int:
        """How old a price may get whose heartbeat nobody said."""

    def perp(self, venue: str) -> VenueTable | None:
        """Return where a perpetual venue is; None where the file does not name it."""

    def asset(self, symbol: str, address: str = "") -> Feeds:
        """Return what the file says of an asset, by its address or its symbol."""


@dataclass(frozen=True, slots=True)
class Owned:
    """A position that an owner has at a venue, as settings would name it."""

    name: str
    market: str | None = None
    collateral: str | None = None
    is_long: bool | None = None


class Wanted(Protocol):
    """A position as the owner named it."""

    @property
    def venue(self) -> str:
        """The venue's key."""

    @property
    def owner(self) -> Address:
        """Whose it is."""

    @property
    def market(self) -> str | None:
        """Which market, by name or address."""

    @property
    def collateral(self) -> str | None:
        """Which collateral, by symbol or address."""

    @property
    def is_long(self) -> bool | None:
        """Which side."""


# --- perpetual venues ------------------------------------------------------------------------------------------------


class PerpAccount(Account[PerpPosition], Protocol):
    """One account at a perpetual venue, as discovery found it: which reads it takes, how moves become calls."""

    @property
    def collateral(self) -> Address:
        """The token margin is paid in."""

    @property
    def spender(self) -> Address:
        """Who takes the collateral, and is approved for it."""

    def quote_probe(self, position: PerpPosition, market: Address, size_change: int) -> Probe[TradeQuote | None]:
        """Return the reads that show what a trade would give now; None where the venue would refuse it."""

    def execution_fee(self, gas_price: Wei) -> Wei:
        """Return what one order pays the venue's keepers at a gas price; zero where there are none."""

    def encode(self, position: PerpPosition, move: PerpMove, signer: Address, deadline: int, gas_price: Wei) -> Call:
        """Return the call of one move. Raises ValueError for a move the venue does not have."""

    def decoders(self, position: PerpPosition) -> Mapping[Address, Decoder]:
        """Return the contracts that this account's calls go to, and what calls to each do: the gate's allow-list."""

    def least_gas(self, move: PerpMove) -> int:
        """Return the gas limit a call needs at least, whatever it uses; zero where there is no such bound."""

    @property
    def can_try(self) -> bool:
        """Whether an order can be tried as if the venue's keepers executed it now."""

    def as_if_executed(self, calls: Sequence[Call], timestamp: int, keys: Sequence[str]) -> OrderTrial | None:
        """Return what to run to have the last call's order executed at once; None where it leaves none to be filled.

        ``keys`` are those of the orders the calls leave when they are run on the same state, in their order. Raises
        ValueError where the order is not among them.
        """

    @property
    def order_book(self) -> OrderBook | None:
        """What reads the venue's logs about orders; None where trades are done at once."""


class Chronicle(Protocol):
    """A venue's word on what happened to a position, from its logs alone."""

    def asked(self) -> tuple[dict[str, Any], ...]:
        """Return the ``address`` and ``topics`` of the eth_getLogs requests that find it."""

    def stated(self, logs: Sequence[dict[str, Any]]) -> tuple[Occurrence, ...]:
        """Return what happened, by whomever, the oldest first."""


class OrderBook(Protocol):
    """A venue's word on what became of orders, from its logs alone."""

    def filter(self, keys: Sequence[str]) -> dict[str, Any]:
        """Return the ``address`` and ``topics`` of an eth_getLogs request about orders by key."""

    def created(self, logs: Sequence[dict[str, Any]]) -> tuple[str, ...]:
        """Return the keys of the orders that a transaction's logs say were created."""

    def by_itself(self) -> tuple[dict[str, Any], ...]:
        """Return what to ask eth_getLogs for to learn what the venue did to the account by itself."""

    def carried_out(self, logs: Sequence[dict[str, Any]]) -> tuple[str, ...]:
        """Return the keys of the owner's orders, whoever placed them, that made the position smaller."""

    def outcome(self, key: str, logs: Sequence[dict[str, Any]]) -> OrderOutcome | None:
        """Return what became of an order; None while nothing was said."""


@dataclass(frozen=True, slots=True)
class OrderTrial:
    """Calls of which the last always reverts, and the error that means that its order could be executed now."""

    calls: tuple[Call, ...]
    fine: str


@dataclass(frozen=True, slots=True)
class OrderOutcome:
    """What became of an order: ``executed``, ``cancelled`` or ``frozen``, and why, in words."""

    kind: str
    detail: str
    price: int | None = None
