"""Random perpetual positions: cross margin as Perp v2 reckons it, isolated margin as GMX v2 does."""

from __future__ import annotations

from core_builders import BLOCK
from hypothesis import strategies as st

from keeper.core.perp.position import FACTOR, Factor, MarginBasis, PerpFigures, PerpLeg, PerpPosition
from keeper.core.prices import OraclePrice
from keeper.core.units import WAD, Address, Amount

NAMES = ("ETH", "BTC", "SOL")


def a_leg(name: str = "ETH", **given: int) -> PerpLeg:
    """3 ETH long at 2,000 dollars, in 18 decimals throughout."""
    figures = {
        "size": 3 * WAD,
        "size_unit": WAD,
        "entry_notional": 6000 * WAD,
        "mark_price": 2000 * WAD,
        "index_price": 2000 * WAD,
        "price_scale": WAD,
        "funding_owed": 0,
        "borrowing_owed": 0,
        "closing_cost": 0,
        "funding_rate": 0,
    } | given
    market = Address("0x" + f"{NAMES.index(name) + 1:040x}")
    oracle = OraclePrice(market, name, figures["index_price"] // 10**10, market, None, None, 3600)
    return PerpLeg(market=market, symbol=name, oracle=oracle, **figures)


def a_position(*legs: PerpLeg, **given: object) -> PerpPosition:
    """1,000 dollars behind the legs; Perp v2's ratios and rounding."""
    fields: dict[str, object] = {
        "name": "short",
        "venue": "perp_v2",
        "owner": Address("0x" + "aa" * 20),
        "block": BLOCK,
        "is_cross": True,
        "usd_unit": WAD,
        "legs": legs or (a_leg(),),
        "collateral": Address("0x" + "cc" * 20),
        "collateral_symbol": "USDC",
        "collateral_decimals": 6,
        "collateral_price": WAD,
        "margin": 1000 * WAD,
        "indexed_margin": 0,
        "free_margin": Amount(0),
        "basis": MarginBasis.NOTIONAL,
        "initial": Factor(FACTOR // 10),
        "maintenance": Factor(FACTOR * 625 // 10_000),
        "least_requirement": 0,
        "reported": PerpFigures(0, 0),
        "equity_step": 10**12,
    } | given
    return PerpPosition(**fields)  # type: ignore[arg-type]


def amounts(low: int, high: int) -> st.SearchStrategy[int]:
    """Spread over the magnitudes, not only over the largest."""
    return st.integers(len(str(low)), len(str(high))).flatmap(
        lambda digits: st.integers(max(low, 10 ** (digits - 1)), min(high, 10**digits))
    )


@st.composite
def cross(draw: st.DrawFn, legs: int = 3) -> PerpPosition:
    """One to three markets, either side, with funding pending; profit, loss or bankrupt."""
    return a_position(
        *(draw(_cross_legs(name)) for name in NAMES[: draw(st.integers(1, legs))]),
        margin=draw(amounts(1, 10**6 * WAD)) * draw(st.sampled_from((1, 1, 1, -1))),
        maintenance=Factor(draw(st.sampled_from((62_500, 31_250, 100_000))) * (FACTOR // 10**6)),
    )


@st.composite
def isolated(draw: st.DrawFn) -> PerpPosition:
    """One market in 30 decimals, dollar collateral or the underlying itself, with fees that count."""
    dollar = 10**30
    size = draw(amounts(10**12, 10**22)) * draw(st.sampled_from((1, -1)))
    price = draw(amounts(10**13, 10**17))  # dollars (30 decimals) for one of 18 decimals
    entry = abs(size) * price * draw(st.integers(700, 1300)) // 1000
    fees = draw(amounts(1, entry // 20 + 10))
    leg = a_leg(
        size=size,
        entry_notional=entry,
        mark_price=price,
        index_price=price,
        price_scale=1,
        funding_owed=fees // 3,
        borrowing_owed=fees // 5,
        closing_cost=fees,
    )
    margin = draw(amounts(1, 10**6 * dollar))
    in_kind = draw(st.booleans()) and size > 0
    return a_position(
        leg,
        is_cross=False,
        usd_unit=dollar,
        margin=0 if in_kind else margin,
        indexed_margin=margin // price if in_kind else 0,
        basis=MarginBasis.ENTRY,
        maintenance=Factor(FACTOR // 200),
        least_requirement=dollar,
        equity_step=1,
    )


def positions() -> st.SearchStrategy[PerpPosition]:
    """Either kind."""
    return st.one_of(cross(), isolated())


@st.composite
def _cross_legs(draw: st.DrawFn, name: str) -> PerpLeg:
    size = draw(amounts(10, 10**22)) * draw(st.sampled_from((1, -1)))
    price = draw(amounts(10**14, 10**23))
    whole = abs(size) * price // WAD
    funding = draw(amounts(1, whole // 50 + 10)) * draw(st.sampled_from((1, -1)))
    return a_leg(
        name,
        size=size,
        entry_notional=whole * draw(st.integers(700, 1300)) // 1000,
        mark_price=price,
        index_price=price,
        funding_owed=funding,
        funding_rate=draw(st.integers(-36 * WAD, 36 * WAD)),
    )
