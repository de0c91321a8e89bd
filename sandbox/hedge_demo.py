"""`make demo SCENARIO=hedge`: a leveraged loop and a short, kept as one book through a crash and a rally.

Real contracts throughout: Aave, Uniswap and Perpetual Protocol v2 on anvil, liquidators and arbitrageurs on both, and
`keeper run --live` as a process of its own. Next to the book: the same loop without a hedge, and one left alone.
"""

from collections.abc import Sequence
from contextlib import ExitStack
from decimal import Decimal

from rich.console import Console, Group
from rich.text import Text

from sandbox.actors import Arbitrageur, FeedKeeper, Liquidator, PerpArbitrageur, PerpLiquidator
from sandbox.demo_crash import Crash
from sandbox.demo_diary import Diary
from sandbox.demo_keeper import Keeper
from sandbox.demo_show import Stage, replayed, show
from sandbox.demo_watch import Watch
from sandbox.errors import SandboxError
from sandbox.hedge_diary import told_of_book
from sandbox.hedge_pace import Steps
from sandbox.hedge_result import Story, read_story, table
from sandbox.hedge_scene import ALONE, HEDGED, UNHEDGED, open_books, read_hedge_frame
from sandbox.hedge_settings import NAMES, SETTINGS
from sandbox.hedge_view import VIEW, chart
from sandbox.world import World

BLOCK_S = 0.25


def play_hedge(crash: Crash, keeper: Keeper, batch: bool, plain: bool, out: Console, *, by_clock: bool) -> Story:
    """From an empty world to how it ended; nothing it started is left running.

    A price stands until the keeper has judged it, unless the path is to be played `by_clock`.
    """
    with ExitStack() as stack:
        _step(out, "a local world: Aave v3.6, Uniswap v3 and Perp v2 on anvil, liquidators and arbitrageurs on both")
        world = stack.enter_context(World.start(block_time=BLOCK_S))
        _step(out, "three owners with 10 WETH supplied, 14,000 USDC borrowed and spent, 13,500 USDC and 1 ETH in hand;")
        _step(out, "the first of them is short 11 ETH on Perp v2, with 4,000 USDC of that as margin")
        owners = open_books(world)
        liquidators = Liquidator(world, owners.values()), PerpLiquidator(world, [owners[HEDGED]])
        for actor in (FeedKeeper(world), Arbitrageur(world), PerpArbitrageur(world), *liquidators):
            stack.enter_context(actor)
        _step(
            out, "a keeper: the first one's loop and short as a book, the second one's loop alone; nobody for the third"
        )
        stack.enter_context(_furnished(keeper, world, round(BLOCK_S * crash.speed), batch))
        watch = Watch(world, lambda w, block: read_hedge_frame(w, owners, block), world.w3.eth.block_number)
        stack.enter_context(watch)
        diary = stack.enter_context(Diary(keeper.journal, told_of_book))
        out.print()
        path = replayed(world, crash) if by_clock else _steps(world, crash, keeper)
        show(Stage(world, owners, liquidators, keeper, watch, diary), crash.name, path, VIEW, out, plain)
        if code := keeper.stop():
            raise SandboxError(f"the keeper left with code {code} when it was asked to stop")
        watch.wait_for(world.w3.eth.block_number)
        return read_story(world, owners, watch.frames, keeper.decisions())


def page(story: Story) -> Group:
    """The end, for somebody who saw nothing of it."""
    prices = [frame.price for frame in story.frames]
    trough = prices.index(min(prices))
    low, high = prices[trough] / prices[0] - 1, max(prices[trough:]) / prices[0] - 1
    gone = {name: ending.liquidations for name, ending in story.endings.items()}
    worst = {name: _moved(ending.equity, min(ending.equity)) for name, ending in story.endings.items()}
    end = {name: _moved(ending.equity, ending.equity[-1]) for name, ending in story.endings.items()}
    lines = (
        f"ETH fell by {-low:.0%}, then came to {high:+.0%}. The fall endangers the loop: the",
        "keeper sells collateral, and buys back as much of the short. The rise squeezes",
        "the short: the keeper adds margin. What all three are worth moved by",
        f"  at worst    {worst[HEDGED]} hedged, {worst[UNHEDGED]} kept but not hedged, {worst[ALONE]} left alone",
        f"  in the end  {end[HEDGED]} hedged, {end[UNHEDGED]} kept but not hedged, {end[ALONE]} left alone",
        "The hedge takes away the fall, and the rise: what is left is what it costs, and",
        "what prices did in the blocks before it followed.",
    )
    return Group(chart(story.frames, gone), Text(), *map(Text, lines), Text(), table(story))


def _steps(world: World, crash: Crash, keeper: Keeper) -> Steps:
    """The path's prices; each is two points, before and after the next update."""
    own = World(world.url, world.addresses, block_time=world.block_time)
    prices = [point.price for point in crash.points[::2]]
    return Steps(own, prices, keeper.judged, round(BLOCK_S * crash.speed))


def _moved(equity: Sequence[Decimal], now: Decimal) -> str:
    return f"{now / equity[0] - 1:+.1%}"


def _furnished(keeper: Keeper, world: World, block_s: int, batch: bool) -> Keeper:
    owner, twin = world.account(0), world.account(1)
    values = {**NAMES, "owner": owner.address, "twin": twin.address, "batch": str(batch).lower()}
    return keeper.settle(world, SETTINGS, {"owner.json": owner, "twin.json": twin}, values, block_s)


def _step(out: Console, text: str) -> None:
    out.print(f"· {text}", style="dim", soft_wrap=True)
