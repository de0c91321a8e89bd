"""The feeds' own heartbeat: repeats an answer before it grows as old as its heartbeat, as Chainlink's nodes do."""

from collections.abc import Callable, Collection

from sandbox.actor import POLL_S, Actor
from sandbox.world import World


class FeedKeeper(Actor):
    """Refreshes a feed once nine tenths of its heartbeat have passed; symbols in `silent` are left to grow stale."""

    name = "feeds"

    def __init__(
        self,
        world: World,
        silent: Collection[str] = (),
        say: Callable[[str], None] | None = None,
        poll_s: float = POLL_S,
    ) -> None:
        super().__init__(world, say, poll_s)
        self.silent = silent

    def act(self, block: int) -> None:
        world, due = self.world, {}
        now = world.now
        for symbol, updated_at in world.updated_at().items():
            if symbol not in self.silent and now - updated_at > world.addresses["heartbeats_s"][symbol] * 9 // 10:
                due[symbol] = world.price(symbol)
        if due:
            world.set_prices(due)
            self.record(block, f"heartbeat of {', '.join(due)}")
