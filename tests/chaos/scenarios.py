"""What happens to a keeper: each scenario plays on a stage until the keeper should have got over it."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable
from decimal import Decimal

from launch import POINTS
from scenes import DOLLAR, ETHER
from stage import Stage

from sandbox import prices

Scenario = Callable[[Stage], None]

EARLY = ("before_journal", "after_journal", "after_broadcast", "after_marked", "before_receipt", "after_receipt")
LATE = ("after_settled", "between_steps", "tend")


def kill(stage: Stage, *places: str, batch: bool | None = None) -> None:
    """Killed at named points of the path, and started again each time."""
    dice = stage.dice
    batch = dice.random() < 0.4 if batch is None else batch
    if not places:
        most = 2 if batch else 7
        places = tuple(f"{dice.choice(EARLY + LATE)}:{dice.randint(1, most)}" for _ in range(dice.randint(1, 3)))
        if dice.random() < 0.5:
            places = (*places, "reconcile:1")
    stage.places += places
    stage.open(batch=batch).start().wait_for('"block"')
    stage.crash()
    stage.settle()


def kill_with_wallet(stage: Stage) -> None:
    """The same where each step is a burst of its own, for the wallet could pay for the later ones itself."""
    dice = stage.dice
    stage.places += [f"{dice.choice(EARLY + LATE)}:{dice.randint(1, 5)}" for _ in range(dice.randint(1, 2))]
    stage.open(wallet={"WETH": 12 * ETHER, "USDC": 14_000 * DOLLAR}, actions='"deleverage"')
    stage.start().wait_for('"block"')
    stage.crash()
    stage.settle()


def kill_when_stuck(stage: Stage, *places: str) -> None:
    """The fees rise while the rescue waits, and it is killed around the bump."""
    dice = stage.dice
    stage.places += places or [f"{dice.choice(('before_bump', 'after_bump'))}:{dice.randint(1, 2)}"]
    stage.open(batch=dice.random() < 0.4).start().wait_for('"block"')
    with stage.stuck():
        stage.watched_until(lambda: bool(stage.ends) or stage.has_bumped(), 120)
        stage.watched_for(1)
    stage.settle()


def weather(stage: Stage) -> None:
    """Calm, then faults on the wire while the price falls, then calm."""
    stage.open(batch=stage.dice.random() < 0.3).start().wait_for('"block"')
    stage.weather.begin()
    stage.watched_for(stage.dice.random())
    stage.crash()
    stage.watched_for(stage.dice.uniform(4, 9))
    stage.weather.end()
    stage.settle()


def weather_and_kill(stage: Stage) -> None:
    """Both at once."""
    dice = stage.dice
    stage.places += [f"{dice.choice(tuple(POINTS))}:{dice.randint(1, 4)}" for _ in range(dice.randint(1, 3))]
    weather(stage)


def reorg(stage: Stage, depth: int | None = None) -> None:
    """The rescue is mined, and then never was; its transactions do not come back to the pool by themselves."""
    depth = depth or stage.dice.randint(1, 5)
    stage.open(batch=stage.dice.random() < 0.4).start().wait_for('"block"')
    stage.crash()
    stage.world.mine(6)  # the fall of the price is too deep to be undone
    stage.wait_for('"concluded"')
    if stage.dice.random() < 0.5:
        stage.watched_for(stage.dice.uniform(0, 0.25 * depth))
    with stage.no_blocks():
        stage.world.rpc("anvil_reorg", depth, [])
    stage.settle()


def reorg_under_way(stage: Stage) -> None:
    """The same while later rounds of the plan are still to come."""
    stage.open(wallet={"WETH": 12 * ETHER, "USDC": 14_000 * DOLLAR}, actions='"deleverage"')
    stage.start().wait_for('"block"')
    stage.crash()
    stage.world.mine(6)
    nonce = stage.scene.nonce()
    stage.watched_until(lambda: stage.scene.nonce() != nonce, 120)
    with stage.no_blocks():
        stage.world.rpc("anvil_reorg", stage.dice.randint(1, 3), [])
    stage.settle()


def fee_spike(stage: Stage) -> None:
    """The base fee is a hundredfold when the rescue waits to be mined; it comes down by and by."""
    stage.open(batch=stage.dice.random() < 0.4).start().wait_for('"block"')
    with stage.stuck() as waiting:
        fee = int(waiting[0]["maxFeePerGas"], 16)
        stage.world.rpc("anvil_setNextBlockBaseFeePerGas", hex(max(100 * fee, 10**10)))
        stage.world.mine()
    stage.settle()


def recovers(stage: Stage) -> None:
    """The price comes back while the rescue cannot be mined: it is cancelled, and nothing is sold."""
    stage.expects_action = False
    stage.open(batch=stage.dice.random() < 0.4).start().wait_for('"block"')
    if stage.dice.random() < 0.5:
        stage.places.append("-")
    is_killed = stage.dice.random() < 0.4
    with stage.stuck("1850"):
        # more than this rescue may pay
        stage.world.rpc("anvil_setNextBlockBaseFeePerGas", hex(30 * 10**10))
        stage.world.mine()
    before = stage.holdings()
    if is_killed:
        stage.kill()  # why it was sent is then known to the journal only
    stage.crash("2100")
    if is_killed:
        with stage.no_blocks():  # else the fee comes down before it is there again, and its rescue is mined
            stage.revive()
            stage.watched_until(lambda: stage.process is not None and stage.process.blocks > 0, 120)
    stage.settle()
    if stage.holdings()["supplied"] < before["supplied"] - ETHER // 100:
        raise AssertionError("sold although the price had come back")


def foreign(stage: Stage) -> None:
    """Somebody sends with the same key, and takes the nonce of the pending rescue."""
    stage.open(batch=stage.dice.random() < 0.4).start().wait_for('"block"')
    with stage.stuck() as waiting:
        account, nonce = stage.world.account(0), int(waiting[0]["nonce"], 16)
        for i in range(stage.dice.randint(1, 3)):
            transaction = {
                "to": stage.world.role("lp"),
                "value": 1,
                "gas": 60_000,
                "nonce": nonce + i,
                "chainId": 31337,
                "maxFeePerGas": 50 * 10**9,
                "maxPriorityFeePerGas": 10 * 10**9,
            }
            raw = account.sign_transaction(transaction).raw_transaction.to_0x_hex()
            stage.foreign.add(stage.world.rpc("eth_sendRawTransaction", raw))
        stage.world.mine()
    stage.settle()


def locked(stage: Stage) -> None:
    """Another program holds the journal for some seconds, from somewhere within the rescue."""
    stage.open(batch=stage.dice.random() < 0.4).start().wait_for('"block"')
    at_once = stage.dice.random() < 0.5
    if at_once:
        stage.crash()
        stage.watched_for(stage.dice.uniform(0, 0.6))
    database = sqlite3.connect(stage.scene.folder / "keeper.sqlite", timeout=10, isolation_level=None)
    database.execute("BEGIN IMMEDIATE")
    if not at_once:
        stage.crash()
    stage.watched_for(stage.dice.uniform(2, 9))
    database.execute("ROLLBACK")
    database.close()
    stage.settle()


def full(stage: Stage) -> None:
    """The disk that holds the journal is full for some seconds, from somewhere within the rescue."""
    stage.open(batch=stage.dice.random() < 0.4).start().wait_for('"block"')
    sign = stage.scene.folder / "disk-is-full"
    if stage.dice.random() < 0.4:
        sign.touch()
    stage.crash()
    stage.watched_for(stage.dice.uniform(0, 0.5))
    sign.touch()
    stage.watched_for(stage.dice.uniform(2, 6))
    sign.unlink()
    stage.settle()


def reverts(stage: Stage) -> None:
    """The market moves under the rescue while it waits: its sale reverts on chain; and then a reorg undoes that."""
    stage.open(batch=stage.dice.random() < 0.4).start().wait_for('"block"')
    with stage.stuck("1850"):
        world, trader = stage.world, stage.world.role("arbitrageur")
        fallen = world.prices() | {"WETH": Decimal(1750)}
        moved = [
            prices.encode_swap(world.chain, world.addresses, p, prices.fair_price(fallen, p), trader)
            for p in world.addresses["pools"]
            if "WETH" in (p["token0"], p["token1"])
        ]
        router = world.chain.at("SwapRouter02", world.addresses["uniswap"]["swap_router_02"])
        call = router.functions["multicall(bytes[])"]([m for m in moved if m])
        call.transact({"from": trader, "gas": 15_000_000, "maxFeePerGas": 10**12, "maxPriorityFeePerGas": 10**11})
        world.mine()
    stage.wait_for('"concluded"')
    if stage.dice.random() < 0.6:
        with stage.no_blocks():
            stage.world.rpc("anvil_reorg", stage.dice.randint(1, 2), [])
    stage.world.align_pools()
    stage.settle()


def random_kills(stage: Stage) -> None:
    """kill -9 by hand, at random times, while the price falls step by step."""
    dice = stage.dice
    stage.open(batch=dice.random() < 0.4).start().wait_for('"block"')
    for price in ("1950", "1880", "1800", "1720"):
        stage.crash(price)
        for _ in range(dice.randint(1, 2)):
            stage.watched_for(dice.uniform(0.1, 2.5))
            stage.kill()
            stage.revive()
    stage.settle()


def two_keepers(stage: Stage) -> None:
    """Two machines, one key: neither sees the other's lock or journal. The rescue is done once."""
    stage.open(batch=stage.dice.random() < 0.6).start().start_twin()
    stage.wait_for('"block"', count=4)
    stage.crash()
    stage.settle()


def node_restart(stage: Stage) -> None:
    """The node is killed somewhere within the rescue, and comes back without its pool."""
    stage.open(batch=stage.dice.random() < 0.4).start().wait_for('"block"')
    with contextlib.ExitStack() as stuck:
        if stage.dice.random() < 0.5:
            stuck.enter_context(stage.stuck())
            stuck.pop_all().close()
        else:
            stage.crash()
            stage.watched_for(stage.dice.uniform(0, 0.6))
    stage.restart_node(stage.dice.uniform(0.3, 3))
    stage.settle()


ALL: dict[str, Scenario] = {
    "kill": kill,
    "kill_with_wallet": kill_with_wallet,
    "kill_when_stuck": kill_when_stuck,
    "weather": weather,
    "weather_and_kill": weather_and_kill,
    "reorg": reorg,
    "reorg_under_way": reorg_under_way,
    "fee_spike": fee_spike,
    "recovers": recovers,
    "foreign": foreign,
    "locked": locked,
    "full": full,
    "reverts": reverts,
    "random_kills": random_kills,
    "two_keepers": two_keepers,
    "node_restart": node_restart,
}
