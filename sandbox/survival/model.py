"""A hosted service, as simple as can be: fixed thresholds, one sale a block, 0.25 % of what it swaps.

It sees a block, and its one transaction is in the next, after the liquidator. It sells at the pools' price there, pays
their fee and what its own size moves them; it loses its turn when the price is more than a percent below what it saw.
It is given the best of all else: no failed transaction costs it gas, no sale needs a round, and nobody else sells.
"""

from dataclasses import dataclass, field
from decimal import Decimal

SERVICE_FEE, POOL_FEE, MOST_SLIPPAGE = Decimal("0.0025"), Decimal("0.0005"), Decimal("0.01")
DEPTH_USD = Decimal(40_000_000)
"""Of the deepest pool, on each side, over the whole price range."""
GAS = 600_000
"""A flash loan, a swap, a repayment and a withdrawal."""
CLOSE_ALL_BELOW, SMALL_USD = Decimal("0.95"), Decimal(2000)


@dataclass
class Hosted:
    """One position kept by such a service. Dollars; `units` is collateral in whole tokens."""

    units: Decimal
    debt: Decimal
    threshold: Decimal
    bonus: Decimal
    trigger: Decimal
    target: Decimal
    liquidated: int = 0
    acted: int = 0
    cost: Decimal = Decimal(0)
    gas: Decimal = Decimal(0)
    """Of the cost."""
    _wants: tuple[Decimal, Decimal] | None = field(default=None)
    """Dollars to sell, and the oracle's price they were worked out at."""

    def block(self, price: Decimal, pool: Decimal, gas_usd: Decimal) -> None:
        """Live through one block: `price` is the oracle's, `pool` where pools stand, per unit of collateral."""
        self._liquidate(price)
        self._sell(price, pool, gas_usd)
        self._look(price)

    def health(self, price: Decimal) -> Decimal:
        return self.units * price * self.threshold / self.debt if self.debt > 1 else Decimal(99)

    def _liquidate(self, price: Decimal) -> None:
        """Half of the debt, or all of it where the position is small or far gone."""
        health = self.health(price)
        if health >= 1:
            return
        value = self.units * price
        is_all = health <= CLOSE_ALL_BELOW or min(value, self.debt) < SMALL_USD
        repaid = self.debt if is_all else self.debt / 2
        seized = min(value, repaid * (1 + self.bonus))
        repaid = min(repaid, seized / (1 + self.bonus))
        forgiven = self.debt - repaid if seized >= value else Decimal(0)
        self.units -= seized / price
        self.debt -= repaid + forgiven
        self.cost += seized - repaid - forgiven
        self.liquidated += 1
        self._wants = None

    def _sell(self, price: Decimal, pool: Decimal, gas_usd: Decimal) -> None:
        if self._wants is None:
            return
        (dollars, seen), self._wants = self._wants, None
        if pool < seen * (1 - MOST_SLIPPAGE) or self.debt <= 1:
            return
        sold = min(dollars / seen, self.units)
        got = sold * pool / (1 + dollars / DEPTH_USD) * (1 - POOL_FEE) * (1 - SERVICE_FEE)
        self.units -= sold
        self.debt -= min(got, self.debt)
        self.cost += sold * price - got + gas_usd
        self.gas += gas_usd
        self.acted += 1

    def _look(self, price: Decimal) -> None:
        """Sell so much that the target is met: (C - x) · T = target · (D - x · (1 - costs))."""
        if not 1 <= self.health(price) < self.trigger:
            return
        kept = 1 - SERVICE_FEE - POOL_FEE
        value = self.units * price
        wanted = (self.target * self.debt - self.threshold * value) / (self.target * kept - self.threshold)
        self._wants = (min(wanted, value), price)
