"""One position at GMX v2, as the rest of the program sees a perpetual venue.

GMX's Reader wants prices as arguments. They are read in the same call as everything else, and the Reader is asked with
the prices of the block before: where they have not moved that is exact, and one read is enough. Where they have, the
block is read once more with the new ones: ``PricesMovedError``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from keeper.core.occurrences import Occurrence, What
from keeper.core.perp.moves import ClaimFunding, PerpMove, TradeQuote
from keeper.core.perp.position import OrderKind, PerpPosition
from keeper.core.snapshot import BlockRef
from keeper.core.units import Address, Wei, usd_text
from keeper.venues.codec.abi import address
from keeper.venues.effects import Decoder
from keeper.venues.gmx_v2 import effects as gmx_v2_effects
from keeper.venues.gmx_v2.events import EVENT_LOG_2, ORDER_EVENTS, Event, account_filters, decode_events, name_topic
from keeper.venues.gmx_v2.fees import FeeTerms, fee_probe
from keeper.venues.gmx_v2.markets import GmxDeployment, MarketPrices, price_probe
from keeper.venues.gmx_v2.moves import Execution, encode_move
from keeper.venues.gmx_v2.moves import least_gas as least_gas_of
from keeper.venues.gmx_v2.outcomes import Cancelled, Executed, Fill, Frozen, OrderFault, created_keys, fills, outcome_of
from keeper.venues.gmx_v2.positions import GmxScope, position_probe
from keeper.venues.gmx_v2.quotes import quote_probe, rehearsal, rehearsal_of
from keeper.venues.gmx_v2.trials import BY_ROUTER, Trials, Way, last_key
from keeper.venues.ports import (
    Answer,
    ByKeepers,
    Call,
    Chronicle,
    OrderBook,
    OrderOutcome,
    OrderTrial,
    PricesMovedError,
    Probe,
    Read,
    Settles,
)

WOULD_EXECUTE = "EndOfOracleSimulation"
REQUEST_EXPIRATION_S = 300
"""REQUEST_EXPIRATION_TIME: a market order may be taken back by its owner after this."""


@dataclass(slots=True)
class GmxAccount:
    """A position of one market, collateral and side: orders are carried out later by the exchange's keepers.

    ``prices`` and ``terms`` are those of the last block that was read.
    """

    scope: GmxScope
    prices: MarketPrices
    terms: FeeTerms
    trials: Trials = BY_ROUTER

    @property
    def settles(self) -> Settles:
        """The exchange's keepers carry an order out, or its owner takes it back."""
        return ByKeepers(REQUEST_EXPIRATION_S)

    @property
    def collateral(self) -> Address:
        """The position's collateral token."""
        return self.scope.collateral

    @property
    def spender(self) -> Address:
        """The Router, which the ExchangeRouter draws tokens through."""
        return self.scope.market.deployment.router

    def witness(self, position: PerpPosition) -> tuple[Read, bytes] | None:
        """Return None: no single read decides, and nothing is sent without one that was rehearsed on its block."""
        del position
        return None

    def priced_at(self, there: PerpPosition, here: PerpPosition) -> None:
        """Return None: prices are not in a contract, the exchange's keepers bring them, signed, with each order."""
        del there, here

    def plain_feeds(self) -> Mapping[Address, Address]:
        """Return nothing: no event of a feed is a price of the exchange."""
        return {}

    @property
    def chronicle(self) -> Chronicle:
        """The exchange's events."""
        return GmxChronicle(self.scope)

    @property
    def order_book(self) -> OrderBook | None:
        """The exchange's events."""
        return GmxOrderBook(self.scope.market.deployment, self.scope.owner, self.scope)

    def probe(self, name: str, block: BlockRef) -> Probe[PerpPosition]:
        """Return the reads of the position, of prices and of fee terms. Decoding raises PricesMovedError."""
        asked = self.prices
        stated, fees = price_probe(self.scope.market), fee_probe(self.scope.market.deployment)
        position = position_probe(self.scope, name, block, asked)
        first, second = len(stated.reads), len(stated.reads) + len(fees.reads)

        def decode(answers: Sequence[Answer]) -> PerpPosition:
            now = stated.decode(answers[:first])
            self.terms = fees.decode(answers[first:second])
            self.prices = now
            if now.struct != asked.struct:
                raise PricesMovedError
            if now != asked:  # a new round with the same answer: its time counts
                return position_probe(self.scope, name, block, now).decode(answers[second:])
            return position.decode(answers[second:])

        return Probe((*stated.reads, *fees.reads, *position.reads), decode)

    def quote_probe(self, position: PerpPosition, market: Address, size_change: int) -> Probe[TradeQuote | None]:
        """Return the reads that show what a trade would give now."""
        if market != self.scope.market.token or not size_change:
            return Probe((), lambda _: None)
        asked = quote_probe(self.scope, position, self.prices, [size_change])

        def decode(answers: Sequence[Answer]) -> TradeQuote | None:
            return next(iter(asked.decode(answers)), None)

        return Probe(asked.reads, decode)

    def execution_fee(self, gas_price: Wei) -> Wei:
        """Return what one order pays the exchange's keepers in advance, the dearer kind."""
        kinds = (OrderKind.MARKET_INCREASE, OrderKind.MARKET_DECREASE)
        return max(self.terms.fee(kind, gas_price) for kind in kinds)

    def encode(self, position: PerpPosition, move: PerpMove, signer: Address, deadline: int, gas_price: Wei) -> Call:
        """Return the call of one move. Raises ValueError unless the owner signs: GMX knows no deposits for others."""
        if signer != self.scope.owner:
            raise ValueError("only the owner of a GMX position can order anything for it")
        return encode_move(self.scope, move, Execution(self.terms, gas_price), position.orders)

    def decoders(self, position: PerpPosition) -> Mapping[Address, Decoder]:
        """Return the collateral and the ExchangeRouter, and what calls to each do."""
        return gmx_v2_effects.decoders(self.scope, position)

    def least_gas(self, move: PerpMove) -> int:
        """Return the gas limit a cancellation must have although it uses less."""
        return least_gas_of(move)

    @property
    def can_try(self) -> bool:
        """Whether this generation of the exchange simulates orders."""
        return self.trials.way is not Way.NONE

    def as_if_executed(self, calls: Sequence[Call], timestamp: int, keys: Sequence[str]) -> OrderTrial | None:
        """Return the calls, and after them or in the last of them the execution of the order it leaves."""
        left = [gmx_v2_effects.left_by(call, self.scope) for call in calls]
        if all(left[-1]):  # none of them is to be filled at once
            return None
        match self.trials:
            case Trials(Way.ROUTER):
                return OrderTrial(
                    (*calls[:-1], rehearsal(self.scope, calls[-1], self.prices, timestamp)), WOULD_EXECUTE
                )
            case Trials(Way.HANDLER, handler) if handler is not None:
                key = last_key([len(orders) for orders in left], keys)
                if key is None:
                    raise ValueError("the exchange does not list the order that was left")
                tried = rehearsal_of(self.scope, handler, key, self.prices, timestamp)
                return OrderTrial((*calls, tried), WOULD_EXECUTE)
            case _:
                return None


