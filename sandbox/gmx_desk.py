"""The stand-in for GMX v2 in a world: what owners do by real calls, and what its keepers do, as knobs.

    w.gmx.open(owner, margin=2_000 * 10**6, size_usd=10_000, is_long=False)     # ordered and executed
    key = w.gmx.order(owner, 4, size_usd=10_000)                                # waits
    w.gmx.refuse(key, "InsufficientReserve", 1, 2); w.gmx.execute(key)          # cancelled
    w.gmx.liquidate(owner); w.gmx.deleverage(owner, 5_000)

Sizes are whole dollars, prices dollars, margin the collateral's smallest unit; USDC unless another is named.
"""

from collections.abc import Sequence
from decimal import Decimal
from functools import cached_property
from typing import Any

from eth_abi.abi import encode
from eth_utils.crypto import keccak
from web3 import Web3
from web3.contract import Contract
from web3.contract.contract import ContractFunction
from web3.exceptions import ContractCustomError, ContractLogicError
from web3.types import TxReceipt

from sandbox.artifacts import abi
from sandbox.errors import SandboxError
from sandbox.gmx import FLOAT, YEAR, key
from sandbox.node import Node
from sandbox.uniswap import MAX

INCREASE, DECREASE, TAKE_PROFIT, STOP_LOSS = 2, 4, 5, 6
NOBODY = "0x" + "00" * 20
GAS = 8_000_000
PRICE = 10**12  # of one wei of ETH, for each dollar of one ether
EXECUTION_GAS = 4_350_000


def error_bytes(name: str, *args: Any) -> bytes:
    """What a contract reverts with: the error's selector and its arguments."""
    entry = next(e for e in abi("GmxErrors") if e["type"] == "error" and e["name"] == name)
    kinds = [i["type"] for i in entry["inputs"]]
    return bytes(keccak(text=f"{name}({','.join(kinds)})")[:4] + encode(kinds, args))


