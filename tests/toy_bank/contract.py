"""The bank on a local world: compiled with the world's own compiler, deployed with two of its tokens, and funded."""

from __future__ import annotations

import json
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

from sandbox.paths import MODULES
from sandbox.world import World

SOURCE = Path(__file__).with_name("ToyBank.sol")
COMPILE = """
const input = { language: 'Solidity', sources: { 'ToyBank.sol': { content: require('fs').readFileSync(0, 'utf8') } },
  settings: { evmVersion: 'cancun', outputSelection: { '*': { '*': ['abi', 'evm.bytecode.object'] } } } }
const found = JSON.parse(require('solc').compile(JSON.stringify(input)))
const { abi, evm } = found.contracts['ToyBank.sol'].ToyBank
process.stdout.write(JSON.stringify([abi, evm.bytecode.object]))
"""


@cache
def built() -> tuple[list[dict[str, Any]], str]:
    """The bank's interface and bytecode."""
    said = subprocess.run(
        ["node", "-e", COMPILE],
        cwd=MODULES.parent,
        input=SOURCE.read_text(),
        capture_output=True,
        text=True,
        check=True,
    )
    abi, code = json.loads(said.stdout)
    return abi, code


class Bank:
    """A bank that takes WETH and lends USDC."""

    def __init__(self, world: World) -> None:
        self.world = world
        tokens, sources = world.addresses["tokens"], world.addresses["sources"]
        both = ("WETH", "USDC")
        abi, code = built()
        units = [10**18, 10**6]
        constructor = world.w3.eth.contract(abi=abi, bytecode=code).constructor(
            [tokens[s] for s in both], [sources[s] for s in both], units
        )
        sent = constructor.transact({"from": world.role("admin")})
        self.address = str(world.w3.eth.wait_for_transaction_receipt(sent)["contractAddress"])
        self.contract = world.w3.eth.contract(address=self.address, abi=abi)
        world.mint("USDC", self.address, 10_000_000 * 10**6)

    def open(self, owner: str, ether: int, dollars: int) -> None:
        """Supply ether and borrow dollars; what was borrowed leaves the wallet."""
        world, weth = self.world, self.world.token("WETH")
        world.mint("WETH", owner, ether)
        with world.acting_as(owner):
            world.chain.send(weth.functions.approve(self.address, ether), owner)
            world.chain.send(self.contract.functions.supply(ether, owner), owner)
            world.chain.send(self.contract.functions.borrow(dollars, world.role("lp")), owner)

    def account(self, owner: str) -> tuple[int, int, int]:
        """What is supplied, owed, and the health factor, by the bank itself."""
        supplied, owed, health = self.contract.functions.account(owner).call()
        return supplied, owed, health