def claim(account: GmxAccount) -> ClaimFunding:
    """Return the move that collects the funding both tokens of the market earned."""
    market = account.scope.market
    tokens = tuple(dict.fromkeys((market.long.address, market.short.address)))
    return ClaimFunding(tuple(market.token for _ in tokens), tokens)


@dataclass(frozen=True, slots=True)
class _Log:
    address: Address
    topics: tuple[str, ...]
    data: bytes
    block_number: int
    transaction_hash: str
    index: int


@dataclass(frozen=True, slots=True)
class GmxChronicle:
    """What the exchange's events say of one position: of its market, collateral and side."""

    scope: GmxScope

    def asked(self) -> tuple[dict[str, Any], ...]:
        """Return the requests for all that happened to the account's orders and positions."""
        emitter = self.scope.market.deployment.event_emitter
        return tuple({"address": emitter, "topics": list(topics)} for topics in account_filters(self.scope.owner))

    def stated(self, logs: Sequence[dict[str, Any]]) -> tuple[Occurrence, ...]:
        """Return every reduction, the oldest first."""
        events = decode_events(self.scope.market.deployment, [_log(log) for log in logs])
        return tuple(_occurrence(f) for f in fills(events) if self._is_ours(f) and not f.is_increase)

    def _is_ours(self, fill: Fill) -> bool:
        scope = self.scope
        wanted = (scope.owner, scope.market.token, scope.collateral, scope.is_long)
        return (fill.account, fill.market, fill.collateral, fill.is_long) == wanted


