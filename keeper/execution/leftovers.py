"""What a plan cut short left outside the position, from the calls of it that were mined: there it secures nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from keeper.core.lending.moves import Repay, Supply
from keeper.core.snapshot import LendingPosition
from keeper.core.units import UINT256_MAX, Address, Amount
from keeper.execution.encoding import Venues
from keeper.journal import Transaction
from keeper.venues.aave_v3 import calls as aave_v3_calls
from keeper.venues.exchanges import uniswap_v3


def outside(
    rows: Iterable[Transaction], venues: Venues, held: Mapping[Address, Amount] | None = None
) -> dict[Address, Amount]:
    """Return by asset what mined rows took out or bought and neither sold nor paid in; at most what is ``held``.

    A batch does all or nothing and leaves nothing. A swap counts as selling the most it may.
    """
    left = Counter[Address]()
    for row in rows:
        if row.state not in ("mined", "confirmed"):
            continue
        data = bytes.fromhex(row.data[2:])
        if row.to == venues.market.pool:
            call = aave_v3_calls.decode_call(data)
            if call.amount == UINT256_MAX:
                left[call.asset] = 0
            else:
                left[call.asset] += call.amount if call.function in ("withdraw", "borrow") else -call.amount
        elif venues.uniswap and row.to == venues.uniswap.router:
            swap, _, _ = uniswap_v3.decode_swap(data)
            left[swap.route.tokens[0]] -= swap.sold
            left[swap.route.tokens[-1]] += swap.bought
    if held is not None:
        left = Counter({asset: min(amount, held.get(asset, 0)) for asset, amount in left.items()})
    return {asset: Amount(amount) for asset, amount in left.items() if amount > 0}


def payments(left: dict[Address, Amount], position: LendingPosition) -> list[Supply | Repay]:
    """Return what brings it back: a debt in the asset is repaid, else it is supplied."""
    owing = {h.reserve.asset for h in position.holdings if h.scaled_debt}
    return [Repay(asset, amount) if asset in owing else Supply(asset, amount) for asset, amount in left.items()]
