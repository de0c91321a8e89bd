"""What the keeper loads, an editor does not mark: the schema takes every form that the settings' own models take."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import fastjsonschema
import pytest
from pydantic import ValidationError

from keeper.settings import perp_schema, puts_schema, rule_schema, schema, shocks_schema
from keeper.settings.for_editors import json_schema
from keeper.settings.rule_keys import LOOKED_AT, TARGETS, TRIGGERS, beside
from keeper.settings.rule_keys import TABLES as TRIGGER_TABLES
from keeper.settings.rule_schema import RestoreTable, WhenTable
from tests.settings.example_in_full import example_in_full
from tests.settings.test_rule_examples import BLOCKS, ELSEWHERE
from tools.rule_examples import PERP_SETTINGS

Data = dict[str, Any]
Passes = Callable[[Data], bool]
SHOWN = [rule for _, rule in (*BLOCKS, *ELSEWHERE)]


def judge(schema: Data) -> Passes:
    """Whether an editor would leave it unmarked."""
    check = fastjsonschema.compile(schema)

    def passes(what: Data) -> bool:
        try:
            check(as_read(what))
        except fastjsonschema.JsonSchemaValueException:
            return False
        return True

    return passes


def as_read(what: Any) -> Any:
    """Return it as an editor has it: there is but one kind of number with a point."""
    if isinstance(what, dict):
        return {key: as_read(value) for key, value in what.items()}
    if isinstance(what, list):
        return [as_read(value) for value in what]
    return float(what) if isinstance(what, Decimal) else what


@pytest.fixture(scope="module")
def passes() -> Passes:
    return judge(json_schema())


def judge_of(table: str) -> Passes:
    """The same for one table alone."""
    return judge({"$ref": f"#/definitions/{table}", "definitions": json_schema()["definitions"]})


def loads(model: Any, what: Any) -> bool:
    """Whether the settings' own models take it."""
    try:
        model.model_validate(what)
    except ValidationError:
        return False
    return True


# --- what is shown ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rules", SHOWN)
def test_every_rule_that_the_documentation_shows_is_left_unmarked(passes: Passes, rules: str) -> None:
    """Beside the positions it names, as ``test_rule_examples`` loads it."""
    whole = PERP_SETTINGS.split("[[books]]")[0] if "[[books]]" in rules else PERP_SETTINGS
    assert passes(tomllib.loads(f"{whole}\n{rules}"))


def test_every_line_of_the_example_is_left_unmarked(passes: Passes) -> None:
    """Those that are commented out as well."""
    whole = tomllib.loads(example_in_full())
    assert {"books", "puts", "shocks", "panic", "exposure", "telegram"} <= set(whole)
    assert passes(whole)


# --- every trigger in every form -------------------------------------------------------------------------------------

WIDENING = {"base": "1.2", "per_volatility": "0.4"}
TABLES: list[Data] = [
    {},
    WIDENING,
    WIDENING | {"max": "2"},
    WIDENING | {"min": Decimal("0.5")},
    WIDENING | {"max": "2", "min": "0.5"},
    WIDENING | {"max": "2", "asset": "WETH"},
    {"base": "1.2", "max": "2"},
    {"per_volatility": "0.4", "max": "2"},
    {"probability": "0.01", "horizon": "24h"},
    {"probability": 0},
    {"horizon": "24h"},
    {"probability": "0.01", "horizon": "soon"},
    {"loss": "20000", "horizon": "1d"},
    {"loss": 20000, "fall": "0.4"},
    {"loss": "20000"},
    {"share": "0.6", "asset": "WETH"},
    {"share": "0.6"},
    {"asset": "WETH"},
    {"underlying": "ETH", "band": "0.5"},
    {"underlying": "ETH", "band": WIDENING | {"max": "3"}},
    {"underlying": "ETH", "band": WIDENING | {"min": "0.1"}},
    {"underlying": "ETH", "band": WIDENING},
    {"underlying": "ETH", "band": {"underlying": "ETH", "band": "0.5"}},
    {"underlying": "ETH"},
    {"band": "0.5"},
]


