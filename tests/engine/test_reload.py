"""Settings reloaded by a running keeper: all of every file or nothing, between two blocks, with an answer."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import fields, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from core_builders import BLOCK, loop, rule
from paper import Paper, engine_on, holding_dollars, next_block

from keeper.core.decide import Hold
from keeper.core.lending.rules import LendingIntent
from keeper.engine.cycle import cycle
from keeper.service import reload as reloads
from keeper.service.daemon import Daemon
from keeper.service.housekeeping import Housekeeping
from keeper.service.opened import Opened
from keeper.service.reload import Reloading, answer, wish
from keeper.service.renewal import Renewal, followed, renewal, take_up
from keeper.settings import Settings, SettingsError, load

HOT, OWNER = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8", "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC"
ELSE = "0x15d34AAf54267DB7D7c367839AAf71A00a2C6A65"
FILE = """\
[network]
file = "ethereum"
rpc_url = "http://127.0.0.1:8545"
[[signers]]
name = "hot"
address = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
keystore = "hot.json"
[[positions]]
name = "loop"
venue = "aave_v3"
owner = "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC"
signer = "hot"
[[rules]]
name = "protect"
position = "loop"
when = { health_factor_below = "1.25" }
restore = { health_factor = "1.60" }
actions = ["top_up", "repay"]
"""
OTHER = """
[[positions]]
name = "second"
venue = "aave_v3"
owner = "0x90F79bf6EB2c4f870365E785982E1f101E93b906"
signer = "cold"
[[rules]]
name = "of the second"
position = "second"
when = { health_factor_below = "1.25" }
restore = { health_factor = "1.60" }
actions = ["repay"]
[[signers]]
name = "cold"
address = "0x15d34AAf54267DB7D7c367839AAf71A00a2C6A65"
"""


def written(folder: Path, text: str = FILE, name: str = "keeper.toml") -> Settings:
    (folder / name).write_text(text, encoding="utf-8")
    return load(folder / name, {})


def live_engine(flying: tuple[str, ...] = ()) -> Any:
    """As much of an engine as is looked at before anything is read."""
    flights = SimpleNamespace(names=lambda: frozenset(flying))
    signer = SimpleNamespace(address="0x70997970C51812dc3A010C7d01b50e0d17dc79C8")
    senders = {signer.address: SimpleNamespace(lane=SimpleNamespace(signer=signer))}
    terms = SimpleNamespace(mode="live", safes={})
    return SimpleNamespace(terms=terms, state=SimpleNamespace(in_flight=flights), senders=senders)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (OWNER, ELSE, 'positions "loop": owner'),
        (HOT, ELSE, 'signers "hot": address'),
        ('file = "ethereum"', 'file = "base"', "network.file"),
        ("[[signers]]", '[journal]\nurl = "other.sqlite"\n[[signers]]', "journal.url"),
    ],
)  # fmt: skip
async def test_owner_signer_chain_and_journal_are_refused_by_name(
    tmp_path: Path, old: str, new: str, said: str
) -> None:
    """With the remedy; nothing is read for it."""
    before = written(tmp_path)
    with pytest.raises(SettingsError) as refused:
        await renewal(live_engine(), before, written(tmp_path, FILE.replace(old, new)))
    assert any(f"{said}: stays as it is" in fault and "restart" in fault for fault in refused.value.faults)


async def test_a_position_whose_key_is_not_open_is_refused(tmp_path: Path) -> None:
    """Its rescue could not be signed: better said now."""
    before = written(tmp_path, FILE + OTHER.replace('actions = ["repay"]', 'actions = ["alert"]').replace(
        'restore = { health_factor = "1.60" }\n', ""))  # fmt: skip
    with pytest.raises(SettingsError, match=r"the key of 'cold' is not open here: restart the keeper"):
        await renewal(live_engine(), before, written(tmp_path, FILE + OTHER))


async def test_a_position_with_a_plan_under_way_is_not_taken_out(tmp_path: Path) -> None:
    """Who follows it, reads it."""
    before = written(tmp_path, FILE + OTHER)
    without = FILE + OTHER[OTHER.index("[[signers]]") :]
    with pytest.raises(SettingsError, match=r'positions "second": a plan for it is under way'):
        await renewal(live_engine(("second",)), before, written(tmp_path, without))


async def test_a_position_with_a_transaction_that_waits_is_not_taken_out(tmp_path: Path) -> None:
    """No plan is under way any more, and what it signed may still be mined: somebody has to see to it."""
    before = written(tmp_path, FILE + OTHER)
    without = FILE + OTHER[OTHER.index("[[signers]]") :]
    engine = live_engine()

    async def leftovers() -> tuple[Any, ...]:
        return (SimpleNamespace(decision_id=7), SimpleNamespace(decision_id=7))

    async def get(id_: int) -> Any:
        return SimpleNamespace(position="second") if id_ == 7 else None

    for executor in engine.senders.values():
        executor.lane.leftovers = leftovers
    engine.journal = SimpleNamespace(decisions=SimpleNamespace(get=get))
    with pytest.raises(SettingsError, match=r'positions "second": a transaction of it is not settled yet') as refused:
        await renewal(engine, before, written(tmp_path, without))
    assert len(refused.value.faults) == 1


async def test_a_plan_that_begins_while_new_settings_wait_ends_before_its_position_goes(tmp_path: Path) -> None:
    """It was not under way when they were looked at: a rescue loses neither its reader nor its rule half way."""
    before = written(tmp_path, FILE + OTHER)
    after = written(tmp_path, FILE + OTHER[OTHER.index("[[signers]]") :])
    waiting = SimpleNamespace(settings=after), asyncio.get_running_loop().create_future()
    daemon: Any = SimpleNamespace(_engine=live_engine(("second",)), _settings=before, _waiting=waiting)
    assert not await Daemon._between(daemon)
    assert daemon._waiting is waiting
    assert not followed(live_engine(("loop",)), before, after)


async def test_the_next_block_is_judged_by_the_new_rules_and_what_flies_goes_on(tmp_path: Path) -> None:
    """A rule that rested fires; what was made ready by the old ones is gone; the plan under way is still known."""
    plain = engine_on(Paper({"loop": loop("10", "10000")}, holding_dollars()), rule())
    engine: Any = Opened(**{f.name: getattr(plain, f.name) for f in fields(plain) if f.init})
    (before,) = await cycle(engine, BLOCK)
    assert isinstance(before.decision, Hold)
    settings = written(tmp_path)
    sooner = replace(settings, rules=(rule("2.50", "3.00"),))
    engine.reader.close, engine.reader.listen = nothing, lambda: None
    engine.reader.blocks = engine.reader.chronicle = None
    flying = asyncio.create_task(asyncio.sleep(60))
    engine.state.in_flight.begin("0x0", "another", flying)
    engine.state.armed = {"loop": ("made ready by the old rules",)}
    await take_up(engine, settings, Renewal(sooner, (), engine.reader, None, AsyncExitStack()))
    assert engine.state.armed == {}
    assert engine.state.in_flight.names() == {"another"}
    (after,) = await cycle(engine, next_block())
    assert isinstance(after.decision, LendingIntent)
    flying.cancel()


async def nothing() -> None:
    """Close what needs no closing."""


class PretendDaemon:
    """Takes up what it is given; its settings can be read anew."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.engine: Any = engine_on(Paper({}, holding_dollars()))
        self.taken = list[Settings]()

    async def renew(self, found: Renewal) -> bool:
        self.settings = found.settings
        self.taken.append(found.settings)
        return True


