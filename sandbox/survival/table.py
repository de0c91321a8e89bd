"""The table: one line for each crash and position, readable in a terminal, and the same as plain data."""

from collections.abc import Sequence
from dataclasses import asdict
from decimal import Decimal
from typing import Any

from rich.table import Table

from sandbox.survival.verdict import Verdict

COLUMNS = ("crash", "position", "lowest", "end", "sent", "reverted", "gas $", "cost $", "model $", "alone $", "")
SUMMARY = ("crash", "blocks", "positions", "liquidated", "model", "alone", "cost $", "model $", "alone $", "faults")
"""`alone`: the same position with no keeper."""


def shown(found: Sequence[Verdict], *, everything: bool) -> Table:
    """All lines, or only those that need a word."""
    table = Table(box=None, padding=(0, 2, 0, 0), title_justify="left", pad_edge=False)
    for i, name in enumerate(COLUMNS):
        table.add_column(name, justify="right" if 2 <= i < 10 else "left", no_wrap=i < 10)
    for v in found:
        if everything or v.why:
            table.add_row(*_cells(v), style="red" if v.is_fault else "yellow" if v.why else None)
    return table


def _cells(v: Verdict) -> list[str]:
    hosted = f"{v.hosted:.0f}{' liq.' if v.hosted_liquidated else ''}"
    alone = f"{v.alone:.0f}"
    mark = "FAULT: " if v.is_fault else ""
    end = f"{v.end:.3f}{f' liq. ×{v.liquidated}' if v.liquidated else ''}"
    return [
        v.course, v.cell, f"{v.lowest:.3f}", end, str(v.sent), str(v.reverted), f"{v.gas:.0f}", f"{v.cost:.0f}",
        hosted, alone, mark + v.why,
    ]  # fmt: skip


def summary(found: Sequence[Verdict]) -> Table:
    """One line for each crash."""
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for i, name in enumerate(SUMMARY):
        table.add_column(name, justify="left" if not i else "right", no_wrap=True)
    for course in dict.fromkeys(v.course for v in found):
        mine = [v for v in found if v.course == course]
        table.add_row(
            course,
            str(mine[0].blocks),
            str(len(mine)),
            str(sum(v.liquidated > 0 for v in mine)),
            str(sum(v.hosted_liquidated > 0 for v in mine)),
            str(sum(v.alone > 0 for v in mine)),
            *(f"{sum((getattr(v, of) for v in mine), Decimal(0)):.0f}" for of in ("cost", "hosted", "alone")),
            str(sum(v.is_fault for v in mine)),
        )
    return table


def line(found: Sequence[Verdict]) -> str:
    """One crash in a line."""
    mine, model = sum(v.liquidated > 0 for v in found), sum(v.hosted_liquidated > 0 for v in found)
    cost, theirs = (sum((getattr(v, of) for v in found), Decimal(0)) for of in ("cost", "hosted"))
    faults = sum(v.is_fault for v in found)
    return f"liquidated {mine}, the model {model}; {cost:.0f} $, the model {theirs:.0f} $; {faults} faults"


def data(found: Sequence[Verdict]) -> list[dict[str, Any]]:
    """The same as plain data; dollars as numbers with cents."""
    rows = [asdict(v) for v in found]
    return [{k: round(float(x), 4) if isinstance(x, Decimal | float) else x for k, x in row.items()} for row in rows]
