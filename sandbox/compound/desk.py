"""Compound v3 in a world: markets of the stand-in over the world's feeds, accounts opened and absorbed in them.

compound = CometDesk(world)
market = compound.create("USDC", WETH=("0.825", "0.895", "0.95"))
market.open(owner, {"WETH": 10 * 10**18}, debt=13_000 * 10**6)
world.set_price("WETH", 1450); market.absorb(owner)
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from web3 import Web3
from web3.contract import Contract
from web3.types import TxReceipt

from sandbox.compound.install import artifact
from sandbox.world import World

WAD, GAS = 10**18, 6_000_000
DEPTH_USD = 10_000_000
CURVE = {
    "supplyKink": 800_000_000_000_000_000,
    "supplyPerSecondInterestRateSlopeLow": 1_030_568_239,
    "supplyPerSecondInterestRateSlopeHigh": 12_683_916_793,
    "borrowKink": 800_000_000_000_000_000,
    "borrowPerSecondInterestRateSlopeLow": 1_109_842_719,
    "borrowPerSecondInterestRateSlopeHigh": 7_927_447_995,
    "borrowPerSecondInterestRateBase": 475_646_879,
    "storeFrontPriceFactor": 500_000_000_000_000_000,
}
"""Those of the market in USDC on Ethereum, as it was recorded."""
Terms = tuple[str, str, str] | tuple[str, str, str, int]
"""Borrow limit, liquidation limit, what a liquidation credits; and the cap in whole tokens."""


class CometDesk:
    """Makes markets, and what stands beside them."""

    def __init__(self, world: World) -> None:
        self.world, self.admin = world, world.role("admin")

    def create(self, base: str, money: str | None = None, depth_usd: int = DEPTH_USD, **collaterals: Terms) -> "Market":
        """A market that lends ``base``, priced in dollars or in ``money``, with loans to be had."""
        market = Market(self, base, money, collaterals)
        amount = int(Decimal(depth_usd) / self.world.price(base) * 10 ** self.world.addresses["decimals"][base])
        market.supply(self.world.role("lp"), base, amount)
        return market

    def deploy(self, name: str, *args: Any) -> Contract:
        abi, code = artifact(name)
        constructor = self.world.w3.eth.contract(abi=abi, bytecode=code).constructor(*args)
        sent = constructor.transact({"from": Web3.to_checksum_address(self.admin), "gas": 12_000_000})
        receipt = self.world.chain.wait(sent.to_0x_hex(), f"deploying {name}")
        return self.world.w3.eth.contract(address=receipt["contractAddress"], abi=abi)

    def adapter(self) -> str:
        """The bundler's adapter for these markets, in the world's bundler."""
        return str(self.deploy("BundlerCometAdapter", self.world.addresses["bundler"]["bundler"]).address)

    def at_adapter(self, address: str) -> Contract:
        """The adapter, as anybody calls it."""
        return self.world.w3.eth.contract(
            address=Web3.to_checksum_address(address), abi=artifact("BundlerCometAdapter")[0]
        )


@dataclass
class Account:
    """What the market itself says of an account, at the newest block."""

    debt: int
    collateral: dict[str, int]
    is_liquidatable: bool
    is_borrow_collateralized: bool


class Market:
    """One market: a proxy and what stands behind it."""

    def __init__(self, desk: CometDesk, base: str, money: str | None, collaterals: dict[str, Terms]) -> None:
        self.desk, self.world, self.base, self.money = desk, desk.world, base, money
        self.collaterals = collaterals
        abi, _ = artifact("Comet")
        self.proxy = desk.deploy("CometProxy", self._implementation({}))
        self.comet: Contract = self.world.w3.eth.contract(address=self.proxy.address, abi=abi)
        self._send(self.comet.functions.initializeStorage(), desk.admin)

    @property
    def address(self) -> str:
        return str(self.comet.address)

    # --- what it is made of -------------------------------------------------------------------------------------------

    def upgrade(self, collaterals: dict[str, Terms] | None = None, **numbers: int) -> None:
        """Governance changes constants, feeds or the list: another implementation behind the same address."""
        self.collaterals = collaterals or self.collaterals
        self._send(self.proxy.functions.upgradeTo(self._implementation(numbers)), self.desk.admin)

    def _implementation(self, numbers: dict[str, int]) -> str:
        decimals = self.world.addresses["decimals"]
        scale = 10 ** decimals[self.base]
        usual = {
            "decimals": decimals[self.base],
            "baseScale": scale,
            "maxAssets": 24,
            "trackingIndexScale": 10**15,
            "baseMinForRewards": 10**6 * scale,
            "baseBorrowMin": int(100 / self.world.price(self.base) * scale),
            "targetReserves": 10**7 * scale,
        }
        abi, _ = artifact("CometTerms")
        named = next(i["components"] for i in abi[0]["inputs"] if i["name"] == "what")
        what = [{**CURVE, **usual, **numbers}.get(c["name"], 0) for c in named]
        admin = self.desk.admin
        parties = [admin, admin, self._token(self.base), self._feed(self.base), admin]
        listed = [self._asset(symbol, *terms) for symbol, terms in self.collaterals.items()]
        terms = self.desk.deploy("CometTerms", parties, what, listed, f"Compound {self.base}", f"c{self.base}v3")
        return str(self.desk.deploy("Comet", terms.address).address)

    def _asset(self, symbol: str, borrow: str, liquidate: str, credit: str, cap: int = 10**6) -> tuple[Any, ...]:
        unit = 10 ** self.world.addresses["decimals"][symbol]
        factors = (int(Decimal(x) * WAD) for x in (borrow, liquidate, credit))
        return self._token(symbol), self._feed(symbol), unit, *factors, cap * unit

    def _token(self, symbol: str) -> str:
        return str(self.world.addresses["tokens"][symbol])

    def _feed(self, symbol: str) -> str:
        feeds = self.world.addresses["feeds"]
        if self.money is None:
            return str(feeds[symbol])
        return str(self.desk.deploy("CometFeed", feeds[symbol], feeds[self.money]).address)

    # --- what is done in it -------------------------------------------------------------------------------------------

    def open(self, owner: str, collateral: dict[str, int], debt: int = 0) -> None:
        """Supply and borrow, all real calls of the owner; what was borrowed leaves the wallet."""
        for symbol, amount in collateral.items():
            self.supply(owner, symbol, amount)
        if debt:
            self.borrow(owner, debt)
            with self.world.acting_as(owner):
                away = self.world.token(self.base).functions.transfer(self.world.role("lp"), debt)
                self.world.chain.send(away, owner)

    def supply(self, who: str, symbol: str, amount: int) -> TxReceipt:
        """Of the base what repays a debt, or is lent."""
        if (missing := amount - self.world.balance(symbol, who)) > 0:
            self.world.mint(symbol, who, missing)
        with self.world.acting_as(who):
            self.world.chain.send(self.world.token(symbol).functions.approve(self.address, amount), who)
            return self._send(self.comet.functions.supply(self._token(symbol), amount), who)

    def borrow(self, owner: str, amount: int) -> TxReceipt:
        with self.world.acting_as(owner):
            return self._send(self.comet.functions.withdraw(self._token(self.base), amount), owner)

    def allow(self, owner: str, manager: str, is_allowed: bool = True) -> TxReceipt:
        """All of the account, or nothing."""
        with self.world.acting_as(owner):
            return self._send(self.comet.functions.allow(manager, is_allowed), owner)

    def absorb(self, owner: str) -> TxReceipt:
        """A liquidation: everything goes."""
        who = self.world.role("liquidator")
        return self._send(self.comet.functions.absorb(who, [owner]), who)

    def pause(self, supply: bool = False, withdraw: bool = False) -> None:
        self._send(self.comet.functions.pause(supply, False, withdraw, False, False), self.desk.admin)

    def account(self, owner: str) -> Account:
        """By its own views; the two judges use the index of the last accrual."""
        f = self.comet.functions
        held = {s: f.collateralBalanceOf(owner, self._token(s)).call() for s in self.collaterals}
        judged = f.isLiquidatable(owner).call(), f.isBorrowCollateralized(owner).call()
        return Account(f.borrowBalanceOf(owner).call(), {s: n for s, n in held.items() if n}, *judged)

    def health(self, owner: str, *, by_borrow_limit: bool = False) -> Decimal:
        """What collateral carries over what is owed, by the market's own prices and factors."""
        found, f = self.account(owner), self.comet.functions
        place, carried = 4 if by_borrow_limit else 5, 0
        for symbol, amount in found.collateral.items():
            info = f.getAssetInfoByAddress(self._token(symbol)).call()
            carried += amount * f.getPrice(info[2]).call() // info[3] * info[place] // WAD
        scale: int = f.baseScale().call()
        owed = found.debt * f.getPrice(f.baseTokenPriceFeed().call()).call() // scale
        return Decimal(carried) / Decimal(owed) if owed else Decimal("Infinity")

    def table(self, name: str = "compound") -> str:
        """The table of the keeper's network file."""
        money = f'money = "{self._token(self.money)}"\n' if self.money else ""
        return f'\n[markets.{name}]\nvenue = "compound_v3"\ncomet = "{self.address}"\n{money}'

    def _send(self, call: Any, who: str) -> TxReceipt:
        return self.world.chain.send(call, who, GAS)
