"""Plays a path price by price: the next comes when the last has stood for some blocks, and the keeper has judged them.

So the story does not depend on how busy the machine is: on a slow one each price stands longer, and more blocks pass.
"""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from sandbox.replay import PRICE_PLACES, Progress
from sandbox.world import World

BLOCKS_A_PRICE = 3
PATIENCE_S, POLL_S = 90.0, 0.02


@dataclass
class Steps:
    """One path against one world. `judged` tells the last block the keeper has judged."""

    world: World
    prices: Sequence[Decimal]
    judged: Callable[[], int]
    block_s: int
    """Chain seconds a block stands for."""
    symbol: str = "WETH"
    on_progress: Callable[[Progress], None] | None = None
    leave: threading.Event = field(default_factory=threading.Event, init=False)

    def stop(self) -> None:
        self.leave.set()

    def run(self) -> None:
        """Return after the last price has stood as long as the others, or when `stop` is called from elsewhere."""
        self.world.set_timestamp_interval(self.block_s)
        for i, price in enumerate(self.prices, start=1):
            self.world.set_price(self.symbol, price.quantize(PRICE_PLACES))
            if self.on_progress is not None:
                self.on_progress(Progress(i, len(self.prices), price))
            self._wait_for(self.world.w3.eth.block_number + BLOCKS_A_PRICE - 1)
            if self.leave.is_set():
                return

    def _wait_for(self, block: int) -> None:
        """Return when the keeper has judged a block; a keeper that takes too long is not waited for."""
        give_up = time.monotonic() + PATIENCE_S
        while self.judged() < block and time.monotonic() < give_up:
            if self.leave.wait(POLL_S):
                return
