"""`make demo SCENARIO=compound`: the crash in a market of Compound v3, on the stand-in that every recording holds."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from sandbox.actor import Actor
from sandbox.compound.desk import CometDesk, Market
from sandbox.demo_keeper import SETTINGS as ON_AAVE
from sandbox.demo_scene import COLLATERAL, DEBT, Frame, Liquidation, aggregate
from sandbox.errors import RevertedError
from sandbox.world import World

SAID = (
    "a local world: a stand-in for Compound v3, and Uniswap v3 on anvil, a liquidator, an arbitrageur",
    "a market of USDC with WETH at 82.5 and 89.5 %; two identical positions: 10 WETH, 14,000 USDC borrowed and spent",
)
TERMS = ("0.825", "0.895", "0.95")
LIQUIDATION = Decimal(TERMS[1])
NO_DEBT = 99.0
USDC, WETH, PRICE = Decimal(10) ** 6, Decimal(10) ** 18, Decimal(10) ** 8


class Absorber(Actor):
    """Has the market take over whoever may be liquidated: all collateral goes, and the whole debt."""

    name = "liquidator"

    def __init__(self, market: Market, watch: Iterable[str]) -> None:
        super().__init__(market.world)
        self._comet = self.world.w3.eth.contract(address=market.comet.address, abi=market.comet.abi)
        self._watch = tuple(watch)

    def act(self, block: int) -> None:
        who = self.world.role("liquidator")
        for owner in self._watch:
            if not self._comet.functions.isLiquidatable(owner).call():
                continue
            try:
                receipt = self.world.chain.send(self._comet.functions.absorb(who, [owner]), who, 6_000_000)
            except RevertedError as error:
                self.record(block, f"could not absorb {owner}: {error}", succeeded=False)
                continue
            hash_ = receipt["transactionHash"].to_0x_hex()
            self.record(receipt["blockNumber"], f"absorbed {owner}", transaction=hash_)


@dataclass
class CometGround:
    """The market, and who is in it."""

    market: Market
    owners: Mapping[str, str]
    liquidator: Absorber
    settings = ON_AAVE.replace('venue = "aave_v3"\n', 'venue = "compound_v3"\nmarket = "compound"\n')

    @property
    def values(self) -> Mapping[str, str]:
        """Nothing more."""
        return {}

    def read(self, world: World, block: int) -> Frame:
        """Both positions at a block, with interest until then: its own views reckon it."""
        comet, weth = self.market.comet, world.addresses["tokens"]["WETH"]
        asked = [("getPrice", [world.addresses["feeds"]["WETH"]])]
        for owner in self.owners.values():
            asked += [("collateralBalanceOf", [owner, weth]), ("borrowBalanceOf", [owner])]
        calls = [(comet.address, False, bytes.fromhex(comet.encode_abi(name, args)[2:])) for name, args in asked]
        calls.append((world.addresses["multicall3"], False, bytes.fromhex("0f28c97d")))  # getCurrentBlockTimestamp()
        price_, *held, timestamp = (int.from_bytes(answer) for answer in aggregate(world, calls, block))
        price = Decimal(price_) / PRICE
        worth = {name: Decimal(held[2 * i]) / WETH * price for i, name in enumerate(self.owners)}
        owed = {name: Decimal(held[2 * i + 1]) / USDC for i, name in enumerate(self.owners)}
        health = {n: min(float(worth[n] * LIQUIDATION / owed[n]), NO_DEBT) if owed[n] else NO_DEBT for n in worth}
        return Frame(block, timestamp, price, health, worth, owed)

    def beside(self, name: str, final: Frame) -> Decimal:
        """What an absorption left: it is credited as a supply of the base asset."""
        supplied = self.market.comet.functions.balanceOf(self.owners[name]).call(block_identifier=final.block)
        return Decimal(supplied) / USDC

    def liquidations(self, first_block: int, price_at: Callable[[int], Decimal]) -> list[Liquidation]:
        """By the contract's own events: what was taken, less the debt that it paid and what was credited."""
        del price_at
        events, taken = self.market.comet.events, dict[str, Decimal]()
        for log in events.AbsorbCollateral().get_logs(from_block=first_block):
            key = log["transactionHash"].to_0x_hex() + log["args"]["borrower"]
            taken[key] = taken.get(key, Decimal(0)) + Decimal(log["args"]["usdValue"]) / PRICE
        found = []
        for log in events.AbsorbDebt().get_logs(from_block=first_block):
            hash_, owner = log["transactionHash"].to_0x_hex(), log["args"]["borrower"]
            lost = taken.get(hash_ + owner, Decimal(0)) - Decimal(log["args"]["usdValue"]) / PRICE
            found.append(Liquidation(owner, log["blockNumber"], hash_, lost))
        return found

    def network(self, text: str) -> str:
        """The world's network file with the market in it."""
        return text + self.market.table()


def settled(world: World, owners: Mapping[str, str]) -> CometGround:
    """What they borrowed is spent, so a rescue comes out of the position."""
    market = CometDesk(world).create("USDC", WETH=TERMS)
    for owner in owners.values():
        market.open(owner, {"WETH": COLLATERAL}, DEBT)
    return CometGround(market, owners, Absorber(market, owners.values()))
