"""What looks ahead, for every kind of position: one ``Metric`` each, made of what a kind says (``Foresight``).

They rest on the price history that is read beside a position. Without one, or with too little of it, they measure
nothing and say so. What they are made of is loaded when a rule first asks: most keepers have none of these.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic

from keeper.core.metrics import Metric, P, Subject, Target
from keeper.core.prices import Doubt
from keeper.core.scales import Beyond, Range, Unit, percent, plain
from keeper.core.trail import LookBack
from keeper.core.units import DAY_S, WAD, Address, mul_div_up, usd_text

if TYPE_CHECKING:
    from keeper.core.risk.market import Market, Movement

PROBABILITY = "liquidation_probability"


@dataclass(frozen=True, slots=True, eq=False)
class Foresight(Generic[P]):
    """What looking ahead asks of a kind of position."""

    market: Callable[[P], Market | None]
    """How prices moved until now; None where nobody read it."""
    own: Callable[[P], tuple[Mapping[Address, int], int]]
    """What of each asset is the owner's own, dollars, signed; and what there is to lose in all."""
    asset: Callable[[P, Subject], Address | Doubt | None]
    """The one asset that is meant; None where nothing of it is held."""
    is_short: Callable[[P, Subject], bool]
    """Whether the rise of that asset is the danger."""
    stressed: Callable[[P, int], int | Doubt | None]
    """What is lost if prices move by a share (Wad) at once, dollars."""
    probability: Callable[[P, int], int | Doubt | None]
    """How probable liquidation is within a time, Wad rounded up."""
    probability_at: Callable[[P | None, Target[P]], int | None]
    named: str
    """The key that says which asset is meant: ``asset``, ``market``."""
    if_unnamed: str
    """What is meant where none is named."""
    stress: str
    """The sentence of what moves in a stress, and what is lost by it."""
    exits: tuple[str, ...]
    """What makes that smaller which prices can take."""


def metrics_ahead(of: Foresight[P]) -> tuple[Metric[P], ...]:
    """Return what looks ahead of a kind of position."""
    return (
        _liquidation_probability(of),
        _value_at_risk(of),
        _expected_shortfall(of),
        _volatility(of),
        _drawdown(of),
        _loss_in_stress(of),
    )


def forecast(of: Foresight[P], p: P, subject: Subject) -> int | Doubt | None:
    """Return how much the price of the one asset that is meant is expected to move in a year, Wad rounded up."""
    moving = _movement(of, p, subject)
    found = moving if moving is None or isinstance(moving, Doubt) else moving.volatility
    return found if found is None or isinstance(found, Doubt) else math.ceil(found * WAD)


def _movement(of: Foresight[P], p: P, subject: Subject) -> Movement | Doubt | None:
    """Return how the price of the one asset that is meant moves."""
    from keeper.core.risk.volatility import unknown  # noqa: PLC0415 - for rules that look ahead

    asset, market = of.asset(p, subject), of.market(p)
    if asset is None or isinstance(asset, Doubt):
        return asset
    return unknown("no price history was read") if market is None else market.movement(asset)


def _liquidation_probability(of: Foresight[P]) -> Metric[P]:
    return Metric(
        key=PROBABILITY,
        words="probability of liquidation",
        summary="How probable liquidation is within `horizon`, by the price history of what it hangs on, with interest "
        "and funding, rounded up: the larger of what prices that move (reflection principle) and prices that jump "
        "(Kou) make of it. Unknown until a day of prices was read, and where they say nothing for days.",
        unit=Unit.SHARE,
        sides=(Beyond.ABOVE,),
        measure=lambda p, _, subject: of.probability(p, subject.window_s or DAY_S),
        at_target=of.probability_at,
        risk=Beyond.ABOVE,
        valid=Range.SHARE,
        valid_target=Range.SHARE,
        odd=_odd_probability,
        window_s=DAY_S,
        parts=("probability", "horizon"),
        looks_ahead=True,
        figure=percent,
    )


def _value_at_risk(of: Foresight[P]) -> Metric[P]:
    def measured(p: P, _: LookBack, subject: Subject) -> int | Doubt | None:
        from keeper.core.risk.tail import value_at_risk_of  # noqa: PLC0415 - for rules that look ahead

        own, most = of.own(p)
        return value_at_risk_of(own, most, of.market(p), subject.window_s) if own else None

    return _at_risk(
        of,
        "value_at_risk",
        "value at risk",
        "What of the owner's own is lost within `horizon` in the worst of a hundred cases, in dollars, rounded up; "
        "what a liquidation takes is not in it.",
        measured,
    )


