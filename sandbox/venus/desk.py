"""Venus in a world: its comptroller and tokens over the world's feeds, accounts opened and liquidated in them.

venus = VenusDesk(world, {"WETH": ("0.75", "0.80"), "USDC": ("0.80", "0.85")})
venus.open(owner, {"WETH": 10 * 10**18}, {"USDC": 13_000 * 10**6})
world.set_price("WETH", 1650); venus.liquidate(owner, "USDC", "WETH", 10**9)
"""

from decimal import Decimal
from typing import Any

from eth_utils.abi import function_abi_to_4byte_selector
from web3 import Web3
from web3.contract import Contract
from web3.logs import DISCARD
from web3.types import TxReceipt

from sandbox.venus.extract import FACETS
from sandbox.venus.install import artifact
from sandbox.world import World

WAD, MOST, GAS = 10**18, 2**256 - 1, 16_000_000
BLOCKS = 10_512_000
BASE, SLOPE, JUMP, KINK = 2 * 10**16, 10**17, WAD, 8 * 10**17
CLOSE, INCENTIVE, RESERVED = 5 * 10**17, 11 * 10**17, 10**17
DEPTH_USD = 10_000_000
NATIVE = "native"
Factors = tuple[str, str]
"""What may be borrowed against it, and what liquidates."""


