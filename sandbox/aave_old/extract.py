"""Takes what a market needs out of Aave's old package: `npm pack` fetches it, its hash pins it, the rest stays packed.

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

PACKAGE = "@aave/core-v3@1.19.3"
SHA512 = "Xr7+VcoU5b4mPwM4IUCnskw3lciwrnL4Xloyad8GOddYeixnri2lZYobNmErm1LwE50vqjI0O+9QGNKY2TDkeQ=="
LOGIC = ("Supply", "Borrow", "Liquidation", "Pool", "EMode", "Bridge", "Configurator", "FlashLoan")
FOLDERS = {
    "misc": ("AaveOracle", "AaveProtocolDataProvider"),
    "protocol/configuration": ("ACLManager", "PoolAddressesProvider"),
    "protocol/libraries/logic": tuple(f"{name}Logic" for name in LOGIC),
    "protocol/pool": ("DefaultReserveInterestRateStrategy", "Pool", "PoolConfigurator"),
    "protocol/tokenization": ("AToken", "StableDebtToken", "VariableDebtToken"),
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
            name = MEMBERS.get(member.name)
            file = tar.extractfile(member) if name is not None else None
            if name is None or file is None:
                continue
            found = json.load(file)
            kept = {key: found[key] for key in ("abi", "bytecode", "linkReferences")}
            (out / f"{name}.json").write_text(json.dumps(kept))
            missing.discard(name)
    return sorted(missing)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
