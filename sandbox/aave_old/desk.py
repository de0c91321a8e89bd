"""An Aave v3.0 market in a world: the old revision's real contracts over the world's tokens and price sources.

old = OldAaveDesk(world)
old.open(owner, {"WETH": 10 * 10**18}, {"USDC": 13_000 * 10**6})
world.set_price("WETH", 1650); old.liquidate("WETH", "USDC", owner)
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from web3 import Web3
from web3.contract import Contract
from web3.types import TxReceipt

from sandbox.aave_old.extract import LOGIC
from sandbox.aave_old.install import artifact
from sandbox.spec import DEFAULT, Reserve, WorldSpec
from sandbox.world import World

ZERO, RAY, BPS = "0x" + "00" * 20, 10**27, 10_000
GAS = 12_000_000
ROLES = ("PoolAdmin", "EmergencyAdmin", "RiskAdmin", "AssetListingAdmin")
LISTED_AT_ONCE = 4
"""Reserves that fit into one transaction's gas."""
VARIABLE = 2


class OldAaveDesk:
    """The market, and accounts opened and liquidated in it."""

    def __init__(self, world: World, spec: WorldSpec = DEFAULT, depth_usd: int = 10_000_000) -> None:
        self.world, self.chain, self.admin = world, world.chain, world.role("admin")
        self.tokens, self.sources = dict(world.addresses["tokens"]), world.addresses["sources"]
        self._deploy_core()
        self._list([r for r in spec.reserves if r.threshold or r.borrowable])
        for reserve in self.reserves.values():
            self._supply(reserve, depth_usd)

    # --- what tests do with it ---

    def table(self, key: str = "old") -> str:
        """The table of the keeper's network file: one more market, found by its provider's address."""
        return f'\n[markets.{key}]\nvenue = "aave_v3"\npool_addresses_provider = "{self.provider.address}"\n'

    def open(self, owner: str, collateral: Mapping[str, int], debt: Mapping[str, int], e_mode: int = 0) -> None:
        """Supply and borrow, all real calls of the owner; what was borrowed leaves the wallet."""
        pool = self.pool.functions
        for symbol, amount in collateral.items():
            self._have(symbol, owner, amount)
            with self.world.acting_as(owner):
                self.chain.send(pool.supply(self.tokens[symbol], amount, owner, 0), owner, 2_000_000)
        with self.world.acting_as(owner):
            if e_mode:
                self.chain.send(pool.setUserEMode(e_mode), owner, 2_000_000)
            for symbol, amount in debt.items():
                self.chain.send(pool.borrow(self.tokens[symbol], amount, VARIABLE, 0, owner), owner, 2_000_000)
                away = self.world.token(symbol).functions.transfer(self.world.role("lp"), amount)
                self.chain.send(away, owner)

    def lend_at_stable_rate(self, symbol: str) -> None:
        """From now on, to whoever asks for it."""
        self.chain.send(self.conf.functions.setReserveStableRateBorrowing(self.tokens[symbol], True), self.admin, GAS)

    def borrow(self, owner: str, symbol: str, amount: int, rate: int = VARIABLE) -> None:
        """More, at a kind of rate (1 is the stable one); it leaves the wallet."""
        with self.world.acting_as(owner):
            call = self.pool.functions.borrow(self.tokens[symbol], amount, rate, 0, owner)
            self.chain.send(call, owner, 2_000_000)
            self.chain.send(self.world.token(symbol).functions.transfer(self.world.role("lp"), amount), owner)

    def account(self, owner: str) -> tuple[int, ...]:
        """The protocol's own figures: collateral, debt, available, threshold, LTV, health."""
        return tuple(self.pool.functions.getUserAccountData(owner).call())

    def health(self, owner: str) -> Decimal:
        """Of ``account``."""
        return Decimal(self.account(owner)[5]).scaleb(-18)

    def liquidate(self, collateral: str, debt: str, owner: str) -> TxReceipt:
        """As much as the close factor lets a liquidator pay."""
        who = self.world.role("liquidator")
        self._have(debt, who, 10 ** (self.reserves[debt].decimals + 6))
        call = self.pool.functions.liquidationCall(self.tokens[collateral], self.tokens[debt], owner, 2**256 - 1, False)
        return self.chain.send(call, who, 3_000_000)

    def add_e_mode(
        self, number: int, symbols: tuple[str, ...], ltv: int, threshold: int, bonus: int, source: str = ZERO
    ) -> None:
        """A category, whose assets all have one price where it names a ``source`` of it."""
        set_up = self.conf.functions
        if source != ZERO:
            self.chain.send(self.oracle.functions.setAssetSources([source], [source]), self.admin)
        self.chain.send(set_up.setEModeCategory(number, ltv, threshold, bonus, source, "kin"), self.admin, GAS)
        for symbol in symbols:
            self.chain.send(set_up.setAssetEModeCategory(self.tokens[symbol], number), self.admin, GAS)

    # --- building it ---

    def _deploy_core(self) -> None:
        admin, send = self.admin, lambda call: self.chain.send(call, self.admin, GAS)
        self.provider = self._deploy("PoolAddressesProvider", "Old", admin)
        provider = self.provider.functions
        send(provider.setACLAdmin(admin))
        acl = self._deploy("ACLManager", self.provider.address)
        send(provider.setACLManager(acl.address))
        for role in ROLES:
            send(acl.functions["add" + role](admin))
        symbols = list(self.tokens)
        listed = [self.tokens[s] for s in symbols], [self.sources[s] for s in symbols]
        self.oracle = self._deploy("AaveOracle", self.provider.address, *listed, ZERO, ZERO, 10**8)
        send(provider.setPriceOracle(self.oracle.address))
        libraries = {f"{n}Logic": self._deploy(f"{n}Logic").address for n in LOGIC if n != "FlashLoan"}
        libraries["FlashLoanLogic"] = self._deploy("FlashLoanLogic", libraries=libraries).address
        send(provider.setPoolImpl(self._deploy("Pool", self.provider.address, libraries=libraries).address))
        self.pool = self._at("Pool", provider.getPool().call())
        send(provider.setPoolConfiguratorImpl(self._deploy("PoolConfigurator", libraries=libraries).address))
        self.conf = self._at("PoolConfigurator", provider.getPoolConfigurator().call())
        data = self._deploy("AaveProtocolDataProvider", self.provider.address)
        send(provider.setPoolDataProvider(data.address))

    def _list(self, reserves: list[Reserve]) -> None:
        self.reserves = {r.symbol: r for r in reserves}
        pool = self.pool.address
        tokens = [self._deploy(name, pool).address for name in ("AToken", "StableDebtToken", "VariableDebtToken")]
        rows = [self._row(r, tokens) for r in reserves]
        for i in range(0, len(rows), LISTED_AT_ONCE):
            self.chain.send(self.conf.functions.initReserves(rows[i : i + LISTED_AT_ONCE]), self.admin, 25_000_000)
        set_up = self.conf.functions
        for r in reserves:
            token = self.tokens[r.symbol]
            calls = [set_up.setReserveFactor(token, r.factor), set_up.setLiquidationProtocolFee(token, 1000)]
            if r.threshold:
                calls.append(set_up.configureReserveAsCollateral(token, r.ltv, r.threshold, r.bonus))
            if r.borrowable:
                calls.append(set_up.setReserveBorrowing(token, True))
            for call in calls:
                self.chain.send(call, self.admin, GAS)

    def _row(self, r: Reserve, tokens: list[str]) -> tuple[Any, ...]:
        optimal, base, slope, steep = (x * RAY // BPS for x in r.rate)
        rates = self._deploy(
            "DefaultReserveInterestRateStrategy",
            *(self.provider.address, optimal, base, slope, steep),
            *(0, 0, 0, 0, RAY // 5),
        )
        names = [f"{kind} {r.symbol}" for kind in ("Old", "o", "Old variable", "v", "Old stable", "s")]
        head = (*tokens, r.decimals, rates.address, self.tokens[r.symbol], self.admin, ZERO)
        return (*head, *names, b"")

    def _supply(self, reserve: Reserve, depth_usd: int) -> None:
        """The liquidity provider's."""
        if not reserve.borrowable:
            return
        lender, symbol = self.world.role("lp"), reserve.symbol
        amount = int(Decimal(depth_usd) / self.world.price(symbol) * 10**reserve.decimals)
        self._have(symbol, lender, amount)
        with self.world.acting_as(lender):
            call = self.pool.functions.supply(self.tokens[symbol], amount, lender, 0)
            self.chain.send(call, lender, 2_000_000)

    def _have(self, symbol: str, owner: str, amount: int) -> None:
        """Mint what is missing, and approve it."""
        if (missing := amount - self.world.balance(symbol, owner)) > 0:
            self.world.mint(symbol, owner, missing)
        with self.world.acting_as(owner):
            approve = self.world.token(symbol).functions.approve(self.pool.address, amount)
            self.chain.send(approve, owner)

    def _at(self, name: str, address: str) -> Contract:
        return self.chain.w3.eth.contract(address=Web3.to_checksum_address(address), abi=artifact(name)["abi"])

    def _deploy(self, name: str, *args: Any, libraries: Mapping[str, str] | None = None) -> Contract:
        built = artifact(name)
        code = _linked(built, libraries or {})
        made = self.chain.w3.eth.contract(abi=built["abi"], bytecode=code).constructor(*args)
        sent = made.transact({"from": Web3.to_checksum_address(self.admin), "gas": GAS})
        return self._at(name, str(self.chain.wait(sent.to_0x_hex(), f"deploying {name}")["contractAddress"]))


def _linked(built: dict[str, Any], libraries: Mapping[str, str]) -> str:
    code: str = built["bytecode"]
    for references in built["linkReferences"].values():
        for library, places in references.items():
            for place in places:
                at = 2 + 2 * place["start"]
                code = code[:at] + libraries[library][2:].lower() + code[at + 40 :]
    return code
