"""`make demo SCENARIO=venus`: the crash on Venus's real contracts. Two identical positions, one of them kept."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from sandbox.actor import Actor
from sandbox.demo_keeper import SETTINGS as ON_AAVE
from sandbox.demo_scene import COLLATERAL, DEBT, Frame, Liquidation, aggregate
from sandbox.errors import RevertedError
from sandbox.venus.desk import CLOSE, GAS, WAD, VenusDesk
from sandbox.world import World

SAID = (
    "a local world: Venus and Uniswap v3 on anvil, a liquidator, an arbitrageur",
    "WETH at 75 and 80 %, USDC beside it; two identical positions: 10 WETH, 14,000 USDC borrowed and spent",
)
LISTED = {"WETH": ("0.75", "0.80"), "USDC": ("0.80", "0.85")}
LIQUIDATION = Decimal(LISTED["WETH"][1])
NO_DEBT = 99.0
USDC, WETH, TWICE = Decimal(10) ** 6, Decimal(10) ** 18, Decimal(10) ** 36
DEEP = 10**9 * 10**6
"""Dollars, in units of USDC, that the liquidator has."""


class VenusLiquidator(Actor):
    """Pays half of the debt of whoever may be liquidated, and takes WETH for it. A refusal may be a receipt."""

    name = "liquidator"

    def __init__(self, desk: VenusDesk, watch: Iterable[str]) -> None:
        super().__init__(desk.world)
        eth = self.world.w3.eth
        self._comptroller = eth.contract(address=desk.comptroller.address, abi=desk.comptroller.abi)
        self._ether, self._dollar = (
            eth.contract(address=desk.tokens[s].address, abi=desk.tokens[s].abi) for s in ("WETH", "USDC")
        )
        self._desk, self._watch, world = desk, tuple(watch), desk.world
        world.mint("USDC", world.role("liquidator"), DEEP)
        world.chain.send(world.token("USDC").functions.approve(self._dollar.address, 2**255), world.role("liquidator"))

    def act(self, block: int) -> None:
        for owner in self._watch:
            _, _, missing = self._comptroller.functions.getAccountLiquidity(owner).call()
            if missing:
                self._liquidate(block, owner)

    def _liquidate(self, block: int, owner: str) -> None:
        owed = self._dollar.functions.borrowBalanceStored(owner).call()
        call = self._dollar.functions.liquidateBorrow(owner, owed * CLOSE // WAD, self._ether.address)
        try:
            receipt = self.world.chain.send(call, self.world.role("liquidator"), GAS)
        except RevertedError as error:
            self.record(block, f"could not liquidate {owner}: {error}", succeeded=False)
            return
        if failed := self._desk.failures(receipt):
            self.record(block, f"could not liquidate {owner}: {failed}", succeeded=False)
            return
        hash_ = receipt["transactionHash"].to_0x_hex()
        self.record(receipt["blockNumber"], f"liquidated {owner}", transaction=hash_)


@dataclass
class VenusGround:
    """The markets, and who is in them."""

    desk: VenusDesk
    owners: Mapping[str, str]
    liquidator: VenusLiquidator
    settings = ON_AAVE.replace('venue = "aave_v3"\n', 'venue = "compound_v2"\nmarket = "venus"\n')

    @property
    def values(self) -> Mapping[str, str]:
        """Nothing more."""
        return {}

    def read(self, world: World, block: int) -> Frame:
        """Both positions at a block: interest is accrued inside the call that asks."""
        ether, dollar = self.desk.tokens["WETH"], self.desk.tokens["USDC"]
        asked = [(ether, "accrueInterest", []), (dollar, "accrueInterest", [])]
        asked.append((self.desk.prices, "getUnderlyingPrice", [ether.address]))
        for owner in self.owners.values():
            asked += [(ether, "getAccountSnapshot", [owner]), (dollar, "borrowBalanceStored", [owner])]
        calls = [(c.address, False, bytes.fromhex(c.encode_abi(name, args)[2:])) for c, name, args in asked]
        calls.append((world.addresses["multicall3"], False, bytes.fromhex("0f28c97d")))  # getCurrentBlockTimestamp()
        _, _, price_, *held, timestamp = aggregate(world, calls, block)
        price = Decimal(int.from_bytes(price_)) / WETH
        worth, owed = dict[str, Decimal](), dict[str, Decimal]()
        for i, name in enumerate(self.owners):
            words = [int.from_bytes(held[2 * i][j : j + 32]) for j in range(0, 128, 32)]
            worth[name] = Decimal(words[1] * words[3]) / TWICE * price
            owed[name] = Decimal(int.from_bytes(held[2 * i + 1])) / USDC
        health = {n: min(float(worth[n] * LIQUIDATION / owed[n]), NO_DEBT) if owed[n] else NO_DEBT for n in worth}
        return Frame(block, int.from_bytes(timestamp), price, health, worth, owed)

    def beside(self, name: str, final: Frame) -> Decimal:
        """Nothing: a position is all there is."""
        del name, final
        return Decimal(0)

    def liquidations(self, first_block: int, price_at: Callable[[int], Decimal]) -> list[Liquidation]:
        """By the token's own events: what was taken, less the debt that it paid."""
        ether, found = self.desk.tokens["WETH"], []
        for log in self.desk.tokens["USDC"].events.LiquidateBorrow().get_logs(from_block=first_block):
            args, block = log["args"], log["blockNumber"]
            exchange = ether.functions.exchangeRateStored().call(block_identifier=block)
            taken = Decimal(args["seizeTokens"] * exchange) / TWICE * price_at(block)
            lost = taken - Decimal(args["repayAmount"]) / USDC
            found.append(Liquidation(args["borrower"], block, log["transactionHash"].to_0x_hex(), lost))
        return found

    def network(self, text: str) -> str:
        """The world's network file with the market in it; feeds give the oracle's prices their ages."""
        for symbol in LISTED:
            head = f"[price_safety.assets.{symbol}]\n"
            feed = self.desk.world.addresses["feeds"][symbol]
            text = text.replace(head, f'{head}feed = "{feed}"\n')
        return text + self.desk.table()


def settled(world: World, owners: Mapping[str, str]) -> VenusGround:
    """What they borrowed is spent, so a rescue comes out of the position."""
    desk = VenusDesk(world, LISTED)
    for owner in owners.values():
        desk.open(owner, {"WETH": COLLATERAL}, {"USDC": DEBT})
    return VenusGround(desk, owners, VenusLiquidator(desk, owners.values()))