def test_every_trigger_takes_the_same_tables_in_an_editor_as_in_the_keeper() -> None:
    """Not one less, which would mark what is right, and not one more."""
    passes, taken = judge_of("WhenTable"), set[int]()
    for key in TRIGGERS:
        for i, table in enumerate(TABLES):
            fine = loads(WhenTable, {key: table})
            assert passes({key: table}) is fine, (key, table)
            taken |= {i} if fine else set()
    assert len(taken) == 11, [TABLES[i] for i in taken]


def test_every_trigger_takes_what_may_stand_beside_it() -> None:
    """A time, an asset, a fall; and its figure as a text, whole, and with a point."""
    passes = judge_of("WhenTable")
    values = {"asset": "WETH", "market": "ETH", "underlying": "ETH", "window": "7d", "fall": "0.3"}
    for key, metric in LOOKED_AT.items():
        figures: list[Any] = [" 7 d "] if metric.paces else ["1.25", " .5", "-1_000", 3, Decimal("0.5")]
        if key in TRIGGER_TABLES:
            named, bound = TRIGGER_TABLES[key]
            figures = [{named: "ETH", bound: figure} for figure in figures]
        more: list[Data] = [{}, *({of: values[of]} for of in beside(metric) if of in values)]
        for when in ({key: figure} | other for figure in figures for other in more):
            assert loads(WhenTable, when), when
            assert passes(when), when


def test_a_rule_has_one_trigger_and_one_target_and_is_about_one_thing() -> None:
    """As in the keeper."""
    when, restore = judge_of("WhenTable"), judge_of("RestoreTable")
    two = {"health_factor_below": "1.2", "ltv_above": "0.7"}
    assert not any(when(wrong) or loads(WhenTable, wrong) for wrong in ({}, {"asset": "WETH"}, two))
    assert all(restore({key: "1.2"}) and loads(RestoreTable, {key: "1.2"}) for key in TARGETS)
    two = {"health_factor": "1.2", "ltv": "0.7"}
    assert not any(restore(wrong) or loads(RestoreTable, wrong) for wrong in ({}, {"asset": "WETH"}, two))


# --- every key with every kind of value ------------------------------------------------------------------------------

ADDRESS = "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC"
WORDS = ["", " ", "WETH", "a.eth", ADDRESS, "close", "exit", "alert", "long", "https://node.example", "127.0.0.1"]
TIMES = ["0s", "90s", " 10 m", "1.5h", "7d", "300ms", "soon", "2027-01-29T08:00:00Z", "2027-01-29"]
NUMBERS = [0, 1, 7, -1, 10**9, "0", "1", "0.5", " .5", "+5", "-0.25", "1e3", "_7", "5.", Decimal("0.5"), Decimal(1)]
SWITCHES = [True, False, "yes", "No", "on", "OFF", "t", "F", "true", "False", "y", "n", "maybe"]
MOMENTS = [datetime(2027, 1, 29, 8, tzinfo=UTC), datetime(2027, 1, 29, 8)]  # noqa: DTZ001 - TOML has these too
HELD: list[Any] = [[], ["WETH"], ["eth-loop"], [ADDRESS], [5], {}, {"ETH": "0.5"}, {"usual": 50}, {"size": "1"}]
NAMED: list[Any] = ["eth_sendPrivateTransaction", "account_signTransaction", "aave_v3", "1.1", 600, 40_000, 10**6]
PARTS: list[Any] = [["repay"], ["read", "send"], {"health_factor_below": "1.2"}, {"health_factor": "1.6"}]
BREAKER = {"move": "0.1", "within": "5m", "pause": "30m"}
POOL = [*WORDS, *TIMES, *NUMBERS, *SWITCHES, *MOMENTS, *HELD, *NAMED, *PARTS, BREAKER]


