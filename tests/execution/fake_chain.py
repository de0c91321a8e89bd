"""A chain in memory that speaks JSON-RPC like a node: it mines, drops, underprices, reorganises and lies when told to.

It knows transactions by their signed bytes, so what reaches it is what was really signed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from eth_account import Account
from eth_account.typed_transactions.typed_transaction import TypedTransaction
from eth_utils.crypto import keccak
from hexbytes import HexBytes

from keeper.chain.errors import NodeAwayError, NodeRefusedError
from keeper.core.snapshot import BlockRef
from keeper.core.units import Wei

GWEI = 10**9


@dataclass
class Seen:
    hash: str
    raw: str
    sender: str
    nonce: int
    to: str
    data: str
    max_fee: int
    tip: int
    gas: int


@dataclass
class FakeChain:
    """Blocks come only by ``mine``; ``reverting`` names calldata that fails on chain."""

    name: str = "fake"
    chain_id: int = 31337
    base_fee: int = 10 * GWEI
    balance: int = 10**20
    number: int = 100
    pool: dict[tuple[str, int], Seen] = field(default_factory=dict)
    mined: dict[str, tuple[int, bool]] = field(default_factory=dict)
    nonces: dict[str, int] = field(default_factory=dict)
    log: list[Seen] = field(default_factory=list)
    reverting: set[str] = field(default_factory=set)
    is_away: bool = False
    hides_receipts: bool = False
    hides_transactions: bool = False
    hides_blocks: bool = False
    answers: dict[str, str] = field(default_factory=dict)
    """What contracts answer, by address."""
    used: list[tuple[int, str, int, str]] = field(default_factory=list)
    gas_needed: int = 21_000
    tip: int = GWEI
    """What recent blocks are said to have paid."""
    refuses: Any = None
    """Returns what the node says against a transaction (Seen), None to take it."""
    code: str = "0x"
    """Of the signer's account."""
    keeps: int | None = None
    """States of so many blocks; older ones it refuses, as a pruned node does."""
    forgets: bool = False
    """Takes transactions and drops them at once."""

    # --- what a node answers -----------------------------------------------------------------------------------------

    async def request(self, method: str, *params: Any) -> Any:
        if self.is_away:
            raise NodeAwayError(self.name, method, "cannot be reached")
        return getattr(self, f"_{method}")(*params)

    async def ask(self, decode: Any, method: str, *params: Any) -> Any:
        return decode(self.name, await self.request(method, *params))

    def _eth_getTransactionCount(self, account: str, at: Any) -> str:  # noqa: N802
        if isinstance(at, str) and at.startswith("0x"):
            if self.keeps is not None and int(at, 16) <= self.number - self.keeps:
                raise NodeRefusedError(self.name, "eth_getTransactionCount", -32000, "missing trie node", None)
            return hex(sum(sender == account for _, sender, *_ in self.used_by(int(at, 16))))
        return hex(self.nonces.get(account, 0))

    def _eth_blockNumber(self) -> str:  # noqa: N802
        return hex(self.number)

    def _eth_getTransactionByHash(self, hash_: str) -> dict[str, Any] | None:  # noqa: N802
        if self.hides_transactions:
            return None
        if hash_ in self.mined:
            return {"hash": hash_, "blockNumber": hex(self.mined[hash_][0])}
        return {"hash": hash_, "blockNumber": None} if any(s.hash == hash_ for s in self.pool.values()) else None

    def _eth_getBlockByNumber(self, number: str, _: bool) -> dict[str, Any] | None:  # noqa: N802
        if self.hides_blocks:
            return None
        there = [used for used in self.used if used[0] == int(number, 16)]
        return {"transactions": [{"from": s, "nonce": hex(n), "hash": h} for _, s, n, h in there]}

    def _eth_getCode(self, *_: Any) -> str:  # noqa: N802
        return self.code

    def _eth_call(self, call: dict[str, str], _: Any) -> str:
        return self.answers.get(call["to"], "0x")

    def _eth_estimateGas(self, _: dict[str, str]) -> str:  # noqa: N802
        return hex(self.gas_needed)

    def used_by(self, number: int) -> list[tuple[int, str, int, str]]:
        """What was mined up to a block: block, sender, nonce, hash."""
        return [used for used in self.used if used[0] <= number]

    def _eth_getBalance(self, *_: Any) -> str:  # noqa: N802
        return hex(self.balance)

    def _eth_feeHistory(self, *_: Any) -> dict[str, Any]:  # noqa: N802
        return {"reward": [[hex(self.tip)]] * 10, "baseFeePerGas": [hex(self.base_fee)] * 11}

    def _eth_getTransactionReceipt(self, hash_: str) -> dict[str, Any] | None:  # noqa: N802
        if self.hides_receipts or hash_ not in self.mined:
            return None
        number, succeeded = self.mined[hash_]
        seen = next(s for s in self.log if s.hash == hash_)
        return {
            "transactionHash": hash_,
            "from": seen.sender,
            "to": seen.to,
            "status": hex(int(succeeded)),
            "blockNumber": hex(number),
            "blockHash": f"0x{number:064x}",
            "gasUsed": hex(21_000),
            "effectiveGasPrice": hex(self.base_fee),
        }

    def _eth_sendRawTransaction(self, raw: str) -> str:  # noqa: N802
        seen = _decoded(raw)
        self.log.append(seen)
        if self.refuses and (text := self.refuses(seen)):
            raise NodeRefusedError(self.name, "eth_sendRawTransaction", -32000, text, None)
        if seen.hash in self.mined or self.pool.get((seen.sender, seen.nonce), seen).hash != seen.hash:
            self._check_replacement(seen)
        elif (seen.sender, seen.nonce) in self.pool:
            raise NodeRefusedError(self.name, "eth_sendRawTransaction", -32000, "already known", None)
        if seen.nonce < self.nonces.get(seen.sender, 0):
            raise NodeRefusedError(self.name, "eth_sendRawTransaction", -32000, "nonce too low", None)
        if not self.forgets:
            self.pool[seen.sender, seen.nonce] = seen
        return seen.hash

    def _check_replacement(self, new: Seen) -> None:
        old = self.pool.get((new.sender, new.nonce))
        if old and (new.max_fee * 10 < old.max_fee * 11 or new.tip * 10 < old.tip * 11):
            raise NodeRefusedError(
                self.name, "eth_sendRawTransaction", -32000, "replacement transaction underpriced", None
            )

    # --- what a test does to it --------------------------------------------------------------------------------------

    def mine(self, blocks: int = 1) -> None:
        """Mine everything in the pool that pays the base fee and is next in line."""
        for _ in range(blocks):
            self.number += 1
            for key in sorted(self.pool, key=lambda k: k[1]):
                seen = self.pool[key]
                if seen.nonce == self.nonces.get(seen.sender, 0) and seen.max_fee >= self.base_fee:
                    self.nonces[seen.sender] = seen.nonce + 1
                    self.mined[seen.hash] = (self.number, seen.data not in self.reverting)
                    self.used.append((self.number, seen.sender, seen.nonce, seen.hash))
                    del self.pool[key]

    def mine_foreign(self, account: str) -> None:
        """Another program uses the account's next nonce."""
        nonce = self.nonces.get(account, 0)
        self.pool.pop((account, nonce), None)
        self.nonces[account] = nonce + 1
        self.number += 1
        self.used.append((self.number, account, nonce, f"0xf0{nonce:062x}"))

    def reorganise(self, hash_: str) -> None:
        """A mined transaction was never mined after all, and did not return to the pool."""
        del self.mined[hash_]
        seen = next(s for s in self.log if s.hash == hash_)
        self.used = [used for used in self.used if used[3] != hash_]
        self.nonces[seen.sender] = seen.nonce

    def drop(self) -> None:
        """The pool forgets everything."""
        self.pool.clear()

    def mined_at(self, nonce: int) -> list[Seen]:
        return [s for s in {s.hash: s for s in self.log}.values() if s.hash in self.mined and s.nonce == nonce]


