"""What the keeper saw, decided and did, as plain data: for the journal, for ``--json``, for ``keeper explain``.

Amounts are decimal text with their unit in the key or beside them; nothing is rounded up for looks.
"""

from __future__ import annotations

from typing import Any

from keeper.core.book.rules import BookIntent
from keeper.core.decide import Hold
from keeper.core.fee_budget import Stake
from keeper.core.lending import distances
from keeper.core.lending import figures as lending
from keeper.core.lending.moves import Approve, Flash, Move, Swap
from keeper.core.lending.plan import Plan
from keeper.core.lending.position import Barred, Holding
from keeper.core.lending.proposals import Cost, Rejected
from keeper.core.lending.rules import LendingAssessment, LendingIntent
from keeper.core.lending.slippage import slippage_of
from keeper.core.metrics import P
from keeper.core.perp.rules import PerpIntent
from keeper.core.rules import Unjudged, Verdict
from keeper.core.snapshot import AccountFigures, LendingPosition, Snapshot
from keeper.core.units import BPS, INFINITE, WAD, Address, Wei, decimal_of, mul_div_down, ratio_text
from keeper.execution.encoding import PlannedCall
from keeper.execution.outcome import Outcome
from keeper.execution.rehearsal import Refused, Rehearsed

Data = dict[str, Any]


def figures(of: AccountFigures) -> Data:
    """Return an account's figures; the health factor exact (wad) and for people. None means infinite."""
    infinite = of.health_factor >= INFINITE
    return {
        "health_factor": None if infinite else decimal_of(of.health_factor, 18),
        "collateral_usd": decimal_of(of.collateral_value, 8),
        "debt_usd": decimal_of(of.debt_value, 8),
        "equity_usd": decimal_of(of.collateral_value - of.debt_value, 8),
        "ltv": decimal_of(lending.current_ltv(of), 18, 6) if of.collateral_value else None,
        "liquidation_threshold_bps": of.average_threshold,
        "available_borrows_usd": decimal_of(of.available_borrows, 8),
        "liquidation_distance": decimal_of(lending.liquidation_distance(of), 18, 6),
    }


def position(of: LendingPosition, account: lending.Loan | None) -> Data:
    """Return a position with its balances, prices and where they came from."""
    return {
        "name": of.name,
        "venue": of.venue,
        "owner": of.owner,
        **of.model.facts,
        "balances": [_balance(h, account) for h in of.held],
        "protocol": figures(of.reported),
    }


def assessment(of: LendingAssessment | Unjudged) -> Data:
    """Return what the rules say of a position."""
    if isinstance(of, Unjudged):
        return {"name": of.name, "readable": False, "reason": of.doubt.reason.code, "detail": of.doubt.detail}
    return {
        **position(of.position, of.account),
        "readable": True,
        "figures": figures(of.figures),
        "liquidates": _liquidates(of),
        "rules": [verdict(v) for v in of.verdicts],
        "doubts": [{"reason": d.reason.code, "detail": d.detail} for d in of.all_doubts],
    }


def inputs(snapshot: Snapshot, judged: Data) -> Data:
    """Return everything a decision rests on: block, prices with their rounds, and what was judged as plain data."""
    block = snapshot.block
    return {
        "block": {"number": block.number, "hash": block.hash, "timestamp": block.timestamp},
        "base_fee_wei": str(block.base_fee),
        "position": judged,
        "second_prices": [
            {"asset": p.asset, "origin": p.origin, "answers": [decimal_of(a, 8) for a in p.answers]}
            for p in snapshot.seconds.values()
        ],
        "stands_for": [
            {"asset": b.asset, "of": b.of, "rate": decimal_of(b.rate, 18), "worth": decimal_of(b.worth, 8)}
            for b in snapshot.backings.values()
        ],
        "sequencer_up": None if snapshot.sequencer is None else snapshot.sequencer.is_up,
    }


