"""``make mutate``: change the most dangerous lines, one at a time, and see that a fast test notices each.

The lines are data (``mutants.py``). Each is changed in a copy of the project, never in the project itself, and the
tests named beside it run against the copy in a process of its own, forked from one that has the libraries loaded.
First the same tests run on the copy as it is: tests that fail without a change prove nothing. Ends with the score, and
with 1 when any change lives.
"""

from __future__ import annotations

import compileall
import os
import shlex
import shutil
import signal
import sys
import tempfile
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from mutants import MUTANTS, Mutant

ROOT = Path(__file__).resolve().parents[1]
COPIED = ("keeper", "tests", "contracts_abi", "config", "pyproject.toml")
LONGEST_S = 120
WORKERS = int(os.environ.get("WORKERS", "2"))
LIBRARIES = (
    "aiohttp", "alembic.command", "eth_account", "hypothesis", "numpy", "pydantic", "pytest",
    "pytest_asyncio", "sqlalchemy", "structlog", "websockets.asyncio.client", "apprise", "typer",
)  # fmt: skip
Job = tuple[str, Mutant | None]


@dataclass(frozen=True, slots=True)
class Run:
    """Tests under way on a copy."""

    number: int
    copy: Path
    mutant: Mutant | None
    since: float


def main() -> int:
    faults = [fault for m in MUTANTS for fault in misplaced(m)]
    if faults:
        print("\n".join(faults))
        return 2
    preload()
    began = time.monotonic()
    by_test = defaultdict[str, list[Mutant]](list)
    for mutant in MUTANTS:
        by_test[mutant.tests].append(mutant)
    ordered = [m for group in by_test.values() for m in group]
    with tempfile.TemporaryDirectory() as folder:
        copies = [copied(Path(folder) / str(i)) for i in range(WORKERS)]
        sound = passing(copies, [(tests, None) for tests in by_test])
        broken = [tests for tests, is_sound in zip(by_test, sound, strict=True) if not is_sound]
        if broken:
            print("these fail without any change:\n  " + "\n  ".join(broken))
            return 2
        lives = passing(copies, [(m.tests, m) for m in ordered])
    alive = [m for m, is_alive in zip(ordered, lives, strict=True) if is_alive]
    for mutant in alive:
        print(f"ALIVE {mutant.file}: {mutant.old!r} → {mutant.new!r} ({mutant.tests})")
    print(f"{len(ordered) - len(alive)} of {len(ordered)} changes noticed, {time.monotonic() - began:.0f} s")
    return 1 if alive else 0


def misplaced(mutant: Mutant) -> list[str]:
    """Return what is wrong with a line of the list: it must be found exactly once, and its tests must be there."""
    found = (ROOT / mutant.file).read_text().count(mutant.old)
    faults = [] if found == 1 else [f"{mutant.file}: {mutant.old!r} is there {found} times"]
    named = [t.split("::")[0] for t in shlex.split(mutant.tests) if t.startswith("tests/")]
    return faults + [f"{name} is not there" for name in named if not (ROOT / name).exists()]


def copied(to: Path) -> Path:
    to.mkdir()
    for name in COPIED:
        source = ROOT / name
        skip = shutil.ignore_patterns("__pycache__", "gmx_v2_recordings")
        shutil.copytree(source, to / name, ignore=skip) if source.is_dir() else shutil.copy(source, to)
    compileall.compile_dir(to / "keeper", quiet=2)
    return to


def preload() -> None:
    for name in LIBRARIES:
        __import__(name)


def passing(copies: list[Path], jobs: list[Job]) -> list[bool]:
    """Run tests, each with its one line changed, side by side on the copies; return which of them pass."""
    free, under_way, results = list(copies), dict[int, Run](), dict[int, bool]()
    waiting = list(enumerate(jobs))
    while waiting or under_way:
        while waiting and free:
            number, (tests, mutant) = waiting.pop(0)
            run_ = Run(number, free.pop(), mutant, time.monotonic())
            under_way[started(run_, tests)] = run_
        for pid, run_ in list(under_way.items()):
            done, status = os.waitpid(pid, os.WNOHANG)
            if not done and time.monotonic() - run_.since > LONGEST_S:
                os.kill(pid, signal.SIGKILL)
                done, status = os.waitpid(pid, 0)
            if done:
                del under_way[pid]
                results[run_.number] = os.waitstatus_to_exitcode(status) == 0
                if os.environ.get("VERBOSE"):
                    took = time.monotonic() - run_.since
                    print(
                        run_.number,
                        "passes" if results[run_.number] else "fails",
                        f"{took:.1f}",
                        run_.mutant,
                        flush=True,
                    )
                free.append(restored(run_))
        time.sleep(0.02)
    return [results[i] for i in range(len(jobs))]


def started(run_: Run, tests: str) -> int:
    """Change the line, and fork whoever runs the tests."""
    if run_.mutant is not None:
        file = run_.copy / run_.mutant.file
        shutil.copy2(file, file.with_suffix(".before"))
        file.write_text(file.read_text().replace(run_.mutant.old, run_.mutant.new))
    pid = os.fork()
    if pid == 0:
        run(run_.copy, tests, is_changed=run_.mutant is not None)
    return pid


def restored(run_: Run) -> Path:
    """Put the line back, with its file's time: what was compiled of it is good again."""
    if run_.mutant is not None:
        file = run_.copy / run_.mutant.file
        shutil.copy2(file.with_suffix(".before"), file)
    return run_.copy


def run(copy: Path, tests: str, *, is_changed: bool) -> None:
    """In the child: be as if started in the copy, run, and end without a word."""
    code = 1
    try:
        os.chdir(copy)
        null = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(null, stream)
        sys.path.insert(0, str(copy))
        sys.dont_write_bytecode = is_changed
        import pytest  # noqa: PLC0415 - loaded before the fork already
        from hypothesis import settings  # noqa: PLC0415

        settings.register_profile("mutate", deadline=None, max_examples=25, derandomize=True, database=None)
        settings.load_profile("mutate")
        code = int(pytest.main(["-x", "-q", "-n", "0", "-p", "no:cacheprovider", "--no-header", *shlex.split(tests)]))
    finally:
        os._exit(code)


if __name__ == "__main__":
    sys.exit(main())
