"""A throw-away anvil fork of one block: where plans are rehearsed when the node has no eth_simulateV1.

The fork is a process of ours on the loopback interface. What is sent to it never reaches the chain it was forked from.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from keeper.chain.accounts import receipt
from keeper.chain.blocks import Blocks
from keeper.chain.client import READING, Node
from keeper.chain.errors import NodeAwayError, NodeError, NodeRefusedError
from keeper.chain.gas import gas_limit
from keeper.chain.simulation import (
    NO_CODES,
    CannotPayError,
    Codes,
    Simulated,
    Simulation,
    Turn,
    as_request,
    price_at,
    says_no_funds,
)
from keeper.chain.tether import CANNOT_RUN, tethered
from keeper.core.snapshot import BlockRef
from keeper.core.units import Address, Wei
from keeper.venues.codec.abi import revert_reason
from keeper.venues.codec.quantities import MOST_WEI, octets, quantity
from keeper.venues.ports import Call, Read

_FORK_METHODS = READING | {
    "anvil_impersonateAccount",
    "anvil_setCode",
    "eth_estimateGas",
    "eth_sendTransaction",
    "evm_mine",
}
ON_NO_DISK = ("--no-storage-caching", "--max-persisted-states", "0")
"""What anvil keeps in the home folder of whoever runs it: slots it read, and old states, which a kill leaves there."""
HANDED_ON = ("PATH", "HOME", "TMPDIR", "LANG", "LC_ALL", "TZ", "LD_LIBRARY_PATH")
"""What anvil gets of our environment. Tokens, cloud keys, the supervisor's socket and credentials stay here."""
_START_LIMIT_S = 20.0
_MINING_POLLS = 1000


class AnvilMissingError(Exception):
    """No anvil binary was found, or it cannot be run."""


def find_anvil() -> Path | None:
    """Return the anvil binary: ``KEEPER_ANVIL``, then PATH, then the sandbox's own beside this checkout."""
    named = os.environ.get("KEEPER_ANVIL") or shutil.which("anvil")
    if named:
        return Path(named)
    modules = Path(__file__).parents[2] / "sandbox" / "node_modules" / "@foundry-rs"
    return next(iter(sorted(modules.glob("anvil-*/bin/anvil*"))), None)


