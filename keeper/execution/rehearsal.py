"""A plan is run on the state it was decided on before it may be sent, and its promise is checked on the result."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Protocol

from keeper.chain.blocks import Blocks
from keeper.chain.errors import NodeAwayError, NodeBusyError, NodeError, StaleAnswerError
from keeper.chain.fork import AnvilMissingError, Fork
from keeper.chain.simulation import (
    NO_CODES,
    CannotPayError,
    Codes,
    Simulation,
    SimulationUnsupportedError,
    Turn,
    simulate,
)
from keeper.core.lending.plan import Plan
from keeper.core.reasons import Reason
from keeper.core.snapshot import AccountFigures, BlockRef, LendingPosition
from keeper.core.units import Address, Wei, ratio_text
from keeper.execution.encoding import Script
from keeper.execution.hands import is_seen, kept
from keeper.venues.ports import Call, Probe, Read


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """The plan works on its block: gas of each call, and the account after it."""

    where: str
    gas_used: tuple[int, ...]
    after: AccountFigures
    how: str = "rehearsed at this block"
    spare_gas: int = 0
    """What each call may need besides: what stood for the oracle took less than the oracle will."""


@dataclass(frozen=True, slots=True)
class Refused:
    """The plan does not work, and why."""

    reason: Reason
    detail: str


class Simulator(Protocol):
    """Something that runs calls on a block's state without sending them anywhere."""

    @property
    def where(self) -> str:
        """Where that is."""

    async def run(
        self,
        block: BlockRef,
        sender: Address,
        calls: Sequence[Call],
        reads: Sequence[Read],
        code: Codes = NO_CODES,
        price: Wei | None = None,
        before: Sequence[Turn] = (),
    ) -> Simulation:
        """Run the calls one after the other, then the reads; ``code`` is put at accounts first.

        The sender pays for gas, at ``price`` or else at the next block's. ``before`` is run first: what others of ours
        send in the same block. Raises CannotPayError when the sender cannot pay.
        """


class ForkSimulator:
    """Rehearses on an anvil fork pinned to the block, impersonating the sender."""

    where = "anvil fork"

    def __init__(self, url: str, multicall: Address) -> None:
        self._url = url
        self._multicall = multicall

    async def run(
        self,
        block: BlockRef,
        sender: Address,
        calls: Sequence[Call],
        reads: Sequence[Read],
        code: Codes = NO_CODES,
        price: Wei | None = None,
        before: Sequence[Turn] = (),
    ) -> Simulation:
        """Start a fork, run, stop it. Raises AnvilMissingError, CannotPayError, NodeError."""
        async with Fork(self._url, block, self._multicall) as fork:
            return await fork.run(sender, calls, reads, code, price, before)


class NodeSimulator:
    """Rehearses by the node's own eth_simulateV1; on a fork where the node has none."""

    def __init__(self, blocks: Blocks, fork: Simulator) -> None:
        self._blocks = blocks
        self._fork = fork
        self.where = "eth_simulateV1"

    async def run(
        self,
        block: BlockRef,
        sender: Address,
        calls: Sequence[Call],
        reads: Sequence[Read],
        code: Codes = NO_CODES,
        price: Wei | None = None,
        before: Sequence[Turn] = (),
    ) -> Simulation:
        """Simulate. Raises NodeError, CannotPayError, AnvilMissingError when neither way is open.

        A node that breaks down over this request alone keeps no plan back: a fork asks it nothing but reads.
        """
        try:
            multicall = self._blocks.multicall
            found = await simulate(self._blocks.node, block, sender, calls, reads, multicall, code, price, before)
        except SimulationUnsupportedError as refused:
            self.where = self._fork.where
            try:
                return await self._fork.run(block, sender, calls, reads, code, price, before)
            except AnvilMissingError as missing:
                raise AnvilMissingError(f"the node does not simulate ({refused}), and {missing}") from None
        except NodeAwayError as away:
            if isinstance(away, NodeBusyError | StaleAnswerError):
                raise  # more requests would not help
            self.where = self._fork.where
            try:
                return await self._fork.run(block, sender, calls, reads, code, price, before)
            except (AnvilMissingError, NodeError):
                raise away from None
        self.where = "eth_simulateV1"
        return found


SOURCE_GAS = 60_000
"""What a price source takes at most, with what it asks in turn; what stands for one in a rehearsal takes little."""


class Overridden:
    """Rehearses with other code at some accounts: a price source that answers what has not come yet."""

    def __init__(self, simulator: Simulator, codes: Codes) -> None:
        self._simulator = simulator
        self._codes = codes

    @property
    def where(self) -> str:
        """Where the last run was."""
        return self._simulator.where

    async def run(
        self,
        block: BlockRef,
        sender: Address,
        calls: Sequence[Call],
        reads: Sequence[Read],
        code: Codes = NO_CODES,
        price: Wei | None = None,
        before: Sequence[Turn] = (),
    ) -> Simulation:
        """Run with these codes and those."""
        return await self._simulator.run(block, sender, calls, reads, {**self._codes, **code}, price, before)


