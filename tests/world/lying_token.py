"""A token of the world that lies from now on: a fee on each transfer, a black list, calls in the middle of one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from eth_abi.abi import encode
from eth_utils.crypto import keccak
from scenes import Scene

BEHIND = "0x" + "be" * 20
MOST_SLOTS = 12


@dataclass(frozen=True, slots=True)
class Liar:
    """The token ``symbol`` of a scene, its own code behind one that lies."""

    scene: Scene
    symbol: str
    token: str

    def takes(self, bps: int) -> None:
        """Whoever receives gets so much less than was sent."""
        self._tell("lieWithFee", bps, self._balances_slot())

    def bans(self, who: str) -> None:
        """Nothing from, to or by an account."""
        self._tell("lieAbout", who)

    def withholds(self, percent: int) -> None:
        """An approval is so much less than was said, and of permits it knows nothing."""
        self._tell("lieAboutApprovals", percent)

    def calls(self, target: str, data: str) -> None:
        """In the middle of each transfer."""
        self._tell("lieByCalling", target, data)

    @property
    def counts(self) -> tuple[int, int]:
        """How often it called, and how often that succeeded."""
        tries, successes = self._code.functions.lieCounts().call()
        return int(tries), int(successes)

    @property
    def _code(self) -> Any:
        world = self.scene.world
        return world.chain.at("LyingToken", self.token)

    def _tell(self, function: str, *args: Any) -> None:
        world = self.scene.world
        world.chain.send(self._code.functions[function](*args), world.role("admin"))

    def _balances_slot(self) -> int:
        """Where the token keeps its balances: the slot of the mapping."""
        world, owner = self.scene.world, self.scene.world.role("lp")
        held, token = world.balance(self.symbol, owner), str(world.token(self.symbol).address)
        for slot in range(MOST_SLOTS):
            key = "0x" + keccak(encode(["address", "uint256"], [owner, slot])).hex()
            if held and int(world.rpc("eth_getStorageAt", token, key, "latest"), 16) == held:
                return slot
        raise AssertionError(f"{self.symbol} keeps its balances somewhere else")


def liar(scene: Scene, symbol: str, *, is_supply: bool = False) -> Liar:
    """Let a token lie, or what stands for a supply of it; as yet it does nothing else than before."""
    world = scene.world
    token = str(world.addresses["a_tokens"][symbol] if is_supply else world.token(symbol).address)
    deployed = world.chain.deploy("LyingToken", sender=world.role("admin"))
    world.rpc("anvil_setCode", BEHIND, world.rpc("eth_getCode", token, "latest"))
    world.rpc("anvil_setCode", token, world.rpc("eth_getCode", str(deployed.address), "latest"))
    return Liar(scene, symbol, token)
