"""The bot on a local server that speaks Telegram's API: who is answered, what may be changed, what is never said."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from page_scene import scene
from telegram_stand import TOKEN, TelegramStand

from keeper.core.panics import Order
from keeper.journal import open_journal
from keeper.service.panic import give_order, ordered
from keeper.settings import Settings, SettingsError, load
from keeper.settings.model import Secret, TelegramSettings
from keeper.web import telegram, telegram_wire
from keeper.web.telegram import CONFIRM_S, HELP, MOST_A_MINUTE, STALE_S, Bot
from keeper.web.telegram_wire import Message, TelegramError, TelegramWire

WAY_OUT = '\n[[panic]]\nposition = "eth-loop"\nactions = ["repay", "deleverage"]\n'
OWNER, FRIEND, GROUP, STRANGER = 7, 8, -100, 9


@pytest.fixture
def stand(monkeypatch: pytest.MonkeyPatch) -> Iterator[TelegramStand]:
    monkeypatch.setattr(telegram_wire, "POLL_S", 1)
    monkeypatch.setattr(telegram, "WAIT_S", 0.05)
    with TelegramStand() as found:
        yield found


class Play:
    """A bot whose messages are handed to it by hand."""

    def __init__(
        self, settings: Settings, stand: TelegramStand, *, may_control: bool = True, token: str = TOKEN
    ) -> None:
        self.now = time.time()
        self.heard = list[tuple[str, str]]()
        self.settings, self.stand = settings, stand
        of = TelegramSettings(Secret(token), frozenset({OWNER, FRIEND, GROUP}), may_control, Secret(stand.url))
        self.bot = Bot([settings], of, give_order, lambda *said: self.heard.append(said), lambda: self.now)

    async def says(self, text: str, chat: int = OWNER, sender: int = OWNER, ago_s: int = 0, *, own: bool = True) -> str:
        """Return what is answered; empty where nobody is."""
        before = len(self.stand.said)
        await self.bot.take(Message(1, chat, sender, int(self.now) - ago_s, text, own))
        return self.stand.said[-1][1] if len(self.stand.said) > before else ""

    async def ordered(self) -> Order:
        async with await open_journal(self.settings.journal_url.reveal()) as journal:
            return await ordered(journal, self.settings)


@pytest_asyncio.fixture
async def settings(tmp_path: Path) -> AsyncIterator[Settings]:
    """A night of three loans, one of which has its way out declared."""
    night = await scene(tmp_path, now=int(time.time()))
    file = night.settings.path
    file.write_text(file.read_text() + WAY_OUT)
    yield load(file, {})


async def test_status_and_explain_say_what_the_page_says(settings: Settings, stand: TelegramStand) -> None:
    """Mode, block, each position with its figure and what is done about it; why, and why not."""
    play = Play(settings, stand, may_control=False)
    said = await play.says("/status")
    assert said.startswith("ethereum: LIVE, block ")
    for name in ("eth-loop", "calm-loan", "dark-loan"):
        assert name in said
    assert "health factor" in await play.says("explain eth-loop")
    assert "known: eth-loop" in await play.says("explain nobody")
    assert await play.says("what can you do") == HELP
    assert await play.says("/status@TheKeepersBot") == said


async def test_nobody_but_the_chats_named_is_answered(settings: Settings, stand: TelegramStand) -> None:
    """Not with a word; that somebody tried is logged once, with the number and nothing of what he wrote."""
    play = Play(settings, stand)
    for text in ("status", "panic all", "confirm 000000", "status"):
        assert await play.says(text, chat=STRANGER, sender=STRANGER) == ""
    (one,) = play.heard
    assert one[0] == "telegram_stranger"
    assert "panic" not in one[1]


async def test_what_changes_anything_is_refused_unless_the_settings_allow_it(
    settings: Settings, stand: TelegramStand
) -> None:
    """`control` is off unless it is set: then a phone that is lost can look, and no more."""
    play = Play(settings, stand, may_control=False)
    for text in ("pause all", "resume all", "panic eth-loop", "confirm 123456"):
        assert "commands may only look" in await play.says(text)
    assert await play.ordered() == Order((), 0)
    assert "paused" not in await play.says("status")


async def test_pause_and_resume_are_those_of_the_commands(settings: Settings, stand: TelegramStand) -> None:
    """A rule, a position or all: in the journal, where the keeper looks before it acts."""
    play = Play(settings, stand)
    assert "Paused" in await play.says("pause eth-loop")
    assert "paused: position eth-loop" in await play.says("status")
    assert "Paused" in await play.says("pause protect")
    assert "paused: rule protect" in await play.says("status")
    assert "Resumed" in await play.says("resume all")
    assert "paused" not in await play.says("status")
    assert "there is no 'nobody'; known: all, eth-loop" in await play.says("pause nobody")


async def test_panic_wants_its_word_from_the_same_person_in_time_and_once(
    settings: Settings, stand: TelegramStand
) -> None:
    """A wrong word, another person or a late one calls it off; the right one orders what was declared."""
    play = Play(settings, stand)

    async def word() -> str:
        said = await play.says("panic all")
        assert "eth-loop now, with real money" in said
        return said.rpartition(" ")[2]

    assert "another word" in await play.says(f"confirm {(int(await word()) + 1) % 10**6:06}")
    right = await word()
    assert "another person" in await play.says(f"confirm {right}", chat=FRIEND, sender=FRIEND)
    assert "nothing waits" in await play.says(f"confirm {right}")
    right = await word()
    play.now += CONFIRM_S + 1
    assert "nothing waits" in await play.says(f"confirm {right}")
    assert (await play.ordered()).positions == ()
    right = await word()
    assert "Ordered: eth-loop" in await play.says(f"confirm {right}")
    assert (await play.ordered()).positions == ("eth-loop",)
    assert "nothing waits" in await play.says(f"confirm {right}")
    assert "no [[panic]] is declared for 'calm-loan'" in await play.says("panic calm-loan")


async def test_a_dry_run_takes_no_order(tmp_path: Path, stand: TelegramStand) -> None:
    """It would wait in the journal, and be carried out at a live start that nobody connects with it."""
    file = (await scene(tmp_path, mode="dry_run", now=int(time.time()))).settings.path
    file.write_text(file.read_text() + WAY_OUT)
    play = Play(load(file, {}), stand)
    word = (await play.says("panic all")).rpartition(" ")[2]
    assert "is a dry run and sends nothing: nothing was ordered" in await play.says(f"confirm {word}")
    assert (await play.ordered()).positions == ()
    assert "paused" not in await play.says("status")


async def test_an_answer_that_fails_costs_no_message_that_came_with_it(
    settings: Settings, stand: TelegramStand, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Telegram hands out a batch once: a pause behind a status that could not be answered is still heeded."""
    play = Play(settings, stand)
    at = int(play.now)
    batch = [Message(1, OWNER, OWNER, at, "status", True), Message(2, OWNER, OWNER, at, "pause all", True)]
    tried = list[str]()

    def say(_: TelegramWire, __: int, text: str) -> None:
        tried.append(text)
        raise TelegramError("HTTP status 429")

    def updates(_: TelegramWire, after: int | None) -> tuple[int | None, list[Message]]:
        play.bot._is_over.set()
        return after, batch

    monkeypatch.setattr(TelegramWire, "say", say)
    monkeypatch.setattr(TelegramWire, "updates", updates)
    await play.bot.work()
    assert tried[-1].startswith("Paused")


