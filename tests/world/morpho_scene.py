"""One owner's account in one market of Morpho Blue, kept by rules, with a bundler whose lender is that Morpho."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from scenes import Scene

from sandbox.morpho.desk import MorphoDesk

POSITION = """
[[positions]]
name = "lent"
venue = "morpho_blue"
market = "{id}"
owner = "{owner}"
signer = "me"
"""


@dataclass
class MorphoScene:
    """The world, the market, and who may act in it."""

    scene: Scene
    morpho: MorphoDesk
    id: str
    rules: str
    bundler: dict[str, str]
    batch: bool = False
    more: str = ""
    """Of the network file."""
    table: str = ""
    """More keys of Morpho's own table in it."""
    written: bool = field(default=False, init=False)

    def write(self) -> None:
        """Settings of the one position, and the network file with Morpho's table and the bundler's."""
        self.written, scene = True, self.scene
        scene.rules = POSITION.format(id=self.id, owner=scene.owner) + self.rules
        scene.write()
        file = scene.folder / "network.toml"
        at = "".join(
            f'{key} = "{self.bundler[key]}"\n' for key in ("bundler", "general_adapter", "lender") if self.bundler
        )
        lends = f"\n[bundler3]\n{at}" if at else ""
        file.write_text(file.read_text() + self.morpho.table() + self.table + lends + self.more)
        text = scene.config.read_text()
        begin, end = text.index("[[positions]]"), text.index('[[positions]]\nname = "lent"')
        text = text[:begin] + text[end:]
        if self.batch:
            text = text.replace('password_file = "password"\n', 'password_file = "password"\nbatch = true\n', 1)
        scene.config.write_text(text)

    def once(self, *options: str) -> dict[str, Any]:
        """Judge one block, and return the one position's row."""
        if not self.written:
            self.write()
        (row,) = json.loads(self.scene.keeper("once", "--json", *options).stdout)["positions"]
        return dict(row)

    def health(self) -> Decimal:
        """As the contract compares, by its own oracle."""
        return Decimal(self.morpho.health(self.id, self.scene.owner))

    def position(self) -> tuple[int, int, int]:
        """Supply shares, borrow shares, collateral."""
        found = self.morpho.position(self.id, self.scene.owner)
        return found[0], found[1], found[2]

    def fall_to(self, health: str) -> None:
        """The collateral falls to where the account has so much health; pools follow."""
        for _ in range(4):
            now = float(self.health())
            if abs(now - float(health)) < 0.001:
                return
            self.scene.crash(str(round(float(self.scene.world.price("WETH")) * float(health) / now, 4)))

    def authorise_adapter(self) -> None:
        """The owner's own act, by hand."""
        with self.scene.world.acting_as(self.scene.owner):
            call = self.morpho.blue.functions.setAuthorization(self.bundler["general_adapter"], True)
            self.scene.world.chain.send(call, self.scene.owner)

    def adapter_may_act(self) -> bool:
        """Whether it may, for all of the owner's account."""
        asked = self.morpho.blue.functions.isAuthorized(self.scene.owner, self.bundler["general_adapter"])
        return bool(asked.call())

    def words_used(self) -> int:
        """How many signatures of the owner's the contract has used up."""
        return int(self.morpho.blue.functions.nonce(self.scene.owner).call())

    def gas_of(self, row: dict[str, Any]) -> int:
        """What the last transaction took."""
        return int(self.scene.world.w3.eth.get_transaction_receipt(row["outcome"]["transactions"][-1])["gasUsed"])

    def left(self) -> dict[tuple[str, str], int]:
        """What hands and the router hold, and may take of the owner's wallet, of all that was moved."""
        world, found = self.scene.world, dict[tuple[str, str], int]()
        hands = {key: at for key, at in self.bundler.items() if key != "lender"}
        hands["router"] = world.addresses["uniswap"]["swap_router_02"]
        for name in ("WETH", "USDC"):
            token = world.token(name)
            for hand, where in (*hands.items(), ("Morpho", self.morpho.blue.address)):
                if hand != "Morpho":
                    found[name, hand] = token.functions.balanceOf(where).call()
                found[name, f"{hand} may take"] = token.functions.allowance(self.scene.owner, where).call()
        return found


def kept_in_market(scene: Scene, morpho: MorphoDesk, id_: str, rules: str) -> MorphoScene:
    """A market's account, kept by rules, and a bundler that may act in it."""
    return MorphoScene(scene, morpho, id_, rules, morpho.bundler())
