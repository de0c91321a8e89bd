"""What was seen, decided and done about perpetual positions and books, as plain data: journal, --json, explain."""

from __future__ import annotations

from keeper.core.book import unhedged as legs
from keeper.core.book.carry import Carry
from keeper.core.book.rules import BookAssessment, goal_of, underlying_of
from keeper.core.perp import margin as perps
from keeper.core.perp.moves import AddMargin, AllowMargin, PerpMove, TakeMargin, Trade
from keeper.core.perp.plan import PerpPlan
from keeper.core.perp.position import PerpLeg, PerpPosition
from keeper.core.perp.pricing import base_usd
from keeper.core.perp.rules import PerpAssessment
from keeper.core.prices import Doubt
from keeper.core.rules import Unjudged
from keeper.core.units import INFINITE, WAD, Wei, decimal_of, usd_text
from keeper.engine import report
from keeper.engine.perp.preflight import PerpPrepared
from keeper.engine.report import Data, verdict
from keeper.execution.outcome import PerpOutcome
from keeper.venues.ports import Call


def figures(of: PerpPosition) -> Data:
    """Return an account's figures; None means infinite."""
    return {
        "equity_usd": _usd(of, perps.equity(of)),
        "requirement_usd": _usd(of, perps.requirement(of)),
        "notional_usd": _usd(of, perps.basis(of)),
        "margin_ratio": _ratio(perps.margin_ratio(of)),
        "leverage": _ratio(perps.leverage(of)),
        "liquidation_distance": _ratio(perps.liquidation_distance(of)),
        "funding_per_day_usd": _usd(of, perps.funding_per_day(of)),
    }


def position(of: PerpPosition) -> Data:
    """Return a position with its legs, margin, and the orders that rest with the venue."""
    return {
        "name": of.name,
        "venue": of.venue,
        "owner": of.owner,
        "margin": {"asset": of.collateral_symbol, "usd": _usd(of, perps.margin_value(of)), "free": _free(of)},
        "legs": [_leg(of, leg) for leg in of.legs],
        "orders": [
            {
                "key": o.key,
                "kind": o.kind.value,
                "size_usd": _usd(of, o.size_usd),
                "trigger_price": _price(of, of.leg(o.market), o.trigger_price) if o.trigger_price else None,
                "is_frozen": o.is_frozen,
            }
            for o in of.orders
        ],
        "figures": figures(of),
    }


def assessment(of: PerpAssessment | Unjudged) -> Data:
    """Return what the rules say of a position."""
    if isinstance(of, Unjudged):
        return report.assessment(of)
    return {
        **position(of.position),
        "readable": True,
        "rules": [verdict(v) for v in of.verdicts],
        "doubts": [{"reason": d.reason.code, "detail": d.detail} for d in of.doubts],
    }


def book(of: BookAssessment, carry: Carry | None = None) -> Data:
    """Return a book's exposure, by whom it is held, and what of the naked-delta budget is used."""
    rule = of.rule
    return {
        "name": of.exposure.book.name,
        "readable": not of.exposure.doubts,
        "underlying": underlying_of(rule),
        "delta": decimal_of(of.delta, 18, 6),
        "band": decimal_of(rule.trigger.bound, 18, 6),
        "target": decimal_of(goal_of(rule), 18, 6),
        "parts": [
            {"holder": p.holder, "asset": p.symbol, "underlying": p.underlying, "delta": decimal_of(p.delta, 18, 6)}
            for p in of.exposure.parts
        ],
        "outside_since": of.naked.since,
        "naked": legs.budget_text(of.naked, of.exposure.book.budget) if of.naked.since is not None else None,
        "failed_orders": of.naked.tries,
        "carry": _carry(carry) if carry else None,
        "doubts": [{"reason": d.reason.code, "detail": d.detail} for d in _doubts_of(of)],
    }


def _doubts_of(of: BookAssessment) -> tuple[Doubt, ...]:
    """Return what speaks against believing a book's delta, and against trading for it."""
    if of.exposure.doubts:
        return (*of.exposure.doubts, *of.doubts)
    return (*(v.doubt for v in of.verdicts if v.doubt), *of.doubts)


def _carry(found: Carry) -> Data:
    """Return what holding the book brings or costs in a day at present rates, and the hedge's break-even."""
    if found.days is not None:
        even = f"{found.days} days"
        line = f"the hedge earns {_base(found.funding)} a day: {even} pay for entering and leaving it"
    elif found.move:
        share = decimal_of(found.move * 100, 18, 3)
        even = f"{share} % a day"
        line = f"the hedge costs {_base(-found.funding)} a day: a fall of {share} % in a day is worth as much"
    else:
        even, line = "–", "the hedge costs no funding now"
    earned = f"supplied {_base(found.supplied)}, borrowed {_base(-found.borrowed)}, funding {_base(found.funding)}"
    return {
        "per_day_usd": decimal_of(found.per_day, 8, 2),
        "supply_per_day_usd": decimal_of(found.supplied, 8, 2),
        "borrow_per_day_usd": decimal_of(-found.borrowed, 8, 2),
        "funding_per_day_usd": decimal_of(found.funding, 8, 2),
        "enter_and_leave_usd": decimal_of(found.to_open, 8, 2),
        "per_day": _base(found.per_day),
        "break_even": even,
        "lines": [
            f"carry {_base(found.per_day)} a day: {earned}",
            f"{line}; entering and leaving costs about {_base(found.to_open)}",
        ],
    }


