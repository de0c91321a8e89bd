"""A perpetual position as the document of a back-test says it. Checked when it is read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

from keeper.backtest.declared import keeper_terms
from keeper.backtest.depth import Depth
from keeper.backtest.document import BadBacktestError, KeptWay, Understood, fees_of, place_of
from keeper.backtest.paper_calls import asset_of
from keeper.backtest.perp_on_paper import PerpPlot
from keeper.backtest.perp_standing import FINER, PaperContract, PerpStanding, alone, ratio_of
from keeper.core.perp import margin as perps
from keeper.core.perp.margin_rules import MarginRules
from keeper.core.perp.position import FACTOR, Factor
from keeper.core.units import USD, WAD, Usd, mul_div_up, scaled
from keeper.venues.registry import VENUES

COLLATERAL, DECIMALS = "USDC", 6
PPM = 1_000_000


def perp_standing_of(read: Understood, price: int, at: int) -> PerpStanding:
    """Return the account as it begins, opened at the price of then. Raises BadBacktestError."""
    try:
        return _standing_of(read, price, at)
    except (KeyError, TypeError, ArithmeticError, AttributeError) as error:
        raise BadBacktestError(f"its position is not whole: {type(error).__name__} {error}") from None


def _standing_of(read: Understood, price: int, at: int) -> PerpStanding:
    of = read.of["perp"]
    contract = _contract(read, of)
    size, margin = scaled(Decimal(of["size"]), WAD), scaled(Decimal(of["margin"]), WAD)
    wallet, native = scaled(Decimal(of["wallet"]), 10**DECIMALS), scaled(Decimal(of["native"]), WAD)
    if size <= 0 or margin <= 0:
        raise BadBacktestError("a position has a size and a margin; say --size, and --margin or --leverage")
    entry = mul_div_up(size, price * FINER, WAD)
    signed = size if contract.is_long else -size
    found = PerpStanding(at, contract, signed, entry, margin, price, at, wallet=wallet, native=native)
    if perps.is_liquidatable(alone(found)):
        ratio, least = ratio_of(found) / WAD, contract.rules.maintenance / FACTOR
        what = f"margin ratio {ratio:.4f}, the venue liquidates below {least:.4f}"
        raise BadBacktestError(f"the position is liquidated as it begins: {what}; give it more --margin")
    return found


def _contract(read: Understood, of: Mapping[str, Any]) -> PaperContract:
    terms, (symbol,) = read.of["terms"], read.files
    rules = margins_of(str(terms["venue"]))
    rules = replace(
        rules,
        maintenance=Factor(scaled(Decimal(of["maintenance"]), FACTOR)),
        fee_ppm=int(scaled(Decimal(of["fee"]), PPM)),
    )
    return PaperContract(
        asset=asset_of(symbol),
        symbol=symbol,
        rules=rules,
        depth=Depth(Usd(scaled(Decimal(terms["depth_usd"]), USD)), 0),
        funding=scaled(Decimal(of["funding"]), WAD),
        is_long=of["side"] == "long",
        collateral=asset_of(COLLATERAL),
        collateral_symbol=COLLATERAL,
        collateral_decimals=DECIMALS,
        heartbeat_s=max(86_400, read.oracle.heartbeat_s),
        fills_after=int(of["fills_after"]),
    )


def margins_of(venue: str) -> MarginRules:
    """Return what a venue asks. Raises KeyError where it has no perpetual positions."""
    rules = VENUES[venue].margins
    if rules is None:
        raise KeyError(venue)
    return rules


def perp_plot_of(read: Understood, way: KeptWay, standing: PerpStanding) -> PerpPlot:
    """Return what is played for one way."""
    terms = read.of["terms"]
    return PerpPlot(
        position=place_of(str(terms["venue"]), read.of["perp"]["signer"]),
        standing=standing,
        rules=way.rules,
        terms=keeper_terms(terms),
        fees=fees_of(read),
        native=str(terms["native"]),
        native_price=scaled(Decimal(terms["native_price"]), USD),
        heartbeat_s=read.oracle.heartbeat_s,
    )
