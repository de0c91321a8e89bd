"""The nodes as one, from the settings: who may be asked what, who may send, and who hears of it first."""

from __future__ import annotations

import time
from collections.abc import Callable

from keeper.chain.chunks import Caps
from keeper.chain.client import Node
from keeper.chain.member import Member, methods_of
from keeper.chain.nodes import Nodes
from keeper.chain.pace import RequestPace
from keeper.chain.record import ASIDE_S, Aside, Role
from keeper.core.notices import sentence
from keeper.core.units import duration
from keeper.execution.dispatch import Wire
from keeper.execution.signer import KeyUnavailableError
from keeper.observe.observer import Observer
from keeper.settings import Settings


class NoSenderError(KeyUnavailableError):
    """No node takes transactions: as good as no key."""


def nodes(settings: Settings, observer: Observer, *, is_live: bool) -> Nodes:
    """Return the nodes as one. In dry run none of them may send, and those that only send are left out.

    Raises NoSenderError when it is live and no node takes transactions.
    """
    takers = {Role.SEND, Role.PRIVATE}
    if is_live and not any(node.roles & takers for node in settings.nodes):
        raise NoSenderError('--live needs a node with the role "send" or "private": see [[network.nodes]]')

    def notify(name: str, why: Aside, detail: str) -> None:
        if len(settings.nodes) > 1:  # of one alone the daemon reports
            title, body, over = said_of(name, why, detail)
            observer.raise_alarm(f"node:{name}:{why.value}", title, body, subject=f"node:{name}", name=over)

    members = []
    for node in settings.nodes:
        roles = node.roles if is_live else node.roles - takers
        if roles:
            may = methods_of(roles, node.send_method, is_live=is_live)
            timeout_s = settings.daemon.rpc_timeout_s
            pace = RequestPace(node.requests_per_second)
            connection = Node(node.url.reveal(), timeout_s=timeout_s, allowed=may, name=node.name, pace=pace)
            members.append(
                Member(connection, settings.network.chain_id, time.monotonic, notify, roles, node.send_method)
            )
    return Nodes(
        members,
        max_lag_blocks=settings.max_lag_blocks,
        block_time_s=settings.network.block_time_s,
        warn=observer.raise_alarm,
        calm=observer.clear_alarm,
    )


REMEDIES = {
    Aside.FAILING: "If it stays so look at it, or take it out of [[network.nodes]]",
    Aside.LYING: "See what it answers otherwise than the others; take it out of [[network.nodes]] if it is wrong",
    Aside.WRONG_CHAIN: "Correct its `url`, or take it out of [[network.nodes]]",
}


def said_of(name: str, why: Aside, detail: str) -> tuple[str, str, str]:
    """Return how an alarm calls a node that is set aside, what it says of it, and what is said when that is over."""
    again = "once it serves this chain" if why is Aside.WRONG_CHAIN else f"in {duration(ASIDE_S)}"
    body = sentence(detail, f"The other nodes are asked in its place, and this one again {again}", REMEDIES[why])
    return f"Node {name} is not asked: {why.value}", body, f"node {name} is asked again"


def private_first(node: Nodes, private_s: float, clock: Callable[[], float]) -> Wire:
    """Return a wire that shows a nonce to private relays only, and to everybody once it has waited ``private_s``.

    The time belongs to the nonce: a higher offer or another plan at it does not begin anew. Without a relay everybody
    hears at once.
    """
    since: dict[int, float] = {}

    async def wire(nonce: int, raw: str) -> None:
        began = since.setdefault(nonce, clock())
        for old in [n for n in since if n < nonce - 64]:
            del since[old]
        (await node.send(raw, public=clock() - began >= private_s)).raise_unless_taken()

    return wire


def caps(settings: Settings) -> Caps:
    """Return what the owner says a node takes in one call."""
    daemon = settings.daemon
    return Caps(daemon.reads_per_call, daemon.gas_per_call, daemon.bytes_per_call)
