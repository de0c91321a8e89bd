"""`python -m bench [--quick] [THEME …]`: measure, print a table, write bench/results.json.

A theme is a module with ``async def measure(effort) -> list[Row]``. Exit code 1 when a row's bound is not kept.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import json
import logging
import sys
import time
from pathlib import Path

import structlog
from rich.console import Console
from rich.table import Table

from bench.effort import Effort
from bench.rows import Row

THEMES = ("process", "quiet", "reading", "acting", "gas", "flash", "survival", "sweep", "risk")
RESULTS = Path(__file__).parent / "results.json"


def shown(rows: list[Row]) -> Table:
    table = Table(
        "what", "ours", "peer or floor", "ratio", "unit", "runs", "min", "max", "note", box=None, pad_edge=False
    )
    for row in rows:
        other = "" if row.other is None else f"{'peer' if row.peer else 'floor'} {row.other:.4g}"
        ratio = "" if row.ratio is None else f"{row.ratio:.3g}"
        figures = (f"{row.median:.5g}", other, ratio, row.unit, str(len(row.ours)))
        table.add_row(row.name, *figures, f"{min(row.ours):.4g}", f"{max(row.ours):.4g}", row.note)
    return table


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench")
    parser.add_argument("--quick", action="store_true", help="fewer runs, and no ten thousand positions")
    parser.add_argument("themes", nargs="*", help=f"some of: {', '.join(THEMES)}")
    options = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    logging.getLogger("aiohttp.access").disabled = True
    rows = list[Row]()
    for theme in options.themes or THEMES:
        try:
            module = importlib.import_module(f"bench.{theme}")
        except ModuleNotFoundError as error:
            if error.name != f"bench.{theme}":
                raise
            continue
        begun = time.monotonic()
        rows += asyncio.run(module.measure(Effort(is_quick=options.quick)))
        print(f"{theme}: {time.monotonic() - begun:.0f} s", file=sys.stderr)
    RESULTS.write_text(json.dumps({row.name: row.data() for row in rows}, indent=1) + "\n")
    Console(width=None if sys.stdout.isatty() else 200).print(shown(rows))
    faults = [fault for row in rows for fault in row.faults]
    for fault in faults:
        print(fault, file=sys.stderr)
    return 1 if faults else 0


sys.exit(main())
