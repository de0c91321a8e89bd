"""A settings file that is right, and a way to spoil it in one place."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from keeper.settings import Settings, SettingsError, load

Load = Callable[..., Settings]
Faults = Callable[..., list[str]]

GOOD = """\
[network]
file = "ethereum"
rpc_url = "http://127.0.0.1:8545"

[[signers]]
name = "hot"
address = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
keystore = "hot.json"

[[positions]]
name = "eth-loop"
venue = "aave_v3"
owner = "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC"
signer = "hot"

[[rules]]
name = "protect"
position = "eth-loop"
when = { health_factor_below = "1.25" }
restore = { health_factor = "1.60" }
actions = ["top_up", "repay", "deleverage"]
"""


@pytest.fixture
def good() -> str:
    return GOOD


@pytest.fixture
def load_text(tmp_path: Path) -> Load:
    """Load a text as keeper.toml; pairs of (old, new) spoil it first."""

    def loaded(*changes: tuple[str, str], text: str = GOOD, env: Mapping[str, str] | None = None) -> Settings:
        for old, new in changes:
            assert old in text, f"the good file has no {old!r}"
            text = text.replace(old, new)
        path = tmp_path / "keeper.toml"
        path.write_text(text, encoding="utf-8")
        return load(path, env or {})

    return loaded


@pytest.fixture
def faults(load_text: Load, tmp_path: Path) -> Faults:
    """Return what is said of a spoiled file, without its name, which begins every line that is not of a variable."""

    def said(*changes: tuple[str, str], **more: object) -> list[str]:
        with pytest.raises(SettingsError) as refused:
            load_text(*changes, **more)
        prefix = f"{tmp_path / 'keeper.toml'}: "
        named = (str(tmp_path), "KEEPER_RPC_URL", "KEEPER_JOURNAL_URL", "KEEPER_ALERT_URLS")
        assert all(fault.startswith(named) for fault in refused.value.faults)
        return [fault.removeprefix(prefix) for fault in refused.value.faults]

    return said
