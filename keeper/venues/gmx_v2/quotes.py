"""What a GMX v2 trade would give now, and whether a keeper of the exchange could execute it now.

Quotes come from the Reader at the block's prices, with virtual inventory and all. A trade's own impact is what costs
or brings; what earlier increases stored is settled with a decrease as well, but was decided then.
"""

from __future__ import annotations

from collections.abc import Sequence

from keeper.core.perp.moves import TradeQuote
from keeper.core.perp.position import PerpPosition
from keeper.core.units import Address, Wei, mul_div_down, mul_div_up
from keeper.venues.codec.abi import custom_error, revert_reason
from keeper.venues.gmx_v2 import keys
from keeper.venues.gmx_v2.formulas import apply_factor
from keeper.venues.gmx_v2.markets import DATA, READER, MarketPrices
from keeper.venues.gmx_v2.orders import ROUTER
from keeper.venues.gmx_v2.outcomes import ContractError
from keeper.venues.gmx_v2.positions import GmxScope
from keeper.venues.gmx_v2.trials import HANDLER
from keeper.venues.ports import Answer, Call, Probe

_WOULD_EXECUTE = "EndOfOracleSimulation"
_AHEAD_S = 120
"""Prices must be no older than the order, which a trial leaves a little after its block, nor 300 s younger."""


def size_usd_of(position: PerpPosition, size_change: int, prices: MarketPrices) -> int:
    """Return a trade of ``size_change`` (signed index units) as GMX's orders count it, in dollars.

    An increase is counted at the price, a decrease as its part of the dollars at entry, rounded up; all of it is all.
    """
    (leg,) = position.legs
    if not leg.size or (leg.size > 0) == (size_change > 0):
        return abs(size_change) * prices.index.pick(is_long=size_change > 0, is_increase=True)
    closed = min(abs(size_change), abs(leg.size))
    return mul_div_up(leg.entry_notional, closed, abs(leg.size))


def quote_probe(
    scope: GmxScope, position: PerpPosition, prices: MarketPrices, sizes: Sequence[int]
) -> Probe[tuple[TradeQuote, ...]]:
    """Return the probe of what trades of ``sizes`` (signed index units) would give; those that cannot be are left out.

    The fee is without discounts: from above.
    """
    at, (leg,) = scope.market.deployment, position.legs
    store, market = at.data_store, scope.market.token
    dollars = [size_usd_of(position, size, prices) for size in sizes]
    grows = [(size > 0) == scope.is_long for size in sizes]
    deltas = [usd if grow else -usd for usd, grow in zip(dollars, grows, strict=True)]
    held = (leg.entry_notional, abs(leg.size))
    reads = (
        DATA.getUint.read(store, keys.key("POSITION_FEE_FACTOR", market, True)),
        DATA.getUint.read(store, keys.key("POSITION_FEE_FACTOR", market, False)),
        *(
            READER.getExecutionPrice.read(at.reader, store, market, prices.struct, *held, delta, 0, scope.is_long)
            for delta in deltas
        ),
    )

    def decode(answers: Sequence[Answer]) -> tuple[TradeQuote, ...]:
        better, worse = (DATA.getUint.decode(a)[0] for a in answers[:2])
        quotes = []
        for size, usd, grow, answer in zip(sizes, dollars, grows, answers[2:], strict=True):
            if stated := READER.getExecutionPrice.decode_or_none(answer):
                impact, price, is_better, *_ = stated[0]
                traded = abs(size) * prices.index.pick(is_long=scope.is_long, is_increase=grow)
                fee = apply_factor(usd, better if is_better else worse)
                quotes.append(TradeQuote(size, traded, fee, -impact, price))
        return tuple(quotes)

    return Probe(reads, decode)


def acceptable(price: int, slippage_bps: int, *, is_long: bool, is_increase: bool) -> int:
    """Return the worst price to accept for a quoted one, never beyond the bound."""
    if is_long == is_increase:
        return mul_div_down(price, 10_000 + slippage_bps, 10_000)
    return mul_div_up(price, 10_000 - slippage_bps, 10_000)


def rehearsal_of(scope: GmxScope, handler: Address, key: str, prices: MarketPrices, timestamp: int) -> Call:
    """Return a call that has an order executed that was left before, at ``prices``; it always reverts.

    The OrderHandler lets anybody try it. ``timestamp`` is the block's.
    """
    data = HANDLER.simulateExecuteOrder.encode(bytes.fromhex(key[2:]), simulated(scope, prices, timestamp))
    return Call(handler, data, Wei(0), "an order as if executed now")


def simulated(scope: GmxScope, prices: MarketPrices, timestamp: int) -> tuple[object, ...]:
    """Return prices as the exchange takes them for a trial: each token's once, and from when they are."""
    stated = dict(zip((t.address for t in scope.market.tokens), prices.struct, strict=True))
    then = timestamp + _AHEAD_S
    return (list(stated), list(stated.values()), then, then)


def rehearsal(scope: GmxScope, call: Call, prices: MarketPrices, timestamp: int) -> Call:
    """Return a call that leaves an order and has it executed at once, at ``prices``; it always reverts.

    For eth_call only, from the owner, on state where the owner's approval is in place. ``timestamp`` is the block's.
    Raises ValueError for a call that creates no order.
    """
    (parts,) = ROUTER.multicall.decode_inputs(call.data)
    tried = ROUTER.simulateExecuteLatestOrder.encode(simulated(scope, prices, timestamp))
    data = ROUTER.multicall.encode([*parts, tried])
    return Call(call.to, data, Wei(call.value), f"{call.purpose}: as if executed now")


def verdict(revert_data: bytes) -> ContractError | None:
    """Return why a rehearsed order could not be executed now; None when it could."""
    known = custom_error(revert_data)
    if known and known[0] == _WOULD_EXECUTE:
        return None
    name, arguments = known or (revert_reason(revert_data), ())
    return ContractError(name, arguments, revert_reason(revert_data))