class Fork:
    """An async context manager: anvil forked from ``url`` at a block, stopped on leaving. It is not shown ``url``."""

    def __init__(self, url: str, block: BlockRef, multicall: Address) -> None:
        from keeper.chain.passage import Passage  # noqa: PLC0415 - a web server, for who rehearses on a fork

        self._passage = Passage(url)
        self._block = block
        self._multicall = multicall
        self._process: asyncio.subprocess.Process | None = None
        self._node: Node | None = None

    async def __aenter__(self) -> Self:
        anvil = find_anvil()
        if anvil is None:
            raise AnvilMissingError("no anvil was found: put it on PATH or name it in KEEPER_ANVIL")
        port = _free_port()
        await self._passage.__aenter__()
        try:
            self._process = await asyncio.create_subprocess_exec(
                *tethered([
                    str(anvil), "--host", "127.0.0.1", "--port", str(port), "--fork-url", self._passage.url,
                    "--fork-block-number", str(self._block.number), *ON_NO_DISK, "--quiet",
                ]),
                stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
                start_new_session=sys.platform != "win32", env=_bare(),
            )  # fmt: skip
        except OSError as error:
            await self._stop()
            raise AnvilMissingError(f"{anvil} cannot be run ({error.strerror}): correct KEEPER_ANVIL or PATH") from None
        self._node = Node(f"http://127.0.0.1:{port}", timeout_s=60, allowed=_FORK_METHODS)
        try:
            await self._wait_until_up(self._node)
        except BaseException:
            await self._stop()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stop()

    async def run(
        self,
        sender: Address,
        calls: Sequence[Call],
        reads: Sequence[Read],
        code: Codes = NO_CODES,
        price: Wei | None = None,
        before: Sequence[Turn] = (),
    ) -> Simulation:
        """Send calls as ``sender`` (impersonated) one after the other, stop at the first failure, then read.

        ``before`` is what others of ours send in the same block.

        Gas is paid at ``price``, or at the next block's, and never below its base fee. Raises CannotPayError.
        """
        node = self._node
        assert node is not None, "enter the fork first"  # noqa: S101 - misuse, not input
        done = [await self._take(turn, price or Wei(0)) for turn in before]
        await node.request("anvil_impersonateAccount", sender)
        for at, put in code.items():
            await node.request("anvil_setCode", at, "0x" + put.hex())
        outcomes = list[Simulated]()
        for call in calls:
            outcomes.append(await _send(node, sender, call, price or Wei(0)))
            if not outcomes[-1].succeeded:
                break
        blocks = Blocks(node, self._block.chain_id, self._multicall)
        answers = await blocks.answers(await blocks.head(), reads)
        return Simulation(tuple(outcomes), tuple(answers), tuple(one for made in done for one in made))

    async def _take(self, turn: Turn, price: Wei) -> list[Simulated]:
        """Send what somebody of ours will have sent before."""
        node = self._node
        assert node is not None, "enter the fork first"  # noqa: S101 - misuse, not input
        await node.request("anvil_impersonateAccount", turn.sender)
        for at, put in turn.code.items():
            await node.request("anvil_setCode", at, "0x" + put.hex())
        return [await _send(node, turn.sender, call, price) for call in turn.calls]

    async def _wait_until_up(self, node: Node) -> None:
        deadline = asyncio.get_running_loop().time() + _START_LIMIT_S
        while True:
            assert self._process is not None  # noqa: S101 - set by __aenter__
            if self._process.returncode == CANNOT_RUN:
                raise AnvilMissingError("anvil cannot be run: correct KEEPER_ANVIL or PATH")
            if self._process.returncode is not None:
                raise NodeAwayError(node.name, "anvil", f"the fork ended with status {self._process.returncode}")
            try:
                await node.request("eth_blockNumber")
            except NodeError:
                if asyncio.get_running_loop().time() > deadline:
                    raise NodeAwayError(node.name, "anvil", f"no fork within {_START_LIMIT_S:g} s") from None
                await asyncio.sleep(0.02)
            else:
                return

    async def _stop(self) -> None:
        if self._node is not None:
            await self._node.close()
        if self._process is not None and self._process.returncode is None:
            self._process.terminate()
            try:
                await asyncio.wait_for(self._process.wait(), 5)
            except TimeoutError:
                self._process.kill()
                await self._process.wait()
        await self._passage.__aexit__(None, None, None)


def _bare() -> dict[str, str]:
    """Return what a program needs to run, and nothing else of the environment: whoever reads it finds no secret."""
    return {name: os.environ[name] for name in HANDED_ON if name in os.environ}


async def _send(node: Node, sender: Address, call: Call, price: Wei) -> Simulated:
    """Estimate, for the reason and the limit a send would have, then send at the price a send would pay."""
    head = await node.request("eth_getBlockByNumber", "latest", False)
    paid = hex(max(price, price_at(Wei(quantity(head.get("baseFeePerGas") or "0x0", MOST_WEI)))))
    request = as_request(sender, call) | {"gasPrice": paid}
    try:
        needed = quantity(await node.request("eth_estimateGas", request, "latest"))
        limit = max(gas_limit(needed), call.least_gas)
        hash_ = await node.request("eth_sendTransaction", request | {"gas": hex(limit)})
    except NodeRefusedError as error:
        if says_no_funds(error):
            raise CannotPayError(error.message) from error
        reason = revert_reason(octets(error.data)) if error.data and error.data != "0x" else error.message
        return Simulated(succeeded=False, gas_used=0, error=reason)
    for _ in range(_MINING_POLLS):
        mined = await receipt(node, hash_)
        if mined is not None:
            why = None if mined.succeeded else mined.refused or "reverted"
            return Simulated(mined.succeeded, mined.gas_used, why, mined.transfers)
        await asyncio.sleep(0.01)
    raise NodeAwayError(node.name, "eth_sendTransaction", "the fork did not mine")


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
