"""A book that stands naked: reported at every step, and its first leg unwound when the second cannot be had in time."""

from __future__ import annotations

from functools import partial

from keeper.core import rules
from keeper.core.book import unhedged as legs
from keeper.core.book.rules import BookAssessment, subject_of, underlying_of
from keeper.core.book.unhedged import Leg, NextStep
from keeper.core.decide import Hold
from keeper.core.held_back import left_today, not_now
from keeper.core.lending.actions import DELEVERAGE
from keeper.core.lending.metrics import CLOSED, LTV
from keeper.core.lending.rules import LendingAssessment, LendingIntent
from keeper.core.metrics import Target, Trigger
from keeper.core.notices import sentence
from keeper.core.reasons import Reason
from keeper.core.scales import Beyond
from keeper.core.snapshot import Snapshot
from keeper.core.units import WAD, Usd, Wei, mul_div_down
from keeper.engine.decide import without_its_own
from keeper.engine.engine import Engine
from keeper.engine.lending.assess import judge
from keeper.engine.lending.departure import LendingDeparture
from keeper.engine.lending.plan import find_plans, first_loan_plan, rehearsed_now
from keeper.engine.lending.preflight import Prepared
from keeper.engine.notices import clipped
from keeper.engine.perp.assess import judge_book
from keeper.engine.perp.notices import delta_text, standing_of
from keeper.engine.perp.orders import can_take_back
from keeper.engine.recheck import Anew, newest
from keeper.engine.submit import submit
from keeper.execution.recheck import Unsure

NOTHING = Usd(0)
QUIET = (Reason.HEALTHY, Reason.AT_TARGET, Reason.COOLDOWN, Reason.IN_FLIGHT, Reason.ALERT_ONLY)
NOT_YET = (
    Reason.HEALTHY,
    Reason.AT_TARGET,
    Reason.COOLDOWN,
    Reason.IN_FLIGHT,
    Reason.ORDER_PENDING,
    Reason.SIGNER_BUSY,
)
"""Holds after which the hedge can still be had: these do not last, and nothing is unwound for them."""


async def stand_by(engine: Engine, snapshot: Snapshot, assessed: BookAssessment, hold: Hold | None) -> None:
    """Report how a book outside its band stands, and unwind its first leg when the time for the second is over.

    ``hold`` is why no hedge is traded at this block; None when one is on its way.
    """
    naked, rule = assessed.naked, assessed.rule
    subject = f"naked:{subject_of(rule)}"
    if naked.since is None:
        engine.observer.over(subject, standing_of(assessed))
    if naked.since is None or not rule.actions:
        return
    step = _step(engine, snapshot, assessed)
    if naked.tries or step is NextStep.UNWIND or (hold is not None and hold.reason not in QUIET):
        due = step.value.replace("_", " ")
        why = f"{hold.reason.short}{f' ({clipped(hold.detail)})' if hold.detail else ''}" if hold else ""
        tried = f"{naked.tries} orders failed, next: {due}"
        body = sentence(f"rule {rule.name}: {delta_text(assessed)}", tried, why, hold.reason.remedy if hold else "")
        title = f"{rule.position} is not hedged: {due}"
        name = f"{rule.position} is hedged again (rule {rule.name})"
        engine.observer.raise_alarm(f"{subject}:{step.value}", title, body, subject=subject, name=name)
    if step is not NextStep.UNWIND or hold is None or hold.reason in NOT_YET:
        return
    departure = await unwinding(engine, snapshot, assessed)
    if departure is not None:
        await submit(engine, departure)


def gives_up(assessed: BookAssessment) -> bool:
    """Return whether the hedge is not tried any more while the first leg can be unwound: see ``legs.is_over``."""
    return assessed.unwinds is not None and legs.is_over(assessed.naked, assessed.exposure.book.budget)


def _step(engine: Engine, snapshot: Snapshot, assessed: BookAssessment) -> NextStep:
    """Return what is due, from what the venues list."""
    book, now = assessed.exposure.book, snapshot.block.timestamp
    hedges = [p for p in snapshot.perps if p.name in book.hedges]
    waiting = [(p.name, o) for p in hedges for o in p.orders if not o.kind.rests]
    leg, age, can_cancel = Leg.NONE, 0, False
    if waiting:
        name, oldest = min(waiting, key=lambda one: one[1].updated_at)
        leg, age = (Leg.FROZEN if oldest.is_frozen else Leg.ORDERED), now - oldest.updated_at
        can_cancel = can_take_back(engine, name, age)
    elif assessed.naked.tries:
        leg = Leg.FAILED
    return legs.next_step(assessed.naked, leg, age, book.budget, can_take_back=can_cancel)


