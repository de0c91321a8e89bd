"""How it is run for months: what a restart heals is restarted, what only the owner can heal is not."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import time
import tomllib
from pathlib import Path

import pytest

DEPLOY = Path(__file__).parents[1] / "deploy"
DECISIONS = Path(__file__).parents[1] / "docs" / "decisions"


def under(folder: Path, script: str) -> dict[str, str]:
    """An environment in which `keeper` is this script."""
    (folder / "keeper").write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    (folder / "keeper").chmod(0o755)
    return {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"}


@pytest.mark.parametrize(("code", "ends"), [(0, 0), (1, 1), (2, 0), (3, 3), (137, 137)])
def test_a_container_is_started_again_unless_settings_are_bad(tmp_path: Path, code: int, ends: int) -> None:
    """`restart: on-failure` looks at the code alone; 2 must not look like a failure, and is said."""
    found = subprocess.run(
        ["sh", DEPLOY / "entrypoint.sh", "run", "--live"],
        env=under(tmp_path, f'[ "$*" = "run --live" ] && exit {code}'),
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == ends
    assert ("bad settings" in found.stderr) == (code == 2)


@pytest.mark.slow
def test_a_container_that_is_stopped_lets_the_keeper_finish(tmp_path: Path) -> None:
    """SIGTERM goes on to it, and its end is waited for."""
    script = "trap 'sleep 0.5; echo finished; exit 0' TERM; echo begun; while :; do sleep 0.1; done"
    with subprocess.Popen(
        ["sh", DEPLOY / "entrypoint.sh", "run"], env=under(tmp_path, script), stdout=subprocess.PIPE, text=True
    ) as container:
        assert container.stdout
        assert container.stdout.readline() == "begun\n"
        time.sleep(0.1)
        container.send_signal(signal.SIGTERM)
        assert container.stdout.readline() == "finished\n"
        assert container.wait(10) == 0


def test_units_and_services_leave_bad_settings_alone() -> None:
    """systemd by its own word, compose by the script."""
    unit = (DEPLOY / "position-keeper.service").read_text(encoding="utf-8")
    assert "Restart=on-failure\nRestartPreventExitStatus=2\n" in unit
    compose = (DEPLOY / "compose.yaml").read_text(encoding="utf-8")
    assert "keeper-entrypoint" in compose
    assert "restart: on-failure" in compose
    assert "COPY deploy/entrypoint.sh /usr/local/bin/keeper-entrypoint" in (DEPLOY / "Dockerfile").read_text()


def test_a_signal_to_reload_reaches_the_keeper(tmp_path: Path) -> None:
    """`docker kill -s HUP`, `systemctl reload`: settings are read anew, and the container goes on."""
    script = "trap 'echo reloaded' HUP; trap 'exit 0' TERM; echo begun; while :; do sleep 0.1; done"
    heeds = ["env", "--default-signal=HUP", "sh"]  # what `nohup` started ignores it, and so does all that it starts
    with subprocess.Popen(
        [*heeds, DEPLOY / "entrypoint.sh", "run"], env=under(tmp_path, script), stdout=subprocess.PIPE, text=True
    ) as container:
        assert container.stdout
        assert container.stdout.readline() == "begun\n"
        time.sleep(0.1)
        container.send_signal(signal.SIGHUP)
        assert container.stdout.readline() == "reloaded\n"
        assert container.poll() is None
        container.send_signal(signal.SIGTERM)
        assert container.wait(10) == 0
    assert "\nExecReload=/bin/kill -HUP $MAINPID\n" in (DEPLOY / "position-keeper.service").read_text()


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed here")
def test_the_unit_is_locked_up_as_the_docs_say() -> None:
    """systemd's own score of its exposure: 0 is best, 10 is a service without any bounds."""
    unit = DEPLOY / "position-keeper.service"
    command = ["systemd-analyze", "security", "--offline=true", "--no-pager", str(unit)]
    said = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    found = re.search(r"Overall exposure level for position-keeper.service: ([\d.]+) (\w+)", said)
    assert found, said
    assert (float(found[1]) <= 1.5, found[2]) == (True, "OK")


def test_a_container_is_healthy_by_judged_blocks_alone() -> None:
    """A hung keeper answers no node's question, and its container must not look well because the node does."""
    check = next(line for line in (DEPLOY / "Dockerfile").read_text().splitlines() if line.startswith("HEALTHCHECK"))
    assert check.endswith('CMD ["keeper", "alive"]')


def test_decisions_are_numbered_without_a_gap() -> None:
    """One missing looks like one withdrawn; titles carry the number of their file."""
    files = sorted(DECISIONS.glob("*.md"))
    assert [int(file.name[:4]) for file in files] == list(range(1, len(files) + 1))
    for file in files:
        title = re.match(r"# (\d+)\. ", file.read_text(encoding="utf-8"))
        assert title, file.name
        assert int(title[1]) == int(file.name[:4])


def test_the_image_is_made_from_all_that_the_wheel_takes_in() -> None:
    """A file the wheel includes and the context leaves out fails the build, on the owner's machine."""
    project = tomllib.loads((DEPLOY.parent / "pyproject.toml").read_text(encoding="utf-8"))
    taken = project["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    let_in = (DEPLOY / "Dockerfile.dockerignore").read_text(encoding="utf-8").split()
    assert [path for path in taken if f"!{path}" not in let_in] == []
    assert "!deploy/entrypoint.sh" in let_in


def test_the_wheel_alone_has_the_page(tmp_path: Path) -> None:
    """Templates, style and script are in it, and nothing that would have to be fetched."""
    from hatchling.builders.wheel import WheelBuilder  # noqa: PLC0415 - the builder of the project itself

    taken = {file.distribution_path for file in WheelBuilder(str(DEPLOY.parent)).recurse_included_files()}
    web = DEPLOY.parent / "keeper" / "web"
    wanted = {f"keeper/web/{path.relative_to(web)}" for kind in ("pages/*.html", "static/*") for path in web.glob(kind)}
    assert len(wanted) >= 10
    assert wanted <= taken
    texts = "".join(
        path.read_text(encoding="utf-8") for kind in ("pages/*.html", "static/*") for path in web.glob(kind)
    )
    assert set(re.findall(r"(?:https?:)?//[a-z][\w.]+", texts)) <= {"http://www.w3.org"}
