"""What the back-test of a perpetual position happens in: its oracle, its market, its venue's keepers and liquidators.

The oracle's answer is index and mark; trades are done where the file's price stands at the second. Orders at a venue
whose keepers carry them out are filled some blocks after they were mined, or after the oracle passed their price.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any, Never

from keeper.backtest.course import PriceCourse
from keeper.backtest.paper_calls import said
from keeper.backtest.perp_standing import FINER, PaperOrder, PerpStanding, closed, emptied, position_of
from keeper.backtest.scene import BEGIN_GAS, CHAIN_ID, PaperFees
from keeper.backtest.stage import Made, PlayedDeed
from keeper.backtest.standing import RevertError
from keeper.core.occurrences import Occurrence, What
from keeper.core.perp import margin as perps
from keeper.core.perp.position import OrderKind, PerpPosition
from keeper.core.snapshot import BlockRef
from keeper.core.units import INFINITE, WAD, Address, Wei, scaled, usd_text
from keeper.execution.policy import opened
from keeper.settings.model import Position
from keeper.venues.effects import Approves, Call, Cancels, Carries, Changes, Closes, Decoder, Leaf, Orders, Pays
from keeper.venues.ports import OrderOutcome

EXECUTION_GAS = 2_000_000
"""What the venue's keepers take to carry an order out; the order has it with it, and the rest comes back."""
GAS: Mapping[type[Leaf], int] = {
    Approves: 25_000, Pays: 300_000, Closes: 850_000, Orders: 850_000, Changes: 550_000, Cancels: 550_000,
}  # fmt: skip
WOULD_FILL = "would be carried out"
"""What a trial of an order ends with that could be carried out now."""


