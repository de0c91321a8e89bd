"""Forecasters by name: those that come with the keeper, and an owner's own, by entry point.

A package of the owner's names its callable in ``[project.entry-points."position_keeper.forecasters"]``; what it gets
and gives is ``core.risk.forecast.Own``.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import entry_points

from keeper.core.risk.forecast import FORECASTERS, Forecaster, of_own
from keeper.service.guarded_forecaster import Guarded

GROUP = "position_keeper.forecasters"


class NoForecasterError(ValueError):
    """A name that no forecaster has, or one that cannot be loaded."""


def names() -> tuple[str, ...]:
    """Return every name that may be written."""
    return (*FORECASTERS, *(point.name for point in entry_points(group=GROUP)))


def forecaster_of(name: str) -> Forecaster:
    """Return the forecaster of a name. Raises NoForecasterError with what there is."""
    if name in FORECASTERS:
        return FORECASTERS[name]
    for point in entry_points(group=GROUP, name=name):
        try:
            own = point.load()
        except Exception as error:
            raise NoForecasterError(f"{name!r} cannot be loaded: {type(error).__name__} {error}") from error
        if not callable(own):
            raise NoForecasterError(f"{name!r} is no callable")
        return of_own(own)
    raise NoForecasterError(f"{name!r} is no forecaster; there are {', '.join(names())}")


def guarded(name: str) -> tuple[Forecaster, Callable[[], str | None]]:
    """Return a forecaster as a running keeper asks it, and what says why it had no answer. Raises NoForecasterError."""
    found = forecaster_of(name)
    if name in FORECASTERS:
        return found, lambda: None
    own = Guarded(found)
    return own, own.trouble
