"""`make demo SCENARIO=morpho`: the crash on Morpho Blue. Two identical positions in one market, one of them kept."""

from collections.abc import Callable
from contextlib import ExitStack
from decimal import Decimal
from typing import Any

from rich.console import Console

from sandbox.actors import Arbitrageur, FeedKeeper
from sandbox.demo_crash import Crash
from sandbox.demo_diary import Diary
from sandbox.demo_keeper import POSITION, Keeper
from sandbox.demo_result import Ending, mined
from sandbox.demo_scene import KEPT, Frame, read_sale_gain
from sandbox.demo_show import Stage, replayed, show
from sandbox.demo_view import VIEW
from sandbox.demo_watch import Watch
from sandbox.errors import SandboxError
from sandbox.morpho.desk import MorphoDesk
from sandbox.morpho.scene import MorphoLiquidator, equity, liquidations, open_in_market, reader
from sandbox.morpho.settings import SETTINGS
from sandbox.world import World

BLOCK_S = 0.2


def play_morpho(
    crash: Crash, keeper: Keeper, batch: bool, plain: bool, out: Console, step: Callable[[str], None]
) -> dict[str, Ending]:
    """From an empty world to how it ended; nothing it started is left running."""
    with ExitStack() as stack:
        step("a local world: Morpho Blue and Uniswap v3 on anvil, a liquidator, an arbitrageur")
        world = stack.enter_context(World.start(block_time=BLOCK_S))
        desk = MorphoDesk(world)
        step("a market of WETH against USDC at 86 %; two identical positions: 10 WETH, 14,000 USDC borrowed and spent")
        id_, owners = open_in_market(desk)
        liquidator = MorphoLiquidator(desk, id_, owners.values())
        for actor in (FeedKeeper(world), Arbitrageur(world), liquidator):
            stack.enter_context(actor)
        step("a keeper for the first of them: keeper run --live")
        furnish(keeper, desk, id_, round(BLOCK_S * crash.speed), batch)
        stack.enter_context(keeper)
        watch = stack.enter_context(Watch(world, reader(desk, id_, owners), world.w3.eth.block_number))
        diary = stack.enter_context(Diary(keeper.journal))
        out.print()
        stage = Stage(world, owners, (liquidator,), keeper, watch, diary)
        show(stage, crash.name, replayed(world, crash), VIEW, out, plain)
        if code := keeper.stop():
            raise SandboxError(f"the keeper left with code {code} when it was asked to stop")
        watch.wait_for(world.w3.eth.block_number)
        return endings(desk, id_, owners, watch.frames, keeper.decisions())


def furnish(keeper: Keeper, desk: MorphoDesk, id_: str, block_s: int, batch: bool) -> None:
    """Write the keeper's files: its network file has Morpho's table beside the world's own."""
    account = desk.world.account(0)
    values = {"owner": account.address, "position": POSITION, "market": id_, "batch": str(batch).lower()}
    keeper.settle(desk.world, SETTINGS, {"keystore.json": account}, values, block_s)
    file = keeper.home / "network.toml"
    file.write_text(file.read_text() + desk.table())


def endings(
    desk: MorphoDesk, id_: str, owners: dict[str, str], frames: list[Frame], decisions: list[dict[str, Any]]
) -> dict[str, Ending]:
    """Both positions at the last frame's block."""
    world, final, begin = desk.world, frames[-1], frames[0].block
    prices = {frame.block: frame.price for frame in frames}
    found = liquidations(desk, id_, begin, lambda block: prices.get(block, final.price))
    sent = [mined(world, t) for d in decisions for t in d["transactions"] if t["hash"]]
    fees = Decimal(sum(t["fee_wei"] for t in sent)).scaleb(-18) * final.price
    sales = sum((read_sale_gain(world, t["hash"]) for t in sent), Decimal(0))
    ended = {}
    for name, owner in owners.items():
        mine = [one for one in found if one.owner == owner]
        is_kept = name == KEPT
        taken = [{"hash": one.transaction, "purpose": "liquidation", "block": one.block, "status": 1} for one in mine]
        ended[name] = Ending(
            name=name,
            liquidations=mine,
            lowest_health=min(frame.health[name] for frame in frames),
            final=final,
            equity=equity(world, owner, name, final, begin),
            transactions=sent if is_kept else taken,
            fees_usd=fees if is_kept else Decimal(0),
            sales_usd=sales if is_kept else Decimal(0),
        )
    return ended
