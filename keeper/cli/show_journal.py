"""Decisions with their transactions and outcomes, as `keeper journal` shows them."""

from __future__ import annotations

from typing import Any

from rich.console import Console

from keeper.cli.words import as_json_text, cut, time_text
from keeper.journal import Journal
from keeper.journal.plain import decision_whole

Data = dict[str, Any]


async def journal(console: Console, memory: Journal, limit: int, position: str | None, *, as_json: bool) -> None:
    """Print decisions with their transactions and outcomes."""
    found = await memory.decisions.recent(limit, position)
    rows = [decision_whole(d, await memory.transactions.of_decision(d.id)) for d in found]
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
