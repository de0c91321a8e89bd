"""Decisions and transactions as plain data: for ``--json``, and for the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from keeper.core.units import decimal_of
from keeper.core.words import brief
from keeper.journal.decisions import Decision
from keeper.journal.signed import Transaction

Data = dict[str, Any]


def decision_row(of: Decision) -> Data:
    """Return the columns of a decision."""
    return {
        "id": of.id,
        "block": of.block_number,
        "block_timestamp": of.block_timestamp,
        "position": of.position,
        "rule": of.rule,
        "mode": of.mode,
        "kind": of.kind,
        "reason": of.reason,
        "summary": of.summary,
        "outcome_kind": of.outcome_kind,
        "repeats": of.repeats,
    }


def decision_whole(of: Decision, sent: Sequence[Transaction]) -> Data:
    """Return a decision with its transactions, and all that it rested on."""
    return {
        **decision_row(of),
        "transactions": [_sent(t) for t in sent],
        "inputs": of.inputs,
        "alternatives": of.alternatives,
        "plan": of.plan,
        "rehearsal": of.rehearsal,
        "outcome": of.outcome,
    }


def transaction_row(of: Transaction, decision: Decision | None, names: Mapping[str, str]) -> Data:
    """Return a transaction with what it is for, its state, and what it cost."""
    newest = of.attempts[-1] if of.attempts else None
    paid = None if of.gas_used is None or of.effective_gas_price is None else of.gas_used * of.effective_gas_price
    return {
        "id": of.id,
        "decision": of.decision_id,
        "position": decision.position if decision else None,
        "rule": decision.rule if decision else None,
        "purpose": of.purpose,
        "amounts": _amounts(of, decision),
        "state": of.state,
        "signed_at": of.attempts[0].signed_at if of.attempts else of.created_at,
        "signer": of.signer,
        "signer_name": names.get(of.signer),
        "nonce": of.nonce,
        "attempts": len(of.attempts),
        "max_fee_gwei": decimal_of(newest.max_fee_per_gas, 9) if newest else None,
        "tip_gwei": decimal_of(newest.max_priority_fee_per_gas, 9) if newest else None,
        "hash": newest.hash if newest else None,
        "block": of.block_number,
        "gas_used": of.gas_used,
        "fee_paid": None if paid is None else decimal_of(paid, 18),
        "gas_price_gwei": _gwei(of),
        "spend_usd": decimal_of(of.spend_usd, 8, 2),
        "replaces": of.replaces,
        "error": of.error,
    }


def _sent(of: Transaction) -> Data:
    return {
        "purpose": of.purpose,
        "nonce": of.nonce,
        "state": of.state,
        "hash": of.attempts[-1].hash if of.attempts else None,
        "block": of.block_number,
        "gas_used": of.gas_used,
        "gas_price_gwei": _gwei(of),
        "spend_usd": decimal_of(of.spend_usd, 8, 2),
        "error": of.error,
    }


def _gwei(of: Transaction) -> str | None:
    return None if of.effective_gas_price is None else decimal_of(of.effective_gas_price, 9)


def _amounts(of: Transaction, decision: Decision | None) -> list[str]:
    """Return what a transaction moves, as the plan says; nothing where it is several calls in one."""
    plan = decision.plan if decision else None
    steps = plan.get("steps", []) if isinstance(plan, dict) else []
    own = [s for s in steps if isinstance(s, dict) and s.get("data") == of.data and s.get("to") == of.to]
    return [f"{brief(s['amount'])} {s['asset']}" for s in own if s.get("asset") and brief(s.get("amount"))]
