"""What ``keeper risk`` does: measures how probable liquidation is and what is at stake, and recomputes it."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from keeper.cli.common import Exit, fail, finish, out
from keeper.cli.guard import in_house
from keeper.cli.looks import at_one_block
from keeper.cli.reports import BEGIN, END, differences, read_report
from keeper.cli.risk_gathering import Gathered, gathered
from keeper.cli.show_risk import page, table
from keeper.cli.words import as_json_text
from keeper.core.risk.chains import joined
from keeper.core.risk.inputs import VERSION, BadInputsError
from keeper.core.risk.report import EVERYTHING, report
from keeper.core.snapshot import Snapshot
from keeper.service.forecasters import forecaster_of
from keeper.service.opened import Opened
from keeper.settings import Settings


def risk(
    chains: Sequence[Settings],
    name: str | None,
    horizons_s: Sequence[int],
    prices: Sequence[str],
    *,
    as_json: bool,
    html: Path | None,
) -> None:
    """Measure the risk of one position or book, or of all of an owner's together, each chain at its newest block."""
    if name is not None:
        chains = [settings for settings in chains if name in settings.subject_names] or _unknown(chains, name)
    found = list[Gathered]()

    def work_of(settings: Settings) -> Callable[[Opened], Awaitable[Exit]]:
        async def look(engine: Opened, snapshot: Snapshot) -> Exit:
            found.append(await gathered(engine, settings, snapshot, name, horizons_s, prices))
            return Exit.FINE

        return lambda engine: at_one_block(engine, look)

    for settings in chains:
        code = in_house(settings, work_of(settings), is_live=False, is_look=True)
        if code is not Exit.FINE:
            finish(code)
    show(whole_of(found), [n for one in found for n in one.left_out], as_json=as_json, html=html)
    finish(Exit.FINE)


def whole_of(found: Sequence[Gathered]) -> dict[str, Any]:
    """Return the report of all chains together, with what it rests on."""
    inputs, several = joined([(one.chain, one.inputs) for one in found]), len(found) > 1
    plans = _plans_apart(found) if several else dict(found[0].plans)
    return {"inputs": inputs, "report": report(inputs, forecaster_of), "plans": plans}


def _plans_apart(found: Sequence[Gathered]) -> dict[str, Any]:
    """Return the plans of several chains, each name its own; wallets of different chains are different wallets."""
    whole, books = dict[str, Any](), {one.chain: {EVERYTHING, *one.inputs["books"]} for one in found}
    for one in found:
        for name, by_shock in one.plans.items():
            inner = {
                shock: {f"{one.chain}/{n}": x for n, x in done.items()} if name in books[one.chain] else done
                for shock, done in by_shock.items()
            }
            key = name if name == EVERYTHING else f"{one.chain}/{name}"
            for shock, done in inner.items():
                known = whole.setdefault(key, {})
                known[shock] = {**known.get(shock, {}), **done}
    return whole


def _unknown(chains: Sequence[Settings], name: str) -> NoReturn:
    known = ", ".join(dict.fromkeys(n for settings in chains for n in settings.subject_names))
    where = ", ".join(str(settings.path) for settings in chains)
    fail(Exit.BAD_SETTINGS, f"{where}: there is no position or book {name!r}; known: {known}")


def reproduce(file: Path, *, as_json: bool, html: Path | None) -> None:
    """Recompute a report from what it says that it rests on, offline; say whether every figure is the same."""
    given = read_report(file, "keeper risk")
    try:
        made = report(given["inputs"], forecaster_of)
    except BadInputsError as error:
        fail(Exit.FAILED, f"{file}: {error}")
    whole = {"inputs": given["inputs"], "report": made, "plans": given.get("plans") or {}}
    show(whole, [], as_json=as_json, html=html)
    before = given.get("report")
    differing = list(differences(before, _as_then(before, made) if is_older(given["inputs"]) else made))
    if differing:
        why = OTHERWISE.format(given["inputs"]["version"]) if is_older(given["inputs"]) else ""
        fail(Exit.FAILED, f"{file}: recomputed, {len(differing)} figures differ: {', '.join(differing[:5])}{why}")
    if not as_json:
        out().print(f"Recomputed from {file}: every figure is the same, to the digit.")
    finish(Exit.FINE)


OTHERWISE = (
    ". It is of version {}, and was recomputed by that version's terms as they were last: a keeper from before those "
    "may have counted several prices otherwise"
)


def is_older(inputs: Any) -> bool:
    """Return whether a report was made by a keeper that knew fewer figures."""
    return isinstance(inputs, dict) and inputs.get("version") != VERSION


def _as_then(given: Any, made: Any) -> Any:
    """Return of a report what an older one has: the figures that it did not know yet are no difference."""
    if isinstance(given, dict) and isinstance(made, dict):
        return {k: _as_then(given[k], v) for k, v in made.items() if k in given}
    if isinstance(given, list) and isinstance(made, list) and len(given) == len(made):
        return [_as_then(a, b) for a, b in zip(given, made, strict=True)]
    return made


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