def _occurrence(fill: Fill) -> Occurrence:
    what = {OrderFault.LIQUIDATION: What.LIQUIDATED, OrderFault.ADL: What.DELEVERAGED}.get(fill.cause, What.TRADED)
    words = f"{usd_text(fill.size_usd // 10**22)} {what.value} in {fill.transaction_hash}"
    return Occurrence(what, words, fill.block_number, fill.transaction_hash, fill.order_key)


@dataclass(frozen=True, slots=True)
class GmxOrderBook:
    """What the exchange's events say of an owner's orders."""

    deployment: GmxDeployment
    owner: Address
    scope: GmxScope | None = None
    """The one position that is meant; None for all of the owner's."""
    names: tuple[str, ...] = field(default=ORDER_EVENTS)

    def filter(self, keys: Sequence[str]) -> dict[str, Any]:
        """Return the request for all that became of orders."""
        topics = [EVENT_LOG_2, [name_topic(n) for n in self.names], list(keys)]
        return {"address": self.deployment.event_emitter, "topics": topics}

    def created(self, logs: Sequence[dict[str, Any]]) -> tuple[str, ...]:
        """Return the keys of the orders that a transaction's logs say were created."""
        return created_keys(self._events(logs), self.owner)

    def by_itself(self) -> tuple[dict[str, Any], ...]:
        """Return the requests for all that happened to the account's orders and positions."""
        return tuple(
            {"address": self.deployment.event_emitter, "topics": list(topics)} for topics in account_filters(self.owner)
        )

    def carried_out(self, logs: Sequence[dict[str, Any]]) -> tuple[str, ...]:
        """Return the keys of the owner's orders that made the position smaller; not what the exchange did by itself."""
        done = (f for f in fills(self._events(logs)) if f.account == self.owner and self._is_meant(f))
        return tuple(f.order_key for f in done if f.cause is OrderFault.ORDER and not f.is_increase)

    def _is_meant(self, fill: Fill) -> bool:
        if self.scope is None:
            return True
        mine = (self.scope.market.token, self.scope.collateral, self.scope.is_long)
        return (fill.market, fill.collateral, fill.is_long) == mine

    def outcome(self, key: str, logs: Sequence[dict[str, Any]]) -> OrderOutcome | None:
        """Return what became of an order; None while nothing was said, which proves nothing."""
        match outcome_of(key, self._events(logs)):
            case Executed() as done:
                price = done.fill.price if done.fill else None
                return OrderOutcome("executed", f"in {done.transaction_hash}", price)
            case Cancelled() as gone:
                why = gone.refusal.text if gone.refusal else f"by {gone.by.value}"
                return OrderOutcome("cancelled", why)
            case Frozen() as stuck:
                return OrderOutcome("frozen", stuck.refusal.text)
            case _:
                return None

    def _events(self, logs: Sequence[dict[str, Any]]) -> tuple[Event, ...]:
        return decode_events(self.deployment, [_log(log) for log in logs])


def _log(log: dict[str, Any]) -> _Log:
    return _Log(
        address=address(log["address"]),
        topics=tuple(str(t) for t in log["topics"]),
        data=bytes.fromhex(str(log["data"])[2:]),
        block_number=int(log["blockNumber"], 16),
        transaction_hash=str(log["transactionHash"]),
        index=int(log["logIndex"], 16),
    )
