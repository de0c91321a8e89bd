"""One method per meaningful event: it becomes a log line, a metric and, where the owner must know, an alarm."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from prometheus_client import CollectorRegistry

from keeper.core.drills import Drill
from keeper.core.notices import Ended, sentence
from keeper.core.reasons import Reason
from keeper.core.units import decimal_of, duration, ratio_text, usd_text
from keeper.observe.delivery import Alarm
from keeper.observe.drill_voice import say_drill, say_drill_failed
from keeper.observe.gauges import Gauges
from keeper.observe.holds import HoldsHeard
from keeper.observe.last_seen import LastSeen
from keeper.observe.outage import Blindness, Outage
from keeper.observe.pulse import Pulse
from keeper.observe.voice import QUIET_S, Voice

MOST_SHOWN = 20
"""Positions named on the line of a block."""
NO_POSITION_S = {
    Reason.NODE_AWAY: "the node answers again",
    Reason.NODES_DISAGREE: "the nodes agree again",
    Reason.JOURNAL_AWAY: "the journal is written again",
}
"""Troubles that are no position's own, and how the end of each is called."""
CLEARED_BY_A_BLOCK = ("node_away", "no_new_block", "held:node_away", "held:journal_away", "held:nodes_disagree")
"""Troubles that a judged block speaks against, unless they came up with it."""


