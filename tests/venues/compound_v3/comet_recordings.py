"""The recordings of Compound v3, as tests want them: markets on paper, accounts by block, formula checks."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass
from functools import cache
from pathlib import Path
from typing import Any

from keeper.core.snapshot import BlockRef
from keeper.core.units import Address, Amount, Wei
from keeper.venues.codec.abi import address, load
from keeper.venues.compound_v3.account import CometAccount
from keeper.venues.compound_v3.market import CometListing, CometMarket
from keeper.venues.compound_v3.model import Curve
from keeper.venues.contracts.multicall3 import ADDRESS, timestamp
from keeper.venues.ports import Answer, Read

FOLDER = Path(__file__).parent / "compound_v3_recordings"
COMET, ERC20 = load("compound_v3"), load("erc20")
CURVE = (
    COMET.borrowKink,
    COMET.borrowPerSecondInterestRateBase,
    COMET.borrowPerSecondInterestRateSlopeLow,
    COMET.borrowPerSecondInterestRateSlopeHigh,
)
Step = dict[str, Any]
Key = tuple[int, str, str]


@cache
def recorded(name: str) -> Any:
    return json.loads(gzip.decompress((FOLDER / f"{name}.json.gz").read_bytes()))


SCENARIOS = sorted(p.name.removesuffix(".json.gz") for p in FOLDER.glob("[0-9]*.json.gz"))
CHECKS: dict[str, Any] = recorded("formula_checks")


def every(*kinds: str) -> Iterator[tuple[str, Step]]:
    for name in SCENARIOS:
        yield from ((name, step) for step in recorded(name)["steps"] if step["kind"] in kinds)


@cache
def market(symbol: str) -> CometMarket:
    """One of the three, as its constants were recorded."""
    of, comet, token = CHECKS["markets"][symbol], next(_addresses(symbol)), next(_addresses(symbol[1:-2]))
    cfg = of["cfg"]
    base = CometListing(token, symbol[1:-2], len(cfg["baseScale"]) - 1, address(cfg["baseTokenPriceFeed"]), index=None)
    others = (
        CometListing(address(a), a[:8], len(x["scale"]) - 1, address(x["priceFeed"]), index=int(x["offset"]))
        for a, x in of["assets"].items()
    )
    parts = ("borrowKink", *(f"borrowPerSecondInterestRate{part}" for part in ("Base", "SlopeLow", "SlopeHigh")))
    curve = Curve(*(int(cfg[part]) for part in parts))
    listings = (base, *sorted(others, key=lambda x: x.index or 0))
    return CometMarket(symbol, comet, listings, curve, Amount(int(cfg["baseBorrowMin"])), ADDRESS)


def _addresses(symbol: str) -> Iterator[Address]:
    for name in SCENARIOS:
        if found := recorded(name)["contracts"].get(symbol):
            yield address(found)


@dataclass(frozen=True)
class Node:
    """A node that has one scenario: answers by block, contract and calldata; what was not asked then, in its place."""

    scenario: str

    @property
    def answers(self) -> dict[Key, bytes]:
        return _answers(self.scenario)

    def block(self, number: int) -> BlockRef:
        of = recorded(self.scenario)["blocks"][str(number)]
        return BlockRef(1, number, of["hash"], of["parentHash"], int(of["timestamp"]), Wei(0))

    def ask(self, number: int, reads: Sequence[Read], of: CometMarket) -> tuple[Answer, ...] | None:
        """Return the answers to an account's reads; None where one that decides was not recorded."""
        found = [self._answer(number, read, of) for read in reads]
        return None if any(answer == b"missing" for answer in found) else tuple(found)

    def _answer(self, number: int, read: Read, of: CometMarket) -> Answer:
        if read == timestamp().read(ADDRESS):
            return word(self.block(number).timestamp)
        known = self.answers.get((number, read.to.lower(), read.data.hex()))
        if known is not None:
            return known
        beside = {COMET.isSupplyPaused.selector: word(0), COMET.isWithdrawPaused.selector: word(0)}
        beside |= {COMET.totalsCollateral.selector: word(0, 0), ERC20.balanceOf.selector: word(10**30)}
        beside |= {f.selector: word(n) for f, n in zip(CURVE, astuple(of.curve), strict=True)}
        beside |= {COMET.baseTokenPriceFeed.selector: word(int(of.listings[0].source, 16))}
        if read.to == of.comet and read.data[:4] == COMET.getAssetInfo.selector:
            return info(of, int.from_bytes(read.data[4:], "big"))
        return beside.get(read.data[:4], b"missing")


@cache
def _answers(name: str) -> dict[Key, bytes]:
    reads = (s for s in recorded(name)["steps"] if s["kind"] == "read" and s.get("result"))
    return {
        (int(s["block"]), s["to"].lower(), s["calldata"].removeprefix("0x")): bytes.fromhex(s["result"][2:])
        for s in reads
    }


def info(of: CometMarket, index: int) -> bytes:
    """What `getAssetInfo` answers of a collateral."""
    asset = next(x.asset for x in of.listings if x.index == index)
    x = CHECKS["markets"][of.name]["assets"][asset]
    names = ("scale", "borrowCollateralFactor", "liquidateCollateralFactor", "liquidationFactor", "supplyCap")
    return word(index, int(asset, 16), int(x["priceFeed"], 16), *(int(x[name]) for name in names))


def word(*values: int) -> bytes:
    return b"".join(value.to_bytes(32, "big") for value in values)


@dataclass(frozen=True)
class Seen:
    """One account at one block of a scenario, with all that decides it recorded."""

    scenario: str
    block: BlockRef
    account: CometAccount
    answers: tuple[Answer, ...]

    def __str__(self) -> str:
        return f"{self.scenario}@{self.block.number}:{self.account.owner[:8]}"


@cache
def accounts() -> tuple[Seen, ...]:
    """Every account whose debt, collaterals, prices and judges were all asked at one block."""
    found = dict[str, Seen]()
    for name, step in every("read"):
        if step.get("signature") != "userBasic(address)" or recorded(name)["market"] not in CHECKS["markets"]:
            continue
        of, node, number = market(recorded(name)["market"]), Node(name), int(step["block"])
        owner = address(step["args"]["0"])
        bits = int(step["decoded"]["assetsIn"]) | int(step["decoded"]["_reserved"]) << 16
        base, *others = of.listings
        held = (base, *(x for x in others if x.index is not None and bits >> x.index & 1))
        account, block = CometAccount(of, owner, held), node.block(number)
        answers = node.ask(number, account.probe("mine", block).reads, of)
        if answers is not None:
            seen = Seen(name, block, account, answers)
            found[str(seen)] = seen
    return tuple(found.values())
