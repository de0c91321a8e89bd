"""Morpho Blue in the sandbox is the real contract: it lends, accrues, refuses and liquidates as it does anywhere."""

from __future__ import annotations

import json
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sandbox.morpho.desk import MorphoDesk
from sandbox.morpho.install import artifact, ensure
from sandbox.world import World

pytestmark = pytest.mark.world
ETHER, DOLLAR = 10**18, 10**6
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with World.start() as running:
        yield running


def test_an_account_is_opened_accrues_and_is_liquidated(world: World) -> None:
    """Ten ether against dollars in a market of 86 %: interest by its rate model, a liquidation when the feed falls."""
    morpho, owner = MorphoDesk(world), world.account(0).address
    id_ = morpho.create("WETH", "USDC", lltv="0.86", fee="0.1")
    morpho.open(id_, owner, 10 * ETHER, 15_000 * DOLLAR)
    assert morpho.oracles[id_].functions.price().call() == 2000 * 10 ** (36 + 6 - 18)
    assert morpho.position(id_, owner)[2] == 10 * ETHER
    assert float(morpho.health(id_, owner)) == pytest.approx(17_200 / 15_000, rel=1e-6)
    world.warp(180 * 86_400)
    world.refresh_feeds()
    assert morpho.debt(id_, owner) > 15_000 * DOLLAR
    world.set_price("WETH", "1700")
    assert morpho.health(id_, owner) < 1
    morpho.liquidate(id_, owner, seized=ETHER)
    assert morpho.position(id_, owner)[2] == 9 * ETHER


def test_the_shipped_interface_is_the_contract_s_own() -> None:
    """Every function and event of `contracts_abi/morpho_blue.json`, as the pinned package compiles to it."""
    shipped = json.loads((ROOT / "contracts_abi/morpho_blue.json").read_text())
    assert {shape(entry) for entry in shipped} <= {shape(entry) for entry in artifact("Morpho")[0]}
    (rate,) = [e for e in json.loads((ROOT / "contracts_abi/morpho_blue_irm.json").read_text()) if e["inputs"][1:]]
    assert shape(rate) in {shape(entry) for entry in artifact("IrmMock")[0]}


def test_the_shipped_addresses_are_the_package_s() -> None:
    """Of each chain whose network file has Morpho Blue, and of no other."""
    ensure()
    told = "console.log(JSON.stringify(require('./lib/cjs/addresses.js').addresses))"
    package = ROOT / "sandbox/morpho/node_modules/@morpho-org/morpho-ts"
    printed = subprocess.run(["node", "-e", told], cwd=package, check=True, capture_output=True, text=True).stdout
    known = json.loads(printed)
    for file in (ROOT / "config/networks").glob("*.toml"):
        network = tomllib.loads(file.read_text())
        of_chain = known.get(str(network["chain_id"]), {})
        ours = network.get("morpho_blue", {})
        assert ours.get("morpho") == of_chain.get("morpho"), file.name
        assert ours.get("pre_liquidation_factory") == of_chain.get("preLiquidationFactory"), file.name


def shape(entry: dict[str, Any]) -> str:
    """What a call or an event is made of, without the names of its types inside the package."""

    def plain(value: Any) -> Any:
        if isinstance(value, list):
            return [plain(one) for one in value]
        return {k: plain(v) for k, v in value.items() if k != "internalType"} if isinstance(value, dict) else value

    return json.dumps(plain(entry), sort_keys=True)


def test_the_shipped_addresses_of_the_bundler_are_the_package_s() -> None:
    """Bundler, general adapter, lender, and the adapter of Aave's main market, of each chain that has all four."""
    ensure()
    told = "console.log(JSON.stringify(require('./lib/cjs/addresses.js').addresses))"
    package = ROOT / "sandbox/morpho/node_modules/@morpho-org/morpho-ts"
    printed = subprocess.run(["node", "-e", told], cwd=package, check=True, capture_output=True, text=True).stdout
    known = json.loads(printed)
    for file in sorted((ROOT / "config/networks").glob("*.toml")):
        network = tomllib.loads(file.read_text())
        theirs = known.get(str(network["chain_id"]), {})
        theirs = {**theirs, **theirs.get("bundler3", {})}
        adapter, shipped = theirs.get("aaveV3CoreMigrationAdapter"), network.get("bundler3")
        if file.stem == "spark" or adapter is None:
            assert shipped is None, file.stem
            continue
        at = (shipped["bundler"], shipped["general_adapter"], shipped["lender"], shipped["adapters"]["aave_v3"])
        wanted = (theirs["bundler3"], theirs["generalAdapter1"], theirs["morpho"], adapter)
        assert [a.lower() for a in at] == [a.lower() for a in wanted], file.stem
