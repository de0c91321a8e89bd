"""A plan on its way looked at again before more is offered for it: kept, dropped, changed, or left as it is."""

from __future__ import annotations

from collections.abc import Callable

from keeper.chain.errors import NodeError
from keeper.core.reasons import Reason
from keeper.execution.course import Course, Guidance, PlanChangedError
from keeper.execution.recheck import Change, Drop, Keep, Unsure, Verdict
from keeper.execution.saying import Saying


class AskingAgain:
    """Asks whoever decided what would be decided now."""

    def __init__(self, voice: Saying, clock: Callable[[], float]) -> None:
        self._voice = voice
        self._clock = clock

    async def recheck(self, course: Course, guidance: Guidance) -> Keep | Drop | Unsure:
        """Ask what would be decided now, before more is offered; cancel what is not needed. Raises PlanChangedError."""
        asked = await self._ask(guidance, has_begun=bool(course.receipts), is_dropped=course.dropped is not None)
        match asked:
            case Change():
                raise PlanChangedError(course.pending)
            case Drop():
                course.refused.clear()
                await self._voice.cancel(course, guidance, Reason.NO_LONGER_NEEDED)
            case Keep(ceiling):
                course.looked_at = self._clock()
                if course.dropped is None:
                    course.ceiling = ceiling
        return asked

    async def _ask(self, guidance: Guidance, *, has_begun: bool, is_dropped: bool) -> Verdict:
        if is_dropped:
            return Keep(guidance.cancel_ceiling)
        if guidance.reconsider is None:
            return Keep(guidance.ceiling)
        try:
            return await guidance.reconsider(has_begun)
        except NodeError as error:
            return Unsure(Reason.NODE_AWAY, str(error))