class GmxDesk:
    """The one market. `node` is the world it is in."""

    def __init__(self, node: Node) -> None:
        if "gmx" not in node.addresses:
            raise SandboxError("this world has no GMX stand-in")
        self.node, self.chain = node, node.chain
        self.addresses: dict[str, str] = node.addresses["gmx"]
        self.market = self.addresses["market"]

    # ── owners ──

    def open(self, owner: str, margin: int, size_usd: int, *, is_long: bool = False, symbol: str = "USDC") -> str:
        """Mint the margin, order and execute at once; the order's key."""
        token = self.node.addresses["tokens"][symbol]
        contract = self.chain.at("TestnetERC20", token)
        self.chain.send(contract.functions["mint(address,uint256)"](owner, margin), self.node.role("admin"))
        with self.node.acting_as(owner):
            self.chain.send(contract.functions.approve(self.addresses["router"], margin), owner)
        made = self.order(owner, INCREASE, size_usd, is_long=is_long, symbol=symbol, margin=margin)
        self.execute(made)
        return made

    def order(
        self,
        owner: str,
        kind: int,
        size_usd: int | Decimal,
        *,
        is_long: bool = False,
        symbol: str = "USDC",
        margin: int = 0,
        trigger: Decimal | int = 0,
        acceptable: Decimal | int | None = None,
        auto_cancel: bool = False,
        path: Sequence[str] = (),
    ) -> str:
        """Leave an order; `kind` as GMX numbers them. Accepts any price unless one is given. Its key."""
        gas_price = int(self.chain.w3.eth.get_block("latest").get("baseFeePerGas", 0)) * 2 + 10**9
        fee = EXECUTION_GAS * gas_price
        token = self.node.addresses["tokens"][symbol]
        buys = is_long == (kind in (INCREASE, 3, 8))
        bound = (MAX if buys else 0) if acceptable is None else int(Decimal(acceptable) * PRICE)
        addresses = (owner, NOBODY, NOBODY, NOBODY, self.market, token, list(path))
        numbers = (int(size_usd * FLOAT), margin, int(trigger * PRICE), bound, fee, 0, 0, 0)
        params = (addresses, numbers, kind, 0, is_long, False, auto_cancel, b"\0" * 32, [])
        parts = [self.router.encode_abi("sendWnt", [self.addresses["order_vault"], fee])]
        if margin and kind in (INCREASE, 3, 8):
            parts.append(self.router.encode_abi("sendTokens", [token, self.addresses["order_vault"], margin]))
        parts.append(self.router.encode_abi("createOrder", [params]))
        with self.node.acting_as(owner):
            self.chain.send(self.router.functions.multicall(parts), owner, gas=GAS, value=fee)
        return self.orders()[-1]

    # ── keepers ──

    def execute(self, order: str) -> TxReceipt:
        """As the order keeper: filled, cancelled or frozen; RevertedError where nothing visible happens."""
        return self._send(self.handler.functions.executeOrder(order))

    def liquidate(self, owner: str, *, is_long: bool = False, symbol: str = "USDC") -> TxReceipt:
        """RevertedError when it may not be."""
        token = self.node.addresses["tokens"][symbol]
        return self._send(self.handler.functions.executeLiquidation(owner, token, is_long))

    def deleverage(self, owner: str, size_usd: int, *, is_long: bool = False, symbol: str = "USDC") -> TxReceipt:
        """Close a part of a position against its owner's will (ADL)."""
        token = self.node.addresses["tokens"][symbol]
        return self._send(self.handler.functions.executeAdl(owner, token, is_long, size_usd * FLOAT))

    def try_execute(self, order: str) -> TxReceipt | None:
        """The same, or None where a keeper's transaction would revert."""
        return self._try(self.handler.functions.executeOrder(order))

    def try_liquidate(self, owner: str, token: str, *, is_long: bool) -> TxReceipt | None:
        """Liquidate a position by its collateral token, None when it may not be."""
        return self._try(self.handler.functions.executeLiquidation(owner, token, is_long))

    def _try(self, call: ContractFunction) -> TxReceipt | None:
        try:
            call.call({"from": Web3.to_checksum_address(self.node.role("gmx_keeper")), "gas": GAS})
        except (ContractCustomError, ContractLogicError):
            return None
        return self._send(call)

    def refuse(self, order: str, error: str | None, *args: Any) -> None:
        """Let an order fail with an error, by name, when it is executed: cancelled or frozen. None takes it back."""
        reason = b"" if error is None else error_bytes(error, *args)
        self._send(self.handler.functions.refuse(order, reason))

    def set_funding(self, a_year: Decimal | str) -> None:
        """What longs pay a year of the larger side's size (negative: shorts), from now on."""
        self._send(self.house.functions.touch())
        rate = int(Decimal(a_year) * FLOAT) // YEAR
        self._send(self.store.functions.setInt(key("SAVED_FUNDING_FACTOR_PER_SECOND", self.market), rate))

    def set_uint(self, name: str, value: int, *args: Any) -> None:
        """Any figure of the data store; its market comes first where it has arguments."""
        self._send(self.store.functions.setUint(key(name, *args), value))

    # ── looking ──

    def orders(self, owner: str | None = None) -> list[str]:
        """Keys of the orders that wait or are frozen, the oldest first unless some were taken out."""
        found = key("ORDER_LIST") if owner is None else key("ACCOUNT_ORDER_LIST", owner)
        return self._list(found)

    def positions(self) -> list[str]:
        return self._list(key("POSITION_LIST"))

    def position(self, position: str) -> dict[str, Any]:
        """Account, collateral, side and figures of a position by its key."""
        (account, _, token), numbers, is_long = self.house.functions.position(position).call()
        size, tokens, collateral, *_ = numbers
        return {
            "account": account,
            "collateral_token": token,
            "is_long": is_long,
            "size_usd": size,
            "size_tokens": tokens,
            "collateral": collateral,
        }

    def order_of(self, order: str) -> Sequence[Any]:
        """Addresses, numbers, flags and data of an order, as the Reader tells them."""
        found: Sequence[Any] = self.handler.functions.order(order).call()
        return found

    def _list(self, name: bytes) -> list[str]:
        return ["0x" + found.hex() for found in self.store.functions.getBytes32ValuesAt(name, 0, 10_000).call()]

    def _send(self, call: ContractFunction) -> TxReceipt:
        return self.chain.send(call, self.node.role("gmx_keeper"), gas=GAS)

    @cached_property
    def store(self) -> Contract:
        return self.chain.at("GmxDataStore", self.addresses["data_store"])

    @cached_property
    def router(self) -> Contract:
        return self.chain.at("GmxExchangeRouter", self.addresses["exchange_router"])

    @cached_property
    def handler(self) -> Contract:
        return self.chain.at("GmxOrders", self.addresses["order_handler"])

    @cached_property
    def house(self) -> Contract:
        return self.chain.at("GmxPositions", self.addresses["positions"])