async def test_old_and_forwarded_messages_and_guests_of_a_group_change_nothing(
    settings: Settings, stand: TelegramStand
) -> None:
    """What lay at Telegram while the keeper was away is not done hours later; a group may have guests."""
    play = Play(settings, stand)
    assert await play.says("pause all", ago_s=STALE_S + 60) == ""
    assert "it was forwarded" in await play.says("pause all", own=False)
    assert "in a group only those" in await play.says("pause all", chat=GROUP, sender=STRANGER)
    assert "Paused" in await play.says("pause all", chat=GROUP, sender=OWNER)
    assert "LIVE" in await play.says("status", chat=GROUP, sender=STRANGER)


async def test_a_flood_is_answered_a_few_times_a_minute(settings: Settings, stand: TelegramStand) -> None:
    """Then not, until a minute went by."""
    play = Play(settings, stand)
    for _ in range(3 * MOST_A_MINUTE):
        await play.says("help")
    assert len(stand.said) == MOST_A_MINUTE
    play.now += 61
    assert await play.says("help") == HELP


async def test_a_journal_that_is_away_is_said(settings: Settings, stand: TelegramStand) -> None:
    """And nothing is done."""
    away = replace(settings, journal_url=Secret("sqlite:////nowhere/at/all.sqlite"))
    play = Play(away, stand)
    assert "nothing was seen yet" in await play.says("status")
    assert "there is no journal yet" in await play.says("pause all")


# --- over the wire ---------------------------------------------------------------------------------------------------


