"""What differs between two settings files: by place, in the owner's words, and nothing secret of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import BaseModel

from keeper.settings import schema
from keeper.settings.difference import SECRETS, Differing, differences
from keeper.settings.pinned import pinned

LATE = """
[[rules]]
name = "late"
position = "eth-loop"
when = { health_factor_below = "1.15" }
restore = { health_factor = "1.40" }
actions = ["repay"]
"""
TOKEN = "3c5f9d2b7a"


def said(load_text: Any, *changes: tuple[str, str], more: str = "") -> list[str]:
    old = load_text()
    return [
        str(change)
        for change in differences(old.written, load_text(*changes, ("[[rules]]", more + "[[rules]]")).written)
    ]


def test_the_same_file_differs_in_nothing(load_text: Any) -> None:
    """However it is laid out."""
    assert said(load_text, ("[[rules]]\n", "# a word\n[[rules]]\n\n")) == []


def test_a_change_names_table_name_and_key(load_text: Any) -> None:
    """Before and after, as they are written."""
    assert said(load_text, ('"1.25"', '"1.3"')) == ['rules "protect": when.health_factor_below: "1.25" → "1.3"']
    assert said(load_text, ('"repay", "deleverage"', '"repay"')) == [
        'rules "protect": actions: ["top_up", "repay", "deleverage"] → ["top_up", "repay"]'
    ]


def test_a_table_more_or_less_is_shown_whole(load_text: Any) -> None:
    """And what stands before what."""
    found = said(load_text, more=LATE.strip() + "\n\n")
    assert found[0].startswith(
        'rules "late": added { name = "late", position = "eth-loop", when = { health_factor_below'
    )
    assert said(load_text, more='[safety]\nmax_fee_gwei = "90"\n') == ['safety.max_fee_gwei: added "90"']


def test_rules_in_another_order_are_a_change(load_text: Any, good: str) -> None:
    """Of two that ask for the same the first is asked."""
    before = load_text(("[[rules]]", LATE + "[[rules]]")).written
    found = differences(before, load_text(text=good + LATE).written)
    assert [str(change) for change in found] == ["rules: late, protect → protect, late"]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("[[rules]]", f'[alerts]\nurls = ["tgram://123456789:AAF{TOKEN}/1/"]\n[[rules]]'),
        ("[[rules]]", f'[alerts]\nheartbeat_url = "https://hc-ping.com/{TOKEN}"\n[[rules]]'),
        ('rpc_url = "http://127.0.0.1:8545"', f'rpc_url = "https://node.example/v3/{TOKEN}"'),
        ("[[signers]]", f'[journal]\nurl = "postgresql://me:{TOKEN}@host/db"\n[[signers]]'),
        (
            'rpc_url = "http://127.0.0.1:8545"',
            f'[[network.nodes]]\nurl = "https://me:{TOKEN}@node.example"\nname = "mine"',
        ),
    ],
)
def test_no_token_or_password_is_shown(load_text: Any, old: str, new: str) -> None:
    """That it changed is."""
    found = said(load_text, (old, new))
    assert found
    assert TOKEN not in "\n".join(found)


def test_every_key_that_may_hold_a_secret_is_known() -> None:
    """A new key of such a kind is shown to nobody without a word here."""

    def keys(model: type[BaseModel]) -> Iterator[str]:
        for name, field in model.model_fields.items():
            text = str(field.annotation) + str(field.metadata)
            if "url" in name or "as_url" in text or "alarm_url" in text or "heartbeat_url" in text:
                yield name
            for inner in _models(field.annotation):
                yield from keys(inner)

    found = set(keys(schema.KeeperFile))
    assert found >= {"rpc_url", "urls", "heartbeat_url"}
    assert found <= SECRETS


def _models(annotation: object) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in getattr(annotation, "__args__", ()):
        yield from _models(part)


@pytest.mark.parametrize(
    "place",
    [
        ("positions", "eth-loop", "owner"),
        ("positions", "eth-loop", "signer"),
        ("signers", "hot", "address"),
        ("signers", "other"),
        ("network", "file"),
        ("network file", "chain_id"),
        ("network", "rpc_url"),
        ("journal", "url"),
        ("daemon", "metrics_port"),
        ("safety", "forecaster"),
        ("web", "port"),
        ("exposure", "all_chains"),
        ("a table of later", "key"),
    ],
)
def test_what_stays_while_a_keeper_runs_is_refused_by_name(place: tuple[str, ...]) -> None:
    """Owner, signer, chain, node, journal, ports: and whatever nobody thought of."""
    (line,) = pinned([Differing(place, "a", "b")])
    assert place[-1] in line
    assert "restart" in line


@pytest.mark.parametrize(
    "place",
    [("positions", "new"), ("rules", "protect", "when"), ("safety", "max_fee_gwei"), ("alerts", "urls"), ("panic", "p"),
     ("books", "b"), ("exposure", "leverage"), ("daemon", "fire_drill")],
)  # fmt: skip
def test_what_an_owner_changes_at_night_is_taken_up(place: tuple[str, ...]) -> None:
    """Rules, bounds, limits, alarms, a position more or less."""
    assert list(pinned([Differing(place, "a", "b")])) == []