def _expected_shortfall(of: Foresight[P]) -> Metric[P]:
    def measured(p: P, _: LookBack, subject: Subject) -> int | Doubt | None:
        from keeper.core.risk.tail import expected_shortfall_of  # noqa: PLC0415 - for rules that look ahead

        own, most = of.own(p)
        return expected_shortfall_of(own, most, of.market(p), subject.window_s) if own else None

    return _at_risk(
        of,
        "expected_shortfall",
        "expected shortfall",
        "The mean loss within `horizon` of the worst fortieth of all cases (97.5 %, as banks measure it), in dollars, "
        "rounded up; what a liquidation takes is not in it.",
        measured,
    )


def _at_risk(
    of: Foresight[P],
    key: str,
    words: str,
    summary: str,
    measured: Callable[[P, LookBack, Subject], int | Doubt | None],
) -> Metric[P]:
    return Metric(
        key=key,
        words=words,
        summary=summary,
        unit=Unit.DOLLARS,
        sides=(Beyond.ABOVE,),
        measure=measured,
        at_target=None,
        valid=Range.POSITIVE,
        window_s=DAY_S,
        parts=("loss", "horizon"),
        actions=of.exits,
        why_only=WHY_EXITS,
        looks_ahead=True,
        figure=usd_text,
    )


def _volatility(of: Foresight[P]) -> Metric[P]:
    def measured(p: P, _: LookBack, subject: Subject) -> int | Doubt | None:
        from keeper.core.risk.volatility import realised  # noqa: PLC0415 - for rules that look ahead

        moving = _movement(of, p, subject)
        if moving is None or isinstance(moving, Doubt):
            return moving
        found = realised(moving.history, subject.window_s, p.block.timestamp, moving.quiet_s)
        return found if isinstance(found, Doubt) else math.ceil(found * WAD)

    return Metric(
        key="volatility",
        words="volatility",
        summary="How much the oracle's price of one asset moved in `window`, as a share a year (realised), rounded up; "
        f"without `{of.named}` that of {of.if_unnamed}.",
        unit=Unit.RATE,
        sides=(Beyond.ABOVE,),
        measure=measured,
        at_target=None,
        valid=Range.POSITIVE,
        odd=_odd_volatility,
        named=of.named,
        window_s=DAY_S,
        looks_ahead=True,
        figure=percent,
    )


def _drawdown(of: Foresight[P]) -> Metric[P]:
    def measured(p: P, _: LookBack, subject: Subject) -> int | Doubt | None:
        from keeper.core.risk.volatility import covered  # noqa: PLC0415 - for rules that look ahead

        moving, now = _movement(of, p, subject), p.block.timestamp
        if moving is None or isinstance(moving, Doubt):
            return moving
        doubt = covered(moving.history, subject.window_s, now, moving.quiet_s)
        if doubt is not None:
            return doubt
        seen = [tick.price for tick in moving.history.until(now).since(now - subject.window_s).ticks]
        best = min(seen) if of.is_short(p, subject) else max(seen)
        return mul_div_up(abs(best - seen[-1]), WAD, best)

    return Metric(
        key="drawdown",
        words="drawdown",
        summary="By which share the oracle's price of one asset stands away from its best of `window`, rounded up: "
        f"below its highest, and for a short above its lowest; without `{of.named}` that of {of.if_unnamed}.",
        unit=Unit.SHARE,
        sides=(Beyond.ABOVE,),
        measure=measured,
        at_target=None,
        valid=Range.SHARE,
        named=of.named,
        window_s=DAY_S,
        looks_ahead=True,
        figure=percent,
    )


def _loss_in_stress(of: Foresight[P]) -> Metric[P]:
    return Metric(
        key="loss_in_stress",
        words="loss in a stress",
        summary=of.stress,
        unit=Unit.DOLLARS,
        sides=(Beyond.ABOVE,),
        measure=lambda p, _, subject: of.stressed(p, subject.fall),
        at_target=None,
        valid=Range.POSITIVE,
        fall=WAD * 2 // 5,
        parts=("loss", "fall"),
        actions=of.exits,
        why_only=WHY_EXITS,
        figure=usd_text,
    )


WHY_EXITS = "leaves what prices can take as it is"


def _odd_probability(_: Beyond, bound: int) -> str | None:
    if bound < WAD // 2:
        return None
    return f'a probability of {plain(bound)} is {percent(bound)}: too late; 1 % is "0.01"'


def _odd_volatility(_: Beyond, bound: int) -> str | None:
    if bound < 20 * WAD:
        return None
    return f'a volatility of {plain(bound)} is {percent(bound)} a year; 80 % is "0.80"'
