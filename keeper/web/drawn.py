"""What a page shows of a chain, ready to be drawn: cards, each with the chart of its figure."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from math import ceil
from typing import Any

from keeper.core.units import WAD
from keeper.journal import JournalError
from keeper.journal.views import Glimpse
from keeper.web.cards import CALM, Card, cards_of, percent, trimmed
from keeper.web.chart import Bound, Chart, DeedMark, Size, chart
from keeper.web.sight import Onlooker

Data = dict[str, Any]
RANGES = {"1h": 3_600, "24h": 86_400, "7d": 7 * 86_400, "30d": 30 * 86_400, "90d": 90 * 86_400}
NARROW, WIDE = Size(340, 180), Size(1090, 280)
SMALL_NARROW, SMALL_WIDE, ALONE_WIDE = Size(340, 130), Size(530, 140), Size(1110, 200)
HEALTH, MARGIN = "health_factor", "margin_ratio"
MOST_CARDS = 12
"""Of more than these, whatever is at rest is a line and no card: what wants a look must not be searched for."""
LEAST_S = 240
"""The shortest time that is drawn, and its steps: quarters of it are whole minutes."""


async def drawn_page(sight: Onlooker) -> Data:
    """Return a chain at a glance, with a card and a small chart for each position and book."""
    glance = await sight.glance()
    view = glance["view"]
    found = []
    made = cards_of(view)
    resting = [one for _, one in made if one.tone == CALM] if len(made) > MOST_CARDS else []
    made = [(subject, one) for subject, one in made if one not in resting]
    sizes = (SMALL_NARROW, SMALL_WIDE if len(made) > 1 else ALONE_WIDE)
    for subject, one in made:
        charts = await _charts(sight, one, None, sizes, _now(view, subject, one))
        found.append({"card": one, "charts": charts})
    return glance | {"cards": found, "resting": resting, "unseen": _unseen(sight, view)}


async def drawn(sight: Onlooker, name: str, span: str) -> Data:
    """Return one position or book whole. Under several rules a book has several cards."""
    glance = await sight.glance()
    view = glance["view"]
    cards = []
    for subject, one in cards_of(view):
        if one.name != name:
            continue
        charts = await _charts(sight, one, RANGES[span], (NARROW, WIDE), _now(view, subject, one))
        cards.append({"card": one, "charts": charts, "seen": subject})
    decisions, trouble = list[Data](), glance["trouble"]
    try:
        decisions = await sight.decisions(name, 50)
    except JournalError as error:
        trouble = str(error)
    sent = [t for t in glance["transactions"] if t["position"] == name]
    return {
        "chain": glance | {"trouble": trouble},
        "chains": [glance],
        "name": name,
        "span": span,
        "ranges": list(RANGES),
        "cards": cards,
        "decisions": decisions,
        "sent": sent,
    }


def levels_of(one: Card) -> list[Bound]:
    """Return the bounds and targets of its rules that are of the figure that is drawn."""
    found = list[Bound]()
    for rule in one.rules:
        if rule["measure"] == one.measure:
            found.append(Bound("trigger", f"{rule['rule']} {rule['bound_words']}", float(rule["bound"])))
            if rule["side"] == "outside":
                found.append(Bound("trigger", "", -float(rule["bound"])))
        value = rule.get("target_value")
        if rule.get("target_measure") == one.measure and value is not None:
            shown = _share(value) if one.measure == MARGIN else trimmed(value)
            found.append(Bound("target", f"wants {shown}", float(value)))
    if one.measure == HEALTH:
        found.append(Bound("edge", "liquidation", 1.0))
    return found


def _share(value: str) -> str:
    return percent(value).replace(".00", "")


def _now(view: Data, subject: Mapping[str, Any], one: Card) -> tuple[Glimpse, ...]:
    """Return the figure of the view itself: the line ends at what the card says, and not at the last sample."""
    seen = subject["seen"]
    value = seen["delta"] if "delta" in seen else seen.get("figures", {}).get(one.measure)
    return () if value is None or not seen.get("readable") else (Glimpse(view["at"], int(Decimal(value) * WAD)),)


async def _charts(
    sight: Onlooker, one: Card, wanted_s: int | None, sizes: tuple[Size, Size], newest: tuple[Glimpse, ...]
) -> tuple[Chart, ...]:
    """Return the chart for a narrow and for a wide screen; of a day, or of as long as it is known."""
    now, span_s = int(sight.clock()), wanted_s or RANGES["24h"]
    try:
        samples = await sight.history(one.name, span_s)
        if newest and (not samples or newest[0].at >= samples[-1].at > now - span_s):
            samples = (*(one for one in samples if one.at < newest[0].at), *newest)
        if wanted_s is None and samples and (known_s := now - samples[0].at) < RANGES["1h"]:
            span_s = max(1, ceil(known_s / LEAST_S)) * LEAST_S
        deeds = [
            DeedMark(d["at"], f"{d['rule'] or d['kind']}: {d['summary']}", _came_to(d))
            for d in await sight.deeds(one.name, span_s)
        ]
    except JournalError:
        return ()
    unit = "%" if one.measure == MARGIN else ""
    return tuple(chart(samples, levels_of(one), deeds, now, span_s, size, unit) for size in sizes)


def _came_to(deed: Data) -> str:
    kind = deed["outcome_kind"]
    return {"restored": "done", "partial": "done", "failed": "failed", "in_flight": "flying"}.get(kind or "", "tried")


def _unseen(sight: Onlooker, view: Data | None) -> list[str]:
    """Return what is in the settings and not in the view: unknown, and not fine."""
    shown = {s["name"] for s in view["subjects"]} if view else set()
    return [] if view and view["more"] else [name for name in sight.settings.subject_names if name not in shown]
