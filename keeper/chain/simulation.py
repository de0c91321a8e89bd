"""Calls run on a block's own state without being sent: by the node itself (eth_simulateV1), or on a fork.

They pay what they would pay if they were sent: the block's base fee, a real gas price, out of the sender's own balance.
Left to itself eth_simulateV1 takes gas for nothing, and hides every contract that looks at the price, and every empty
wallet.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from keeper.chain.client import Upstream
from keeper.chain.errors import BlockMissingError, NodeAwayError, NodeRefusedError, StaleAnswerError
from keeper.chain.fees import LEAST_TIP
from keeper.chain.gas import gas_limit
from keeper.core.snapshot import BlockRef
from keeper.core.units import Address, Wei
from keeper.venues.codec.abi import revert_reason
from keeper.venues.codec.quantities import hash32, octets, plain, quantity
from keeper.venues.contracts import multicall3
from keeper.venues.contracts.refusals import refusal
from keeper.venues.contracts.transfers import Transfer, transfers
from keeper.venues.ports import Answer, Call, Read

Codes = Mapping[Address, bytes]
"""Code to put at accounts before calls are run."""
NO_CODES: Codes = MappingProxyType({})


USUAL_GAS = 4_000_000
"""Gas limit a call is tried with first: hardly any needs more, and most signers can pay for it."""
NEARLY = 9, 10
"""A call that failed after this share of its limit may have wanted more."""
NO_FUNDS = -38014
"""The code eth_simulateV1 has for a sender who cannot pay; other nodes say it in words."""


class SimulationUnsupportedError(Exception):
    """The node has no eth_simulateV1."""


class CannotPayError(Exception):
    """The sender cannot pay for the gas of the calls, and what they carry, at the price of the next block."""


@dataclass(frozen=True, slots=True)
class Simulated:
    """What became of one call. ``gas_used`` is after refunds: a limit needs a margin above it."""

    succeeded: bool
    gas_used: int
    error: str | None
    transfers: tuple[Transfer, ...] = ()
    """What tokens say that it moved."""


@dataclass(frozen=True, slots=True)
class Turn:
    """What somebody of ours will have sent before: it is run first, and its state is what the rest meets."""

    sender: Address
    calls: tuple[Call, ...]
    limits: tuple[int, ...]
    """Gas limit of each call."""
    code: Codes = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Simulation:
    """What became of all calls, and the answers to the reads after the last."""

    calls: tuple[Simulated, ...]
    answers: tuple[Answer, ...]
    before: tuple[Simulated, ...] = ()
    """What became of the calls of turns before."""


def price_at(base_fee: Wei) -> Wei:
    """Return the gas price of the next block, from above, without more than the least tip."""
    return Wei(-(-base_fee * 9 // 8) + LEAST_TIP)


async def simulate(
    node: Upstream,
    block: BlockRef,
    sender: Address,
    calls: Sequence[Call],
    reads: Sequence[Read],
    multicall: Address,
    code: Codes = NO_CODES,
    price: Wei | None = None,
    before: Sequence[Turn] = (),
) -> Simulation:
    """Run calls one after the other on the state of ``block``, then the reads. Raises NodeError.

    ``before`` is what others of ours send in the same block: it is run first. ``code`` is put at accounts first: at the
    sender's what an EIP-7702 delegation will do, at a price source another price. Gas is paid at ``price``, or at the
    next block's, from the sender's balance. Where that is too small for the usual limit, or a call wants more, the gas
    is measured first, and the limits are those it would be sent with.

    Raises SimulationUnsupportedError where the node does not know the method, StaleAnswerError when it built on
    another block, CannotPayError when the sender cannot pay for what was measured.
    """
    at = price or price_at(block.base_fee)
    run = _Run(node, block, sender, tuple(calls), tuple(reads), multicall, code, at, tuple(before))
    try:
        found = await run.paid([USUAL_GAS] * len(calls))
    except CannotPayError:
        found = None
    if found is not None and not any(_wants_more(outcome, USUAL_GAS) for outcome in found.calls):
        return found
    measured = await run.free()
    if not all(outcome.succeeded for outcome in measured.calls):
        return measured
    used = zip(calls, measured.calls, strict=True)
    return await run.paid([max(gas_limit(outcome.gas_used), call.least_gas) for call, outcome in used])


def _wants_more(outcome: Simulated, limit: int) -> bool:
    part, whole = NEARLY
    return not outcome.succeeded and outcome.gas_used * whole >= limit * part


@dataclass(frozen=True, slots=True)
class _Run:
    """One simulation's request, with gas that is paid for, or for nothing."""

    node: Upstream
    block: BlockRef
    sender: Address
    calls: tuple[Call, ...]
    reads: tuple[Read, ...]
    multicall: Address
    code: Codes
    price: Wei
    before: tuple[Turn, ...] = ()

    async def paid(self, limits: Sequence[int]) -> Simulation:
        """Run at the real price, each call with its limit. Raises CannotPayError."""
        paid = {"gasPrice": hex(self.price)}
        requests = [
            as_request(self.sender, c) | paid | {"gas": hex(g)} for c, g in zip(self.calls, limits, strict=True)
        ]
        turns = [
            as_request(turn.sender, c) | paid | {"gas": hex(g)}
            for turn in self.before
            for c, g in zip(turn.calls, turn.limits, strict=True)
        ]
        return await self._ask([*turns, *requests])

    async def free(self) -> Simulation:
        """Run with all the gas there is, for nothing: what comes of it shows what is used."""
        turns = [as_request(turn.sender, c) for turn in self.before for c in turn.calls]
        return await self._ask([*turns, *(as_request(self.sender, c) for c in self.calls)])

    async def _ask(self, requests: Sequence[dict[str, str]]) -> Simulation:
        final = {"from": self.sender, "to": self.multicall, "data": "0x" + multicall3.encode(self.reads).hex()}
        built: dict[str, Any] = {
            "blockOverrides": {"baseFeePerGas": hex(self.block.base_fee)},
            "calls": [*requests, final],
        }
        codes = {at: put for turn in self.before for at, put in turn.code.items()} | dict(self.code)
        if codes:
            built["stateOverrides"] = {at: {"code": "0x" + put.hex()} for at, put in codes.items()}
        payload = {"blockStateCalls": [built], "validation": False}
        count = len(requests)

        def decode(name: str, result: Any) -> Simulation:
            return _decode(name, self.block, result, (count - len(self.calls), count), len(self.reads))

        try:
            return await self.node.ask(decode, "eth_simulateV1", payload, hex(self.block.number))
        except (NodeRefusedError, BlockMissingError) as error:
            if isinstance(error, NodeRefusedError) and says_no_funds(error):
                raise CannotPayError(error.message) from error
            # whatever the reason it gives, this node does not simulate; a fork does
            raise SimulationUnsupportedError(error.detail) from error


