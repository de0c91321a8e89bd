"""What keeping the book cost, from the chain's own events: dollars, positive is paid.

Everything is valued at the feed's answer in force when it happened, inside a block too. So what equity moved by is what
the price did to the delta that was open, less these costs, and interest.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from web3 import Web3

from sandbox.demo_result import mined
from sandbox.demo_scene import read_sale_gain
from sandbox.hedge_scene import HedgeFrame
from sandbox.world import World

WEI, FEED_UNIT = Decimal(10) ** 18, Decimal(10) ** 8
ANSWERED = Web3.keccak(text="AnswerUpdated(int256,uint256,uint256)")


@dataclass(frozen=True, slots=True)
class Ticker:
    """Every answer of the feed, by block and place in it, oldest first; `first` was in force before them."""

    first: Decimal
    answers: Sequence[tuple[tuple[int, int], Decimal]]

    def at(self, block: int, index: int) -> Decimal:
        """The answer that a transaction met."""
        return next((price for place, price in reversed(self.answers) if place < (block, index)), self.first)

    def comes_first(self, block: int, index: int) -> bool:
        """Whether a transaction went before an answer of its own block."""
        return any(place[0] == block and place[1] > index for place, _ in self.answers)


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
    early: frozenset[int]
    """Blocks in which a transaction went before the feed's answer: the new price met what it had left."""

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
    ticker = read_ticker(world, frames)
    sent = [mined(world, t) for d in decisions for t in d["transactions"] if t["hash"]]
    early = {t["hash"]: ticker.comes_first(t["block"], t["index"]) for t in sent}
    gas = sum((Decimal(t["fee_wei"]) / WEI * ticker.at(t["block"], t["index"]) for t in sent), Decimal(0))
    return Costs(
        transactions=sent,
        trades=read_trades(world, owner, frames, ticker) if trades else [],
        gas=gas,
        funding=read_funding(world, owner, frames) if trades else Decimal(0),
        sales=-sum((read_sale_gain(world, t["hash"], int(early[t["hash"]])) for t in sent), Decimal(0)),
        early=frozenset(t["block"] for t in sent if early[t["hash"]]),
    )


def read_ticker(world: World, frames: Sequence[HedgeFrame]) -> Ticker:
    """The feed of WETH, which is the perp exchange's index too, since the first frame."""
    where: Any = {
        "address": world.w3.to_checksum_address(world.addresses["feeds"]["WETH"]),
        "topics": [ANSWERED.to_0x_hex()],
        "fromBlock": frames[0].block + 1,
    }
    logs = world.w3.eth.get_logs(where)
    answers = [
        ((log["blockNumber"], log["transactionIndex"]), Decimal(int.from_bytes(log["topics"][1])) / FEED_UNIT)
        for log in logs
    ]
    return Ticker(frames[0].price, sorted(answers))


def read_trades(world: World, owner: str, frames: Sequence[HedgeFrame], ticker: Ticker) -> list[PerpTrade]:
    """Every trade of an owner since the first frame's block; the opening lies before it."""
    event = world.perp.house.events.PositionChanged()
    logs = event.get_logs(from_block=frames[0].block + 1, argument_filters={"trader": owner})
    return [_trade(log, ticker) for log in logs]


def _trade(log: Any, ticker: Ticker) -> PerpTrade:
    told, index = log["args"], ticker.at(log["blockNumber"], log["transactionIndex"])
    size, dollars = Decimal(told["exchangedPositionSize"]) / WEI, abs(Decimal(told["exchangedPositionNotional"])) / WEI
    return PerpTrade(log["blockNumber"], size, dollars, Decimal(told["fee"]) / WEI, index)


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
