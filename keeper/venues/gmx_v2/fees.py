"""What GMX v2's keepers are paid in advance for executing an order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from keeper.core.perp.position import OrderKind
from keeper.core.units import Wei
from keeper.venues.gmx_v2 import keys
from keeper.venues.gmx_v2.formulas import apply_factor
from keeper.venues.gmx_v2.markets import DATA, GmxDeployment
from keeper.venues.ports import Answer, Probe

_ORACLE_PRICES = 3
INCREASES = (OrderKind.MARKET_INCREASE, OrderKind.LIMIT_INCREASE, OrderKind.STOP_INCREASE)


@dataclass(frozen=True, slots=True)
class FeeTerms:
    """What an execution is estimated to need, in gas, as the DataStore has it at a block."""

    base: int
    per_price: int
    multiplier: int
    increase: int
    decrease: int
    swap: int

    def gas(self, kind: OrderKind, swaps: int = 0, callback_gas: int = 0) -> int:
        """Return the gas an order must pay for in advance; ``swaps`` counts the steps of its path and a profit swap."""
        own = self.increase if kind in INCREASES else self.decrease
        estimate = own + self.swap * swaps + callback_gas
        prices = self.per_price * (_ORACLE_PRICES + swaps)
        return self.base + prices + apply_factor(estimate, self.multiplier)

    def fee(self, kind: OrderKind, gas_price: Wei) -> Wei:
        """Return the execution fee at a gas price: take ``maxFeePerGas``, which the price paid never exceeds.

        What the keeper does not use comes back with the execution.
        """
        return Wei(self.gas(kind) * gas_price)


_FEE_KEYS = (
    "ESTIMATED_GAS_FEE_BASE_AMOUNT_V2_1",
    "ESTIMATED_GAS_FEE_PER_ORACLE_PRICE",
    "ESTIMATED_GAS_FEE_MULTIPLIER_FACTOR",
    "INCREASE_ORDER_GAS_LIMIT",
    "DECREASE_ORDER_GAS_LIMIT",
    "SINGLE_SWAP_GAS_LIMIT",
)


def fee_probe(deployment: GmxDeployment) -> Probe[FeeTerms]:
    """Return the probe of the fee terms. Read them anew each time: on Arbitrum a keeper of the exchange moves them."""
    reads = tuple(DATA.getUint.read(deployment.data_store, keys.key(name)) for name in _FEE_KEYS)

    def decode(answers: Sequence[Answer]) -> FeeTerms:
        return FeeTerms(*(DATA.getUint.decode(a)[0] for a in answers))

    return Probe(reads, decode)
