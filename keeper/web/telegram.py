"""A Telegram bot that answers its owner: status, explain, pause, resume, panic. Off unless the settings name a chat.

It has a thread and a connection to the journal of its own, and only ever writes there what the commands of the same
names write: the daemon never waits for it, whether Telegram answers or not.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import threading
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass

from keeper.core.pauses import ABOUT, ALL, RULE
from keeper.journal import Journal, JournalError
from keeper.settings import Settings
from keeper.settings.model import TelegramSettings
from keeper.web.cards import cards_of
from keeper.web.controls import ControlError, PauseAsked, change
from keeper.web.sight import Onlooker
from keeper.web.stands import BLIND, DRY_RUN, LIVE, UNSEEN
from keeper.web.telegram_wire import Message, TelegramError, TelegramWire

STALE_S = 120
"""A message that lay longer at Telegram is not acted on: its owner has seen to it otherwise by now."""
CONFIRM_S = 90
WAIT_S, MOST_WAIT_S = 2.0, 60.0
MOST_A_MINUTE = 20
HELP = """status – how all positions stand
explain NAME – what would be done about one, and why
pause NAME | all – nothing of it is signed; alerts go on
resume NAME | all
panic NAME | all – as [[panic]] declares, once you confirm it"""

Order = Callable[[Journal, Settings, Sequence[str]], Awaitable[object]]
"""Writes an order to close or deleverage down: see ``service.panic.give_order``."""
Heard = Callable[[str, str], None]
"""Called with an event and what is to be said of it: for the log."""


@dataclass(frozen=True, slots=True)
class PanicAsked:
    """A panic that waits for its word."""

    chat: int
    sender: int
    word: str
    until: float
    what: tuple[tuple[Onlooker, tuple[str, ...]], ...]


class Bot:
    """Answers the chats that are allowed, and nobody else."""

    def __init__(
        self,
        chains: Sequence[Settings],
        settings: TelegramSettings,
        order: Order,
        heard: Heard,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.sights = [Onlooker(of) for of in chains]
        self._settings = settings
        self._wire = TelegramWire(settings.token.reveal(), settings.api.reveal())
        self._order = order
        self._heard = heard
        self._clock = clock
        self._asked: PanicAsked | None = None
        self._strangers = set[int]()
        self._answered = deque[float](maxlen=MOST_A_MINUTE)
        self._is_over = threading.Event()

    @contextlib.contextmanager
    def beside(self) -> Iterator[None]:
        """Answer meanwhile, in a thread that nobody waits for."""
        threading.Thread(target=lambda: asyncio.run(self.work()), name="telegram", daemon=True).start()
        try:
            yield
        finally:
            self._is_over.set()

    async def work(self) -> None:
        """Answer until it is over. Whatever Telegram does, it is asked again, more rarely while it fails."""
        after, failures = None, 0
        while not self._is_over.is_set():
            try:
                after, messages = self._wire.updates(after)
                for message in messages:
                    await self._take(message)
            except TelegramError as error:
                failures += 1
                if failures in (1, 10) or error.is_ours:
                    self._heard("telegram_failed", str(error))
                self._is_over.wait(MOST_WAIT_S if error.is_ours else min(MOST_WAIT_S, WAIT_S * 2.0 ** min(failures, 5)))
            except Exception as error:  # noqa: BLE001 - a defect of the bot ends no watch, and shows no text of a message
                failures += 1
                self._heard("telegram_failed", type(error).__name__)
                self._is_over.wait(WAIT_S)
            else:
                if failures:
                    self._heard("telegram_back", f"after {failures} failures")
                failures = 0
        for sight in self.sights:
            await sight.close()

    async def _take(self, message: Message) -> None:
        """Answer one message; one that fails costs none of those that came with it: none is handed out twice."""
        try:
            await self.take(message)
        except Exception as error:  # noqa: BLE001 - see ``work``
            said = str(error) if isinstance(error, TelegramError) else type(error).__name__
            self._heard("telegram_failed", said)

    async def take(self, message: Message) -> None:
        """Answer one message, where it may be answered. Raises TelegramError."""
        if message.chat not in self._settings.chats:
            if message.chat not in self._strangers and len(self._strangers) < 100:
                self._strangers.add(message.chat)
                self._heard("telegram_stranger", f"chat {message.chat} is not in telegram.chats: not answered")
            return
        now = self._clock()
        if now - message.at > STALE_S or self._is_flood(now):
            return
        try:
            said = await self._answer(message)
        except ControlError as error:
            said = f"Not done: {error}"
        except JournalError as error:
            said = f"Not done: the journal cannot be used now ({error})"
        self._wire.say(message.chat, said)

    def _is_flood(self, now: float) -> bool:
        is_full = len(self._answered) == MOST_A_MINUTE and 0 <= now - self._answered[0] < 60
        if not is_full:
            self._answered.append(now)
        return is_full

    # --- what can be asked -------------------------------------------------------------------------------------------

    async def _answer(self, message: Message) -> str:
        word, *rest = message.text.split()
        name = " ".join(rest)
        match word.lower().lstrip("/").partition("@")[0]:
            case "status":
                return "\n\n".join([await self._status(sight) for sight in self.sights])
            case "explain":
                return await self._explain(name)
            case "pause" | "resume" as action:
                self._may_change(message)
                return await self._paused(action, name)
            case "panic":
                self._may_change(message)
                return self._panic(message, name)
            case "confirm":
                self._may_change(message)
                return await self._confirmed(message, name)
            case _:
                return HELP

    def _may_change(self, message: Message) -> None:
        """Raise ControlError unless commands may change anything, and who writes may: in a group, by himself."""
        if not self._settings.may_control:
            raise ControlError("commands may only look: telegram.control is off in the settings")
        if message.sender not in self._settings.chats:
            raise ControlError("in a group only those whose own chat is in telegram.chats may change anything")
        if not message.is_own:
            raise ControlError("it was forwarded: write it yourself")

    async def _status(self, sight: Onlooker) -> str:
        glance = await sight.glance()
        view, state = glance["view"], glance["state"]
        if view is None or state == UNSEEN:
            return f"{sight.name}: nothing was seen yet. {glance['trouble'] or ''}".strip()
        mode = {LIVE: "LIVE", DRY_RUN: "dry run", BLIND: "BLIND"}.get(state, "NOT WATCHED")
        seen = f"block {view['block']['number']}, seen {glance['age_s']} s ago"
        lines = [f"{sight.name}: {mode}, {seen}: {glance['says']}"]
        for _, card in cards_of(view):
            lines.append(f"{card.name}: {card.label} {card.figure}, {card.far} {card.distance}. {card.now[0]}")
        lines += [f"paused: {one['subject']}" for one in glance["paused"]]
        lines += ["STOPPED SIGNING"] if not view["may_sign"] else []
        return "\n".join(lines)

    async def _explain(self, name: str) -> str:
        for sight in self.sights:
            for _, card in cards_of((await sight.glance())["view"]):
                if card.name == name:
                    figures = f"{card.label} {card.figure}, {card.far} {card.distance}"
                    return "\n".join([f"{name}: {figures}", *card.now, *card.why, *card.doubts])
        raise ControlError(f"nothing is seen of {name[:60]!r}; known: {', '.join(self._names()) or 'none'}")

    async def _paused(self, action: str, name: str) -> str:
        done = list[str]()
        for sight in self.sights:
            of = sight.settings
            kind = ALL if name == "all" else RULE if name in of.rule_names else ABOUT
            if kind == ALL or name in (*of.rule_names, *of.subject_names):
                await change(sight, PauseAsked(action, kind, name, None))
                done.append(sight.name)
        if not done:
            raise ControlError(f"there is no {name[:60]!r}; known: all, {', '.join(self._names())}")
        verb = "Paused: nothing of it is signed, alerts go on." if action == "pause" else "Resumed."
        return f"{verb} ({name}, {', '.join(done)})"

    def _panic(self, message: Message, name: str) -> str:
        what = list[tuple[Onlooker, tuple[str, ...]]]()
        for sight in self.sights:
            of = sight.settings
            declared = [r.position for r in of.panic_rules] + [r.position for r in of.perp_panic_rules]
            meant = tuple(dict.fromkeys(p for p in declared if name in ("all", p)))
            what += [(sight, meant)] if meant else []
        if not what:
            raise ControlError(f"no [[panic]] is declared for {name[:60]!r}")
        word = f"{secrets.randbelow(10**6):06}"
        self._asked = PanicAsked(message.chat, message.sender, word, self._clock() + CONFIRM_S, tuple(what))
        names = ", ".join(p for _, meant in what for p in meant)
        return f"This closes or deleverages {names} now, with real money. Within {CONFIRM_S} s: confirm {word}"

    async def _confirmed(self, message: Message, word: str) -> str:
        asked, self._asked = self._asked, None  # one try: a wrong word calls it off
        if asked is None or self._clock() > asked.until:
            raise ControlError("nothing waits to be confirmed")
        if (message.chat, message.sender) != (asked.chat, asked.sender) or not secrets.compare_digest(
            word.encode(), asked.word.encode()
        ):
            raise ControlError("that is another word, or another person: ask for panic anew")
        for sight, _ in asked.what:  # all or none: an order that a dry run leaves is carried out at a later live start
            view = (await sight.glance())["view"]
            if view is not None and view["mode"] != LIVE:
                raise ControlError(f"the keeper of {sight.name} is a dry run and sends nothing: nothing was ordered")
        for sight, names in asked.what:
            journal = await sight.journal()
            if journal is None:
                raise ControlError("there is no journal yet: start the keeper first")
            await self._order(journal, sight.settings, names)
            sight.forget()
        ordered = ", ".join(p for _, meant in asked.what for p in meant)
        return f"Ordered: {ordered}. The keeper begins with its next block. Their other rules are paused."

    def _names(self) -> list[str]:
        return [name for sight in self.sights for name in sight.settings.subject_names]
