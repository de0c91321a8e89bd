"""A fixed fee limit is the owner's explicit choice, and `keeper check` says what it could cost."""

from __future__ import annotations

import json
from collections.abc import Callable
from io import StringIO
from pathlib import Path

from rich.console import Console

from keeper.cli import show_settings
from keeper.settings import Settings, load
from keeper.settings.caps import fixed_caps

Load = Callable[..., Settings]

EXAMPLE = Path(__file__).resolve().parents[2] / "config" / "keeper.example.toml"


def said(of: Settings, *, as_json: bool) -> str:
    """What `keeper check` prints of them."""
    console = Console(file=StringIO(), width=200)
    show_settings.settings(console, of, as_json=as_json)
    printed: str = console.file.getvalue()  # type: ignore[attr-defined]
    return printed if as_json else " ".join(printed.split())


FIXED = '\n[rules.limits]\nmax_fee_gwei = "200"\n[safety]\nmax_fee_gwei = "500"\n'


def test_the_shipped_limit_follows_the_stake() -> None:
    """The example fixes none: a million-dollar position is not left to die at 400 gwei."""
    assert json.loads(said(load(EXAMPLE, {}), as_json=True))["fixed_fee_limits"] == []


def test_left_out_there_is_no_fixed_limit(load_text: Load) -> None:
    """Neither a rule's nor the owner's for all."""
    settings = load_text()
    assert fixed_caps(settings) == ()
    assert settings.max_fee is None
    assert settings.rules[0].limits.max_fee is None


def test_check_says_what_a_fixed_limit_could_cost(load_text: Load, good: str) -> None:
    """Every one by its place: what a rescue costs at it, and what is lost above it."""
    text = said(load_text(text=good + FIXED), as_json=False)
    assert "[safety]: max_fee_gwei is fixed at 500.000 gwei" in text
    assert "rule protect: max_fee_gwei is fixed at 200.000 gwei" in text
    assert "0.14 of the native coin in one transaction" in text.replace("0.140", "0.14")
    assert "5,000 to 10,000 dollars of every 100,000 dollars of debt" in text
    assert "Left out, the limit follows the stake." in text


def test_a_boost_s_limit_keeps_no_rescue_back(load_text: Load, good: str) -> None:
    """Nothing is said of it."""
    boost = """
[[rules]]
name = "boost"
position = "eth-loop"
when = { health_factor_above = "2.40" }
restore = { health_factor = "1.90" }
actions = ["leverage_up"]
[rules.limits]
max_fee_gwei = "20"
"""
    assert fixed_caps(load_text(text=good + boost)) == ()
