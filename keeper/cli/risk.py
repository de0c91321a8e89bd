"""What ``keeper risk`` does: measures how probable liquidation is and what is at stake, and recomputes it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from keeper.cli.common import Exit, fail, finish, out
from keeper.cli.guard import in_house
from keeper.cli.looks import at_one_block
from keeper.cli.price_files import sources_of
from keeper.cli.reports import BEGIN, END, differences, read_report
from keeper.cli.show_risk import page, table
from keeper.cli.words import as_json_text
from keeper.core.decide import Hold
from keeper.core.risk.inputs import BadInputsError, document_of
from keeper.core.risk.report import report
from keeper.core.risk.shocks import shocks
from keeper.core.snapshot import LendingPosition, Snapshot
from keeper.engine.what_if import WouldDo, what_if
from keeper.service.app import measuring
from keeper.service.opened import Opened
from keeper.settings import Settings
from keeper.venues.registry import VENUES

PATHS, SEED = 20_000, 1


def risk(
    settings: Settings,
    name: str | None,
    horizons_s: Sequence[int],
    prices: Sequence[str],
    *,
    as_json: bool,
    html: Path | None,
) -> None:
    """Measure the risk of one lending position, or of all of them together, at the newest block."""
    known = [p.name for p in settings.positions]
    if name is not None and name not in known:
        fail(Exit.BAD_SETTINGS, f"{settings.path}: there is no position {name!r}; known: {', '.join(known)}")

    async def look(engine: Opened, snapshot: Snapshot) -> Exit:
        wanted = [p for p in snapshot.positions if name in (None, p.name)]
        loans = [p for p in snapshot.loans if name in (None, p.name)]
        if not loans:
            fail(Exit.FAILED, f"nothing to measure: {', '.join(p.name for p in wanted)} is no loan that could be read")
        held = {h.asset for p in loans for h in p.held}
        from_files, by_file = sources_of(prices, [h for p in loans for h in p.held], snapshot.block.timestamp)
        used = engine.reader.known.used
        listings = {asset: listed for asset, listed in used.items() if asset in held and asset not in by_file}
        async with measuring(engine, settings, waits=True) as movements:
            sources, drivers = await movements.sources(snapshot.block, listings)
        sources, drivers = sources | from_files, drivers | by_file
        plans = {p.name: await _planned(engine, snapshot, p) for p in loans}
        closes = {p.name: VENUES[p.venue].closes for p in settings.positions}
        inputs = document_of(snapshot.block, loans, sources, drivers, horizons_s, PATHS, SEED, closes)
        left_out = [p.name for p in wanted if p.name not in {loan.name for loan in loans}]
        show({"inputs": inputs, "report": report(inputs), "plans": plans}, left_out, as_json=as_json, html=html)
        return Exit.FINE

    async def work(engine: Opened) -> Exit:
        return await at_one_block(engine, look)

    finish(in_house(settings, work, is_live=False, is_look=True))


def reproduce(file: Path, *, as_json: bool, html: Path | None) -> None:
    """Recompute a report from what it says that it rests on, offline; say whether every figure is the same."""
    given = read_report(file, "keeper risk")
    try:
        made = report(given["inputs"])
    except BadInputsError as error:
        fail(Exit.FAILED, f"{file}: {error}")
    whole = {"inputs": given["inputs"], "report": made, "plans": given.get("plans") or {}}
    show(whole, [], as_json=as_json, html=html)
    differing = list(differences(given.get("report"), made))
    if differing:
        fail(Exit.FAILED, f"{file}: recomputed, {len(differing)} figures differ: {', '.join(differing[:5])}")
    if not as_json:
        out().print(f"Recomputed from {file}: every figure is the same, to the digit.")
    finish(Exit.FINE)


async def _planned(engine: Opened, snapshot: Snapshot, p: LendingPosition) -> dict[str, Any]:
    """Return by shock what the rules would do with the means at hand. As planned at the block: it needs the chain."""
    found = dict[str, Any]()
    for shock in shocks(p):
        if shock.prices:
            done = await what_if(engine, snapshot, p, shock)
            found[shock.name] = _held(done) if isinstance(done, Hold) else _would_do(done)
    return found


def _held(hold: Hold) -> dict[str, Any]:
    return {
        "rule": hold.rule,
        "plan": None,
        "reason": hold.reason.code,
        "why": hold.reason.short,
        "detail": hold.detail,
    }


def _would_do(of: WouldDo) -> dict[str, Any]:
    return {
        "rule": of.rule,
        "plan": of.plan,
        "cost_usd": str(of.cost),
        "health_factor": str(of.health),
        "is_partial": of.is_partial,
    }


def show(made: dict[str, Any], left_out: Sequence[str], *, as_json: bool, html: Path | None) -> None:
    """Print a report, and write its page where one is wanted."""
    if html is not None:
        text = json.dumps(made, separators=(",", ":")).replace("<", "\\u003c")
        try:
            html.write_text(page(made, f"{BEGIN}{text}{END}"), encoding="utf-8")
        except OSError as error:
            fail(Exit.FAILED, f"{html}: cannot be written ({error.strerror})")
    if as_json:
        as_json_text(out(), made)
        return
    table(out(), made, left_out)
    if html is not None:
        out().print(f"Written to {html}.")