@pytest.mark.slow
async def test_the_bot_answers_by_long_polling_and_comes_back_after_failures(
    settings: Settings, stand: TelegramStand
) -> None:
    """Each message once; a server that fails is asked again, and said once."""
    play = Play(settings, stand)
    play.bot._clock = time.time
    with play.bot.beside():
        stand.write("status", chat=OWNER)
        assert "LIVE" in stand.wait_for(1)
        stand.status = 502
        await asyncio.sleep(1)
        stand.status = 200
        stand.write("help", chat=OWNER)
        assert stand.wait_for(2) == HELP
        for _ in range(100):
            if len(play.heard) == 2:
                break
            await asyncio.sleep(0.05)
    assert [event for event, _ in play.heard] == ["telegram_failed", "telegram_back"]
    assert play.heard[0][1] == "HTTP status 502"


@pytest.mark.slow
async def test_a_server_that_hangs_holds_nobody_up(settings: Settings, stand: TelegramStand) -> None:
    """It has a thread of its own that nobody waits for: its end is not its owner's."""
    stand.hangs = True
    begun = time.monotonic()
    with Play(settings, stand).bot.beside():
        await asyncio.sleep(0.3)
    assert time.monotonic() - begun < 2


@pytest.mark.parametrize("status", [401, 404, 500])
def test_no_error_shows_the_token(stand: TelegramStand, status: int) -> None:
    """It is in every address."""
    stand.status = status
    wire = TelegramWire(TOKEN, stand.url)
    with pytest.raises(TelegramError) as failed:
        wire.updates(None)
    shown = [str(failed.value), repr(failed.value), repr(wire), str(failed.value.__cause__)]
    assert not any("AAF" in text for text in shown)
    assert failed.value.is_ours == (status < 500)
    assert failed.value.__suppress_context__


@pytest.mark.parametrize(
    "update",
    [{}, {"update_id": 1}, {"update_id": 1, "message": None}, {"update_id": 1, "message": {"chat": 3}}, 5, None,
     {"update_id": 1, "message": {"date": 1, "text": 5, "chat": {"id": 1}, "from": {"id": 1}}},
     {"update_id": 1, "edited_message": {"date": 1, "text": "panic all", "chat": {"id": 1}, "from": {"id": 1}}}],
)  # fmt: skip
def test_what_is_no_message_is_passed_over(stand: TelegramStand, update: Any) -> None:
    """Whatever a server says."""
    stand.answered = lambda *_: [update]  # type: ignore[method-assign]
    assert TelegramWire(TOKEN, stand.url).updates(None)[1] == []


# --- settings --------------------------------------------------------------------------------------------------------


def said(settings: Settings, text: str, env: dict[str, str] | None = None) -> Any:
    file = settings.path
    file.write_text(file.read_text() + text)
    try:
        return load(file, env or {}).telegram
    except SettingsError as error:
        return str(error)


async def test_it_is_off_unless_a_chat_is_named_and_its_token_is_kept(settings: Settings, tmp_path: Path) -> None:
    """A file that others read is refused; the token is shown nowhere."""
    assert settings.telegram is None
    (tmp_path / "token").write_text(TOKEN + "\n")
    (tmp_path / "token").chmod(0o644)
    table = '\n[telegram]\ntoken_file = "token"\nchats = [7, -100]\n'
    assert "others may read it: chmod 600" in said(settings, table)
    (tmp_path / "token").chmod(0o600)
    found = said(settings, "")
    assert (found.chats, found.may_control) == (frozenset({7, -100}), False)
    assert "AAF" not in repr(found)


@pytest.mark.parametrize(
    ("table", "word"),
    [
        ("chats = []", "telegram.chats: is empty"),
        ('chats = ["me"]', "telegram.chats[0]"),
        ("chats = [7]", "telegram.token_file: is missing: name a file with the bot's token"),
        ('chats = [7]\ntoken_file = "none"', "cannot be read"),
        ('chats = [7]\napi = "http://elsewhere.example"', "api: must begin with https://"),
    ],
)
async def test_what_is_wrong_with_it_is_named(settings: Settings, table: str, word: str) -> None:
    """By field and remedy."""
    assert word in said(settings, f"\n[telegram]\n{table}\n")


async def test_a_token_that_is_none_is_refused_without_it(settings: Settings) -> None:
    """From the environment as well."""
    found = said(settings, "\n[telegram]\nchats = [7]\n", {"KEEPER_TELEGRAM_TOKEN": "hunter2hunter2"})
    assert "that is no token" in found
    assert "hunter2" not in found
