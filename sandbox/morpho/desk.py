"""Morpho Blue in a world: deployed into it, markets over the world's feeds, accounts opened and liquidated in them.

morpho = MorphoDesk(world)
id_ = morpho.create("WETH", "USDC", lltv="0.86")
morpho.open(id_, owner, collateral=10 * 10**18, debt=13_000 * 10**6)
world.set_price("WETH", 1650); morpho.liquidate(id_, owner)
"""

from copy import copy
from decimal import Decimal
from typing import Any, NamedTuple, Self

from eth_abi.abi import encode
from web3 import Web3
from web3.contract import Contract
from web3.types import TxReceipt

from sandbox.morpho.install import artifact
from sandbox.world import World

WAD = 10**18
DEPTH_USD = 10_000_000
GAS = 3_000_000
PARAMS = ["address", "address", "address", "address", "uint256"]

Params = tuple[str, str, str, str, int]
"""Loan token, collateral token, oracle, rate model, LLTV."""


class Totals(NamedTuple):
    """A market's totals as the contract keeps them: at its last update."""

    supply: int
    supply_shares: int
    borrow: int
    borrow_shares: int
    updated: int
    fee: int


class MorphoDesk:
    """The contract, its rate model (a mock: a year's rate is the utilisation), and the markets made here."""

    def __init__(self, world: World) -> None:
        self.world, self.chain = world, world.chain
        self.admin = world.role("admin")
        self.blue = self._deploy("Morpho", self.admin)
        self.irm = self._deploy("IrmMock")
        self.oracles: dict[str, Contract] = {}
        self.markets: dict[str, Params] = {}
        self.symbols: dict[str, tuple[str, str]] = {}
        self.chain.send(self.blue.functions.enableIrm(self.irm.address), self.admin)

    def on(self, world: World) -> Self:
        """The same over another connection: each is for one thread."""
        eth, other = world.chain.w3.eth, copy(self)
        other.world, other.chain = world, world.chain
        other.blue = eth.contract(address=self.blue.address, abi=self.blue.abi)
        other.oracles = {i: eth.contract(address=o.address, abi=o.abi) for i, o in self.oracles.items()}
        return other

    def create(self, collateral: str, loan: str, lltv: str = "0.86", depth_usd: int = DEPTH_USD, fee: str = "0") -> str:
        """A market over the world's price sources, with loans to be had. Returns its id, 0x and 64 digits."""
        tokens, sources = self.world.addresses["tokens"], self.world.addresses["sources"]
        decimals = self.world.addresses["decimals"]
        oracle = self._deploy("FeedOracle", sources[collateral], sources[loan], decimals[collateral], decimals[loan])
        share = int(Decimal(lltv) * WAD)
        if not self.blue.functions.isLltvEnabled(share).call():
            self.chain.send(self.blue.functions.enableLltv(share), self.admin)
        params = tokens[loan], tokens[collateral], oracle.address, self.irm.address, share
        id_ = "0x" + Web3.keccak(encode(PARAMS, params)).hex().removeprefix("0x")
        self.chain.send(self.blue.functions.createMarket(params), self.admin)
        self.oracles[id_], self.markets[id_], self.symbols[id_] = oracle, params, (collateral, loan)
        if Decimal(fee):
            if self.blue.functions.feeRecipient().call() != self.admin:
                self.chain.send(self.blue.functions.setFeeRecipient(self.admin), self.admin)
            self.chain.send(self.blue.functions.setFee(params, int(Decimal(fee) * WAD)), self.admin)
        self.lend(id_, int(Decimal(depth_usd) / self.world.price(loan) * 10 ** decimals[loan]))
        return id_

    def lend(self, id_: str, amount: int) -> None:
        """The liquidity provider supplies loans."""
        lender, loan = self.world.role("lp"), self.symbols[id_][1]
        self._have(loan, lender, amount)
        self.chain.send(self.blue.functions.supply(self.markets[id_], amount, 0, lender, b""), lender, GAS)

    def open(self, id_: str, owner: str, collateral: int, debt: int) -> None:
        """Supply and borrow, all real calls of the owner; what was borrowed leaves the wallet."""
        params, (symbol, loan) = self.markets[id_], self.symbols[id_]
        self._have(symbol, owner, collateral)
        with self.world.acting_as(owner):
            self.chain.send(self.blue.functions.supplyCollateral(params, collateral, owner, b""), owner, GAS)
            if debt:
                self.chain.send(self.blue.functions.borrow(params, debt, 0, owner, owner), owner, GAS)
                away = self.world.token(loan).functions.transfer(self.world.role("lp"), debt)
                self.chain.send(away, owner)

    def borrow(self, id_: str, owner: str, debt: int) -> TxReceipt:
        """More, to the owner's wallet."""
        with self.world.acting_as(owner):
            return self.chain.send(self.blue.functions.borrow(self.markets[id_], debt, 0, owner, owner), owner, GAS)

    def liquidate(self, id_: str, owner: str, seized: int = 0, shares: int = 0) -> TxReceipt:
        """So much collateral is taken, or so many shares are repaid; without either, all the shares."""
        who, (_, loan) = self.world.role("liquidator"), self.symbols[id_]
        shares = shares if seized or shares else self.position(id_, owner)[1]
        self._have(loan, who, 2 * self.debt(id_, owner) + 10)
        call = self.blue.functions.liquidate(self.markets[id_], owner, seized, shares, b"")
        return self.chain.send(call, who, GAS)

    def repay(self, id_: str, owner: str, amount: int, payer: str) -> TxReceipt:
        """By anybody, for the owner."""
        self._have(self.symbols[id_][1], payer, amount)
        with self.world.acting_as(payer):
            return self.chain.send(self.blue.functions.repay(self.markets[id_], amount, 0, owner, b""), payer, GAS)

    def totals(self, id_: str) -> Totals:
        """As they are kept; ``accrued`` brings them to the newest block."""
        return Totals(*self.blue.functions.market(bytes.fromhex(id_[2:])).call())

    def accrued(self, id_: str) -> Totals:
        """Totals with the interest to the newest block, by the contract itself: accrued in a call that is not sent."""
        blue, multicall = self.blue, self.chain.at("Multicall3", self.world.addresses["multicall3"])
        key = bytes.fromhex(id_[2:])
        calls = [
            (blue.address, False, blue.encode_abi("accrueInterest", [self.markets[id_]])),
            (blue.address, False, blue.encode_abi("market", [key])),
        ]
        answer: bytes = multicall.functions.aggregate3(calls).call()[1][1]
        return Totals(*(int.from_bytes(answer[i * 32 : i * 32 + 32], "big") for i in range(6)))

    def position(self, id_: str, owner: str) -> tuple[int, int, int]:
        """Supply shares, borrow shares, collateral."""
        found: list[int] = self.blue.functions.position(bytes.fromhex(id_[2:]), owner).call()
        return found[0], found[1], found[2]

    def debt(self, id_: str, owner: str) -> int:
        """What is owed at the newest block, rounded up as the contract does."""
        totals, (_, shares, _) = self.accrued(id_), self.position(id_, owner)
        return -(-shares * (totals.borrow + 1) // (totals.borrow_shares + 10**6))

    def health(self, id_: str, owner: str) -> Decimal:
        """Most debt over debt: liquidation begins below one."""
        price: int = self.oracles[id_].functions.price().call()
        most = self.position(id_, owner)[2] * price // 10**36 * self.markets[id_][4] // WAD
        debt = self.debt(id_, owner)
        return Decimal(most) / Decimal(debt) if debt else Decimal("Infinity")

    def table(self, key: str = "morpho_blue") -> str:
        """The table of the keeper's network file."""
        return f'\n[{key}]\nmorpho = "{self.blue.address}"\n'

    def bundler(self) -> dict[str, str]:
        """A bundler whose lender is this Morpho: it acts here for whoever lets it, and at the world's Aave market."""
        bundler = self.chain.deploy("Bundler", sender=self.admin).address
        general = self._deploy("MorphoGeneralAdapter", bundler, self.blue.address).address
        pool = self.world.pool.address
        adapter = self.chain.deploy("BundlerAaveAdapter", bundler, pool, sender=self.admin).address
        return {"bundler": bundler, "general_adapter": general, "lender": self.blue.address, "adapter": adapter}

    def second_line(
        self,
        id_: str,
        pre_lltv: str = "0.80",
        share: tuple[str, str] = ("0.2", "0.5"),
        extra: tuple[str, str] = ("0.01", "0.04"),
    ) -> Contract:
        """A pre-liquidation contract: ``share`` of the debt, ``extra`` beyond it, where it begins and where it ends."""
        wad = lambda text: int(Decimal(text) * WAD)  # noqa: E731 - four numbers
        low, high = (WAD + wad(x) for x in extra)
        terms = wad(pre_lltv), wad(share[0]), wad(share[1]), low, high, self.oracles[id_].address
        return self._deploy("SecondLine", self.blue.address, bytes.fromhex(id_[2:]), terms)

    def factory_of(self, *lines: Contract) -> Contract:
        """What the factory of such contracts says of these, and of no other."""
        made = self._deploy("SecondLines")
        for line in lines:
            self.chain.send(made.functions.add(line.address), self.admin)
        return made

    def _have(self, symbol: str, owner: str, amount: int) -> None:
        """Mint what is missing, and approve it."""
        if (missing := amount - self.world.balance(symbol, owner)) > 0:
            self.world.mint(symbol, owner, missing)
        with self.world.acting_as(owner):
            self.chain.send(self.world.token(symbol).functions.approve(self.blue.address, amount), owner)

    def _deploy(self, name: str, *args: Any) -> Contract:
        abi, code = artifact(name)
        sent = (
            self.chain.w3.eth.contract(abi=abi, bytecode=code)
            .constructor(*args)
            .transact({"from": Web3.to_checksum_address(self.admin), "gas": 8_000_000})
        )
        receipt = self.chain.wait(sent.to_0x_hex(), f"deploying {name}")
        return self.chain.w3.eth.contract(address=receipt["contractAddress"], abi=abi)
