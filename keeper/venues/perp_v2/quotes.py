"""Perpetual Protocol v2: what a trade would cost now.

The market is a Uniswap v3 pool of the same factory as others, so Uniswap's own QuoterV2 answers for it, in the one
pinned read. The exchange takes its own fee in place of the pool's (``Exchange._swap``, ``SwapMath``): a sale sends the
pool more base, so that what is left after the pool's fee is the size; a purchase gets the pool's fee back.
"""

from __future__ import annotations

from collections.abc import Sequence

from keeper.core.perp.moves import TradeQuote
from keeper.core.units import WAD, Address, mul_div_down, mul_div_up
from keeper.venues.codec.abi import load
from keeper.venues.perp_v2.markets import Q96, RATIO, PerpV2Deployment, PerpV2Market, terms_probe
from keeper.venues.ports import Answer, Probe, Read

_BALANCE = load("perp_v2_account_balance")
_EXCHANGE = load("perp_v2_exchange")
_BASE = load("perp_v2_base_token")
_QUOTER = load("uniswap_v3_quoter_v2")


def trade_probe(
    deployment: PerpV2Deployment, market: PerpV2Market, owner: Address, size_change: int, quoter: Address
) -> Probe[TradeQuote | None]:
    """Return the probe of buying (positive) or selling exactly ``size_change``; it is not zero.

    None where the market would refuse it: not open, too thin, or the price would leave its band around the index.
    ``fee`` is exact unless the trade crosses liquidity edges, then a wei per edge above. ``impact`` is against the mark
    price; it is negative where the market is better than that. ``price`` is before the fee, rounded against us.
    """
    base, terms_of = market.base_token, terms_probe(deployment, owner, market.base_token)
    reads = (
        _quoter_read(market, size_change, quoter),
        _BASE.isOpen.read(base),
        _BALANCE.getMarkPrice.read(deployment.account_balance, base),
        _BASE.getIndexPrice.read(base, 0),
        _EXCHANGE.getSqrtMarketTwapX96.read(deployment.exchange, base, 0),
        *terms_of.reads,
    )

    def decode(answers: Sequence[Answer]) -> TradeQuote | None:
        quoted = _QUOTER.quoteExactInputSingle.decode_or_none(answers[0])  # both kinds answer alike
        (is_open,) = _BASE.isOpen.decode(answers[1])
        if not is_open or quoted is None:
            return None
        exchanged, root_after, edges, _ = quoted
        (mark,), (index,) = _BALANCE.getMarkPrice.decode(answers[2]), _BASE.getIndexPrice.decode(answers[3])
        (root_before,) = _EXCHANGE.getSqrtMarketTwapX96.decode(answers[4])
        terms = terms_of.decode(answers[5:])
        if not _is_in_band(index, root_before, root_after, terms.most_spread):
            return None
        at_mark = mul_div_down(abs(size_change), mark, WAD)
        if size_change < 0:
            notional, fee = exchanged, mul_div_up(exchanged, terms.exchange_fee, RATIO) + edges
            price, impact = mul_div_down(notional, WAD, -size_change), at_mark - notional
        else:
            notional = mul_div_down(exchanged, RATIO - terms.uniswap_fee, RATIO)
            fee = mul_div_up(notional, terms.exchange_fee, RATIO - terms.exchange_fee) + edges
            price, impact = mul_div_up(notional, WAD, size_change), notional - at_mark
        return TradeQuote(size_change, notional, fee, impact, price)

    return Probe(reads, decode)


def _quoter_read(market: PerpV2Market, size_change: int, quoter: Address) -> Read:
    base, quote, fee = market.base_token, market.quote_token, market.uniswap_fee
    if size_change < 0:
        sent = mul_div_up(-size_change, RATIO, RATIO - fee)
        return _QUOTER.quoteExactInputSingle.read(quoter, (base, quote, sent, fee, 0))
    return _QUOTER.quoteExactOutputSingle.read(quoter, (quote, base, size_change, fee, 0))


def _is_in_band(index: int, root_before: int, root_after: int, most: int) -> bool:
    """Return whether a trade may leave the market there: in the band, or no further out than it was (``EX_OPB``)."""
    before, after = (_spread(index, root) for root in (root_before, root_after))
    return min(before, -most) <= after <= max(before, most)


def _spread(index: int, root: int) -> int:
    """Return how far the market is from the index in millionths, cut towards zero."""
    away = mul_div_down(mul_div_down(root, root, Q96), WAD, Q96) - index
    share = mul_div_down(abs(away), RATIO, index)
    return share if away >= 0 else -share
