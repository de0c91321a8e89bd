"""The settings as a JSON Schema: what loads passes it, and what it knows of is what the settings know."""

from __future__ import annotations

import copy
import json
import tomllib
from collections.abc import Callable
from typing import Any

import fastjsonschema
import pytest
from typer.testing import CliRunner

from keeper import resources
from keeper.cli.main import app
from keeper.settings.for_editors import json_schema
from keeper.settings.rule_keys import TRIGGERS


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    return json_schema()


@pytest.fixture(scope="module")
def check(schema: dict[str, Any]) -> Callable[[Any], Any]:
    found: Callable[[Any], Any] = fastjsonschema.compile(schema)
    return found


@pytest.fixture
def example() -> dict[str, Any]:
    return tomllib.loads(resources.example())


def test_it_is_a_schema_and_what_ships_passes_it(check: Callable[[Any], Any], example: dict[str, Any]) -> None:
    """The example is fine by it."""
    check(example)


@pytest.mark.parametrize(
    ("where", "value"),
    [
        (("positions", 0, "venue"), "nowhere"),
        (("positions", 0, "owner"), 7),
        (("rules", 0, "actions"), ["pray"]),
        (("rules", 0, "when"), {"health_factor_beneath": "1.2"}),
        (("rules", 0, "cooldown"), "soon"),
        (("safety", "max_rounds"), 1000),
        (("daemon", "no_such_key"), 1),
    ],
    ids=lambda x: ".".join(map(str, x)) if isinstance(x, tuple) else "",
)
def test_what_an_editor_can_see_is_wrong_is_marked(
    check: Callable[[Any], Any], example: dict[str, Any], where: tuple[str | int, ...], value: Any
) -> None:
    """A slip in a key, a word, a form or a bound."""
    spoiled: Any = copy.deepcopy(example)
    *path, last = where
    at = spoiled
    for step in path:
        at = at[step]
    at[last] = value
    with pytest.raises(fastjsonschema.JsonSchemaValueException):
        check(spoiled)


def test_every_trigger_is_there_with_its_words(schema: dict[str, Any]) -> None:
    """A metric that is added is completed by the editor too, and explained."""
    known = schema["definitions"]["WhenTable"]["properties"]
    assert set(TRIGGERS) <= set(known)
    assert all(known[key]["description"] for key in TRIGGERS)


def test_the_command_prints_it(schema: dict[str, Any]) -> None:
    """`keeper schema` is for a file beside the settings."""
    found = CliRunner().invoke(app, ["schema"])
    assert found.exit_code == 0
    assert json.loads(found.stdout) == schema
