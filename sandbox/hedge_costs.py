"""What keeping the book cost, from the chain's own events: dollars, positive is paid.

All is valued at the feeds' prices after the block it happened in, and so is equity: what equity moved by is what the
price did to the delta that was open, less these costs, and interest.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sandbox.demo_result import mined
from sandbox.demo_scene import read_sale_gain
from sandbox.hedge_scene import HedgeFrame
from sandbox.world import World

WEI = Decimal(10) ** 18


@dataclass(frozen=True, slots=True)
class PerpTrade:
    """One trade at the perp exchange: ether bought (negative: sold), dollars without the fee, the fee, the index."""

    block: int
    size: Decimal
    dollars: Decimal
    fee: Decimal
    index: Decimal

    @property
    def impact(self) -> Decimal:
        """Dollars given away against the index: what the trade moved, and where the market stood when it was made."""
        fair = abs(self.size) * self.index
        return self.dollars - fair if self.size > 0 else fair - self.dollars


@dataclass(frozen=True, slots=True)
class Costs:
    """What one owner's keeping cost between two blocks."""

    transactions: Sequence[Mapping[str, Any]]
    trades: Sequence[PerpTrade]
    gas: Decimal
    funding: Decimal
    sales: Decimal
    """What swaps of collateral gave away against the feeds, pool fees included."""

    @property
    def fees(self) -> Decimal:
        """What the perp exchange took."""
        return sum((trade.fee for trade in self.trades), Decimal(0))

    @property
    def impact(self) -> Decimal:
        """What the perp trades gave away against the index."""
        return sum((trade.impact for trade in self.trades), Decimal(0))

    @property
    def total(self) -> Decimal:
        """All of it."""
        return self.gas + self.fees + self.impact + self.funding + self.sales


def read_costs(
    world: World, owner: str, frames: Sequence[HedgeFrame], decisions: Sequence[Mapping[str, Any]], trades: bool
) -> Costs:
    """Of an owner whose `decisions` these are; `trades`: whether they have an account at the perp exchange."""
    sent = [mined(world, t) for d in decisions for t in d["transactions"] if t["hash"]]
    price = {frame.block: frame.price for frame in frames}
    gas = sum((Decimal(t["fee_wei"]) / WEI * price[t["block"]] for t in sent), Decimal(0))
    sales = -sum((read_sale_gain(world, t["hash"], 0) for t in sent), Decimal(0))
    found = read_trades(world, owner, frames) if trades else []
    funding = read_funding(world, owner, frames) if trades else Decimal(0)
    return Costs(sent, found, gas, funding, sales)


def read_trades(world: World, owner: str, frames: Sequence[HedgeFrame]) -> list[PerpTrade]:
    """Every trade of an owner since the first frame's block; the opening lies before it."""
    index = {frame.block: frame.price for frame in frames}
    event = world.perp.house.events.PositionChanged()
    logs = event.get_logs(from_block=frames[0].block + 1, argument_filters={"trader": owner})
    return [_trade(log, index) for log in logs if log["blockNumber"] in index]


def _trade(log: Any, index: Mapping[int, Decimal]) -> PerpTrade:
    told, block = log["args"], log["blockNumber"]
    size, dollars = Decimal(told["exchangedPositionSize"]) / WEI, abs(Decimal(told["exchangedPositionNotional"])) / WEI
    return PerpTrade(block, size, dollars, Decimal(told["fee"]) / WEI, index[block])


def read_funding(world: World, owner: str, frames: Sequence[HedgeFrame]) -> Decimal:
    """Funding settled since the first frame, and what is pending now; less than zero was earned."""
    desk = world.perp
    event = desk.house.events.FundingPaymentSettled()
    logs = event.get_logs(from_block=frames[0].block + 1, argument_filters={"trader": owner})
    settled = sum(log["args"]["fundingPayment"] for log in logs)
    exchange = world.chain.at("Exchange", desk.addresses["exchange"])
    pending = exchange.functions.getPendingFundingPayment(owner, desk.base)
    now, then = (pending.call(block_identifier=frame.block) for frame in (frames[-1], frames[0]))
    return Decimal(settled + now - then) / WEI


def read_perp_liquidations(world: World, owner: str, first_block: int) -> int:
    """How often somebody took size from the owner's perp account."""
    event = world.perp.house.events.PositionLiquidated()
    return len(event.get_logs(from_block=first_block, argument_filters={"trader": owner}))
