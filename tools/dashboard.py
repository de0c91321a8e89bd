"""The Grafana dashboard in `deploy/grafana`, written from this list: `python -m tools.dashboard`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FILE = Path(__file__).resolve().parents[1] / "deploy" / "grafana" / "position-keeper.json"
SOURCE = {"type": "prometheus", "uid": "${source}"}
WIDTH = 24


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel: what it shows, by which queries, how wide."""

    title: str
    about: str
    queries: tuple[tuple[str, str], ...]
    width: int = 8
    kind: str = "timeseries"
    unit: str = "none"
    steps: tuple[tuple[float | None, str], ...] = ()
    words: tuple[tuple[str, str, str], ...] = ()
    """Values that are shown as words, with their colour."""


PANELS = (  # a line a panel
    Panel(
        "Mode",
        "1 when the keeper may send",
        (("keeper_live", "{{instance}}"),),
        4,
        "stat",
        words=(("0", "DRY RUN", "yellow"), ("1", "LIVE", "red")),
    ),
    Panel(
        "Blocks judged in 5 min",
        "None for a while: nobody watches",
        (("changes(keeper_block[5m])", "{{instance}}"),),
        4,
        "stat",
        steps=((None, "red"), (1, "green")),
    ),
    Panel(
        "Lowest health factor",
        "Of every loan",
        (("min(keeper_health_factor)", "lowest"),),
        4,
        "stat",
        steps=((None, "red"), (1.1, "orange"), (1.3, "green")),
    ),
    Panel(
        "Lowest margin ratio",
        "Of every perpetual position",
        (("min(keeper_margin_ratio)", "lowest"),),
        4,
        "stat",
        "percentunit",
        steps=((None, "red"), (0.08, "orange"), (0.12, "green")),
    ),
    Panel(
        "Alarms in a day",
        "Raised, each once",
        (("increase(keeper_alarms_total[1d])", "{{instance}}"),),
        4,
        "stat",
        steps=((None, "green"), (1, "orange")),
    ),
    Panel(
        "Positions at rest",
        "Of a large fleet: no rule can fire on them",
        (("keeper_positions_afar", "{{instance}}"),),
        4,
        "stat",
    ),
    Panel(
        "Health factor",
        "1 is liquidation",
        (("keeper_health_factor", "{{position}}"),),
        12,
        steps=((None, "transparent"), (1.0, "red")),
    ),
    Panel("Margin ratio", "Equity by notional", (("keeper_margin_ratio", "{{position}}"),), 12, unit="percentunit"),
    Panel("Delta of books", "Whole underlyings", (("keeper_delta", "{{book}}"),), 12),
    Panel(
        "How long a block takes",
        "From its head to what was decided",
        (("keeper_cycle_seconds", "{{instance}}"),),
        12,
        unit="s",
    ),
    Panel(
        "Rescues that would work",
        "By the last fire drill: 0 is one that would fail",
        (("keeper_rescue_works", "{{position}} {{rule}}"),),
        12,
        "stat",
        words=(("0", "WOULD FAIL", "red"), ("1", "works", "green")),
    ),
    Panel(
        "Last fire drill",
        "How long ago",
        (("time() - keeper_fire_drill_timestamp_seconds", "{{instance}}"),),
        12,
        "stat",
        "s",
    ),
    Panel(
        "Decisions by reason",
        "A second's share",
        (("sum by (reason) (rate(keeper_decisions_total[5m]))", "{{reason}}"),),
        12,
    ),
    Panel(
        "Plans by how they ended",
        "In an hour",
        (("sum by (position, kind) (increase(keeper_outcomes_total[1h]))", "{{position}} {{kind}}"),),
        12,
    ),
)


def dashboard() -> dict[str, Any]:
    """Return it as Grafana loads it."""
    panels, x, y, height = list[dict[str, Any]](), 0, 0, 0
    for number, of in enumerate(PANELS, 1):
        tall = 4 if of.kind == "stat" else 8
        if x + of.width > WIDTH:
            x, y, height = 0, y + height, 0
        panels.append(_panel(number, of, {"x": x, "y": y, "w": of.width, "h": tall}))
        x, height = x + of.width, max(height, tall)
    variable = {"name": "source", "label": "Prometheus", "type": "datasource", "query": "prometheus"}
    return {
        "title": "position-keeper",
        "uid": "position-keeper",
        "schemaVersion": 39,
        "refresh": "30s",
        "time": {"from": "now-24h", "to": "now"},
        "tags": ["position-keeper"],
        "templating": {"list": [variable]},
        "panels": panels,
    }


def _panel(number: int, of: Panel, place: dict[str, int]) -> dict[str, Any]:
    options = {value: {"text": text, "color": colour} for value, text, colour in of.words}
    defaults: dict[str, Any] = {"unit": of.unit, "mappings": [{"type": "value", "options": options}] if options else []}
    if of.steps:
        steps = [{"value": value, "color": colour} for value, colour in of.steps]
        defaults["thresholds"] = {"mode": "absolute", "steps": steps}
    return {
        "id": number,
        "type": of.kind,
        "title": of.title,
        "description": of.about,
        "datasource": SOURCE,
        "gridPos": place,
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "options": {"reduceOptions": {"calcs": ["lastNotNull"]}} if of.kind == "stat" else {},
        "targets": [
            {"refId": chr(65 + i), "datasource": SOURCE, "expr": query, "legendFormat": legend}
            for i, (query, legend) in enumerate(of.queries)
        ],
    }


def text() -> str:
    """Return the file."""
    return json.dumps(dashboard(), indent=1) + "\n"


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
