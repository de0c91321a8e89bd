"""TOML and environment in, frozen and fully validated settings out; every fault with its field and its remedy."""

from keeper.settings.futile import futile
from keeper.settings.load import SettingsError, load
from keeper.settings.model import Alerts, DaemonSettings, Network, NodeSettings, Position, Settings, Signer
from keeper.settings.notes import notes
from keeper.settings.shared import shared
from keeper.settings.surroundings import surroundings

__all__ = [
    "Alerts",
    "DaemonSettings",
    "Network",
    "NodeSettings",
    "Position",
    "Settings",
    "SettingsError",
    "Signer",
    "futile",
    "load",
    "notes",
    "shared",
    "surroundings",
]
