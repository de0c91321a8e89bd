"""Settings files with one value spoiled: every place there is, and every kind of nonsense."""

from __future__ import annotations

import copy
import json
import tomllib
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

EXAMPLE = Path(__file__).parents[2] / "config" / "keeper.example.toml"
Place = tuple[str | int, ...]
NONSENSE: tuple[Any, ...] = (
    0, -1, 10**30, 1.5, 1e300, True, "", " ", "a\nb", "\u0000", "\u202egnp", "[/x]", "x" * 20_000, "foo://bar",
    "http://[::1", "mysql://u:s3cret@h/d", "/dev/null", "/", "~nobody-of-that-name/x", "0x" + "0" * 40, "nan", "1e9999",
    "99999999999d", "-1", "160", "é", [], ["x"], [[]], {}, {"x": 1}, date(2026, 11, 27),
)  # fmt: skip


def everything() -> dict[str, Any]:
    """The example with all that it has commented out: every key there is."""
    lines = EXAMPLE.read_text(encoding="utf-8").splitlines()
    code = "\n".join(x.removeprefix("# ") if x.startswith("# ") and _is_code(x[2:]) else x for x in lines)
    for one_or_the_other in ('password_file = "guardian.password"\n', 'rpc_url = "http://127.0.0.1:8545"\n'):
        code = code.replace(one_or_the_other, "")
    return tomllib.loads(code)


def _is_code(text: str) -> bool:
    return text.startswith("[") or " = " in text.partition("  #")[0][:26]


def places(of: Any, here: Place = ()) -> Iterator[Place]:
    """Every place of a file; of several entries with the same keys only the first."""
    if here:
        yield here
    seen = set[tuple[str, ...]]()
    for key, value in of.items() if isinstance(of, dict) else enumerate(of) if isinstance(of, list) else ():
        kind = tuple(sorted(value)) if isinstance(value, dict) else (str(type(value)),)
        if isinstance(of, list) and kind in seen:
            continue
        seen.add(kind)
        yield from places(value, (*here, key))


def spoiled(raw: dict[str, Any], place: Place, value: Any) -> dict[str, Any]:
    """The file with another value at a place."""
    changed = copy.deepcopy(raw)
    *parents, last = place
    here: Any = changed
    for part in parents:
        here = here[part]
    here[last] = value
    return changed


def written(value: Any) -> str:
    """A value as TOML, whole files too."""
    if isinstance(value, dict) and value.keys() & {"network", "positions", "chain_id"}:
        return "\n".join(f"{_key(k)} = {written(v)}" for k, v in value.items())
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_key(k)} = {_inline(v)}" for k, v in value.items()) + "}"
    return _inline(value)


def _inline(value: Any) -> str:
    match value:
        case bool():
            return str(value).lower()
        case str():
            return json.dumps(value).replace("\x7f", "\\u007f")
        case dict():
            return "{" + ", ".join(f"{_key(k)} = {_inline(v)}" for k, v in value.items()) + "}"
        case list():
            return "[" + ", ".join(_inline(v) for v in value) + "]"
        case _:
            return str(value)


def _key(key: str) -> str:
    return json.dumps(key)


def scene(folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """A settings file and a network file in which every key is set and all is well, with what they name."""
    shipped = EXAMPLE.parent / "networks"
    network = tomllib.loads((shipped / "arbitrum.toml").read_text(encoding="utf-8"))
    network["perp_v2"] = tomllib.loads((shipped / "optimism.toml").read_text(encoding="utf-8"))["perp_v2"]
    ethereum = tomllib.loads((shipped / "ethereum.toml").read_text(encoding="utf-8"))
    network |= {"markets": ethereum["markets"], "ens_registry": ethereum["ens_registry"]}
    network["price_safety"]["assets"] = {
        "WETH": {"heartbeat": "70m", "feed": network["multicall3"], "second_feed": network["multicall3"]}
    }
    raw = everything()
    raw["network"]["file"] = "own.toml"
    raw["positions"][0]["signer"] = "owner"
    raw["positions"][2]["market"] = network["gmx_v2"]["markets"]["ETH"]
    raw["alerts"]["urls"] = ["json://alarms.example"]
    for signer in (one for one in raw["signers"] if "keystore" in one):
        keystore = {"version": 3, "address": signer["address"][2:].lower(), "crypto": {}}
        (folder / signer["keystore"]).write_text(json.dumps(keystore), encoding="utf-8")
        (folder / "password").write_text("secret\n", encoding="utf-8")
    token = folder / raw["telegram"]["token_file"]
    token.write_text("123456:" + "A" * 35, encoding="utf-8")
    token.chmod(0o600)
    raw["telegram"]["api"] = "http://127.0.0.1:9"
    raw["signers"][0] |= {"password_file": "password"}
    raw["signers"][0].pop("password_credential", None)
    raw["signers"][1] |= {"password_credential": "keystore-password", "batch": True}
    return raw, network
