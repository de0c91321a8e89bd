"""The commands of ``keeper``. Exit codes: 0 fine, 1 failed, 2 bad settings, 3 in danger and could not be helped."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from enum import IntEnum
from getpass import getpass
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.console import Console

from keeper import app as house_of
from keeper.chain.errors import NodeError, WrongChainError
from keeper.chain.fork import AnvilMissingError
from keeper.cli import show
from keeper.core.decisions import Hold, Intent
from keeper.core.positions import Snapshot
from keeper.core.rules import measure
from keeper.cycle import Result, consider, cycle
from keeper.daemon import Daemon
from keeper.execution.executor import Outcome
from keeper.execution.lane import SendFailedError
from keeper.execution.lock import LockDirectoryError, SignerLockedError
from keeper.execution.signer import KeyUnavailableError
from keeper.house import House
from keeper.journal import JournalError, open_journal
from keeper.observe import configure_logging
from keeper.settings import Settings, SettingsError, load
from keeper.venues.ports import ReadFailedError


class Exit(IntEnum):
    """What the program tells its caller."""

    FINE = 0
    FAILED = 1
    BAD_SETTINGS = 2
    IN_DANGER = 3


app = typer.Typer(
    name="keeper",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    help="Keeps leveraged on-chain positions alive: watches, decides, rehearses, signs, and explains itself.\n\n"
    "Nothing is ever sent without [bold]--live[/bold]. Begin with `keeper check`, then `keeper status`, then "
    "`keeper run`.\n\nExit codes: 0 fine, 1 failed, 2 bad settings, 3 a position is in danger and could not be helped.",
)
err = Console(stderr=True, highlight=False)
out = Console(highlight=False)

Config = Annotated[
    Path,
    typer.Option("--config", "-c", envvar="KEEPER_CONFIG", help="The settings file.", show_default=True),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]
Live = Annotated[
    bool,
    typer.Option("--live/--dry-run", help="Send transactions, or (the default) run plans on a fork and send nothing."),
]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Log every decision, quiet ones too.")]
Limit = Annotated[int, typer.Option("--limit", "-n", min=1, max=10_000, help="How many, newest first.")]
DEFAULT = Path("keeper.toml")


def main() -> None:
    """Run the command line."""
    app()


@app.callback(invoke_without_command=True)
def _root(
    show_version: Annotated[bool, typer.Option("--version", help="Print the version.", is_eager=True)] = False,
) -> None:
    if show_version:
        out.print(f"keeper {version('position-keeper')}")
        raise typer.Exit


@app.command()
def check(config: Config = DEFAULT, as_json: Json = False) -> None:
    """Check the settings and nothing else: no node is asked, no key is opened."""
    settings = _settings(config)
    show.settings(out, settings, as_json=as_json)


@app.command()
def run(config: Config = DEFAULT, live: Live = False, verbose: Verbose = False) -> None:
    """Watch and keep the positions until stopped (SIGTERM or Ctrl-C finishes what is in flight first)."""
    settings = _settings(config)
    _logging(verbose=verbose)
    _warn_if_live(live=live)

    async def work(house: House) -> Exit:
        await Daemon(house, settings).run()
        return Exit.FINE

    _finish(_in_house(settings, work, is_live=live))


@app.command()
def once(config: Config = DEFAULT, live: Live = False, as_json: Json = False, verbose: Verbose = False) -> None:
    """Judge the newest block once, act if a rule asks for it, wait for the outcome, and end."""
    settings = _settings(config)
    _logging(verbose=verbose)
    _warn_if_live(live=live)

    async def work(house: House) -> Exit:
        await house.watch.blocks.check_chain()
        for executor in house.executors.values():
            await executor.lane.reconcile()
        results = await cycle(house, await house.watch.blocks.head())
        outcomes = {r.name: await _awaited(r) for r in results}
        show.results(out, house.mode, results, outcomes, as_json=as_json)
        return _verdict(results, outcomes)

    _finish(_in_house(settings, work, is_live=live))


@app.command()
def status(config: Config = DEFAULT, as_json: Json = False) -> None:
    """Show the positions as they are now: health, prices, distance to liquidation, rules, wallets."""
    settings = _settings(config)
    _logging(verbose=False)

    async def work(house: House) -> Exit:
        await house.watch.blocks.check_chain()
        snapshot = await house.watch.snapshot(await house.watch.blocks.head())
        await show.status(out, house, snapshot, as_json=as_json)
        return Exit.FINE

    _finish(_in_house(settings, work, is_live=False, is_look=True))


@app.command()
def explain(
    position: Annotated[str, typer.Argument(help="The position's name in the settings.")],
    config: Config = DEFAULT,
    as_json: Json = False,
) -> None:
    """Explain what would be done about a position now, and why, down to the calldata. Signs nothing."""
    settings = _settings(config)
    if position not in {p.name for p in settings.positions}:
        known = ", ".join(p.name for p in settings.positions)
        _fail(Exit.BAD_SETTINGS, f"{config}: there is no position {position!r}; known: {known}")
    _logging(verbose=False)

    async def work(house: House) -> Exit:
        await house.watch.blocks.check_chain()
        snapshot: Snapshot = await house.watch.snapshot(await house.watch.blocks.head())
        (seen,) = [p for p in snapshot.positions if p.name == position]
        result = await consider(house, snapshot, seen)
        show.explanation(out, snapshot, result, as_json=as_json)
        return _verdict((result,), {})

    _finish(_in_house(settings, work, is_live=False, is_look=True))


@app.command()
def journal(
    config: Config = DEFAULT,
    limit: Limit = 20,
    position: Annotated[str | None, typer.Option("--position", "-p", help="Only this position.")] = None,
    as_json: Json = False,
) -> None:
    """Show what was decided, sent and achieved, newest first. Asks no node."""
    settings = _settings(config)

    async def work() -> Exit:
        async with await open_journal(settings.journal_url.reveal()) as memory:
            await show.journal(out, memory, limit, position, as_json=as_json)
        return Exit.FINE

    _finish(_guarded(work))


# --- around every command --------------------------------------------------------------------------------------------


def _settings(config: Path) -> Settings:
    try:
        return load(config)
    except SettingsError as error:
        _fail(Exit.BAD_SETTINGS, "\n".join(error.faults))


def _in_house(
    settings: Settings, work: Callable[[House], Awaitable[Exit]], *, is_live: bool, is_look: bool = False
) -> Exit:
    async def inside() -> Exit:
        async with house_of.opened(settings, is_live=is_live, is_look=is_look, prompt=_prompt()) as house:
            return await work(house)

    return _guarded(inside)


def _guarded(work: Callable[[], Awaitable[Exit]]) -> Exit:
    """Run to the end, and turn what may go wrong into one clear line and a code. Defects keep their traceback."""

    async def awaited() -> Exit:
        return await work()

    try:
        return asyncio.run(awaited())
    except (KeyUnavailableError, WrongChainError, SignerLockedError, LockDirectoryError) as error:
        _fail(Exit.BAD_SETTINGS, str(error))
    except (NodeError, ReadFailedError, JournalError, SendFailedError, AnvilMissingError) as error:
        _fail(Exit.FAILED, str(error))
    except KeyboardInterrupt:
        _fail(Exit.FAILED, "interrupted")


def _verdict(results: tuple[Result, ...], outcomes: dict[str, Outcome | None]) -> Exit:
    """Return 3 when a rule that protects fired and the position was not brought back."""
    for result in results:
        if isinstance(result.decision, Hold):
            if result.decision.leaves_in_danger:
                return Exit.IN_DANGER
            continue
        outcome = outcomes.get(result.name)
        if outcome is not None and not result.decision.rule.is_boost and not _is_helped(result.decision, outcome):
            return Exit.IN_DANGER
    return Exit.FINE


def _is_helped(intent: Intent, outcome: Outcome) -> bool:
    """Tell whether the promise was kept, or part of it was enough for the rule to rest."""
    if outcome.helped or outcome.after is None:
        return outcome.helped
    value = measure(intent.rule.trigger, intent.assessment.position, outcome.after)
    return value is not None and not intent.rule.trigger.fires_at(value)


async def _awaited(result: Result) -> Outcome | None:
    return await result.outcome if isinstance(result.outcome, asyncio.Task) else result.outcome


def _logging(*, verbose: bool) -> None:
    configure_logging(as_json=not sys.stderr.isatty(), verbose=verbose)


def _warn_if_live(*, live: bool) -> None:
    text = "LIVE: transactions will be signed and sent." if live else "Dry run: plans run on a fork, nothing is sent."
    err.print(text, style="bold red" if live else "green")


def _prompt() -> Callable[[str], str] | None:
    return getpass if sys.stdin.isatty() else None


def _finish(code: Exit) -> NoReturn:
    raise typer.Exit(int(code))


def _fail(code: Exit, message: str) -> NoReturn:
    err.print(message, style="red", soft_wrap=True, markup=False)
    raise typer.Exit(int(code))
