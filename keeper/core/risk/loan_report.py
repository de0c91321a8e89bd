"""What a report says of a loan: its figures, its stress, what selling its collateral would really bring. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from keeper.core.lending import figures as lending
from keeper.core.lending.position import Holding, LendingPosition
from keeper.core.lending.second_line import first_loss, standing
from keeper.core.lending.seizure import WHOLE, CloseRule, at_the_edge, seized
from keeper.core.prices import Doubt
from keeper.core.risk.facing import of_loan
from keeper.core.risk.market import Market
from keeper.core.risk.measured import Measured, figures, put_of
from keeper.core.risk.met import delta
from keeper.core.risk.monte_carlo import Reached
from keeper.core.risk.normal import quantile
from keeper.core.risk.own_money import own_money
from keeper.core.risk.said import Document, money, rounded, said
from keeper.core.risk.series import YEAR_S
from keeper.core.risk.shock_terms import Shock
from keeper.core.risk.shocks import Shocked, shocks
from keeper.core.risk.stance import stance
from keeper.core.risk.stress import is_dollar, taken
from keeper.core.risk.tail import VAR_CONFIDENCE, exposures
from keeper.core.risk.volatility import unknown
from keeper.core.units import BPS, DAY_S, HOUR_S, INFINITE, WAD, Address, Usd, mul_div_down, mul_div_up

SALE_S = HOUR_S
"""How long a sale of all collateral is thought to take: so long the price may go on."""
LEAST_PART = 2
"""A pool that was asked for less than this part of the collateral says nothing of the whole."""


@dataclass(frozen=True, slots=True)
class Sold:
    """What pools gave for collateral when they were asked: so many dollars by the oracle brought so many."""

    given: Usd
    brought: Usd

    @property
    def lost(self) -> float:
        """The share that a sale of that size costs, impact and fees together."""
        return max(0.0, 1 - self.brought / self.given) if self.given else 1.0


def measured(p: LendingPosition, market: Market, rule: CloseRule = WHOLE) -> Measured:
    """Return a loan as every figure needs it."""
    own, owes = exposures(p), bool(p.reported.debt_value) and p.reported.health_factor < INFINITE
    found = liquidated(p, rule)
    return Measured(
        name=p.name,
        facing=of_loan(p) if owes else None,
        stance=stance(p, market),
        own=own,
        symbols={h.asset: h.symbol for h in p.held},
        most=sum(own.values()),
        taken=taken_at_most(p, rule),
        sold=found,
        carry_a_day=carry_a_day(p),
    )


def report_of(
    p: LendingPosition,
    of: Measured,
    market: Market,
    horizons_s: Sequence[int],
    drawn: Sequence[Reached | None],
    rule: CloseRule = WHOLE,
    sales: Mapping[Address, Sold] | None = None,
    own: Sequence[Shock] = (),
) -> Document:
    """Return what is said of a loan."""
    covered = sum(h.usd_up(h.supplied) for h in p.held if h.is_collateral and not is_dollar(h))
    health = p.reported.health_factor
    return {
        "name": p.name,
        "kind": "loan",
        "venue": p.venue,
        "chain_id": p.block.chain_id,
        "health_factor": None if health >= INFINITE else str(health),
        "collateral_usd": str(p.money.usd_down(p.reported.collateral_value)),
        "debt_usd": str(p.money.usd_up(p.reported.debt_value)),
        "own_usd": str(of.most),
        **figures(of, market, horizons_s, drawn),
        "own_money": own_money(p, market, horizons_s),
        "taken_first_usd": str(taken_first(p, rule)),
        "second_line": second_line(p),
        "put": put_of(of, covered, horizons_s[-1]),
        "stress": [shocked(x) for x in shocks(p, own)],
        "holdings": [_holding(p, market, h, sales or {}) for h in p.held],
        "concentration": _concentration(p),
    }


def taken_first(p: LendingPosition, rule: CloseRule) -> int:
    """Return what the first liquidation takes beyond the debt it pays, by the venue's own close factor, dollars."""
    if not p.reported.debt_value or p.reported.health_factor >= INFINITE:
        return 0
    return seized(at_the_edge(lending.account_of(p)), rule, most=1).loss


def second_line(p: LendingPosition) -> Document | None:
    """Return the contract that sells a part before liquidation begins, and what its first sale costs, dollars."""
    line = standing(p)
    if line is None or not p.reported.debt_value:
        return None
    loss = first_loss(line, Usd(p.money.usd_up(p.reported.debt_value)))
    return {"contract": line.contract, "begins_at_health": str(line.begins_at), "taken_usd": str(loss)}


