"""What is wrong with a file, in the owner's words: the field by its place and name, the fault, the remedy."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel, ValidationError

from keeper.settings.rule_schema import RESTORE_KINDS, SLIPPAGE_KINDS

Location = tuple[Any, ...]
_MOST_SHOWN = 1000


def in_one_line(text: str) -> str:
    """Return a text as one line that any terminal can show: the unseen is written out, what is long is cut."""
    seen = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    return seen if len(seen) <= _MOST_SHOWN else f"{seen[: _MOST_SHOWN - 1]}…"


def field_faults(error: ValidationError, raw: Any, model: type[BaseModel]) -> Iterator[str]:
    """Yield each field of a file that is not what it should be."""
    for fault in error.errors(include_url=False):
        location = _as_written(raw, fault["loc"])
        if fault["type"] == "too_short" and fault["ctx"]["actual_length"] < _length_at(raw, location):
            continue  # it is short of what is wrong with its items, and that is reported
        where = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location).lstrip(".")
        name = name_at(raw, location)
        message = _worded(fault, location, raw, model)
        field, colon, rest = message.partition(": ")
        if colon and field in _keys_at(model, location):  # a table's own check names the field it blames
            where, message = f"{where}.{field}", rest
        yield f"{where} (in {name!r}): {message}" if name else f"{where}: {message}"


def name_at(raw: Any, location: Location) -> str | None:
    """Return the name of the table a fault is in, where tables have names."""
    name, here = None, raw
    for part in location:
        try:
            here = here[part]
        except (KeyError, IndexError, TypeError):
            break
        if isinstance(here, dict) and isinstance(here.get("name"), str):
            name = here["name"]
    return name


def _worded(fault: Any, location: Location, raw: Any, model: type[BaseModel]) -> str:
    match fault["type"]:
        case "extra_forbidden":
            return f"unknown key{_suggestion(location, model)}"
        case "missing":
            return "is missing"
        case "too_short":
            return "is empty; it needs at least one"
        case "tuple_type" if len(location) == 1 and isinstance(raw[location[0]], dict):
            return f"is one table; it is a list of tables: write [[{location[0]}]] with two brackets"
        case "tuple_type":
            return "is not a list; write it in brackets, like [ … ]"
        case "model_type" | "model_attributes_type" | "dict_type":
            return "is not a table; write it in braces, like { … }, or under its own [heading]"
    message = str(fault["msg"]).removeprefix("Value error, ").replace("Input should be", "must be")
    return f"{message[0].lower()}{message[1:]}"


def _as_written(raw: Any, location: Location) -> Location:
    """Return a fault's place without the parts that only the schema knows (which member of a union was tried)."""
    written, here = list[Any](), raw
    for i, part in enumerate(location):
        try:
            here = here[part]
        except (KeyError, IndexError, TypeError):
            if part in RESTORE_KINDS + SLIPPAGE_KINDS or (isinstance(part, str) and i < len(location) - 1):
                continue
        written.append(part)
    return tuple(written)


def _length_at(raw: Any, location: Location) -> int:
    for part in location:
        raw = raw[part]
    return len(raw) if isinstance(raw, list) else 0


def _suggestion(location: Location, model: type[BaseModel]) -> str:
    known = _keys_at(model, location[:-1])
    close = difflib.get_close_matches(str(location[-1]), known, n=1)
    return f"; did you mean {close[0]!r}?" if close else f"; known here: {', '.join(known)}"


def _keys_at(model: Any, location: Location) -> list[str]:
    for part in location:
        if isinstance(part, str) and isinstance(model, type) and issubclass(model, BaseModel):
            field = model.model_fields.get(part)
            model = _model_in(field.annotation) if field else model
    return list(model.model_fields) if isinstance(model, type) and issubclass(model, BaseModel) else []


def _model_in(annotation: Any) -> Any:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((m for m in map(_model_in, getattr(annotation, "__args__", ())) if m), None)
