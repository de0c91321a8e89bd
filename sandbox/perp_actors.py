"""Who else is at the perp exchange: one who keeps its market at the index, one who liquidates whoever may be."""

from collections.abc import Callable, Iterable

from web3 import Web3

from sandbox.actor import POLL_S, Actor
from sandbox.errors import RevertedError
from sandbox.perp_desk import PerpDesk
from sandbox.world import World

TRADED = Web3.keccak(text="PositionChanged(address,address,int256,int256,uint256,int256,int256,uint256)")


class PerpArbitrageur(Actor):
    """At every block, one trade towards the index as far as it pays and as the contract's limits let."""

    name = "perp arb"

    def act(self, block: int) -> None:
        for desk in self.world.perps.values():
            self._align(desk, block)

    def _align(self, desk: PerpDesk, block: int) -> None:
        limit = desk.profitable_limit()
        if limit is None:
            return
        before = desk.market_price()
        try:
            receipt = desk.step_towards(limit)
        except RevertedError as error:  # somebody else traded first: look again at the next block
            self.record(block, str(error), succeeded=False)
            return
        if receipt is None:
            self.record(block, "the contract lets nothing be traded this block", succeeded=False, quietly=True)
            return
        text = f"moved {desk.underlying} from {before:.2f} to {desk.market_price():.2f}"
        self.record(receipt["blockNumber"], text, transaction=receipt["transactionHash"].to_0x_hex())


class PerpLiquidator(Actor):
    """Liquidates as much as it may of whoever may be: those in `watch`, or, when that is None, all who ever traded."""

    name = "perp liq"

    def __init__(
        self,
        world: World,
        watch: Iterable[str] | None = None,
        say: Callable[[str], None] | None = None,
        poll_s: float = POLL_S,
    ) -> None:
        super().__init__(world, say, poll_s)
        self._watch = None if watch is None else list(watch)
        self._traders: dict[str, None] = {}
        self._scanned = -1

    def act(self, block: int) -> None:
        desks = list(self.world.perps.values())
        desk = desks[0]
        owners = self._watch if self._watch is not None else self._discover(desk, block)
        for owner in desk.liquidatable(owners):
            for market in desks:
                if market.size(owner) and desk.liquidatable([owner]):
                    self._liquidate(market, block, owner)

    def _discover(self, desk: PerpDesk, block: int) -> list[str]:
        """Every trader of a PositionChanged event so far; only new blocks are asked for."""
        first = self._scanned + 1 if block > self._scanned else 0
        where = {"address": desk.house.address, "topics": [TRADED.to_0x_hex()], "fromBlock": first, "toBlock": block}
        for log in self.world.w3.eth.get_logs(where):  # type: ignore[arg-type]
            self._traders[Web3.to_checksum_address(log["topics"][1][-20:])] = None
        self._scanned = block
        own = {self.world.role("perp_liquidator"), self.world.role("perp_maker")}
        return [trader for trader in self._traders if trader not in own]

    def _liquidate(self, desk: PerpDesk, block: int, owner: str) -> None:
        ratio = desk.margin_ratio(owner)
        try:
            receipt = desk.liquidate(owner)
        except RevertedError as error:
            self.record(block, f"could not liquidate {owner}: {error.reason}", succeeded=False)
            return
        taken = desk.liquidated(receipt)
        text = f"liquidated {owner} at a margin of {ratio:.2%}: took {taken:.6g} {desk.underlying}"
        self.record(receipt["blockNumber"], text, transaction=receipt["transactionHash"].to_0x_hex())
