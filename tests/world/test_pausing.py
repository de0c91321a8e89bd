"""``keeper pause`` and ``resume`` on real contracts: what is paused does not act, a running keeper heeds it at once."""

from __future__ import annotations

import json

import pytest
from scenes import DOLLAR, Scene

pytestmark = pytest.mark.world
FINE, BAD_SETTINGS, IN_DANGER = 0, 2, 3


def test_a_running_keeper_rests_while_it_is_paused_and_rescues_when_it_is_resumed(scene: Scene) -> None:
    """The pause is of another process; nothing is signed, and the owner hears why."""
    scene.open(debt={"USDC": 12_000 * DOLLAR})
    with scene.running("--live") as keeper:
        keeper.wait_for('"event": "block"')
        assert scene.keeper("pause", "--rule", "protect").exit_code == FINE
        before = scene.nonce()
        scene.crash("1750")
        keeper.wait_for('"reason": "paused"')
        for _ in range(3):
            scene.world.mine()
        assert scene.nonce() == before
        found = scene.keeper("resume", "--rule", "protect")
        assert "Nothing is paused." in found.stdout
        scene.world.mine()
        keeper.wait_for('"event": "concluded"')
        assert keeper.stop() == FINE
    assert scene.health() > 1.5


def test_a_pause_outlives_the_command_and_is_shown(scene: Scene) -> None:
    """Written into the journal: `status` shows it, `once` holds for it and exits as for a danger not helped."""
    scene.open()
    assert scene.keeper("pause", "--position", "eth-loop", "--for", "2h").exit_code == FINE
    assert "paused: position eth-loop" in scene.keeper("status").stdout
    (one,) = scene.data("status")["paused"]
    assert one["until"] - one["since"] == 7200
    scene.crash("1600")
    code, row = scene.once()
    assert (code, row["decision"]["reason"]) == (IN_DANGER, "paused")
    assert json.loads(scene.keeper("resume", "--all", "--json").stdout) == []
    code, row = scene.once()
    assert row["decision"]["reason"] != "paused"


@pytest.mark.parametrize(("name", "kind"), [("eth-loop", "position"), ("protect", "rule")])
def test_a_name_alone_says_what_is_meant(scene: Scene, name: str, kind: str) -> None:
    """At three in the morning nobody looks up an option: the name does, for a pause and for its end."""
    assert scene.keeper("pause", name).exit_code == FINE
    (one,) = scene.data("status")["paused"]
    assert (one["kind"], one["name"]) == (kind, name)
    assert scene.keeper("resume", name).exit_code == FINE
    assert scene.data("status")["paused"] == []


def test_a_name_of_two_things_is_asked_back(scene: Scene) -> None:
    """A rule that is called as its position: nothing is guessed, nothing is paused."""
    scene.rules = scene.rules.replace('name = "protect"', 'name = "eth-loop"')
    found = scene.keeper("pause", "eth-loop")
    assert found.exit_code == BAD_SETTINGS
    assert "'eth-loop' is a position and a rule: say --position or --rule" in found.stderr
    assert scene.data("status")["paused"] == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "name one: a position, book or rule by its name, --position, --rule, or --all"),
        (("nobody",), "there is no position, book or rule 'nobody'; known: eth-loop, protect"),
        (("eth-loop", "--rule", "protect"), "name one: "),
        (("--all", "--rule", "protect"), "name one: "),
        (("--rule", "nobody"), "there is no rule 'nobody'; known: protect"),
        (("--position", "nobody"), "there is no position 'nobody'; known: eth-loop"),
        (("--all", "--for", "soon"), "--for: 'soon' is not a duration"),
    ],
)
def test_what_is_named_wrongly_is_said_with_what_there_is(scene: Scene, words: tuple[str, ...], said: str) -> None:
    """Exit 2, and nothing is paused."""
    found = scene.keeper("pause", *words)
    assert found.exit_code == BAD_SETTINGS
    assert said in found.stderr
    assert scene.data("status")["paused"] == []
