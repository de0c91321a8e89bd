"""GMX v2 positions: one account's position in one market, with one collateral, on one side, at one block.

The figures are those a liquidation would find: pending funding and borrowing count, which the Reader's own flag leaves
out. Our sums (``core.perps``) must meet the Reader's, corrected by just those payments: ``PerpPosition.reported``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from keeper.core.perp.position import Factor, MarginBasis, PerpFigures, PerpLeg, PerpPosition, VenueOrder
from keeper.core.prices import Doubt
from keeper.core.reasons import Reason
from keeper.core.snapshot import BlockRef
from keeper.core.units import Address, Amount
from keeper.venues.gmx_v2 import formulas, keys, rates
from keeper.venues.gmx_v2.answers import (
    FullClose,
    LiquidationCheck,
    MarketInfo,
    OrderRow,
    RawPosition,
    full_close,
    liquidation_check,
    market_info,
    raw_position,
)
from keeper.venues.gmx_v2.fees import INCREASES
from keeper.venues.gmx_v2.markets import (
    DATA,
    MOST,
    READER,
    USD_UNIT,
    GmxMarket,
    MarketPrices,
    Token,
    decode_orders,
    oracle_of,
)
from keeper.venues.ports import Answer, Probe, ReadFailedError

NOBODY = Address("0x" + "00" * 20)
_VIEWS = 5
_VIEW_GAS = 2_000_000
"""What a view of the Reader takes, from above."""


@dataclass(frozen=True, slots=True)
class GmxScope:
    """Which position: the market, whose, with which collateral, on which side."""

    market: GmxMarket
    owner: Address
    collateral: Address
    is_long: bool

    @property
    def key(self) -> bytes:
        """The position's key."""
        return keys.position_key(self.owner, self.market.token, self.collateral, is_long=self.is_long)

    @property
    def token(self) -> Token:
        """The collateral token. Raises KeyError when the market takes no such collateral."""
        return self.market.collateral(self.collateral)

    @property
    def moves_with_index(self) -> bool:
        """Whether the collateral is worth what is traded: ETH for an ETH market."""
        return self.token.moves_with(self.market.index, self.market.symbol)


@dataclass(frozen=True, slots=True)
class MarketLimits:
    """What the DataStore says of a market's margins and open interest, at one block."""

    initial: int
    maintenance: int
    least_usd: int
    interest: tuple[int, int]
    """Long and short, in dollars at entry."""
    impact_cap: int
    borrowing_factor: int


def position_probe(scope: GmxScope, name: str, block: BlockRef, prices: MarketPrices) -> Probe[PerpPosition]:
    """Return the probe of a position at ``prices``, read at the same block.

    Without a position it decodes to an empty one that still has prices and rates. Decoding raises ReadFailedError
    when a figure is missing: that there is no position is only believed from the stored position itself.
    """
    at, store = scope.market.deployment, scope.market.deployment.data_store
    referrals, struct = at.referral_storage, prices.struct
    views = (
        READER.getPosition.read(at.reader, store, scope.key),
        READER.getMarketInfo.read(at.reader, store, struct, scope.market.token),
        READER.getAccountOrders.read(at.reader, store, scope.owner, 0, MOST),
        READER.getPositionInfo.read(at.reader, store, referrals, scope.key, struct, 0, NOBODY, True),
        READER.isPositionLiquidatable.read(
            at.reader, store, referrals, scope.key, scope.market.struct, struct, True, True
        ),
    )
    heavy = tuple(replace(view, gas=_VIEW_GAS) for view in views)
    figures = _bounds_keys(scope)

    def decode(answers: Sequence[Answer]) -> PerpPosition:
        stored = raw_position(READER.getPosition.decode(answers[0])[0])
        market = market_info(READER.getMarketInfo.decode(answers[1])[0])
        orders = own_orders(scope, answers[2])
        bounds = _bounds([DATA.getUint.decode(a)[0] for a in answers[_VIEWS:]], scope)
        empty = _empty(scope, name, block, prices, market, bounds, orders)
        if not stored.exists:
            return empty
        closing = full_close(READER.getPositionInfo.decode(answers[3])[0])
        check = liquidation_check(*READER.isPositionLiquidatable.decode(answers[4]))
        if closing.position != stored:
            raise ReadFailedError(Doubt(Reason.POSITION_UNREADABLE, "the Reader gives two positions for one key"))
        return _held(empty, scope, prices, market, bounds, closing, check)

    return Probe((*heavy, *(DATA.getUint.read(store, k) for k in figures)), decode)


