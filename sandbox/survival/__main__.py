"""`python -m sandbox.survival`: every crash with every position; exits 1 where one was lost with means at hand."""

import argparse
import asyncio
import json
import logging
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import structlog
from rich.console import Console

from sandbox.survival import cells, paths, table
from sandbox.survival.cells import Cell
from sandbox.survival.play import play
from sandbox.survival.verdict import Verdict, beside, verdicts
from sandbox.world import World

PRICES = Path("../shared/data/prices")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m sandbox.survival", description=__doc__)
    parser.add_argument("--prices", type=Path, default=PRICES, help=f"folder of price histories (CSV); {PRICES}")
    parser.add_argument("--quick", action="store_true", help="three crashes of our own making, fewer positions")
    parser.add_argument("--json", action="store_true", help="plain data in place of tables")
    parser.add_argument("--all", action="store_true", help="every line, not only those that need a word")
    parser.add_argument("--only", default="", help="crashes whose name has this in it")
    parser.add_argument("--position", default="", help="positions whose name has this in it")
    options = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    logging.disable(logging.CRITICAL)
    found = run(options.prices, options.only, options.position, is_quick=options.quick)
    out = Console(width=None if sys.stdout.isatty() else 230)
    if options.json:
        print(json.dumps(table.data(found), indent=1, ensure_ascii=False))
    else:
        out.print(table.shown(found, everything=options.all))
        out.print(table.summary(found))
    faults = sum(v.is_fault for v in found)
    if not found:
        print("no crash and no position has such a name", file=sys.stderr)
    return 1 if faults or not found else 0


def run(folder: Path, only: str, position: str, *, is_quick: bool) -> list[Verdict]:
    """Play what is asked for, each crash from the same snapshot."""
    wanted = [s for s in cells.settings(is_quick=is_quick) if position in s.name]
    courses = [c for c in paths.courses(folder, is_quick=is_quick) if only in c.name]
    found: list[Verdict] = []
    if not wanted or not courses:
        return found
    with World.start() as world, tempfile.TemporaryDirectory() as temporary:
        settled = cells.settle(world, wanted)
        world.warp(600)
        world.refresh_feeds()
        for i, course in enumerate(courses):
            tell = _progress(f"[{i + 1}/{len(courses)}] {course.name}", time.monotonic())
            stage = _Stage(world, course, Path(temporary) / str(i))
            these = stage.with_reasons(settled, stage.played(settled, tell))
            found += these
            print(f"; {table.line(these)}", file=sys.stderr, flush=True)
    return found


@dataclass
class _Stage:
    """One crash that can be played again from its beginning."""

    world: World
    course: paths.Course
    folder: Path
    _played: int = 0

    def played(self, cells: Sequence[Cell], tell: Callable[[int, int], None] = lambda *_: None) -> list[Verdict]:
        """Play it with these positions, and put the world back."""
        snapshot, self._played = self.world.snapshot(), self._played + 1
        found = verdicts(asyncio.run(play(self.world, self.course, cells, self.folder / str(self._played), tell)))
        self.world.rpc("anvil_dropAllTransactions")  # what waits in the pool survives a revert
        self.world.revert(snapshot)
        self.world.rpc("evm_setAutomine", True)
        return found

    def with_reasons(self, cells: Sequence[Cell], found: Sequence[Verdict]) -> list[Verdict]:
        """Play each fault again with nobody else's sales in its pools: what goes well then was the crowd's doing."""
        return [
            beside(v, next(a for a in self.played(_group(cell, cells)) if a.cell == v.cell)) if v.is_fault else v
            for cell, v in zip(cells, found, strict=True)
        ]


def _group(cell: Cell, cells: Sequence[Cell]) -> list[Cell]:
    """A position and those of the same signer."""
    return [c for c in cells if c.signer.address == cell.signer.address]


def _progress(name: str, begun: float) -> Callable[[int, int], None]:
    is_terminal = sys.stderr.isatty()

    def tell(block: int, blocks: int) -> None:
        if is_terminal or block == blocks:
            line = f"{name}: block {block} of {blocks}, {time.monotonic() - begun:.0f} s"
            print(f"\r\x1b[K{line}" if is_terminal else line, end="", file=sys.stderr, flush=True)

    return tell


if __name__ == "__main__":
    sys.exit(main())
