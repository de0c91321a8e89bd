"""A bot beside a live keeper: one that hangs delays no rescue, one that answers shows it; its token is in no log."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from scenes import Scene
from test_page_beside import kept, network_of

sys.path.insert(0, str(Path(__file__).parents[1] / "web"))

from telegram_stand import TOKEN, TelegramStand

pytestmark = [pytest.mark.world, pytest.mark.slow]


@pytest.fixture
def stand(scene: Scene) -> Iterator[TelegramStand]:
    with TelegramStand() as found:
        (scene.folder / "bot").write_text(TOKEN)
        (scene.folder / "bot").chmod(0o600)
        table = f'[telegram]\ntoken_file = "bot"\nchats = [7]\ncontrol = true\napi = "{found.url}"\n'
        scene.extra = table
        scene.open()
        scene.write()
        yield found


def test_a_channel_that_hangs_delays_no_rescue_and_no_end(scene: Scene, stand: TelegramStand) -> None:
    """The position is brought back, and the keeper leaves when it is asked to."""
    stand.hangs = True
    with scene.running("--live") as keeper:
        keeper.wait_for('"block"')
        while not stand.calls:
            time.sleep(0.05)
        scene.crash()
        keeper.wait_for('"concluded"')
        begun = time.monotonic()
        assert keeper.stop() == 0
        assert time.monotonic() - begun < 10
        assert TOKEN not in keeper.log
        assert TOKEN[10:] not in keeper.log


def test_a_pause_from_the_phone_is_heeded_before_the_next_rescue(scene: Scene, stand: TelegramStand) -> None:
    """Written where `keeper pause` writes it: nothing is signed until it is resumed from there."""
    with scene.running("--live") as keeper:
        keeper.wait_for('"block"')
        stand.write("pause all")
        assert "Paused" in stand.wait_for(1)
        before = scene.nonce()
        scene.crash()
        keeper.wait_for('"reason": "paused"')
        assert scene.nonce() == before
        stand.write("resume all")
        assert "Resumed" in stand.wait_for(2)
        scene.world.mine()
        keeper.wait_for('"concluded"')
        stand.write("status")
        assert "eth-loop" in stand.wait_for(3)
        assert keeper.stop() == 0


def test_bot_and_page_go_by_the_settings_of_a_reload(scene: Scene, stand: TelegramStand) -> None:
    """A way out is declared and a rule named otherwise: asked of both, without a restart."""
    with kept(scene, "--live") as (keeper, at, who):
        stand.write("panic eth-loop")
        assert "no [[panic]] is declared" in stand.wait_for(1)
        text = scene.config.read_text().replace('name = "protect"', 'name = "guard"')
        scene.config.write_text(f'{text}\n[[panic]]\nposition = "eth-loop"\nactions = ["repay", "deleverage"]\n')
        assert scene.keeper("reload").exit_code == 0
        stand.write("panic eth-loop")
        assert "confirm" in stand.wait_for(2)
        stand.write("pause guard")
        assert "Paused" in stand.wait_for(3)
        glance = requests.get(f"{at}/api/glance", params={"chain": network_of(at, who)}, headers=who, timeout=20)
        assert [limit["rule"] for limit in glance.json()["limits"]] == ["guard"]
        assert keeper.stop() == 0