def own_orders(scope: GmxScope, answer: Answer) -> tuple[VenueOrder, ...]:
    """Return the orders that would change the position, or may, of all the account's orders.

    Also those that swap on their way: a decrease swaps what it pays out; an increase may swap any token into the
    position's collateral, and counts whatever token it begins with.
    """
    found = ((row, row.order()) for row in decode_orders(answer))
    return tuple(order for row, order in found if order and _may_change(scope, row, order))


def _may_change(scope: GmxScope, row: OrderRow, order: VenueOrder) -> bool:
    if (order.market, order.is_long) != (scope.market.token, scope.is_long):
        return False
    return order.collateral == scope.collateral or (order.kind in INCREASES and bool(row.swap_path))


def _bounds_keys(scope: GmxScope) -> tuple[bytes, ...]:
    market, long, short = scope.market.token, scope.market.long.address, scope.market.short.address
    return (
        keys.key("MIN_COLLATERAL_FACTOR", market),
        keys.key("MIN_COLLATERAL_FACTOR_FOR_LIQUIDATION", market),
        keys.key("MIN_COLLATERAL_FACTOR_FOR_OPEN_INTEREST_MULTIPLIER", market, scope.is_long),
        keys.key("MIN_COLLATERAL_USD"),
        *(keys.key("OPEN_INTEREST", market, token, side) for side in (True, False) for token in (long, short)),
        keys.key("MAX_POSITION_IMPACT_FACTOR_FOR_LIQUIDATIONS", market),
        keys.key("CUMULATIVE_BORROWING_FACTOR", market, scope.is_long),
    )