class FakeBlocks:
    """The two things a lane asks of ``Blocks``."""

    def __init__(self, chain: FakeChain) -> None:
        self.chain_id = chain.chain_id
        self._chain = chain

    async def head(self) -> BlockRef:
        c = self._chain
        if c.is_away:
            raise NodeAwayError(c.name, "eth_getBlockByNumber", "cannot be reached")
        return BlockRef(
            c.chain_id, c.number, f"0x{c.number:064x}", f"0x{c.number - 1:064x}", c.number * 12, Wei(c.base_fee)
        )


class Clock:
    """Seconds that pass only when somebody sleeps; ``at`` runs things at their time."""

    def __init__(self) -> None:
        self.now = 0.0
        self.at: list[tuple[float, Any]] = []

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds
        for item in [i for i in self.at if i[0] <= self.now]:
            self.at.remove(item)
            item[1]()


def _decoded(raw: str) -> Seen:
    data = bytes.fromhex(raw[2:])
    fields = TypedTransaction.from_bytes(HexBytes(data)).as_dict()
    return Seen(
        hash="0x" + keccak(data).hex(),
        raw=raw,
        sender=str(Account.recover_transaction(raw)),
        nonce=fields["nonce"],
        to="0x" + bytes(fields["to"]).hex(),
        data="0x" + bytes(fields["data"]).hex(),
        max_fee=fields["maxFeePerGas"],
        tip=fields["maxPriorityFeePerGas"],
        gas=fields["gas"],
    )
