"""A perpetual position as plain data, and back: all that its figures rest on, to the venue's own unit. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from keeper.core.block import BlockRef
from keeper.core.perp import margin as perps
from keeper.core.perp.position import Factor, MarginBasis, PerpFigures, PerpLeg, PerpPosition
from keeper.core.prices import OraclePrice
from keeper.core.risk.said import Document
from keeper.core.units import Address, Amount

_WHOLE = ("usd_unit", "collateral_decimals", "collateral_price", "margin", "indexed_margin", "equity_step", "gifts")
_OF_LEG = (
    "size",
    "size_unit",
    "entry_notional",
    "mark_price",
    "index_price",
    "price_scale",
    "funding_owed",
    "borrowing_owed",
    "closing_cost",
    "funding_rate",
    "pending_impact",
)


def plain_perp(p: PerpPosition) -> Document:
    """Return a position as JSON holds it: whole numbers as text."""
    return {
        "name": p.name,
        "venue": p.venue,
        "chain_id": p.block.chain_id,
        "owner": p.owner,
        "is_cross": p.is_cross,
        "collateral": p.collateral,
        "collateral_symbol": p.collateral_symbol,
        "basis": p.basis.value,
        "maintenance": str(p.maintenance),
        "least_requirement": str(p.least_requirement),
        **({} if p.penalty is None else {"penalty": str(p.penalty)}),
        **{key: str(getattr(p, key)) for key in _WHOLE},
        "legs": [
            {"market": leg.market, "symbol": leg.symbol, "asset": leg.oracle.asset, "answer": str(leg.oracle.answer)}
            | {key: str(getattr(leg, key)) for key in _OF_LEG}
            for leg in p.legs
        ],
    }


def perp_of(given: Any, block: BlockRef) -> PerpPosition:
    """Return the position that plain data says. Raises KeyError, TypeError or ValueError where it is none."""
    found = PerpPosition(
        name=str(given["name"]),
        venue=str(given["venue"]),
        owner=Address(str(given["owner"])),
        block=replace(block, chain_id=int(given["chain_id"])),
        is_cross=bool(given["is_cross"]),
        legs=tuple(_leg(leg) for leg in given["legs"]),
        collateral=Address(str(given["collateral"])),
        collateral_symbol=str(given["collateral_symbol"]),
        free_margin=Amount(0),
        basis=MarginBasis(str(given["basis"])),
        initial=Factor(0),
        maintenance=Factor(int(given["maintenance"])),
        least_requirement=int(given["least_requirement"]),
        reported=PerpFigures(0, 0),
        penalty=Factor(int(given["penalty"])) if "penalty" in given else None,
        **{key: int(given[key]) for key in _WHOLE},  # type: ignore[arg-type]
    )
    if found.usd_unit <= 0 or found.equity_step <= 0 or found.maintenance < 0:
        raise ValueError(f"{found.name} has a unit that cannot be")
    return replace(found, reported=perps.figures(found))


def _leg(given: Any) -> PerpLeg:
    figures = {key: int(given[key]) for key in _OF_LEG}
    market, symbol, asset = Address(str(given["market"])), str(given["symbol"]), Address(str(given["asset"]))
    units = figures["mark_price"], figures["index_price"], figures["price_scale"], figures["size_unit"]
    if min(units) <= 0:
        raise ValueError(f"{symbol} has a price or a unit that cannot be")
    oracle = OraclePrice(asset, symbol, int(given["answer"]), asset, None, None, 0)
    return PerpLeg(market=market, symbol=symbol, oracle=oracle, mark_rule=None, **figures)
