"""What a report says of a perpetual position: its figures, its markets, its stress with funding times ten. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from keeper.core.perp import margin as perps
from keeper.core.perp.position import PerpLeg, PerpPosition
from keeper.core.prices import Doubt
from keeper.core.risk.facing import of_perp
from keeper.core.risk.market import Market
from keeper.core.risk.measured import Measured, figures
from keeper.core.risk.monte_carlo import Reached
from keeper.core.risk.said import Document, said
from keeper.core.risk.stance import Stance, perp_stance
from keeper.core.units import DAY_S, INFINITE, USD, WAD, Address, mul_div_up

FALLS, RISES, ALONE, DOLLAR = (-20, -40, -60), (20, 40), 40, 10
"""Percent by which prices move; a short is lost by a rise."""
FUNDING_TIMES, FUNDING_S = 10, 7 * DAY_S


def measured(p: PerpPosition, market: Market) -> Measured:
    """Return a perpetual as every figure needs it.

    What liquidation takes is all that must be left of it then: what the venue gives back of that is not counted on.
    """
    own = dict[Address, int]()
    for leg in p.held:
        size = _usd(p, perps.notional(leg))
        own[leg.oracle.asset] = own.get(leg.oracle.asset, 0) + (size if leg.is_long else -size)
    if p.indexed_margin:
        leg = p.legs[0]
        own[leg.oracle.asset] = own.get(leg.oracle.asset, 0) + _usd(p, perps.margin_value(p) - p.margin)
    stance = perp_stance(p, market)
    if p.held and perps.is_liquidatable(p) and isinstance(stance, Stance):
        stance = replace(stance, distance=min(0.0, stance.distance))
    return Measured(
        name=p.name,
        facing=None if stance is None else of_perp(p),
        stance=stance,
        own=own,
        symbols={leg.oracle.asset: leg.symbol for leg in p.legs},
        most=_usd(p, perps.equity(p)),
        taken=0 if stance is None else -(-perps.requirement(p) * USD // p.usd_unit),
        sold=0,  # the venue takes it over: nothing of it is sold in the pools
        carry_a_day=-perps.funding_per_day(p) * USD // p.usd_unit,
    )


def report_of(
    p: PerpPosition, of: Measured, market: Market, horizons_s: Sequence[int], drawn: Sequence[Reached | None]
) -> Document:
    """Return what is said of a perpetual position."""
    ratio = perps.margin_ratio(p)
    return {
        "name": p.name,
        "kind": "perp",
        "venue": p.venue,
        "chain_id": p.block.chain_id,
        "margin_ratio": None if ratio >= INFINITE else str(ratio),
        "notional_usd": str(sum(_usd(p, perps.notional(leg)) for leg in p.held)),
        "own_usd": str(of.most),
        **figures(of, market, horizons_s, drawn),
        "put": None,
        "stress": list(shocks(p)),
        "holdings": [_market(p, leg, market) for leg in p.held],
    }


def shocks(p: PerpPosition) -> Iterator[Document]:
    """Yield what each shock does: all markets together, each alone, a collateral that breaks, funding times ten."""
    for move in (*FALLS, *(RISES if any(not leg.is_long for leg in p.held) else ())):
        yield _shocked(p, moved(p, {leg.market: move for leg in p.held}), _all(move))
    for leg in p.held if len(p.held) > 1 else ():
        against = -ALONE if leg.is_long else ALONE
        yield _shocked(p, moved(p, {leg.market: against}), f"{leg.symbol} alone {_signed(against)} %")
    if not p.indexed_margin and p.margin > 0:
        broken = replace(p, margin=p.margin * (100 - DOLLAR) // 100)
        yield _shocked(p, broken, f"{p.collateral_symbol} at {1 - DOLLAR / 100:.2f} of its price")
    if p.held:
        yield _shocked(p, funded(p, FUNDING_TIMES, FUNDING_S), f"funding ×{FUNDING_TIMES} for a week")


def moved(p: PerpPosition, by: Mapping[str, int]) -> PerpPosition:
    """Return the position with marks and indices moved by percent; never to nothing."""
    then = p
    for leg in p.held:
        if leg.market in by:
            then = perps.at_price(then, leg.market, max(1, leg.mark_price * (100 + by[leg.market]) // 100))
    return then


def funded(p: PerpPosition, times: int, seconds: int) -> PerpPosition:
    """Return the position after a time of so many times its funding of now; what it receives is not multiplied."""
    year = WAD * 365 * DAY_S
    paid = [mul_div_up(perps.notional(x) * max(0, x.funding_rate) * times, seconds, year) for x in p.legs]
    legs = tuple(replace(leg, funding_owed=leg.funding_owed + more) for leg, more in zip(p.legs, paid, strict=True))
    return replace(p, legs=legs)


def change(p: PerpPosition, then: PerpPosition) -> int:
    """Return what the owner loses between two states, dollars; below zero where he gains."""
    return _usd(p, perps.equity(p)) - _usd(p, perps.equity(then))


def _shocked(p: PerpPosition, then: PerpPosition, name: str) -> Document:
    ratio, is_liquidated = perps.margin_ratio(then), perps.is_liquidatable(then)
    left = max(0, perps.equity(then))
    return {
        "shock": name,
        "margin_ratio": None if ratio >= INFINITE else str(ratio),
        "is_liquidated": is_liquidated,
        "lost_usd": str(max(0, min(change(p, then), _usd(p, max(0, perps.equity(p)))))),
        "taken_usd": str(-(-left * USD // p.usd_unit) if is_liquidated else 0),
    }


def _market(p: PerpPosition, leg: PerpLeg, market: Market) -> Document:
    moving, at = market.movement(leg.oracle.asset), perps.liquidation_price(p, leg.market)
    return {
        "symbol": leg.symbol,
        "asset": leg.oracle.asset,
        "driver": market.drivers.get(leg.oracle.asset),
        "side": "long" if leg.is_long else "short",
        "price_usd": str(_price(p, leg, leg.mark_price)),
        "size_usd": str(_usd(p, perps.notional(leg))),
        "volatility": said(moving if isinstance(moving, Doubt) else moving.volatility),
        "liquidated_at_usd": None if at is None else str(_price(p, leg, at)),
        "share_bps": 10_000 * perps.notional(leg) // max(1, sum(perps.notional(x) for x in p.held)),
        "funding_a_year": said(leg.funding_rate / WAD),
        "worth": None,
    }


def _price(p: PerpPosition, leg: PerpLeg, price: int) -> int:
    return price * leg.size_unit * USD // (leg.price_scale * p.usd_unit)


def _usd(p: PerpPosition, value: int) -> int:
    return value * USD // p.usd_unit


def _all(move: int) -> str:
    return f"everything but dollars {_signed(move)} %"


def _signed(move: int) -> str:
    return f"+{move}" if move > 0 else f"−{-move}"
