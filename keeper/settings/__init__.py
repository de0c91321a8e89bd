"""TOML and environment in, frozen and fully validated settings out; every fault with its field and its remedy."""

from keeper.settings.load import SettingsError, load
from keeper.settings.model import Alerts, Daemon, Network, NodeSettings, Position, Settings, Signer, UniswapSettings

__all__ = [
    "Alerts",
    "Daemon",
    "Network",
    "NodeSettings",
    "Position",
    "Settings",
    "SettingsError",
    "Signer",
    "UniswapSettings",
    "load",
]
