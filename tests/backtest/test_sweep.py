"""Many settings on many accounts: what is not played would have come to the same."""

from __future__ import annotations

import gc
import multiprocessing
import time
import tracemalloc
from pathlib import Path

import orjson
import pytest
from plays import crash, document, fixed, walk

from keeper.backtest.document import BadBacktestError
from keeper.backtest.frontier import Mark, frontier, marks
from keeper.backtest.grid import Grid
from keeper.backtest.report import figures_said, play_on
from keeper.backtest.sweep import Sweep, swept

ROWS = crash(walk(9.5, volatility=0.6), 8.5, 0.25)
MOST_BYTES_A_TRIAL = 20_000
GRID = Grid(("1.15", "1.3", "1.6", "2.0"), ("1.10", "1.25"), ("1.30", "1.60"), ("0.02",))


def made(grid: Grid = GRID) -> Sweep:
    return Sweep(document(ROWS, []), grid, fixed())


@pytest.mark.slow  # plays days
def test_a_sweep_is_what_a_plain_loop_over_the_same_core_gives() -> None:
    """Each setting on each account judged at every answer of the oracle, one after the other."""
    sweep = made()
    found = swept(sweep, None, 1)
    assert len(found) == 6 * 4
    for job, row in zip(sweep.jobs(), found, strict=True):
        both = [play_on(sweep.read, grounds[job.health], job.setting, all_blocks=True) for grounds in sweep.grounds]
        plain = max(both, key=lambda one: one.badness)
        assert {k: row[k] for k in figures_said(plain.came_to)} == figures_said(plain.came_to), row["key"]


def test_what_never_fires_is_not_played() -> None:
    """One comparison says so for all settings and accounts."""
    sweep = made()
    sweep.prepare()
    fires = sweep.fires()
    assert fires.shape == (2, 6, 4)
    assert not fires[:, 0].any(), "nobody keeps it"
    assert fires[:, -1].all(), "a rule on a probability is always played"
    assert 0 < fires[:, 1:-1].mean() < 1


@pytest.mark.slow  # plays days
def test_a_sweep_that_is_stopped_goes_on_where_it_was(tmp_path: Path) -> None:
    """Half a line at the end of its file is played again; what is written is not."""
    file = tmp_path / "sweep.jsonl"
    whole = swept(made(), file, 1)
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join(lines[:8]) + lines[8][:20])
    asked = list[tuple[int, int]]()
    assert swept(made(), file, 1, lambda done, of: asked.append((done, of))) == whole
    assert asked[0] == (8, 24)
    assert len(asked) == 24 - 7
    assert swept(made(), file, 1, lambda *_: pytest.fail("all is there")) == whole


@pytest.mark.slow  # plays days
def test_a_file_of_another_sweep_is_refused(tmp_path: Path) -> None:
    """Other prices or settings: the rows mean something else."""
    file = tmp_path / "sweep.jsonl"
    swept(made(), file, 1)
    with pytest.raises(BadBacktestError, match="another sweep"):
        swept(made(Grid(("1.5",), ("1.2",), ("1.4",))), file, 1)
    head = file.read_text().splitlines()[0]
    for text in ("no json\n", f'{head}\n{{"a":1}}\n', f"{head}\n[}}\n", "[1, 2]\n", f'{head}\n{{"key":"0/0"}}\n'):
        file.write_text(text)
        with pytest.raises(BadBacktestError, match=r"no file of a sweep|another sweep"):
            swept(made(), file, 1)


@pytest.mark.slow  # plays days
def test_all_cores_find_the_same() -> None:
    """However the trials are dealt out."""
    assert swept(made(), None, 2) == swept(made(), None, 1)


@pytest.mark.slow  # plays days
def test_the_frontier_holds_what_none_beats() -> None:
    """Nobody on it is beaten in survival by who costs no more."""
    of = [Mark("a", 0.2, 0, 9, 0), Mark("b", 0.9, 5, 6, 1), Mark("c", 0.8, 6, 8, 1), Mark("d", 1.0, 9, 9, 2)]
    assert [mark.setting for mark in frontier(of)] == ["a", "b", "d"]
    found = marks(swept(made(), None, 1))
    assert {mark.setting for mark in frontier(found)} <= {mark.setting for mark in found}


def test_nothing_varied_is_refused() -> None:
    """A target below its trigger is no setting."""
    with pytest.raises(BadBacktestError, match="nothing is varied"):
        made(Grid(("1.5",), ("1.6",), ("1.2",)))


def test_memory_does_not_grow_with_what_was_played() -> None:
    """A trial leaves one row behind, and no course, track or journal: a year of minutes on a thousand settings fits."""
    held = list[int]()

    def weigh(done: int, of: int) -> None:
        gc.collect()
        held.append(tracemalloc.get_traced_memory()[0])

    triggers = tuple(f"{1.10 + i / 10_000:.4f}" for i in range(8))
    tracemalloc.start()
    rows = swept(made(Grid(("1.3",), triggers, ("1.6",))), None, 1, weigh)
    tracemalloc.stop()
    assert sum(row["actions"] > 0 for row in rows) == 8
    assert held[-1] - held[3] < 5 * MOST_BYTES_A_TRIAL


def test_raw_rows_are_let_go_once_the_courses_are_made() -> None:
    """A year of minutes takes 170 MiB as rows and bars: nobody reads them again."""
    sweep = made()
    known = sweep.digest
    sweep.prepare()
    assert not any(sweep.read.files.values())
    assert "bars" not in str(sweep.document)
    assert all(of["bars"] is None for of in sweep.read.of["prices"].values())
    assert sweep.digest == known == made().digest


def test_progress_is_said_for_each_trial_and_what_the_file_has_counts_as_done(tmp_path: Path) -> None:
    """Stopped half way, it goes on where it was, and comes to the same."""
    file, said = tmp_path / "sweep.jsonl", list[tuple[int, int]]()
    grid = Grid(("1.15", "2.0"), ("1.10",), ("1.30",))
    whole = swept(made(grid), file, 1, lambda done, of: said.append((done, of)))
    assert said == [(i, 4) for i in range(1, 5)]
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join(lines[:3]) + lines[3][:20])  # half a line is what a stop leaves
    again = list[tuple[int, int]]()
    assert swept(made(grid), file, 1, lambda done, of: again.append((done, of))) == whole
    assert again == [(3, 4), (4, 4)]


@pytest.mark.slow  # plays days, and kills a process
def test_a_sweep_that_is_killed_goes_on_and_comes_to_the_same(tmp_path: Path) -> None:
    """SIGKILL in the middle, with all cores at work: what was written is kept, the rest is played, nothing twice."""
    file, whole = tmp_path / "sweep.jsonl", swept(made(), None, 1)
    context = multiprocessing.get_context("fork")
    worker = context.Process(target=swept, args=(made(), file, 1))
    worker.start()
    until = time.monotonic() + 120
    while time.monotonic() < until and (not file.exists() or file.read_bytes().count(b"\n") < 5):
        time.sleep(0.02)
    worker.kill()
    worker.join()
    written = file.read_bytes().count(b"\n")
    assert written >= 5
    assert swept(made(), file, 1) == whole
    keys = [orjson.loads(line)["key"] for line in file.read_bytes().splitlines()[1:] if line.endswith(b"}")]
    assert len(keys) == len(set(keys)) == 24
