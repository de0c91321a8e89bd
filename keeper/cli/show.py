"""What the commands print: tables for people, JSON for scripts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.table import Table

from keeper.chain.nodes import NodeStatus
from keeper.cli import show_holdings, show_perps
from keeper.cli.doctor_findings import Finding
from keeper.cli.words import as_json_text, brief, money, short, time_text
from keeper.core.book.carry import Carry
from keeper.core.book.rules import BookAssessment
from keeper.core.drills import Drill
from keeper.core.drills import plain as plain_drill
from keeper.core.family import Family
from keeper.core.lending.rules import LendingAssessment
from keeper.core.pauses import Pause
from keeper.core.perp.position import PerpPosition
from keeper.core.perp.rules import PerpAssessment
from keeper.core.rules import Unjudged
from keeper.core.snapshot import Snapshot, Unreadable
from keeper.core.units import Address
from keeper.engine import report, rows
from keeper.engine.lending.assess import judge_remembering
from keeper.engine.perp import report as perp_report
from keeper.engine.perp.assess import carry_of, judge_book, judge_perp
from keeper.engine.result import Result
from keeper.execution.outcome import Outcome, PerpOutcome
from keeper.journal.plain import decision_row
from keeper.service.opened import Opened
from keeper.service.view import nodes as nodes_of
from keeper.service.view import wallets
from keeper.settings.model import NamedAccount

Data = dict[str, Any]


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
    judged, perps = await _judged(engine, snapshot)
    books = [await judge_book(engine, snapshot, engine.perps.book(r.position), r) for r in engine.perps.book_rules]
    carried = [(b, carry_of(snapshot, b)) for b in books]
    last = {name: await engine.journal.decisions.last(name) for name in engine.reader.positions}
    if as_json:
        data = {
            "block": {"number": snapshot.block.number, "timestamp": snapshot.block.timestamp},
            "network": engine.reader.network.name,
            "positions": [report.assessment(j) for j in judged] + [show_perps.data_of(p) for p in perps],
            "books": [perp_report.book(b, earned) for b, earned in carried],
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
    table = Table("position", "health", "collateral", "debt", "liquidated when", "rules", box=None, pad_edge=False)
    for one in judged:
        table.add_row(*_status_row(report.assessment(one)))
    if judged:
        console.print(table)
    show_perps.print_all(console, perps, carried)
    show_holdings.prices(console, [report.assessment(one) for one in judged])
    show_holdings.wallets(console, engine, snapshot, _names(engine))
    if len(nodes := nodes_of(engine)) > 1:
        _print_nodes(console, nodes)
    for flaw in engine.reader.known.flaws:
        console.print(flaw, style="yellow", soft_wrap=True)
    for one in judged:
        for line in _concerns(report.assessment(one)):
            console.print(line, style="yellow", soft_wrap=True)
    for line in [line for other in (*perps, *books) for line in show_perps.concerns(other)]:
        console.print(line, style="yellow", soft_wrap=True)


def _names(engine: Opened) -> dict[Address, str]:
    """Return what to call who pays: a signer's name, or the owner of a position."""
    owners = {p.owner: f"owner of {p.name}" for p in reversed(engine.reader.positions.values())}
    return owners | {p.signer.address: p.signer.name for p in engine.reader.positions.values() if p.signer}


async def _judged(
    engine: Opened, snapshot: Snapshot
) -> tuple[list[LendingAssessment | Unjudged], list[PerpAssessment | Unjudged]]:
    judged, perps = list[LendingAssessment | Unjudged](), list[PerpAssessment | Unjudged]()
    for p in snapshot.positions:
        if isinstance(p, PerpPosition) or (isinstance(p, Unreadable) and engine.family(p.name) is Family.PERP):
            perps.append(await judge_perp(engine, snapshot, p))
        else:
            judged.append(await judge_remembering(engine, snapshot, p))
    return judged, perps


def results(
    console: Console,
    mode: str,
    of: Sequence[Result],
    outcomes: Mapping[str, Outcome | PerpOutcome | None],
    *,
    as_json: bool,
) -> None:
    """Print what one cycle saw, decided and did."""
    shown = [(r, rows.row(r, outcomes.get(r.name))) for r in of]
    if as_json:
        as_json_text(console, {"mode": mode, "positions": [row for _, row in shown]})
        return
    for result, row in shown:
        (_print_result if result.family is Family.LENDING else show_perps.print_result)(console, row)


def explanation(console: Console, snapshot: Snapshot, of: Result, earned: Carry | None, *, as_json: bool) -> None:
    """Print figures → rules → decision → plan → calldata of one position or book."""
    is_lending = of.family is Family.LENDING
    seen = report.inputs(snapshot, rows.seen(of.assessed))
    data = {**seen, **rows.row(of, None)}
    if isinstance(of.assessed, BookAssessment):
        data["position"] = perp_report.book(of.assessed, earned)
    if as_json:
        as_json_text(console, data)
        return
    console.print(f"Block {snapshot.block.number}, {time_text(snapshot.block.timestamp)}")
    if data["position"]["readable"]:
        (_print_figures if is_lending else show_perps.print_seen)(console, data["position"])
    (_print_result if is_lending else show_perps.print_result)(console, data)
    plan = data.get("plan")
    if not plan:
        return
    table = Table("step", "asset", "amount", "health after", "calldata", box=None, pad_edge=False)
    for step in plan["steps"]:
        asset, amount = step.get("asset") or step.get("market", ""), step.get("amount") or step.get("size", "")
        health = step.get("health_factor_after", "")
        table.add_row(step["purpose"], asset, brief(amount), health, step["data"][:10])
    console.print(table)
    for other in data["alternatives"]:
        cost = f", costs ${other['cost_usd']['total']}" if other.get("cost_usd") else ""
        console.print(f"not chosen: {other['label']}: {other['text']} {other['detail']}{cost}", soft_wrap=True)
    console.print("The calldata in full is in --json. Nothing was signed.")


