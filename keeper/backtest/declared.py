"""What an owner declares beside the rules, as a document says it: safety, circuit breaker, exposure limits."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from keeper.backtest.engine_on_paper import KeeperTerms
from keeper.core.breaker import BreakerTerms
from keeper.core.decide import Safety
from keeper.core.exposure import ExposureLimits
from keeper.core.units import USD, WAD, Bps, Usd, Wad, Wei, decimal_of, scaled

GWEI = 10**9


def keeper_terms(terms: Mapping[str, Any]) -> KeeperTerms:
    """Return what a document says of it. Raises KeyError, ValueError, ArithmeticError where it says it badly."""
    safety = Safety(
        Wad(scaled(Decimal(terms["health_floor"]), WAD)),
        Wad(scaled(Decimal(terms["emergency_health"]), WAD)),
        int(terms["max_rounds"]),
        Bps(int(terms["capital_cost_bps"])),
    )
    return KeeperTerms(
        safety,
        Bps(int(terms["fee_share_bps"])),
        None if terms["max_fee_gwei"] is None else Wei(scaled(Decimal(terms["max_fee_gwei"]), GWEI)),
        int(terms["swap_deadline_s"]),
        int(terms["delay_blocks"]),
        bool(terms["in_one"]),
        _breaker(terms.get("breaker")),
        _exposure(terms.get("exposure")),
    )


def _breaker(of: Mapping[str, Any] | None) -> BreakerTerms | None:
    return None if of is None else BreakerTerms(Bps(int(of["move_bps"])), int(of["within_s"]), int(of["pause_s"]))


def _exposure(of: Mapping[str, Any] | None) -> ExposureLimits | None:
    if of is None:
        return None
    underlyings, venues = (
        {str(name): Usd(scaled(Decimal(most), USD)) for name, most in of[key].items()}
        for key in ("underlyings", "venues")
    )
    chain, leverage = of["chain"], of["leverage"]
    return ExposureLimits(
        underlyings,
        venues,
        None if chain is None else Usd(scaled(Decimal(chain), USD)),
        None if leverage is None else Wad(scaled(Decimal(leverage), WAD)),
    )


def breaker_said(of: BreakerTerms | None) -> dict[str, int] | None:
    """Return a circuit breaker as a document has it."""
    return None if of is None else {"move_bps": int(of.move), "within_s": of.within_s, "pause_s": of.pause_s}


def exposure_said(of: ExposureLimits | None) -> dict[str, Any] | None:
    """Return exposure limits as a document has them."""
    if of is None:
        return None
    return {
        "underlyings": {name: decimal_of(most, 8) for name, most in of.underlyings.items()},
        "venues": {name: decimal_of(most, 8) for name, most in of.venues.items()},
        "chain": None if of.chain is None else decimal_of(of.chain, 8),
        "leverage": None if of.leverage is None else decimal_of(of.leverage, 18),
    }
