"""The perp exchange of a world: accounts are opened in it by real calls, its prices are read and moved by real trades.

    w.perp.open(owner, margin=2_000 * 10**6, size=-3 * 10**18)      # 2,000 USDC, short 3 ETH
    w.set_price("WETH", 2200); w.perp.align()
    w.perp.account_value(owner) < w.perp.requirement(owner)

Sizes are 10^-18 of the underlying, dollars 10^-18 of a dollar (Decimal prices: dollars), margin the collateral's unit.
"""

from collections.abc import Sequence
from decimal import Decimal
from functools import cached_property
from math import isqrt
from typing import Any

from web3.contract import Contract
from web3.logs import DISCARD
from web3.types import TxReceipt

from sandbox.errors import SandboxError
from sandbox.node import Node
from sandbox.perp import WHOLE, ZERO_CODE
from sandbox.uniswap import DEADLINE, Q192

TRADE_GAS = 6_000_000
ENOUGH = 10**27  # a trade with a price limit takes what it needs
STEPS = 200
MOST_STEP = (10_510, 10_000)  # of the square root price: a little less than 1000 ticks, what one block may move
FEE_UNIT = Decimal(10) ** 6


class PerpDesk:
    """One market of Perp v2, the first unless another is named. `node` is the world it is in."""

    def __init__(self, node: Node, underlying: str | None = None) -> None:
        if "perp" not in node.addresses:
            raise SandboxError("this world has no perp exchange: its spec names none")
        self.node, self.chain = node, node.chain
        self.addresses: dict[str, Any] = node.addresses["perp"]
        self.underlying = underlying or next(iter(self.addresses["markets"]))
        self.market: dict[str, Any] = self.addresses["markets"][self.underlying]
        self.base: str = self.market["base_token"]

    # ── accounts ──

    def open(self, owner: str, margin: int, size: int) -> None:
        """Mint and deposit the margin, then trade `size` (negative is short) at the market; all calls of `owner`."""
        self.deposit(owner, margin)
        if size:
            self.trade(owner, size)

    def deposit(self, owner: str, amount: int) -> TxReceipt:
        """The amount is minted first."""
        self.chain.send(self.token.functions["mint(address,uint256)"](owner, amount), self.node.role("admin"))
        with self.node.acting_as(owner):
            self.chain.send(self.token.functions.approve(self.vault.address, amount), owner)
            return self.chain.send(self.vault.functions.deposit(self.token.address, amount), owner)

    def withdraw(self, owner: str, amount: int) -> TxReceipt:
        with self.node.acting_as(owner):
            return self.chain.send(self.vault.functions.withdraw(self.token.address, amount), owner)

    def trade(self, owner: str, size: int) -> TxReceipt:
        """Exactly `size` of the underlying bought (positive) or sold, at any price."""
        return self._trade(owner, size < 0, size < 0, abs(size), 0)

    def close(self, owner: str) -> TxReceipt:
        with self.node.acting_as(owner):
            order = (self.base, 0, 0, DEADLINE, ZERO_CODE)
            return self.chain.send(self.house.functions.closePosition(order), owner, gas=TRADE_GAS)

    def liquidate(self, owner: str, liquidator: str | None = None) -> TxReceipt:
        call = self.house.functions["liquidate(address,address)"](owner, self.base)
        return self.chain.send(call, liquidator or self.node.role("perp_liquidator"), gas=TRADE_GAS)

    def size(self, owner: str) -> int:
        return int(self.balances.functions.getTakerPositionSize(owner, self.base).call())

    def account_value(self, owner: str) -> int:
        return int(self.house.functions.getAccountValue(owner).call())

    def requirement(self, owner: str) -> int:
        return int(self.balances.functions.getMarginRequirementForLiquidation(owner).call())

    def free_collateral(self, owner: str) -> int:
        return int(self.vault.functions.getFreeCollateral(owner).call())

    def margin_ratio(self, owner: str) -> Decimal:
        """Account value over the size at the mark price; huge without a position."""
        held = int(self.balances.functions.getTotalAbsPositionValue(owner).call())
        return Decimal(self.account_value(owner)) / held if held else Decimal("Infinity")

    def liquidatable(self, owners: Sequence[str]) -> list[str]:
        """Those worth less than they are required to be, all asked in one call."""
        calls = []
        for owner in owners:
            calls.append((self.house.address, False, self.house.encode_abi("getAccountValue", [owner])))
            needed = self.balances.encode_abi("getMarginRequirementForLiquidation", [owner])
            calls.append((self.balances.address, False, needed))
        multicall = self.chain.at("Multicall3", self.node.addresses["multicall3"])
        answers = [int.from_bytes(data, signed=True) for _, data in multicall.functions.aggregate3(calls).call()]
        pairs = zip(owners, answers[::2], answers[1::2], strict=True)
        return [owner for owner, value, needed in pairs if value < needed]

    def liquidated(self, receipt: TxReceipt) -> Decimal:
        """How much of the underlying a liquidation took over."""
        events = self.house.events.PositionLiquidated().process_receipt(receipt, errors=DISCARD)
        return Decimal(events[0]["args"]["positionSize"]) / WHOLE

    # ── prices, in dollars ──

    def market_price(self) -> Decimal:
        """What the next trade would be made at."""
        return Decimal(self._sqrt_price()) ** 2 / Q192

    def mark_price(self) -> Decimal:
        """What margin is reckoned at: between the market's averages and the index."""
        return Decimal(self.balances.functions.getMarkPrice(self.base).call()) / WHOLE

    def index_price(self) -> Decimal:
        token = self.chain.at("BaseToken", self.base)
        return Decimal(token.functions.getIndexPrice(0).call()) / WHOLE

    def align(self) -> None:
        """Trade the market to the index; as many blocks as its limits take."""
        self.set_market_price(self.index_price())

    def set_market_price(self, price: Decimal | int | str) -> None:
        """Trade as the arbitrageur until the market stands at a price."""
        limit = sqrt_of(Decimal(price))
        for _ in range(STEPS):
            if abs(self._sqrt_price() - limit) <= 1:
                return
            if not self.step_towards(limit):
                self.node.warp(15)  # the contract's limit for one move is counted anew
        raise SandboxError(f"the perp market does not get to {price} in {STEPS} trades")

    def step_towards(self, limit: int, trader: str | None = None) -> TxReceipt | None:
        """One trade as far towards a square root price as the contract lets at once; None when it lets none."""
        now, trader = self._sqrt_price(), trader or self.node.role("perp_arbitrageur")
        sells = limit < now
        far = now * MOST_STEP[0] // MOST_STEP[1], now * MOST_STEP[1] // MOST_STEP[0]
        limit = min(max(limit, far[1]), far[0])
        for part in (1, 2, 4, 8, 16):
            target = now + (limit - now) // part
            if self._would_go_through(trader, sells, target):
                return self._trade(trader, sells, True, ENOUGH, target)
        return None

    def profitable_limit(self) -> int | None:
        """The square root price an arbitrageur trades to: as near to the index as the fee lets pay; None to stay."""
        keep = 1 - self.market["fee"] / FEE_UNIT
        now, fair = self.market_price(), self.index_price()
        if now > fair / keep:
            return sqrt_of(fair / keep)
        return sqrt_of(fair * keep) if now < fair * keep else None

    # ── contracts ──

    @cached_property
    def house(self) -> Contract:
        return self.chain.at("ClearingHouse", self.addresses["clearing_house"])

    @cached_property
    def vault(self) -> Contract:
        return self.chain.at("Vault", self.addresses["vault"])

    @cached_property
    def balances(self) -> Contract:
        return self.chain.at("AccountBalance", self.addresses["account_balance"])

    @cached_property
    def token(self) -> Contract:
        return self.chain.at("TestnetERC20", self.node.addresses["tokens"][self.addresses["collateral"]])

    def _sqrt_price(self) -> int:
        return int(self.chain.at("UniswapV3Pool", self.market["pool"]).functions.slot0().call()[0])

    def _order(self, sells: bool, is_input: bool, amount: int, limit: int) -> Any:
        return self.house.functions.openPosition((self.base, sells, is_input, amount, 0, DEADLINE, limit, ZERO_CODE))

    def _would_go_through(self, trader: str, sells: bool, limit: int) -> bool:
        """Asked at the next block's time: what one move may be is counted from the last quarter of a minute."""
        data = self.house.encode_abi("openPosition", [(self.base, sells, True, ENOUGH, 0, DEADLINE, limit, ZERO_CODE)])
        call = {"from": trader, "to": self.house.address, "data": data}
        latest = self.node.w3.eth.get_block("latest")
        passed = latest["timestamp"] - self.node.w3.eth.get_block(latest["number"] - 1)["timestamp"]
        then = {"time": hex(latest["timestamp"] + passed)}
        try:
            self.chain.rpc("eth_call", call, "latest", {}, then)
        except SandboxError:
            return False
        return True

    def _trade(self, owner: str, sells: bool, is_input: bool, amount: int, limit: int) -> TxReceipt:
        with self.node.acting_as(owner):
            return self.chain.send(self._order(sells, is_input, amount, limit), owner, gas=TRADE_GAS)


def sqrt_of(price: Decimal) -> int:
    """The pool's square root price at so many dollars; both sides have 18 decimals."""
    numerator, denominator = price.as_integer_ratio()
    return isqrt(numerator * Q192 // denominator)
