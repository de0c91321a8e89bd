"""Each node, asked for each thing that watching and sending need, as they ask for it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from keeper.chain.blocks import Blocks
from keeper.chain.client import Node
from keeper.chain.errors import BlockMissingError, NodeError, NodeRefusedError
from keeper.chain.fork import find_anvil
from keeper.chain.member import Member
from keeper.chain.nodes import Nodes
from keeper.chain.record import Role
from keeper.chain.simulation import SimulationUnsupportedError, simulate
from keeper.cli.doctor_findings import Finding, failing, fine, warning
from keeper.core.snapshot import BlockRef
from keeper.core.units import duration
from keeper.settings import NodeSettings, Settings, Signer

UNKNOWN_HASH = "0x" + "00" * 31 + "01"
AWAY = "start it, correct its address, or name another"
OTHER = "name another node, or ask its provider to allow it"
OUT_OF_STEP_S, LEAST_SLOW_S = 30.0, 1.0


@dataclass(frozen=True, slots=True)
class Trial:
    """One request, and what is lost with a node that refuses it."""

    method: str
    how: str
    params: tuple[Any, ...]
    lost: str
    is_needed: bool = True


async def examine_nodes(blocks: Blocks, settings: Settings) -> list[Finding]:
    """Return what was found of every node, each on its own."""
    node = blocks.node
    readers = list(node.members) if isinstance(node, Nodes) else []
    account = settings.positions[0].spender
    found = await asyncio.gather(*(_examine(m, blocks, account, settings) for m in readers))
    silent = [n for n in settings.nodes if Role.READ not in n.roles]
    found += await asyncio.gather(*(_examine_taker(n, settings) for n in silent))
    lines = [line for lines in found for line in lines]
    if not any(n.roles & {Role.SEND, Role.PRIVATE} for n in settings.nodes):
        text = 'none has the role "send" or "private": --live could not send'
        lines.append(failing("nodes", text, 'give one of [[network.nodes]] the role "send"'))
    return lines


async def _examine(member: Member, blocks: Blocks, account: str, settings: Settings) -> list[Finding]:
    topic = f"node {member.name}"
    try:
        chain = int(str(await member.node.request("eth_chainId")), 16)  # which also makes the connection
        began = time.monotonic()
        header = await member.node.request("eth_getBlockByNumber", "latest", False)
        took_s = time.monotonic() - began
        number, hash_ = int(header["number"], 16), str(header["hash"])
    except NodeError as error:
        return [failing(topic, f"{error.method}: {error.detail}", AWAY)]
    except (ValueError, TypeError, KeyError):
        return [failing(topic, "answers what no node answers", "correct its address")]
    if chain != blocks.chain_id:
        text = f"is on chain {chain}, the network file {settings.network.name} is of chain {blocks.chain_id}"
        return [failing(topic, text, "correct `rpc_url` or `network.file`")]
    tried = [t for t in trials(number, hash_, account, blocks.multicall) if member.node.may(t.method)]
    refused = [line for line in await asyncio.gather(*(_try(member, t) for t in tried)) if line]
    text = f"chain {chain}, block {number}; {len(tried)} kinds of requests work"
    more = [
        *_slow(topic, took_s, settings),
        await _keeps(member, number, account, settings.daemon.confirmations + 1),
        *await _delegates(member, number, blocks.multicall, settings),
    ]
    return [*([failing(topic, line, OTHER) for line in refused] or [fine(topic, text)]), *more]


def _slow(topic: str, took_s: float, settings: Settings) -> Iterator[Finding]:
    """Yield that a node takes half of what it is granted, or of a block: every block is then judged late."""
    if took_s > min(settings.daemon.rpc_timeout_s, max(settings.network.block_time_s, LEAST_SLOW_S)) / 2:
        text = (
            f"answers in {took_s:.1f} s, and blocks come every {settings.network.block_time_s:g} s: it is judged late"
        )
        yield warning(topic, text, "name one that is nearer, or less busy")


async def _examine_taker(node: NodeSettings, settings: Settings) -> list[Finding]:
    """Ask a node that only takes transactions whether it is there, and on this chain."""
    allowed = frozenset({"eth_chainId"})
    connection = Node(node.url.reveal(), timeout_s=settings.daemon.rpc_timeout_s, allowed=allowed, name=node.name)
    topic = f"node {node.name}"
    try:
        chain = int(str(await connection.request("eth_chainId")), 16)
    except NodeRefusedError:
        return [fine(topic, "answers; it does not say its chain, and takes transactions only")]
    except NodeError as error:
        return [failing(topic, f"{error.method}: {error.detail}", AWAY)]
    except ValueError:
        return [failing(topic, "answers what no node answers", "correct its address")]
    finally:
        await connection.close()
    is_right = chain == settings.network.chain_id
    if not is_right:
        return [failing(topic, f"is on chain {chain}", "correct its address, or take it out")]
    return [fine(topic, f"chain {chain}, takes transactions only")]


async def _try(member: Member, trial: Trial) -> str | None:
    """Return why a request does not work, None when it does. A block that is gone by now is asked for no more."""
    what = f"{trial.method} {trial.how}".strip()
    try:
        await member.node.request(trial.method, *trial.params)
    except BlockMissingError as error:
        return f"{what}: {error.detail}: {trial.lost}"
    except NodeRefusedError as error:
        return f"refuses {what} ({error.message}): {trial.lost}"
    except NodeError as error:
        return f"{what}: {error.detail}: {trial.lost}"
    return None


def trials(number: int, hash_: str, account: str, multicall: str) -> Iterator[Trial]:
    """Yield the requests, by hash and by number where both are used."""
    call = {"to": multicall, "data": "0x3408e470"}  # getChainId()
    at, by_number = {"blockHash": hash_}, hex(number)
    yield Trial("eth_call", "by block hash", (call, at), "nothing can be watched (EIP-1898)")
    yield Trial("eth_call", "by block number", (call, by_number), "no fork can be made of it")
    yield Trial("eth_getCode", "by block hash", (account, at), "who signs cannot be looked at")
    yield Trial("eth_getBlockByNumber", "by number", (by_number, False), "reorgs cannot be seen")
    yield Trial("eth_getBlockByHash", "by hash", (hash_, False), "heads that are pushed cannot be followed")
    yield Trial("eth_getBalance", "", (account, "latest"), "gas money cannot be seen")
    yield Trial("eth_getTransactionCount", "pending", (account, "pending"), "no nonce can be chosen, so nothing sent")
    yield Trial("eth_getTransactionCount", "latest", (account, "latest"), "no nonce can be settled")
    yield Trial("eth_getTransactionCount", "by block hash", (account, at), "plans made ready cannot be sent")
    yield Trial("eth_feeHistory", "", ("0xa", "latest", [50]), "only the least tip is offered, and rescues wait")
    yield Trial("eth_estimateGas", "", ({"from": account, "to": account},), "gas cannot be estimated")
    yield Trial("eth_getTransactionReceipt", "", (UNKNOWN_HASH,), "what became of a transaction is never known")
    logs = {"address": multicall, "fromBlock": by_number, "toBlock": by_number}
    yield Trial("eth_getLogs", "by block number", (logs,), "what venues and markets say of themselves is missed")
    yield Trial("eth_getLogs", "by block hash", ({"address": multicall, **at},), "an oracle's own events are missed")


async def _keeps(member: Member, number: int, account: str, recent: int) -> Finding:
    """Say how far back a node keeps state: what came of a plan is read at the block that mined it."""
    topic = f"history of {member.name}"
    for back, kept in ((number, "all of it"), (min(number, recent), f"the last {recent} blocks at least")):
        try:
            await member.node.request("eth_getBalance", account, hex(number - back))
        except NodeError:
            continue
        return fine(topic, f"keeps {kept}; more than {recent} blocks are never asked for")
    text = f"does not keep the state of {recent} blocks: what came of a plan may not be known"
    return warning(topic, text, OTHER)


async def _delegates(member: Member, number: int, multicall: str, settings: Settings) -> list[Finding]:
    """Say whether a node knows delegated accounts (EIP-7702): only where a signer is to be one."""
    if not any(signer.may_batch for signer in settings.signers):
        return []
    topic, trial = f"delegation at {member.name}", "0x" + "77" * 20
    call = {"to": trial, "data": "0x3408e470"}  # getChainId()
    try:
        answer = await member.node.request(
            "eth_call", call, hex(number), {trial: {"code": "0xef0100" + multicall.removeprefix("0x").lower()}}
        )
        is_known = int(str(answer), 16) == settings.network.chain_id
    except (NodeError, ValueError):
        is_known = False
    if is_known:
        return [fine(topic, "known (EIP-7702, type 4): plans go out as one transaction")]
    text = "not known (EIP-7702, type 4), or not to be tried: `batch = true` may not work"
    return [warning(topic, text, "take `batch` out of [[signers]], or name another node")]


def head_age(block: BlockRef, settings: Settings) -> Finding:
    """Say how old the newest block is by this machine's clock, where the chain follows the time of day."""
    if not settings.network.follows_clock:
        return fine("head", f"block {block.number}; this chain's time is made up")
    age, most = time.time() - block.timestamp, max(90.0, 10 * settings.network.block_time_s)
    usual = max(OUT_OF_STEP_S, 4 * settings.network.block_time_s)
    text = f"block {block.number} is {duration(abs(age))} {'old' if age >= 0 else 'ahead of this machine'}"
    if -OUT_OF_STEP_S <= age <= usual:
        return fine("head", text)
    if age < 0:
        return failing("clock", text, "set this machine's clock (NTP)")
    told = warning if age <= most else failing
    return told("head", text, "see whether the node is behind; or set this machine's clock (NTP)")