def decision(of: Hold | LendingIntent | PerpIntent | BookIntent) -> Data:
    """Return a decision: held and why, or what is meant to be done."""
    if isinstance(of, Hold):
        return {
            "kind": "hold",
            "rule": of.rule,
            "reason": of.reason.code,
            "text": of.reason.short,
            "detail": of.detail,
            "remedy": of.reason.remedy,
        }
    left = None if of.left_today is None else decimal_of(of.left_today, 8, 2)
    base = {"kind": "act", "rule": of.rule.name, "target": str(of.target), "left_today_usd": left}
    forbidden = [{"action": a.key, "reason": d.reason.code, "detail": d.detail} for a, d in of.forbidden]
    more = {"slippage_bps": _slippage(of)} if isinstance(of, LendingIntent) else {}
    return base | {"actions": [a.key for a in of.actions], "forbidden": forbidden} | more


def _slippage(of: LendingIntent) -> Data:
    """Return what a sale may lose: as a rule, by now, at most."""
    found = slippage_of(of.rule, of.assessment, of.outrun)
    return {"usual": found.usual, "now": found.widened, "worst": found.worst}


def plan(of: Plan, calls: tuple[PlannedCall, ...] = ()) -> Data:
    """Return a plan with its steps, cost and promise; with calldata where it was encoded."""
    symbols = {h.asset: h for h in of.intent.assessment.position.holdings}
    steps = [
        {
            "move": type(s.move).__name__,
            **_move(s.move, symbols),
            "spend_usd": decimal_of(s.spend, 8, 2),
            "health_factor_after": ratio_text(s.health_after),
        }
        for s in of.steps
    ]
    for step, planned in zip(steps, calls, strict=False):
        step |= {"purpose": planned.call.purpose, "to": planned.call.to, "data": "0x" + planned.call.data.hex()}
    return {
        "label": of.label,
        "is_partial": of.is_partial,
        "cost_usd": _cost(of.cost),
        "spend_usd": decimal_of(of.spend, 8, 2),
        "before": figures(of.before),
        "projected": figures(of.projected),
        "promise": str(of.postcondition),
        "steps": steps,
    }


def fee(of: Stake | None, ceiling: Wei | None) -> Data:
    """Return the highest fee per gas and the sum it comes from: bonus × collateral at risk × how near × share."""
    if of is None:
        return {"fee_ceiling": {"gwei": None if ceiling is None else decimal_of(ceiling, 9)}}
    return {
        "fee_ceiling": {
            "gwei": None if ceiling is None else decimal_of(ceiling, 9),
            "collateral_at_risk_usd": decimal_of(of.collateral_at_risk, 8, 2),
            "bonus_bps": of.bonus,
            "nearness": decimal_of(of.nearness, 18, 4),
            "expected_loss_usd": decimal_of(of.expected_loss, 8, 2),
            "averted_usd": decimal_of(of.averted, 8, 2),
            "share_bps": of.share,
            "most_fee_usd": decimal_of(of.most_fee, 8, 2),
            "danger_budget_usd": None if of.budget is None else decimal_of(of.budget, 8, 2),
            "danger_paid_usd": decimal_of(of.paid, 8, 2),
        }
    }


def rejected(of: Rejected) -> Data:
    """Return a way that was not taken."""
    return {
        "label": of.label,
        "reason": of.reason.code,
        "text": of.reason.short,
        "detail": of.detail,
        "cost_usd": _cost(of.cost) if of.cost else None,
    }


def rehearsal(of: Rehearsed | Refused) -> Data:
    """Return how a rehearsal went."""
    if isinstance(of, Refused):
        return {"passed": False, "reason": of.reason.code, "detail": of.detail}
    return {"passed": True, "how": of.how, "where": of.where, "gas_used": sum(of.gas_used), "after": figures(of.after)}


