"""The recordings of Bundler3, as tests want them: trees of calls, their calldata, refusals, hashes."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from keeper.core.units import Address
from keeper.venues.bundler3.calls import Inner
from keeper.venues.bundler3.deployment import BundlerDeployment
from keeper.venues.codec.abi import address

FOLDER = Path(__file__).parent / "bundler3_recordings"
Step = dict[str, Any]


def load(name: str) -> Any:
    return json.loads(gzip.decompress((FOLDER / f"{name}.json.gz").read_bytes()))


SCENARIOS = {name: load(name) for name in sorted(p.name.removesuffix(".json.gz") for p in FOLDER.glob("[0-9]*.gz"))}
VECTORS: list[dict[str, Any]] = load("reenter_hash_vectors")
ERRORS: dict[str, Any] = load("errors")
_AT: dict[str, str] = SCENARIOS["01_deleverage_hf_1_15"]["contracts"]
OWNER = address(SCENARIOS["01_deleverage_hf_1_15"]["accounts"]["owner"])
WETH, USDC, A_WETH, A_USDC = (address(_AT[name]) for name in ("WETH", "USDC", "aWETH", "aUSDC"))
ROUTER = address(_AT["SwapRouter02"])
POOL = address(_AT["AaveV3Pool"])
WHERE = BundlerDeployment(
    address(_AT["Bundler3"]),
    address(_AT["GeneralAdapter1"]),
    address(_AT["Morpho"]),
    address(_AT["AaveV3MigrationAdapter"]),
)
_COMET_AT: dict[str, str] = SCENARIOS["13_compound_deleverage_between_the_limits"]["contracts"]
COMET = address(_COMET_AT["cUSDCv3 (here)"])
COMET_WHERE = replace(WHERE, market_adapter=address(_COMET_AT["CompoundV3MigrationAdapter"]))
OF_COMET = tuple(name for name, found in SCENARIOS.items() if "CompoundV3MigrationAdapter" in found["contracts"])
"""The scenarios whose market is Compound v3."""
RECEIPTS: dict[Address, Address] = {A_WETH: WETH, A_USDC: USDC}


def steps(*kinds: str) -> Iterator[tuple[str, Step]]:
    for name, scenario in SCENARIOS.items():
        for step in scenario["steps"]:
            if step["kind"] in kinds:
                yield name, step


def raw(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("0x"))


def plain(call: Step) -> Inner:
    """A recorded call as it is."""
    return Inner(
        address(call["to"]), raw(call["data"]), int(call["value"]), call["skipRevert"], raw(call["callbackHash"])
    )
