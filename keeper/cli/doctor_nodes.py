"""Each node, asked for each thing that watching and sending need, as they ask for it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from keeper.chain.blocks import Blocks
from keeper.chain.client import Node
from keeper.chain.errors import BlockMissingError, NodeError, NodeRefusedError
from keeper.chain.health import Role
from keeper.chain.member import Member
from keeper.chain.nodes import Nodes
from keeper.settings import NodeSettings, Settings

Found = tuple[str, bool, str]
UNKNOWN_HASH = "0x" + "00" * 31 + "01"
OTHER = "name another node, or ask its provider to allow it"


@dataclass(frozen=True, slots=True)
class Trial:
    """One request, and what is lost with a node that refuses it."""

    method: str
    how: str
    params: tuple[Any, ...]
    lost: str
    is_needed: bool = True


async def examine_nodes(blocks: Blocks, settings: Settings) -> list[Found]:
    """Return what was found of every node, each on its own."""
    node = blocks.node
    readers = list(node.members) if isinstance(node, Nodes) else []
    account = settings.positions[0].spender
    found = await asyncio.gather(*(_examine(m, blocks, account, settings) for m in readers))
    silent = [n for n in settings.nodes if Role.READ not in n.roles]
    found += await asyncio.gather(*(_examine_taker(n, settings) for n in silent))
    lines = [line for lines in found for line in lines]
    if not any(n.roles & {Role.SEND, Role.PRIVATE} for n in settings.nodes):
        lines.append(("nodes", False, 'none has the role "send" or "private": --live could not send'))
    return lines


async def _examine(member: Member, blocks: Blocks, account: str, settings: Settings) -> list[Found]:
    topic = f"node {member.name}"
    try:
        chain = int(str(await member.node.request("eth_chainId")), 16)
        header = await member.node.request("eth_getBlockByNumber", "latest", False)
        number, hash_ = int(header["number"], 16), str(header["hash"])
    except NodeError as error:
        return [(topic, False, f"{error.method}: {error.detail}")]
    except (ValueError, TypeError, KeyError):
        return [(topic, False, "answers what no node answers: is its address right?")]
    if chain != blocks.chain_id:
        text = f"is on chain {chain}, the network file {settings.network.name} is of chain {blocks.chain_id}"
        return [(topic, False, f"{text}; correct `rpc_url` or `network.file`")]
    tried = [t for t in trials(number, hash_, account, blocks.multicall) if member.node.may(t.method)]
    refused = [line for line in await asyncio.gather(*(_try(member, t) for t in tried)) if line]
    fine = f"chain {chain}, block {number}; {len(tried)} kinds of requests work"
    return [(topic, False, line) for line in refused] or [(topic, True, fine)]


async def _examine_taker(node: NodeSettings, settings: Settings) -> list[Found]:
    """Ask a node that only takes transactions whether it is there, and on this chain."""
    allowed = frozenset({"eth_chainId"})
    connection = Node(node.url.reveal(), timeout_s=settings.daemon.rpc_timeout_s, allowed=allowed, name=node.name)
    topic = f"node {node.name}"
    try:
        chain = int(str(await connection.request("eth_chainId")), 16)
    except NodeRefusedError:
        return [(topic, True, "answers; it does not say its chain, and takes transactions only")]
    except NodeError as error:
        return [(topic, False, f"{error.method}: {error.detail}")]
    except ValueError:
        return [(topic, False, "answers what no node answers: is its address right?")]
    finally:
        await connection.close()
    is_right = chain == settings.network.chain_id
    return [(topic, is_right, f"chain {chain}, takes transactions only" if is_right else f"is on chain {chain}")]


async def _try(member: Member, trial: Trial) -> str | None:
    """Return why a request does not work, None when it does. A block that is gone by now is asked for no more."""
    what = f"{trial.method} {trial.how}".strip()
    try:
        await member.node.request(trial.method, *trial.params)
    except BlockMissingError as error:
        return f"{what}: {error.detail}: {trial.lost}; {OTHER}"
    except NodeRefusedError as error:
        return f"refuses {what} ({error.message}): {trial.lost}; {OTHER}"
    except NodeError as error:
        return f"{what}: {error.detail}: {trial.lost}; {OTHER}"
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
