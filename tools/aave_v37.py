"""Records accounts of Aave v3.7 for tests/venues/aave_v3: no registry has its sources, so no test can deploy them.

    python -m tools.aave_v37 CONTRACTS

CONTRACTS holds the sandbox's compiled contracts with those of github.com/aave-dao/aave-v3-origin at c3879344 over them,
compiled as sandbox/compile.js compiles 3.6. What is written are reads and answers, and no code.
"""

import gzip
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from keeper.core.units import Address
from keeper.venues.aave_v3.market import discover_market
from keeper.venues.aave_v3.position import discover_scope, position_probe
from keeper.venues.ports import Answer, Discovery, Read
from sandbox import aave, artifacts
from sandbox.spec import DEFAULT
from sandbox.world import World

OUT = Path(__file__).parent.parent / "tests" / "venues" / "aave_v3" / "aave_v37.json.gz"
ETHER, DOLLAR = 10**18, 10**6
E_MODE = 1


def main(contracts: Path) -> None:
    artifacts.CONTRACTS = contracts
    aave.LIBRARIES = tuple(name for name in aave.LIBRARIES if name != "ConfiguratorLogic")
    aave._add_emodes = _add_e_modes
    with World.build(DEFAULT) as world:
        cases = [case(world, *at) for at in scenes(world)]
        provider = world.addresses["aave"]["pool_addresses_provider"]
    found = {"provider": provider, "revision": 11, "cases": cases}
    OUT.write_bytes(gzip.compress(json.dumps(found).encode(), mtime=0))
    print(f"{len(cases)} accounts, {OUT.stat().st_size} bytes")


def scenes(world: World) -> Any:
    """Accounts without an e-mode, in one, and in one that was made isolated while they were in it."""
    plain, inside, beside = (str(world.account(i).address) for i in (1, 2, 3))
    world.open_position(plain, {"WETH": 10 * ETHER, "WBTC": 10**7}, {"USDC": 13_000 * DOLLAR})
    world.open_position(inside, {"wstETH": 10 * ETHER}, {"WETH": 5 * ETHER}, emode=E_MODE)
    world.open_position(beside, {"wstETH": 10 * ETHER, "WBTC": 10**7}, {"WETH": 5 * ETHER}, emode=E_MODE)
    world.warp(40 * 86_400)
    world.refresh_feeds()
    owners = {"without an e-mode": plain, "in an e-mode": inside, "in one with more beside it": beside}
    for name, owner in owners.items():
        yield name, owner
    world.configure("setEModeCategoryIsolated", E_MODE, True)
    for name, owner in owners.items():
        yield f"{name}, isolated", owner
    world.configure("setAssetLtvzeroInEMode", world.addresses["tokens"]["wstETH"], E_MODE, True)
    yield "in an isolated one whose asset counts for no loan", inside


def case(world: World, name: str, owner: str) -> dict[str, Any]:
    """All that is read of an account, and what the pool itself says of it."""
    eth, said, block = world.w3.eth, dict[str, str | None](), world.w3.eth.get_block("latest")

    def ask(reads: Sequence[Read]) -> list[Answer]:
        for read in reads:
            try:
                asked: Any = {"to": read.to, "data": read.data}
                said[f"{read.to} {read.data.hex()}"] = eth.call(asked, block["number"]).hex()
            except Exception:  # noqa: BLE001 - whatever it raises, the contract does not answer this
                said[f"{read.to} {read.data.hex()}"] = None
        return [None if (a := said[f"{r.to} {r.data.hex()}"]) is None else bytes.fromhex(a) for r in reads]

    provider = Address(world.addresses["aave"]["pool_addresses_provider"])
    market = driven(discover_market(provider), ask)
    scope = driven(discover_scope(market, Address(owner), (), ()), ask)
    ask(position_probe(market, scope, name, None).reads)  # type: ignore[arg-type] - reads are of no block
    figures = [int(x) for x in world.pool.functions.getUserAccountData(owner).call(block_identifier=block["number"])]
    return {"name": name, "owner": owner, "at": block["timestamp"], "figures": figures, "answers": said}


def driven(steps: Discovery[Any], ask: Any) -> Any:
    """What a discovery finds with answers from ``ask``."""
    try:
        reads = next(steps)
        while True:
            reads = steps.send(ask(reads))
    except StopIteration as found:
        return found.value


def _add_e_modes(chain: Any, spec: Any, admin: str, market: Any, tokens: dict[str, str]) -> None:
    configure = market.configurator.functions
    for mode in spec.emodes:
        terms = mode.id, mode.ltv, mode.threshold, mode.bonus, mode.label, False
        chain.send(configure.setEModeCategory(*terms), admin)
        for symbol in mode.collateral:
            chain.send(configure.setAssetCollateralInEMode(tokens[symbol], mode.id, True), admin)
        for symbol in mode.borrowable:
            chain.send(configure.setAssetBorrowableInEMode(tokens[symbol], mode.id, True), admin)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
