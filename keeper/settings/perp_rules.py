"""From rules for perpetual positions and books as written to rules that can fire; and what is wrong in them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from math import ceil

from keeper.core.actions import ALERT
from keeper.core.book.actions import ACTIONS as BOOK_ACTIONS
from keeper.core.book.actions import HEDGE, UNWIND
from keeper.core.book.position import Book
from keeper.core.book.rules import HedgeRule
from keeper.core.book.unhedged import NakedBudget
from keeper.core.perp.candidates import ACTIONS
from keeper.core.perp.metrics import METRICS, STOP_LOSS, TAKE_PROFIT, closed
from keeper.core.perp.rules import PerpRule
from keeper.core.rules import Rule
from keeper.core.units import WAD, Wad, scaled
from keeper.settings.fields import as_address
from keeper.settings.model import Signer
from keeper.settings.perp_schema import BookTable
from keeper.settings.rule_keys import triggers_of
from keeper.settings.rule_schema import RestoreTable, RuleTable, measure_of
from keeper.settings.rule_terms import (
    actions_of,
    bound_faults,
    misplaced_target,
    side_faults,
    target_of,
    trigger_of,
    unfit,
)
from keeper.settings.rules import limit_faults, limits_of, misplaced
from keeper.venues.registry import VENUES

RESTING = (STOP_LOSS.key, TAKE_PROFIT.key)
"""What a venue can watch for by itself: an order that rests with it."""
LEAST_RATIO = Decimal("0.02")
"""A hedge nearer to liquidation than that is lost with the next move of the price."""


def build_perp_rule(table: RuleTable) -> PerpRule:
    """Return the rule of a table in which ``perp_rule_faults`` finds nothing."""
    trigger = trigger_of(table.when, METRICS)
    return Rule(
        name=table.name,
        position=table.about,
        trigger=trigger,
        target=target_of(table.restore, METRICS, closed(trigger.of.symbol)),
        actions=actions_of(table, ACTIONS),
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
        actions=actions_of(table, BOOK_ACTIONS),
        unwinds=book.unwind if UNWIND.key in table.actions else None,
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
    wrong = list(
        misplaced(table, "perp", frozenset(triggers_of(METRICS)), frozenset((*ACTIONS, ALERT)), "a perpetual position")
    )
    restore = table.restore
    wrong += misplaced_target(restore, METRICS, "a perpetual position")
    if wrong:
        yield from wrong
        return
    faults = [*bound_faults(table.when, restore, METRICS), *_senseless(table, venue), *limit_faults(table.limits)]
    yield from faults
    if not faults:
        trigger = trigger_of(table.when, METRICS)
        yield from side_faults(trigger, target_of(restore, METRICS, closed(trigger.of.symbol)))


def hedge_rule_faults(table: RuleTable) -> Iterator[str]:
    """Yield what contradicts itself in a rule about a book."""
    wrong = list(misplaced(table, "book", frozenset({"delta_outside"}), frozenset((*BOOK_ACTIONS, ALERT)), "a book"))
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
    if actions_of(table, BOOK_ACTIONS) and HEDGE.key not in table.actions:
        yield 'actions: add_margin and unwind go with "hedge"'
    if table.min_margin_ratio is not None and not LEAST_RATIO <= table.min_margin_ratio < 1:
        yield f'min_margin_ratio: must lie between {LEAST_RATIO} and 1; write 15 % as "0.15"'
    yield from limit_faults(table.limits)


def _senseless(table: RuleTable, venue: str) -> Iterator[str]:
    acts = [a for a in table.actions if a != "alert"]
    measure = measure_of(table.when)
    if table.restore is None and acts:
        yield 'restore: is missing; say where to get to, like { margin_ratio = "0.20" } or "close", or only alert'
    yield from unfit(table, METRICS)
    if "add_margin" in acts and table.restore == "close" and not list(unfit(table, METRICS)):
        yield "actions: add_margin closes nothing and stops no loss; use reduce or close"
    if acts == ["add_margin"] or not acts:
        pass
    elif table.restore == "close" and "close" not in acts and "reduce" not in acts:
        yield 'actions: "close" needs the action close or reduce'
    if table.rest and measure not in RESTING:
        yield "rest: a resting order waits for a price: it goes with stop_loss or take_profit"
    elif table.rest and (table.restore != "close" or "close" not in acts):
        yield 'rest: a resting order closes the position: it goes with restore = "close" and the action close'
    elif table.rest and venue in VENUES and not VENUES[venue].keeps_orders:
        others = " or ".join(v.key for v in VENUES.values() if v.keeps_orders)
        yield f"rest: {venue} keeps no orders; leave it out, or use {others}"


def _delta_of(table: RuleTable) -> Decimal | None:
    return table.restore.delta if isinstance(table.restore, RestoreTable) else None


def least_ratio_of(table: RuleTable) -> Decimal:
    """Return the margin ratio below which a rule's own trades never take a hedge."""
    return table.min_margin_ratio or Decimal("0.15")


def _signed(value: Decimal) -> int:
    return scaled(value, WAD) if value >= 0 else -scaled(-value, WAD)
