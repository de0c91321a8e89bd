"""Build deploy/Dockerfile without an engine, start what comes out, and see it judge blocks: ``python -m tools.image``.

Debian's ``buildah`` with chroot isolation takes the place of an engine. The published base images cannot be pulled
everywhere: stand-ins made of Debian's own packages (bookworm: Python 3.11) carry their names. So what runs here is the
Dockerfile, the wheel and the locked packages, and not the published bases. Needs root, buildah, debootstrap and node.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PYTHON, NODE, IMAGE = "docker.io/library/python:3.11-slim", "docker.io/library/node:20-slim", "position-keeper"
PACKAGES = "python3,python3-venv,python3-pip,ca-certificates"
MOUNTED = "/etc/position-keeper"
KEEPER_USER = 10001
BLOCKS_S = 90.0
HANGS_S = 12.0


def run(command: Sequence[str], *, quiet: bool = False, check: bool = True) -> str:
    """Run a command and return what it printed."""
    found = subprocess.run(command, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    if not quiet or (check and found.returncode):
        print(found.stdout[-6000:], end="", flush=True)
    if check and found.returncode:
        sys.exit(f"tools.image: {' '.join(command[:4])} … ended with {found.returncode}")
    return found.stdout


def buildah(*words: str, quiet: bool = True, check: bool = True) -> str:
    return run(["buildah", "--storage-driver", "vfs", *words], quiet=quiet, check=check).strip()


def say(text: str) -> None:
    print(f"== {text}", flush=True)


# --- bases -----------------------------------------------------------------------------------------------------------


def has_image(name: str) -> bool:
    command = ["buildah", "--storage-driver", "vfs", "inspect", "--type", "image", name]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def make_bases(work: Path) -> None:
    """Make what stands in for the published bases, where it is not there yet."""
    if not all(has_image(name) for name in (PYTHON, NODE)):
        root = work / "bookworm"
        say("a base of Debian's packages")
        run(["debootstrap", "--variant=minbase", f"--include={PACKAGES}", "bookworm", str(root)], quiet=True)
        as_published(root)
        commit(root, PYTHON)
        with_node(root)
        commit(root, NODE)


def as_published(root: Path) -> None:
    """Let Debian's Python look as the published image's: `python`, `pip`, and no word against installing packages."""
    for path in (root / "usr/lib").glob("python3*/EXTERNALLY-MANAGED"):
        path.unlink()
    (root / "usr/bin/python").unlink(missing_ok=True)
    (root / "usr/bin/python").symlink_to("python3")
    authorities = Path("/etc/ssl/certs/ca-certificates.crt")
    shutil.copy(authorities, root / "etc/ssl/certs/ca-certificates.crt")  # those that this machine trusts
    for cache in ("var/cache/apt", "var/lib/apt/lists"):
        shutil.rmtree(root / cache, ignore_errors=True)


def with_node(root: Path) -> None:
    """Put this machine's own node and npm into a base."""
    node = Path(shutil.which("node") or sys.exit("tools.image: node is missing")).resolve()
    modules = Path(run(["npm", "root", "--global"], quiet=True).strip()) / "npm"
    shutil.copy(node, root / "usr/local/bin/node")
    shutil.copytree(modules.resolve(), root / "usr/local/lib/node_modules/npm", symlinks=True)
    (root / "usr/local/bin/npm").symlink_to("../lib/node_modules/npm/bin/npm-cli.js")
    libraries = [line.split() for line in run(["ldd", str(node)], quiet=True).splitlines() if "=> /" in line]
    for words in libraries:
        at = root / words[2].lstrip("/")
        if not at.exists():
            at.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(Path(words[2]).resolve(), at)