_again: ContextVar[str] = ContextVar("again", default="")
"""The position that this task looks at again."""


@dataclass(slots=True)
class Upon:
    """Rehearses upon what was decided before at the same block: each plan meets the state that those leave.

    At another block there is nothing before, and a plan that is looked at again is not before itself.
    """

    alone: Simulator
    block_hash: str = ""
    turns: tuple[tuple[str, Turn], ...] = ()
    """Position or book → what its plan sends, in their order."""

    @property
    def where(self) -> str:
        """Where the last run was."""
        return self.alone.where

    def begin(self, block: BlockRef) -> None:
        """A block begins to be judged: nothing was decided at it yet."""
        self.block_hash, self.turns = block.hash, ()

    def add(self, block: BlockRef, name: str, turn: Turn) -> None:
        """From now on what is rehearsed at this block meets this as well."""
        if block.hash == self.block_hash:
            self.turns = (*self.turns, (name, turn))

    def at(self, block: BlockRef) -> tuple[Turn, ...]:
        """Return what was decided before at a block."""
        if block.hash != self.block_hash:
            return ()
        return tuple(turn for name, turn in self.turns if name != _again.get())

    @contextlib.contextmanager
    def again(self, name: str) -> Iterator[None]:
        """Within, for the task that asks only, a position is looked at again: its own plan is not before it."""
        token = _again.set(name)
        try:
            yield
        finally:
            _again.reset(token)

    async def run(
        self,
        block: BlockRef,
        sender: Address,
        calls: Sequence[Call],
        reads: Sequence[Read],
        code: Codes = NO_CODES,
        price: Wei | None = None,
        before: Sequence[Turn] = (),
    ) -> Simulation:
        """Run upon what was decided before, and ``before``."""
        ahead = (*self.at(block), *before)
        return await self.alone.run(block, sender, calls, reads, code, price, ahead)


class NoFork:
    """In place of a fork where there may be none."""

    where = "nowhere"

    async def run(
        self,
        block: BlockRef,
        sender: Address,
        calls: Sequence[Call],
        reads: Sequence[Read],
        code: Codes = NO_CODES,
        price: Wei | None = None,
        before: Sequence[Turn] = (),
    ) -> Simulation:
        """Refuse. Raises AnvilMissingError."""
        raise AnvilMissingError("a fork is too slow for this")


async def ran(
    simulator: Simulator,
    block: BlockRef,
    signer: Address,
    calls: Sequence[Call],
    reads: Sequence[Read],
    label: str,
    code: Codes = NO_CODES,
    price: Wei | None = None,
) -> Simulation | Refused:
    """Return what all calls of a plan leave on its block, or why they do not work. Raises NodeError."""
    try:
        simulation = await simulator.run(block, signer, calls, reads, code, price)
    except AnvilMissingError as error:
        return Refused(Reason.REHEARSAL_UNAVAILABLE, str(error))
    except CannotPayError as error:
        return Refused(Reason.NO_GAS_MONEY, f"{signer} cannot pay for {label}: {error}")
    for call, outcome in zip(calls, simulation.calls, strict=False):
        if not outcome.succeeded:
            return Refused(Reason.REHEARSAL_FAILED, f"{call.purpose}: {outcome.error}")
    return simulation


async def rehearse(
    plan: Plan, script: Script, simulator: Simulator, probe: Probe[LendingPosition]
) -> Rehearsed | Refused:
    """Return how the plan goes on its own block. Raises NodeError when the node cannot say."""
    block = plan.intent.assessment.position.block
    sender = script.sender
    simulation = await ran(simulator, block, sender, script.sent, probe.reads, plan.label, script.codes)
    if isinstance(simulation, Refused):
        return simulation
    if script.hands and (why := _not_empty(script, simulation)):
        return Refused(Reason.LEFT_IN_HANDS, why)
    there = probe.decode(simulation.answers)
    after = there.reported
    if not plan.postcondition.is_met(after, there.holdings):
        detail = f"wanted {plan.postcondition}, came to health factor {ratio_text(after.health_factor)}"
        return Refused(Reason.POSTCONDITION_FAILED, detail)
    return Rehearsed(simulator.where, tuple(o.gas_used for o in simulation.calls), after)


def _not_empty(script: Script, simulation: Simulation) -> str | None:
    """Return why it is not proven that every hand is left as it was; None where it is."""
    moved = [one for outcome in simulation.calls for one in outcome.transfers]
    if not is_seen(script.hands, moved):
        return "the rehearsal shows no token's logs, so nothing proves that no money stays behind"
    return kept(script.hands, moved)
