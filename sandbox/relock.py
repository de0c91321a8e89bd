"""Writes package-lock.json anew after a change of package.json. Run: python -m sandbox.relock

The lock names no host: an address that a package gives for a dependency is replaced by the version which
package.json's `overrides` put in its place. It lists anvil for every platform: npm leaves out those it could not see,
and `npm ci` then refuses the lock.
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
    overrides = json.loads((HERE / "package.json").read_text())["overrides"]
    for place, package in packages.items():
        package.pop("funding", None)
        replaced = overrides.get(place.removeprefix("node_modules/"), {})
        wanted = package.get("dependencies", {})
        wanted |= {name: replaced[name] for name, version in wanted.items() if "://" in version}
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
