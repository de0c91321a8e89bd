"""What came of a lending plan, as its owner reads it: what was done with which amounts, dollars before and after."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import assert_never

from keeper.core.lending import figures as lending
from keeper.core.lending.moves import (
    Approve,
    Borrow,
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
from keeper.core.notices import sentence
from keeper.core.reasons import Reason
from keeper.core.scales import percent, trimmed
from keeper.core.snapshot import AccountFigures, Holding
from keeper.core.units import Address, ratio_text, usd_text
from keeper.engine.notices import clipped, fired_text
from keeper.execution.outcome import Outcome

DONE = ("restored", "partial")
"""Ends of a plan after which what it meant to do was done."""
PAST = {
    "supply": "supplied",
    "withdraw": "withdrew",
    "borrow": "borrowed",
    "repay": "repaid",
    "repay from the supply": "repaid from the supply",
    "redeem from savings": "redeemed from savings",
    "count as collateral": "counts as collateral",
    "no longer count as collateral": "no longer counts as collateral",
    "sell": "sold",
}
Says = tuple[str, str]
"""Title and body."""


STOPPED = (Reason.PRICE_MOVED, Reason.POSITION_CHANGED, Reason.APPROVAL_MISSING, Reason.WORDS_USED, Reason.REVERTED)
"""Why a plan that helped stopped before its end: what it meant to move is not what it moved."""


def outcome_said(plan: Plan, outcome: Outcome) -> Says:
    """Return what came of a plan, as an alarm says it."""
    intent, rule = plan.intent, plan.intent.rule
    verdict = next((v for v in intent.assessment.verdicts if v.rule.name == rule.name and v.fired), None)
    fired = f"rule {rule.name}: {fired_text(verdict)}" if verdict else f"rule {rule.name}"
    change = f"health factor {ratio_text(plan.before.health_factor)} → " + (
        ratio_text(outcome.after.health_factor) if outcome.after else "unknown"
    )
    if outcome.kind == "partial" and outcome.after is None:
        title = f"{intent.position}: {outcome.reason.short} (rule {rule.name})"
        return title, sentence(fired, outcome.detail, outcome.reason.remedy, sent_text(outcome.hashes))
    title = title_of(intent.position, rule.name, outcome.kind, outcome.reason.short, change, is_boost=rule.is_boost)
    is_whole = outcome.kind in DONE and outcome.reason not in STOPPED
    lead = "" if is_whole or outcome.kind not in DONE else "in part done: "
    done = f"{lead}{listed(deeds(plan, is_done=is_whole), 'restored' if lead else outcome.kind)}"
    figures = _before_after(plan.before, outcome.after) if outcome.after else ""
    return title, sentence(fired, done, figures, cost_text(plan), *aftermath_said(outcome), sent_text(outcome.hashes))


def title_of(position: str, rule: str, kind: str, why: str, change: str, *, is_boost: bool = False) -> str:
    """Return the title of what came of a plan: help, part of it and failure each have theirs; a boost is no rescue."""
    match kind:
        case "restored":
            return f"{position}: rule {rule} {'added leverage' if is_boost else 'helped'}: {change}"
        case "partial":
            return f"{position}: rule {rule} {'added some leverage' if is_boost else 'helped in part'}: {change}"
        case "rehearsed":
            would = "would add leverage" if is_boost else "would help"
            return f"{position}: rule {rule} {would}: {change} (dry run, nothing was sent)"
        case "cancelled":
            return f"{position}: the plan of rule {rule} was called off: {why}"
        case _:
            return f"{position}: the plan of rule {rule} failed: {why}"


def listed(done: list[str], kind: str) -> str:
    """Return deeds in a row, with how far they came."""
    lead = "" if kind in DONE else "the plan: "
    return f"{lead}{', '.join(done)}" if done else ""


def aftermath_said(outcome: Outcome) -> tuple[str, ...]:
    """Return why a plan fell short, how the position stands, and what the owner can do."""
    distance = ""
    if outcome.after and outcome.after.debt_value:
        share = lending.liquidation_distance(outcome.after)
        distance = f"liquidation when all collateral falls by {percent(share)}" if share else "it can be liquidated now"
    if outcome.kind in ("restored", "rehearsed"):
        return (distance,)
    why = "" if outcome.kind == "partial" else f"why: {outcome.reason.short} ({clipped(outcome.detail)})"
    return why.replace(" ()", ""), distance, outcome.reason.remedy


def cost_text(plan: Plan) -> str:
    """Return what a plan was reckoned to cost."""
    cost = plan.cost
    return f"reckoned cost {usd_text(cost.gas + cost.trading)} (gas {usd_text(cost.gas)})"


def sent_text(hashes: tuple[str, ...]) -> str:
    """Return which transactions were mined."""
    if not hashes:
        return ""
    return f"transaction {hashes[0]}" if len(hashes) == 1 else f"{len(hashes)} transactions, the last {hashes[-1]}"


def deeds(plan: Plan, *, is_done: bool = True) -> list[str]:
    """Return what a plan does, each kind of move with each asset once, amounts with their symbols and dollars.

    What is taken out to be sold is said once, as sold.
    """
    reserves = {h.asset: h for h in plan.intent.assessment.position.holdings}
    moved = [found for move in one_by_one(plan.moves) for found in _moved(move)]
    sold = {asset for verb, asset, _, other, _ in moved if verb == "sell" and other}
    total = dict[tuple[str, Address, Address | None], list[int]]()
    for verb, asset, amount, other, bought in moved:
        if verb in ("withdraw", "borrow") and asset in sold:
            continue
        sums = total.setdefault((verb, asset, other), [0, 0])
        sums[0], sums[1] = sums[0] + amount, sums[1] + bought
    said = list[str]()
    for (verb, asset, other), (amount, bought) in total.items():
        got = f" for {amount_text(reserves[other], bought)}" if other else f" ({worth(reserves[asset], amount)})"
        word = PAST[verb] if is_done else verb
        what = f"{amount_text(reserves[asset], amount)}{got}" if amount else f"all {reserves[asset].symbol}"
        said.append(f"{word} {what}")
    return said


def amount_text(of: Holding, amount: int) -> str:
    """Return an amount with its symbol: ``2.5 WETH``."""
    places = 2 if amount >= 100 * of.unit else 6
    whole, _, part = trimmed(amount, of.decimals, most=places).partition(".")
    return f"{int(whole):,}.{part} {of.symbol}"


def worth(of: Holding, amount: int) -> str:
    """Return what an amount is worth in dollars."""
    return usd_text(of.usd_down(amount))


def _before_after(before: AccountFigures, after: AccountFigures) -> str:
    def change(name: str, of: Callable[[AccountFigures], int]) -> str:
        return f"{name} {usd_text(of(before))} → {usd_text(of(after))}"

    return f"{change('debt', lambda f: f.debt_value)}, {change('collateral', lambda f: f.collateral_value)}"


def _moved(  # noqa: C901, PLR0912 - one case for each move
    move: Move,
) -> Iterator[tuple[str, Address, int, Address | None, int]]:
    match move:
        case Approve():
            return
        case Supply(asset, amount):
            yield "supply", asset, amount, None, 0
        case Withdraw(asset, some):
            yield "withdraw", asset, some or 0, None, 0
        case Borrow(asset, amount):
            yield "borrow", asset, amount, None, 0
        case Repay(asset, amount, _):
            yield "repay", asset, amount, None, 0
        case RepayWithCollateral(asset, amount):
            yield "repay from the supply", asset, amount, None, 0
        case Redeem(asset, _, amount):
            yield "redeem from savings", asset, amount, None, 0
        case Pledge(asset):
            yield "count as collateral", asset, 0, None, 0
        case Unpledge(asset):
            yield "no longer count as collateral", asset, 0, None, 0
        case Swap(route, sold, bought):
            yield "sell", route.tokens[0], sold, route.tokens[-1], bought
        case Flash(route=route, sold=sold, bought=bought):
            yield "sell", route.tokens[0], sold, route.tokens[-1], bought
            yield "repay", route.tokens[-1], bought, None, 0
        case FlashBoost(route=route, sold=sold, bought=bought):
            yield "borrow", route.tokens[0], sold, None, 0
            yield "sell", route.tokens[0], sold, route.tokens[-1], bought
            yield "supply", route.tokens[-1], bought, None, 0
        case _:
            assert_never(move)
