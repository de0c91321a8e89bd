"""Help that trades nothing: collateral top-up, repayment from the wallet, repayment with collateral."""

from __future__ import annotations

from collections.abc import Iterator

from keeper.core.actions import Action
from keeper.core.lending import figures as lending
from keeper.core.lending.figures import Loan
from keeper.core.lending.moves import MARKET, Approve, Move, Pledge, Repay, RepayWithCollateral, Supply
from keeper.core.lending.position import Barred, Holding
from keeper.core.lending.proposals import (
    Cost,
    LendingAction,
    Means,
    PlanTerms,
    Proposal,
    Rejected,
    Step,
    affordable,
    capital_cost,
    drawn,
    end_floor,
    gas_cost,
    goal_of,
    paid,
    per_transaction,
    spent,
    supply_room,
    within,
    worth,
)
from keeper.core.lending.rules import LendingIntent
from keeper.core.reasons import Reason
from keeper.core.units import BPS, NATIVE, UINT256_MAX, Address, Amount, Usd, mul_div_up, usd_text

INTEREST_MARGIN = 1
"""Basis points added to a full repayment: what interest may add until it is mined. A market takes only what is owed."""


def top_ups(intent: LendingIntent, state: Means, terms: PlanTerms) -> Iterator[Proposal | Rejected]:
    """Yield one way per asset in the wallet that counts as collateral."""
    if intent.target.is_close:
        yield Rejected("top up", Reason.NOTHING_HELPS, "collateral does not close a debt")
        return
    candidates = [
        h for h in intent.assessment.position.holdings if h.asset in state.wallet.tokens or state.wallet.has(h.asset)
    ]
    for holding in candidates:
        label = f"top up {holding.symbol}"
        pledge = _pledge(state.account, holding, terms)
        if isinstance(holding.room.supply, Barred) and not pledge:
            yield Rejected(label, holding.room.supply.reason, holding.room.supply.detail)
            continue
        account = _as_collateral(state.account, holding)
        room = supply_room(holding, intent, state.account) if not pledge else holding.room.pledged or 0
        limit = min(affordable(state, holding, intent), room)
        if not limit:
            yield Rejected(label, *_why_nothing(state, holding, room))
            continue
        asset = holding.asset
        needed = lending.supply_to_reach(account, asset, goal_of(intent), limit)
        amount = limit if needed is None else max(1, needed)
        after = lending.after(account, asset, supply=amount)
        moves: tuple[Move, ...] = (*pledge, *_approved(asset, amount), Supply(asset, Amount(amount)))
        yield _funded(TOP_UP, label, moves, holding, after, intent, state, terms)


def repayments(intent: LendingIntent, state: Means, terms: PlanTerms) -> Iterator[Proposal | Rejected]:
    """Yield one way per debt payable from the wallet, and per debt payable with the same asset's supply."""
    debts = [h for h in intent.assessment.position.holdings if state.account.of(h.asset).borrowed]
    if not debts:
        yield Rejected("repay", Reason.NO_DEBT)
    for holding in debts:
        yield _repay(intent, holding, state, terms)
        if state.account.of(holding.asset).supplied:
            yield _repay_with_collateral(intent, holding, state, terms)


def same_asset_repayments(intent: LendingIntent, state: Means, terms: PlanTerms) -> Iterator[Proposal | Rejected]:
    """Yield, for a rule that may deleverage but not repay, what needs no swap: debts with supply of their own asset."""
    if REPAY in intent.actions:
        return
    for holding in intent.assessment.position.holdings:
        balance = state.account.of(holding.asset)
        if balance.borrowed and balance.supplied:
            yield _repay_with_collateral(intent, holding, state, terms)


def full_repayment(debt: int) -> Amount:
    """Return what to have ready to repay everything owed, interest until mining included."""
    return Amount(mul_div_up(debt, BPS + INTEREST_MARGIN, BPS) + 1)


def interest_owed(debt: int, amount: int, *, is_all: bool) -> int:
    """Return what is still owed of a debt repaid to the unit, where interest until mining cannot be paid as well."""
    return full_repayment(debt) - debt if amount == debt and not is_all else 0


def _repay(intent: LendingIntent, holding: Holding, state: Means, terms: PlanTerms) -> Proposal | Rejected:
    label = f"repay {holding.symbol}"
    if isinstance(holding.room.repay, Barred):
        return Rejected(label, holding.room.repay.reason, holding.room.repay.detail)
    asset, debt = holding.asset, state.account.of(holding.asset).borrowed
    limit = affordable(state, holding, intent)
    if not limit:
        return Rejected(label, *_why_nothing(state, holding, UINT256_MAX))
    needed = lending.repay_to_reach(state.account, asset, goal_of(intent), limit)
    amount = min(limit, debt) if needed is None else needed
    ready = full_repayment(debt)
    is_all = amount == debt and ready <= limit and asset != NATIVE  # by value nothing comes back of what is too much
    after = lending.after(state.account, asset, debt=interest_owed(debt, amount, is_all=is_all) - amount)
    moves: tuple[Move, ...]
    if is_all:
        moves = (
            Approve(asset, MARKET, ready),
            Repay(asset, ready, is_all=True),
            Approve(asset, MARKET, Amount(0)),
        )
    else:
        moves = (*_approved(asset, amount), Repay(asset, Amount(amount)))
    return _funded(REPAY, label, moves, holding, after, intent, state, terms)


