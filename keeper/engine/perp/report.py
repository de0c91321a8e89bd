"""What was seen, decided and done about perpetual positions, as plain data: journal, --json, explain."""

from __future__ import annotations

from keeper.core.perp import margin as perps
from keeper.core.perp.moves import AddMargin, AllowMargin, PerpMove, TakeMargin, Trade
from keeper.core.perp.plan import PerpPlan
from keeper.core.perp.position import PerpLeg, PerpPosition
from keeper.core.perp.pricing import base_usd
from keeper.core.perp.rules import PerpAssessment
from keeper.core.rules import Unjudged
from keeper.core.units import INFINITE, WAD, Wei, decimal_of
from keeper.engine import report
from keeper.engine.perp.preflight import PerpPrepared
from keeper.engine.report import Data
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
        return report.unjudged(of)
    return position(of.position) | report.ruled(of, of.doubts)


def plan(of: PerpPlan, calls: tuple[Call, ...] = (), ceiling: Wei | None = None) -> Data:
    """Return a plan with its steps, cost and promise; with calldata where it was encoded."""
    steps = [
        {"move": type(s.move).__name__, **_move(of.before, s.move), "spend_usd": decimal_of(s.spend, 8, 2)}
        for s in of.steps
    ]
    made = report.plan(of, figures(of.before), figures(of.projected), steps, calls)
    for step, call in zip(steps, calls, strict=False):
        step["value_wei"] = str(call.value)
    return made | report.fee(None, ceiling)


def rehearsal(of: PerpPrepared) -> Data:
    """Return how a rehearsal went."""
    return report.rehearsal(of.how, of.where, of.gas_used, figures(of.after))


def outcome(of: PerpOutcome) -> Data:
    """Return what came of a plan, and the orders that wait."""
    return report.outcome(of, figures) | {"waiting_orders": list(of.waiting)}


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