@pytest.fixture
def readable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every position of any file can be read."""

    async def one_read(*_: object) -> None:
        return None

    class Reader(SimpleNamespace):
        async def close(self) -> None:
            return None

    monkeypatch.setattr("keeper.service.renewal.reader_of", lambda *_, **__: Reader())
    monkeypatch.setattr("keeper.service.renewal._read_once", one_read)
    monkeypatch.setattr("keeper.service.renewal.refuse_unfit", one_read)


def daemon(settings: Settings) -> Any:
    found: Any = PretendDaemon(settings)
    found.engine.reader.blocks = None
    return found


async def settled(of: Reloading) -> None:
    assert of._task is not None
    await of._task


async def test_a_bad_file_is_refused_by_field_and_the_old_settings_go_on(tmp_path: Path) -> None:
    """In the log, in an alarm and in the answer."""
    one = daemon(written(tmp_path))
    (tmp_path / "keeper.toml").write_text(FILE.replace('"1.25"', '"a lot"'), encoding="utf-8")
    reloading = Reloading([one])
    reloading.ask()
    await settled(reloading)
    assert one.taken == []
    assert one.engine.observer.alarms == ["The changed settings are refused"]
    found = await answer(one.engine.journal, one.settings, "")
    assert found is not None
    assert not found.is_done
    assert "health_factor_below (in 'protect'): 'a lot' is not a number" in found.lines[0]


async def test_a_rule_that_can_never_work_is_refused_as_check_does(tmp_path: Path, readable: None) -> None:
    """At the start it would be a warning that its owner sees; nobody sits before a keeper that runs."""
    one = daemon(written(tmp_path))
    (tmp_path / "keeper.toml").write_text(FILE.replace('"1.25"', '"0.25"'), encoding="utf-8")
    reloading = Reloading([one])
    reloading.ask()
    await settled(reloading)
    assert one.taken == []
    found = await answer(one.engine.journal, one.settings, "")
    assert found is not None
    assert "protect" in found.lines[0]


async def test_of_two_chains_neither_is_changed_where_one_file_is_bad(tmp_path: Path, readable: None) -> None:
    """All or nothing: SIGHUP means every file."""
    one = daemon(written(tmp_path))
    base = FILE.replace('"ethereum"', '"base"').replace("[[signers]]", '[journal]\nurl = "b.sqlite"\n[[signers]]')
    two = daemon(written(tmp_path, base, "base.toml"))
    (tmp_path / "keeper.toml").write_text(FILE.replace('"1.25"', '"1.30"'), encoding="utf-8")
    (tmp_path / "base.toml").write_text(base + "nonsense", encoding="utf-8")
    reloading = Reloading([one, two])
    reloading.ask()
    await settled(reloading)
    assert (one.taken, two.taken) == ([], [])
    (tmp_path / "base.toml").write_text(base.replace('"1.60"', '"1.70"'), encoding="utf-8")
    reloading.ask()
    await settled(reloading)
    assert len(one.taken) == len(two.taken) == 1


async def test_a_wish_in_the_journal_is_answered_with_the_difference(
    tmp_path: Path, readable: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`keeper reload` need not be where the keeper runs; a wish older than its start is fulfilled already."""
    monkeypatch.setattr(reloads, "LOOK_S", 0.01)
    one = daemon(written(tmp_path))
    await wish(one.engine.journal, one.settings, "of yesterday")
    reloading = Reloading([one])
    listening = asyncio.create_task(reloading.listen())
    await asyncio.sleep(0.1)
    assert one.taken == []
    (tmp_path / "keeper.toml").write_text(FILE.replace('"1.25"', '"1.30"'), encoding="utf-8")
    await wish(one.engine.journal, one.settings, "of today")
    for _ in range(300):
        if found := await answer(one.engine.journal, one.settings, "of today"):
            break
        await asyncio.sleep(0.01)
    assert found is not None
    assert found.is_done
    assert found.lines == ('rules "protect": when.health_factor_below: "1.25" → "1.30"',)
    assert await answer(one.engine.journal, one.settings, "of yesterday") is None
    listening.cancel()
    await reloading.close()


async def test_what_is_done_between_blocks_is_done_with_the_reader_there_is_by_then() -> None:
    """The half-hourly look at the market is about the reloaded settings' own: no part keeps the old reader."""
    forgotten = list[str]()
    engine: Any = SimpleNamespace(reader=SimpleNamespace(forget=lambda: forgotten.append("old")))
    chores = Housekeeping(engine, SimpleNamespace(names=()))  # type: ignore[arg-type]
    engine.reader = SimpleNamespace(forget=lambda: forgotten.append("new"))
    chores._forget()
    assert forgotten == ["new"]