async def waiting(blocks: Blocks, signer: Signer) -> Finding | None:
    """Say that transactions of a signer wait in the pool: whatever a rescue sends goes out behind them."""
    try:
        counts = [
            await blocks.node.request("eth_getTransactionCount", signer.address, t) for t in ("pending", "latest")
        ]
        late = int(str(counts[0]), 16) - int(str(counts[1]), 16)
    except (NodeError, ValueError):
        return None  # that it refuses is said of the node
    if late <= 0:
        return None
    text = f"{late} transaction{'s' * (late > 1)} of it wait{'s' * (late == 1)} to be mined: a rescue goes out behind"
    remedy = "keeper tx list: speed up or cancel those of the keeper; those of a wallet, there"
    return warning(f"account of {signer.name}", text, remedy)


async def rehearsal(blocks: Blocks, settings: Settings, block: BlockRef) -> Finding:
    """Say how plans are rehearsed: by the node, else on a fork; without either nothing is ever sent."""
    topic, anvil = "rehearsal", find_anvil()
    try:
        await simulate(blocks.node, block, settings.positions[0].spender, [], [], blocks.multicall)
    except SimulationUnsupportedError:
        if anvil is not None:
            return fine(topic, f"the node has no eth_simulateV1: on a fork by {anvil.name}, more slowly")
        remedy = "name a node that has it, or put anvil on the PATH or its place in KEEPER_ANVIL"
        return failing(topic, "impossible, so nothing would be done: the node has no eth_simulateV1", remedy)
    except NodeError as error:
        return failing(topic, str(error), OTHER)
    return fine(topic, "by the node itself (eth_simulateV1)")
