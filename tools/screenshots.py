"""The pictures of the page in the docs, by a real browser: of a night on paper, and of a chain with every venue."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

from tools.browser import browser

ROOT = Path(__file__).resolve().parents[1]
PICTURES = ROOT / "docs" / "pictures"
SHOTS = (
    ("page-wide", 1280, 900, False, "/"),
    ("page-dark", 1280, 900, True, "/"),
    ("page-phone", 390, 844, False, "/"),
    ("position", 1280, 900, False, "/position?chain=ethereum&name=eth-loop"),
)


VENUES = (("venues-wide", 1280, 900, False), ("venues-phone", 390, 844, True))
PORT, START_S = 18_520, 60
RUN = (sys.executable, "-m", "keeper")


def of_every_venue(to: Path) -> None:
    """A dry run over a position at every venue of the local world, in the middle of a fall."""
    from sandbox.every_venue import EveryVenue  # noqa: PLC0415 - a world is needed for these alone
    from sandbox.past import give_past  # noqa: PLC0415 - likewise
    from sandbox.world import World  # noqa: PLC0415 - likewise

    with tempfile.TemporaryDirectory() as name, World.start() as world:
        folder, owner = Path(name), str(world.account(0).address)
        EveryVenue.opened(world, owner).network_toml(folder / "network.toml")
        give_past(world, 0.01)
        env = {**os.environ, "XDG_STATE_HOME": name, "PYTHONPATH": str(ROOT)}
        init = (*RUN, "init", owner, "--rpc", world.url, "--network", "network.toml")
        subprocess.run(init, cwd=folder, env=env, check=True, stdout=subprocess.DEVNULL)
        with (folder / "keeper.toml").open("a") as file:
            file.write(f"[web]\nport = {PORT}\n")
        with subprocess.Popen((*RUN, "run", "--web"), cwd=folder, env=env, stderr=subprocess.DEVNULL) as process:
            try:
                _seen()
                _fall(world)
                _seen()
                _draw(to, (folder / "position-keeper" / "page-token").read_text().strip())
            finally:
                process.terminate()


def _seen() -> None:
    """Wait until a block was judged: a picture of a keeper that sees nothing is none."""
    until = time.monotonic() + START_S
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{PORT}/readyz", timeout=5):
                return
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.5)


def _fall(world: Any) -> None:
    for price in ("2000", "1900", "1750", "1600", "1500"):
        world.set_price("WETH", price)
        world.align_pools()
        world.refresh_feeds()
        world.mine()
        time.sleep(6)


def _draw(to: Path, token: str) -> None:
    with browser() as tab:
        for name, width, height, dark in VENUES:
            tab.size(width, height, dark=dark)
            tab.open(f"http://127.0.0.1:{PORT}/enter?token={token}")
            tab.open(f"http://127.0.0.1:{PORT}/")
            tab.picture(to / f"{name}.png", whole=False)
            print(to / f"{name}.png")


def main(to: Path = PICTURES) -> None:
    sys.path[:0] = [str(ROOT / "tests" / part) for part in ("", "core", "engine", "conformance", "web")]
    from page_scene import LOOK, scene  # noqa: PLC0415 - the paths are set above
    from page_served import serving  # noqa: PLC0415 - likewise

    to.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        night = asyncio.run(scene(Path(folder), now=int(time.time())))
        with serving([night.sight], night.access) as port, browser() as tab:
            for name, width, height, dark, path in SHOTS:
                tab.size(width, height, dark=dark)
                tab.open(f"http://127.0.0.1:{port}/enter?token={LOOK}")
                tab.open(f"http://127.0.0.1:{port}{path}")
                tab.picture(to / f"{name}.png", whole=False)
                print(to / f"{name}.png")
    of_every_venue(to)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else PICTURES)