def commit(root: Path, name: str) -> None:
    container = buildah("from", "scratch")
    buildah("add", "--quiet", container, str(root), "/")
    buildah("config", "--env", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", container)
    buildah("commit", "--quiet", container, name)
    buildah("rm", container)


# --- the build -------------------------------------------------------------------------------------------------------


def volumes(work: Path) -> list[str]:
    """Return what lets pip and npm in the build ask where this machine asks: settings, and folders named in them."""
    lines, named = ["[global]"], set[str]()
    for line in run([sys.executable, "-m", "pip", "config", "list"], quiet=True, check=False).splitlines():
        key, _, value = line.partition("=")
        value, key = value.strip("'\""), key.rpartition(".")[2]
        if line.startswith(("global.", ":env:")):
            lines.append(f"{key} = {value}")
            named |= {word.removeprefix("file://") for word in value.split() if word.startswith(("file:///", "/"))}
    (work / "pip.conf").write_text("\n".join(dict.fromkeys(lines)) + "\n")
    registry = run(["npm", "config", "get", "registry"], quiet=True).strip()
    (work / "npmrc").write_text(f"registry={registry}\ncafile=/etc/ssl/certs/ca-certificates.crt\n")
    mounted = {str(work / "pip.conf"): "/etc/pip.conf", str(work / "npmrc"): "/root/.npmrc"}
    for path in sorted(named):
        top = "/" + "/".join(Path(path).parts[1:3])
        if Path(top).exists() and not top.startswith("/etc/ssl"):
            mounted[top] = top
    return [word for here, there in mounted.items() for word in ("--volume", f"{here}:{there}:ro")]


def build(work: Path) -> None:
    say("the image, by its Dockerfile")
    begun = time.monotonic()
    buildah(
        "bud", "--isolation", "chroot", "--pull-never", "--format", "docker", "--file", "deploy/Dockerfile",
        "--ignorefile", "deploy/Dockerfile.dockerignore", *volumes(work), "--tag", IMAGE, ".", quiet=False,
    )  # fmt: skip
    (found,) = json.loads(buildah("images", "--json", IMAGE))
    config = json.loads(buildah("inspect", "--type", "image", IMAGE))["Docker"]["config"]
    say(f"built in {time.monotonic() - begun:.0f} s, {found['size']} with the base it stands on; user {config['User']}")
    say(f"health check: {' '.join(config['Healthcheck']['Test'])}")
    if config["User"] in ("", "root", "0"):
        sys.exit("tools.image: it must not run as root")


# --- and the start ---------------------------------------------------------------------------------------------------


def start(work: Path) -> None:
    """Run the image on a chain of this machine, as compose does: its user, its files read-only, one folder its own."""
    from sandbox.world import World  # noqa: PLC0415 - only where it is started

    folder, journal = work / "settings", work / "journal"
    folder.mkdir()
    journal.mkdir()
    os.chown(journal, KEEPER_USER, KEEPER_USER)
    with World.start() as world:
        owner = str(world.account(0).address)
        world.open_position(owner, {"WETH": 10 * 10**18}, {"USDC": 12_000 * 10**6})
        world.network_toml(folder / "network.toml")
        (folder / "keeper.toml").write_text(SETTINGS.format(owner=owner))
        for path in (folder, *folder.iterdir()):
            path.chmod(0o755 if path.is_dir() else 0o644)
        container = buildah("from", "--pull-never", IMAGE)
        try:
            watch(container, folder, journal, world.url, world.mine)
        finally:
            buildah("rm", container, check=False)


def watch(container: str, folder: Path, journal: Path, url: str, mine: Callable[[], object]) -> None:
    """See the keeper judge blocks with every file read-only but what is declared, hang, come back, and end in order."""
    inside = read_only(buildah("mount", container), folder, journal, url)
    say(run([*inside, "keeper", "--version"], quiet=True).strip() + ", as " + run([*inside, "id"], quiet=True).strip())
    say("where it may write: " + run([*inside, "python", "-c", WRITES], quiet=True).strip())
    say("its health check before it runs: " + checked(inside)[1])
    log = (journal.parent / "log").open("w+")
    with subprocess.Popen([*inside, "/bin/sh", "/usr/local/bin/keeper-entrypoint", "run", "--dry-run"],
                          stdout=log, stderr=subprocess.STDOUT, start_new_session=True) as process:  # fmt: skip
        code = healthy(inside, mine, Path(log.name))
        say(f"files it made: {made(process.pid, inside)}")
        os.killpg(process.pid, signal.SIGSTOP)
        time.sleep(HANGS_S)
        hung, said = checked(inside, "--within", f"{HANGS_S - 2:g}s")
        say(f"its health check while it hangs: exit {hung}: {said}")
        os.killpg(process.pid, signal.SIGCONT)
        again = healthy(inside, mine, Path(log.name))
        os.kill(process.pid, signal.SIGTERM)
        ended = process.wait(60)
        say(f"asked to end: exit {ended}")
    print(Path(log.name).read_text()[:3000], end="")
    if code or again or not hung or ended:
        sys.exit("tools.image: the image was built, and its keeper is not what it should be; see above")


def healthy(inside: Sequence[str], mine: Callable[[], object], log: Path) -> int:
    """Return the exit code of the health check, once it is 0 or its time is over."""
    until, code, said = time.monotonic() + BLOCKS_S, 1, ""
    while '"event": "block"' not in log.read_text() and time.monotonic() < until:
        time.sleep(0.5)
    while code and time.monotonic() < until:
        mine()
        code, said = checked(inside)
    say(f"its health check: exit {code}: {said}")
    return code


def read_only(root: str, folder: Path, journal: Path, url: str) -> list[str]:
    """Return what runs a command in the image as compose.yaml declares: read-only but for three places."""
    for place in (MOUNTED, "/var/lib/position-keeper", "/tmp", "/home/keeper", "/proc", "/dev"):  # noqa: S108 - its own
        Path(root + place).mkdir(parents=True, exist_ok=True)
    env = [
        "PATH=/usr/local/bin:/usr/bin:/bin", "HOME=/home/keeper", "PYTHONDONTWRITEBYTECODE=1", "PYTHONUNBUFFERED=1",
        f"KEEPER_CONFIG={MOUNTED}/keeper.toml", "KEEPER_STATE_DIR=/var/lib/position-keeper",
        "KEEPER_JOURNAL_URL=sqlite:////var/lib/position-keeper/keeper.sqlite", f"KEEPER_RPC_URL={url}",
    ]  # fmt: skip
    words = ["unshare", "--mount", "--propagation", "private", "/bin/sh", "-ec", MOUNTS, "sh", root]
    return [*words, str(folder), str(journal), *env]


MOUNTS = f"""root=$1 settings=$2 state=$3; shift 3
mount --bind "$root" "$root"
mount --rbind /dev "$root/dev"
mount -t proc proc "$root/proc"
mount --bind "$settings" "$root{MOUNTED}" && mount -o remount,bind,ro "$root{MOUNTED}"
mount --bind "$state" "$root/var/lib/position-keeper"
mount -t tmpfs tmpfs "$root/tmp"
mount -t tmpfs -o uid={KEEPER_USER},gid={KEEPER_USER},mode=0700 tmpfs "$root/home/keeper"
mount -o remount,bind,ro "$root"
exec chroot --userspec={KEEPER_USER}:{KEEPER_USER} "$root" env -i --chdir=/var/lib/position-keeper "$@"
"""
WRITES = """
import os, tempfile
def may(place):
    try:
        tempfile.TemporaryFile(dir=place).close()
    except OSError:
        return False
    return True
print(", ".join(p for p, *_ in os.walk("/") if not p.startswith(("/proc", "/dev", "/sys")) and may(p)))
"""
"""Tries every folder there is."""


def made(pid: int, inside: Sequence[str]) -> str:
    """Return the files that are in the places where it may write, by now."""
    root = inside[inside.index("sh") + 1]
    places = [root + place for place in ("/var/lib/position-keeper", "/tmp", "/home/keeper")]  # noqa: S108 - its own
    found = run(["nsenter", f"--mount=/proc/{pid}/ns/mnt", "find", *places, "-type", "f"], quiet=True, check=False)
    return ", ".join(sorted(line.removeprefix(root) for line in found.splitlines())) or "none"


def checked(inside: Sequence[str], *more: str) -> tuple[int, str]:
    """Return how the image's own health check ends, and what it says."""
    found = subprocess.run([*inside, "keeper", "alive", *more], text=True, capture_output=True, check=False)
    return found.returncode, " ".join((found.stdout + found.stderr).split())


SETTINGS = """[network]
file = "network.toml"
[[positions]]
name = "eth-loop"
venue = "aave_v3"
owner = "{owner}"
[[rules]]
name = "warning"
position = "eth-loop"
when = {{ health_factor_below = "1.10" }}
actions = ["alert"]
[daemon]
poll = "0.5s"
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--no-start", action="store_true", help="build only")
    parser.add_argument("--no-build", action="store_true", help="start what was built before")
    given = parser.parse_args()
    for program in ("buildah", "debootstrap", "node", "npm"):
        if shutil.which(program) is None:
            sys.exit(f"tools.image: {program} is missing: install it from your package manager")
    with tempfile.TemporaryDirectory(prefix="keeper-image-") as folder:
        work = Path(folder)
        work.chmod(0o755)
        (work / "registries.conf").write_text('unqualified-search-registries = ["docker.io"]\n')
        os.environ["CONTAINERS_REGISTRIES_CONF"] = str(work / "registries.conf")
        if not given.no_build:
            make_bases(work)
            build(work)
        if not given.no_start:
            start(work)


if __name__ == "__main__":
    main()
