"""`make demo`: a crash, two identical positions, one of them kept; in other scenarios in other markets, or as a book.

Everything is real: Aave and Uniswap on anvil, a liquidator, an arbitrageur, and `keeper run --live` as a process of
its own that knows nothing of the demo. Exit codes: 0 the story came true, 1 it did not, 2 wrong arguments, 130 Ctrl-C.
"""

import importlib
import json
import os
import shutil
import signal
import socket
import sys
import tempfile
import time
import webbrowser
from contextlib import ExitStack
from pathlib import Path
from types import FrameType
from typing import Annotated

import requests
import typer
from rich.console import Console
from web3.exceptions import Web3Exception

from sandbox.actors import Arbitrageur, FeedKeeper, Liquidator
from sandbox.demo_crash import Crash, crash_from, own_crash, own_squeeze
from sandbox.demo_diary import Diary
from sandbox.demo_keeper import Keeper
from sandbox.demo_result import Ending, came_true, endings, report, table
from sandbox.demo_scene import KEPT, UNKEPT, open_positions, read_frame
from sandbox.demo_show import Stage, replayed, show
from sandbox.demo_view import VIEW
from sandbox.demo_watch import Watch
from sandbox.errors import SandboxError
from sandbox.hedge_demo import BLOCK_S as HEDGE_BLOCK_S
from sandbox.hedge_demo import page, play_hedge
from sandbox.hedge_result import Story, broken_promise
from sandbox.hedge_result import report as hedge_report
from sandbox.market_demo import play_market
from sandbox.world import World

BLOCK_S = 0.2
MARKETS = ("morpho", "compound", "venus")
SCENARIOS = ("crash", "hedge", *MARKETS)
HELP = """Real contracts on a local chain, a real keeper (keeper run --live), and prices that move.

crash: two identical leveraged positions fall with the price; one of them is kept, the other is liquidated.

morpho: the same crash in a market of Morpho Blue, which is fetched and compiled for it (5 s, once).

compound: the same crash in a market of Compound v3, on a stand-in that replays every recording of it.

venus: the same crash on Venus, of the Compound v2 family; its real contracts are fetched and compiled for it, once.

hedge: a leveraged loop on Aave and a short on Perp v2, kept as a book through a crash and a rally, beside the same loop
without its hedge and one left alone. The fall endangers the loop, its rescue changes the delta, the short follows; the
rally squeezes the short, margin is added. Exit code 0: both legs lived, and the delta came back into its band.
"""
INTERRUPTED = 130

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
out = Console(highlight=False)
err = Console(highlight=False, stderr=True)


@app.command(help=HELP)
def demo(
    scenario: Annotated[
        str, typer.Argument(envvar="SCENARIO", help=f"What to play: {', '.join(SCENARIOS)}.")
    ] = "crash",
    *,
    chosen: Annotated[str, typer.Option("--scenario", help="The same as an option.")] = "",
    seconds: Annotated[float | None, typer.Option(min=5, max=3600, help="How long it takes, wall time.")] = None,
    file: Annotated[Path | None, typer.Option(help="Play the steepest stretch of this CSV instead.")] = None,
    speed: Annotated[float | None, typer.Option(min=1, help="With --file: chain seconds per wall second.")] = None,
    whole: Annotated[bool, typer.Option("--whole", help="With --file: all of it.")] = False,
    plain: Annotated[bool, typer.Option("--plain", help="Lines instead of a live view.")] = False,
    report_to: Annotated[Path, typer.Option("--report", help="Where the report goes.")] = Path("demo-report.json"),
    keep_home: Annotated[bool, typer.Option("--keep-home", help="Leave the keeper's journal and log behind.")] = False,
    batch: Annotated[bool, typer.Option(help="Each rescue as one transaction (EIP-7702), or call by call.")] = True,
    web: Annotated[bool, typer.Option("--web", help="The keeper's page beside it; opened where a browser is.")] = False,
) -> None:
    wanted = chosen or scenario or "crash"
    if wanted not in SCENARIOS:
        raise typer.BadParameter(f"unknown scenario {wanted!r}: there is {', '.join(SCENARIOS)}")
    if wanted == "hedge":
        crash = crash_from(file, seconds, speed, HEDGE_BLOCK_S, whole) if file else own_squeeze(seconds)
    else:
        crash = crash_from(file, seconds, speed, BLOCK_S, whole) if file else own_crash(seconds)
    signal.signal(signal.SIGTERM, _as_interrupt)
    keeper, began = (
        Keeper(Path(tempfile.mkdtemp(prefix="keeper-demo-")), _free_port() if web else None, _opened),
        time.monotonic(),
    )
    failure: str | None = "interrupted"
    try:
        ended: dict[str, Ending] | Story
        if wanted == "hedge":
            ended = play_hedge(crash, keeper, batch, plain or not out.is_terminal, out, by_clock=file is not None)
            failure = broken_promise(ended, own_path=file is None)
        elif wanted in MARKETS:
            ground = importlib.import_module(f"sandbox.{wanted}.demo")  # the other scenarios need nothing of it
            is_plain = plain or not out.is_terminal
            ended = play_market(ground.settled, ground.SAID, crash, keeper, batch, is_plain, out, _step)
            failure = came_true(ended)
        else:
            ended = play(crash, keeper, batch, plain or not out.is_terminal)
            failure = came_true(ended)
        wall_s = time.monotonic() - began
        told = hedge_report(ended, wall_s) if isinstance(ended, Story) else report(ended, wall_s)
        report_to.write_text(json.dumps(told, indent=1) + "\n")
    except KeyboardInterrupt:
        err.print("interrupted; everything is stopped")
        raise typer.Exit(INTERRUPTED) from None
    except Exception:
        failure = "failed"
        raise
    finally:
        if keep_home:
            err.print(f"the keeper's home: {keeper.home}", style="dim", markup=False, soft_wrap=True)
        elif failure in (None, "interrupted") or not keeper.log.exists():
            shutil.rmtree(keeper.home, ignore_errors=True)
        else:
            err.print(keeper.tail(), style="dim", markup=False, soft_wrap=True)
    _conclude(ended, failure, report_to, wall_s)


