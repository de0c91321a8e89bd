"""A participant of the world: a thread with an account of its own that looks at every new block and may act."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import requests
from web3.exceptions import Web3Exception

from sandbox.errors import SandboxError
from sandbox.world import World

POLL_S = 0.03
STOP_LIMIT_S = 10.0
MOST_RECORDS = 10_000


@dataclass(frozen=True, slots=True)
class Action:
    """One thing an actor did, or failed to do (`succeeded` False): at which block, in words."""

    actor: str
    block: int
    text: str
    succeeded: bool = True
    transaction: str | None = None

    def __str__(self) -> str:
        return f"{self.actor:<11} block {self.block}  {self.text}"


class Actor:
    """Subclasses say what to do at a block (`act`); this says when, and keeps a list of what was done.

    `poll_s` is how often the node is asked for its block number. Under automine the actor's own transaction is a new
    block too, so it looks again until there is nothing left to do.
    """

    name = "actor"

    def __init__(self, world: World, say: Callable[[str], None] | None = None, poll_s: float = POLL_S) -> None:
        self.world = World(world.url, world.addresses, block_time=world.block_time)
        self.actions: list[Action] = []
        self._say, self._poll_s = say, poll_s
        self._leave = threading.Event()
        self._thread: threading.Thread | None = None

    def act(self, block: int) -> None:
        """Look at the world as of `block` and do what is to be done."""
        raise NotImplementedError

    def start(self) -> Self:
        self._leave.clear()
        self._thread = threading.Thread(target=self._run, name=self.name, daemon=True)
        self._thread.start()
        return self

    def stop(self) -> None:
        """Finish what is in flight and leave."""
        self._leave.set()
        if self._thread is not None:
            self._thread.join(STOP_LIMIT_S)
            self._thread = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def say(self, line: str) -> None:
        if self._say is not None:
            self._say(line)

    def record(
        self, block: int, text: str, *, succeeded: bool = True, transaction: str | None = None, quietly: bool = False
    ) -> None:
        """Remember an action; a failure that only repeats the one before is remembered once."""
        action = Action(self.name, block, text, succeeded, transaction)
        if not succeeded and self.actions and self.actions[-1].text == text:
            return
        if len(self.actions) < MOST_RECORDS:
            self.actions.append(action)
        if not quietly:
            self.say(str(action))

    def _run(self) -> None:
        seen = -1
        while not self._leave.is_set():
            try:
                block = self.world.w3.eth.block_number
                if block != seen:  # also lower: somebody may have reverted the chain
                    seen = block
                    self.act(block)
                    continue
            except (SandboxError, requests.RequestException, Web3Exception) as error:
                self.record(seen, f"{type(error).__name__}: {error}", succeeded=False)
            self._leave.wait(self._poll_s)
