"""One account on paper: its balances, its owner's wallet, and what calls do to them. Values; nothing is changed.

What a call does is what its decoder says it does (``venues.effects``), the same that the gate judges.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

from keeper.backtest.paper_calls import ROUTER
from keeper.backtest.paper_model import MODEL, PaperModel
from keeper.core.lending import figures as lending
from keeper.core.lending.figures import Loan
from keeper.core.lending.position import Holding, Principal
from keeper.core.units import Address, Amount
from keeper.venues.effects import Approves, Borrows, Leaf, Offsets, Pays, Sells, Takes, Unpledges


class PaperPools(Protocol):
    """Where assets are changed, fees and impact included."""

    def cost(self, sell: Address, buy: Address, bought: int) -> int:
        """Return how much must be given for so much."""

    def proceeds(self, sell: Address, buy: Address, sold: int) -> int:
        """Return how much comes of so much."""


class RevertError(Exception):
    """What a contract would say."""


@dataclass(frozen=True, slots=True)
class PaperStanding:
    """The account as it stands: ``holdings`` with what they were worth at ``at``, prices as they were last seen."""

    at: int
    holdings: tuple[Holding, ...]
    wallet: Mapping[Address, int] = field(default_factory=dict)
    native: int = 0
    allowed: Mapping[tuple[Address, Address], int] = field(default_factory=dict)
    model: PaperModel = MODEL

    @property
    def account(self) -> Loan:
        """What the arithmetic needs of it."""
        return Loan(self.holdings, self.model)

    @property
    def health(self) -> int:
        """The health factor, Wad."""
        return lending.health_factor(self.account)

    def later(self, at: int) -> PaperStanding:
        """Return it with the interest until a time."""
        seconds = at - self.at
        if seconds <= 0:
            return self
        return replace(self, at=at, holdings=tuple(self.model.accrued(h, seconds) for h in self.holdings))

    def priced(self, prices: Mapping[Address, int], updated: Mapping[Address, int]) -> PaperStanding:
        """Return it at other prices of the oracle."""
        changed = tuple(
            replace(h, price=replace(h.price, answer=prices[h.asset], updated_at=updated[h.asset]))
            for h in self.holdings
        )
        return replace(self, holdings=changed)

    def with_account(self, account: Loan) -> PaperStanding:
        """Return it with what liquidators left."""
        before = {h.asset: h for h in self.holdings}
        kept = (_moved(before[h.asset], h.supplied, h.borrowed) for h in account.holdings)
        return replace(self, holdings=tuple(kept))

    def of(self, asset: Address) -> Holding:
        """Return one of its holdings."""
        return next(h for h in self.holdings if h.asset == asset)

    def pays_gas(self, wei: int) -> PaperStanding:
        """Return it with gas paid for. Raises RevertError."""
        if wei > self.native:
            raise RevertError("insufficient funds for gas")
        return replace(self, native=self.native - wei)


def done(s: PaperStanding, effect: Leaf, pools: PaperPools) -> PaperStanding:
    """Return how it stands after an effect. Raises RevertError where the contract would revert."""
    match effect:
        case Approves(asset, spender, amount):
            return replace(s, allowed={**s.allowed, (asset, spender): amount})
        case Pays(asset, amount, _, through):
            return _paid(s, asset, amount, through)
        case Takes(asset, amount):
            held = s.of(asset)
            taken = held.supplied if amount is None else amount
            return safe(moved(offset(s, asset, -taken, 0), asset, taken))
        case Borrows(asset, amount):
            return safe(moved(offset(s, asset, 0, amount), asset, amount))
        case Offsets(asset, amount):
            paid = min(amount, s.of(asset).borrowed)
            return offset(s, asset, -paid, -paid)
        case Unpledges(asset):
            loose = (replace(h, is_collateral=False) if h.asset == asset else h for h in s.holdings)
            return safe(replace(s, holdings=tuple(loose)))
        case Sells(asset, most, bought, least):
            given = pools.cost(asset, bought, least)
            if given > most:
                raise RevertError("Too much requested")
            return moved(_taken(s, asset, given, ROUTER), bought, least)
        case _:
            raise RevertError(f"{type(effect).__name__} is nothing that this market does")


def _paid(s: PaperStanding, asset: Address, amount: int | None, through: Address) -> PaperStanding:
    held, has = s.of(asset), s.wallet.get(asset, 0)
    if held.borrowed:
        paid = min(held.borrowed, has if amount is None else amount)
        return offset(_taken(s, asset, paid, through), asset, 0, -paid)
    return offset(_taken(s, asset, amount or 0, through), asset, amount or 0, 0)


def offset(s: PaperStanding, asset: Address, supply: int, debt: int) -> PaperStanding:
    """Return it with other balances of an asset. Raises RevertError where one would fall below nothing."""
    held = s.of(asset)
    supplied, borrowed = held.supplied + supply, held.borrowed + debt
    if supplied < 0 or borrowed < 0:
        raise RevertError(f"not enough {held.symbol}")
    after = _moved(held, supplied, borrowed)
    return replace(s, holdings=tuple(after if h is held else h for h in s.holdings))


def _moved(held: Holding, supplied: int, borrowed: int) -> Holding:
    """Return a holding with other balances; the principal moves with them, and is nothing where they are."""
    supply = held.principal.supply + supplied - held.supplied if supplied else 0
    debt = held.principal.debt + borrowed - held.borrowed if borrowed else 0
    principal = Principal(max(supply, 1 if supplied else 0), max(debt, 1 if borrowed else 0))
    return replace(held, supplied=Amount(supplied), borrowed=Amount(borrowed), principal=principal)


def moved(s: PaperStanding, asset: Address, amount: int) -> PaperStanding:
    """Return it with so much more of an asset in the wallet."""
    return replace(s, wallet={**s.wallet, asset: s.wallet.get(asset, 0) + amount})


def _taken(s: PaperStanding, asset: Address, amount: int, through: Address) -> PaperStanding:
    has, allowed = s.wallet.get(asset, 0), s.allowed.get((asset, through), 0)
    if amount > has or amount > allowed:
        raise RevertError("transfer amount exceeds " + ("balance" if amount > has else "allowance"))
    left = {**s.allowed, (asset, through): allowed - amount}
    return replace(s, wallet={**s.wallet, asset: has - amount}, allowed=left)


def safe(s: PaperStanding) -> PaperStanding:
    """Return it where the market lets it stand. Raises RevertError."""
    if not s.model.lets_out(lending.figures(s.account)):
        raise RevertError("the market lets nothing out below that")
    return s