def play(crash: Crash, keeper: Keeper, batch: bool, plain: bool) -> dict[str, Ending]:
    """From an empty world to how it ended; nothing it started is left running."""
    with ExitStack() as stack:
        _step("a local world: Aave v3.6 and Uniswap v3 on anvil, a liquidator, an arbitrageur")
        world = stack.enter_context(World.start(block_time=BLOCK_S))
        _step("two identical positions: 10 WETH supplied, 14,000 USDC borrowed and spent")
        owners = open_positions(world)
        liquidator = Liquidator(world, owners.values())
        for actor in (FeedKeeper(world), Arbitrageur(world), liquidator):
            stack.enter_context(actor)
        _step("a keeper for the first of them: keeper run --live")
        stack.enter_context(keeper.furnish(world, world.account(0), round(BLOCK_S * crash.speed), batch))
        watch = stack.enter_context(
            Watch(world, lambda w, block: read_frame(w, owners, block), world.w3.eth.block_number)
        )
        diary = stack.enter_context(Diary(keeper.journal))
        out.print()
        stage = Stage(world, owners, (liquidator,), keeper, watch, diary)
        show(stage, crash.name, replayed(world, crash), VIEW, out, plain)
        if code := keeper.stop():
            raise SandboxError(f"the keeper left with code {code} when it was asked to stop")
        watch.wait_for(world.w3.eth.block_number)
        return endings(world, owners, watch.frames, keeper.decisions())


def main() -> int:
    """Run it; what went wrong is one line on stderr."""
    try:
        app(prog_name="python -m sandbox.demo", standalone_mode=True)
    except (SandboxError, Web3Exception, requests.RequestException) as error:
        err.print(f"demo: {error}", markup=False, soft_wrap=True)
    return 1


def _conclude(ended: dict[str, Ending] | Story, failure: str | None, report_to: Path, wall_s: float) -> None:
    out.print()
    out.print(page(ended) if isinstance(ended, Story) else table(ended))
    out.print()
    if failure:
        err.print(f"The story did not come true: {failure}.", style="bold red")
        raise typer.Exit(1)
    if isinstance(ended, Story):
        out.print("Both legs alive, never liquidated, the delta back in its band every time.", style="bold")
    else:
        saved = ended[KEPT].equity - ended[UNKEPT].equity
        out.print(f"Kept, never liquidated; next door a liquidator helped himself. Saved: ${saved:,.0f}.", style="bold")
    out.print(f"{wall_s:.0f} s; every figure is in {report_to}", style="dim", soft_wrap=True)


def _step(text: str) -> None:
    out.print(f"· {text}", style="dim", soft_wrap=True)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


def _opened(link: str) -> None:
    _step(f"the keeper's page: {link}")
    if out.is_terminal and (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY") or sys.platform == "darwin"):
        webbrowser.open(link)


def _as_interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
