"""The commands of ``keeper``. Exit codes: 0 fine, 1 failed, 2 bad settings, 3 in danger and could not be helped."""

from __future__ import annotations

import asyncio
import os
from importlib.metadata import version
from typing import Annotated

import typer

from keeper.cli import show, show_journal
from keeper.cli.common import (
    DEFAULT,
    Config,
    Configs,
    Exit,
    Json,
    Limit,
    Live,
    Verbose,
    all_settings_of,
    each,
    fail,
    finish,
    guarded,
    in_house,
    log_to_stderr,
    out,
    prompt,
    settings_of,
    warn_if_live,
)
from keeper.cli.doctor import examine
from keeper.cli.tx import tx
from keeper.core.decisions import Hold, Intent
from keeper.core.hedge_rules import BookAssessment
from keeper.core.margins import PerpPosition
from keeper.core.positions import Snapshot, Unreadable
from keeper.core.reasons import Reason
from keeper.core.rules import Unjudged, measure
from keeper.cycle import Result, consider, cycle
from keeper.daemon import Daemon
from keeper.execution.executor import Outcome
from keeper.execution.perp_executor import PerpOutcome
from keeper.house import House
from keeper.journal import open_journal
from keeper.perpetuals.judge import carry_of
from keeper.perpetuals.keep import PerpResult, consider_book, consider_perp
from keeper.settings import Settings
from keeper.side_by_side import keep_all

AnyResult = Result | PerpResult
AnyOutcome = Outcome | PerpOutcome

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
app.add_typer(tx, name="tx")
ROUNDS = 8
"""Blocks that `keeper once` judges at most, while positions wait for one signer."""


def main() -> None:
    """Run the command line. What it makes is its user's alone: journal, locks, whatever libraries write."""
    os.umask(0o077)
    app()


@app.callback(invoke_without_command=True)
def _root(
    show_version: Annotated[bool, typer.Option("--version", help="Print the version.", is_eager=True)] = False,
) -> None:
    if show_version:
        out.print(f"keeper {version('position-keeper')}")
        raise typer.Exit


@app.command()
def check(configs: Configs = None, as_json: Json = False) -> None:
    """Check the settings and nothing else: no node is asked, no key is opened."""
    for settings in all_settings_of(configs):
        show.settings(out, settings, as_json=as_json)


@app.command()
def run(configs: Configs = None, live: Live = False, verbose: Verbose = False) -> None:
    """Watch and keep the positions until stopped (SIGTERM or Ctrl-C finishes what is in flight first).

    Several --config are several chains, side by side: what happens to one does not hold up another.
    """
    chains = all_settings_of(configs)
    log_to_stderr(verbose=verbose)
    warn_if_live(live=live)

    async def work() -> Exit:
        await keep_all(chains, is_live=live, prompt=prompt())
        return Exit.FINE

    finish(guarded(work))


@app.command()
def once(configs: Configs = None, live: Live = False, as_json: Json = False, verbose: Verbose = False) -> None:
    """Judge the newest block once, act if a rule asks for it, wait for the outcome, and end."""
    chains = all_settings_of(configs)
    log_to_stderr(verbose=verbose)
    warn_if_live(live=live)

    async def work(house: House, settings: Settings) -> Exit:
        await house.watch.blocks.check_chain()
        daemon, seen, outcomes = Daemon(house, settings), dict[str, AnyResult](), dict[str, AnyOutcome | None]()
        await daemon.reconcile()
        for _ in range(ROUNDS):
            results = await cycle(house, await house.watch.blocks.head())
            seen |= {r.name: r for r in results if r.name not in outcomes}
            outcomes |= {r.name: await _awaited(r) for r in results if r.outcome is not None and r.name not in outcomes}
            if not any(hold.reason is Reason.SIGNER_BUSY for r in results for hold in r.holds):
                break
        await daemon.look_back()
        await house.remember_alarms()
        results = tuple(seen.values())
        show.results(out, house.mode, results, outcomes, as_json=as_json)
        return _verdict(results, outcomes)

    each(chains, lambda s: in_house(s, lambda house: work(house, s), is_live=live))


@app.command()
def status(configs: Configs = None, as_json: Json = False) -> None:
    """Show the positions as they are now: health, prices, distance to liquidation, rules, wallets."""
    chains = all_settings_of(configs)
    log_to_stderr(verbose=False)

    async def work(house: House) -> Exit:
        await house.watch.blocks.check_chain()
        snapshot = await house.watch.snapshot(await house.watch.blocks.head())
        await show.status(out, house, snapshot, as_json=as_json)
        return Exit.FINE

    each(chains, lambda settings: in_house(settings, work, is_live=False, is_look=True))


