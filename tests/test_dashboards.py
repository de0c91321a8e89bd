"""The dashboard and the alert rules ask for what a keeper really exposes, and for nothing else."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from keeper.core.drills import Drill, Drilled, DrillEnding
from keeper.core.reasons import Reason
from keeper.core.units import WAD
from keeper.observe.gauges import Gauges
from tools import dashboard

DEPLOY = Path(__file__).parents[1] / "deploy"
RULES = DEPLOY / "prometheus" / "keeper-alerts.yml"
LABELS_OF_A_SCRAPE = {"instance", "job"}


@pytest.fixture(scope="module")
def exposed() -> dict[str, set[str]]:
    """Metric → its labels, as a run exposes them once each thing has happened."""
    gauges = Gauges(is_live=True)
    gauges.block(1, {"loop": WAD}, 0.1, 0)
    gauges.perps({"short": WAD}, {"book": WAD})
    gauges.decided("loop", Reason.HEALTHY)
    gauges.ended("loop", "restored")
    gauges.alarmed()
    gauges.drilled(Drill(1, 1, (Drilled("loop", "protect", DrillEnding.WORKS, "WETH at 1,742.10"),)))
    text = generate_latest(gauges.registry).decode()
    found = dict[str, set[str]]()
    for family in text_string_to_metric_families(text):
        found.setdefault(family.name, set())
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    return found


def asked() -> list[tuple[str, str]]:
    """Every query with where it stands."""
    panels = json.loads(dashboard.FILE.read_text(encoding="utf-8"))["panels"]
    queries = [(panel["title"], target["expr"]) for panel in panels for target in panel["targets"]]
    return queries + [(rule["alert"], rule["expr"]) for rule in rules()]


def rules() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"][0]["rules"]
    return found


def test_the_dashboard_is_written_from_its_list() -> None:
    """deploy/grafana/position-keeper.json: run `python -m tools.dashboard` after a change."""
    assert dashboard.FILE.read_text(encoding="utf-8") == dashboard.text()


@pytest.mark.parametrize(("where", "query"), asked(), ids=[where for where, _ in asked()])
def test_every_query_asks_for_a_metric_that_there_is(exposed: dict[str, set[str]], where: str, query: str) -> None:
    """By its whole name, counters with their suffix, and only for labels that it has."""
    names = set(re.findall(r"\bkeeper_\w+", query))
    assert names, where
    assert names <= set(exposed), where
    labels = set(re.findall(r"by \(([^)]*)\)", query)) and {
        label.strip() for group in re.findall(r"by \(([^)]*)\)", query) for label in group.split(",")
    }
    labels |= set(re.findall(r"[{,]\s*(\w+)\s*=", query))
    known = set().union(*(exposed[name] for name in names)) | LABELS_OF_A_SCRAPE
    assert labels <= known, where


def test_every_metric_is_on_the_dashboard(exposed: dict[str, set[str]]) -> None:
    """What is measured is shown somewhere."""
    shown = " ".join(query for _, query in asked())
    left = {name.removesuffix("_total").removesuffix("_created") for name in exposed}
    assert [name for name in sorted(left) if name not in shown] == []


def test_every_metric_is_documented_with_its_labels(exposed: dict[str, set[str]]) -> None:
    """docs/metrics.md names each, and none that is not there."""
    page = (DEPLOY.parent / "docs" / "metrics.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `(keeper_\w+)` \| ([^|]*)\|", page, re.MULTILINE))
    told = {name: set(re.findall(r"`(\w+)`", labels)) for name, labels in rows.items()}
    counted = {name for name in exposed if f"{name}_total" in exposed}
    assert told == {n: of for n, of in exposed.items() if n not in counted and not n.endswith("_created")}


def test_rules_name_reasons_and_labels_that_there_are(exposed: dict[str, set[str]]) -> None:
    """A reason that was renamed would silence its rule."""
    codes = {reason.code for reason in Reason}
    for rule in rules():
        for group in re.findall(r'reason=~"([^"]+)"', rule["expr"]):
            assert set(group.split("|")) <= codes, rule["alert"]
        assert rule["labels"]["severity"] in ("critical", "warning")
        assert rule["annotations"]["summary"]
        assert rule["annotations"]["description"]


@pytest.mark.skipif(shutil.which("promtool") is None, reason="there is no promtool here: apt-get install prometheus")
def test_promtool_finds_nothing_wrong() -> None:
    """Rules and settings, by Prometheus's own tool."""
    for command in (["check", "rules", RULES], ["check", "config", RULES.with_name("prometheus.yml")]):
        found = subprocess.run(["promtool", *command], capture_output=True, text=True, check=False)
        assert found.returncode == 0, found.stdout + found.stderr


@pytest.mark.skipif(shutil.which("promtool") is None, reason="there is no promtool here: apt-get install prometheus")
def test_the_rules_fire_when_they_should_and_are_quiet_otherwise() -> None:
    """A keeper that judges blocks, hangs, is gone; a position near liquidation: played by Prometheus's own engine."""
    played = ["promtool", "test", "rules", RULES.with_name("keeper-alerts.test.yml")]
    found = subprocess.run(played, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout + found.stderr
