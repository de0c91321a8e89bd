"""The arbitrageur: trades each pool towards the feeds as far as it pays, and records what it moved."""

from sandbox.actor import Actor
from sandbox.errors import RevertedError
from sandbox.prices import encode_swap, fair_price, pool_prices, profitable_price, trade


class Arbitrageur(Actor):
    """At every block, one swap on each pool that is further from the feeds than its fee; all in one transaction."""

    name = "arbitrageur"

    def act(self, block: int) -> None:
        world, me = self.world, self.world.role("arbitrageur")
        prices, pools = world.prices(), world.addresses["pools"]
        swaps: dict[int, bytes] = {}
        before = pool_prices(world.chain, world.addresses)
        for index, pool in enumerate(pools):
            wanted = profitable_price(before[index], fair_price(prices, pool), pool)
            if wanted is not None:
                swap = encode_swap(world.chain, world.addresses, pool, wanted, me)
                swaps |= {index: swap} if swap is not None else {}
        if not swaps:
            return
        transaction = trade(world.chain, world.addresses, list(swaps.values()), me)
        try:
            mined = world.chain.wait(transaction, "arbitrage")["blockNumber"]
        except RevertedError as error:  # somebody else traded first: look again at the next block
            self.record(block, str(error), succeeded=False, transaction=transaction)
            return
        after = pool_prices(world.chain, world.addresses)
        for index in swaps:
            pair = f"{pools[index]['token0']}/{pools[index]['token1']} {pools[index]['fee']}"
            text = f"moved {pair} from {before[index]:.6g} to {after[index]:.6g}"
            self.record(mined, text, transaction=transaction, quietly=True)
        self.say(f"{self.name:<11} block {mined}  {len(swaps)} pools towards the feeds")
