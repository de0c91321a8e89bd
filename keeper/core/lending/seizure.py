"""What a liquidation takes, by the protocol's own close factor and bonus. Pure.

A liquidator pays back part of a debt and takes collateral worth that and the bonus. How large a part may be is the
protocol's rule: at Aave v3 half of a debt, and all of it where health fell to 0.95 or the collateral or the debt is
worth less than $2,000 (``LiquidationLogic``); in the Compound v2 family what its comptroller says; at Morpho Blue all.
Compound v3 takes all collateral over at once, each at a discount of its own, and credits what the debt leaves.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from keeper.core.lending import figures as lending
from keeper.core.lending.closing import WHOLE, CloseRule
from keeper.core.lending.figures import Loan
from keeper.core.lending.position import Holding
from keeper.core.units import BPS, INFINITE, WAD, Address, Amount, Usd, Wad, mul_div_down, mul_div_up

__all__ = ["WHOLE", "CloseRule", "Taken", "at_the_edge", "seized"]

EDGE = WAD // 1_000_000
"""A health so much below 1 is liquidated."""
ROUNDS = 64
"""Liquidations in a row that are counted: each halves a debt."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What liquidators paid back and took, in dollars, and the account after it."""

    repaid: Usd
    seized: Usd
    after: Loan
    count: int = 0
    forgiven: Usd = Usd(0)  # noqa: RUF009 - a number
    """Debt that was left without collateral: the protocol's loss, and no loss of the owner's."""

    @property
    def loss(self) -> Usd:
        """What it cost the owner."""
        return Usd(max(0, self.seized - self.repaid))


def seized(account: Loan, rule: CloseRule, most: int = ROUNDS) -> Taken:
    """Return what liquidators take at the account's prices, one after the other, until health is 1 again."""
    found = Taken(Usd(0), Usd(0), account)
    while found.count < most and lending.health_factor(found.after) < WAD:
        following = _one(found, rule)
        if following is None:
            break
        found = following
    return found


def at_the_edge(account: Loan) -> Loan:
    """Return an account with all its collateral fallen together to just below where liquidation begins."""
    health = lending.health_factor(account)
    if health < WAD or health >= INFINITE:
        return account
    prices = {h.asset: mul_div_down(h.price.answer, WAD - EDGE, health) for h in account.holdings if h.is_collateral}
    return lending.at_prices(account, prices)


def _one(before: Taken, rule: CloseRule) -> Taken | None:
    """Return what it comes to after one more: the largest debt is paid with the largest collateral."""
    if rule.discounts:
        return _absorbed(before, dict(rule.discounts))
    account = before.after
    pledged = max((h for h in account.holdings if h.is_collateral), key=lambda h: h.usd_down(h.supplied), default=None)
    owed = max(account.holdings, key=lambda h: h.usd_down(h.borrowed), default=None)
    if pledged is None or owed is None or not pledged.supplied or not owed.borrowed or not pledged.price.answer:
        return None
    share = rule.share(lending.health_factor(account), pledged.usd_down(pledged.supplied), owed.usd_up(owed.borrowed))
    paid = mul_div_up(owed.borrowed, share, BPS)
    taken = _worth(owed, pledged, paid, WAD + pledged.penalty)
    if taken > pledged.supplied:
        taken = pledged.supplied
        paid = min(paid, mul_div_up(_worth(pledged, owed, taken, WAD), WAD, WAD + pledged.penalty))
    if not paid and not taken:
        return None
    after = lending.after(lending.after(account, pledged.asset, supply=-taken), owed.asset, debt=-paid)
    dollars = Usd(before.repaid + owed.usd_down(paid)), Usd(before.seized + pledged.usd_up(taken))
    return _without_ruins(Taken(*dollars, after, before.count + 1, before.forgiven))


def _absorbed(before: Taken, discounts: Mapping[Address, Wad]) -> Taken | None:
    """Return what it comes to after the market took everything: what its credit leaves of the debt stays the owner's.

    It stays as a supply of what was owed, which secures nothing.
    """
    account = before.after
    owed = next((h for h in account.holdings if h.borrowed), None)
    taken = [h for h in account.holdings if h.is_collateral and h.supplied]
    if owed is None:
        return None
    debt, worth = owed.usd_up(owed.borrowed), sum(h.usd_down(h.supplied) for h in taken)
    lost = sum(mul_div_up(h.usd_down(h.supplied), discounts.get(h.asset, Wad(0)), WAD) for h in taken)
    seized, left = min(worth, debt + lost), max(0, worth - lost - debt)
    bare = tuple(h.with_balances(Amount(0), Amount(0)) if h in taken or h is owed else h for h in account.holdings)
    back = owed.with_balances(owed.amount_down(left) if owed.price.answer else Amount(0), Amount(0))
    after = replace(account, holdings=tuple(back if h.asset == owed.asset else h for h in bare))
    forgiven = Usd(before.forgiven + max(0, debt - worth))
    repaid, all_seized = Usd(before.repaid + min(debt, seized)), Usd(before.seized + seized)
    return Taken(repaid, all_seized, after, before.count + 1, forgiven)


def _without_ruins(taken: Taken) -> Taken:
    """Return it with debts forgiven where no collateral is left."""
    if any(h.supplied and h.is_collateral for h in taken.after.holdings):
        return taken
    left = sum(h.usd_up(h.borrowed) for h in taken.after.holdings)
    clean = tuple(replace(h, borrowed=Amount(0)) for h in taken.after.holdings)
    return replace(taken, after=replace(taken.after, holdings=clean), forgiven=Usd(taken.forgiven + left))


def _worth(of: Holding, in_: Holding, amount: int, share: int) -> int:
    """Return how much of an asset is worth a share of an amount of another, rounded down."""
    return mul_div_down(amount * of.price.answer * in_.unit, share, of.unit * in_.price.answer * WAD)