@app.command()
def explain(
    position: Annotated[str, typer.Argument(help="The position's or book's name in the settings.")],
    config: Config = DEFAULT,
    as_json: Json = False,
) -> None:
    """Explain what would be done about a position or a book now, and why, down to the calldata. Signs nothing."""
    settings = settings_of(config)
    rules = {rule.book: rule for rule in settings.hedge_rules}
    if position not in {p.name for p in settings.positions} and position not in rules:
        known = ", ".join([p.name for p in settings.positions] + list(rules))
        fail(Exit.BAD_SETTINGS, f"{config}: there is no position {position!r}; known: {known}")
    log_to_stderr(verbose=False)

    async def work(house: House) -> Exit:
        await house.watch.blocks.check_chain()
        snapshot: Snapshot = await house.watch.snapshot(await house.watch.blocks.head())
        result = await _considered(house, snapshot, position)
        book = result.assessed if isinstance(result.assessed, BookAssessment) else None
        earned = await carry_of(house, snapshot, book) if book else None
        show.explanation(out, snapshot, result, earned, as_json=as_json)
        return _verdict((result,), {})

    finish(in_house(settings, work, is_live=False, is_look=True))


@app.command()
def journal(
    config: Config = DEFAULT,
    limit: Limit = 20,
    position: Annotated[str | None, typer.Option("--position", "-p", help="Only this position.")] = None,
    as_json: Json = False,
) -> None:
    """Show what was decided, sent and achieved, newest first. Asks no node."""
    settings = settings_of(config)

    async def work() -> Exit:
        async with await open_journal(settings.journal_url.reveal()) as memory:
            await show_journal.journal(out, memory, limit, position, as_json=as_json)
        return Exit.FINE

    finish(guarded(work))


@app.command()
def doctor(config: Config = DEFAULT, as_json: Json = False) -> None:
    """Look whether everything is there that a rescue will need: node, keys, gas money, delegation. Sends nothing."""
    settings = settings_of(config)
    log_to_stderr(verbose=False)

    async def work(house: House) -> Exit:
        findings = await examine(house, settings)
        show.findings(out, findings, as_json=as_json)
        return Exit.FINE if all(f.is_fine for f in findings if f.topic != "alarms") else Exit.FAILED

    finish(in_house(settings, work, is_live=False, is_look=True))


async def _considered(house: House, snapshot: Snapshot, name: str) -> AnyResult:
    """Return what would be done about a position or a book."""
    for rule in house.perps.hedge_rules:
        if rule.book == name:
            return await consider_book(house, snapshot, house.perps.book(name), rule)
    (seen,) = [p for p in snapshot.positions if p.name == name]
    if isinstance(seen, PerpPosition) or (isinstance(seen, Unreadable) and house.is_perp(name)):
        return await consider_perp(house, snapshot, seen)
    return await consider(house, snapshot, seen)


# --- what came of it -------------------------------------------------------------------------------------------------


def _verdict(results: tuple[AnyResult, ...], outcomes: dict[str, AnyOutcome | None]) -> Exit:
    """Return 3 when a rule that protects fired and the position was not brought back, 1 when one is unknown."""
    codes = {_code(result, outcomes.get(result.name)) for result in results}
    return max(codes, default=Exit.FINE)


def _code(result: AnyResult, outcome: AnyOutcome | None) -> Exit:
    if isinstance(result.assessed, Unjudged):
        return Exit.FINE if result.assessed.doubt.reason is Reason.CLOSED else Exit.FAILED
    if isinstance(result.decision, Hold):
        return Exit.IN_DANGER if result.decision.leaves_in_danger else Exit.FINE
    if outcome is None or outcome.helped or result.decision.rule.is_boost:
        return Exit.FINE
    if isinstance(result.decision, Intent) and isinstance(outcome, Outcome) and _is_helped(result.decision, outcome):
        return Exit.FINE
    return Exit.IN_DANGER


def _is_helped(intent: Intent, outcome: Outcome) -> bool:
    """Tell whether the promise was kept, or part of it was enough for the rule to rest."""
    if outcome.helped or outcome.after is None:
        return outcome.helped
    value = measure(intent.rule.trigger, intent.assessment.position, outcome.after)
    return value is not None and not intent.rule.trigger.fires_at(value)


async def _awaited(result: AnyResult) -> AnyOutcome | None:
    return await result.outcome if isinstance(result.outcome, asyncio.Task) else result.outcome
