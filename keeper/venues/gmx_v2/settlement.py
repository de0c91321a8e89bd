"""What a GMX v2 decrease pays out, and what it leaves: profit, costs and collateral in the contract's own order. Pure.

Source, gmx-synthetics: ``DecreasePositionCollateralUtils.processCollateral`` and ``payForCost``. Gains come in the
token of the side (the long token for longs), costs go out of the collateral token: first from what is paid out, then
from the collateral, at last from gains in the other token. What then is still owed makes an order fail; a liquidation
or deleveraging goes through without it (InsolventClose).
"""

from __future__ import annotations

from dataclasses import dataclass

from keeper.venues.gmx_v2.formulas import TotalImpact

Range = tuple[int, int]
"""A token's lower and higher price."""


@dataclass(frozen=True, slots=True)
class Costs:
    """What a decrease takes, in collateral tokens: funding first, then all other fees together."""

    funding: int
    fees: int


@dataclass(frozen=True, slots=True)
class Settlement:
    """What comes of a decrease. Amounts in smallest units of the collateral token, ``other`` in the side's own token.

    ``claimable`` is the impact beyond the cap: taken now, to be claimed after a delay. ``unpaid`` is in dollars with
    the step at which nothing was left; zero and empty when everything was paid.
    """

    paid: int
    other: int
    collateral: int
    claimable: int
    unpaid: int
    step: str


class _Purse:
    """Where costs are taken from."""

    def __init__(self, collateral: int, price: Range, gain: int, gain_price: Range, *, same_token: bool) -> None:
        self.out = gain if same_token else 0
        self.other = 0 if same_token else gain
        self.collateral = collateral
        self._low, self._other_low = price[0], gain_price[0]

    def pay(self, dollars: int) -> tuple[int, int]:
        """Take a cost. Returns what was paid in collateral tokens, and the dollars that were not to be had."""
        owed = -(-dollars // self._low)
        from_out = min(owed, self.out)
        from_collateral = min(owed - from_out, self.collateral)
        self.out -= from_out
        self.collateral -= from_collateral
        paid, owed = from_out + from_collateral, owed - from_out - from_collateral
        if not owed:
            return paid, 0
        elsewhere = owed * self._low // self._other_low
        from_other = min(elsewhere, self.other)
        self.other -= from_other
        return paid, (elsewhere - from_other) * self._other_low


def settle(
    collateral: int,
    taken: int,
    profit: int,
    impact: TotalImpact,
    costs: Costs,
    price: Range,
    gain_price: Range,
    *,
    same_token: bool,
    is_whole: bool,
) -> Settlement:
    """Return the outcome of a decrease.

    ``taken`` is the collateral asked out, ``profit`` what is realized, ``price`` and ``gain_price`` those of the
    collateral and of the side's token, ``same_token`` whether these are one.
    """
    gain = max(0, profit) // gain_price[1] + max(0, impact.total) // gain_price[1]
    purse = _Purse(collateral, price, gain, gain_price, same_token=same_token)
    claimable = 0
    steps = (
        ("funding", costs.funding * price[0]),
        ("pnl", max(0, -profit)),
        ("fees", costs.fees * price[0]),
        ("impact", max(0, -impact.total)),
        ("diff", impact.diff),
    )
    for step, dollars in steps:
        paid, unpaid = purse.pay(dollars)
        claimable = paid if step == "diff" else claimable
        if unpaid:
            return Settlement(purse.out, purse.other, purse.collateral, claimable, unpaid, step)
    given = purse.collateral if is_whole else min(taken, purse.collateral)
    return Settlement(purse.out + given, purse.other, purse.collateral - given, claimable, 0, "")
