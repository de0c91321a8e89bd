"""Options of a command in groups: each a frozen class whose fields say their own word, default and meaning."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import MISSING, Field, fields
from inspect import Parameter, Signature
from typing import Any, get_type_hints

KINDS = Parameter.KEYWORD_ONLY


def grouped(*groups: type[Any]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Make a command of a function that takes one of each group: its options are their fields, in their order."""

    def made(command: Callable[..., None]) -> Callable[..., None]:
        def run(**given: Any) -> None:
            command(*(group(**{f.name: given[f.name] for f in fields(group)}) for group in groups))

        parameters = [_parameter(f, hints) for group in groups for f, hints in _fields(group)]
        run.__name__, run.__doc__ = command.__name__, command.__doc__
        run.__signature__ = Signature(parameters)  # type: ignore[attr-defined] # typer reads the options from it
        run.__annotations__ = {p.name: p.annotation for p in parameters}
        return run

    return made


def _fields(group: type[Any]) -> list[tuple[Field[Any], dict[str, Any]]]:
    hints = get_type_hints(group, include_extras=True)
    return [(f, hints) for f in fields(group)]


def _parameter(of: Field[Any], hints: dict[str, Any]) -> Parameter:
    default = Parameter.empty if of.default is MISSING else of.default
    return Parameter(of.name, KINDS, default=default, annotation=hints[of.name])