def _bounds(values: Sequence[int], scope: GmxScope) -> MarketLimits:
    factor, maintenance, multiplier, least_usd, *interest, impact_cap, borrowing_factor = values
    divisor = 2 if scope.market.long.address == scope.market.short.address else 1
    sides = (sum(interest[:2]) // divisor, sum(interest[2:]) // divisor)
    for_interest = formulas.apply_factor(sides[0 if scope.is_long else 1], multiplier)
    return MarketLimits(max(factor, for_interest), maintenance, least_usd, sides, impact_cap, borrowing_factor)


def _empty(
    scope: GmxScope,
    name: str,
    block: BlockRef,
    prices: MarketPrices,
    market: MarketInfo,
    bounds: MarketLimits,
    orders: tuple[VenueOrder, ...],
) -> PerpPosition:
    token, rate = scope.token, _rate(market, bounds, is_long=scope.is_long)
    leg = PerpLeg(
        market=scope.market.token,
        symbol=scope.market.symbol,
        size=0,
        size_unit=10**scope.market.index.decimals,
        entry_notional=0,
        mark_price=prices.index.pick(is_long=scope.is_long, is_increase=False),
        index_price=prices.index.pick(is_long=scope.is_long, is_increase=False),
        price_scale=1,
        funding_owed=0,
        borrowing_owed=0,
        closing_cost=0,
        # without a size it is given as a long would pay it: the only trade this scope can open is on its own side
        funding_rate=rate if scope.is_long else -rate,
        oracle=oracle_of(scope.market.index, scope.market.symbol, prices.index),
    )
    return PerpPosition(
        name=name,
        venue="gmx_v2",
        owner=scope.owner,
        block=block,
        is_cross=False,
        usd_unit=USD_UNIT,
        legs=(leg,),
        collateral=token.address,
        collateral_symbol=token.symbol,
        collateral_decimals=token.decimals,
        collateral_price=_collateral_price(scope, prices) * 10**token.decimals,
        margin=0,
        indexed_margin=0,
        free_margin=Amount(0),
        basis=MarginBasis.ENTRY,
        initial=Factor(bounds.initial),
        maintenance=Factor(bounds.maintenance),
        least_requirement=bounds.least_usd,
        reported=PerpFigures(0, 0),
        orders=orders,
        only_long=scope.is_long,
    )


def _rate(market: MarketInfo, bounds: MarketLimits, *, is_long: bool) -> int:
    longs, shorts = bounds.interest
    funding = rates.side_rate(longs, shorts, market.funding_per_second, longs_pay=market.longs_pay, is_long=is_long)
    return funding + rates.borrowing_rate(market.borrowing_per_second[0 if is_long else 1])


def _collateral_price(scope: GmxScope, prices: MarketPrices) -> int:
    return (prices.long if scope.collateral == scope.market.long.address else prices.short).low


def _held(
    empty: PerpPosition,
    scope: GmxScope,
    prices: MarketPrices,
    market: MarketInfo,
    bounds: MarketLimits,
    closing: FullClose,
    check: LiquidationCheck,
) -> PerpPosition:
    stored, price = closing.position, _collateral_price(scope, prices)
    (leg,) = empty.legs
    value = stored.collateral * price
    indexed = value // leg.mark_price if scope.moves_with_index else 0
    impact = formulas.impact_for_liquidation(closing.impact_usd, stored.size_usd, bounds.impact_cap)
    fees = closing.total_cost - closing.funding_fee - closing.borrowing_fee
    held = PerpLeg(
        market=leg.market,
        symbol=leg.symbol,
        size=stored.size_tokens if stored.is_long else -stored.size_tokens,
        size_unit=leg.size_unit,
        entry_notional=stored.size_usd,
        mark_price=leg.mark_price,
        index_price=leg.index_price,
        price_scale=1,
        funding_owed=closing.funding_fee * price,
        borrowing_owed=closing.borrowing_fee * price,
        # a profit that the cap on all traders' profit cuts off is no worth either
        closing_cost=fees * price - impact + closing.uncapped_pnl_usd - closing.pnl_usd,
        funding_rate=_rate(market, bounds, is_long=scope.is_long),
        oracle=leg.oracle,
        pending_impact=closing.pending_impact_usd,
    )
    equity = check.remaining + (_stored_cost(scope, stored, market, bounds, price) - _pending_cost(closing)) * price
    return PerpPosition(
        name=empty.name,
        venue=empty.venue,
        owner=empty.owner,
        block=empty.block,
        is_cross=False,
        usd_unit=USD_UNIT,
        legs=(held,),
        collateral=empty.collateral,
        collateral_symbol=empty.collateral_symbol,
        collateral_decimals=empty.collateral_decimals,
        collateral_price=empty.collateral_price,
        margin=value - indexed * leg.mark_price,
        indexed_margin=indexed,
        free_margin=_free(closing, bounds, price, impact),
        basis=MarginBasis.ENTRY,
        initial=empty.initial,
        maintenance=empty.maintenance,
        least_requirement=empty.least_requirement,
        reported=PerpFigures(equity, max(check.least, check.for_leverage, 1)),
        orders=empty.orders,
        only_long=empty.only_long,
    )


def _pending_cost(closing: FullClose) -> int:
    return closing.funding_fee + closing.borrowing_fee


def _stored_cost(scope: GmxScope, stored: RawPosition, market: MarketInfo, bounds: MarketLimits, price: int) -> int:
    """Return funding and borrowing as the Reader's check counts them: as of the market's last update, in tokens."""
    borrowing = formulas.borrowing_usd(stored.size_usd, bounds.borrowing_factor, stored.borrowing_factor) // price
    side = market.funding_per_size[0 if scope.is_long else 1]
    per_size = side[0 if scope.collateral == scope.market.long.address else 1]
    return borrowing + formulas.funding_fee(stored.size_usd, per_size, stored.funding_per_size)


def _free(closing: FullClose, bounds: MarketLimits, price: int, impact: int) -> Amount:
    """Return what a withdrawal may take now (DecreasePositionUtils and validatePosition); profit frees nothing.

    What stays must cover the initial margin by itself, be worth the least collateral after losses, and not be
    liquidatable once pending payments are settled.
    """
    stored, loss = closing.position, min(0, closing.pnl_usd)
    for_initial = formulas.apply_factor(stored.size_usd, bounds.initial)
    for_least = bounds.least_usd - loss
    kept = formulas.liquidation_requirement(stored.size_usd, bounds.maintenance, bounds.least_usd)
    for_liquidation = kept - loss - impact + closing.total_cost * price
    needed = -(-max(for_initial, for_least, for_liquidation, 0) // price)
    return Amount(max(0, stored.collateral - needed))