class Observer:
    """Informs the log, the metrics and the owner. ``mode``: dry_run or live; ``called`` names one chain of several."""

    def __init__(
        self,
        mode: str,
        alarm: Alarm | None = None,
        repeat_s: int = 3600,
        clock: Callable[[], float] = time.time,
        called: str = "",
        escalation: Alarm | None = None,
    ) -> None:
        self._gauges = Gauges(is_live=mode == "live")
        self.voice = Voice(mode, alarm, repeat_s, clock, called, self._gauges.alarmed, escalation)
        self._log, self._line = self.voice.log, self.voice.line
        self.raise_alarm, self.clear_alarm, self.over = self.voice.raise_alarm, self.voice.clear_alarm, self.voice.over
        self._mode = mode
        self._clock = clock
        self._pulse = Pulse(QUIET_S, clock)
        holds = HoldsHeard(self.voice, self._gauges, mode, clock)
        self.judged, self.stays_at_rest = holds.judged, holds.stays_at_rest
        self._perps: dict[str, str] = {}
        self._outage = Outage(clock)
        self._last_seen = LastSeen()
        self.blind: Blindness | None = None
        """Why nothing is watched, from the alarm that says so to the next block that is judged."""

    @property
    def alarms(self) -> list[str]:
        """Titles of the last alarms raised, newest last."""
        return self.voice.alarms

    @property
    def registry(self) -> CollectorRegistry:
        """What Prometheus reads."""
        return self._gauges.registry

    def serve_metrics(self, port: int) -> None:
        """Serve Prometheus metrics on the loopback interface."""
        self._gauges.serve(port)
        self._log.info("metrics", port=port)

    # --- the daemon --------------------------------------------------------------------------------------------------

    def started(self, network: str, positions: Sequence[str], block: int) -> None:
        """The daemon begins its work."""
        self._last_seen.began(positions)
        shown = list(positions[:MOST_SHOWN])
        more = {"more": len(positions) - len(shown)} if len(positions) > len(shown) else {}
        self._log.info("started", network=network, positions=shown, **more, block=block)

    def stopped(self) -> None:
        """The daemon ends it, nothing left in flight."""
        self._log.info("stopped")

    def left_under_way(self, names: Sequence[str]) -> None:
        """The daemon ends, and plans of these did not come to their end in the time there was."""
        title = "The keeper was stopped with a plan under way: what was sent may land, and nobody follows it"
        self.raise_alarm("under_way", title, f"{', '.join(names)}. Start it again: it goes on from its journal.")

    def left(self, network: str, error: BaseException) -> None:
        """A chain cannot be kept: the settings or its nodes are wrong. Others go on."""
        self._log.critical("left", network=network, error=str(error))
        remedy = "Mend what is named here in the settings or at the node, and start the keeper again"
        body = sentence(str(error), self._last_seen.said("Not watched"), remedy)
        self.raise_alarm("left", f"{network} is not watched any more", body)

    def reconciled(self, signer: str, count: int) -> None:
        """An earlier run left transactions behind, and they are settled."""
        self._log.warning("reconciled", signer=signer, transactions=count)

    def reorganised(self, signer: str, hashes: Sequence[str]) -> None:
        """A reorg took mined transactions back; they are sent again."""
        self._log.warning("reorganised", signer=signer, transactions=list(hashes))
        self.raise_alarm(f"reorg:{signer}", "A reorg took transactions back", f"{', '.join(hashes)}: sent again.")

    def perps(self, margins: dict[str, int], deltas: dict[str, int]) -> None:
        """Perpetual positions and books of the block about to be logged: margin ratios and deltas (Wad)."""
        self._gauges.perps(margins, deltas)
        self._last_seen.perps(margins, deltas)
        self._perps = {name: ratio_text(value) for name, value in margins.items()}
        self._perps |= {name: decimal_of(value, 18, 4) for name, value in deltas.items()}

    def block(self, number: int, health: dict[str, int], seconds: float, afar: int = 0) -> None:
        """One block was judged; of ``afar`` more positions by the protocol's figures alone, and no rule can fire.

        Of many only the lowest are shown. Only what moved is news; blocks that say nothing new are summed up.
        """
        self._gauges.block(number, health, seconds, afar)
        self._last_seen.saw(number, health)
        lowest = sorted(health, key=health.__getitem__)[:MOST_SHOWN] if len(health) > MOST_SHOWN else health
        shown = {name: ratio_text(health[name]) for name in lowest}
        more = {"more": len(health) - len(shown) + afar} if len(health) + afar > len(shown) else {}
        perps = {"perps": self._perps} if self._perps else {}
        self._outage.over()
        self.blind = None
        passed = self._pulse.beat(health, seconds)
        log = self._log.debug if passed is None else self._log.info
        since = {"blocks": passed.blocks, "slowest_ms": passed.slowest_ms} if passed and passed.blocks > 1 else {}
        log("block", number=number, health=shown, **perps, **more, ms=round(seconds * 1000), **since)
        for key in CLEARED_BY_A_BLOCK:
            if key not in self.voice.raised:
                self.voice.lines.gone(key)
                self.clear_alarm(key, f"Block {number} was judged.")
        self.voice.raised.clear()

    def node_away(self, detail: str, attempt: int) -> None:
        """The node does not answer; positions are unknown until it does."""
        self._line("error", "node_away", "node_away", detail=detail, attempt=attempt)
        if not self._outage.again(attempt):
            return  # a hiccup: the next try may do
        body = sentence(detail, self._last_seen.said("Not watched meanwhile"), Reason.NODE_AWAY.remedy)
        self.blind = Blindness("The node does not answer", detail)
        self.raise_alarm("node_away", self.blind.title, body, name="the node answers again")

    def no_new_block(self, seconds: float, number: int, most_s: float) -> None:
        """The node answers, but the chain stands still for it, for longer than ``most_s``."""
        self._line("error", "no_new_block", "no_new_block", number=number, seconds=round(seconds))
        body = sentence(
            f"Block {number} has been the newest for {duration(seconds)}, at most {duration(most_s)} is usual",
            self._last_seen.said("Not watched meanwhile"),
            "Look whether the chain itself stands still; if not, the node is stuck: restart it or name another one",
        )
        self.blind = Blindness("No new block", f"block {number} is the newest: is the node stuck?")
        self.raise_alarm("no_new_block", self.blind.title, body, name="there are new blocks again")

    def node_back(self, seconds: float) -> None:
        """The node answers again: the owner hears of it once it has stayed for a while."""
        self._line("info", "node_back", "node_back", away_s=round(seconds, 1))
        self.clear_alarm("node_away", "The positions are watched again.")

    def nodes(self, standing: dict[str, str]) -> None:
        """How each of several nodes is doing: one that is asked again is news."""
        for name, state in standing.items():
            if state != "fine":
                continue
            for key in self.voice.known.keys_of(f"node:{name}"):
                self.clear_alarm(key, f"Node {name} is asked again.")

    def cycle_failed(self, error: BaseException, in_a_row: int) -> None:
        """A cycle ended in an error nobody foresaw."""
        text = f"{type(error).__name__}: {error}"
        self._line("error", f"cycle_failed:{text}", "cycle_failed", error=text, in_a_row=in_a_row, exc_info=error)
        body = sentence(
            text,
            self._last_seen.said("Not judged at this block"),
            "They are looked at again at the next one",
            "If it stays, see the log, restart the keeper and report it",
        )
        self.blind = Blindness("The keeper failed to judge a block", text)
        self.raise_alarm("cycle_failed", self.blind.title, body, name="blocks are judged again")

    def cycle_went_well(self) -> None:
        """A block was judged without a fault."""
        self.clear_alarm("cycle_failed", "The last blocks were judged without a fault.")

    def sending_stopped(self, in_a_row: int) -> None:
        """Too many failures in a row: nothing is signed until some cycles went well."""
        self._log.critical("sending_stopped", in_a_row=in_a_row)
        failed = f"{in_a_row} cycles failed in a row: nothing is sent"
        body = sentence(failed, self._last_seen.said("Not protected"), Reason.SIGNING_STOPPED.remedy)
        self.raise_alarm("sending_stopped", "The keeper stopped signing", body, name="the keeper signs again")

    def sending_resumed(self) -> None:
        """Enough cycles went well again."""
        self._log.warning("sending_resumed")
        if self.voice.settled(["sending_stopped"]):
            self.voice.alert("All clear: the keeper signs again", "Enough blocks in a row were judged without a fault.")

    # --- a position --------------------------------------------------------------------------------------------------

    def held(self, position: str, rule: str | None, reason: Reason, detail: str) -> None:
        """Something stands in the way beside what was judged: the node, other nodes, the journal, a plan's rest.

        What is no position's own is one trouble, however many positions it keeps in the dark.
        """
        self._gauges.decided(position, reason)
        whose = f"{position}:{rule}"
        self._line(
            "warning", f"{whose}:{reason.code}", "held", position=position, rule=rule, reason=reason.code, detail=detail
        )
        key = f"held:{reason.code}" if reason in NO_POSITION_S else f"held:{whose}:{reason.code}"
        if (ends := NO_POSITION_S.get(reason)) is not None:
            body = sentence(detail, f"Not judged meanwhile: {position}", reason.remedy)
            self.raise_alarm(key, _capital(reason.short), body, name=ends)
            return
        title = f"{position}: {reason.short}"
        self.raise_alarm(key, title, sentence(detail, reason.remedy), name=f"{title}: no more")

    def planned(self, position: str, rule: str, label: str, cost: int, *, is_partial: bool) -> None:
        """A plan was chosen."""
        self._gauges.decided(position, Reason.RULE_FIRED)
        stated = {"position": position, "rule": rule, "plan": label, "cost": usd_text(cost), "partial": is_partial}
        self._step("warning", "planned", f"{position}:{rule}", **stated)

    def rehearsed(self, position: str, label: str, where: str, health: int, *, figure: str = "health factor") -> None:
        """A plan works on its block. ``health`` is the figure named (Wad)."""
        after = {f"{figure.split(maxsplit=1)[0]}_after": ratio_text(health)}
        self._step("info", "rehearsed", f"{position}:{label}", position=position, plan=label, where=where, **after)

    def armed(self, position: str, block: int, count: int) -> None:
        """Plans are ready for prices that have not come yet."""
        self._line("info", f"armed:{position}:{count > 0}", "armed", position=position, block=block, plans=count)

    def not_armed(self, block: int, detail: str) -> None:
        """Nothing new could be made ready at a block: what fires is rehearsed as usual."""
        self._line("info", "not_armed", "not_armed", block=block, detail=detail)

    def early_on(self, block: int) -> None:
        """The oracle's own events may be acted on."""
        self._log.info("early_on", block=block)

    def early_off(self, why: str, blocks: int) -> None:
        """What the oracle's events foretold was not what was read: they are not acted on for a while."""
        self._line("error", "early_off", "early_off", detail=why)
        self.raise_alarm(
            "early", "Oracle events are not acted on", f"{why}. Off until {blocks} blocks were as foretold."
        )

    def unfit(self, position: str, label: str, detail: str) -> None:
        """A plan made ready is not used, or cannot be had."""
        self._log.debug("unfit", position=position, plan=label, detail=detail)

    def refused(self, position: str, label: str, reason: Reason, detail: str) -> None:
        """A plan does not work on its block."""
        key = f"refused:{position}:{label}:{reason.code}"
        self._line("warning", key, "refused", position=position, plan=label, reason=reason.code, detail=detail)

    def concluded(
        self,
        end: Ended,
        health: int | None,
        said: tuple[str, str] | None = None,
        *,
        subject: str = "",
        figure: str = "health factor",
    ) -> None:
        """A plan was carried out, or failed to be. ``health`` is the figure named (Wad), None where it is not known.

        ``said`` is how its owner reads it. What was really done is always reported, and settles what its rule was held
        for; the same failure again and again is one trouble.
        """
        self._gauges.ended(end.position, end.kind)
        after = ratio_text(health) if health is not None else "unknown"
        stated = {f"{figure.split(maxsplit=1)[0]}_after": after}
        self._step(
            "info" if end.is_well else "error",
            "concluded",
            f"{end.position}:{end.rule}:{end.kind}:{end.reason.code}",
            position=end.position,
            plan=end.label,
            kind=end.kind,
            reason=end.reason.code,
            detail=end.detail,
            **stated,
        )
        shown = f"{figure.capitalize()} now {after}"
        title, body = said or (f"{end.position}: {end.reason.short}", sentence(end.label, shown, end.detail))
        of_rule = [key for key in self.voice.known.keys_of(subject) if key.startswith(f"{subject}:{end.rule}:")]
        if end.reason is Reason.SUPERSEDED:
            return  # what took its place says more
        if end.kind in ("restored", "partial"):
            self.voice.known.settled(of_rule)
            self.voice.alert(f"All clear: {title}" if of_rule and end.kind == "restored" else title, body)
            return
        name = f"{end.position}: rule {end.rule}: no longer fires"
        self.raise_alarm(f"{subject}:{end.rule}:{end.kind}:{end.reason.code}", title, body, subject=subject, name=name)

    def noticed(self, position: str, reason: Reason, title: str, body: str) -> None:
        """A position changed without a plan of ours: liquidated, closed or changed from outside."""
        self._gauges.decided(position, reason)
        self.voice.alert(title, body, position=position, reason=reason.code)

    def order_done(self, position: str, key: str, detail: str) -> None:
        """An order that a plan had left with the venue was carried out after all."""
        self._log.info("order_done", position=position, order=key, detail=detail)
        if self.voice.settled([f"order:{key}"], f"orders:{position}"):
            self.voice.alert(f"All clear: {position}: the late order was carried out", detail)

    def drilled(self, drill: Drill) -> None:
        """Every rescue was rehearsed."""
        say_drill(self.voice, self._gauges, drill)

    def drill_put_off(self, why: str, again_s: float) -> None:
        """The rescues could not be rehearsed just now: they are in some minutes, and then it may be news."""
        self._log.info("drill_put_off", detail=why, again_s=round(again_s))

    def drill_failed(self, why: str, in_a_row: int) -> None:
        """The rescues could not be rehearsed, several times in a row."""
        say_drill_failed(self.voice, why, in_a_row)

    def summary(self, body: str) -> None:
        """A day went by: how all stands, sent to the owner; no alarm."""
        self._log.info("summary", body=body.replace("\n", " "))
        self.voice.send("daily summary", body)

    def heartbeat_failed(self, kind: str) -> None:
        """The dead-man's switch could not be called: its own silence is the alarm."""
        self._line("warning", "heartbeat", "heartbeat_failed", error=kind)

    def troubles(self, prefix: str) -> list[str]:
        """Return what is not over, of those whose key begins so."""
        return self.voice.known.open_keys(prefix)

    def open_troubles(self) -> list[str]:
        """Return the names of what is not over."""
        return self.voice.known.open_names()

    # --- alarms ------------------------------------------------------------------------------------------------------

    def take_memory(self) -> list[dict[str, Any]] | None:
        """Return what the owner heard, to be written down, when there is something new of it."""
        return self.voice.known.take_changes()

    def recall(self, written: object) -> None:
        """Take up what the owner heard before a restart."""
        self.voice.known.recall(written)

    def _step(self, level: str, event: str, what: str, **stated: Any) -> None:
        """Log a step of a plan: each one where it is carried out; in dry run, where it comes again, once in a while."""
        if self._mode == "live":
            getattr(self._log, level)(event, **stated)
        else:
            self._line(level, f"{event}:{what}", event, **stated)

    def close(self) -> None:
        """Wait until the last alarms are out."""
        self.voice.close()


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
