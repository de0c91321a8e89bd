"""docs/rules.md shows a rule for every trigger, target and action; each stands as it is loaded here."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from keeper.core.book.kind import BOOK
from keeper.core.lending.kind import LENDING
from keeper.core.perp.kind import PERP
from keeper.core.rules import Kind
from keeper.settings import Settings, load
from keeper.settings.rule_keys import targets_of, triggers_of
from tools.rule_examples import LENDING_SETTINGS, PERP_SETTINGS

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "rules.md").read_text(encoding="utf-8")
ELSEWHERE = [
    (path.relative_to(ROOT).as_posix(), block)
    for path in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
    for block in re.findall(r"^```toml\n(.*?)\n```$", path.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    if "[[rules]]" in block and path.name != "rules.md"
]
BLOCKS = re.findall(r"^`(\w+)`:\n\n```toml\n(.*?)\n```$", PAGE, re.MULTILINE | re.DOTALL)


def _written(rule: str) -> dict[str, Any]:
    found: dict[str, Any] = tomllib.loads(rule)["rules"][0]
    return found


def _about(kind: Kind[Any, Any, Any]) -> list[dict[str, Any]]:
    """The page's rules about a kind: its heading down to the next kind's."""
    title = {"loan": "Lending positions", "perp": "Perpetual positions", "book": "Books"}
    name = next(k for k, of in (("loan", LENDING), ("perp", PERP), ("book", BOOK)) if of is kind)
    section = PAGE.split(f"## {title[name]}\n", 1)[1].split("\n## ", 1)[0]
    return [_written(rule) for rule in re.findall(r"```toml\n(.*?)\n```", section, re.DOTALL)]


@pytest.mark.parametrize(("key", "rule"), BLOCKS, ids=[_written(rule)["name"] for _, rule in BLOCKS])
def test_every_rule_that_the_page_shows_is_loaded(tmp_path: Path, key: str, rule: str) -> None:
    """As it stands there, beside the positions it names; it fires on what it is shown for."""
    whole = LENDING_SETTINGS if key in triggers_of(LENDING.metrics) and "eth-loop" in rule else PERP_SETTINGS
    file = tmp_path / "keeper.toml"
    file.write_text(f"{whole}\n{rule}\n", encoding="utf-8")
    settings: Settings = load(file, {})
    (loaded,) = (*settings.rules, *settings.perp_rules, *settings.book_rules)
    assert loaded.name == _written(rule)["name"]
    written = _written(rule)
    assert key in written.get("when", written)


@pytest.mark.parametrize("kind", [LENDING, PERP, BOOK], ids=["loan", "perp", "book"])
def test_every_trigger_target_and_action_is_in_a_rule_of_the_page(kind: Kind[Any, Any, Any]) -> None:
    """A new one wants its rule in tools/rule_examples.py; then `python -m tools.rules`."""
    rules = _about(kind)
    fired = {key for rule in rules for key in (*rule.get("when", ()), *(["every"] if "every" in rule else ()))}
    wanted = {key for rule in rules if isinstance(rule.get("restore"), dict) for key in rule["restore"]}
    done = {action for rule in rules for action in rule["actions"]}
    assert set(triggers_of(kind.metrics)) <= fired
    assert set(targets_of(kind.metrics)) <= wanted
    assert set(kind.actions) <= done


@pytest.mark.parametrize(("page", "rules"), ELSEWHERE, ids=[page for page, _ in ELSEWHERE])
def test_every_rule_that_another_page_shows_is_loaded(tmp_path: Path, page: str, rules: str) -> None:
    """The README, the guide for who comes from something else: what a reader copies works."""
    file = tmp_path / "keeper.toml"
    whole = PERP_SETTINGS if "short" in rules or "book" in rules else LENDING_SETTINGS
    if "[[books]]" in rules:
        whole = whole.split("[[books]]")[0]
    file.write_text(f"{whole}\n{rules}\n", encoding="utf-8")
    settings = load(file, {})
    assert len((*settings.rules, *settings.perp_rules, *settings.book_rules)) == rules.count("[[rules]]"), page