def _print_nodes(console: Console, nodes: Sequence[NodeStatus]) -> None:
    table = Table("node", "for", "head", "ms", "state", box=None, pad_edge=False)
    for n in nodes:
        state = f"{n.state}, read from" if n.is_current else n.state
        table.add_row(n.name, ", ".join(n.roles), str(n.head or ""), str(n.latency_ms or ""), state)
    console.print(table)


# --- rows ------------------------------------------------------------------------------------------------------------


def _print_result(console: Console, row: Data) -> None:
    decision, health = row["decision"], row["health_factor"]
    console.print(f"{row['name']}  health factor {short(health)}")
    show_perps.print_others(console, row)
    if decision["kind"] == "hold":
        console.print(f"  holds: {decision['text']}")
        for key in ("detail", "remedy"):
            if decision[key]:
                console.print(f"  {key}: {decision[key]}", soft_wrap=True)
        return
    plan, rehearsal, outcome = row["plan"], row["rehearsal"], row["outcome"]
    partial = " (partial: all that the limits allow)" if plan["is_partial"] else ""
    console.print(f"  rule {decision['rule']} fires; target {decision['target']}")
    console.print(f"  plan: {plan['label']}{partial}, costs ${plan['cost_usd']['total']}", soft_wrap=True)
    after = rehearsal["after"]
    how = rehearsal.get("how", "rehearsed")
    console.print(f"  {how} by {rehearsal['where']}: {rehearsal['gas_used']} gas", soft_wrap=True)
    table = Table("", "before", "after", box=None, pad_edge=False, show_header=True)
    for label, key in (
        ("  health factor", "health_factor"),
        ("  collateral $", "collateral_usd"),
        ("  debt $", "debt_usd"),
    ):
        table.add_row(label, short(plan["before"][key]), short(after[key]))
    console.print(table)
    if outcome:
        console.print(f"  {outcome['kind']}: {outcome['detail']}", soft_wrap=True)
        for hash_ in outcome["transactions"]:
            console.print(f"    {hash_}")


def _print_figures(console: Console, seen: Data) -> None:
    table = Table("asset", "supplied", "borrowed", "price", "liquidation at", box=None, pad_edge=False)
    for b in seen["balances"]:
        supplied = f"{brief(b['supplied'])}{'' if b['is_collateral'] or not brief(b['supplied']) else ' (idle)'}"
        table.add_row(b["symbol"], supplied, brief(b["borrowed"]), short(b["price_usd"]), _liquidation(b))
    console.print(table)
    if (least := seen["liquidates"]["least_move"]) is not None:
        at_once = f"{percent(seen['liquidates']['all_at_once'])} where all move against it at once"
        console.print(f"liquidated when {moves(least)}, or by {at_once}", markup=False, soft_wrap=True)
    for rule in seen["rules"]:
        verdict = f"measures nothing: {rule['doubt']}" if rule["doubt"] else "fires" if rule["fired"] else "rests"
        measured = "–" if rule["doubt"] else short(rule["measured"])
        comparison = f"{measured} {rule['side']} {short(rule['bound'])}"
        console.print(f"rule {rule['rule']}: {rule['measure']} {comparison}? {verdict}")
    for doubt in seen["doubts"]:
        console.print(f"price in doubt: {doubt['detail']} ({doubt['reason']})", style="yellow")


def _liquidation(balance: Data) -> str:
    price, sign = balance["liquidation_price_usd"], "+" if balance["liquidation_when"] == "rises" else "-"
    return f"{short(price)} ({sign}{percent(balance['liquidation_move'])})" if price else "–"


def moves(least: Data) -> str:
    """Return a price's move that liquidates, for people."""
    return f"{least['symbol']} {least['when']} by {percent(least['move'])}"


def percent(share: str) -> str:
    """Return a share for people."""
    return f"{float(share) * 100:.1f} %"


def _status_row(one: Data) -> tuple[str, ...]:
    if not one["readable"]:
        return one["name"], "unknown", "", "", "", ""
    f = one["figures"]
    fired = [r["rule"] for r in one["rules"] if r["fired"]]
    rules = show_perps.rules_text(fired, one["rules"])
    least = one["liquidates"]["least_move"]
    distance = moves(least) if f["health_factor"] and least else "never"
    return one["name"], short(f["health_factor"]), money(f["collateral_usd"]), money(f["debt_usd"]), distance, rules


def _concerns(one: Data) -> list[str]:
    if not one["readable"]:
        return [f"{one['name']}: {one['detail']} ({one['reason']})"]
    blind = [f"{one['name']}: {rule['doubt']}" for rule in one["rules"] if rule["doubt"]]
    return blind + [f"{one['name']}: {d['detail']} ({d['reason']})" for d in one["doubts"]]
