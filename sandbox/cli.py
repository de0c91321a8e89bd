"""Commands of `python -m sandbox`. Exit codes: 0 fine, 1 could not do it, 2 wrong arguments, 130 interrupted."""

import json
import signal
import sys
import threading
from contextlib import ExitStack
from decimal import Decimal
from pathlib import Path
from types import FrameType
from typing import Annotated

import requests
import typer
from web3.exceptions import Web3Exception

from sandbox.errors import SandboxError
from sandbox.paths import RUN

app = typer.Typer(
    help="A local world of real contracts: Aave v3.6, Uniswap v3 and price feeds on anvil.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
INTERRUPTED = 130
Url = Annotated[str | None, typer.Option(help="Node of the world; the one `up` started if not given.")]
Account = Annotated[int, typer.Option(min=0, max=9, help="Number of one of anvil's test accounts.")]


@app.command()
def up(
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port of the node, HTTP and WebSocket alike.")] = 8545,
    block_time: Annotated[float, typer.Option(min=0, help="Wall seconds per block; 0 = a block per transaction.")] = 1,
    ws: Annotated[bool, typer.Option("--ws", help="Print the WebSocket address too.")] = False,
    liquidator: Annotated[bool, typer.Option("--liquidator", help="Liquidate whoever may be.")] = False,
    arbitrageur: Annotated[bool, typer.Option("--arbitrageur", help="Keep pools at the feeds' prices.")] = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="Deploy anew instead of loading the prebuilt state.")] = False,
) -> None:
    """Start the world and keep it running until Ctrl-C."""
    from sandbox.actors import Actor, Arbitrageur, FeedKeeper, Liquidator, PerpArbitrageur, PerpLiquidator  # noqa: PLC0415
    from sandbox.spec import DEFAULT  # noqa: PLC0415
    from sandbox.world import World  # noqa: PLC0415

    leave = threading.Event()
    _on_signals(leave)
    chosen: list[type[Actor]] = [FeedKeeper]
    chosen += [Liquidator, PerpLiquidator] if liquidator else []
    chosen += [Arbitrageur, PerpArbitrageur] if arbitrageur else []
    with ExitStack() as stack:
        world = World.build(DEFAULT, port, block_time or None) if fresh else World.start(port, block_time or None)
        stack.enter_context(world)
        written = world.save(RUN / "world.json"), world.network_toml(RUN / "network.toml")
        stack.callback(written[0].unlink, missing_ok=True)
        for actor in chosen:
            stack.enter_context(actor(world, say=_say))
        _say(f"node       {world.url}")
        if ws:
            _say(f"websocket  {world.ws_url}")
        _say(f"addresses  {written[0]}")
        _say(f"network    {written[1]}")
        _say("running; Ctrl-C stops it")
        while not leave.wait(0.2):
            if world.anvil is not None and world.anvil.process.poll() is not None:
                raise SandboxError("anvil ended by itself")
    _say("stopped")


@app.command()
def price(symbol: str, value: str, url: Url = None) -> None:
    """Set the feed of SYMBOL to VALUE dollars."""
    from sandbox.world import World  # noqa: PLC0415

    amount = _number(value, "VALUE")
    if amount < 0:
        raise typer.BadParameter("VALUE must not be negative")
    world = World.attach(url)
    world.set_price(symbol, amount)
    _say(f"{symbol} {world.price(symbol).normalize():f} at block {world.w3.eth.block_number}")


@app.command()
def replay(
    file: Annotated[Path, typer.Argument(help="CSV: timestamp,open,high,low,close or timestamp,price.")],
    speed: Annotated[float, typer.Option(help="Chain seconds per wall second.")] = 600,
    symbol: Annotated[str, typer.Option(help="Whose history the file is.")] = "WETH",
    correlate: Annotated[str, typer.Option(help="Others that move along, with their beta: WBTC=0.8,LINK=1.1")] = "",
    scale_to_start: Annotated[bool, typer.Option("--scale-to-start", help="Begin at the world's own price.")] = False,
    url: Url = None,
) -> None:
    """Play a price history into the running world."""
    from sandbox.bars import read_points  # noqa: PLC0415
    from sandbox.replay import Replay, show_progress  # noqa: PLC0415
    from sandbox.world import World  # noqa: PLC0415

    points, betas = read_points(file), {s: float(v) for s, v in _pairs(correlate).items()}
    world = World.attach(url)
    playing = Replay(world, points, speed, symbol, betas, scale_to_start, show_progress)
    leave = playing.leave
    _on_signals(leave)
    playing.run()
    _say(f"\n{'interrupted' if leave.is_set() else 'done'} at {symbol} {world.price(symbol):.2f}")
    if leave.is_set():
        raise typer.Exit(INTERRUPTED)


