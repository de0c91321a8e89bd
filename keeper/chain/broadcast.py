"""Signed bytes go to every node that takes them, side by side; to private relays alone while they may."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from keeper.chain import rejections
from keeper.chain.accounts import has_already
from keeper.chain.errors import ForbiddenMethodError, NodeError, NodeRefusedError
from keeper.chain.member import Member
from keeper.chain.record import Role
from keeper.chain.tasks import Tasks, first_and_grace


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of one broadcast, node by node. Bytes that a node had already count as taken."""

    taken_by: tuple[str, ...]
    failed: tuple[NodeError, ...]
    unanswered: tuple[str, ...]
    """Still on their way when the others had answered; they go on."""
    is_public: bool
    """False while only private relays were asked."""

    @property
    def is_taken(self) -> bool:
        """Whether any node took the bytes."""
        return bool(self.taken_by)

    def raise_unless_taken(self) -> None:
        """Raise NodeError when no node took the bytes: a refusal rather than a silence, for it says why."""
        if not self.is_taken and self.failed:
            raise rejections.weightiest(self.failed) or self.failed[0]


async def broadcast(members: Sequence[Member], raw: str, tasks: Tasks, grace_s: float, *, public: bool) -> Sent:
    """Hand bytes to all nodes that take transactions; to the private relays only, unless ``public`` or there is none.

    Waits for the first that takes them, then a grace. A node set aside for its heads is asked too: it may still relay.
    Raises ForbiddenMethodError where no connection may send.
    """
    takers = [m for m in members if m.may_send]
    if not takers:
        raise ForbiddenMethodError("eth_sendRawTransaction without a connection that may use it")
    relays = [m for m in takers if Role.PRIVATE in m.roles]
    chosen = takers if public or not relays else relays
    begun = {m.name: tasks.begin(_given(m, raw)) for m in chosen}
    await first_and_grace(begun.values(), grace_s)
    outcomes = {name: task.result() for name, task in begun.items() if task.done()}
    return Sent(
        taken_by=tuple(name for name, outcome in outcomes.items() if outcome is True),
        failed=tuple(outcome for outcome in outcomes.values() if isinstance(outcome, NodeError)),
        unanswered=tuple(name for name in begun if name not in outcomes),
        is_public=any(Role.PRIVATE not in m.roles for m in chosen),
    )


async def _given(member: Member, raw: str) -> bool:
    try:
        await member.take(raw)
    except NodeRefusedError as error:
        if not has_already(error):
            raise
    return True
