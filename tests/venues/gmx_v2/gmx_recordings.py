"""The recordings of GMX v2, as tests want them: steps by kind, answers by request, logs, the lab's market."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from eth_utils.address import to_checksum_address

from keeper.core.snapshot import BlockRef
from keeper.core.units import Address, Wei
from keeper.venues.gmx_v2.markets import GmxDeployment, GmxMarket, MarketPrices, Price, Token
from keeper.venues.ports import Answer, Read

FOLDER = Path(__file__).parent / "gmx_v2_recordings"
Step = dict[str, Any]


def _load(name: str) -> Any:
    return json.loads(gzip.decompress((FOLDER / f"{name}.json.gz").read_bytes()))


@cache
def scenario(name: str) -> dict[str, Any]:
    found: dict[str, Any] = _load(next(n for n in SCENARIOS if n.startswith(name)))
    return found


SCENARIOS = sorted(p.name.removesuffix(".json.gz") for p in FOLDER.glob("[0-9]*.json.gz"))
KEYS: dict[str, Any] = _load("keys")
ERRORS: dict[str, Any] = _load("errors")
ADDRESSES: dict[str, Any] = _load("addresses")


def steps(name: str, *kinds: str) -> Iterator[Step]:
    return (s for s in scenario(name)["steps"] if s["kind"] in kinds)


def every(*kinds: str) -> Iterator[tuple[str, Step]]:
    for name in SCENARIOS:
        for step in steps(name, *kinds):
            yield name, step


def step(name: str, number: int) -> Step:
    return next(s for s in scenario(name)["steps"] if s["i"] == number)


def raw(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("0x"))


def function(s: Step) -> str:
    return str(s.get("signature") or "").split("(")[0]


def as_given(value: Any) -> Any:
    """A recorded argument or result as Python values in the order of the ABI."""
    if isinstance(value, dict):
        return tuple(as_given(v) for v in value.values())
    if isinstance(value, list):
        return tuple(as_given(v) for v in value)
    if isinstance(value, str) and value.startswith("0x"):
        return value.lower() if len(value) == 42 else raw(value)
    if isinstance(value, str) and value.lstrip("-").isdigit():
        return int(value)
    return value


def parts(s: Step) -> list[Step]:
    call = s["decoded_call"]
    found: list[Step] = call.get("parts") or [{**call, "calldata": s["calldata"]}]
    return found


# --- the lab's market ------------------------------------------------------------------------------------------------

AT = GmxDeployment(
    data_store=Address(ADDRESSES["DataStore"]),
    reader=Address(ADDRESSES["Reader"]),
    exchange_router=Address(ADDRESSES["ExchangeRouter"]),
    router=Address(ADDRESSES["Router"]),
    order_vault=Address(ADDRESSES["OrderVault"]),
    event_emitter=Address(ADDRESSES["EventEmitter"]),
    referral_storage=Address(ADDRESSES["ReferralStorage"]),
)
WETH = Token(Address(ADDRESSES["WETH"]), "WETH", 18, Address(ADDRESSES["FeedEth"]), 10**34, 3600)
USDC = Token(Address(ADDRESSES["USDC"]), "USDC", 6, Address(ADDRESSES["FeedUsdc"]), 10**46, 86_400)
MARKET = GmxMarket(AT, Address(ADDRESSES["market WETH/USD [WETH-USDC]"]), "ETH", WETH, WETH, USDC)
TOKENS = {t.address: t for t in (WETH, USDC)}


def block_of(s: Step) -> BlockRef:
    number = int(s["block"])
    return BlockRef(42161, number, f"0x{number:064x}", f"0x{number - 1:064x}", int(s["timestamp"]), Wei(10**7))


def prices_of(args: Any) -> MarketPrices:
    """Recorded ``prices`` of a Reader call."""
    found = [args[name] for name in ("indexTokenPrice", "longTokenPrice", "shortTokenPrice")]
    return MarketPrices(*(Price(int(p["min"]), int(p["max"]), 0, 1, 1) for p in found))


# --- a node of recordings --------------------------------------------------------------------------------------------


class SilenceError(Exception):
    """A request that was not recorded."""


@dataclass(frozen=True)
class Recorded:
    """Answers the reads of a scenario at a block. A DataStore figure holds from where it was read to the next reading
    only where nothing happened between: so only the same block answers."""

    name: str
    block: str

    def answers(self, reads: Sequence[Read]) -> list[Answer]:
        return [self.answer(read) for read in reads]

    def answer(self, read: Read) -> Answer:
        found = _answers(self.name).get((self.block, read.to, read.data))
        if found is None:
            raise SilenceError(read)
        return found or None


@cache
def _answers(name: str) -> dict[tuple[str, str, bytes], bytes]:
    """Results by block, address and calldata; empty for a revert."""
    known: dict[tuple[str, str, bytes], bytes] = {}
    for s in steps(name, "read", "call_revert"):
        key = (s["block"], str(to_checksum_address(s["to"])), raw(s["calldata"]))
        known[key] = raw(s["result"]) if s["kind"] == "read" else b""
    return known


# --- logs ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Log:
    address: Address
    topics: tuple[str, ...]
    data: bytes
    block_number: int
    transaction_hash: str
    index: int


def logs_of(s: Step) -> list[Log]:
    return [
        Log(
            Address(to_checksum_address(e["address"])),
            tuple(t.lower() for t in e["topics"]),
            raw(e["data"]),
            int(s["block"]),
            s["hash"],
            int(e["logIndex"]),
        )
        for e in s["events"]
    ]
