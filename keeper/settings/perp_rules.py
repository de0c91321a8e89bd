"""From rules for perpetual positions and books as written to rules that can fire; and what is wrong in them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from math import ceil

from keeper.core.book.position import Book
from keeper.core.book.rules import HedgeRule
from keeper.core.book.unhedged import NakedBudget
from keeper.core.perp.rules import (
    ExitTarget,
    MarginTarget,
    PerpAction,
    PerpMeasure,
    PerpRule,
    PerpTarget,
    PerpTrigger,
    target_fires,
)
from keeper.core.units import USD, WAD, Wad, mul_div_up, scaled
from keeper.settings.fields import as_address
from keeper.settings.model import Signer
from keeper.settings.perp_schema import BookTable
from keeper.settings.rule_schema import RestoreTable, RuleTable, WhenTable, measure_of
from keeper.settings.rules import limit_faults, limits_of, misplaced
from keeper.venues.registry import VENUES

MEASURES = {
    "margin_ratio_below": PerpMeasure.MARGIN_RATIO,
    "leverage_above": PerpMeasure.LEVERAGE,
    "liquidation_distance_below": PerpMeasure.LIQUIDATION_DISTANCE,
    "stop_loss": PerpMeasure.STOP_LOSS,
    "take_profit": PerpMeasure.TAKE_PROFIT,
    "trailing_stop": PerpMeasure.TRAILING_STOP,
    "funding_above": PerpMeasure.FUNDING,
}
PRICES = ("stop_loss", "take_profit")
ACTIONS = frozenset(a.value for a in PerpAction)
BOOK_ACTIONS = frozenset({"hedge", "add_margin", "unwind", "alert"})
LEAST_RATIO = Decimal("0.02")
"""A hedge nearer to liquidation than that is lost with the next move of the price."""
WINDOW_S = 8 * 3600
"""The funding window where none is given."""


def build_perp_rule(table: RuleTable) -> PerpRule:
    """Return the rule of a table in which ``perp_rule_faults`` finds nothing."""
    trigger = _trigger(table.when)
    return PerpRule(
        name=table.name,
        position=table.about,
        trigger=trigger,
        target=_target(table.restore, trigger),
        actions=tuple(dict.fromkeys(PerpAction(a) for a in table.actions)),
        cooldown_s=table.pause_s,
        limits=limits_of(table.limits),
        rests=table.rest,
    )


def build_hedge_rule(table: RuleTable, book: BookTable) -> HedgeRule:
    """Return the rule of a book's table in which ``hedge_rule_faults`` finds nothing."""
    outside = table.when.delta_outside
    assert outside is not None  # noqa: S101 - narrows the type; checked as a fault
    band = Wad(scaled(outside.band, WAD))
    target = _signed(_delta_of(table) or Decimal(0))
    least = Wad(scaled(table.min_trade, WAD)) if table.min_trade else Wad(min(band // 10, band - abs(target)))
    return HedgeRule(
        name=table.name,
        book=table.about,
        underlying=outside.underlying.upper(),
        band=band,
        target=target,
        least_trade=least,
        least_margin_ratio=Wad(scaled(least_ratio_of(table), WAD)),
        may_add_margin="add_margin" in table.actions,
        may_act="hedge" in table.actions,
        unwinds=book.unwind if "unwind" in table.actions else None,
        budget=NakedBudget(Wad(scaled(book.naked_budget.size, WAD)), ceil(book.naked_budget.time)),
        funding_horizon_s=ceil(table.funding_horizon) if table.funding_horizon else 7 * 86_400,
        cooldown_s=table.pause_s,
        limits=limits_of(table.limits),
    )


def build_book(table: BookTable, signers: Mapping[str, Signer]) -> Book:
    """Return a book with its wallets as addresses."""
    wallets = [signers[w].address if w in signers else as_address(w) for w in table.wallets]
    follows = {symbol.lower(): what.upper() for symbol, what in table.follows.items()}
    return Book(
        name=table.name,
        positions=tuple(dict.fromkeys(table.positions)),
        wallets=tuple(dict.fromkeys(wallets)),  # named twice, by signer and by address, it still is one
        hedges=tuple(dict.fromkeys(table.hedge)),
        follows=follows,
    )


def perp_rule_faults(table: RuleTable, venue: str) -> Iterator[str]:
    """Yield what contradicts itself in a rule about a perpetual position: the field, the fault and the remedy."""
    wrong = list(misplaced(table, "perp", frozenset(MEASURES), ACTIONS, "a perpetual position"))
    restore = table.restore
    if isinstance(restore, RestoreTable) and restore.margin_ratio is None and restore.leverage is None:
        wrong.append('restore: a perpetual position is restored to margin_ratio, leverage or "close"')
    if wrong:
        yield from wrong
        return
    faults = [*_bounds(table), *_senseless(table, venue), *limit_faults(table.limits)]
    yield from faults
    if not faults:
        trigger = _trigger(table.when)
        if target_fires(trigger, _target(restore, trigger)):
            yield "restore: leaves the rule still firing; move the target away from the trigger"


def hedge_rule_faults(table: RuleTable) -> Iterator[str]:
    """Yield what contradicts itself in a rule about a book."""
    wrong = list(misplaced(table, "book", frozenset({"delta_outside"}), BOOK_ACTIONS, "a book"))
    restore, outside = table.restore, table.when.delta_outside
    if isinstance(restore, str) or (restore is not None and restore.delta is None):
        wrong.append('restore: a book is restored to a delta, like { delta = "0" }')
    if wrong or outside is None:
        yield from wrong
        return
    target = _delta_of(table)
    room = outside.band - abs(target if target is not None else Decimal(0))
    if target is None and any(a != "alert" for a in table.actions):
        yield 'restore: is missing; say where to get to, like { delta = "0" }, or only alert'
    if target is not None and abs(target) >= outside.band:
        yield f"restore.delta: {target} must lie inside the band of {outside.band}, or the rule never rests"
    elif table.min_trade is not None and not 0 < table.min_trade <= room:
        yield f"min_trade: {table.min_trade} must be positive, and at most the {room} from target to band"
    if any(a != "alert" for a in table.actions) and "hedge" not in table.actions:
        yield 'actions: add_margin and unwind go with "hedge"'
    if table.min_margin_ratio is not None and not LEAST_RATIO <= table.min_margin_ratio < 1:
        yield f'min_margin_ratio: must lie between {LEAST_RATIO} and 1; write 15 % as "0.15"'
    yield from limit_faults(table.limits)


def _bounds(table: RuleTable) -> Iterator[str]:
    when, restore = table.when, table.restore
    for name in ("margin_ratio_below", "liquidation_distance_below", "trailing_stop"):
        value: Decimal | None = getattr(when, name)
        if value is not None and not 0 < value < 1:
            yield f'when.{name}: {value} must lie between 0 and 1; write 20 % as "0.20"'
    for name in ("leverage_above", *PRICES):
        value = getattr(when, name)
        if value is not None and value <= 0:
            yield f"when.{name}: {value} must be positive"
    if isinstance(restore, RestoreTable):
        if restore.margin_ratio is not None and restore.margin_ratio <= 0:
            yield f"restore.margin_ratio: {restore.margin_ratio} must be positive"
        if restore.leverage is not None and scaled(max(restore.leverage, Decimal(0)), WAD) == 0:
            yield f"restore.leverage: {restore.leverage} must be positive"


def _senseless(table: RuleTable, venue: str) -> Iterator[str]:
    acts = [a for a in table.actions if a != "alert"]
    measure = measure_of(table.when)
    if table.restore is None and acts:
        yield 'restore: is missing; say where to get to, like { margin_ratio = "0.20" } or "close", or only alert'
    if "add_margin" in acts and (table.restore == "close" or MEASURES[measure].is_exit):
        yield "actions: add_margin closes nothing and stops no loss; use reduce or close"
    if acts == ["add_margin"] or not acts:
        pass
    elif table.restore == "close" and "close" not in acts and "reduce" not in acts:
        yield 'actions: "close" needs the action close or reduce'
    if table.rest and measure not in PRICES:
        yield "rest: a resting order waits for a price: it goes with stop_loss or take_profit"
    elif table.rest and (table.restore != "close" or "close" not in acts):
        yield 'rest: a resting order closes the position: it goes with restore = "close" and the action close'
    elif table.rest and venue in VENUES and not VENUES[venue].keeps_orders:
        others = " or ".join(v.key for v in VENUES.values() if v.keeps_orders)
        yield f"rest: {venue} keeps no orders; leave it out, or use {others}"


def _trigger(when: WhenTable) -> PerpTrigger:
    name = measure_of(when)
    scale = USD if name in PRICES else WAD
    window = ceil(when.window) if when.window else WINDOW_S if name == "funding_above" else 0
    value: Decimal = getattr(when, name)
    bound = scaled(value, scale) if value >= 0 else -scaled(-value, scale)
    return PerpTrigger(MEASURES[name], bound, when.market.upper() if when.market else None, window)


def _target(restore: RestoreTable | str | None, trigger: PerpTrigger) -> PerpTarget | None:
    if restore is None:
        return None
    if isinstance(restore, str):
        return ExitTarget(trigger.market)
    if restore.margin_ratio is not None:
        return MarginTarget(Wad(scaled(restore.margin_ratio, WAD)), f"margin ratio {restore.margin_ratio}")
    assert restore.leverage is not None  # noqa: S101 - checked as a fault
    ratio = mul_div_up(WAD, WAD, scaled(restore.leverage, WAD))
    return MarginTarget(Wad(ratio), f"leverage {restore.leverage}")


def _delta_of(table: RuleTable) -> Decimal | None:
    return table.restore.delta if isinstance(table.restore, RestoreTable) else None


def least_ratio_of(table: RuleTable) -> Decimal:
    """Return the margin ratio below which a rule's own trades never take a hedge."""
    return table.min_margin_ratio or Decimal("0.15")


def _signed(value: Decimal) -> int:
    return scaled(value, WAD) if value >= 0 else -scaled(-value, WAD)
