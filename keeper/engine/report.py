"""What the keeper saw, decided and did, as plain data: for the journal, for ``--json``, for ``keeper explain``.

Here stands what is the same for every kind; what a kind's figures are is in its own ``report``. Amounts are decimal
text with their unit in the key or beside them; nothing is rounded up for looks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from keeper.core.decide import Hold, Intent
from keeper.core.fee_budget import Stake
from keeper.core.lending.plan import Plan
from keeper.core.lending.proposals import Cost, Rejected
from keeper.core.metrics import P
from keeper.core.perp.plan import PerpPlan
from keeper.core.prices import Doubt
from keeper.core.rules import Assessment, Unjudged, Verdict
from keeper.core.snapshot import Snapshot
from keeper.core.units import INFINITE, Wei, decimal_of
from keeper.execution.encoding import Script
from keeper.execution.outcome import Ending, F
from keeper.venues.ports import Call

Data = dict[str, Any]


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


def decision(of: Hold | Intent[Any]) -> Data:
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
    return base | {"actions": [a.key for a in of.actions], "forbidden": forbidden}


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


def unjudged(of: Unjudged) -> Data:
    """Return why no rule could be applied."""
    return {"name": of.name, "readable": False, "reason": of.doubt.reason.code, "detail": of.doubt.detail}


def ruled(of: Assessment[P], doubts: Sequence[Doubt]) -> Data:
    """Return what the rules say, and what speaks against trading."""
    return {"readable": True, "rules": [verdict(v) for v in of.verdicts], "doubts": doubted(doubts)}


def doubted(doubts: Sequence[Doubt]) -> list[Data]:
    """Return doubts, each with its reason."""
    return [{"reason": d.reason.code, "detail": d.detail} for d in doubts]


def plan(of: Plan | PerpPlan, before: Data, projected: Data, steps: list[Data], calls: Sequence[Call]) -> Data:
    """Return a plan with its steps, cost and promise; with calldata where it was encoded. Figures are its kind's."""
    for step, call in zip(steps, calls, strict=False):
        step |= {"purpose": call.purpose, "to": call.to, "data": "0x" + call.data.hex()}
    return {
        "label": of.label,
        "is_partial": of.is_partial,
        "cost_usd": _cost(of.cost),
        "spend_usd": decimal_of(of.spend, 8, 2),
        "before": before,
        "projected": projected,
        "promise": str(of.postcondition),
        "steps": steps,
    }


def ways_out(of: Script) -> Data:
    """Return in how many transactions a plan goes out, and whether its account could make one of all."""
    is_alone = not of.carrier.is_atomic and of.carrier.sender == of.carrier.account
    return {"transactions": len(of.sent), "could_be_one": is_alone and len(of.sent) > 1}


def rehearsal(how: str, where: str, gas_used: Sequence[int], after: Data) -> Data:
    """Return how a rehearsal that passed went, on its own block or ahead of a price."""
    return {"passed": True, "how": how, "where": where, "gas_used": sum(gas_used), "after": after}


def outcome(of: Ending[F], figures: Callable[[F], Data]) -> Data:
    """Return what came of a plan."""
    return {
        "kind": of.kind,
        "reason": of.reason.code,
        "detail": of.detail,
        "after": figures(of.after) if of.after else None,
        "transactions": list(of.hashes),
    }


def _cost(of: Cost) -> Data:
    return {
        "gas": decimal_of(of.gas, 8, 4),
        "trading": decimal_of(of.trading, 8, 4),
        "capital": decimal_of(of.capital, 8, 4),
        "total": decimal_of(of.total, 8, 4),
    }
