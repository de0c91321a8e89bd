"""Plays a path price by price: the next comes when the last has stood for some blocks, and the keeper has judged them.

So the story does not depend on how busy the machine is: on a slow one each price stands longer, and more blocks pass.
"""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Self

from sandbox.anvil import rpc
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


class Beat:
    """Makes the blocks of a world: one every so often, and the next only when the keeper has judged the last."""

    def __init__(self, url: str, judged: Callable[[], int], block_s: float) -> None:
        self._url, self._judged, self._block_s = url, judged, block_s
        self._leave, self._is_free = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        rpc(self._url, "evm_setIntervalMining", 0)
        rpc(self._url, "evm_setAutomine", False)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._leave.set()
        self._is_free.set()
        self._thread.join()

    def let_go(self) -> None:
        """Wait for nobody from here on: the keeper is leaving, and finishes what is on its way."""
        self._is_free.set()

    def _run(self) -> None:
        while not self._leave.wait(self._block_s):
            give_up, head = time.monotonic() + PATIENCE_S, int(rpc(self._url, "eth_blockNumber"), 16)
            while self._judged() < head and time.monotonic() < give_up:
                if self._is_free.wait(POLL_S):
                    break
            rpc(self._url, "evm_mine")
