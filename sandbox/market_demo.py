"""The crash in a market of some protocol: two identical positions, one of them kept. What differs is its ground."""

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from decimal import Decimal
from typing import Any, Protocol

from rich.console import Console

from sandbox.actor import Actor
from sandbox.actors import Arbitrageur, FeedKeeper
from sandbox.demo_crash import START_PRICE, Crash
from sandbox.demo_diary import Diary
from sandbox.demo_keeper import POSITION, Keeper
from sandbox.demo_result import Ending, mined
from sandbox.demo_scene import (
    CALM_BLOCK_S,
    KEPT,
    TWAP_S,
    UNKEPT,
    Frame,
    Liquidation,
    read_equity,
    read_sale_gain,
)
from sandbox.demo_show import Stage, replayed, show
from sandbox.demo_view import VIEW
from sandbox.demo_watch import Watch
from sandbox.errors import SandboxError
from sandbox.world import World

BLOCK_S = 0.2


class Ground(Protocol):
    """One market of a protocol in a world, with two positions in it."""

    @property
    def settings(self) -> str:
        """The keeper's settings, to be filled in."""

    @property
    def values(self) -> Mapping[str, str]:
        """What fills them in, beside what every scenario says."""

    @property
    def liquidator(self) -> Actor:
        """Who helps himself where he may."""

    def read(self, world: World, block: int) -> Frame:
        """Both positions at a block."""

    def beside(self, name: str, final: Frame) -> Decimal:
        """Dollars that an owner has in the market, beyond what frames show."""

    def liquidations(self, first_block: int, price_at: Callable[[int], Decimal]) -> list[Liquidation]:
        """Every liquidation in the market, by the contract's own events."""

    def network(self, text: str) -> str:
        """The world's network file with the market in it."""


def play_market(
    settled: Callable[[World, Mapping[str, str]], Ground],
    said: tuple[str, str],
    crash: Crash,
    keeper: Keeper,
    batch: bool,
    plain: bool,
    out: Console,
    step: Callable[[str], None],
) -> dict[str, Ending]:
    """From an empty world to how it ended; nothing it started is left running. ``said`` is what is there."""
    with ExitStack() as stack:
        step(said[0])
        world = stack.enter_context(World.start(block_time=BLOCK_S))
        step(said[1])
        owners = {KEPT: str(world.account(0).address), UNKEPT: str(world.account(1).address)}
        ground = _calm(world, lambda: settled(world, owners))
        for actor in (FeedKeeper(world), Arbitrageur(world), ground.liquidator):
            stack.enter_context(actor)
        step("a keeper for the first of them: keeper run --live")
        _furnish(keeper, world, ground, round(BLOCK_S * crash.speed), batch)
        stack.enter_context(keeper)
        watch = stack.enter_context(Watch(world, ground.read, world.w3.eth.block_number))
        diary = stack.enter_context(Diary(keeper.journal))
        out.print()
        stage = Stage(world, owners, (ground.liquidator,), keeper, watch, diary)
        show(stage, crash.name, replayed(world, crash), VIEW, out, plain)
        if code := keeper.stop():
            raise SandboxError(f"the keeper left with code {code} when it was asked to stop")
        watch.wait_for(world.w3.eth.block_number)
        return _endings(world, ground, owners, watch.frames, keeper.decisions())


def _calm(world: World, settle: Callable[[], Ground]) -> Ground:
    world.set_timestamp_interval(CALM_BLOCK_S)
    world.set_price("WETH", START_PRICE)
    world.align_pools()
    ground = settle()
    world.warp(TWAP_S)
    world.refresh_feeds()
    return ground


def _furnish(keeper: Keeper, world: World, ground: Ground, block_s: int, batch: bool) -> None:
    """Write the keeper's files: its network file has the market's table beside the world's own."""
    account = world.account(0)
    values = {"owner": account.address, "position": POSITION, "batch": str(batch).lower(), **ground.values}
    keeper.settle(world, ground.settings, {"keystore.json": account}, values, block_s)
    file = keeper.home / "network.toml"
    file.write_text(ground.network(file.read_text()))


def _endings(
    world: World, ground: Ground, owners: Mapping[str, str], frames: list[Frame], decisions: list[dict[str, Any]]
) -> dict[str, Ending]:
    """Both positions at the last frame's block."""
    final, begin = frames[-1], frames[0].block
    prices = {frame.block: frame.price for frame in frames}
    found = ground.liquidations(begin, lambda block: prices.get(block, final.price))
    sent = [mined(world, t) for d in decisions for t in d["transactions"] if t["hash"]]
    fees = Decimal(sum(t["fee_wei"] for t in sent)).scaleb(-18) * final.price
    sales = sum((read_sale_gain(world, t["hash"]) for t in sent), Decimal(0))
    ended = {}
    for name, owner in owners.items():
        mine = [one for one in found if one.owner == owner]
        is_kept = name == KEPT
        taken = [{"hash": one.transaction, "purpose": "liquidation", "block": one.block, "status": 1} for one in mine]
        wallet = read_equity(world, owner, final.block, begin)
        there = final.collateral_usd[name] - final.debt_usd[name] + ground.beside(name, final)
        ended[name] = Ending(
            name=name,
            liquidations=mine,
            lowest_health=min(frame.health[name] for frame in frames),
            final=final,
            equity=there + wallet,
            transactions=sent if is_kept else taken,
            fees_usd=fees if is_kept else Decimal(0),
            sales_usd=sales if is_kept else Decimal(0),
        )
    return ended
