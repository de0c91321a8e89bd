"""Which part of a loan's collateral, or of its debts, an asset is: what rules that rearrange a portfolio look at.

Without an asset the part is all that is no dollar coin: what moves, against what does not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from keeper.core import names
from keeper.core.lending.named import is_dollar, no_one_asset
from keeper.core.lending.position import Holding, LendingPosition
from keeper.core.metrics import Metric, Subject, Target, Trigger
from keeper.core.prices import Doubt
from keeper.core.reasons import Reason
from keeper.core.scales import Beyond, Range, Unit, percent
from keeper.core.trail import LookBack
from keeper.core.units import DAY_S, HOUR_S, WAD, Address, Amount, mul_div_up

BAND = 2 * WAD // 100
"""Two hundredths of the whole: nearer than that to its target a share is where it should be."""

Amounts = Callable[[Holding], Amount]


def secured(holding: Holding) -> Amount:
    """Return what of a holding secures debts."""
    return holding.supplied if holding.is_collateral else Amount(0)


def owed(holding: Holding) -> Amount:
    """Return what of a holding is owed."""
    return holding.borrowed


def part_of(holdings: Iterable[Holding], of: Subject) -> frozenset[Address]:
    """Return the assets that a share is of: what a name means; without one all that moves."""
    held = tuple(holdings)
    if of.symbol is None:
        return frozenset(h.asset for h in held if not is_dollar(h))
    return frozenset(h.asset for h in names.meant(of.symbol, held))


def share(holdings: Iterable[Holding], part: frozenset[Address], amount: Amounts) -> int | None:
    """Return a part's share of all, by value, Wad rounded up; None where there is nothing to share."""
    held = tuple(holdings)
    whole = sum(h.usd_down(amount(h)) for h in held)
    return mul_div_up(sum(h.usd_down(amount(h)) for h in held if h.asset in part), WAD, whole) if whole else None


def amounts_of(target: Target[LendingPosition]) -> Amounts | None:
    """Return what a target is a share of; None for a target of another kind."""
    return {"collateral_share": secured, "debt_share": owed}.get(target.metric.key)


def _share(amount: Amounts) -> Callable[[LendingPosition, LookBack, Subject], int | Doubt | None]:
    def measure(p: LendingPosition, _: LookBack, of: Subject) -> int | Doubt | None:
        part = part_of(p.holdings, of)
        if of.symbol is not None and len(part) != 1:
            return no_one_asset(of.symbol, p)
        if any(not h.price.answer for h in p.held if amount(h)):
            return Doubt(Reason.RULE_UNDECIDABLE, "an asset without a price has no share")
        return share(p.holdings, part, amount)

    return measure


def _at_share(_: LendingPosition | None, target: Target[LendingPosition]) -> int | None:
    return target.value if amounts_of(target) is not None else None


def _says(trigger: Trigger[LendingPosition], measured: str, bound: str) -> str:
    return (
        f"{trigger.of.symbol or 'what moves'} is {measured} of the {trigger.metric.words}, {trigger.side.value} {bound}"
    )


def _duration(seconds: int) -> str:
    for unit, word in ((DAY_S, "d"), (HOUR_S, "h"), (60, "m")):
        if seconds >= unit and not seconds % unit:
            return f"{seconds // unit}{word}"
    return f"{seconds}s"


COLLATERAL_SHARE: Metric[LendingPosition] = Metric(
    key="collateral_share",
    words="collateral share",
    summary="Which share of all collateral an asset is, by value, rounded up. As a target: both sides of it are wrong, "
    "and nearer than `band` is met. As a target without `asset` it is the share of all that is no dollar coin.",
    unit=Unit.SHARE,
    sides=(Beyond.ABOVE, Beyond.BELOW),
    measure=_share(secured),
    at_target=_at_share,
    risk=Beyond.OUTSIDE,
    valid=Range.SHARE,
    valid_target=Range.PART,
    named="asset",
    parts=("share", "asset"),
    actions=("swap_collateral",),
    why_only="leaves the shares as they are",
    says=_says,
    figure=percent,
    band=BAND,
)
DEBT_SHARE: Metric[LendingPosition] = replace(
    COLLATERAL_SHARE,
    key="debt_share",
    words="debt share",
    summary="Which share of all debts an asset is, by value, rounded up. As a target as `collateral_share` is.",
    measure=_share(owed),
    actions=("swap_debt",),
)
EVERY: Metric[LendingPosition] = Metric(
    key="every",
    words="schedule",
    summary="Acts at most once in this time: as soon as its target is not met, the first time at once.",
    unit=Unit.SECONDS,
    sides=(Beyond.UP_TO,),
    measure=lambda p, _, __: p.block.timestamp,
    at_target=None,
    valid=Range.POSITIVE,
    actions=("swap_collateral", "swap_debt"),
    why_only="waits for no time",
    says=lambda _, __, bound: f"once in {bound}",
    figure=_duration,
    follows_prices=False,
    paces=True,
)
SHARES = (COLLATERAL_SHARE, DEBT_SHARE, EVERY)
