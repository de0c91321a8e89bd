"""Decisions with their transactions and outcomes, as `keeper journal` shows them."""

from __future__ import annotations

from typing import Any

from rich.console import Console

from keeper.cli.words import as_json_text, cut, time_text
from keeper.core.units import decimal_of
from keeper.journal import Journal

Data = dict[str, Any]


async def journal(console: Console, memory: Journal, limit: int, position: str | None, *, as_json: bool) -> None:
    """Print decisions with their transactions and outcomes."""
    found = await memory.decisions.recent(limit, position)
    rows = []
    for decision in found:
        sent = await memory.transactions.of_decision(decision.id)
        rows.append(
            {
                **decision_row(decision),
                "transactions": [
                    {
                        "purpose": t.purpose,
                        "nonce": t.nonce,
                        "state": t.state,
                        "hash": t.attempts[-1].hash if t.attempts else None,
                        "block": t.block_number,
                        "gas_used": t.gas_used,
                        "gas_price_gwei": None
                        if t.effective_gas_price is None
                        else decimal_of(t.effective_gas_price, 9),
                        "spend_usd": decimal_of(t.spend_usd, 8, 2),
                        "error": t.error,
                    }
                    for t in sent
                ],
                "inputs": decision.inputs,
                "alternatives": decision.alternatives,
                "plan": decision.plan,
                "rehearsal": decision.rehearsal,
                "outcome": decision.outcome,
            }
        )
    if as_json:
        as_json_text(console, rows)
        return
    if not rows:
        console.print("The journal is empty: nothing was decided yet.")
        return
    for row in rows:
        _print(console, row)


def _print(console: Console, row: Data) -> None:
    """Print a decision in two lines: when and what about; what was decided and what came of it."""
    dry = "  dry run" if row["mode"] == "dry_run" else ""
    about = f"{row['position']}, {row['rule']}" if row["rule"] else row["position"]
    sent = len(row["transactions"])
    came = f" → {row['outcome_kind'].replace('_', ' ')}" if row["outcome_kind"] else ""
    came += f" ×{row['repeats'] + 1}" if row["repeats"] else ""
    came += f", {sent} transaction{'s' if sent != 1 else ''}" if sent else ""
    first = f"{time_text(row['block_timestamp'])}  block {row['block']}  {about}{dry}"
    console.print(cut(first, console.width), soft_wrap=True)
    console.print(f"  {cut(row['summary'], console.width - 2 - len(came))}{came}", soft_wrap=True)


def decision_row(of: Any) -> Data:
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
