"""What the commands print: tables for people, JSON for scripts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict

from rich.console import Console
from rich.table import Table

from keeper.chain.nodes import NodeStatus
from keeper.cli import show_holdings, show_loans, show_perps
from keeper.cli.doctor_findings import Finding
from keeper.cli.show_results import concerns, print_result, print_steps
from keeper.cli.words import Data, as_json_text, time_text
from keeper.core.drills import Drill
from keeper.core.drills import plain as plain_drill
from keeper.core.family import Family
from keeper.core.pauses import Pause
from keeper.core.rules import Unjudged
from keeper.core.snapshot import Snapshot
from keeper.core.units import Address
from keeper.engine import report, rows
from keeper.engine.case import A, Case, I, R
from keeper.engine.cases import cases_of
from keeper.engine.result import AnyAssessment, AnyOutcome, Result
from keeper.journal.plain import decision_row
from keeper.service.opened import Opened
from keeper.service.view import nodes as nodes_of
from keeper.service.view import wallets
from keeper.settings.model import NamedAccount


def findings(console: Console, of: Sequence[Finding], *, as_json: bool) -> None:
    """Print what ``keeper doctor`` found."""
    if as_json:
        as_json_text(console, [one.plain for one in of])
        return
    for one in of:
        console.print(one.line, soft_wrap=True)


async def status(
    console: Console,
    engine: Opened,
    snapshot: Snapshot,
    *,
    as_json: bool,
    names: Sequence[NamedAccount] = (),
    pauses: Sequence[Pause] = (),
    drill: Drill | None = None,
) -> None:
    """Print the positions at one block."""
    loans, perps, books = await _judged(engine, snapshot)
    last = {name: await engine.journal.decisions.last(name) for name in engine.reader.positions}
    if as_json:
        data = {
            "block": {"number": snapshot.block.number, "timestamp": snapshot.block.timestamp},
            "network": engine.reader.network.name,
            "positions": [*loans, *perps],
            "books": books,
            "wallets": wallets(engine, snapshot),
            "last_decisions": {n: decision_row(d) for n, d in last.items() if d},
            "flaws": list(engine.reader.known.flaws),
            "nodes": [asdict(node) for node in nodes_of(engine)],
            "names": [asdict(named) for named in names],
            "paused": [asdict(pause) for pause in pauses],
            "fire_drill": plain_drill(drill) if drill else None,
        }
        as_json_text(console, data)
        return
    console.print(f"{engine.reader.network.name}, block {snapshot.block.number}, {time_text(snapshot.block.timestamp)}")
    show_loans.print_loans(console, loans)
    show_perps.print_all(console, perps, books)
    show_holdings.prices(console, loans)
    show_holdings.wallets(console, engine, snapshot, _names(engine))
    if len(nodes := nodes_of(engine)) > 1:
        _print_nodes(console, nodes)
    for flaw in engine.reader.known.flaws:
        console.print(flaw, style="yellow", soft_wrap=True)
    for line in [line for seen in (*loans, *perps, *books) for line in concerns(seen)]:
        console.print(line, style="yellow", soft_wrap=True)


def _names(engine: Opened) -> dict[Address, str]:
    """Return what to call who pays: a signer's name, or the owner of a position."""
    owners = {p.owner: f"owner of {p.name}" for p in reversed(engine.reader.positions.values())}
    return owners | {p.signer.account: p.signer.name for p in engine.reader.positions.values() if p.signer}


async def _judged(engine: Opened, snapshot: Snapshot) -> tuple[list[Data], list[Data], list[Data]]:
    """Return what the rules say of loans, of perpetual positions, and of books with what holding them brings."""
    by_family: dict[Family, list[Data]] = {family: [] for family in Family}
    for case in cases_of(engine, snapshot):
        family, assessed = await case.open(_assessed)
        by_family[family].append(rows.seen(assessed, snapshot))
    return by_family[Family.LENDING], by_family[Family.PERP], by_family[Family.BOOK]


async def _assessed(case: Case[A, I, R], /) -> tuple[Family, AnyAssessment | Unjudged]:
    return case.family, await case.assess()


def results(
    console: Console,
    mode: str,
    of: Sequence[Result],
    outcomes: Mapping[str, AnyOutcome | None],
    *,
    as_json: bool,
) -> None:
    """Print what one cycle saw, decided and did."""
    shown = [(r, rows.row(r, outcomes.get(r.name))) for r in of]
    if as_json:
        as_json_text(console, {"mode": mode, "positions": [row for _, row in shown]})
        return
    for result, row in shown:
        print_result(console, result.family, row)


def explanation(console: Console, snapshot: Snapshot, of: Result, *, as_json: bool) -> None:
    """Print figures → rules → decision → plan → calldata of one position or book."""
    seen = report.inputs(snapshot, rows.seen(of.assessed, snapshot))
    data = {**seen, **rows.row(of, None)}
    if as_json:
        as_json_text(console, data)
        return
    console.print(f"Block {snapshot.block.number}, {time_text(snapshot.block.timestamp)}")
    if data["position"]["readable"]:
        print_seen = show_loans.print_loan if of.family is Family.LENDING else show_perps.print_seen
        print_seen(console, data["position"])
    print_result(console, of.family, data)
    if data["plan"]:
        print_steps(console, data)


def _print_nodes(console: Console, nodes: Sequence[NodeStatus]) -> None:
    table = Table("node", "for", "head", "ms", "state", box=None, pad_edge=False)
    for n in nodes:
        state = f"{n.state}, read from" if n.is_current else n.state
        table.add_row(n.name, ", ".join(n.roles), str(n.head or ""), str(n.latency_ms or ""), state)
    console.print(table)
