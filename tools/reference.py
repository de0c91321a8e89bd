"""Write docs/reference from the code: `python -m tools.reference`. A test keeps the two the same.

``cli.md`` is what each command's ``--help`` says; ``settings.md`` every key of the settings file.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from typer.main import get_command

from keeper.chain.record import Role
from keeper.cli.commands import app
from keeper.cli.common import EXIT_CODES
from keeper.settings.for_editors import json_schema
from keeper.settings.schema import KeeperFile

FOLDER = Path(__file__).parents[1] / "docs" / "reference"
WRITTEN = "Written by `python -m tools.reference` from the code; a test holds it.\n"
Data = dict[str, Any]


def pages() -> dict[str, str]:
    """Return every page by its file's name."""
    return {"cli.md": "\n".join(_cli()), "settings.md": "\n".join(_settings())}


# --- commands --------------------------------------------------------------------------------------------------------


def _cli() -> Iterator[str]:
    yield f"# Commands\n\n{WRITTEN}"
    yield "Nothing is ever sent without `--live`. Every command takes `--help`; those that print data take `--json`.\n"
    yield "## Exit codes\n\n| code | meaning |\n|---|---|"
    yield from (f"| {code.value} | {words} |" for code, words in EXIT_CODES.items())
    yield "\nThey are stable: scripts may rely on them.\n"
    for words, command in commands(get_command(app), "keeper"):
        yield f"## `{words}`\n\n{_prose(command.help or '')}\n"
        yield "| | | |\n|---|---|---|"
        yield from (_row(of) for of in command.params if not getattr(of, "hidden", False))
        yield ""


def commands(of: Any, words: str) -> Iterator[tuple[str, Any]]:
    """Return every command with its words, groups opened."""
    for name, inner in getattr(of, "commands", {}).items():
        yield from commands(inner, f"{words} {name}")
    if not hasattr(of, "commands"):
        yield words, of


def _prose(text: str) -> str:
    """A docstring as Markdown: each paragraph a line, an example in code."""
    found = [" ".join(one.split()) for one in re.sub(r"\[/?bold\]", "", inspect.cleandoc(text)).split("\n\n")]
    return "\n\n".join(re.sub(r"Example: (keeper .*)$", r"Example: `\1`", one) for one in found)


def _row(of: Any) -> str:
    words = (of.help or "").replace("|", "\\|")
    if of.param_type_name == "argument":
        return f"| `{(of.name or '').rstrip('_').upper()}` | {'needed' if of.required else ''} | {words} |"
    names = ", ".join(f"`{name}`" for name in (*of.opts, *of.secondary_opts))
    default = "" if of.is_flag or of.default in (None, "") else f"`{of.default}`"
    variable = f" Or the variable `{of.envvar}`." if of.envvar else ""
    return f"| {names} | {default} | {words}{variable} |"


# --- settings --------------------------------------------------------------------------------------------------------


def _settings() -> Iterator[str]:
    yield f"# Settings\n\n{WRITTEN}"
    yield (
        'Money and ratios are quoted decimals (`"1.25"`), times are like `"10m"` (`ms`, `s`, `m`, `h`, `d`).\n'
        "A key that is not here is refused, with its place and a remedy. `keeper schema` prints the same for\n"
        "editors, `keeper example` a file to begin with.\n"
    )
    definitions = json_schema()["definitions"]
    for path, model, is_list in _tables():
        keys = {key: of for key, of in model.model_fields.items() if not _inner(of.annotation)}
        yield f"## `{'[[' if is_list else '['}{path}{']]' if is_list else ']'}`\n"
        if path == "rules.when":
            yield "One of the triggers, and what stands beside it: [what a rule may watch](../rules.md).\n"
            continue
        yield "| key | form | left out | what it is |\n|---|---|---|---|"
        forms = definitions[model.__name__]["properties"]
        for key, of in keys.items():
            name = of.alias or key
            yield f"| `{name}` | {_form(forms[name])} | {_left_out(of)} | {_meant(forms[name])} |"
        yield ""


def _tables() -> Iterator[tuple[str, type[BaseModel], bool]]:
    """Every table of the file, by its path, and whether there may be several."""

    def below(path: str, model: type[BaseModel]) -> Iterator[tuple[str, type[BaseModel], bool]]:
        for key, of in model.model_fields.items():
            if inner := _inner(of.annotation):
                where = f"{path}.{of.alias or key}".lstrip(".")
                yield where, inner, get_origin(of.annotation) is tuple
                if where != "rules.when":
                    yield from below(where, inner)

    yield from below("", KeeperFile)


def _inner(annotation: Any) -> type[BaseModel] | None:
    """The table that a key holds; None where it holds a value."""
    found = [one for one in (annotation, *get_args(annotation)) if isinstance(one, type) and issubclass(one, BaseModel)]
    return found[0] if found else None


def _meant(of: Data) -> str:
    return str(of.get("description", "")).replace("|", "\\|")


FORMS = {"string": "text", "integer": "a whole number", "number": "a number", "boolean": "`true` or `false`"}


def _form(of: Data) -> str:
    if "enum" in of:
        return ", ".join(f"`{value}`" for value in of["enum"])
    if "$ref" in of:
        return ", ".join(f"`{role.value}`" for role in Role) if of["$ref"].endswith("/Role") else "a table"
    if "anyOf" in of:
        return _either([one for one in of["anyOf"] if one.get("type") != "null" and "not" not in one])
    if "90s" in of.get("examples", ()):
        return "a time"
    if of.get("type") == "array":
        return f"a list: {_form(of.get('items', {}))}"
    if "minimum" in of and "maximum" in of:
        return f"{of['minimum']} to {of['maximum']}"
    return FORMS.get(of.get("type", ""), "a table")


def _either(several: list[Data]) -> str:
    """The usual ones of several forms: what else is read as a switch or a number is in the schema alone."""
    if all("const" in one for one in several):
        return "words of [what it may do](../rules.md)"
    forms = dict.fromkeys(_form(one) for one in several)
    if FORMS["boolean"] in forms:
        return FORMS["boolean"]
    return "a decimal" if set(forms) == {"text", "a number"} else " or ".join(reversed(forms))


def _left_out(of: FieldInfo) -> str:
    if of.is_required():
        return "needed"
    value = of.get_default(call_default_factory=True)
    if value is None or value in ((), [], {}, ""):
        return "–"
    if isinstance(value, tuple):
        return ", ".join(f"`{getattr(one, 'value', one)}`" for one in value)
    if isinstance(value, Decimal) and "Period" not in str(of.annotation) and "as_period" not in str(of):
        return f"`{value}`"
    if isinstance(value, Decimal):
        return f"`{_time(int(value))}`"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _time(seconds: int) -> str:
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "m")):
        if seconds and not seconds % size:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name, text in pages().items():
        (FOLDER / name).write_text(text.rstrip() + "\n", encoding="utf-8")
