"""What rearranging a loan does to it, swap by swap: collateral given for collateral, debt taken on for debt."""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

from keeper.core.lending import figures as lending
from keeper.core.lending.actions.rescues import full_repayment, interest_owed
from keeper.core.lending.figures import Loan, Sale
from keeper.core.lending.moves import Borrow, Repay, Supply, Withdraw
from keeper.core.lending.pairs import Pair
from keeper.core.lending.position import Barred
from keeper.core.lending.proposals import PlanTerms, Step, between_floor, borrow_room, round_floor, withdraw_room
from keeper.core.lending.rules import LendingIntent
from keeper.core.lending.share_metrics import Amounts, owed, secured
from keeper.core.units import UINT256_MAX, Usd


class Swapping(Protocol):
    """What one swap does to a loan, by rounds: what leaves and what comes."""

    @property
    def key(self) -> str:
        """Return the key of the action."""

    @property
    def amount(self) -> Amounts:
        """Return what of a holding is rearranged."""

    def label(self, pair: Pair) -> str:
        """Return how it is called."""

    def barred(self, pair: Pair) -> Barred | None:
        """Return why the market lets nothing through."""

    def whole(self, account: Loan, pair: Pair) -> int:
        """Return the most that may be bought."""

    def free(self, account: Loan, pair: Pair, intent: LendingIntent, terms: PlanTerms) -> int:
        """Return how much may be given in the next round."""

    def after(self, account: Loan, pair: Pair, sale: Sale) -> Loan:
        """Return the account after one swap."""

    def steps(self, before: Loan, pair: Pair, sale: Sale, swap: Step) -> tuple[Step, Step, Step]:
        """Return the three steps of one round."""


class _OfCollateral:
    """Collateral is given, collateral is bought."""

    key = "swap_collateral"
    amount: Amounts = staticmethod(secured)

    def label(self, pair: Pair) -> str:
        return f"swap {pair.sell.symbol} for {pair.buy.symbol}"

    def barred(self, pair: Pair) -> Barred | None:
        out, into = pair.sell.room.withdraw, pair.buy.room.supply
        return out if isinstance(out, Barred) else into if isinstance(into, Barred) else None

    def whole(self, account: Loan, pair: Pair) -> int:
        return UINT256_MAX

    def free(self, account: Loan, pair: Pair, intent: LendingIntent, terms: PlanTerms) -> int:
        floor = between_floor(account, intent, terms) if terms.is_atomic else round_floor(account, terms)
        free = lending.withdrawable(account, pair.sell.asset, floor, lending.bearable(account, floor))
        return min(free, withdraw_room(pair.sell, intent, account))

    def after(self, account: Loan, pair: Pair, sale: Sale) -> Loan:
        out = lending.after(account, pair.sell.asset, supply=-min(sale.sold, account.of(pair.sell.asset).supplied))
        if not out.of(pair.buy.asset).supplied:
            out = lending.with_collateral(out, pair.buy.asset)
        return lending.after(out, pair.buy.asset, supply=sale.bought)

    def steps(self, before: Loan, pair: Pair, sale: Sale, swap: Step) -> tuple[Step, Step, Step]:
        low = lending.health_factor(lending.after(before, pair.sell.asset, supply=-sale.sold))
        high = lending.health_factor(self.after(before, pair, sale))
        return (
            Step(Withdraw(pair.sell.asset, sale.sold), Usd(0), low),
            replace(swap, health_after=low),
            Step(Supply(pair.buy.asset, sale.bought), Usd(0), high),
        )


class _OfDebt:
    """Debt is taken on, and what it buys repays another debt."""

    key = "swap_debt"
    amount: Amounts = staticmethod(owed)

    def label(self, pair: Pair) -> str:
        return f"borrow {pair.sell.symbol} to repay {pair.buy.symbol}"

    def barred(self, pair: Pair) -> Barred | None:
        on, off = pair.sell.room.borrow, pair.buy.room.repay
        return on if isinstance(on, Barred) else off if isinstance(off, Barred) else None

    def whole(self, account: Loan, pair: Pair) -> int:
        return full_repayment(account.of(pair.buy.asset).borrowed)

    def free(self, account: Loan, pair: Pair, intent: LendingIntent, terms: PlanTerms) -> int:
        by_ltv = lending.figures(account).available_borrows * 9999 // 10_000
        free = min(lending.amount_down(by_ltv, pair.sell), borrow_room(pair.sell, intent, account))
        floor = between_floor(account, intent, terms) if terms.is_atomic else round_floor(account, terms)
        asset = pair.sell.asset
        return lending.largest_debt(account, asset, floor, free)

    def after(self, account: Loan, pair: Pair, sale: Sale) -> Loan:
        out, debt = pair.buy.asset, account.of(pair.buy.asset).borrowed
        paid, is_all = min(sale.bought, debt), sale.bought >= full_repayment(debt)
        left = lending.after(account, out, debt=interest_owed(debt, paid, is_all=is_all) - paid)
        return lending.after(left, pair.sell.asset, debt=sale.sold)

    def steps(self, before: Loan, pair: Pair, sale: Sale, swap: Step) -> tuple[Step, Step, Step]:
        low = lending.health_factor(lending.after(before, pair.sell.asset, debt=sale.sold))
        high, debt = lending.health_factor(self.after(before, pair, sale)), before.of(pair.buy.asset).borrowed
        is_all = sale.bought >= full_repayment(debt)
        return (
            Step(Borrow(pair.sell.asset, sale.sold), Usd(0), low),
            replace(swap, health_after=low),
            Step(Repay(pair.buy.asset, sale.bought, is_all=is_all), Usd(0), high),
        )


COLLATERAL: Swapping = _OfCollateral()
DEBT: Swapping = _OfDebt()
