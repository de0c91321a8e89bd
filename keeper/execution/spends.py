"""What effects spend, in their order: dollars that leave the wallet or are traded, and allowances that are used up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import assert_never

from keeper.core.grounds import Grounds
from keeper.core.units import UINT256_MAX, Address
from keeper.execution.bundles import summed
from keeper.venues.effects import (
    Approves,
    Borrows,
    Bundles,
    Cancels,
    Carries,
    Changes,
    Claims,
    Closes,
    Draws,
    Entrusts,
    GivesBack,
    Insists,
    Leaf,
    Lends,
    Lent,
    Offsets,
    Opens,
    Orders,
    Pays,
    Permits,
    Pledges,
    Pulls,
    Returns,
    Sells,
    Takes,
    Unpledges,
    UsesUp,
)


@dataclass(slots=True)
class Outlay:
    """What the effects of a plan allow, bring in and spend, so far."""

    grounds: Grounds
    owner: Address
    standing: dict[tuple[Address, Address], int] = field(default_factory=dict)
    """By asset and spender: what was allowed and nothing has taken yet."""
    credit: int = 0
    """Dollars that sales and loans brought in and nothing has used yet: what they pay for is one movement, not two."""
    lent: Counter[Address] = field(default_factory=Counter)
    """By asset: what was lent to the owner's wallet and has not gone back."""
    fees: Counter[Address] = field(default_factory=Counter)
    """By asset: the most that may go back beyond it."""
    entrusted: set[Address] = field(default_factory=set)
    """Who may act for all of the owner's account by now."""
    borrowed: Counter[Address] = field(default_factory=Counter)
    """By asset: what was borrowed in the owner's name."""
    given: Counter[tuple[Address, Address]] = field(default_factory=Counter)
    """By asset and lender: what went back and was not taken for it yet."""

    def spend(self, leaf: Leaf) -> int:  # noqa: C901, PLR0912 - one case for each effect
        """Return the dollars (base units) an effect moves. Raises ValueError for what is not the position's."""
        match leaf:
            case Approves(asset, spender, amount):
                self.standing[asset, spender] = amount
                return 0
            case Pays():
                return self._pay(leaf)
            case Sells(asset, most, bought, least, _, through, _, by):
                self._take(asset, through, most)
                if by is not None:
                    self._take(asset, by, most)
                self.credit += self.grounds.asset(bought).value_up(least)
                return self.grounds.asset(asset).value_up(most)
            case Bundles():
                return self._bundle(leaf)
            case Offsets(asset, amount):
                return self.grounds.asset(asset).value_up(amount)
            case Opens(market, _, size) | Closes(market, _, size) | Orders(market, _, size):
                held = self.grounds.held(market)
                return held.priced.value_up(abs(held.size) if size is None else size)
            case Lends() | GivesBack() | Returns():
                return self._lend(leaf)
            case Entrusts(agent, is_on):
                (self.entrusted.add if is_on else self.entrusted.discard)(agent)
                return 0
            case Draws():
                return 0  # what it pays for is counted
            case Borrows(asset, amount):
                self.borrowed[asset] += amount
                return 0
            case (
                Takes() | Pledges() | Unpledges() | Insists() | Changes() | Cancels() | Claims() | Carries() | UsesUp()
            ):
                return 0
            case _:
                assert_never(leaf)

    def _bundle(self, bundle: Bundles) -> int:
        """All of a bundle is one movement of money."""
        found = summed(bundle, self.owner)
        for flow in bundle.flows:
            if isinstance(flow, Permits):
                self.standing[flow.asset, flow.spender] = flow.amount
            elif isinstance(flow, Pulls):  # of all there is some of the approval is left: it has to be taken back
                self._take(flow.asset, flow.through, flow.amount or 0)
        apart = Outlay(self.grounds, self.owner)  # what was approved to an exchange is not what its own hand sells
        spent = sum(apart.spend(part) for part in found.leaves)
        self.borrowed.update(apart.borrowed)
        return spent

    def _lend(self, leaf: Lent) -> int:
        """A loan pays what is repaid with it, and a sale what goes back. Raises ValueError for what was not lent."""
        match leaf:
            case Lends(asset, amount, _, fee):
                self.lent[asset] += amount
                self.fees[asset] += fee
                self.credit += self.grounds.asset(asset).value_up(amount)
                return 0
            case GivesBack(asset, amount, lender):
                self.given[asset, lender] += amount
                if self.given[asset, lender] > self.lent[asset] + self.fees[asset]:
                    raise ValueError(f"gives {lender} more of {asset} than was lent")
                return self._beyond_credit(asset, amount)
            case Returns(asset, amount, lender):
                if self.given.pop((asset, lender), 0) != amount:
                    raise ValueError(f"{lender} takes {amount} of {asset} for a loan, and got another amount")
                paid = max(0, amount - self.lent[asset])
                self.lent[asset] -= amount - paid
                self.fees[asset] -= paid
                return 0
            case _:
                assert_never(leaf)

    def owing(self) -> str | None:
        """Return in words what of a loan has not gone back; None where all has."""
        owed = [f"{amount} of {asset} has not gone back" for asset, amount in self.lent.items() if amount]
        lost = [f"{amount} of {asset} went to {at} for nothing" for (asset, at), amount in self.given.items() if amount]
        return ", ".join((*owed, *lost)) or None

    def left_standing(self) -> Iterator[tuple[Address, Address, int]]:
        """Yield asset, spender and amount of every allowance that nothing takes."""
        yield from ((asset, spender, left) for (asset, spender), left in self.standing.items() if left)

    def _pay(self, payment: Pays) -> int:
        """All that is owed takes at most what was allowed for it; with no such allowance it is beyond any limit."""
        amount = payment.amount
        if amount is None:
            amount = self.standing.get((payment.asset, payment.through), UINT256_MAX)
        self._take(payment.asset, payment.through, amount)
        return self._beyond_credit(payment.asset, amount)

    def _beyond_credit(self, asset: Address, amount: int) -> int:
        paid = self.grounds.asset(asset).value_up(amount)
        credited = min(self.credit, paid)
        self.credit -= credited
        return paid - credited

    def _take(self, asset: Address, through: Address, amount: int) -> None:
        if (asset, through) in self.standing:
            self.standing[asset, through] = max(0, self.standing[asset, through] - amount)
