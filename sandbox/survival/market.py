"""One block of a crash: the feeds move, the liquidator acts first, pools follow, and only then whatever else is sent.

All of it is one block of the chain: anvil orders by offer, and nobody offers as much as the market itself.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from sandbox import prices
from sandbox.errors import SandboxError
from sandbox.seizures import seizures
from sandbox.uniswap import MAX
from sandbox.world import World

FEEDS_FIRST, POOLS_NEXT = 10**15, 10**14
"""Wei per gas: a million gwei, and a tenth of it."""
USUAL_TIP = 10**9
RICH = 10**25
GAS_OF_ALL, BLOCK_GAS, BLOCK_S = 120_000_000, 400_000_000, 12
CALM_BASE_FEE = 2 * 10**9
IN_REACH = 1.02
"""Health factor, at the coming prices, below which the liquidator tries: interest and rounding are its own business."""


@dataclass(frozen=True, slots=True)
class Borrower:
    """Whom a liquidator may try, and with which pairs of collateral and debt."""

    owner: str
    collateral: tuple[str, ...]
    debt: str


@dataclass(frozen=True, slots=True)
class Loss:
    """One liquidation: what it cost its owner, the protocol's share included, in dollars."""

    owner: str
    block: int
    dollars: Decimal


@dataclass
class Market:
    """Everybody else of the world, in lockstep: `step` makes one block."""

    world: World
    borrowers: Sequence[Borrower]
    seizures: list[Loss] = field(default_factory=list)

    def open(self) -> None:
        """From now on blocks come only by `step`; Multicall3 is the liquidator, and has what it may repay with."""
        world, payer = self.world, self.world.addresses["multicall3"]
        world.rpc("evm_setBlockGasLimit", hex(BLOCK_GAS))
        for role in ("feeds", "arbitrageur"):
            world.rpc("anvil_setBalance", world.role(role), hex(RICH))
        approvals = []
        for symbol in {b.debt for b in self.borrowers}:
            world.mint(symbol, payer, 10 ** (world.addresses["decimals"][symbol] + 9))
            token = world.token(symbol)
            approvals.append((token.address, False, token.encode_abi("approve", [world.pool.address, MAX])))
        multicall = world.chain.at("Multicall3", payer)
        world.chain.send(multicall.functions.aggregate3(approvals), world.role("feeds"))
        world.set_timestamp_interval(BLOCK_S)
        world.rpc("evm_setAutomine", False)

    def step(
        self, oracle: Mapping[str, Decimal], pools: Mapping[str, Decimal], healths: Mapping[str, float], base_fee: int
    ) -> int:
        """Make one block with these prices of feeds and pools; return its number.

        `healths` is what accounts would stand at by these prices, roughly.
        """
        world = self.world
        calls = prices.encode_prices(world.chain, world.addresses, oracle, None, True)
        tries = [b for b in self.borrowers if healths.get(b.owner, 0) < IN_REACH]
        calls += [self._liquidation(b, symbol) for b in tries for symbol in b.collateral]
        multicall = world.chain.at("Multicall3", world.addresses["multicall3"])
        first = self._submit(multicall.functions.aggregate3(calls), "feeds", GAS_OF_ALL, FEEDS_FIRST)
        self._move_pools(pools)
        world.rpc("anvil_setNextBlockBaseFeePerGas", hex(base_fee))
        world.rpc("evm_mine")
        receipt = world.w3.eth.get_transaction_receipt(first)  # type: ignore[arg-type]
        if receipt["status"] != 1:
            raise SandboxError(f"the market's block failed: {world.chain.revert_reason(first)}")
        number = int(receipt["blockNumber"])
        self._note(receipt, number, oracle)
        return number

    def _liquidation(self, borrower: Borrower, symbol: str) -> tuple[str, bool, bytes]:
        tokens, pool = self.world.addresses["tokens"], self.world.pool
        data = pool.encode_abi("liquidationCall", [tokens[symbol], tokens[borrower.debt], borrower.owner, MAX, False])
        return pool.address, True, bytes.fromhex(data.removeprefix("0x"))

    def _move_pools(self, wanted: Mapping[str, Decimal]) -> None:
        world, trader = self.world, self.world.role("arbitrageur")
        now = dict(wanted)
        swaps = []
        for pool in world.addresses["pools"]:
            if pool["token0"] in now and pool["token1"] in now:
                swap = prices.encode_swap(
                    world.chain, world.addresses, pool, now[pool["token0"]] / now[pool["token1"]], trader
                )
                swaps += [swap] if swap is not None else []
        if swaps:
            router = world.chain.at("SwapRouter02", world.addresses["uniswap"]["swap_router_02"])
            self._submit(router.functions["multicall(bytes[])"](swaps), "arbitrageur", 15_000_000, POOLS_NEXT)

    def _submit(self, call: Any, role: str, gas: int, offer: int) -> str:
        fees = {"maxFeePerGas": offer, "maxPriorityFeePerGas": USUAL_TIP}  # what others take for the usual tip
        return str(call.transact({"from": self.world.role(role), "gas": gas, **fees}).to_0x_hex())

    def _note(self, receipt: Any, number: int, oracle: Mapping[str, Decimal]) -> None:
        """Write down who was liquidated, and what that cost."""
        a = self.world.addresses
        symbols = {address: symbol for symbol, address in a["tokens"].items()}

        def worth(asset: str, amount: int) -> Decimal:
            symbol = symbols[asset]
            return Decimal(amount).scaleb(-a["decimals"][symbol]) * oracle[symbol]

        for one in seizures(self.world, receipt["logs"]):
            lost = worth(one.collateral, one.taken + one.protocol) - worth(one.debt, one.repaid + one.forgiven)
            self.seizures.append(Loss(one.owner, number, lost))