def says_no_funds(error: NodeRefusedError) -> bool:
    """Return whether a node will not run a call because its sender cannot pay for it."""
    return error.code == NO_FUNDS or "insufficient funds" in error.message.lower()


def as_request(sender: Address, call: Call) -> dict[str, str]:
    """Return a call as a JSON-RPC transaction object."""
    return {"from": sender, "to": call.to, "data": "0x" + call.data.hex(), "value": hex(call.value)}


def _decode(name: str, block: BlockRef, result: Any, counts: tuple[int, int], reads: int) -> Simulation:
    before, count = counts
    try:
        (built,) = result
        # anvil leaves the parent out and keeps the number; the number is then the proof
        parent, number = hash32(built["parentHash"]), quantity(built["number"])
        if number not in (block.number, block.number + 1) or (int(parent, 16) and parent != block.hash):
            raise StaleAnswerError(name, "eth_simulateV1", f"built block {number} on {parent}, not on {block.hash}")
        *outcomes, final = built["calls"]
        if len(outcomes) != count or quantity(final["status"], 1) != 1:
            raise NodeAwayError(name, "eth_simulateV1", "the reads after the plan failed")
        answers = multicall3.decode(octets(final["returnData"]), reads)
        made = tuple(_outcome(o) for o in outcomes)
        return Simulation(made[before:], tuple(answers), made[:before])
    except (KeyError, TypeError, ValueError) as error:
        raise NodeAwayError(name, "eth_simulateV1", f"unexpected answer ({error})") from None


def _outcome(outcome: dict[str, Any]) -> Simulated:
    succeeded = quantity(outcome["status"], 1) == 1
    reason = None
    if not succeeded:
        error = outcome.get("error") or {}
        data = error.get("data") or outcome.get("returnData") or "0x"
        known = isinstance(data, str) and len(data) > 2
        reason = revert_reason(octets(data)) if known else plain(str(error.get("message", "reverted")))
    if succeeded and (reason := refusal(outcome.get("logs"))) is not None:
        succeeded = False  # whoever within it refused: in a batch as well, what comes after would go on without it
    return Simulated(succeeded, quantity(outcome["gasUsed"]), reason, transfers(outcome.get("logs")))
