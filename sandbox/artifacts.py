"""Compiled contracts by name, from our own compile or from npm artifacts, and the linking of libraries."""

import json
from collections.abc import Mapping
from functools import cache
from typing import Any

from eth_utils.crypto import keccak

from sandbox.errors import SandboxError
from sandbox.paths import CONTRACTS, MODULES

UNISWAP = {
    "UniswapV3Factory": "v3-core/artifacts/contracts/UniswapV3Factory.sol",
    "UniswapV3Pool": "v3-core/artifacts/contracts/UniswapV3Pool.sol",
    "NonfungiblePositionManager": "v3-periphery/artifacts/contracts/NonfungiblePositionManager.sol",
    "QuoterV2": "v3-periphery/artifacts/contracts/lens/QuoterV2.sol",
    "SwapRouter02": "swap-router-contracts/artifacts/contracts/SwapRouter02.sol",
}
PERP = {
    name: f"curie-contract/artifacts/contracts/{name}.sol"
    for name in (
        "AccountBalance",
        "BaseToken",
        "ClearingHouse",
        "ClearingHouseConfig",
        "CollateralManager",
        "DelegateApproval",
        "Exchange",
        "InsuranceFund",
        "MarketRegistry",
        "OrderBook",
        "QuoteToken",
        "Vault",
    )
} | {
    name: f"perp-oracle-contract/artifacts/contracts/{name}.sol"
    for name in ("ChainlinkPriceFeedV3", "PriceFeedDispatcher")
}
BATCH_ACCOUNT = MODULES / "@account-abstraction/contracts/artifacts"


@cache
def artifact(name: str) -> dict[str, Any]:
    """{abi, bytecode, linkReferences} of one contract."""
    path = MODULES / "@uniswap" / UNISWAP[name] if name in UNISWAP else CONTRACTS
    path = MODULES / "@perp" / PERP[name] if name in PERP else path
    path = BATCH_ACCOUNT if name == "Simple7702Account" else path
    try:
        loaded: dict[str, Any] = json.loads((path / f"{name}.json").read_text())
    except FileNotFoundError:
        raise SandboxError(f"contract {name} is not built: run `python -m sandbox.install`") from None
    return loaded


def abi(name: str) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = artifact(name)["abi"]
    return entries


def linked_bytecode(name: str, libraries: Mapping[str, str]) -> str:
    """Creation code with the addresses of its libraries put in (20 bytes at each link reference)."""
    compiled = artifact(name)
    code: str = compiled["bytecode"].removeprefix("0x")
    for references in compiled.get("linkReferences", {}).values():
        for library, places in references.items():
            address = libraries[library].lower().removeprefix("0x")
            for start in (2 * place["start"] for place in places):
                code = code[:start] + address + code[start + 40 :]
    return "0x" + code


@cache
def error_names() -> dict[str, str]:
    """Selector (0x + 8 hex digits) of each custom error of Aave and of the GMX stand-in → its name."""
    entries = [e for e in abi("Errors") + abi("PoolInstance") + abi("GmxErrors") if e["type"] == "error"]
    return {"0x" + keccak(text=_signature(e))[:4].hex(): e["name"] for e in entries}


def _signature(entry: Mapping[str, Any]) -> str:
    return f"{entry['name']}({','.join(i['type'] for i in entry['inputs'])})"
