"""Which transaction used a nonce is asked of every node: one that hides ours has not shown another's."""

from __future__ import annotations

from typing import Any

import pytest

from keeper.core.units import Address
from keeper.execution.traces import Foreign, InPool, Ours, trace

ME = Address("0x70997970C51812dc3A010C7d01b50e0d17dc79C8")
MINE, THEIRS = "0x" + "aa" * 32, "0x" + "bb" * 32


class Two:
    """The node that is read from hides our transaction, and invents a block with another's; the other is honest."""

    name = "two"

    def __init__(self, honest: Any) -> None:
        self.honest = honest

    async def each(self, decode: Any, method: str, *_: Any) -> list[Any]:
        assert method == "eth_getTransactionByHash"
        return [decode("liar", None), decode("honest", self.honest)]

    async def ask(self, decode: Any, method: str, *params: Any) -> Any:
        return decode(self.name, await self.request(method, *params))

    async def request(self, method: str, *params: Any) -> Any:
        match method:
            case "eth_blockNumber":
                return "0x64"
            case "eth_getTransactionCount":
                return hex(8 if int(str(params[1]), 16) >= 99 else 7)
            case "eth_getBlockByNumber":
                return {"transactions": [{"from": ME, "nonce": "0x7", "hash": THEIRS}]}
            case _:
                return None


@pytest.mark.parametrize(
    ("honest", "wanted"),
    [
        ({"hash": MINE, "blockNumber": "0x63"}, Ours(MINE)),
        (None, Foreign(THEIRS)),
        ({"hash": THEIRS, "blockNumber": "0x63"}, Foreign(THEIRS)),
    ],
    ids=["shown_by_the_other", "shown_by_none", "another_hash"],
)
async def test_ours_is_ours_though_the_node_that_is_read_from_hides_it(honest: Any, wanted: object) -> None:
    """Taken for another's, what was spent would not count any more, and the plan would be made anew."""
    node: Any = Two(honest)
    assert await trace(node, ME, 7, [MINE]) == wanted


async def test_what_one_node_has_pending_is_in_the_pool() -> None:
    """No block shows the nonce used at all."""
    node: Any = Two({"hash": MINE, "blockNumber": None})
    node.request = _none
    assert await trace(node, ME, 7, [MINE]) == InPool()


async def _none(*_: Any) -> None:
    return None
