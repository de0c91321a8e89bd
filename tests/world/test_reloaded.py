"""``keeper reload`` and SIGHUP on real contracts: differences shown, a bad file refused, plans followed on."""

from __future__ import annotations

import json
import signal
import time

import pytest
from scenes import DOLLAR, RULE, Scene

pytestmark = pytest.mark.world
FINE, FAILED, BAD_SETTINGS = 0, 1, 2


def rewritten(scene: Scene, old: str, new: str) -> None:
    text = scene.config.read_text()
    assert old in text
    scene.config.write_text(text.replace(old, new))


def test_new_rules_are_heeded_from_the_newest_block_on(scene: Scene) -> None:
    """No restart: the bound is put above where the position stands, and it is rescued without another block."""
    scene.open(debt={"USDC": 12_000 * DOLLAR})
    with scene.running("--live") as keeper:
        keeper.wait_for('"event": "block"')
        rewritten(scene, 'health_factor_below = "1.25"', 'health_factor_below = "1.40"')
        found = scene.keeper("reload")
        assert found.exit_code == FINE, found.output
        assert 'rules "protect": when.health_factor_below: "1.25" → "1.40"' in found.stdout
        keeper.wait_for('"event": "concluded"')
        assert "The settings were reloaded" in keeper.log
        assert keeper.stop() == FINE
    assert scene.health() > 1.59


def test_a_bad_file_and_pinned_things_are_refused_and_the_old_settings_rescue(scene: Scene) -> None:
    """By SIGHUP: said in the log by field and remedy; by the command: exit 2. The keeper goes on."""
    scene.open(debt={"USDC": 12_000 * DOLLAR})
    with scene.running("--live") as keeper:
        keeper.wait_for('"event": "block"')
        good = scene.config.read_text()
        rewritten(scene, 'health_factor_below = "1.25"', 'health_factor_below = "a lot"')
        keeper.process.send_signal(signal.SIGHUP)
        keeper.wait_for('"reload_refused"')
        assert "health_factor_below (in 'protect'): 'a lot' is not a number" in keeper.log
        scene.config.write_text(good.replace(f'owner = "{scene.owner}"', f'owner = "{scene.world.account(5).address}"'))
        found = scene.keeper("reload")
        assert found.exit_code == BAD_SETTINGS
        assert 'positions "eth-loop": owner: stays as it is while the keeper runs' in found.stderr
        scene.crash("1750")
        keeper.wait_for('"event": "concluded"')
        assert keeper.stop() == FINE
    assert any(row["rule"] == "protect" and row["outcome"] for row in scene.data("journal"))


def test_a_plan_that_is_pending_is_followed_through_a_reload(scene: Scene) -> None:
    """Signed once, sent, not mined: the settings change meanwhile, and it is mined, verified and written down."""
    scene.open(debt={"USDC": 12_000 * DOLLAR})
    with scene.running("--live") as keeper:
        keeper.wait_for('"event": "block"')
        scene.world.rpc("evm_setAutomine", False)
        scene.world.rpc("evm_setIntervalMining", 0)
        rewritten(scene, 'health_factor_below = "1.25"', 'health_factor_below = "1.40"')
        keeper.process.send_signal(signal.SIGHUP)
        keeper.wait_for('"planned"')
        while not int(scene.world.rpc("txpool_status")["pending"], 16):
            time.sleep(0.1)
        rewritten(scene, RULE.strip().splitlines()[-1], 'max_fee_gwei = "300"')
        found = scene.keeper("reload", "--json")
        assert found.exit_code == FINE, found.output
        assert json.loads(found.stdout)["lines"] == ['rules "protect": limits.max_fee_gwei: "200" → "300"']
        scene.world.rpc("evm_setAutomine", True)
        scene.world.mine(2)
        keeper.wait_for('"event": "concluded"')
        assert keeper.stop() == FINE
    (plan,) = [row for row in scene.data("journal") if row["kind"] == "act"]
    assert plan["outcome"]["kind"] == "restored"
    assert scene.health() > 1.59


def test_where_no_keeper_runs_nobody_answers(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """Said with what to do, and not for ever."""
    monkeypatch.setattr("keeper.cli.reload.WITHIN_S", 0.5)
    found = scene.open().keeper("reload")
    assert found.exit_code == FAILED
    assert "No keeper answered" in found.stderr