def samples() -> dict[str, list[Data]]:
    """Return every table of the example in full, by its model."""
    whole = tomllib.loads(example_in_full(), parse_float=Decimal)
    found = {f"{key.removesuffix('s').title()}Table": value for key, value in whole.items()}
    found |= {
        "NodeTable": whole["network"]["nodes"],
        "NakedTable": whole["books"][0]["naked_budget"],
        "LimitsTable": [rule["limits"] for rule in whole["rules"] if "limits" in rule],
        "SlippageTable": whole["panic"][0]["limits"]["max_slippage_bps"],
        "BreakerTable": whole["safety"]["breaker"],
    }
    return {MODELS.get(name, name): of if isinstance(of, list) else [of] for name, of in found.items()}


def unlike(tables: list[Data]) -> list[Data]:
    """Return those that say something by a key which none before them has."""
    return [table for i, table in enumerate(tables) if not any(set(table) <= set(other) for other in tables[:i])]


MODELS = {"AlertTable": "AlertsTable"}
"""Tables that are not called as their key is."""


def test_whatever_the_keeper_takes_at_any_key_an_editor_leaves_unmarked() -> None:
    """Every table of the example in full; each of its keys, in turn, with every kind of value that TOML has."""
    files = (perp_schema, puts_schema, shocks_schema, rule_schema, schema)
    known = {name: model for file in files for name, model in vars(file).items()}
    tables, own = samples(), {"Role", "WhenTable", "RestoreTable", *(f"{key}_table" for key in TRIGGER_TABLES)}
    assert set(tables) == set(json_schema()["definitions"]) - own
    for name, written in tables.items():
        passes, model = judge_of(name), known[name]
        for key in model.model_fields:
            changed = ((table | {key: value} for table in unlike(written)) for value in POOL)
            first = (next((table for table in tables if loads(model, table)), None) for tables in changed)
            taken = [table for table in first if table is not None]
            assert taken, (name, key)
            assert [table for table in taken if not passes(table)] == [], (name, key)


# --- what is wrong ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('when = { health_factor_below = "1.25" }', 'when = { health_factor_below = "low" }'),
        ('when = { health_factor_below = "1.25" }', 'when = { health_factor_below = { base = "1.2", max = "2" } }'),
        (
            'when = { health_factor_below = "1.25" }',
            'when = { health_factor_below = { base = "1.2", per_volatility = "0.4", min = "1" } }',
        ),
        ('when = { health_factor_below = "1.25" }', 'when = { health_factor_below = "1.25", ltv_above = "0.7" }'),
        ('when = { health_factor_below = "1.25" }', "when = {}"),
        ('when = { health_factor_below = "1.25" }\n', ""),
        ('when = { health_factor_below = "1.25" }', 'when = { loss_in_stress_above = { loss = "1", horizon = "1d" } }'),
        ('actions = ["top_up", "repay"]', 'actions = ["topup"]'),
        ('restore = { health_factor = "1.60" }', 'restore = { health_factor = { base = "1.6" } }'),
        ('restore = { health_factor = "1.60" }', 'restore = "closed"'),
        ('position = "eth-loop"\nwhen = { health', 'position = "eth-loop"\nbook = "eth"\nwhen = { health'),
        ("usual = 50, worst = 500", "usual = 50, worst = 50000"),
        ("max_slippage_bps = { usual = 50, worst = 500 }", "max_slippage_bps = 0"),
        ('restore = "close"                    # or', 'restore = "open"   # or'),
        ("trade_unrehearsed = false", 'trade_unrehearsed = "perhaps"'),
        ('hedge = ["short"]', "hedge = 7"),
        ('expiry = "2027-01-29T08:00:00Z"', "expiry = 20270129"),
    ],
)
def test_what_neither_takes_is_marked(passes: Passes, old: str, new: str) -> None:
    """A slip in a form, a word, a bound; what is missing, and what is said twice."""
    text = example_in_full()
    assert old in text
    wrong = tomllib.loads(text.replace(old, new, 1), parse_float=Decimal)
    assert not loads(schema.KeeperFile, wrong)
    assert not passes(wrong)
