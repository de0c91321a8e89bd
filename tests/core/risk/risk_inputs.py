"""Inputs of risk reports: loans, a short and a book, prices an hour apart until now."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from core_builders import BLOCK, at, loop, usd
from perp_builders import short, told

from keeper.core.lending.position import LendingPosition
from keeper.core.perp.position import PerpPosition
from keeper.core.risk.inputs import BookInputs, document_of
from keeper.core.risk.loan_report import Sold
from keeper.core.risk.market import Source
from keeper.core.risk.series import Series, series
from keeper.core.units import Address

DAY, HOUR = 86_400, 3600
Json = dict[str, Any]


def waves(level: str, size: float, days: int = 30, step: int = HOUR) -> Series:
    """Prices that go up and down, until now."""
    count = days * DAY // step
    begin = BLOCK.timestamp - count * step
    return series(
        (begin + i * step, round(float(level) * 10**8 * math.exp(size * math.sin(i * 0.7) + size * math.sin(i * 1.9))))
        for i in range(count + 1)
    )


def of_ether(p: PerpPosition) -> PerpPosition:
    """A perpetual whose market is the very ether that loans hold."""
    legs = tuple(replace(leg, oracle=replace(leg.oracle, asset=at("WETH"))) for leg in p.legs)
    return told(replace(p, legs=legs))


def inputs(
    loans: Sequence[LendingPosition] | None = None,
    perps: Sequence[PerpPosition] | None = None,
    sales: Mapping[str, Mapping[Address, Sold]] | None = None,
    size: float = 0.004,
    **more: Any,
) -> Json:
    """A loop, a short of what it holds, and the book of both, unless a test says otherwise."""
    held = [loop(dollars="12500")] if loans is None else loans
    traded = [of_ether(short("9", margin="4000"))] if perps is None else perps
    names = tuple(p.name for p in (*held, *traded))
    sources = {
        "eth": Source(waves("2000", size), HOUR, "a test"),
        "btc": Source(waves("60000", 0.003), HOUR, "a test"),
        "usd": Source(waves("1", 0.0003), DAY, "a test"),
    }
    drivers = {at("WETH"): "eth", at("WBTC"): "btc", at("USDC"): "usd", at("DAI"): "usd"}
    books = {"hedged": BookInputs(names, (("ETH", usd("100")),))}
    usual = {h.name: {at("WETH"): Sold(usd("20000"), usd("19000"))} for h in held}
    given = {"books": books, "sales": usual if sales is None else sales} | more
    return document_of(BLOCK, held, sources, drivers, (DAY, 7 * DAY), 4_000, 1, perps=traded, **given)
