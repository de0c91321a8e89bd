"""Looks at the positions at every single block of the demo, from a thread of its own."""

import threading
import time
from collections.abc import Callable
from typing import Generic, Self, TypeVar

import requests
from web3.exceptions import Web3Exception

from sandbox.demo_scene import Frame
from sandbox.errors import SandboxError
from sandbox.world import World

POLL_S = 0.04
CATCH_UP_LIMIT_S = 30.0

F = TypeVar("F", bound=Frame)


class Watch(Generic[F]):
    """`frames` holds one frame per block since `first_block`, none left out: the lowest health factor is among them.

    `read` makes a frame of a block.
    """

    def __init__(self, world: World, read: Callable[[World, int], F], first_block: int) -> None:
        self._world = World(world.url, world.addresses, block_time=world.block_time)
        self._read, self._next = read, first_block
        self.frames: list[F] = []
        self._failing_since = 0.0
        self._leave = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._leave.set()
        self._thread.join(CATCH_UP_LIMIT_S)

    def check(self) -> None:
        """Raise when the node no longer answers."""
        if self._failing_since and time.monotonic() - self._failing_since > CATCH_UP_LIMIT_S:
            raise SandboxError(f"the node has not answered for {CATCH_UP_LIMIT_S:.0f} s")

    def wait_for(self, block: int) -> None:
        """Return once the block has been looked at."""
        give_up = time.monotonic() + CATCH_UP_LIMIT_S
        while not self.frames or self.frames[-1].block < block:
            if time.monotonic() > give_up:
                raise SandboxError(f"block {block} could not be looked at within {CATCH_UP_LIMIT_S:.0f} s")
            time.sleep(POLL_S)

    def _run(self) -> None:
        while not self._leave.is_set():
            try:
                head = self._world.w3.eth.block_number
                while self._next <= head and not self._leave.is_set():
                    self.frames.append(self._read(self._world, self._next))
                    self._next += 1
                self._failing_since = 0.0
            except (requests.RequestException, Web3Exception):  # the same block is asked for again
                self._failing_since = self._failing_since or time.monotonic()
            self._leave.wait(POLL_S)
