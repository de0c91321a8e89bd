"""Calls are simulated as they would be sent: at the real price of gas, out of the sender's own balance."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

import pytest

from keeper.chain.client import Decode, T
from keeper.chain.errors import NodeRefusedError
from keeper.chain.fees import LEAST_TIP
from keeper.chain.simulation import (
    USUAL_GAS,
    CannotPayError,
    Simulation,
    SimulationUnsupportedError,
    price_at,
    simulate,
)
from keeper.core.snapshot import BlockRef
from keeper.core.units import Address, Wei
from keeper.venues.contracts import multicall3
from keeper.venues.ports import Call

SENDER, THERE, CALLER = (Address("0x" + f"{i:040x}") for i in (1, 2, 3))
BASE_FEE = Wei(2 * 10**8)
BLOCK = BlockRef(1, 7, "0x" + "77" * 32, "0x" + "66" * 32, 1_700_000_000, BASE_FEE)
SHORT = (-38014, "insufficient funds for gas * price + value: have 1 want 2")


@dataclass
class Node:
    """A node that simulates as geth does: gas is bought with the sender's balance before a call runs."""

    balance: int = 10**18
    uses: tuple[int, ...] = (900_000,)
    refusal: tuple[int, str] | None = None
    name: str = "fake"
    asked: list[dict[str, Any]] = field(default_factory=list)

    async def request(self, method: str, *params: Any) -> Any:
        assert method == "eth_simulateV1"
        if self.refusal:
            raise NodeRefusedError(self.name, method, *self.refusal, None)
        (built,) = params[0]["blockStateCalls"]
        self.asked.append(built)
        left, outcomes = self.balance, list[dict[str, str]]()
        for call, used in zip(built["calls"][:-1], self.uses, strict=True):
            price, limit = int(call.get("gasPrice", "0x0"), 16), int(call.get("gas", hex(30_000_000)), 16)
            if limit * price + int(call["value"], 16) > left:
                raise NodeRefusedError(self.name, method, *SHORT, None)
            left -= min(used, limit) * price + int(call["value"], 16)
            outcomes.append({"status": hex(used <= limit), "gasUsed": hex(min(used, limit)), "returnData": "0x"})
        final = {"status": "0x1", "gasUsed": "0x1", "returnData": "0x" + NOTHING.hex()}
        return [{"parentHash": BLOCK.hash, "number": hex(BLOCK.number + 1), "calls": [*outcomes, final]}]

    async def ask(self, decode: Decode[T], method: str, *params: Any) -> T:
        return decode(self.name, await self.request(method, *params))


NOTHING = (32).to_bytes(32, "big") + bytes(32)
"""What Multicall3 answers to no reads."""


def run(node: Node, value: int = 0, least_gas: int = 0, price: Wei | None = None) -> Simulation:
    calls = [Call(THERE, b"", Wei(value), "a call", least_gas) for _ in node.uses]
    return asyncio.run(simulate(node, BLOCK, SENDER, calls, (), CALLER, price=price))


def test_nothing_is_what_multicall_answers_to_nothing() -> None:
    """The fake's last answer decodes."""
    assert multicall3.decode(NOTHING, 0) == []


def test_a_rehearsal_pays_the_block_s_base_fee_and_a_real_gas_price() -> None:
    """A contract that looks at the price it is called at sees one; nothing is put into the sender's purse."""
    node = Node()
    run(node)
    (built,) = node.asked
    assert built["blockOverrides"] == {"baseFeePerGas": hex(BASE_FEE)}
    assert "stateOverrides" not in built
    assert [int(call["gasPrice"], 16) for call in built["calls"][:-1]] == [price_at(BASE_FEE)]
    assert price_at(BASE_FEE) == BASE_FEE * 9 // 8 + LEAST_TIP


def test_a_price_that_is_told_is_the_one_that_is_paid() -> None:
    """Whoever knows what it will offer says so."""
    node = Node()
    run(node, price=Wei(5 * 10**9))
    assert int(node.asked[0]["calls"][0]["gasPrice"], 16) == 5 * 10**9


def test_a_sender_with_enough_is_simulated_once() -> None:
    """One request, as ever."""
    node = Node(balance=USUAL_GAS * price_at(BASE_FEE))
    assert run(node).calls[0].succeeded
    assert len(node.asked) == 1


def test_a_sender_who_can_pay_for_what_is_used_is_not_refused() -> None:
    """Its purse is too small for the usual limit: the gas is measured, and the limit is the one of a send."""
    node = Node(balance=900_000 * 16 // 10 * price_at(BASE_FEE))
    assert run(node).calls[0].succeeded
    assert int(node.asked[-1]["calls"][0]["gas"], 16) == 900_000 * 16 // 10
    assert int(node.asked[-1]["calls"][0]["gasPrice"], 16) == price_at(BASE_FEE)


@pytest.mark.parametrize("value", [0, 10**17])
def test_a_sender_who_cannot_pay_is_told_so(value: int) -> None:
    """For gas, or for gas and what the call carries; never taken for a node that does not simulate."""
    with pytest.raises(CannotPayError, match="insufficient funds"):
        run(Node(balance=value + 900_000 * price_at(BASE_FEE)), value)


def test_a_call_that_wants_more_than_usual_is_given_more() -> None:
    """A batch of many rounds, an order carried out: it did not fail for what it does."""
    node = Node(uses=(9_000_000,), balance=10**20)
    (outcome,) = run(node).calls
    assert (outcome.succeeded, outcome.gas_used) == (True, 9_000_000)


def test_a_limit_is_never_below_what_the_call_needs_to_have() -> None:
    """A cancellation uses a third of the gas it wants to see."""
    node = Node(uses=(500_000,), balance=1_700_000 * price_at(BASE_FEE))
    assert run(node, least_gas=1_700_000).calls[0].succeeded
    assert int(node.asked[-1]["calls"][0]["gas"], 16) == 1_700_000


@pytest.mark.parametrize("refusal", [(-32601, "method not found"), (-32000, "not allowed for your plan")])
def test_whatever_else_a_node_says_it_does_not_simulate(refusal: tuple[int, str]) -> None:
    """A fork does."""
    with pytest.raises(SimulationUnsupportedError):
        run(Node(refusal=refusal))