@dataclass(slots=True)
class PerpScene:
    """Everything at the block that is being played."""

    course: PriceCourse
    now: int
    standing: PerpStanding
    place: Position
    fees: PaperFees
    native_price: int
    is_native: bool
    """Whether what is traded is the native currency, whose price it then has."""
    decoders: Callable[[PerpPosition], Mapping[Address, Decoder]] = lambda _: {}
    """What calls to each contract do, about a position as it stands then."""
    gas_usd: int = 0
    happened: list[Occurrence] = field(default_factory=list)
    known: dict[int, PerpStanding] = field(default_factory=dict)
    """What rehearsals came to, by the number under which the answer names it."""
    left: list[tuple[str, ...]] = field(default_factory=list)
    """By what was sent the keys of the orders that it left."""
    outcomes: dict[str, OrderOutcome] = field(default_factory=dict)
    filled: list[tuple[int, str]] = field(default_factory=list)
    """Block and key of every order that made the position smaller."""

    def block(self) -> BlockRef:
        """Return the block of now."""
        number = self.course.number(self.now)
        time, base_fee = self.course.time(number), self.fees.base_fee(self.now)
        return BlockRef(CHAIN_ID, number, f"0x{number:064x}", f"0x{number - 1:064x}", time, base_fee)

    def answers(self, at: int) -> dict[Address, int]:
        """Return what the oracle says at a time."""
        return {self.standing.contract.asset: int(self.course.answers[self.course.index(at)][0])}

    def seen(self) -> PerpStanding:
        """Return the account as it stands now."""
        return self._now(self.standing)

    def _now(self, s: PerpStanding) -> PerpStanding:
        place = self.course.index(self.now)
        price, updated = int(self.course.answers[place][0]), int(self.course.updated[place][0])
        return s.later(self.now).priced(price, updated)

    @property
    def market_price(self) -> int:
        """Where trades are done now: with the file, at the second."""
        return self.course.paths[self.course.symbols[0]].price_at(self.now)

    @property
    def native_usd(self) -> int:
        """What one of the native currency costs now."""
        return self.answers(self.now)[self.standing.contract.asset] if self.is_native else self.native_price

    def position(self, s: PerpStanding | None = None) -> PerpPosition:
        """Return an account as a position of its venue: as it stands now, where none is given."""
        of = self.seen() if s is None else s
        return position_of(of, self.place.name, self.place.venue, self.place.owner, self.block())

    # --- what is sent ------------------------------------------------------------------------------------------------

    def run(self, s: PerpStanding, call: Call) -> Made[PerpStanding]:
        """Return what a call does to an account: all of it, or nothing but its gas."""
        gas, after, carried = BEGIN_GAS, s, 0
        try:
            if (tried := _tried(call)) is not None:
                self._try(s, tried)
            for _, effect in opened(call, self.decoders(self.position(s))):
                gas += GAS.get(type(effect), 0)
                if isinstance(effect, Carries):
                    carried, after = effect.amount, _pays_gas(after, effect.amount)
                else:
                    after = self._done(after, effect, carried)
        except RevertError as error:
            return Made(s, gas, str(error))
        return Made(after, gas)

    def _try(self, s: PerpStanding, key: str) -> Never:
        """Raise what became of an order that is carried out now: it is only tried."""
        self._fill(s, s.order(key))
        raise RevertError(WOULD_FILL)

    def send(self, call: Call, gas_price: Wei) -> Made[PerpStanding]:
        """Mine a call: it changes the account, and its gas is paid."""
        before = self.seen()
        made = self.run(before, call)
        self.standing = replace(made.after, native=max(0, made.after.native - made.gas * gas_price))
        self._paid(made.gas * gas_price)
        known = {order.key for order in before.orders}
        self.left.append(tuple(o.key for o in made.after.orders if o.key not in known))
        return made

    def _paid(self, wei: int) -> None:
        self.gas_usd += wei * self.native_usd // WAD

    def _done(self, s: PerpStanding, effect: Leaf, carried: int) -> PerpStanding:
        """Return how it stands after an effect. Raises RevertError where the venue would revert."""
        match effect:
            case Approves(_, _, amount):
                return replace(s, allowed=amount)
            case Pays(_, amount):
                paid = _taken(s, amount or 0)
                if not s.contract.fills_later:
                    return replace(paid, margin=s.margin + (amount or 0) * s.contract.finer)
                return self._placed(paid, OrderKind.MARKET_INCREASE, carried, margin=amount or 0, size=0)
            case Closes(_, _, size, worst):
                if not s.contract.fills_later:
                    return closed(s, abs(s.size) if size is None else size, self.market_price, worst)
                return self._placed(s, OrderKind.MARKET_DECREASE, carried, size=size, worst=worst or 0)
            case Orders(_, is_long, size, trigger, worst):
                kind = OrderKind.STOP_LOSS if (trigger < s.price * FINER) == is_long else OrderKind.TAKE_PROFIT
                return self._placed(s, kind, carried, size=size, trigger=trigger, worst=worst)
            case Changes(key, size, trigger, worst):
                new = replace(
                    s.order(key), size=size, trigger=trigger, worst=worst, placed_at=self.now, due=None, is_frozen=False
                )
                return replace(s, orders=tuple(new if o.key == key else o for o in s.orders))
            case Cancels(key):
                wait = s.contract.rules.cancel_after_s or 0
                if not s.order(key).kind.rests and self.now - s.order(key).placed_at <= wait:
                    raise RevertError("the order is too new to be taken back")
                return s.without(key)
            case _:
                raise RevertError(f"{type(effect).__name__} is nothing that this venue does")

    def _placed(
        self,
        s: PerpStanding,
        kind: OrderKind,
        carried: int,
        *,
        size: int | None,
        margin: int = 0,
        trigger: int = 0,
        worst: int = 0,
    ) -> PerpStanding:
        due = None if kind.rests else self._after(s.contract.fills_after)
        key = f"0x{s.placed + 1:064x}"
        new = PaperOrder(key, kind, margin, size, trigger, worst, self.now, due, carried)
        return replace(s, orders=(*s.orders, new), placed=s.placed + 1)

    def _after(self, blocks: int) -> int:
        return self.course.time(self.course.number(self.now) + max(1, blocks))

    # --- what the venue's keepers and liquidators do -----------------------------------------------------------------

    @property
    def due(self) -> int | None:
        """When an order is carried out next."""
        return min((o.due for o in self.standing.orders if o.due is not None), default=None)

    def carried_out(self) -> bool:
        """Let the venue's keepers fill what is due, and see which orders have their price now."""
        s, price = self.seen(), self.seen().price * FINER
        for order in s.orders:
            if order.kind.rests and order.due is None and not order.is_frozen and _has_price(s, order, price):
                due = replace(order, due=self._after(s.contract.fills_after))
                self.standing = replace(
                    self.standing, orders=tuple(due if o.key == order.key else o for o in self.standing.orders)
                )
        ready = [o for o in self.standing.orders if o.due is not None and o.due <= self.now]
        for order in ready:
            self._carry_out(order)
        return bool(ready)

    def _carry_out(self, order: PaperOrder) -> None:
        s = self.seen()
        used = min(order.carried, EXECUTION_GAS * self.fees.base_fee(self.now))
        self._paid(used)
        paid = replace(s, orders=tuple(replace(o, carried=o.carried - used) if o == order else o for o in s.orders))
        number, key = self.course.number(self.now), order.key
        try:
            after = self._fill(paid, paid.order(key))
        except RevertError as error:
            is_kept = order.kind.rests and bool(s.size)
            frozen = tuple(replace(o, due=None, is_frozen=True) if o.key == key else o for o in paid.orders)
            self.standing = replace(paid, orders=frozen) if is_kept else paid.without(key)
            self.outcomes[key] = OrderOutcome("frozen" if is_kept else "cancelled", str(error))
            return
        self.standing = after
        self.outcomes[key] = OrderOutcome("executed", f"in block {number}")
        if after.size != s.size:
            self.filled.append((number, key))
            words = f"{usd_text((s.entry - after.entry) // FINER)} closed by an order"
            self.happened.append(Occurrence(What.TRADED, words, number, f"keepers at block {number}", key))

    def _fill(self, s: PerpStanding, order: PaperOrder) -> PerpStanding:
        """Return it after an order was carried out at the market of now. Raises RevertError where it cannot be."""
        if not s.size:
            raise RevertError("there is no position")
        left = replace(s.without(order.key), wallet=s.wallet)
        grown = replace(left, margin=left.margin + order.margin * s.contract.finer)
        if order.size == 0:
            return grown
        size = abs(s.size) if order.size is None else min(order.size, abs(s.size))
        return closed(grown, size, self.market_price, order.worst)

    def forced(self) -> PlayedDeed | None:
        """Let liquidators close it, where the venue lets them, at the oracle's price."""
        s, before = self.seen(), self.position()
        if not perps.is_liquidatable(before):
            return None
        own = perps.equity(before) + sum(leg.closing_cost for leg in before.legs)
        taken = perps.taken(before, own)
        for order in s.orders:
            self.outcomes[order.key] = OrderOutcome("cancelled", "the position was liquidated")
            s = s.without(order.key)
        self.standing = emptied(replace(s, size=0, entry=0, owed=0, margin=max(0, own - taken)))
        number = self.course.number(self.now)
        words = f"{usd_text(perps.basis(before) // FINER)} liquidated"
        self.happened.append(Occurrence(What.LIQUIDATED, words, number, f"liquidators at block {number}"))
        ratio = perps.margin_ratio(before)
        return PlayedDeed(self.now, "liquidated", "liquidated", ratio, self.figure, taken // FINER)

    # --- how it stands -----------------------------------------------------------------------------------------------

    def worth_of(self, of: PerpStanding) -> int:
        """Return what an owner has at the oracle's price of now."""
        return self._now(of).worth

    @property
    def figure(self) -> int:
        """The margin ratio."""
        return perps.margin_ratio(self.position())

    def figure_in(self, judged: Mapping[str, Any]) -> int:
        """Return the margin ratio that was judged."""
        found = judged["figures"]["margin_ratio"]
        return INFINITE if found is None else scaled(Decimal(found), WAD)


def _tried(call: Call) -> str | None:
    """Return the key of the order that a call only tries; None for any other."""
    try:
        found, _, _ = said(call)
    except ValueError:
        return None
    return str(found["order"]) if found.get("do") == "try" else None


def _pays_gas(s: PerpStanding, wei: int) -> PerpStanding:
    if wei > s.native:
        raise RevertError("insufficient funds for gas")
    return replace(s, native=s.native - wei)


def _taken(s: PerpStanding, amount: int) -> PerpStanding:
    if amount > s.wallet or amount > s.allowed:
        raise RevertError("transfer amount exceeds " + ("balance" if amount > s.wallet else "allowance"))
    return replace(s, wallet=s.wallet - amount, allowed=s.allowed - amount)


def _has_price(s: PerpStanding, order: PaperOrder, price: int) -> bool:
    """Return whether the oracle is at or past the price that an order waits for."""
    falls = (order.kind is OrderKind.STOP_LOSS) == s.contract.is_long
    return price <= order.trigger if falls else price >= order.trigger
