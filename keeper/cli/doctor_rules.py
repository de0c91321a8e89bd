"""Rules held against what is there: those that measure nothing, and those that could do nothing if they fired now."""

from __future__ import annotations

import difflib
from collections.abc import Iterator

from keeper.cli.doctor_findings import Finding, failing, fine, warning
from keeper.core.book.kind import BOOK
from keeper.core.book.position import BookPosition, exposure
from keeper.core.book.rules import BookRule
from keeper.core.lending.actions import REPAY, TOP_UP
from keeper.core.lending.kind import LENDING
from keeper.core.lending.named import secures
from keeper.core.lending.rules import LendingAssessment, Rule
from keeper.core.perp.kind import PERP
from keeper.core.perp.metrics import is_named
from keeper.core.perp.position import PerpPosition
from keeper.core.perp.rules import PerpRule
from keeper.core.reasons import Reason
from keeper.core.rules import NO_TRAIL, too_late, verdict_of
from keeper.core.snapshot import LendingPosition, Snapshot
from keeper.engine.lending.assess import judge
from keeper.service.opened import Opened

FALLBACK = 'add one with a fixed figure below it, say when = { health_factor_below = "1.10" }'
TOO_LATE = "move its bound to where the position is still to be saved"


def examine_rules(engine: Opened, snapshot: Snapshot) -> Iterator[Finding]:
    """Yield what is wrong with rules at a block; or once that nothing is."""
    found = list[Finding]()
    for position in snapshot.positions:
        if isinstance(position, LendingPosition):
            found += _lending(engine, snapshot, position)
        elif isinstance(position, PerpPosition):
            found += [f for rule in engine.perps.rules if rule.position == position.name for f in _perp(rule, position)]
    found += [blind for rule in engine.perps.book_rules for blind in _book(engine, snapshot, rule)]
    yield from found
    yield from _unruled(engine)
    if not found and (engine.state.rules or engine.perps.rules or engine.perps.book_rules):
        yield fine("rules", "each measures something, and could act if it fired now")


def _unruled(engine: Opened) -> Iterator[Finding]:
    """Yield the positions that no rule is about, their own or a book's: whatever happens to them, nobody hears."""
    books = {rule.position for rule in engine.perps.book_rules}  # a book is what they are about
    held = {name for book in engine.perps.books if book.name in books for name in (*book.positions, *book.hedges)}
    ruled = held | {rule.position for rule in engine.state.rules} | {rule.position for rule in engine.perps.rules}
    for name in engine.reader.positions:
        if name not in ruled:
            text = "none is about it: nothing would be done, and nobody would hear"
            yield warning(f"rules of {name}", text, 'add one to [[rules]]; actions = ["alert"] only warns')


def _lending(engine: Opened, snapshot: Snapshot, position: LendingPosition) -> Iterator[Finding]:
    assessed = judge(engine, snapshot, position)
    if not isinstance(assessed, LendingAssessment):
        return
    acting = [v.rule for v in assessed.verdicts if v.rule.actions and not v.rule.is_boost]
    if acting and all(map(_needs_history, acting)):
        text = "every rule that helps it rests on how prices moved, and without a history of them none can fire"
        yield warning(f"rules of {position.name}", text, FALLBACK)
    for verdict in assessed.verdicts:
        topic = f"rule {verdict.rule.name}"
        if verdict.doubt is not None and verdict.doubt.reason is not Reason.UNMEASURED:
            text = f"measures nothing{_blind(engine, verdict.rule, position, verdict.doubt.detail)}"
            yield failing(topic, text, verdict.doubt.reason.remedy)
        elif line := too_late(LENDING, verdict.rule, position):
            yield failing(topic, line, TOO_LATE)
        elif line := _penniless(engine, snapshot, verdict.rule):
            yield failing(topic, line, "send it some")


def _needs_history(rule: Rule) -> bool:
    """Return whether a rule measures nothing without one; a bound that widens is then the one that is written."""
    target = rule.target
    return rule.trigger.metric.looks_ahead or (target is not None and target.metric.looks_ahead)


def _blind(engine: Opened, rule: Rule, position: LendingPosition, detail: str) -> str:
    """Return why a rule measures nothing: its asset is not one, or what it needs of it is not known."""
    is_one = len(secures(position, rule.trigger.of)) == 1
    return f": {detail.removeprefix(f'rule {rule.name}: ')}" if is_one else _meant(engine, rule)


def _meant(engine: Opened, rule: Rule) -> str:
    asset = rule.trigger.of.symbol
    symbols = sorted({x.symbol for x in engine.reader.known.listings.values()})
    if asset is None:
        return ': the position has several collaterals; name one: when = { …, asset = "…" }'
    named = [s for s in symbols if s.lower() == asset.lower()]
    if named:
        return f": the market lists {asset!r} more than once, or the position does not use it"
    close = difflib.get_close_matches(asset.upper(), [s.upper() for s in symbols], n=1, cutoff=0.5)
    likely = [s for s in symbols if s.upper() == f"W{asset.upper()}"] or [s for s in symbols if s.upper() in close]
    hint = f"did you mean {likely[0]!r}?" if likely else f"it lists {', '.join(symbols)}"
    return f": the market has no {asset!r}; {hint}"


def _penniless(engine: Opened, snapshot: Snapshot, rule: Rule) -> str | None:
    """Return that a rule has nothing to act with: only its signer's wallet could help, and it is empty."""
    acting = set(rule.actions)
    place = engine.reader.positions[rule.position]
    needs_wallet = {TOP_UP, REPAY} if place.spender != place.owner else {TOP_UP}
    wallet = snapshot.wallets.get(place.spender)
    if not acting or not acting <= needs_wallet or wallet is None or any(wallet.tokens.values()):
        return None
    return f"can do nothing now: the wallet of {place.spender} holds no token of this market"


def _book(engine: Opened, snapshot: Snapshot, rule: BookRule) -> Iterator[Finding]:
    book = engine.perps.book(rule.position)
    hedges = tuple(p for p in snapshot.perps if p.name in book.hedges)
    lent = tuple(p for p in snapshot.loans if p.name in book.positions)
    seen = exposure(book, snapshot, engine.native_symbol)
    verdict = verdict_of(
        BOOK, rule, BookPosition(seen, hedges, snapshot.block, market=engine.state.market, lent=lent), NO_TRAIL
    )
    if verdict.doubt and not seen.doubts:
        yield failing(f"rule {rule.name}", f"measures nothing: {verdict.doubt.detail}", verdict.doubt.reason.remedy)


def _perp(rule: PerpRule, position: PerpPosition) -> Iterator[Finding]:
    topic, metric = f"rule {rule.name}", rule.trigger.metric
    symbols = sorted({leg.symbol for leg in position.legs})
    market = rule.trigger.of.symbol
    if metric.is_of_an_asset and market and not any(is_named(leg, market) for leg in position.legs):
        there = f"the position has {', '.join(symbols)}" if any(symbols) else "the market does not name itself"
        yield failing(
            topic, f"measures nothing: there is no {market!r} here; {there}", "leave `market` out, or correct it"
        )
    elif metric.is_of_an_asset and not market and len(symbols) > 1:
        yield failing(topic, "measures nothing: the position has several markets", f"name one of {', '.join(symbols)}")
    if line := too_late(PERP, rule, position):
        yield failing(topic, line, TOO_LATE)