async def unwinding(engine: Engine, snapshot: Snapshot, assessed: BookAssessment) -> LendingDeparture | None:
    """Return the rehearsed sale of what the hedge would have covered, and repay with it; None where there is none.

    Why none works is reported.
    """
    rule = assessed.rule
    intent = None if assessed.exposure.doubts else await _intent(engine, snapshot, assessed)
    if intent is None:
        return None
    signer, now = engine.reader.positions[intent.position].spender, snapshot.block.timestamp
    memory = await engine.recall_of((intent.rule,), snapshot.block)
    if await engine.paused((rule,)):
        return None  # its own name and loan are not the only ones it may be paused by
    if not_now(intent.rule, intent.position, now, memory, (signer,), is_emergency=False):
        return None
    ways = await find_plans(engine, snapshot, intent, signer)
    prepared = ways if isinstance(ways, Hold) else await first_loan_plan(engine, snapshot, ways, signer)
    if isinstance(prepared, Hold):
        body = sentence(f"{prepared.reason.short} ({clipped(prepared.detail)})", prepared.reason.remedy)
        subject, title = f"naked:{subject_of(rule)}", f"{rule.position} cannot be unwound"
        engine.observer.raise_alarm(f"unwind:{subject_of(rule)}", title, body, subject=subject)
        return None
    return LendingDeparture(engine, snapshot, prepared, partial(look_again, engine, assessed, intent))


async def look_again(
    engine: Engine, before: BookAssessment, sent: LendingIntent, own_spend: Usd
) -> Anew[Prepared] | Hold | Unsure:
    """Return what would be unwound now: by the book, for no rule of the loan's own asks for it. Raises NodeError."""
    snapshot = await newest(engine)
    engine.state.saw_prices(snapshot)
    assessed = await judge_book(engine, snapshot, before.exposure.book, before.rule)
    if assessed.exposure.doubts:  # a delta that leaves somebody out is no reason to give up, and none to pay more
        return Unsure(assessed.exposure.doubts[0].reason, assessed.exposure.doubts[0].detail)
    if paused := await engine.paused((before.rule,)):
        return sent.hold(Reason.PAUSED, next(iter(paused.values())))
    if not assessed.fired or _excess(assessed) <= 0:
        return sent.hold(Reason.HEALTHY)
    intent = await _intent(engine, snapshot, assessed, own_spend)
    if intent is None:
        return Unsure(Reason.POSITION_UNREADABLE, sent.position)
    signer = engine.reader.positions[intent.position].spender
    with engine.rehearser.again(intent.position):
        found = await rehearsed_now(engine, snapshot, intent, signer)
    return found if isinstance(found, Hold) else Anew(snapshot, found)


def _excess(assessed: BookAssessment) -> int:
    """Return how much of the first leg is to be sold: what is short, or held elsewhere, is not cured by selling it."""
    return min(-assessed.wanted, _own(assessed))


def _own(assessed: BookAssessment) -> int:
    """Return what the lending position itself is exposed to: no more than that can be sold of it."""
    rule = assessed.rule
    parts = (p for p in assessed.exposure.parts if p.holder == assessed.unwinds)
    return sum(p.delta for p in parts if p.underlying == underlying_of(rule))


async def _intent(
    engine: Engine, snapshot: Snapshot, assessed: BookAssessment, own_spend: Usd = NOTHING
) -> LendingIntent | None:
    """Return the intent to deleverage by the excess: the LTV that is left when so much is sold and repaid.

    None where nothing is to be sold, or the loan cannot be judged. ``own_spend`` is what a plan under way counts with.
    """
    position, excess = next((p for p in snapshot.loans if p.name == assessed.unwinds), None), _excess(assessed)
    if position is None or excess <= 0:
        return None
    seen = judge(engine, snapshot, position)
    if not isinstance(seen, LendingAssessment) or seen.doubt_against(DELEVERAGE):
        return None
    rule, figures = assessed.rule, seen.figures
    worth = mul_div_down(excess, assessed.exposure.prices[underlying_of(rule)], WAD)
    if worth >= figures.debt_value:
        target = CLOSED
    else:
        rest = figures.collateral_value - worth
        target = Target(LTV, mul_div_down(figures.debt_value - worth, WAD, max(1, rest)))
    lending_rule = rules.Rule(
        name=f"{rule.name}: unwind",
        position=seen.position.name,
        trigger=Trigger(LTV, Beyond.ABOVE, 0),
        target=target,
        actions=(DELEVERAGE,),
        cooldown_s=rule.cooldown_s,
        limits=rule.limits,
    )
    memory = without_its_own(await engine.recall_of((lending_rule,), seen.position.block), own_spend)
    paid = memory.gas_paid.get(seen.position.name, Wei(0))
    left = left_today(lending_rule, memory)
    return LendingIntent(seen, lending_rule, target, (DELEVERAGE,), (), left, paid, for_more_than_health=True)