@app.command()
def status(
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
    url: Url = None,
) -> None:
    """Show block, time, prices of feeds and pools, and the test accounts' positions."""
    from sandbox.status import read_status, render  # noqa: PLC0415
    from sandbox.world import World  # noqa: PLC0415

    found = read_status(World.attach(url))
    _say(json.dumps(found, indent=1) if as_json else render(found))


@app.command("open")
def open_position(
    collateral: Annotated[str, typer.Option(help="Whole tokens to supply: WETH=10,WBTC=0.5")],
    debt: Annotated[str, typer.Option(help="Whole tokens to borrow: USDC=14000")] = "",
    account: Account = 0,
    emode: Annotated[int, typer.Option(min=0, help="E-mode category; 0 = none.")] = 0,
    url: Url = None,
) -> None:
    """Open a position for a test account (the collateral is minted)."""
    from sandbox.world import World  # noqa: PLC0415

    world = World.attach(url)
    owner = world.account(account).address
    world.open_position(owner, world.units(_pairs(collateral)), world.units(_pairs(debt)), emode)
    _say(f"{owner} has health factor {world.health_factor(owner):.4g}")


@app.command()
def freeze(
    symbol: str, off: Annotated[bool, typer.Option("--off", help="Thaw it again.")] = False, url: Url = None
) -> None:
    """Freeze a reserve: no new supply or borrow, but repay and withdraw."""
    from sandbox.world import World  # noqa: PLC0415

    World.attach(url).freeze(symbol, not off)
    _say(f"{symbol} is {'thawed' if off else 'frozen'}")


@app.command()
def pause(
    symbol: str, off: Annotated[bool, typer.Option("--off", help="Let it work again.")] = False, url: Url = None
) -> None:
    """Pause a reserve: nothing at all may be done with it."""
    from sandbox.world import World  # noqa: PLC0415

    World.attach(url).pause(symbol, not off)
    _say(f"{symbol} is {'working' if off else 'paused'}")


@app.command()
def sequencer(state: Annotated[str, typer.Argument(help="up or down")], url: Url = None) -> None:
    """Say that the L2 sequencer is up or down."""
    from sandbox.world import World  # noqa: PLC0415

    if state not in ("up", "down"):
        raise typer.BadParameter(f"{state!r} is neither up nor down")
    World.attach(url).set_sequencer(state == "up")
    _say(f"sequencer {state}")


def main() -> int:
    """Run a command (typer leaves with its own code); what went wrong in ours is one line on stderr."""
    try:
        app(prog_name="python -m sandbox")
    except (SandboxError, Web3Exception) as error:
        print(f"sandbox: {error}", file=sys.stderr)
    except requests.RequestException:
        print("sandbox: the node does not answer any more: is the world still running?", file=sys.stderr)
    return 1


def _pairs(text: str) -> dict[str, Decimal]:
    """WETH=10,WBTC=0.5 → numbers by symbol."""
    parts = [part.partition("=") for part in text.split(",") if part.strip()]
    return {symbol.strip(): _number(number, symbol.strip()) for symbol, _, number in parts}


def _number(text: str, name: str) -> Decimal:
    try:
        number = Decimal(text.strip())
    except ArithmeticError:
        raise typer.BadParameter(f"{name}: {text!r} is not a number") from None
    if not number.is_finite():
        raise typer.BadParameter(f"{name}: {text!r} is not a number")
    return number


def _on_signals(leave: threading.Event) -> None:
    def ask_to_leave(_signal: int, _frame: FrameType | None) -> None:
        leave.set()

    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, ask_to_leave)


def _say(line: str) -> None:
    print(line, flush=True)
