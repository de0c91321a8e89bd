"""In which forms the settings may be written besides the plain one that their models hold, as an editor checks them.

The models take these apart before they look at them (``rule_keys.taken_apart``, ``RuleTable``, ``BookTable``).
"""

from __future__ import annotations

from typing import Any

from keeper.core.metrics import Metric
from keeper.settings.rule_keys import LOOKED_AT, TARGETS, TRIGGERS, beside_it

Data = dict[str, Any]
_BOUNDS = {"ge": "minimum", "gt": "exclusiveMinimum", "le": "maximum", "lt": "exclusiveMaximum"}
_SWITCH_WORDS = "^([01]|[tT]([rR][uU][eE])?|[fF]([aA][lL][sS][eE])?|[yY]([eE][sS])?|[nN][oO]?|[oO][nN]|[oO][fF][fF])$"
_SWITCH: list[Data] = [{"type": "boolean"}, {"enum": [0, 1]}, {"type": "string", "pattern": _SWITCH_WORDS}]
"""What is read as yes or no."""
_MOMENT: list[Data] = [{"type": "string"}, {"not": {"type": ["boolean", "number", "array", "object", "null"]}}]
"""A text; or a moment of TOML's own, which is no type of JSON."""


def add_forms(tables: dict[str, Data]) -> None:
    """Let each key stand in every form that its table takes, and say what must stand there once."""
    for key, metric in LOOKED_AT.items():
        _trigger(tables, key, metric)
    _exactly_one(tables["WhenTable"], TRIGGERS)
    _exactly_one(tables["RestoreTable"], TARGETS)
    _rule(tables["RuleTable"])
    _or_alone(tables["BookTable"]["properties"], "hedge")
    _in_place_of(tables["PutTable"]["properties"], "expiry", _MOMENT)
    for table in tables.values():
        for key, form in table.get("properties", {}).items():
            _bounded(form)
            if form.get("type") == "boolean":
                _in_place_of(table["properties"], key, _SWITCH)


def _trigger(tables: dict[str, Data], key: str, metric: Metric[Any]) -> None:
    """Add a trigger's tables: a bound that widens, or what is meant beside its bound."""
    when = tables["WhenTable"]["properties"]
    number = when["per_volatility"]
    if metric.volatility is not None:
        within, at = (when, key) if metric.bound_key is None else (_own_table(tables, key), metric.bound_key)
        ends = [dict.fromkeys(("base", "per_volatility", end.value), number) for end in metric.widens]
        _in_place_of(within, at, [within[at], *(_table(keys, *keys) for keys in ends)])
    elif metric.parts is not None and metric.bound_key is None:
        bound, more = metric.parts
        _in_place_of(when, key, [when[key], _table({bound: number, more: when[beside_it(metric)]}, bound)])


def _own_table(tables: dict[str, Data], key: str) -> Data:
    found: Data = tables[f"{key}_table"]["properties"]
    return found


def _rule(table: Data) -> None:
    """A schedule may be all there is of a trigger, and one asset to swap into may stand alone."""
    _exactly_one(table, ("position", "book"))
    table["required"].remove("when")
    table["anyOf"] = [{"required": ["when"]}, {"required": ["every"]}]
    _or_alone(table["properties"], "into")


def _or_alone(keys: Data, key: str) -> None:
    """Let one text stand in the place of a list."""
    _in_place_of(keys, key, [{k: v for k, v in keys[key].items() if k != "description"}, {"type": "string"}])


def _in_place_of(keys: Data, key: str, forms: list[Data]) -> None:
    words = {k: v for k, v in keys[key].items() if k == "description"}
    keys[key] = words | {"anyOf": forms}


def _table(keys: Data, *needed: str) -> Data:
    return {"type": "object", "properties": keys, "required": list(needed), "additionalProperties": False}


def _exactly_one(table: Data, keys: tuple[str, ...]) -> None:
    table["oneOf"] = [{"required": [key]} for key in keys]


def _bounded(form: Any) -> None:
    """Name bounds as JSON Schema does, where the models' own machinery leaves its own words."""
    if isinstance(form, list):
        for each in form:
            _bounded(each)
    if isinstance(form, dict):
        for word in form.keys() & _BOUNDS.keys():
            form[_BOUNDS[word]] = form.pop(word)
        for each in form.values():
            _bounded(each)
