"""What there is to show of one chain: the newest view, what the journal knows beside it, and how it stands. Plain data.

``keeper watch`` and the page show the same. Nothing here asks a node; what is read is the journal and the settings.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

from keeper.core.drills import from_plain as drilled
from keeper.core.drills import key_of as drill_key
from keeper.core.panics import plain
from keeper.core.pauses import from_plain, key_of
from keeper.core.rules import Rule
from keeper.core.units import DAY_S, decimal_of
from keeper.journal import Journal, JournalError, open_as_it_is
from keeper.journal.decisions import Mode
from keeper.journal.orders import ordered
from keeper.journal.plain import decision_row, transaction_row
from keeper.journal.views import Glimpse, scope_of
from keeper.settings import Settings
from keeper.web.stands import DRY_RUN, LIVE, says, state_of

Data = dict[str, Any]
DECISIONS, TRANSACTIONS, DEEDS = 20, 12, 100
FRESH_S = 1.0
"""How long what was read is shown to whoever asks again: a crowd of browsers reads no more than one."""


@dataclass(slots=True)
class Shelf:
    """The newest view of a keeper in this process. One thread puts it there, another takes it."""

    view: Data | None = None
    count: int = 0

    def show(self, view: Data) -> None:
        """Take the place of the one before."""
        self.view, self.count = view, self.count + 1


@dataclass(slots=True)
class Onlooker:
    """One chain, as the page looks at it."""

    settings: Settings
    latest: Shelf | None = None
    clock: Callable[[], float] = time.time
    _journal: Journal | None = None
    _known: Data | None = None
    _read_at: float = 0.0
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def name(self) -> str:
        """The network's name."""
        return self.settings.network.name

    def go_by(self, settings: Settings) -> None:
        """Look by other settings from now on: the keeper beside it took them up. The journal stays the same one."""
        self.settings = settings
        self.forget()

    async def close(self) -> None:
        """Let go of the journal."""
        if self._journal is not None:
            await self._journal.close()
            self._journal = None

    async def glance(self) -> Data:
        """Return everything to be seen at once; what cannot be read is said, and the rest is there."""
        async with self._lock:
            now = self.clock()
            if self._known is None or not 0 <= now - self._read_at < FRESH_S:
                self._known, self._read_at = await self._glance(), now
            return self._known

    async def mark(self) -> tuple[object, ...]:
        """Return what changes whenever there is something new to see."""
        glance = await self.glance()
        newest = [rows[0] if (rows := glance[key]) else None for key in ("decisions", "transactions")]
        states = tuple((t["id"], t["state"]) for t in glance["transactions"])
        return (
            glance["at"],
            glance["state"],
            glance["says"],
            str(newest[0]),
            states,
            str(glance["paused"]),
            str(glance["ordered"]),
            glance["trouble"],
        )

    async def _glance(self) -> Data:
        network, now = self.settings.network, self.clock()
        glance: Data = {
            "network": network.name,
            "chain_id": network.chain_id,
            "view": None,
            "at": None,
            "judged_at": None,
            "paused": [],
            "ordered": None,
            "limits": [],
            "drill": None,
            "decisions": [],
            "transactions": [],
            "trouble": None,
        }
        try:
            await self._look(glance)
        except JournalError as error:
            glance["trouble"] = str(error)
            await self.close()
        self._take_latest(glance)
        view, age = glance["view"], None if glance["at"] is None else max(0, int(now) - glance["at"])
        judged_at = (view.get("judged_at") or glance["at"]) if view else None
        judged_s = None if judged_at is None else max(0, int(now) - judged_at)
        state = state_of(view, age, self._pace_s)
        return glance | {
            "state": state,
            "judged_at": judged_at,
            "age_s": judged_s,
            "says": says(state, view, judged_s, self._pace_s),
        }

    async def _look(self, glance: Data) -> None:
        journal = await self.journal()
        if journal is None:
            glance["trouble"] = "There is no journal yet: it is made when `keeper run` first starts."
            return
        glance["view"], glance["at"] = await self._newest(journal)
        glance["paused"] = await self.paused(journal)
        glance["ordered"] = plain(await ordered(journal.facts, self.settings.network.known_as))
        glance["drill"] = await self._drill(journal)
        glance["decisions"] = [decision_row(d) for d in await journal.decisions.recent(DECISIONS)]
        glance["transactions"] = await self.transactions(TRANSACTIONS)
        glance["limits"] = await self._limits(journal, glance["view"])

    def _take_latest(self, glance: Data) -> None:
        view = self.latest.view if self.latest else None
        if view is not None and view["at"] >= (glance["at"] or 0):
            glance["view"], glance["at"] = view, view["at"]

    async def journal(self) -> Journal | None:
        """Return the journal, opened once; None where there is none yet. Raises JournalError."""
        if self._journal is None:
            self._journal = await open_as_it_is(self.settings.journal_url.reveal())
        return self._journal

    async def _newest(self, journal: Journal) -> tuple[Data | None, int | None]:
        """Return the newest view: of a live keeper's and a dry run's the later one."""
        found = [await journal.views.newest(scope) for scope in self._scopes]
        whole = [(view, at) for view, at in filter(None, found) if isinstance(view, dict) and "subjects" in view]
        return max(whole, key=lambda one: one[1], default=(None, None))

    @property
    def _scopes(self) -> tuple[str, ...]:
        network = self.settings.network
        return tuple(scope_of(network.chain_id, network.name, mode) for mode in (LIVE, DRY_RUN))

    async def paused(self, journal: Journal) -> list[Data]:
        """Return the pauses that are on. Raises JournalError."""
        network = self.settings.network
        found = from_plain(await journal.facts.get(key_of(network.chain_id, network.name)))
        return [asdict(p) | {"subject": p.subject} for p in found if not p.is_over(int(self.clock()))]

    async def _drill(self, journal: Journal) -> Data | None:
        """Return the last fire drill, of a live keeper's and a dry run's the later one. Raises JournalError."""
        network = self.settings.network
        keys = [drill_key(network.name, f"{network.chain_id}:{mode}") for mode in (LIVE, DRY_RUN)]
        found = [drilled(await journal.facts.get(key)) for key in keys]
        last = max((d for d in found if d is not None), key=lambda drill: drill.at, default=None)
        if last is None:
            return None
        rules = [
            {"position": r.position, "rule": r.rule, "fine": r.is_well, "text": r.said, "remedy": r.remedy}
            for r in last.rules
        ]
        return {"at": last.at, "block": last.block, "fine": not last.failing, "text": last.summary, "rules": rules}

    async def transactions(self, limit: int) -> list[Data]:
        """Return what was signed, newest first. Raises JournalError."""
        journal = await self.journal()
        names = {str(signer.address): signer.name for signer in self.settings.signers}
        rows = list[Data]()
        for one in await journal.transactions.recent(limit) if journal else ():
            decision = await journal.decisions.get(one.decision_id) if journal else None
            steps = [{"hash": a.hash, "signed_at": a.signed_at, "broadcast_at": a.broadcast_at} for a in one.attempts]
            rows.append(transaction_row(one, decision, names) | {"updated_at": one.updated_at, "tries": steps})
        return rows

    async def _limits(self, journal: Journal, view: Data | None) -> list[Data]:
        """Return what each rule with a limit of a day has spent of it. Raises JournalError."""
        settings, found = self.settings, list[Data]()
        mode: Mode = "live" if view is None or view["mode"] == LIVE else "dry_run"
        since = (view["block"]["timestamp"] if view else int(self.clock())) - DAY_S
        rules: tuple[Rule[Any], ...] = (*settings.rules, *settings.perp_rules, *settings.book_rules)
        for rule in rules:
            most = rule.limits.max_spend_per_day
            if most is None:
                continue
            spent = await journal.transactions.spent_usd(
                settings.network.chain_id, since_timestamp=since, rule=rule.name, mode=mode
            )
            found.append(
                {
                    "rule": rule.name,
                    "position": rule.position,
                    "spent_usd": decimal_of(spent, 8, 2),
                    "per_day_usd": decimal_of(most, 8, 2),
                    "used_percent": min(100, spent * 100 // most) if most else 100,
                }
            )
        return found

    @property
    def _pace_s(self) -> float:
        """How often a block is judged, at the best."""
        return max(self.settings.network.block_time_s, self.settings.daemon.interval_s or 0)

    # --- one position or book ----------------------------------------------------------------------------------------

    async def history(self, name: str, seconds: int) -> tuple[Glimpse, ...]:
        """Return how a figure went, in the mode that is shown. Raises JournalError."""
        journal = await self.journal()
        if journal is None:
            return ()
        view = (await self.glance())["view"]
        mode = view["mode"] if view else LIVE
        network = self.settings.network
        scope = scope_of(network.chain_id, network.name, mode)
        return await journal.views.since(scope, name, int(self.clock()) - seconds)

    async def deeds(self, name: str, seconds: int) -> list[Data]:
        """Return what was to be done about a position or book, newest first. Raises JournalError."""
        journal = await self.journal()
        found = await journal.decisions.done(name, int(self.clock()) - seconds, DEEDS) if journal else ()
        return [decision_row(d) | {"at": d.created_at, "outcome": d.outcome} for d in found]

    async def decisions(self, name: str | None, limit: int) -> list[Data]:
        """Return what was decided, newest first. Raises JournalError."""
        journal = await self.journal()
        return [decision_row(d) for d in await journal.decisions.recent(limit, name)] if journal else []

    @property
    def ways_out(self) -> dict[str, str]:
        """What `keeper panic` does, by position: what was declared beforehand, in words."""
        declared: tuple[Rule[Any], ...] = (*self.settings.panic_rules, *self.settings.perp_panic_rules)
        return {r.position: f"{r.target}, by {', '.join(a.key for a in r.actions)}" for r in declared}

    def knows(self, name: str) -> bool:
        """Return whether a position or book is in the settings."""
        return name in self.settings.subject_names

    def forget(self) -> None:
        """Read anew at the next look: something was changed here."""
        self._known = None
