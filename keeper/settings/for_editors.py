"""The settings file as a JSON Schema: what an editor completes and checks while it is written. `check` judges."""

from __future__ import annotations

import warnings
from typing import Any

from keeper.core.actions import ALERT
from keeper.core.book.kind import BOOK
from keeper.core.lending.kind import LENDING
from keeper.core.perp.kind import PERP
from keeper.settings.key_words import WORDS
from keeper.settings.rule_keys import targets_of, triggers_of
from keeper.settings.schema import KeeperFile
from keeper.settings.written_forms import add_forms
from keeper.venues.registry import VENUES

Data = dict[str, Any]
DRAFT = "http://json-schema.org/draft-07/schema#"
"""The one that editors of TOML read."""


def json_schema() -> Data:
    """Return the schema: keys and forms from the settings' own models, words from metrics, actions and venues."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # defaults of our own forms are left out below
        found = KeeperFile.model_json_schema(ref_template="#/definitions/{model}")
    tables: Data = found.pop("$defs")
    for table in (found, *tables.values()):
        _plain(table)
    add_forms(tables)
    _described(
        tables["WhenTable"], {key: of.summary for kind in (LENDING, PERP, BOOK) for key, (of, _) in _triggers(kind)}
    )
    _described(
        tables["RestoreTable"], {key: of.summary for kind in (LENDING, PERP, BOOK) for key, of in _targets(kind)}
    )
    for name, words in WORDS.items():
        _described(tables[name], words)
    for name in ("RuleTable", "PanicTable"):
        _actions(tables[name])
    tables["PositionTable"]["properties"]["venue"] = {"enum": list(VENUES), "description": "Where the position is."}
    return {"$schema": DRAFT, "title": "position-keeper: keeper.toml", **found, "definitions": tables}


def _triggers(kind: Any) -> Any:
    return triggers_of(kind.metrics).items()


def _targets(kind: Any) -> Any:
    return targets_of(kind.metrics).items()


def _plain(table: Data) -> None:
    """Take out what only the models' own machinery says: titles, and defaults in a form that nobody writes."""
    table.pop("title", None)
    for of in table.get("properties", {}).values():
        of.pop("title", None)
        of.pop("default", None)


def _described(table: Data, words: dict[str, str]) -> None:
    for key, text in words.items():
        table["properties"][key]["description"] = text


def _actions(table: Data) -> None:
    known = {action.key: action.summary for kind in (LENDING, PERP, BOOK) for action in kind.actions.values()}
    known[ALERT] = "Reports only; such a rule needs no target."
    table["properties"]["actions"]["items"] = {
        "anyOf": [{"const": key, "description": text} for key, text in known.items()]
    }
