"""What the story asks of the world. Each of these can be a fake in a test; the engine asks nobody else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from keeper.chain.fee_market import FeeMarket
from keeper.chain.pushes import OnGap, OnLog, Pushed, Topics
from keeper.chain.tolls import Toll
from keeper.core.exposure import OnOthers, Sums
from keeper.core.lending.plan import Allowances
from keeper.core.lending.quotes import Quote, QuoteRequest, Quotes
from keeper.core.lending.rules import Rule
from keeper.core.occurrences import Occurrence
from keeper.core.snapshot import BlockRef, LendingPosition, Snapshot
from keeper.core.units import Address, Wei
from keeper.settings.model import Network, Position
from keeper.snapshot.discovery import Known
from keeper.venues.ports import (
    Account,
    Answer,
    Exchange,
    Lender,
    LendingAccount,
    OrderOutcome,
    PerpAccount,
    PriceFeed,
    Probe,
    Read,
)

if TYPE_CHECKING:
    from keeper.core.risk.market import Market

T = TypeVar("T")


class Clock(Protocol):
    """Time as the process has it. What a block says of time comes from the block alone."""

    def monotonic(self) -> float:
        """Return seconds that never go back."""

    def wall(self) -> float:
        """Return seconds since 1970, as the machine has them."""

    async def sleep(self, seconds: float) -> None:
        """Let others work for a while."""


class Reader(Protocol):
    """Reads pinned to a block, each with proof of the block that answered."""

    positions: dict[str, Position]
    network: Network
    also: tuple[Read, ...]
    """What armed plans want read with everything else."""

    @property
    def known(self) -> Known:
        """What discovery found."""

    @property
    def lenders(self) -> Mapping[str, Lender]:
        """Who lends within one transaction, by name."""

    @property
    def exchanges(self) -> Mapping[str, Exchange]:
        """Where swaps go, by name."""

    async def head(self) -> BlockRef:
        """Return the newest block. Raises NodeError."""

    async def snapshot(self, block: BlockRef) -> Snapshot:
        """Return everything at one block, in one read. Raises NodeError, ReadFailedError."""

    async def read(self, block: BlockRef, probe: Probe[T]) -> T:
        """Return what a probe finds at a block. Raises NodeError, ReadFailedError."""

    async def confirmed(self, block: BlockRef, probe: Probe[T]) -> T:
        """Return what a probe finds at a block when no other node has another block there or answers otherwise.

        Raises NodesDisagreeError, NodeError, ReadFailedError. With one node it is a plain ``read``.
        """

    async def answers(self, block: BlockRef, reads: Sequence[Read]) -> list[Answer]:
        """Return the answers to reads at a block. Raises NodeError."""

    async def code(self, block: BlockRef, address: Address) -> bytes:
        """Return an account's code at a block. Raises NodeError."""

    async def quotes(self, block: BlockRef, requests: Iterable[QuoteRequest]) -> Quotes:
        """Return what exchanges would charge. Raises NodeError."""

    def quote_probe(self, requests: Iterable[QuoteRequest]) -> Probe[tuple[Quote, ...]]:
        """Return what to ask exchanges."""

    async def allowances(self, block: BlockRef, name: str, spender: Address, assets: Iterable[Address]) -> Allowances:
        """Return what a wallet has approved already, to a position's market and to the exchange. Raises NodeError."""

    def position_probe(self, name: str, block: BlockRef) -> Probe[LendingPosition]:
        """Return the probe of one lending position alone."""

    def account(self, name: str) -> LendingAccount:
        """Return the account of a lending position. Raises ReadFailedError when it was not found."""

    def any_account(self, name: str) -> Account[Any]:
        """Return the account of a position, of whatever kind. Raises ReadFailedError when it was not found."""

    def perp_account(self, name: str) -> PerpAccount:
        """Return the account of a perpetual position."""

    def follow(self, rules: tuple[Rule, ...]) -> None:
        """Judge a large fleet by these rules from now on."""

    def keep_close(self, names: Iterable[str]) -> None:
        """Read these positions in full at the next block as well."""

    def compare_first(self, names: Iterable[str]) -> None:
        """Have another node's word on these positions first."""


class PriceMovements(Protocol):
    """How prices moved until now, by their own oracles."""

    waits: bool
    """True for who judges one block only: the first measure is waited for. A daemon's block waits for nothing."""

    async def now(self, block: BlockRef, listings: Mapping[Address, PriceFeed]) -> Market | None:
        """Return the newest that is known; None before. What is older than it may be is found anew beside the block."""


class OtherChains(Protocol):
    """What the same owner has on the chains that are kept beside this one."""

    def saw(self, sums: Sums) -> None:
        """Remember what this chain's positions come to now."""

    def elsewhere(self) -> OnOthers:
        """Return what the others' came to when they were last seen; unknown where that is too long ago."""

    @property
    def is_early(self) -> bool:
        """Whether others may not have seen their first block yet."""


class Logs(Protocol):
    """What venues said in their events."""

    async def created(self, name: str, hash_: str, *, is_mined: bool = False) -> tuple[str, ...]:
        """Return the keys of the orders that a transaction left with the venue. Raises NodeError.

        Of one that is known to be mined it raises that too as long as no node shows its receipt.
        """

    async def outcomes(self, name: str, keys: Sequence[str], since: int) -> dict[str, OrderOutcome | None]:
        """Return what became of orders since a block, by key. Raises NodeError."""

    async def happened(self, name: str, begin: int, end: int) -> tuple[Occurrence, ...]:
        """Return what a venue's events say of a position. Raises NodeError."""

    async def carried_out(self, name: str, since: int) -> tuple[str, ...]:
        """Return the keys of orders that made a position smaller since a block. Raises NodeError."""


class FeeSource(Protocol):
    """What gas costs now, and what a rollup charges on top."""

    async def market(self, base_fee: Wei) -> FeeMarket:
        """Return base fees and tips by several blocks and nodes. Raises NodeError."""

    async def toll(self) -> Toll:
        """Return what a rollup charges for its parent chain; the one before where the node does not say."""

    @property
    def last_toll(self) -> Toll:
        """The newest toll that is known."""


class Feed(Protocol):
    """Events pushed by nodes as they happen."""

    def subscribe_logs(
        self, addresses: Sequence[Address], topics: Topics, on_log: OnLog, on_gap: OnGap = ...
    ) -> Pushed | None:
        """Begin to hear of events; ``on_gap`` is called when some may have been missed. None: no node can push."""
