"""A node that breaks down over a simulation, and over nothing else, keeps no rescue back."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from core_builders import BLOCK, OWNER

from keeper.chain.errors import NodeAwayError, NodeBusyError, NodeError, StaleAnswerError
from keeper.chain.fork import AnvilMissingError
from keeper.chain.simulation import Simulation
from keeper.execution.rehearsal import NodeSimulator
from keeper.venues.contracts import multicall3

DONE = Simulation((), ())
AWAY = NodeAwayError("a", "eth_simulateV1", "HTTP status 502")


class ByFork:
    """A fork that is entered, or cannot be."""

    where = "anvil fork"

    def __init__(self, fails: Exception | None = None) -> None:
        self.fails, self.asked = fails, 0

    async def run(self, *_: Any) -> Simulation:
        self.asked += 1
        if self.fails:
            raise self.fails
        return DONE


async def simulated(error: Exception, fork: Any) -> Simulation:
    """What comes of a rehearsal where the node's own way fails so."""

    async def ask(*_: Any) -> Any:
        raise error

    blocks: Any = SimpleNamespace(node=SimpleNamespace(ask=ask, name="a"), multicall=multicall3.ADDRESS)
    return await NodeSimulator(blocks, fork).run(BLOCK, OWNER, [], [])


async def test_a_simulation_that_breaks_a_node_is_done_on_a_fork() -> None:
    """A proxy may answer 502, a page of HTML or nothing at all to this one request: reads still work."""
    fork = ByFork()
    assert await simulated(AWAY, fork) is DONE
    assert fork.asked == 1


@pytest.mark.parametrize("fails", [NodeAwayError("a", "eth_call", "cannot be reached"), AnvilMissingError("no anvil")])
async def test_where_a_fork_fails_too_it_is_the_node_that_is_away(fails: Exception) -> None:
    """What is reported is what went wrong first."""
    with pytest.raises(NodeAwayError, match="502"):
        await simulated(AWAY, ByFork(fails))


@pytest.mark.parametrize(
    "error",
    [NodeBusyError("a", "eth_simulateV1", "too many", 1.0), StaleAnswerError("a", "eth_simulateV1", "another block")],
)
async def test_a_node_that_had_enough_or_is_behind_is_not_asked_for_more(error: NodeError) -> None:
    """A fork takes many requests."""
    fork = ByFork()
    with pytest.raises(type(error)):
        await simulated(error, fork)
    assert fork.asked == 0
