"""In which order cases are kept: wave by wave, and of those judged together who has most to lose comes first."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from itertools import groupby

from keeper.engine.case import A, AnyCase, Case, I, R
from keeper.engine.convoys import going_together
from keeper.engine.engine import Engine
from keeper.engine.result import Result

Urgency = tuple[bool, bool, int, int]


@dataclass(frozen=True, slots=True)
class Looked:
    """A case that was judged, and the rest of its way; nothing is planned yet."""

    case: AnyCase
    urgency: Urgency
    """Who has most to lose is smallest; who asks for nothing comes last."""
    wants_to_act: bool
    keep: Callable[[], Awaitable[Result]]


Look = Callable[[AnyCase], Awaitable[Looked]]


async def in_waves(engine: Engine, cases: Sequence[AnyCase], look: Look) -> tuple[Result, ...]:
    """Judge every case, then take each the rest of its way; what comes later meets what was decided before it.

    What goes out at this block goes out together. Results are in the order of the cases.
    """
    found = dict[int, Result]()
    waves = [tuple(wave) for _, wave in groupby(sorted(cases, key=_wave), _wave)]
    with going_together(engine) as convoys:
        for i, wave in enumerate(waves, 1):
            later = {case.signer for after in waves[i:] for case in after}
            ones = [await look(case) for case in wave]
            convoys.expect([one.case.signer for one in ones if one.wants_to_act], later)
            for one in sorted(ones, key=lambda one: one.urgency):
                found[id(one.case)] = await one.keep()
    return tuple(found[id(case)] for case in cases)


def in_order(case: Case[A, I, R], intents: Sequence[I], keep: Callable[[], Awaitable[Result]]) -> Looked:
    """Return a judged case with its place among the others: by the most urgent of what its rules ask for."""
    most = min((case.urgency(intent) for intent in intents), default=None)
    return Looked(case, (most is None, *(most or (False, 0, 0))), most is not None, keep)


def _wave(case: AnyCase) -> int:
    return case.wave
