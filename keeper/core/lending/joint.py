"""Plans of one block: whose goes first, and what the earlier ones leave to the later."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from keeper.core.fee_budget import safe_health, stake
from keeper.core.lending.moves import Borrow, Redeem, Repay, Supply, Swap, Withdraw, borrowing
from keeper.core.lending.plan import Plan
from keeper.core.lending.rules import LendingIntent
from keeper.core.snapshot import Wallet
from keeper.core.units import BPS, Address, Amount, Bps, Wei

Pool = tuple[frozenset[Address], int, str]
"""A pool, by its two tokens and its fee."""


@dataclass(frozen=True, slots=True)
class Ahead:
    """A plan that was decided before at the same block: who signs it, and what its gas may cost."""

    signer: Address
    plan: Plan
    fees: Wei


def urgency(intent: LendingIntent) -> tuple[bool, int, int]:
    """Return by what plans of one block are ordered: the most that would be lost comes first, then the least health.

    What would be lost grows with the size of a position and with its nearness to liquidation; a boost risks nothing.
    """
    assessed, rule = intent.assessment, intent.rule
    lost = stake(assessed, safe_health(rule, assessed.figures), Bps(BPS)).expected_loss
    return rule.is_boost, -lost, assessed.figures.health_factor


def wallet_after(wallet: Wallet, ahead: Iterable[Ahead]) -> Wallet:
    """Return what a wallet has once plans that go before were carried out, from below: swaps may take all they may."""
    tokens, native = dict[Address, int](wallet.tokens), int(wallet.native)
    saved = dict[Address, int]((s.token, s.there) for s in wallet.savings)
    for one in ahead:
        if one.signer != wallet.address:
            continue
        native -= one.fees
        mine = dict(tokens)
        for step in one.plan.steps:
            move = step.move
            match move:
                case Withdraw(asset, amount) | Borrow(asset, amount):
                    mine[asset] = mine.get(asset, 0) + (amount or 0)
                case Supply(asset, amount) | Repay(asset, amount, _):
                    mine[asset] = mine.get(asset, 0) - amount
                case Swap(route, sold, bought):
                    mine[route.tokens[0]] = mine.get(route.tokens[0], 0) - sold
                    mine[route.tokens[-1]] = mine.get(route.tokens[-1], 0) + bought
                case _:
                    pass
        # what a plan brings in is not counted: it is there only if that plan went well
        for step in one.plan.steps:
            if isinstance(step.move, Redeem):
                saved[step.move.token] = max(0, saved.get(step.move.token, 0) - step.move.amount)
                mine[step.move.asset] = mine.get(step.move.asset, 0) + step.move.amount
        tokens = {asset: min(held, mine.get(asset, 0)) for asset, held in tokens.items()}
    left = {asset: Amount(max(0, held)) for asset, held in tokens.items()}
    savings = tuple(replace(s, there=Amount(saved[s.token])) for s in wallet.savings)
    return replace(wallet, tokens=left, savings=savings, native=Wei(max(0, native)))


def pools_of(plan: Plan) -> frozenset[Pool]:
    """Return the pools a plan trades in."""
    moves = [step.move for step in plan.steps]
    routes = [move.route for move in moves if isinstance(move, Swap)]
    routes += [part.route for loan in borrowing(moves) for part in loan.parts]
    return frozenset(
        (frozenset(pair), fee, route.exchange)
        for route in routes
        for *pair, fee in zip(route.tokens, route.tokens[1:], route.fees, strict=False)
    )
