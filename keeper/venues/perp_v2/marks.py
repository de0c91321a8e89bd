"""How Perp v2 makes its mark price: the median of two averages of the market and of the index with a premium.

``AccountBalance._getMarkPrice``. Of an oracle's new answer only the index with its premium takes notice at once, so the
mark at another answer is known from what was read. A version that makes it otherwise is seen by its own figure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from keeper.core.units import WAD, mul_div_down
from keeper.venues.codec.abi import load
from keeper.venues.perp_v2.markets import Q96, PerpV2Deployment, PerpV2Market
from keeper.venues.ports import Answer, Read

_BASE = load("perp_v2_base_token")
_EXCHANGE = load("perp_v2_exchange")
NOW_S = 15
"""Over which the contract averages what it takes for the market price of now."""


@dataclass(frozen=True, slots=True)
class MedianMark:
    """The three of which the mark is the middle one; all in 10^-18 dollars."""

    market: int
    average: int
    premium: int
    """What the market stood above the index, on average; negative below it."""

    def mark(self, index_price: int) -> int:
        """Return the mark price at an index price."""
        return sorted((self.market, self.average, index_price + self.premium))[1]


def reads(deployment: PerpV2Deployment, market: PerpV2Market) -> tuple[Read, ...]:
    """Return what a market's mark is made of: four averages; nothing where nobody says over which time."""
    if deployment.mark_windows_s is None:
        return ()
    average_s, premium_s = deployment.mark_windows_s
    exchange, base = deployment.exchange, market.base_token
    return (
        *(_EXCHANGE.getSqrtMarketTwapX96.read(exchange, base, window) for window in (NOW_S, average_s, premium_s)),
        _BASE.getIndexPrice.read(base, premium_s),
    )


def rule(answers: Sequence[Answer]) -> MedianMark | None:
    """Return how the mark follows the index; None where anything of it is not known, or the contract would refuse."""
    if not answers:
        return None
    roots = [_EXCHANGE.getSqrtMarketTwapX96.decode_or_none(answer) for answer in answers[:3]]
    index = _BASE.getIndexPrice.decode_or_none(answers[3])
    if index is None or any(root is None for root in roots):
        return None
    market, average, before = (_price(root[0]) for root in roots if root is not None)
    return MedianMark(market, average, before - index[0])


def _price(root: int) -> int:
    return mul_div_down(mul_div_down(root, root, Q96), WAD, Q96)
