"""Calls run on a block's own state without being sent: by the node itself (eth_simulateV1), or on a fork."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from keeper.chain.client import Upstream
from keeper.chain.errors import BlockMissingError, NodeAwayError, NodeRefusedError, StaleAnswerError
from keeper.core.positions import BlockRef
from keeper.core.units import Address
from keeper.venues import multicall3
from keeper.venues.abi import revert_reason
from keeper.venues.ports import Answer, Call, Read

Codes = Mapping[Address, bytes]
"""Code to put at accounts before calls are run."""
NO_CODES: Codes = MappingProxyType({})


class SimulationUnsupportedError(Exception):
    """The node has no eth_simulateV1."""


@dataclass(frozen=True, slots=True)
class Simulated:
    """What became of one call. ``gas_used`` is after refunds: a limit needs a margin above it."""

    succeeded: bool
    gas_used: int
    error: str | None


@dataclass(frozen=True, slots=True)
class Simulation:
    """What became of all calls, and the answers to the reads after the last."""

    calls: tuple[Simulated, ...]
    answers: tuple[Answer, ...]


async def simulate(
    node: Upstream,
    block: BlockRef,
    sender: Address,
    calls: Sequence[Call],
    reads: Sequence[Read],
    multicall: Address,
    code: Codes = NO_CODES,
) -> Simulation:
    """Run calls one after the other on the state of ``block``, then the reads. Raises NodeError.

    ``code`` is put at accounts first: at the sender's what an EIP-7702 delegation will do, at a price source another
    price.

    Raises SimulationUnsupportedError where the node does not know the method, StaleAnswerError when it built on
    another block.
    """
    final = {"from": sender, "to": multicall, "data": "0x" + multicall3.encode(reads).hex()}
    built: dict[str, Any] = {"calls": [*(as_request(sender, c) for c in calls), final]}
    if code:
        built["stateOverrides"] = {at: {"code": "0x" + put.hex()} for at, put in code.items()}
    payload = {"blockStateCalls": [built], "validation": False}
    try:
        result = await node.request("eth_simulateV1", payload, hex(block.number))
    except (NodeRefusedError, BlockMissingError) as error:
        # whatever the reason it gives, this node does not simulate; a fork does
        raise SimulationUnsupportedError(error.detail) from error
    return _decode(node.name, block, result, len(calls), len(reads))


def as_request(sender: Address, call: Call) -> dict[str, str]:
    """Return a call as a JSON-RPC transaction object."""
    return {"from": sender, "to": call.to, "data": "0x" + call.data.hex(), "value": hex(call.value)}


def _decode(name: str, block: BlockRef, result: Any, count: int, reads: int) -> Simulation:
    try:
        (built,) = result
        # anvil leaves the parent out and keeps the number; the number is then the proof
        parent, number = str(built["parentHash"]), int(built["number"], 16)
        if number not in (block.number, block.number + 1) or (int(parent, 16) and parent != block.hash):
            raise StaleAnswerError(name, "eth_simulateV1", f"built block {number} on {parent}, not on {block.hash}")
        *outcomes, final = built["calls"]
        if len(outcomes) != count or int(final["status"], 16) != 1:
            raise NodeAwayError(name, "eth_simulateV1", "the reads after the plan failed")
        answers = multicall3.decode(bytes.fromhex(final["returnData"][2:]), reads)
        return Simulation(tuple(_outcome(o) for o in outcomes), tuple(answers))
    except (KeyError, TypeError, ValueError) as error:
        raise NodeAwayError(name, "eth_simulateV1", f"unexpected answer ({error})") from None


def _outcome(outcome: dict[str, Any]) -> Simulated:
    succeeded = int(outcome["status"], 16) == 1
    reason = None
    if not succeeded:
        error = outcome.get("error") or {}
        data = error.get("data") or outcome.get("returnData") or "0x"
        known = isinstance(data, str) and len(data) > 2
        reason = revert_reason(bytes.fromhex(data[2:])) if known else str(error.get("message", "reverted"))
    return Simulated(succeeded, int(outcome["gasUsed"], 16), reason)
