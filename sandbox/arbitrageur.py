"""The arbitrageur: trades each pool towards the feeds as far as it pays, and records what it moved."""

from sandbox.actor import Actor
from sandbox.errors import RevertedError
from sandbox.prices import fair_price, move_pool, pool_price, pool_prices, profitable_price


class Arbitrageur(Actor):
    """At every block, one trade on each pool that is further from the feeds than its fee; all in the next block."""

    name = "arbitrageur"

    def act(self, block: int) -> None:
        world, me = self.world, self.world.role("arbitrageur")
        prices, sent = world.prices(), []
        for pool, now in zip(world.addresses["pools"], pool_prices(world.chain, world.addresses), strict=True):
            wanted = profitable_price(now, fair_price(prices, pool), pool)
            if wanted is None:
                continue
            transaction = move_pool(world.chain, world.addresses, pool, wanted, me)
            if transaction is not None:
                sent.append((pool, now, transaction))
        for pool, before, transaction in sent:
            pair = f"{pool['token0']}/{pool['token1']} {pool['fee']}"
            try:
                mined = world.chain.wait(transaction, f"arbitrage on {pair}")["blockNumber"]
            except RevertedError as error:
                self.record(block, str(error), succeeded=False, transaction=transaction)
                continue
            after = pool_price(world.chain, world.addresses, pool)
            text = f"moved {pair} from {before:.6g} to {after:.6g}"
            self.record(mined, text, transaction=transaction, quietly=True)
        if sent:
            self.say(f"{self.name:<11} block {block}  {len(sent)} pools towards the feeds")
