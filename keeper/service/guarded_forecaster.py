"""An owner's forecaster as a running keeper asks it: within a time, and never twice at once.

Where it has no answer (it raises, hangs, or says what is no volatility) the usual forecaster speaks in its place, and
the owner hears of it. Somebody else's code may never stop a keeper, nor leave its rules blind.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from keeper.core.prices import Doubt
from keeper.core.risk.forecast import Forecaster, usual
from keeper.core.risk.series import Series
from keeper.core.risk.volatility import unknown

WITHIN_S = 2.0


@dataclass(slots=True)
class Guarded:
    """A forecaster of somebody else's. It is asked in a thread of its own: one that hangs is left there."""

    own: Forecaster
    within_s: float = WITHIN_S
    _trouble: str | None = None
    _asked: threading.Thread | None = field(default=None, repr=False)

    def __call__(self, history: Series, now: int, horizon_s: int, quiet_s: int = 0) -> float | Doubt:
        """Return its answer, else that of the usual one."""
        found = self._answer(history, now, horizon_s, quiet_s)
        if not isinstance(found, Doubt):
            return found
        instead = usual(history, now, horizon_s, quiet_s)
        if not isinstance(instead, Doubt):  # else nobody could say: the prices themselves are not known
            self._trouble = self._trouble or found.detail
        return instead

    def trouble(self) -> str | None:
        """Return why it had no answer since it was last asked for this; None where it had one each time."""
        found, self._trouble = self._trouble, None
        return found

    def _answer(self, history: Series, now: int, horizon_s: int, quiet_s: int) -> float | Doubt:
        if self._asked is not None and self._asked.is_alive():
            return unknown("the forecaster has not answered yet what it was asked before")
        found = list[float | Doubt]()

        def ask() -> None:
            try:
                found.append(self.own(history, now, horizon_s, quiet_s))
            except BaseException as error:  # noqa: BLE001 - also what would end a process: here it ends a question
                found.append(unknown(f"the forecaster ended without an answer: {type(error).__name__}"))

        self._asked = threading.Thread(target=ask, name="forecaster", daemon=True)
        self._asked.start()
        self._asked.join(self.within_s)
        return found[0] if found else unknown(f"the forecaster did not answer within {self.within_s:g} s")
