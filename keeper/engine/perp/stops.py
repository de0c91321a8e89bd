"""Stop orders that rest with the venue: a second line that works while the keeper is dead.

Each rule with ``rest = true`` has one order on the venue, of the position's size and the rule's price. It is placed,
changed when size or price moved, and taken back when the position or the rule is gone.
"""

from __future__ import annotations

from collections.abc import Iterator

from keeper.core.perp.metrics import STOP_LOSS, TAKE_PROFIT, leg_of, price_usd
from keeper.core.perp.moves import CancelOrder, PerpMove, PlaceOrder, UpdateOrder
from keeper.core.perp.position import OrderKind, PerpLeg, PerpPosition, VenueOrder
from keeper.core.perp.rules import PerpRule
from keeper.core.snapshot import Snapshot
from keeper.core.units import BPS, USD, Bps, mul_div_down
from keeper.engine.engine import Engine
from keeper.engine.perp.upkeep import carry_out

SIZE_WITHIN = Bps(50)
"""A resting order whose size is off by less than this stays as it is."""
RESTING_SLIPPAGE = Bps(300)
"""A stop that fires while the keeper is dead fills in a falling market: it may be this much worse than its trigger."""
KINDS = {STOP_LOSS.key: OrderKind.STOP_LOSS, TAKE_PROFIT.key: OrderKind.TAKE_PROFIT}


async def keep_stops(engine: Engine, snapshot: Snapshot, position: PerpPosition) -> None:
    """Bring the resting orders in step with the position: one change a block, written down like any plan."""
    rules = tuple(rule for rule in engine.perps.rules_of(position.name) if rule.rests)
    if not rules and not any(_is_of_ours(order) for order in position.orders):
        return
    own = await engine.perps.own_orders(position.name)
    for rule, move in changes(position, rules, own):
        await carry_out(engine, snapshot, position, rule, move)
        return


async def take_back(engine: Engine, snapshot: Snapshot, position: PerpPosition, order: VenueOrder) -> None:
    """Cancel an order that is late or frozen."""
    await carry_out(engine, snapshot, position, None, CancelOrder(order.key))


def changes(
    position: PerpPosition, rules: tuple[PerpRule, ...], own: frozenset[str]
) -> Iterator[tuple[PerpRule | None, PerpMove]]:
    """Yield what has to be done so that every rule that rests has its order, and no order of ours is without a rule.

    ``own`` are the keys this keeper placed: what the owner placed is left alone, unless it is exactly what a rule
    wants, as an order is that was placed just before a kill.
    """
    spare = [order for order in position.orders if _is_of_ours(order)]
    legs = [(rule, leg) for rule in rules if (leg := leg_of(position, rule.trigger.of)) is not None]
    open_ = [(rule, leg, wanted_order(position, leg, rule)) for rule, leg in legs]
    for rule, leg, wanted in tuple(open_):  # those that have exactly what they want first: nobody takes it from them
        fitting = next((o for o in spare if _is_alike(o, wanted, position) and _matches(o, wanted)), None)
        if fitting is not None:
            spare.remove(fitting)
            open_.remove((rule, leg, wanted))
    for rule, leg, wanted in open_:
        alike = [o for o in spare if o.key in own and _is_alike(o, wanted, position)]
        mine = next((o for o in alike if o.trigger_price == wanted.trigger_price), alike[0] if alike else None)
        if mine is not None:
            spare.remove(mine)
        if rule.trigger.fires_at(price_usd(leg), position):
            continue  # it would be carried out at once, past every doubt; one that froze would freeze again, for a fee
        if mine is not None:
            yield rule, UpdateOrder(mine.key, wanted.size_usd, wanted.trigger_price, wanted.acceptable_price)
        else:
            yield rule, wanted
    for order in spare:
        if order.key in own:
            yield None, CancelOrder(order.key)


def wanted_order(position: PerpPosition, leg: PerpLeg, rule: PerpRule) -> PlaceOrder:
    """Return the order a rule wants: the whole leg, at the rule's price, with room for a falling market."""
    trigger = price_of(position, leg, rule.trigger.bound)
    slippage = max(rule.limits.max_slippage, RESTING_SLIPPAGE)
    worse = BPS - slippage if leg.is_long else BPS + slippage
    acceptable = mul_div_down(trigger, worse, BPS)
    kind = KINDS[rule.trigger.metric.key]
    return PlaceOrder(kind, leg.market, leg.is_long, leg.entry_notional, trigger, acceptable)


def price_of(position: PerpPosition, leg: PerpLeg, dollars: int) -> int:
    """Return base units (10^-8 dollars a whole underlying) in the leg's own price precision, rounded down."""
    return mul_div_down(dollars * position.usd_unit, leg.price_scale, leg.size_unit * USD)


def _is_of_ours(order: VenueOrder) -> bool:
    """Return whether an order is of a kind that rules leave with a venue."""
    return order.kind in KINDS.values()


def _is_alike(order: VenueOrder, wanted: PlaceOrder, position: PerpPosition) -> bool:
    """Return whether an order is about the same: its kind, market, side and collateral."""
    mine = (wanted.kind, wanted.market, wanted.is_long, position.collateral)
    return (order.kind, order.market, order.is_long, order.collateral) == mine


def _matches(order: VenueOrder, wanted: PlaceOrder) -> bool:
    """Return whether a resting order does what is wanted; one that froze does nothing any more."""
    if order.is_frozen or order.trigger_price != wanted.trigger_price:
        return False
    return abs(order.size_usd - wanted.size_usd) * BPS <= max(order.size_usd, wanted.size_usd) * SIZE_WITHIN
