"""What an owner hears besides the rules: prices in doubt, gas money that runs low, a summary a day, a sign of life."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import chain

from keeper.core.decide import Hold
from keeper.core.drills import Drill
from keeper.core.notices import sentence
from keeper.core.prices import Doubt
from keeper.core.reasons import Reason
from keeper.core.rules import Assessment, Unjudged
from keeper.core.units import DAY_S, Wei, wei_text
from keeper.engine.result import Result
from keeper.journal import JournalError
from keeper.observe.heartbeat import Heartbeat
from keeper.service.opened import Opened
from keeper.service.standing import AWAY, standing
from keeper.settings.model import Alerts

LOW = 3
"""Rescues, at the present fee, that the gas money of a signer is asked to pay for."""
LEAST_NATIVE = 10**16
"""What counts as low where no rescue was rehearsed yet."""
LASTS_S = 120.0
"""How long a price is in doubt before it is an alarm: pools and oracles part for a moment."""
MOST_DEEDS = 10
MOST_NAMED = 5
MOST_POSITIONS = 30
BLIND = (Reason.PRICE_STALE, Reason.PRICE_NOT_POSITIVE, Reason.PRICE_DEVIATES)
CHAIN = (Reason.SEQUENCER_DOWN, Reason.SEQUENCER_RESTARTED)


class Watchful:
    """Follows one engine, block by block; nothing of it is on the way of a plan."""

    def __init__(
        self, engine: Opened, alerts: Alerts, last_drill: Callable[[], Drill | None], heartbeat: Heartbeat | None
    ) -> None:
        self._engine = engine
        self._alerts = alerts
        self._last_drill = last_drill
        self._heartbeat = heartbeat
        self._doubted = dict[str, float]()
        """Trouble with a price → when it was first seen."""
        self._summary_due: float | None = None
        network = engine.reader.network
        self._key = f"summary:{network.name}:{engine.perps.scope}"

    async def saw(self, results: Sequence[Result]) -> None:
        """A block was judged to its end. A defect in what is only said must not end the watch."""
        if self._heartbeat is not None and not _is_blind(results):
            self._heartbeat.beat()
        try:
            self._prices(results)
            self._gas_money()
            await self._summarise(results)
        except Exception as error:  # noqa: BLE001 - see above
            said = f"{type(error).__name__}: {error}"
            self._engine.observer.raise_alarm("watchful", "What an owner should hear could not be looked at", said)

    # --- prices ------------------------------------------------------------------------------------------------------

    def _prices(self, results: Sequence[Result]) -> None:
        """Alarm for a price that is stale or in doubt while nothing fires: a rule that fires says so by itself."""
        now, observer = self._engine.clock.monotonic(), self._engine.observer
        found = {f"{d.reason.code}:{d.detail.split(' ')[0]}": (d, whose) for d, whose in _doubts(results)}
        for key, (doubt, whose) in found.items():
            since = self._doubted.setdefault(key, now)
            if now - since < LASTS_S:
                continue
            title = doubt.reason.short[:1].upper() + doubt.reason.short[1:]
            subject = doubt.detail.split(" ")[0] if doubt.reason in BLIND else ""
            title = f"{subject}: {doubt.reason.short}" if subject else title
            kept = f"While it lasts nothing of it is sold for {_some(whose)}; danger goes on being reported"
            said = sentence(doubt.detail, kept, doubt.reason.remedy)
            observer.raise_alarm(f"price:{key}", title, said)
        for key in self._doubted.keys() - found.keys():
            del self._doubted[key]
            observer.clear_alarm(f"price:{key}", "It is no longer in doubt.")
        for key in observer.troubles("price:"):
            if key.removeprefix("price:") not in found:
                observer.clear_alarm(key, "It is no longer in doubt.")

    # --- gas money ---------------------------------------------------------------------------------------------------

    def _gas_money(self) -> None:
        """Alarm while a signer could not pay for some rescues: long before one is due."""
        seen, observer = self._engine.state.seen, self._engine.observer
        for signer in self._engine.senders if seen else ():
            wallet = seen.wallets.get(signer) if seen else None
            if wallet is None:
                continue
            key, least = f"gas:{signer}", self._least(signer)
            if wallet.native < least:
                said = f"{signer} holds {wei_text(wallet.native)}, less than {wei_text(least)}"
                paid = f"It pays for the rescues of {_some(self._paid_by(signer))}"
                body = sentence(said, paid, f"send it {wei_text(Wei(least - wallet.native))} or more")
                observer.raise_alarm(key, "Gas money is low", body, name="gas money is low", repeat_s=DAY_S)
            else:
                observer.clear_alarm(key, f"{signer} holds {wei_text(wallet.native)}.")

    def _paid_by(self, signer: str) -> list[str]:
        return [name for name, of in self._engine.reader.positions.items() if of.spender == signer]

    def _least(self, signer: str) -> Wei:
        if self._alerts.low_gas is not None:
            return self._alerts.low_gas
        drill, positions = self._last_drill(), self._engine.reader.positions
        mine = [one for one in drill.rules if positions[one.position].spender == signer] if drill else []
        dearest = max((one.gas for one in mine), default=0)
        return Wei(LOW * dearest if dearest else LEAST_NATIVE)

    # --- a summary a day ---------------------------------------------------------------------------------------------

    async def _summarise(self, results: Sequence[Result]) -> None:
        """Send what the day was like: that none came is news as well."""
        every_s, now, facts = self._alerts.summary_s, self._engine.clock.wall(), self._engine.journal.facts
        if not every_s:
            return
        try:
            if self._summary_due is None:
                last = await facts.get(self._key)
                self._summary_due = (last if isinstance(last, int | float) else now) + every_s
                if last is None:
                    await facts.set(self._key, int(now))
            if now < self._summary_due <= now + every_s:
                return
            lines = [*_stands(results), *await self._deeds(now - every_s), *self._besides()]
            await facts.set(self._key, int(now))
        except JournalError:
            return  # reported where it matters
        self._summary_due = now + every_s
        self._engine.observer.summary("\n".join(lines))

    async def _deeds(self, since: float) -> list[str]:
        """Return what was done since, the newest last."""
        recent = await self._engine.journal.decisions.recent(200)
        mode = self._engine.terms.mode
        done = [d for d in recent if d.block_timestamp >= since and d.outcome_kind is not None and d.mode == mode]
        lines = [f"{d.position}: rule {d.rule}: {d.outcome_kind} ({d.summary})" for d in reversed(done[:MOST_DEEDS])]
        more = [f"{len(done) - MOST_DEEDS} more before"] if len(done) > MOST_DEEDS else []
        return [*more, *lines] or ["Nothing had to be done."]

    def _besides(self) -> Iterator[str]:
        drill = self._last_drill()
        if drill is not None:
            yield f"Fire drill: {drill.summary}."
        yield from _open(self._engine.observer.open_troubles())
        seen = self._engine.state.seen
        for signer in self._engine.senders if seen else ():
            if seen and signer in seen.wallets:
                yield f"Gas money of {signer}: {wei_text(seen.wallets[signer].native)}."


def heartbeat_of(engine: Opened, alerts: Alerts) -> Heartbeat | None:
    """Return the sign of life that the settings name; None where they name none."""
    if alerts.heartbeat_url is None:
        return None
    return Heartbeat(alerts.heartbeat_url.reveal(), alerts.heartbeat_s, engine.observer.heartbeat_failed)


def _stands(results: Sequence[Result]) -> Iterator[str]:
    names = dict.fromkeys(r.name for r in results)
    for result in [next(r for r in results if r.name == name) for name in list(names)[:MOST_POSITIONS]]:
        unknown = result.decision.detail if isinstance(result.decision, Hold) else ""
        yield f"{result.name}: {standing(result.assessed) or unknown or 'unknown'}"
    if len(names) > MOST_POSITIONS:
        yield f"and {len(names) - MOST_POSITIONS} more positions"


def _open(troubles: Sequence[str]) -> Iterator[str]:
    """Yield what is not over; where a name is that of an end (``the node answers again``), what is waited for."""
    ends = [name for name in troubles if name.endswith(" again")]
    last = [name.removesuffix(": no more").removesuffix(": no longer fires") for name in troubles if name not in ends]
    for lead, names in (("Not over", last), ("Waited for", ends)):
        if names:
            rest = f"; and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
            yield f"{lead}: {'; '.join(names[:MOST_NAMED])}{rest}."


def _is_blind(results: Sequence[Result]) -> bool:
    """Whether anything could not be seen or written down: then there is no sign of life."""
    judged = (r.assessed for r in results)
    return any(isinstance(of, Unjudged) and of.doubt.reason in AWAY for of in judged)


def _doubts(results: Sequence[Result]) -> Iterator[tuple[Doubt, list[str]]]:
    """Yield each doubt, and the positions it is about, as often as it is met."""
    whose = dict[str, list[str]]()
    judged = [(r.name, r.assessed) for r in results if isinstance(r.assessed, Assessment)]
    for name, of in judged:
        for doubt in (*of.doubts, *chain.from_iterable(of.doubted.values())):
            if doubt.reason in (*BLIND, *CHAIN):
                names = whose.setdefault(f"{doubt.reason.code}:{doubt.detail.split(' ')[0]}", [])
                names += [] if name in names else [name]
                yield doubt, names


def _some(names: Sequence[str]) -> str:
    """Return the first of some names, and how many more there are."""
    rest = len(names) - MOST_NAMED
    return ", ".join(names[:MOST_NAMED]) + (f" and {rest} more" if rest > 0 else "")
