"""The feeds' own heartbeat: repeats an answer before it grows as old as its heartbeat, as Chainlink's nodes do."""

from sandbox.actor import Actor


class FeedKeeper(Actor):
    """Refreshes a feed once nine tenths of its heartbeat have passed; symbols in `silent` are left to grow stale."""

    name = "feeds"
    silent: frozenset[str] = frozenset()

    def act(self, block: int) -> None:
        world, due = self.world, {}
        now = world.now
        for symbol, updated_at in world.updated_at().items():
            if symbol not in self.silent and now - updated_at > world.addresses["heartbeats_s"][symbol] * 9 // 10:
                due[symbol] = world.price(symbol)
        if due:
            world.set_prices(due)
            self.record(block, f"heartbeat of {', '.join(due)}")
