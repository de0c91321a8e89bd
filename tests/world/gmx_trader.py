"""An owner at the GMX stand-in with a keeper's codecs in hand, and a chain to use them on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from web3 import Web3

from keeper.core.perp.moves import AllowMargin, PerpMove, PlaceOrder, Trade
from keeper.core.perp.position import OrderKind, PerpPosition
from keeper.core.snapshot import BlockRef
from keeper.core.units import Address, Amount, Wei
from keeper.venues.codec.abi import address
from keeper.venues.gmx_v2 import markets as gmx_v2
from keeper.venues.gmx_v2.events import Event, decode_events
from keeper.venues.gmx_v2.fees import fee_probe
from keeper.venues.gmx_v2.markets import GmxDeployment, GmxMarket, MarketPrices, price_probe
from keeper.venues.gmx_v2.moves import Execution, encode_move
from keeper.venues.gmx_v2.outcomes import Outcome, outcome_of
from keeper.venues.gmx_v2.positions import GmxScope, position_probe
from keeper.venues.gmx_v2.quotes import acceptable, size_usd_of
from keeper.venues.ports import Answer, Call, Discovery, Probe, Read
from sandbox.world import World

DOLLARS = 10**30
PRICE = 10**12
MARGIN = 4_000 * 10**6
NOW = 2_000 * PRICE


@dataclass(frozen=True)
class Log:
    address: Address
    topics: tuple[str, ...]
    data: bytes
    block_number: int
    transaction_hash: str
    index: int


class Trader:
    """An owner with a keeper's codecs in hand, and a chain to use them on."""

    def __init__(self, world: World, *, is_long: bool = False, symbol: str = "USDC") -> None:
        self.world = world
        self.who = address(world.account(1).address)
        gmx = world.addresses["gmx"]
        self.at = GmxDeployment(
            **{name: address(gmx[name]) for name in GmxDeployment.__slots__},
        )
        self.market: GmxMarket = self.found(gmx_v2.discover_market(self.at, address(gmx["market"])))
        token = address(world.addresses["tokens"][symbol])
        self.scope = GmxScope(self.market, self.who, token, is_long)
        world.mint(symbol, self.who, 100 * MARGIN if symbol == "USDC" else 10**20)

    # reads

    def answer(self, read: Read) -> Answer:
        try:
            return bytes(self.world.w3.eth.call({"to": read.to, "data": Web3.to_hex(read.data)}))
        except Exception as error:
            if "revert" in str(error).lower() or type(error).__name__.startswith("Contract"):
                return None
            raise

    def found(self, search: Discovery[Any]) -> Any:
        reads = next(search)
        while True:
            try:
                reads = search.send([self.answer(r) for r in reads])
            except StopIteration as done:
                return done.value

    def read(self, probe: Probe[Any]) -> Any:
        return probe.decode([self.answer(r) for r in probe.reads])

    @property
    def prices(self) -> MarketPrices:
        found: MarketPrices = self.read(price_probe(self.market))
        return found

    def position(self) -> PerpPosition:
        found: PerpPosition = self.read(position_probe(self.scope, "short", self.block(), self.prices))
        return found

    def block(self) -> BlockRef:
        head = self.world.w3.eth.get_block("latest")
        hashes = (head["hash"].to_0x_hex(), head["parentHash"].to_0x_hex())
        return BlockRef(31337, head["number"], *hashes, head["timestamp"], Wei(head["baseFeePerGas"]))

    # writes

    @property
    def execution(self) -> Execution:
        return Execution(self.read(fee_probe(self.at)), Wei(3 * 10**9))

    def call(self, move: PerpMove) -> Call:
        return encode_move(self.scope, move, self.execution, self.position().orders)

    def send(self, move: PerpMove, gas: int = 8_000_000) -> list[Log]:
        """Succeeds, or raises RevertedError."""
        call = self.call(move)
        sent = self.world.w3.eth.send_transaction(
            {
                "from": Web3.to_checksum_address(self.who),
                "to": Web3.to_checksum_address(call.to),
                "data": Web3.to_hex(call.data),
                "value": Web3.to_wei(call.value, "wei"),
                "gas": gas,
                "maxFeePerGas": Web3.to_wei(3, "gwei"),
                "maxPriorityFeePerGas": Web3.to_wei(1, "gwei"),
            }
        )
        return logs_in(self.world.chain.wait(sent.to_0x_hex(), call.purpose)["logs"])

    def leave(self, move: PerpMove) -> str:
        """Send an order; its key, from the events of its transaction."""
        (created,) = [e for e in self.events(self.send(move)) if e.name == "OrderCreated"]
        return created.key()

    def events(self, logs: Sequence[Log]) -> tuple[Event, ...]:
        return decode_events(self.at, logs)

    def history(self) -> tuple[Event, ...]:
        query: Any = {"address": self.at.event_emitter, "fromBlock": 0, "toBlock": "latest"}
        return self.events(logs_in(self.world.w3.eth.get_logs(query)))

    def outcome(self, key: str) -> Outcome:
        return outcome_of(key, self.history())

    # moves

    def trade(self, dollars: int, margin: int = 0, slippage: int = 100) -> Trade:
        """Grow (positive dollars) or shrink the position."""
        held, prices = self.position(), self.prices
        sign = 1 if self.scope.is_long == (dollars > 0) else -1
        tokens = sign * abs(dollars) * DOLLARS // prices.index.low
        price = prices.index.low
        worst = acceptable(price, slippage, is_long=self.scope.is_long, is_increase=dollars > 0)
        usd = size_usd_of(held, tokens, prices)
        return Trade(self.market.token, self.scope.is_long, tokens, usd, worst, margin=margin)

    def open(self, dollars: int = 10_000) -> str:
        """Ordered with its margin, and executed."""
        self.send(AllowMargin(self.scope.collateral, Amount(MARGIN)))
        key = self.leave(self.trade(dollars, MARGIN))
        self.world.gmx.execute(key)
        return key

    def stop(self, kind: OrderKind = OrderKind.STOP_LOSS, dollars: int = 2_200) -> str:
        leg = self.position().legs[0]
        bound = dollars * PRICE * (103 if not leg.is_long else 97) // 100
        return self.leave(PlaceOrder(kind, self.market.token, leg.is_long, leg.entry_notional, dollars * PRICE, bound))


def logs_in(found: Sequence[Any]) -> list[Log]:
    return [
        Log(
            address(log["address"]),
            tuple(t.to_0x_hex() for t in log["topics"]),
            bytes(log["data"]),
            log["blockNumber"],
            log["transactionHash"].to_0x_hex(),
            log["logIndex"],
        )
        for log in found
    ]
