"""What a plan for a loan that was made ready beforehand comes to on a fresh account, or why it may not go out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from keeper.core.armed.bounds import Bounds, OutOfBoundsError
from keeper.core.lending import figures as lending
from keeper.core.lending.moves import (
    Approve,
    Borrow,
    ByLoan,
    Flash,
    FlashBoost,
    Move,
    Pledge,
    Redeem,
    Repay,
    RepayWithCollateral,
    Supply,
    Swap,
    Unpledge,
    Withdraw,
    one_by_one,
)
from keeper.core.lending.plan import Plan
from keeper.core.lending.position import AccountFigures, Barred, Holding, LendingPosition
from keeper.core.lending.rules import LendingIntent
from keeper.core.snapshot import Wallet
from keeper.core.units import Address, Amount, Wad, ratio_text, usd_text

MOST_INTEREST = 1000
"""A balance may have grown by a thousandth since: more is not interest of a few blocks."""


def project(
    plan: Plan, bounds: Bounds[LendingPosition], now: LendingIntent, wallet: Wallet, floor: Wad
) -> AccountFigures:
    """Return the account's figures after a plan's moves on the fresh state. Raises OutOfBoundsError.

    Same rule, limits and target; same balances but for interest; every price within its bounds; every balance,
    allowance of the protocol and health floor on the way kept; the promise kept at the end.
    """
    position = now.assessment.position
    if now.rule != plan.intent.rule or now.target != plan.intent.target:
        raise OutOfBoundsError(f"rule {now.rule.name} is not the one it was armed for")
    moves = tuple(one_by_one(plan.moves))
    _check_trades(moves, now)
    _check_same(bounds.position, position)
    matters = {h.asset for h in position.held} | {asset for move in moves for asset in _assets(move)}
    for holding in position.holdings:
        if holding.asset not in matters:
            continue
        low, high = bounds.prices[holding.asset]
        if not low <= holding.price.answer <= high:
            price = usd_text(holding.price.answer)
            raise OutOfBoundsError(f"{holding.symbol} at {price} is beyond the rung")
    account, tokens = now.assessment.account, dict[Address, int](wallet.tokens)
    _check_saved(moves, wallet)
    rooms = {h.asset: h for h in position.holdings}
    for move in moves:
        account = _moved(account, tokens, move, rooms, floor)
    figures = lending.figures(account)
    if not plan.postcondition.is_met(figures, account.holdings):
        raise OutOfBoundsError(f"it would come to health factor {ratio_text(figures.health_factor)}")
    return figures


def _assets(move: Move) -> tuple[Address, ...]:
    return move.route.tokens if isinstance(move, Swap | ByLoan) else (move.asset,)


def _check_trades(moves: Sequence[Move], now: LendingIntent) -> None:
    """A price in doubt forbids trades, here as everywhere."""
    trades = [(m.route.tokens[0], m.route.tokens[-1]) for m in moves if isinstance(m, Swap | ByLoan)]
    doubt = next((d for sell, buy in trades if (d := now.assessment.doubt_of(sell, buy))), None)
    if doubt or (trades and not any(action.trades for action in now.actions)):
        raise OutOfBoundsError(doubt.detail if doubt else "it may not trade now")


def _check_same(armed: LendingPosition, now: LendingPosition) -> None:
    """The account is as it was armed, but for interest."""
    if armed.owner != now.owner or armed.model.mode != now.model.mode or len(armed.holdings) != len(now.holdings):
        raise OutOfBoundsError("the account is another one, or in another mode")
    for a, b in zip(armed.holdings, now.holdings, strict=True):
        if not a.principal.is_as(b.principal) or a.is_collateral != b.is_collateral or _terms(a) != _terms(b):
            raise OutOfBoundsError(f"{b.symbol} of the account is not what it was")
        for old, new in ((a.supplied, b.supplied), (a.borrowed, b.borrowed)):
            if not old <= new <= old + old // MOST_INTEREST + 1:
                raise OutOfBoundsError(f"the balance of {b.symbol} moved by more than interest")


def _terms(of: Holding) -> tuple[object, ...]:
    """Return what the market says of an asset beside amounts: source of prices, factors, which ways are open."""
    factors = (of.liquidation_factor, of.borrow_factor, of.holds_back)
    ways = (of.room.supply, of.room.withdraw, of.room.borrow, of.room.repay)
    are_open = tuple(way.reason if isinstance(way, Barred) else way > 0 for way in ways)
    return (of.asset, of.decimals, of.price.source, *factors, *are_open)


def _moved(  # noqa: C901, PLR0912 - one case for each move
    account: lending.Loan, tokens: dict[Address, int], move: Move, rooms: Mapping[Address, Holding], floor: Wad
) -> lending.Loan:
    """Return the account after one move, and take from and give to ``tokens`` what the wallet pays and receives."""
    match move:
        case Approve():
            return account
        case Redeem(asset, _, amount):
            tokens[asset] = tokens.get(asset, 0) + amount
            return account
        case Swap(route, sold, bought):
            _pay(tokens, route.tokens[0], sold)
            tokens[route.tokens[-1]] = tokens.get(route.tokens[-1], 0) + bought
            return account
        case Flash(route=route, sold=sold, bought=bought):
            return _repaid_by_loan(account, route.tokens[0], sold, route.tokens[-1], bought, rooms)
        case FlashBoost(route=route, sold=sold, bought=bought):
            return _boosted_by_loan(account, route.tokens[0], sold, route.tokens[-1], bought, rooms, floor)
        case Supply(asset, amount):
            _pay(tokens, asset, amount)
            _check_room(rooms[asset].room.supply, amount, f"supplied of {rooms[asset].symbol}")
            if not account.of(asset).supplied:
                account = lending.with_collateral(account, asset)
            return lending.after(account, asset, supply=amount)
        case Repay(asset, amount, is_all):
            _pay(tokens, asset, amount)
            owed = account.of(asset).borrowed
            if is_all and amount < owed:
                raise OutOfBoundsError(f"{owed} is owed, {amount} was to repay all")
            return lending.after(account, asset, debt=-min(amount, owed))
        case RepayWithCollateral(asset, amount):
            balance = account.of(asset)
            paid = min(amount, balance.borrowed)
            if paid > balance.supplied:
                raise OutOfBoundsError(f"{balance.supplied} is supplied, {paid} was to be repaid with it")
            return _above(lending.after(account, asset, supply=-paid, debt=-paid), floor)
        case Withdraw(asset, wanted):
            supplied = account.of(asset).supplied
            out = supplied if wanted is None else wanted
            if out > supplied:
                raise OutOfBoundsError(f"{out} is more than is supplied")
            _check_room(rooms[asset].room.withdraw, out, f"withdrawn of {rooms[asset].symbol}")
            tokens[asset] = tokens.get(asset, 0) + out
            return _above(lending.after(account, asset, supply=-out), floor)
        case Pledge(asset):
            return lending.with_collateral(account, asset)
        case Unpledge(asset):
            return _above(lending.without_collateral(account, asset), floor)
        case Borrow(asset, amount):
            _check_room(rooms[asset].room.borrow, amount, f"borrowed of {rooms[asset].symbol}")
            tokens[asset] = tokens.get(asset, 0) + amount
            return _above(lending.after(account, asset, debt=amount), floor)


def _check_saved(moves: Sequence[Move], wallet: Wallet) -> None:
    """What is to be redeemed can be redeemed now."""
    there = {one.token: one.there for one in wallet.savings}
    for move in moves:
        if isinstance(move, Redeem) and there.get(move.token, 0) < move.amount:
            raise OutOfBoundsError(
                f"{there.get(move.token, 0)} can be redeemed of {move.token}, {move.amount} was to be"
            )


def _repaid_by_loan(
    account: lending.Loan, sell: Address, sold: int, owed: Address, bought: int, rooms: Mapping[Address, Holding]
) -> lending.Loan:
    """Return the account after a flash move: only what it comes to in the end has to be let out by the market."""
    if sold > account.of(sell).supplied:
        raise OutOfBoundsError(f"{sold} is more than is supplied")
    _check_room(rooms[sell].room.withdraw, sold, f"withdrawn of {rooms[sell].symbol}")
    repaid = lending.after(account, owed, debt=-min(bought, account.of(owed).borrowed))
    left = lending.after(repaid, sell, supply=-sold)
    if not left.model.lets_out(lending.figures(left)):
        raise OutOfBoundsError("the market would not let the collateral out")
    return left


def _boosted_by_loan(
    account: lending.Loan,
    owed: Address,
    sold: int,
    buy: Address,
    bought: int,
    rooms: Mapping[Address, Holding],
    floor: Wad,
) -> lending.Loan:
    """Return the account after a boost of one call: collateral is in before the debt, health falls once."""
    _check_room(rooms[buy].room.supply, bought, f"supplied of {rooms[buy].symbol}")
    _check_room(rooms[owed].room.borrow, sold, f"borrowed of {rooms[owed].symbol}")
    more = account if account.of(buy).supplied else lending.with_collateral(account, buy)
    left = lending.after(lending.after(more, buy, supply=bought), owed, debt=sold)
    if not left.model.lets_out(lending.figures(left)):
        raise OutOfBoundsError("the market would not lend so much")
    return _above(left, floor)


def _pay(tokens: dict[Address, int], asset: Address, amount: int) -> None:
    left = tokens.get(asset, 0) - amount
    if left < 0:
        raise OutOfBoundsError(f"the wallet lacks {-left} of {asset}")
    tokens[asset] = left


def _check_room(room: Amount | Barred, amount: int, what: str) -> None:
    if isinstance(room, Barred) or amount > room:
        raise OutOfBoundsError(f"{amount} is more than can be {what}")


def _above(account: lending.Loan, floor: Wad) -> lending.Loan:
    health = lending.health_factor(account)
    if health < floor:
        raise OutOfBoundsError(f"on the way health would be {ratio_text(health)}, below the floor")
    return account
