"""What is wrong with the rules of a file: each by itself, with what it names, and two that would undo each other.

Which rules undo each other follows from their metrics and actions: nothing here knows one of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import permutations
from typing import Any

from pydantic import ValidationError

from keeper.core.book.actions import HEDGE, UNWIND
from keeper.core.book.kind import BOOK
from keeper.core.book.metrics import DELTA
from keeper.core.book.rules import BookRule, underlying_of
from keeper.core.family import Family
from keeper.core.lending.kind import LENDING
from keeper.core.metrics import Target
from keeper.core.perp.kind import PERP
from keeper.core.perp.metrics import MARGIN_RATIO
from keeper.core.perp.rules import PerpRule
from keeper.core.rules import Rule
from keeper.settings.fields import is_address
from keeper.settings.raw import Raw, hedges_of, tables, text, venues_of
from keeper.settings.rule_kinds import FORMS, family_about
from keeper.settings.rule_schema import RuleTable, measure_of
from keeper.settings.rule_terms import better, written
from keeper.settings.rules import build_rule, rule_faults
from keeper.venues.registry import VENUES


def faults_of_rules(raw: Raw) -> Iterator[str]:
    """Yield every fault of every rule; only sound ones are held against each other."""
    sound, venues = dict[Family, list[RuleTable]](), venues_of(raw)
    for i, table in tables(raw, "rules"):
        try:
            rule = RuleTable.model_validate(table)
        except ValidationError:
            continue
        of = family_about(rule, venues)
        faults = [_placed(i, rule, fault) for fault in rule_faults(rule, FORMS[of], venues.get(rule.about, ""))]
        if not faults and of is Family.BOOK:
            faults = [*_not_in_its_book(raw, i, rule), *_nowhere_in_its_book(raw, i, rule)]
        if not faults and of is Family.PERP:
            faults = list(_in_its_market(raw, i, rule))
        yield from faults
        if not faults:
            sound.setdefault(of, []).append(rule)
    loans = [build_rule(rule, LENDING) for rule in sound.get(Family.LENDING, ())]
    yield from _endless(loans)
    yield from _to_and_fro(loans)
    books = [build_rule(rule, BOOK) for rule in sound.get(Family.BOOK, ())]
    yield from _twice_held([rule for rule in books if rule.actions])
    yield from _undone(raw, books, [build_rule(rule, PERP) for rule in sound.get(Family.PERP, ())])


def _placed(i: int, rule: RuleTable, fault: str) -> str:
    field, _, what = fault.partition(": ")
    return f"rules[{i}].{field} (in {rule.name!r}): {what}"


# --- what a rule names -----------------------------------------------------------------------------------------------


def _not_in_its_book(raw: Raw, i: int, rule: RuleTable) -> Iterator[str]:
    book = _book(raw, rule)
    if book and UNWIND.key in rule.actions and "unwind" not in book:
        yield f'rules[{i}].actions (in {rule.name!r}): "unwind" needs to know what: name it in the book, unwind = "…"'


def _nowhere_in_its_book(raw: Raw, i: int, rule: RuleTable) -> Iterator[str]:
    """Yield that a rule holds an underlying which none of its book's hedges trades, where their markets are named."""
    key = measure_of(rule.when)
    listed = {text(p, "name"): p for _, p in tables(raw, "positions")}
    markets = [_named_market(listed.get(name, {})) for name in hedges_of(_book(raw, rule))]
    _, named = rule.when.written(key)
    if named is None or HEDGE.key not in rule.actions or not markets or not all(markets):
        return
    if named.upper() not in markets:
        known = ", ".join(dict.fromkeys(m for m in markets if m))
        field = f"rules[{i}].when.{key}.{BOOK.metrics['delta'].named} (in {rule.name!r})"
        yield f"{field}: {named} is traded by no hedge of the book {rule.book!r}; they have {known}"


def _in_its_market(raw: Raw, i: int, rule: RuleTable) -> Iterator[str]:
    """Yield that a rule looks at a market its position does not have: it would measure nothing, and never fire."""
    of = next((p for _, p in tables(raw, "positions") if text(p, "name") == rule.position), {})
    named, market = rule.when.market, _named_market(of)
    if named and market and named.upper() != market:
        yield f"rules[{i}].when.market (in {rule.name!r}): {named} is not the market of {rule.position!r}, {market} is"