def liquidated(p: LendingPosition, rule: CloseRule) -> int:
    """Return the collateral that liquidators take and sell before health is 1 again, dollars at the edge."""
    if not p.reported.debt_value or p.reported.health_factor >= INFINITE:
        return 0
    return seized(at_the_edge(lending.account_of(p)), rule).seized


def taken_at_most(p: LendingPosition, rule: CloseRule = WHOLE) -> int:
    """Return what a liquidator takes beyond the debt where liquidation begins, dollars, at the most.

    A market that absorbs the whole account takes its discount on all of the collateral as it is worth there.
    """
    account, of = lending.account_of(p), p.reported
    if not of.debt_value or of.health_factor >= INFINITE:
        return 0
    if rule.discounts:
        return seized(at_the_edge(account), rule).loss
    left = replace(of, collateral_value=mul_div_down(of.collateral_value, WAD, max(WAD, of.health_factor)))
    return int(p.money.usd_up(taken(account, left)))


def carry_a_day(p: LendingPosition) -> int:
    """Return what a day's interest brings, dollars, rounded against the owner."""
    return sum(
        mul_div_down(h.usd_down(h.supplied), h.rates.supply * DAY_S, WAD * 365 * DAY_S)
        - mul_div_up(h.usd_up(h.borrowed), h.rates.borrow * DAY_S, WAD * 365 * DAY_S)
        for h in p.held
    )


def shocked(x: Shocked) -> Document:
    """Return what a shock does to a loan."""
    of = x.after.figures
    return {
        "shock": x.name,
        "health_factor": None if of.health_factor >= INFINITE else str(of.health_factor),
        "is_liquidated": x.after.is_liquidated,
        "lost_usd": str(x.after.lost),
        "taken_usd": str(x.after.seized),
        "delta_usd": {symbol: str(value) for symbol, value in delta(x).items()},
    }


def _holding(p: LendingPosition, market: Market, h: Holding, sales: Mapping[Address, Sold]) -> Document:
    moved = market.movement(h.asset)
    gross = sum(abs(value) for value in exposures(p).values()) or 1
    at = lending.liquidation_price(lending.account_of(p), h.asset)
    return {
        "symbol": h.symbol,
        "asset": h.asset,
        "driver": market.drivers.get(h.asset),
        "price_usd": str(h.usd_down(h.unit)),
        "supplied_usd": str(h.usd_down(h.supplied)),
        "owed_usd": str(h.usd_up(h.borrowed)),
        "volatility": said(moved if isinstance(moved, Doubt) else moved.volatility),
        "liquidated_at_usd": None if at is None else str(p.money.usd_up(at)),
        "share_bps": abs(exposures(p)[h.asset]) * BPS // gross,
        "worth": _worth(h, market, sales.get(h.asset)) if h.is_collateral and not is_dollar(h) else None,
    }


def _worth(h: Holding, market: Market, sold: Sold | None) -> Document:
    """Return what collateral is worth if it must be sold: through the pools at its size, and while the price goes on.

    The haircut for the time is what the price loses at most in ninety-nine of a hundred such times.
    """
    value, moved = h.usd_down(h.supplied), market.movement(h.asset)
    volatility = moved if isinstance(moved, Doubt) else moved.volatility
    pools: float | Doubt = unknown("no pool was asked, or none takes so much of it")
    if sold is not None and sold.given * LEAST_PART >= value > 0:
        pools = min(1.0, sold.lost * max(1.0, value / sold.given))
    waiting: float | Doubt = volatility
    if not isinstance(volatility, Doubt):
        spread = volatility * math.sqrt(SALE_S / YEAR_S)
        waiting = 1 - math.exp(-quantile(VAR_CONFIDENCE) * spread - spread**2 / 2)
    left: int | Doubt
    if isinstance(pools, Doubt) or isinstance(waiting, Doubt):
        left = pools if isinstance(pools, Doubt) else unknown("how much its price moves is not known")
    else:
        left = mul_div_down(value, int((1 - pools) * (1 - waiting) * WAD), WAD)
    return {"lost_in_pools": said(pools), "lost_while_selling": said(waiting), "brings_usd": money(left)}


def _concentration(p: LendingPosition) -> float | None:
    """Return how much hangs on one asset: the sum of the squared shares of all collateral (Herfindahl), 1 for one."""
    values = [h.usd_down(h.supplied) for h in p.held if h.is_collateral]
    total = sum(values)
    return rounded(sum((v / total) ** 2 for v in values)) if total else None
