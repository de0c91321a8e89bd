"""Contracts that are no part of the world: fetched and compiled when a test or a scenario first asks, and only then."""

import fcntl
import hashlib
import json
import shutil
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from sandbox import install
from sandbox.errors import SandboxError
from sandbox.paths import BUILD


@dataclass(frozen=True)
class Apart:
    """A folder that makes contracts of itself by commands; ``made_from`` are its files that decide what comes of it.

    The last word of the last command is where they go. ``uses_world``: it needs the world's own packages.
    """

    folder: Path
    made_from: tuple[str, ...]
    commands: tuple[tuple[str, ...], ...]
    uses_world: bool = False

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def built(self) -> Path:
        return BUILD / self.name

    def artifact(self, name: str) -> tuple[list[dict[str, Any]], str]:
        """Interface and creation code of one contract."""
        return _artifact(self, name)

    def ensure(self) -> None:
        """Do what is missing or out of date; several processes may ask at the same time."""
        wanted = self._wanted()
        if self._is_ready(wanted):
            return
        if self.uses_world:
            install.ensure()
        BUILD.mkdir(parents=True, exist_ok=True)
        with (BUILD / f".{self.name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if self._is_ready(wanted):
                return
            self._stamp.unlink(missing_ok=True)
            shutil.rmtree(self.built, ignore_errors=True)
            for command in self.commands:
                self._run(*command)
            self._stamp.write_text(wanted)

    @property
    def _stamp(self) -> Path:
        return BUILD / f"{self.name}.stamp"

    def _is_ready(self, wanted: str) -> bool:
        return self._stamp.exists() and self._stamp.read_text() == wanted

    def _wanted(self) -> str:
        digest = hashlib.sha256()
        for name in self.made_from:
            digest.update(name.encode() + b"\0" + (self.folder / name).read_bytes() + b"\0")
        return digest.hexdigest()[:16]

    def _run(self, *command: str) -> None:
        words = [str(self.built) if word == "OUT" else word for word in command]
        done = subprocess.run(words, cwd=self.folder, capture_output=True, text=True, check=False)
        if done.returncode:
            lines = [line for line in (done.stderr or done.stdout).splitlines() if line.strip()]
            raise SandboxError(f"{' '.join(command[:2])} for {self.name} failed:\n  " + "\n  ".join(lines[-8:]))


@cache
def _artifact(of: Apart, name: str) -> tuple[list[dict[str, Any]], str]:
    of.ensure()
    built = json.loads((of.built / f"{name}.json").read_text())
    return built["abi"], built["bytecode"]
