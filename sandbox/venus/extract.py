"""Takes a dozen artifacts out of a package of 57 MB: `npm pack` fetches it, its hash pins it, the rest is not unpacked.

usage: python extract.py <out-dir>
"""

import base64
import hashlib
import json
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

PACKAGE = "@venusprotocol/venus-protocol@10.3.0"
SHA512 = "qGvjvUgYhK5REF/Cj4Lg4FNBMrEscnSSxr4sHL4WDlb2woPucvqLfGkw/f3XKFanf+lWD1G4K0Gzpdc430+BeQ=="
FACETS = ("MarketFacet", "PolicyFacet", "RewardFacet", "SetterFacet", "FlashLoanFacet")
FOLDERS = {
    "Comptroller": ("Unitroller",),
    "Comptroller/Diamond": ("Diamond",),
    "Comptroller/Diamond/facets": FACETS,
    "InterestRateModels": ("JumpRateModel",),
    "Lens": ("ComptrollerLens",),
    "Tokens/VTokens": ("VBep20Immutable", "VBNB"),
    "test": ("AccessControlManagerMock",),
}
MEMBERS = {f"package/artifacts/contracts/{of}/{n}.sol/{n}.json": n for of, names in FOLDERS.items() for n in names}


def main(out: Path) -> int:
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        command = ["npm", "pack", PACKAGE, "--pack-destination", folder]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        (packed,) = Path(folder).glob("*.tgz")
        found = base64.b64encode(hashlib.sha512(packed.read_bytes()).digest()).decode()
        if found != SHA512:
            print(f"another package than expected: sha512-{found}", file=sys.stderr)
            return 1
        missing = unpack(packed, out)
    if missing:
        print(f"not in the package: {', '.join(missing)}", file=sys.stderr)
    return 1 if missing else 0


def unpack(packed: Path, out: Path) -> list[str]:
    """Write what is wanted, and nothing else; return what was not there."""
    missing = set(MEMBERS.values())
    with tarfile.open(packed) as tar:
        for member in tar:
            name, file = MEMBERS.get(member.name), None
            if name is not None:
                file = tar.extractfile(member)
            if name is None or file is None:
                continue
            found = json.load(file)
            kept = {"abi": found["abi"], "bytecode": found["bytecode"], "linkReferences": {}}
            (out / f"{name}.json").write_text(json.dumps(kept))
            missing.discard(name)
    return sorted(missing)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