def _base(dollars: int) -> str:
    """Return dollars for people; less than a cent is nothing."""
    cents = abs(dollars) // 10**6 * 10**6
    return usd_text(-cents if dollars < 0 and cents else cents)


def judged(of: PerpAssessment | BookAssessment | Unjudged) -> Data:
    """Return what was judged, a position or a book, as plain data."""
    return book(of) if isinstance(of, BookAssessment) else assessment(of)


def plan(of: PerpPlan, calls: tuple[Call, ...] = (), ceiling: Wei | None = None) -> Data:
    """Return a plan with its steps, cost and promise; with calldata where it was encoded."""
    steps = [
        {"move": type(s.move).__name__, **_move(of.before, s.move), "spend_usd": decimal_of(s.spend, 8, 2)}
        for s in of.steps
    ]
    for step, call in zip(steps, calls, strict=False):
        step |= {"purpose": call.purpose, "to": call.to, "data": "0x" + call.data.hex(), "value_wei": str(call.value)}
    cost = of.cost
    return {
        "label": of.label,
        "is_partial": of.is_partial,
        "cost_usd": {
            "gas": decimal_of(cost.gas, 8, 4),
            "trading": decimal_of(cost.trading, 8, 4),
            "capital": decimal_of(cost.capital, 8, 4),
            "total": decimal_of(cost.total, 8, 4),
        },
        "spend_usd": decimal_of(of.spend, 8, 2),
        "before": figures(of.before),
        "projected": figures(of.projected),
        "promise": str(of.postcondition),
        "steps": steps,
        "fee_ceiling": {"gwei": None if ceiling is None else decimal_of(ceiling, 9)},
    }


def rehearsal(of: PerpPrepared) -> Data:
    """Return how a rehearsal went."""
    return {"passed": True, "where": of.where, "gas_used": sum(of.gas_used), "after": figures(of.after)}


def outcome(of: PerpOutcome) -> Data:
    """Return what came of a plan."""
    return {
        "kind": of.kind,
        "reason": of.reason.code,
        "detail": of.detail,
        "after": figures(of.after) if of.after else None,
        "transactions": list(of.hashes),
        "waiting_orders": list(of.waiting),
    }


def _leg(of: PerpPosition, leg: PerpLeg) -> Data:
    low = perps.liquidation_price(of, leg.market) if leg.size else None
    return {
        "market": leg.symbol,
        "address": leg.market,
        "side": "long" if leg.size > 0 else "short" if leg.size < 0 else "none",
        "size": decimal_of(leg.size * WAD // leg.size_unit, 18, 6),
        "notional_usd": _usd(of, perps.notional(leg)),
        "entry_price_usd": _price(of, leg, perps.entry_price(leg)),
        "mark_price_usd": _price(of, leg, leg.mark_price),
        "mark_price": str(leg.mark_price),
        "index_price_usd": _price(of, leg, leg.index_price),
        "unrealized_pnl_usd": _usd(of, perps.unrealized_pnl(leg)),
        "funding_owed_usd": _usd(of, leg.funding_owed),
        "borrowing_owed_usd": _usd(of, leg.borrowing_owed),
        "funding_rate_year": decimal_of(leg.funding_rate, 18, 4),
        "liquidation_price_usd": None if low is None else _price(of, leg, low),
        "price_updated_at": leg.oracle.updated_at,
    }


def _move(of: PerpPosition, move: PerpMove) -> Data:
    if isinstance(move, Trade):
        leg = of.leg(move.market)
        return {
            "market": leg.symbol,
            "size": decimal_of(move.size_change * WAD // leg.size_unit, 18, 6),
            "worst_price_usd": _price(of, leg, move.worst_price),
            "is_close": move.is_close,
        }
    if isinstance(move, AddMargin | TakeMargin | AllowMargin):
        return {"asset": of.collateral_symbol, "amount": decimal_of(move.amount, of.collateral_decimals)}
    return {}


def _usd(of: PerpPosition, dollars: int) -> str:
    base = base_usd(of, abs(dollars))
    return decimal_of(-base if dollars < 0 else base, 8, 2)


def _price(of: PerpPosition, leg: PerpLeg, price: int) -> str:
    return decimal_of(price * leg.size_unit * 10**8 // (leg.price_scale * of.usd_unit), 8, 4)


def _free(of: PerpPosition) -> str:
    return decimal_of(of.free_margin, of.collateral_decimals)


def _ratio(value: int) -> str | None:
    return None if value >= INFINITE else decimal_of(value, 18, 6)
