"""docs/extending.md is kept true: its examples are what the tests run, and touch what it says they touch."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from test_toy_bank import TOY

from keeper.core.book.kind import BOOK
from keeper.core.family import Family
from keeper.core.lending.kind import LENDING
from keeper.core.lending.market_metrics import BORROW_RATE, NET_RATE, PEG, UTILISATION
from keeper.core.metrics import Metric
from keeper.core.perp.kind import PERP
from keeper.core.rules import Kind
from keeper.core.snapshot import LendingPosition
from keeper.settings.rule_schema import ACTIONS, RestoreTable, WhenTable
from keeper.venues.registry import VENUES, Key, Venue

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs/extending.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def test_the_line_of_the_registry_is_the_one_that_is_run() -> None:
    """As it is written on the page."""
    (line,) = [block for block in blocks("python") if block.startswith("Venue(")]
    assert eval(line, {"Venue": Venue, "Family": Family, "Key": Key}) == TOY  # noqa: S307 - a line of our own page


def test_a_venue_is_one_package() -> None:
    """The page's table has every module of the toy that is not the tests' own, at about its length."""
    own = {"__init__.py", "contract.py", "subject.py"}
    modules = {path.name for path in (ROOT / "tests/toy_bank").glob("*.py")} - own
    rows = dict(re.findall(r"\| \[`(\w+\.py)`\].*\| (\d+) \|", PAGE))
    assert rows.keys() == modules
    for name, lines in rows.items():
        assert abs(len((ROOT / "tests/toy_bank" / name).read_text().splitlines()) - int(lines)) <= 15, name


def test_nothing_of_the_program_knows_the_toy() -> None:
    """It is a line of the registry that only the tests add."""
    known = [str(path) for path in (ROOT / "keeper").rglob("*.py") if "toy" in path.read_text().lower()]
    assert not known


@pytest.mark.parametrize("venue", [venue for venue in VENUES.values() if not venue.package])
def test_a_venue_is_known_to_its_package_and_to_one_line_of_the_registry(venue: Venue) -> None:
    """The table of the page, for every venue there is: no other file of the program writes its name."""
    own = f"keeper/venues/{venue.key}/"
    assert {name for name in knowing(venue.key) if not name.startswith(own)} <= {"keeper/venues/registry.py"}


def test_the_decoder_knows_nothing_of_the_encoder() -> None:
    """Two tellings: where one is mistaken the gate refuses."""
    text = (ROOT / "tests/toy_bank/effects.py").read_text()
    assert "toy_bank" not in text


def knowing(*words: str) -> set[str]:
    """The files of the program in which one of these words stands."""
    return {
        name
        for name, text in program().items()
        if any(word in text and re.search(rf"\b{word}\b", text) for word in words)
    }


@cache
def program() -> dict[str, str]:
    """Every file of the program, read once."""
    return {path.relative_to(ROOT).as_posix(): path.read_text() for path in (ROOT / "keeper").rglob("*.py")}


def test_a_trigger_is_one_metric_as_it_is_on_the_page() -> None:
    """Both blocks are the program's own lines, and nothing else in it knows the trigger but the list it stands in."""
    home, listed = "keeper/core/lending/market_metrics.py", "keeper/core/lending/metrics.py"
    shown = [block.rstrip() for block in blocks("python") if "orrow_rate" in block]
    assert len(shown) == 2
    assert all(block in (ROOT / home).read_text() for block in shown)
    assert knowing("borrow_rate_above", "BORROW_RATE") == {home, listed}


@pytest.mark.parametrize("metric", [BORROW_RATE, NET_RATE, PEG, UTILISATION])
def test_what_is_in_the_list_is_a_settings_key_and_on_the_page_of_rules(metric: Metric[LendingPosition]) -> None:
    """Without another line anywhere."""
    (key,) = (metric.key_of(side) for side in metric.sides)
    assert key in WhenTable.model_fields
    assert f"| `{key}` |" in (ROOT / "docs/rules.md").read_text()
    assert knowing(key) == set()


@pytest.mark.parametrize("kind", [LENDING, PERP, BOOK])
def test_every_kind_of_thing_is_kept_by_its_metrics_and_actions(kind: Kind[Any, Any, Any]) -> None:
    """Loans, perpetual positions and books alike: each key of the settings is a metric's or an action's, and only its.

    The page of rules has a row for each.
    """
    page = (ROOT / "docs/rules.md").read_text()
    for metric in kind.metrics.values():
        for side in metric.sides:
            key = metric.key_of(side)
            assert key in WhenTable.model_fields
            assert f"| `{key}` |" in page
        if metric.risk is not None and metric.sides:
            assert metric.key in RestoreTable.model_fields
    for action in kind.actions.values():
        assert action.key in ACTIONS
        assert f"| `{action.key}` |" in page


def test_no_word_of_the_settings_is_written_beside_its_metric() -> None:
    """The delta of a book stands in its metric alone, as any other trigger does."""
    assert knowing("delta_outside") == set()


def test_an_action_is_one_object_as_it_is_on_the_page() -> None:
    """Its key is written where it is made, and nowhere else in the program."""
    home = "keeper/core/lending/actions/rescues.py"
    (shown,) = [block.rstrip() for block in blocks("python") if block.startswith("TOP_UP")]
    assert shown in (ROOT / home).read_text()
    assert {name for name in knowing("top_up") if '"top_up"' in (ROOT / name).read_text()} == {home}


def objects(name: str) -> set[str]:
    """The files of the program that name an object where it is made, or where it is listed beside its own kind."""
    listed = re.compile(rf"(^{name}\b.*=)|(\b{name}\b,? )|(\b{name}\b[,)])", re.MULTILINE)
    folder = ROOT / "keeper/core"
    return {p.relative_to(ROOT).as_posix() for p in folder.rglob("*.py") if listed.search(p.read_text())}


def test_the_page_counts_the_files_that_each_touches() -> None:
    """As many as there are: a place that has to know of it and is not on the page is a fault of one of them."""
    page = dict(re.findall(r"^\| ((?:a|an|the) [^|]*?) \| (\d+) \| ", PAGE, re.MULTILINE))
    assert {int(page["a venue"])} == {
        len({name for name in knowing(v.key) if not name.startswith(f"keeper/venues/{v.key}/")})
        for v in VENUES.values()
        if not v.package
    }
    assert int(page["a trigger: `borrow_rate_above`"]) == len(objects("BORROW_RATE"))
    assert int(page["an action: `top_up`"]) == len(objects("TOP_UP"))
    assert int(page["the toy venue"]) == len(knowing("toy_bank"))
