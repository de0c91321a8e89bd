"""The last fire drill, in a line and one more for each rescue that would fail."""

from __future__ import annotations

from rich.console import Console

from keeper.cli.words import time_text
from keeper.core.drills import Drill


def show_drill(console: Console, drill: Drill | None) -> None:
    """Print how it went; that none was held yet is said as well."""
    if drill is None:
        console.print("Fire drill: none yet. `keeper run` holds one a day, `keeper doctor` one now.")
        return
    console.print(f"Fire drill of {time_text(drill.at)} UTC: {drill.summary}.", soft_wrap=True)
    for one in drill.failing:
        remedy = f". Remedy: {one.remedy}" if one.remedy else ""
        console.print(f"{one.position}/{one.rule}: {one.said}{remedy}", style="yellow", soft_wrap=True)