def outcome(of: Outcome) -> Data:
    """Return what came of a plan."""
    return {
        "kind": of.kind,
        "reason": of.reason.code,
        "detail": of.detail,
        "after": figures(of.after) if of.after else None,
        "transactions": list(of.hashes),
    }


def _liquidates(of: LendingAssessment) -> Data:
    """Return the least move of one price that liquidates, and of all against the position at once."""
    least = next(iter(distances.price_moves(of.account)), None)
    if least is None:
        return {"least_move": None, "all_at_once": None}
    symbol = of.position.holding(least.asset).symbol
    one = {"asset": least.asset, "symbol": symbol, "when": _way(least), "move": decimal_of(least.share, 18, 6)}
    return {
        "least_move": one | {"price_usd": decimal_of(least.price, 8)},
        "all_at_once": decimal_of(distances.together(of.account), 18, 6),
    }


def _way(move: distances.PriceMove) -> str:
    return "rises" if move.is_rise else "falls"


def _balance(of: Holding, account: lending.Loan | None) -> Data:
    move = next((m for m in distances.price_moves(account) if m.asset == of.asset), None) if account else None
    price = of.price
    return {
        "symbol": of.symbol,
        "asset": of.asset,
        "supplied": decimal_of(of.supplied, of.decimals) if account else None,
        "borrowed": decimal_of(of.borrowed, of.decimals) if account else None,
        "is_collateral": of.is_collateral,
        "price_usd": decimal_of(price.answer, 8),
        "price_updated_at": price.updated_at,
        "price_round": None if price.round_id is None else str(price.round_id),
        "liquidation_price_usd": None if move is None else decimal_of(move.price, 8),
        "liquidation_when": None if move is None else _way(move),
        "liquidation_move": None if move is None else decimal_of(move.share, 18, 6),
        "liquidation_threshold_bps": mul_div_down(of.liquidation_factor, BPS, WAD),
        "supply_rate": decimal_of(of.rates.supply, 18, 6),
        "borrow_rate": decimal_of(of.rates.borrow, 18, 6),
        "utilisation": decimal_of(of.rates.utilisation, 18, 6),
        "barred": {
            way: room.reason.code
            for way in ("supply", "withdraw", "borrow", "repay")
            if isinstance(room := getattr(of.room, way), Barred)
        },
    }


def verdict(of: Verdict[P]) -> Data:
    """Return what one rule said, whatever it is about."""
    trigger = of.rule.trigger
    scale = trigger.metric.unit.decimals
    return {
        "rule": of.rule.name,
        "measure": trigger.metric.key,
        "side": trigger.side.value,
        "bound": decimal_of(trigger.bound, scale, 6),
        "measured": None if of.measured is None or of.measured >= INFINITE else decimal_of(of.measured, scale, 6),
        "fired": of.fired,
        "doubt": of.doubt.detail if of.doubt else None,
    }


def _cost(of: Cost) -> Data:
    return {
        "gas": decimal_of(of.gas, 8, 4),
        "trading": decimal_of(of.trading, 8, 4),
        "capital": decimal_of(of.capital, 8, 4),
        "total": decimal_of(of.total, 8, 4),
    }


def _move(move: Move, reserves: dict[Address, Holding]) -> Data:
    if isinstance(move, Swap | Flash):
        given, got = reserves[move.route.tokens[0]], reserves[move.route.tokens[-1]]
        lent = {"lender": move.lender} if isinstance(move, Flash) else {}
        return {
            **lent,
            "asset": given.symbol,
            "amount": decimal_of(move.sold, given.decimals),
            "for": got.symbol,
            "bought": decimal_of(move.bought, got.decimals),
            "fees": list(move.route.fees),
        }
    reserve = reserves[move.asset]
    amount = "all" if move.amount is None else decimal_of(move.amount, reserve.decimals)
    shown: Data = {"asset": reserve.symbol, "amount": amount}
    if isinstance(move, Approve):
        shown["spender"] = move.spender
    return shown
