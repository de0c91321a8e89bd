"""What the gate knows of a perpetual position: its collateral's price, its sizes at the index price, its orders."""

from __future__ import annotations

from keeper.core.grounds import Grounds, Held, Priced, Resting
from keeper.core.perp.position import OrderKind, PerpPosition
from keeper.core.units import USD

CLOSING = (OrderKind.STOP_LOSS, OrderKind.TAKE_PROFIT)


def grounds(position: PerpPosition) -> Grounds:
    """Return what effects on a position are judged by."""
    unit = 10**position.collateral_decimals * position.usd_unit
    collateral = Priced(position.collateral_symbol, position.collateral_price * USD, unit)
    markets = {
        leg.market: Held(
            Priced(leg.symbol, leg.index_price * USD, leg.price_scale * position.usd_unit), leg.size, leg.index_price
        )
        for leg in position.legs
    }
    orders = {o.key: Resting(o.market, o.kind.value, o.kind in CLOSING) for o in position.orders}
    return Grounds({position.collateral: collateral}, markets, orders)
