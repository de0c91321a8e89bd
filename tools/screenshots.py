"""The pictures of the page in the docs: drawn anew by a real browser from a night on paper."""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from pathlib import Path

from tools.browser import browser

ROOT = Path(__file__).resolve().parents[1]
PICTURES = ROOT / "docs" / "pictures"
SHOTS = (
    ("page-wide", 1280, 900, False, "/"),
    ("page-dark", 1280, 900, True, "/"),
    ("page-phone", 390, 844, False, "/"),
    ("position", 1280, 900, False, "/position?chain=ethereum&name=eth-loop"),
)


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


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else PICTURES)
