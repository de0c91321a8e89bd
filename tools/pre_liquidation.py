"""Records Morpho's own pre-liquidation contract for tests/venues/morpho_blue: no registry has its sources.

    python -m tools.pre_liquidation COMPILED

COMPILED is {contract: {abi, bytecode}} of github.com/morpho-org/pre-liquidation (solc 0.8.27 by its IR, 999999 runs,
cancun), as JSON. What is written are terms, what was asked and what came of it, and no code.
"""

import gzip
import json
import sys
from pathlib import Path
from typing import Any

from eth_utils.crypto import keccak
from web3.exceptions import ContractCustomError, ContractLogicError

from sandbox.morpho.desk import WAD, MorphoDesk
from sandbox.world import World

OUT = Path(__file__).parent.parent / "tests" / "venues" / "morpho_blue" / "pre_liquidation.json.gz"
ETHER, DOLLAR = 10**18, 10**6
TERMS = ((80, 20, 50, 101, 104), (70, 5, 130, 100, 116), (85, 100, 100, 102, 102))
"""Where it begins, what of the debt it may repay there and at liquidation, and for how much: in hundredths."""
HEALTHS = (
    "1.30",
    "1.2286",
    "1.2285",
    "1.08",
    "1.075001",
    "1.074999",
    "1.05",
    "1.0118",
    "1.0117",
    "1.0005",
    "0.9999",
    "0.95",
)


def main(compiled: Path) -> None:
    code = json.loads(compiled.read_text())
    errors = {"0x" + keccak(text=_signature(e))[:4].hex(): e["name"] for e in code["ErrorsLib"]["abi"]}
    with World.start() as world:
        desk, found = MorphoDesk(world), list[dict[str, Any]]()
        id_, owner = desk.create("WETH", "USDC"), str(world.account(1).address)
        desk.open(id_, owner, 10 * ETHER, 13_100 * DOLLAR)
        key = bytes.fromhex(id_[2:])
        factory = _deployed(desk, code["PreLiquidationFactory"], desk.blue.address)
        for terms in TERMS:
            given = (*(part * WAD // 100 for part in terms), desk.oracles[id_].address)
            made = factory.functions.createPreLiquidation(key, given)
            at = made.call()
            desk.chain.send(made, desk.admin, 6_000_000)
            line = world.w3.eth.contract(address=at, abi=code["PreLiquidation"]["abi"])
            with world.acting_as(owner):
                desk.chain.send(desk.blue.functions.setAuthorization(at, True), owner)
            who = world.role("liquidator")
            desk.chain.send(world.token("USDC").functions.approve(at, 2**255), who)
            cases = [_case(desk, id_, owner, line, health, errors) for health in HEALTHS]
            known = [bool(factory.functions.isPreLiquidation(x).call()) for x in (at, owner)]
            said = {name: line.functions[name]().call() for name in ("MORPHO", "ID")}
            right = said["MORPHO"] == desk.blue.address and bytes(said["ID"]) == key
            told = line.functions.preLiquidationParams().call()
            found.append({"terms": told, "known": known, "is_of_the_market": right, "cases": cases})
    OUT.write_bytes(gzip.compress(json.dumps({"lltv": 86 * WAD // 100, "lines": found}).encode(), mtime=0))
    print(f"{sum(len(line['cases']) for line in found)} cases, {OUT.stat().st_size} bytes")


def _case(desk: MorphoDesk, id_: str, owner: str, line: Any, health: str, errors: dict[str, str]) -> dict[str, Any]:
    """What a call would do at a health: for a thousandth, for all, for the most, and for one share more."""
    world, debt = desk.world, desk.debt(id_, owner)
    world.set_price("WETH", f"{float(health) * debt / (10 * DOLLAR * 0.86):.8f}")
    block = world.w3.eth.block_number
    totals, (_, shares, collateral) = desk.accrued(id_), desk.position(id_, owner)
    price = desk.oracles[id_].functions.price().call()

    def ask(seized: int, repaid: int) -> Any:
        try:
            call = line.functions.preLiquidate(owner, seized, repaid, b"")
            return list(call.call({"from": world.role("liquidator")}, block))
        except (ContractCustomError, ContractLogicError) as error:
            data = str(error.data)
            return [
                errors.get(data[:10], data[:10]),
                *(int(data[i : i + 64], 16) for i in range(10, len(data) - 63, 64)),
            ]

    little, whole = ask(0, shares // 1000), ask(0, shares)
    most = whole[2] if whole[0] == "PreLiquidationTooLarge" else None
    asked = {"a thousandth": little, "all": whole, "a milliether": ask(ETHER // 1000, 0)}
    if most is not None:
        asked |= {"most": ask(0, most), "one more": ask(0, most + 1)}
    return {
        "totals": list(totals),
        "shares": shares,
        "collateral": collateral,
        "price": price,
        "most": most,
        "asked": asked,
    }


def _deployed(desk: MorphoDesk, made: dict[str, Any], *args: Any) -> Any:
    eth = desk.world.w3.eth
    sent = eth.contract(abi=made["abi"], bytecode=made["bytecode"]).constructor(*args).transact({"from": desk.admin})
    return eth.contract(address=eth.wait_for_transaction_receipt(sent)["contractAddress"], abi=made["abi"])


def _signature(entry: dict[str, Any]) -> str:
    return f"{entry['name']}({','.join(i['type'] for i in entry['inputs'])})"


if __name__ == "__main__":
    main(Path(sys.argv[1]))
