"""Who else is at the GMX stand-in: the keeper that carries orders out, and one that liquidates whoever may be."""

from collections.abc import Callable
from contextlib import suppress

from sandbox.actor import POLL_S, Actor
from sandbox.chain import explain
from sandbox.errors import RevertedError
from sandbox.world import World

EXECUTED = "executed, cancelled or frozen"


class GmxKeeper(Actor):
    """Executes every order that is old enough, at the feeds' price; those of `late` owners are left to wait."""

    name = "gmx keeper"

    def __init__(
        self,
        world: World,
        delay_s: int = 0,
        late: set[str] | None = None,
        say: Callable[[str], None] | None = None,
        poll_s: float = POLL_S,
    ) -> None:
        super().__init__(world, say, poll_s)
        self.delay_s = delay_s
        self.late = set() if late is None else late

    def act(self, block: int) -> None:
        desk, now = self.world.gmx, self.world.now
        for order in desk.orders():
            (account, *_), numbers, flags, _ = desk.order_of(order)
            is_young = now - numbers[9] < self.delay_s
            if account in self.late or is_young or flags[2]:
                continue
            with suppress(RevertedError):  # its price has not come, or it went meanwhile
                receipt = desk.try_execute(order)
                if receipt is not None:
                    text = f"order {order[:10]} of {account} {EXECUTED}"
                    self.record(receipt["blockNumber"], text, transaction=receipt["transactionHash"].to_0x_hex())


class GmxLiquidator(Actor):
    """Liquidates every position whose pending fees and losses leave too little."""

    name = "gmx liq"

    def act(self, block: int) -> None:
        desk = self.world.gmx
        for key in desk.positions():
            found = desk.position(key)
            try:
                receipt = desk.try_liquidate(found["account"], found["collateral_token"], is_long=found["is_long"])
            except RevertedError as error:
                self.record(block, explain(str(error)), succeeded=False, quietly=True)
                continue
            if receipt is not None:
                text = f"liquidated {found['account']}"
                self.record(receipt["blockNumber"], text, transaction=receipt["transactionHash"].to_0x_hex())