def _repay_with_collateral(
    intent: LendingIntent, holding: Holding, state: Means, terms: PlanTerms
) -> Proposal | Rejected:
    label = f"repay {holding.symbol} with its own supply"
    if not terms.signer_is_owner:
        return Rejected(label, Reason.NOT_ALLOWED_FOR_GUARDIAN)
    if isinstance(holding.room.repay, Barred):
        return Rejected(label, holding.room.repay.reason, holding.room.repay.detail)
    asset, before = holding.asset, state.account.of(holding.asset)
    limit = within(min(state.left_usd, per_transaction(intent)), holding)
    if not limit:
        return Rejected(label, Reason.SPEND_LIMIT, "nothing left to spend")
    needed = lending.repay_with_collateral_to_reach(state.account, asset, goal_of(intent), limit)
    amount = min(limit, before.borrowed, before.supplied) if needed is None else needed
    ready = full_repayment(before.borrowed)
    is_all = amount == before.borrowed and ready <= min(limit, before.supplied)
    owed = interest_owed(before.borrowed, amount, is_all=is_all)
    after = lending.after(state.account, asset, supply=-amount, debt=owed - amount)
    if lending.health_factor(after) < end_floor(state.account, terms):
        return Rejected(label, Reason.FLOOR_TOO_NEAR, holding.symbol)
    move = RepayWithCollateral(asset, ready if is_all else Amount(amount))
    spend = worth(move.amount, holding)
    steps = (Step(move, spend, lending.health_factor(after)),)
    return Proposal(
        actions=(REPAY,),
        label=label,
        steps=steps,
        cost=Cost(gas_cost((move,), terms), Usd(0), Usd(0)),
        after=Means(after, state.wallet, spent(state, spend)),
        is_sufficient=goal_of(intent)(lending.figures(after)),
    )


def _funded(
    action: Action,
    label: str,
    moves: tuple[Move, ...],
    holding: Holding,
    after: Loan,
    intent: LendingIntent,
    state: Means,
    terms: PlanTerms,
) -> Proposal | Rejected:
    """Return a proposal paid from the wallet; the spend belongs to the move that is not an approval."""
    if not _improves(state.account, after):
        return Rejected(label, Reason.NOTHING_HELPS, "the amount is too small to matter")
    amount = next(m.amount for m in moves if isinstance(m, Supply | Repay))
    spend, before, then = worth(amount, holding), lending.health_factor(state.account), lending.health_factor(after)
    moves = (*drawn(state.wallet, holding.asset, amount), *moves)
    steps, reached = [], before
    for move in moves:
        is_payment = isinstance(move, Supply | Repay)
        reached = then if is_payment else reached
        steps.append(Step(move, spend if is_payment else Usd(0), reached))
    wallet, left = paid(state, holding.asset, amount, spend)
    return Proposal(
        actions=(action,),
        label=label,
        steps=tuple(steps),
        cost=Cost(gas_cost(moves, terms), Usd(0), capital_cost(spend, terms)),
        after=Means(after, wallet, left),
        is_sufficient=goal_of(intent)(lending.figures(after)),
    )


def _approved(asset: Address, amount: int) -> tuple[Approve, ...]:
    """Return the approval that a payment needs: none for the chain's own currency, which goes along with the call."""
    return () if asset == NATIVE else (Approve(asset, MARKET, Amount(amount)),)


def _pledge(account: Loan, holding: Holding, terms: PlanTerms) -> tuple[Pledge, ...]:
    """Return what the owner has to do first so that a supply counts; nothing where it does, or nothing would help."""
    is_open = holding.room.pledged and not account.of(holding.asset).is_collateral
    return (Pledge(holding.asset),) if is_open and terms.signer_is_owner else ()


def _improves(before: Loan, after: Loan) -> bool:
    """Return whether figures got better: health up, or debt down where health is infinite either way."""
    old, new = lending.figures(before), lending.figures(after)
    return new.health_factor > old.health_factor or new.debt_value < old.debt_value


def _as_collateral(account: Loan, holding: Holding) -> Loan:
    """Return the account with a first supply of the asset counting as collateral, as it does by itself."""
    return account if holding.is_collateral else lending.with_collateral(account, holding.asset)


def _why_nothing(state: Means, holding: Holding, room: int) -> tuple[Reason, str]:
    held = state.wallet.has(holding.asset)
    if not held:
        return Reason.WALLET_EMPTY, f"{holding.symbol} in {state.wallet.address}"
    if not room:
        return Reason.CAP_REACHED, holding.symbol
    return Reason.SPEND_LIMIT, f"{usd_text(min(state.left_usd, UINT256_MAX))} left"


TOP_UP = LendingAction(
    "top_up",
    "Supplies more collateral from the signer's wallet, or from its savings.",
    trades=False,
    by_anybody=True,
    closes=False,
    propose=top_ups,
)
REPAY = LendingAction(
    "repay",
    "Repays debt from the signer's wallet or savings, or, where the owner signs, with the supply of the same asset.",
    trades=False,
    by_anybody=True,
    propose=repayments,
)
