"""Stop orders that rest with the venue: a second line that works while the keeper is dead.

Each rule with ``rest = true`` has one order on the venue, of the position's size and the rule's price. It is placed,
changed when size or price moved, and taken back when the position or the rule is gone. Where the rule's price follows
volatility the order follows it as far as that is worth its gas (``following``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from keeper.core.perp.following import NOWHERE, Span, Worth, left_alone
from keeper.core.perp.metrics import STOP_LOSS, TAKE_PROFIT, leg_of, price_usd
from keeper.core.perp.moves import CancelOrder, PerpMove, PlaceOrder, UpdateOrder
from keeper.core.perp.position import OrderKind, PerpLeg, PerpPosition, VenueOrder
from keeper.core.perp.rules import PerpRule
from keeper.core.rules import as_now
from keeper.core.snapshot import Snapshot
from keeper.core.units import BPS, USD, WAD, Bps, mul_div_down
from keeper.engine.engine import Engine
from keeper.engine.perp.assess import looking_ahead
from keeper.engine.perp.upkeep import carry_out

SIZE_WITHIN = Bps(50)
"""A resting order whose size is off by less than this stays as it is."""
RESTING_SLIPPAGE = Bps(300)
"""A stop that fires while the keeper is dead fills in a falling market: it may be this much worse than its trigger."""
UPDATE_GAS = 600_000
"""What changing an order takes, about: for weighing whether a small change is worth it, not for paying."""
KINDS = {STOP_LOSS.key: OrderKind.STOP_LOSS, TAKE_PROFIT.key: OrderKind.TAKE_PROFIT}


async def keep_stops(engine: Engine, snapshot: Snapshot, position: PerpPosition) -> None:
    """Bring the resting orders in step with the position: one change a block, written down like any plan."""
    rules = tuple(rule for rule in engine.perps.rules_of(position.name) if rule.rests)
    seen = looking_ahead(engine, position)
    now = tuple(as_now(rule, seen)[0] for rule in rules)
    if not rules and not any(_is_of_ours(order) for order in position.orders):
        return
    own = await engine.perps.own_orders(position.name)
    near = {rule.name: await _left_alone(engine, snapshot, seen, rule) for rule in rules if rule.trigger.widening}
    for rule, move in changes(position, now, own, near):
        await carry_out(engine, snapshot, position, rule, move)
        return


async def _left_alone(engine: Engine, snapshot: Snapshot, position: PerpPosition, rule: PerpRule) -> Span:
    """Return between which prices an order of a rule that follows volatility stays as it is. Raises JournalError."""
    leg = leg_of(position, rule.trigger.of)
    acted_at = (await engine.past_of(rule, snapshot.block, "upkeep")).acted_at
    rests = acted_at is not None and snapshot.block.timestamp - acted_at < rule.cooldown_s
    gas_usd = snapshot.block.base_fee * UPDATE_GAS * snapshot.native_price // WAD
    size_usd = 0 if leg is None else leg.entry_notional * USD // position.usd_unit
    return left_alone(rule, position, Worth(gas_usd, size_usd, 0 if leg is None else price_usd(leg)), is_soon=rests)


async def take_back(engine: Engine, snapshot: Snapshot, position: PerpPosition, order: VenueOrder) -> None:
    """Cancel an order that is late or frozen."""
    await carry_out(engine, snapshot, position, None, CancelOrder(order.key))


def changes(
    position: PerpPosition,
    rules: tuple[PerpRule, ...],
    own: frozenset[str],
    near: Mapping[str, Span] = NOWHERE,
) -> Iterator[tuple[PerpRule | None, PerpMove]]:
    """Yield what has to be done so that every rule that rests has its order, and no order of ours is without a rule.

    ``own`` are the keys this keeper placed: what the owner placed is left alone, unless it is exactly what a rule
    wants, as an order is that was placed just before a kill. ``near``: by rule, between which prices (dollars) its
    order stays as it is.
    """

    def fits(order: VenueOrder, rule: PerpRule, leg: PerpLeg, wanted: PlaceOrder) -> bool:
        low, high = near.get(rule.name, (rule.trigger.bound, rule.trigger.bound))
        is_near = price_of(position, leg, low) <= order.trigger_price <= price_of(position, leg, high)
        is_own = order.key in own or order.trigger_price == wanted.trigger_price
        return is_near and is_own and _is_alike(order, wanted, position) and _matches(order, wanted)

    spare = [order for order in position.orders if _is_of_ours(order)]
    legs = [(rule, leg) for rule in rules if (leg := leg_of(position, rule.trigger.of)) is not None]
    open_ = [(rule, leg, wanted_order(position, leg, rule)) for rule, leg in legs]
    for rule, leg, wanted in tuple(open_):  # those that have exactly what they want first: nobody takes it from them
        fitting = next((o for o in spare if fits(o, rule, leg, wanted)), None)
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
    """Return whether a resting order is of the size that is wanted; one that froze does nothing any more."""
    if order.is_frozen:
        return False
    return abs(order.size_usd - wanted.size_usd) * BPS <= max(order.size_usd, wanted.size_usd) * SIZE_WITHIN