class VenusDesk:
    """Unitroller (storage) → Diamond (dispatcher) → facets, and a token for each asset."""

    def __init__(self, world: World, listed: dict[str, Factors]) -> None:
        self.world, self.admin = world, world.role("admin")
        self.comptroller = self._comptroller()
        self.prices = self._deploy("VenusPrice")
        f = self.comptroller.functions
        access = self._deploy("AccessControlManagerMock", self.admin)
        self.access = access.address
        self._send(f._setAccessControl(self.access))
        self._send(f._setComptrollerLens(self._deploy("ComptrollerLens").address))
        self._send(f._setPriceOracle(self.prices.address))
        self._send(f.setDeviationBoundedOracle(self.prices.address))  # without it every borrow and redeem fails
        self._send(f._setCloseFactor(CLOSE))
        self.rates = self._deploy("JumpRateModel", BASE, SLOPE, JUMP, KINK, BLOCKS)
        self.tokens = {symbol: self._list(symbol, *factors) for symbol, factors in listed.items()}
        for symbol in listed:
            depth = int(Decimal(DEPTH_USD) / world.price(symbol) * 10 ** world.addresses["decimals"][symbol])
            self.supply(world.role("lp"), symbol, depth)

    def list_native(self, factor: str, threshold: str, price_of: str = "WETH") -> Contract:
        """The market of the chain's own currency, paid in and repaid by value; its price is that of what wraps it."""
        parts = (self.comptroller.address, self.rates.address, 2 * 10**26, "vETH", "vETH", 8, self.admin)
        token = self.tokens[NATIVE] = self._deploy("VBNB", *parts)
        self._support(token, self.world.addresses["sources"][price_of], 18, factor, threshold)
        self.supply(self.world.role("lp"), NATIVE, 5_000 * WAD)
        return token

    def open(self, owner: str, collateral: dict[str, int], debt: dict[str, int] | None = None) -> None:
        """Supply, enter and borrow, all real calls of the owner; what was borrowed leaves the wallet."""
        for symbol, amount in collateral.items():
            self.supply(owner, symbol, amount)
        with self.world.acting_as(owner):
            entered = [self.tokens[s].address for s in collateral]
            self._sure(self.comptroller.functions.enterMarkets(entered), owner)
            for symbol, amount in (debt or {}).items():
                self._sure(self.tokens[symbol].functions.borrow(amount), owner)
                if symbol == NATIVE:
                    continue
                away = self.world.token(symbol).functions.transfer(self.world.role("lp"), amount)
                self.world.chain.send(away, owner)

    def supply(self, who: str, symbol: str, amount: int) -> TxReceipt:
        if symbol == NATIVE:
            return self._by_value(self.tokens[symbol].functions.mint(), who, amount)
        self._have(symbol, who, amount)
        with self.world.acting_as(who):
            return self._sure(self.tokens[symbol].functions.mint(amount), who)

    def liquidate(self, owner: str, debt: str, collateral: str, amount: int) -> TxReceipt:
        who = self.world.role("liquidator")
        self._have(debt, who, amount)
        token = self.tokens[debt]
        return self._sure(token.functions.liquidateBorrow(owner, amount, self.tokens[collateral].address), who)

    def refuses(self, function: str, gas_price: int | None = None) -> str:
        """Governance puts a facet in place that answers a code where a function was: tokens then refuse by an event.

        Returns the hash of the transaction that does it, which is mined, or waits where nothing mines by itself.
        """
        facet = Web3.to_checksum_address("0x" + "fa" * 20)
        self.world.rpc("anvil_setCode", facet, "0x601160005260206000f3")  # returns 17, whatever it is asked
        of = self.world.w3.eth.contract(address=self.comptroller.address, abi=artifact("Diamond")[0])
        call = of.functions.diamondCut([(facet, 1, [Web3.keccak(text=function)[:4]])])
        asked: Any = {"from": Web3.to_checksum_address(self.admin), "gas": 1_000_000}
        if gas_price is not None:
            asked |= {"maxFeePerGas": gas_price, "maxPriorityFeePerGas": gas_price}
        return str(call.transact(asked).to_0x_hex())

    def touch(self) -> None:
        """Interest is written for every asset."""
        for token in self.tokens.values():
            self._send(token.functions.accrueInterest())

    def failures(self, receipt: TxReceipt) -> list[int]:
        """Error codes of refusals, which here are receipts with status 1."""
        return [
            event["args"]["error"]
            for token in self.tokens.values()
            for event in token.events.Failure().process_receipt(receipt, errors=DISCARD)
        ]

    def liquidity(self, owner: str) -> tuple[int, int]:
        """What is left and what is missing, in 10^-18 dollars, as of the last touch of each asset."""
        error, left, missing = self.comptroller.functions.getAccountLiquidity(owner).call()
        assert not error, error
        return left, missing

    def snapshot(self, owner: str, symbol: str) -> tuple[int, int, int]:
        """Tokens, debt, exchange rate, as of the last touch."""
        _, tokens, owed, exchange = self.tokens[symbol].functions.getAccountSnapshot(owner).call()
        return tokens, owed, exchange

    def health(self, owner: str) -> Decimal:
        """What supplies carry over what is owed, as of the last touch: by the comptroller's own sum and its debts."""
        left, missing = self.liquidity(owner)
        price = self.prices.functions.getUnderlyingPrice
        owed = sum(price(t.address).call() * self.snapshot(owner, s)[1] // WAD for s, t in self.tokens.items())
        return Decimal(owed + left - missing) / Decimal(owed) if owed else Decimal("Infinity")

    def table(self, name: str = "venus") -> str:
        """The table of the keeper's network file; a block of this world is twelve seconds."""
        at = self.comptroller.address
        return f'\n[markets.{name}]\nvenue = "compound_v2"\ncomptroller = "{at}"\nblocks_per_year = 2_628_000\n'

    def _comptroller(self) -> Contract:
        unitroller, diamond = self._deploy("Unitroller"), self._deploy("Diamond")
        self._send(unitroller.functions._setPendingImplementation(diamond.address))
        self._send(diamond.functions._become(unitroller.address))
        cuts, abi, seen = list[Any](), list[Any](), set[bytes]()
        for name in FACETS:
            own, _ = artifact(name)
            functions = [e for e in own if e["type"] == "function"]
            fresh = [e for e in functions if function_abi_to_4byte_selector(e) not in seen]  # type: ignore[arg-type]
            mine = {function_abi_to_4byte_selector(e) for e in fresh}  # type: ignore[arg-type]
            seen |= mine
            abi += fresh + [e for e in own if e["type"] != "function" and e not in abi]
            cuts.append((self._deploy(name).address, 0, sorted(mine)))
        eth = self.world.w3.eth
        self._send(eth.contract(address=unitroller.address, abi=diamond.abi).functions.diamondCut(cuts))
        return eth.contract(address=unitroller.address, abi=abi)

    def _list(self, symbol: str, factor: str, threshold: str) -> Contract:
        decimals = self.world.addresses["decimals"][symbol]
        asset, name, first = self.world.addresses["tokens"][symbol], f"v{symbol}", 2 * 10 ** (decimals + 8)
        parts = (asset, self.comptroller.address, self.rates.address, first, name, name, 8, self.admin)
        token = self._deploy("VBep20Immutable", *parts)
        self._support(token, self.world.addresses["sources"][symbol], decimals, factor, threshold)
        return token

    def _support(self, token: Contract, source: str, decimals: int, factor: str, threshold: str) -> None:
        f = self.comptroller.functions
        self._send(self.prices.functions.set(token.address, source, decimals))
        self._send(token.functions.setAccessControlManager(self.access))
        self._send(token.functions._setReserveFactor(RESERVED))
        self._send(token.functions.setReduceReservesBlockDelta(2**128))  # else accruing sends reserves to nobody
        self._send(f._supportMarket(token.address))
        self._send(f._setMarketSupplyCaps([token.address], [MOST]))
        self._send(f._setMarketBorrowCaps([token.address], [MOST]))
        self._send(f.setIsBorrowAllowed(0, token.address, True))
        shares = (int(Decimal(x) * WAD) for x in (factor, threshold))
        self._send(f["setCollateralFactor(address,uint256,uint256)"](token.address, *shares))
        self._send(f["setLiquidationIncentive(address,uint256)"](token.address, INCENTIVE))

    def _by_value(self, call: Any, who: str, amount: int) -> TxReceipt:
        """A call that pays the chain's own currency."""
        at = Web3.to_checksum_address(who)
        self.world.rpc("anvil_setBalance", at, hex(self.world.w3.eth.get_balance(at) + amount))
        with self.world.acting_as(who):
            sent = call.transact({"from": at, "value": amount, "gas": 3_000_000})
        receipt = self.world.chain.wait(sent.to_0x_hex(), "paying by value")
        assert receipt["status"] == 1, receipt
        assert not self.failures(receipt)
        return receipt

    def _sure(self, call: Any, who: str) -> TxReceipt:
        receipt = self.world.chain.send(call, who, GAS)
        failed = self.failures(receipt)
        assert not failed, failed
        return receipt

    def _send(self, call: Any) -> TxReceipt:
        return self.world.chain.send(call, self.admin, GAS)

    def _have(self, symbol: str, who: str, amount: int) -> None:
        if (missing := amount - self.world.balance(symbol, who)) > 0:
            self.world.mint(symbol, who, missing)
        with self.world.acting_as(who):
            self.world.chain.send(self.world.token(symbol).functions.approve(self.tokens[symbol].address, amount), who)

    def _deploy(self, name: str, *args: Any) -> Contract:
        abi, code = artifact(name)
        eth = self.world.w3.eth
        constructor = eth.contract(abi=abi, bytecode=code).constructor(*args)
        sent = constructor.transact({"from": Web3.to_checksum_address(self.admin), "gas": 12_000_000})
        receipt = self.world.chain.wait(sent.to_0x_hex(), f"deploying {name}")
        return eth.contract(address=receipt["contractAddress"], abi=abi)
