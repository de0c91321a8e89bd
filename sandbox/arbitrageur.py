"""The arbitrageur: trades each pool towards the feeds as far as it pays, and records what it moved."""

from sandbox.actor import Actor
from sandbox.errors import RevertedError
from sandbox.prices import arbitrage, pool_price


class Arbitrageur(Actor):
    """At every block, one trade on each pool that is further from the feeds than its fee; all in the next block."""

    name = "arbitrageur"

    def act(self, block: int) -> None:
        world, me = self.world, self.world.role("arbitrageur")
        prices, sent = world.prices(), []
        for pool in world.addresses["pools"]:
            before = pool_price(world.chain, world.addresses, pool)
            transaction = arbitrage(world.chain, world.addresses, pool, prices, me)
            if transaction is not None:
                sent.append((pool, before, transaction))
        for pool, before, transaction in sent:
            pair = f"{pool['token0']}/{pool['token1']} {pool['fee']}"
            try:
                mined = world.chain.wait(transaction, f"arbitrage on {pair}")["blockNumber"]
            except RevertedError as error:
                self.record(block, str(error), succeeded=False, transaction=transaction)
                continue
            after = pool_price(world.chain, world.addresses, pool)
            self.record(mined, f"moved {pair} from {before:.6g} to {after:.6g}", transaction=transaction)
