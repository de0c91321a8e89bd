"""What a report says of a perpetual position: its figures, its markets, its stress. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from keeper.core.perp import margin as perps
from keeper.core.perp.position import PerpLeg, PerpPosition
from keeper.core.perp.risk_metrics import exposures
from keeper.core.prices import Doubt
from keeper.core.risk.facing import of_perp
from keeper.core.risk.market import Market
from keeper.core.risk.measured import Measured, figures
from keeper.core.risk.met import delta
from keeper.core.risk.monte_carlo import Reached
from keeper.core.risk.perp_shocks import PerpShocked, shocks
from keeper.core.risk.said import Document, said
from keeper.core.risk.shock_terms import Shock
from keeper.core.risk.stance import Stance, perp_stance
from keeper.core.units import INFINITE, USD, WAD


def measured(p: PerpPosition, market: Market) -> Measured:
    """Return a perpetual as every figure needs it.

    What liquidation takes is the venue's penalty where it says one, else all that must be left of it then.
    """
    stance = perp_stance(p, market)
    if p.held and perps.is_liquidatable(p) and isinstance(stance, Stance):
        stance = replace(stance, distance=min(0.0, stance.distance))
    return Measured(
        name=p.name,
        facing=None if stance is None else of_perp(p),
        stance=stance,
        own=exposures(p),
        symbols={leg.oracle.asset: leg.symbol for leg in p.legs},
        most=_usd(p, perps.equity(p)),
        taken=0 if stance is None else -(-perps.taken(p, perps.requirement(p)) * USD // p.usd_unit),
        sold=0,  # the venue takes it over: nothing of it is sold in the pools
        carry_a_day=-perps.funding_per_day(p) * USD // p.usd_unit,
    )


def report_of(
    p: PerpPosition,
    of: Measured,
    market: Market,
    horizons_s: Sequence[int],
    drawn: Sequence[Reached | None],
    own: Sequence[Shock] = (),
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
        "stress": [shocked(x) for x in shocks(p, own)],
        "holdings": [_market(p, leg, market) for leg in p.held],
    }


def shocked(x: PerpShocked) -> Document:
    """Return what a shock does to a perpetual."""
    ratio = perps.margin_ratio(x.then)
    return {
        "shock": x.of.name,
        "margin_ratio": None if ratio >= INFINITE else str(ratio),
        "is_liquidated": x.is_liquidated,
        "lost_usd": str(max(0, min(x.change, _usd(x.before, max(0, perps.equity(x.before)))))),
        "taken_usd": str(x.taken),
        "delta_usd": {symbol: str(value) for symbol, value in delta(x).items()},
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