def _book(raw: Raw, rule: RuleTable) -> Mapping[str, Any]:
    return next((b for _, b in tables(raw, "books") if text(b, "name") == rule.book), {})


def _named_market(position: Raw) -> str | None:
    """Return the one market of a position by name; None where it is given by address, or may be any."""
    market = text(position, "market")
    venue = VENUES.get(text(position, "venue") or "")
    is_one = venue is not None and "market" in venue.must_name and market is not None and not is_address(market)
    return market.upper() if is_one and market else None


# --- rules against each other ----------------------------------------------------------------------------------------


def _endless(rules: list[Rule[Any]]) -> Iterator[str]:
    """Yield pairs in which a boost ends where a rescue begins: they would trade to and fro, paying each time."""
    for boost, rescue in permutations(rules, 2):
        if boost.position != rescue.position or not boost.is_boost or not boost.target:
            continue
        begins, goal = rescue.trigger, boost.target
        there = begins.at(None, goal)
        if rescue.actions and not rescue.is_boost and there is not None and begins.fires_at(there):
            let = better(begins, goal) or "move it away from there"
            yield (
                f"rules: {boost.name!r} brings the {goal.metric.words} to {_text(goal)}, where {rescue.name!r} begins: "
                f"they would never rest; {let}"
            )
        begins, end = boost.trigger, rescue.target
        there = begins.at(None, end) if end and not end.is_close else None
        if end and there is not None and not begins.rests_at(there):
            yield (
                f"rules: {rescue.name!r} brings the {end.metric.words} to {_text(end)}, where {boost.name!r} begins: "
                f"let {boost.name!r} begin beyond {_text(end)}"
            )


def _to_and_fro(rules: list[Rule[Any]]) -> Iterator[str]:
    """Yield pairs of which one brings a share to where the other begins: each would undo what the other did."""
    for one, other in permutations([rule for rule in rules if rule.rearranges and rule.target], 2):
        begins, goal = other.trigger, one.target
        is_same = goal is not None and goal.metric is begins.metric and goal.of == begins.of
        if goal is not None and is_same and one.position == other.position and begins.fires_at(goal.value):
            yield (
                f"rules: {one.name!r} brings the share to {_text(goal)}, where {other.name!r} begins: they would never "
                f"rest; move one of them away"
            )


def _twice_held(rules: list[BookRule]) -> Iterator[str]:
    """Yield rules that hold one underlying of one book: with two targets it would never rest."""
    for k, rule in enumerate(rules):
        for other in rules[:k]:
            is_held = rule.trigger.metric is DELTA and other.trigger.metric is DELTA
            if is_held and (other.position, underlying_of(other)) == (rule.position, underlying_of(rule)):
                what = f"the {underlying_of(rule)} of the book {rule.position!r}"
                yield f"rules: {other.name!r} and {rule.name!r} both hold {what}; keep one"


def _undone(raw: Raw, books: list[BookRule], rules: list[PerpRule]) -> Iterator[str]:
    """Yield rules of a hedge that would trade it smaller again where a book's rule may take its margin ratio."""
    hedges = {text(book, "name"): hedges_of(book) for _, book in tables(raw, "books")}
    for rule in (book for book in books if book.actions):
        least = Target(MARGIN_RATIO, rule.limits.least_margin_ratio)
        for other in rules:
            there = other.trigger.at(None, least)
            trades = any(action.trades for action in other.actions)
            if there is None or not trades or other.position not in hedges.get(rule.position, []):
                continue
            if other.trigger.fires_at(there):
                let = (better(other.trigger, least) or "higher").removeprefix("write ")
                yield (
                    f"rules: {rule.name!r} may take the margin ratio of {other.position!r} down to {_text(least)}, "
                    f"where {other.name!r} closes it again; let min_margin_ratio be {let}"
                )


def _text(target: Target[Any]) -> str:
    return written(target.value, target.metric.unit)
