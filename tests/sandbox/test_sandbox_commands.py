"""`python -m sandbox` as a person runs it."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.anvil import free_port
from sandbox.paths import HERE

pytestmark = pytest.mark.world


def sandbox(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "sandbox", *arguments]
    return subprocess.run(command, cwd=HERE.parent, capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    port = free_port()
    command = [sys.executable, "-m", "sandbox", "up", "--port", str(port), "--block-time", "0.2"]
    process = subprocess.Popen(command, cwd=HERE.parent, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("running"):
            break
    yield f"http://127.0.0.1:{port}"
    process.send_signal(signal.SIGTERM)
    assert process.wait(15) == 0


def test_opening_and_crashing_from_the_terminal(url: str) -> None:
    opened = sandbox("open", "--collateral", "WETH=10", "--debt", "USDC=14000", "--account", "2", "--url", url)
    assert "health factor 1.186" in opened.stdout
    assert sandbox("price", "WETH", "1500", "--url", url).returncode == 0
    status = json.loads(sandbox("status", "--json", "--url", url).stdout)
    assert status["prices"]["wstETH"]["usd"].startswith("1800")
    assert [a["health_factor"] for a in status["accounts"] if a["account"] == 2] == ["0.8893"]


@pytest.mark.parametrize(
    ("arguments", "code", "complaint"),
    [
        (["price", "XYZ", "1"], 1, "unknown symbol XYZ"),
        (["price", "WETH", "much"], 2, "not a number"),
        (["open", "--collateral", "WETH"], 2, "not a number"),
        (["sequencer", "sideways"], 2, "neither up nor down"),
        (["replay", "none.csv"], 1, "cannot read none.csv"),
        (["nonsense"], 2, "No such command"),
    ],
)
def test_mistakes_get_one_line_and_a_code(url: str, arguments: list[str], code: int, complaint: str) -> None:
    done = sandbox(*arguments, *([] if arguments == ["nonsense"] else ["--url", url]))
    assert done.returncode == code
    assert complaint in done.stderr
    assert "Traceback" not in done.stderr


def test_taken_port_is_told(url: str) -> None:
    done = sandbox("up", "--port", url.rsplit(":", 1)[1])
    assert (done.returncode, "is in use" in done.stderr) == (1, True)


def test_missing_node_is_told_by_name(tmp_path: Path) -> None:
    """A copy of the sandbox without packages, on a machine without Node."""
    for name in ("__init__.py", "install.py", "errors.py", "paths.py", "package.json", "package-lock.json", ".npmrc"):
        target = tmp_path / "sandbox" / name
        target.parent.mkdir(exist_ok=True)
        target.write_bytes((HERE / name).read_bytes())
    environment = os.environ | {"PATH": str(tmp_path)}
    command = [sys.executable, "-m", "sandbox.install"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "node is not on the PATH" in done.stderr


def test_second_installation_has_nothing_to_do() -> None:
    began = time.monotonic()
    command = [sys.executable, "-m", "sandbox.install"]
    done = subprocess.run(command, cwd=HERE.parent, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")
    assert time.monotonic() - began < 1
