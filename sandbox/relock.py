"""Writes package-lock.json anew after a change of package.json. Run: python -m sandbox.relock

The lock names no registry host, and lists anvil for every platform: npm leaves out those it could not see, and
`npm ci` then refuses the lock.
"""

import json
import subprocess
import sys

from sandbox.paths import HERE

LOCK = HERE / "package-lock.json"
ANVIL = "node_modules/@foundry-rs/anvil"
CPUS = {"amd64": "x64", "arm64": "arm64"}


def main() -> int:
    command = ["npm", "install", "--package-lock-only", "--omit-lockfile-registry-resolved"]
    subprocess.run(command, cwd=HERE, check=True)
    lock = json.loads(LOCK.read_text())
    packages = lock["packages"]
    for package in packages.values():
        package.pop("funding", None)
    for name, version in packages[ANVIL]["optionalDependencies"].items():
        system, _, machine = name.removeprefix("@foundry-rs/anvil-").partition("-")
        known = {"version": version, "cpu": [CPUS[machine]], "optional": True, "os": [system]}
        packages.setdefault(f"node_modules/{name}", known)
    lock["packages"] = dict(sorted(packages.items()))
    text = json.dumps(lock, indent=2) + "\n"
    assert "://" not in text, "the lock names a host"
    LOCK.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
