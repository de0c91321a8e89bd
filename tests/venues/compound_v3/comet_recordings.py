"""The recordings of Compound v3, as tests want them: markets on paper, accounts by block, formula checks.

Any other recording of the same format is played with them: `COMET_RECORDINGS=<folder of .json files>` (or one file).
What it says of its market itself, in its own reads, comes before what the formula checks say of one of that name.
"""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass
from functools import cache
from pathlib import Path
from typing import Any

from keeper.core.snapshot import BlockRef
from keeper.core.units import Amount, Wei
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
PARTS = ("borrowKink", *(f"borrowPerSecondInterestRate{part}" for part in ("Base", "SlopeLow", "SlopeHigh")))
Step = dict[str, Any]
Key = tuple[int, str, str]


MORE = os.environ.get("COMET_RECORDINGS", "")


def _files() -> dict[str, Path]:
    """Every file by its name; one of the other folder of the same name stands beside ours."""
    found = {p.name.removesuffix(".json.gz"): p for p in FOLDER.glob("*.json.gz")}
    at = Path(MORE) if MORE else None
    for p in [] if at is None else [at] if at.is_file() else sorted([*at.glob("*.json"), *at.glob("*.json.gz")]):
        name = p.name.removesuffix(".gz").removesuffix(".json")
        found[f"more {name}" if name in found else name] = p
    return found


FILES = _files()


@cache
def recorded(name: str) -> Any:
    raw = FILES[name].read_bytes()
    return json.loads(gzip.decompress(raw) if FILES[name].suffix == ".gz" else raw)


def _is_scenario(name: str) -> bool:
    found = recorded(name)
    return isinstance(found, dict) and str(found.get("schema", "")).startswith("comet-recording/") and "steps" in found


SCENARIOS = sorted(name for name in FILES if _is_scenario(name))
CHECKS: dict[str, Any] = recorded("formula_checks")
if "more formula_checks" in FILES:
    _more = recorded("more formula_checks")
    CHECKS["markets"] = {**_more.get("markets", {}), **CHECKS["markets"]}
    for _formula, _of in _more.get("formulas", {}).items():
        CHECKS["formulas"].setdefault(_formula, {"cases": []})["cases"] += _of["cases"]


@cache
def constants(name: str) -> Any:
    """A scenario's market: `{cfg, assets}`, as its own reads say, else as its name's; None where nobody says enough."""
    of = recorded(name)
    at, known = of["contracts"].get(of["market"]), CHECKS["markets"].get(of["market"], {"cfg": {}, "assets": {}})
    cfg, assets = dict(known["cfg"]), dict(known["assets"])
    for step in of["steps"]:
        if step["kind"] != "read" or step.get("to") != at or not step.get("decoded"):
            continue
        what = step["signature"].split("(")[0]
        if what in ("getAssetInfo", "getAssetInfoByAddress"):
            info = step["decoded"].get("0", step["decoded"])
            assets[info["asset"]] = {k: v for k, v in info.items() if k != "asset"}
        elif step["signature"].endswith("()") and isinstance(step["decoded"].get("0"), str):
            cfg[what] = step["decoded"]["0"]
    if "baseToken" not in cfg and (base := of["contracts"].get(of["market"][1:-2])):
        cfg["baseToken"] = base
    needed = ("baseToken", "baseTokenPriceFeed", "baseScale", "baseBorrowMin", *PARTS)
    return {"cfg": cfg, "assets": assets} if at and assets and all(cfg.get(n) for n in needed) else None


def every(*kinds: str) -> Iterator[tuple[str, Step]]:
    for name in SCENARIOS:
        yield from ((name, step) for step in recorded(name)["steps"] if step["kind"] in kinds)


@cache
def market(symbol: str) -> CometMarket:
    """One of those that the formula checks are of, as its constants were recorded."""
    return market_in(next(name for name in SCENARIOS if recorded(name)["market"] == symbol))


@cache
def market_in(name: str) -> CometMarket:
    """The market of a scenario."""
    symbol, of = recorded(name)["market"], constants(name)
    cfg, comet = of["cfg"], address(recorded(name)["contracts"][symbol])
    units, feed = len(cfg["baseScale"]) - 1, address(cfg["baseTokenPriceFeed"])
    base = CometListing(address(cfg["baseToken"]), symbol[1:-2], units, feed, index=None)
    others = (
        CometListing(address(a), a[:8], len(x["scale"]) - 1, address(x["priceFeed"]), index=int(x["offset"]))
        for a, x in of["assets"].items()
    )
    listings = (base, *sorted(others, key=lambda x: x.index or 0))
    curve = Curve(*(int(cfg[part]) for part in PARTS))
    return CometMarket(symbol, comet, listings, curve, Amount(int(cfg["baseBorrowMin"])), ADDRESS)


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
            return info(self.scenario, int.from_bytes(read.data[4:], "big"))
        return beside.get(read.data[:4], b"missing")


@cache
def _answers(name: str) -> dict[Key, bytes]:
    reads = (s for s in recorded(name)["steps"] if s["kind"] == "read" and s.get("result"))
    return {
        (int(s["block"]), s["to"].lower(), s["calldata"].removeprefix("0x")): bytes.fromhex(s["result"][2:])
        for s in reads
    }


def info(name: str, index: int) -> bytes:
    """What `getAssetInfo` answers of a collateral of a scenario's market."""
    asset, x = next((a, x) for a, x in constants(name)["assets"].items() if int(x["offset"]) == index)
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
        if step.get("signature") != "userBasic(address)" or not step.get("decoded") or constants(name) is None:
            continue
        of, node, number = market_in(name), Node(name), int(step["block"])
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
