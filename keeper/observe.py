"""One method per meaningful event: it becomes a log line, a metric and, where the owner must know, an alarm.

The only user of structlog, Prometheus and Apprise.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, start_http_server

from keeper.core.reasons import Reason
from keeper.core.units import INFINITE, WAD, decimal_of, ratio_text, usd_text

MOST_SHOWN = 20
"""Positions named on the line of a block."""


class Alarm(Protocol):
    """Somewhere an alarm can go. Must not block for long; a failure to deliver is logged."""

    def notify(self, title: str, body: str) -> bool:
        """Deliver, and tell whether it went out."""


class AppriseAlarm:
    """Telegram, Discord, Slack, mail, PagerDuty, ntfy and others, by URL."""

    def __init__(self, urls: Sequence[str]) -> None:
        import apprise  # noqa: PLC0415 - a second of import time that only users of alarms pay

        self._apprise = apprise.Apprise()
        for url in urls:
            if not self._apprise.add(url):
                scheme = url.split(":", 1)[0]
                raise ValueError(f"alerts.urls: a {scheme}:// address is not one Apprise understands")

    def notify(self, title: str, body: str) -> bool:
        """Deliver to every address."""
        return bool(self._apprise.notify(title=title, body=body))


class Observer:
    """Tells the log, the metrics and the owner. ``mode`` is on every line: dry_run or live.

    So is what the chain is ``called``, where there are several in one process.
    """

    def __init__(
        self,
        mode: str,
        alarm: Alarm | None = None,
        repeat_s: int = 3600,
        clock: Callable[[], float] = time.monotonic,
        called: str = "",
    ) -> None:
        self._log = structlog.get_logger().bind(mode=mode, **({"network": called} if called else {}))
        self._title = f"keeper · {called}" if called else "keeper"
        self._alarm = alarm
        self._repeat_s = repeat_s
        self._clock = clock
        self._alarmed: dict[str, float] = {}
        self._post = ThreadPoolExecutor(max_workers=1, thread_name_prefix="alarm")
        self.alarms: list[str] = []
        """Titles of the last alarms raised, newest last."""
        self.registry = CollectorRegistry()
        self._live = Gauge("keeper_live", "1 when the keeper may send", registry=self.registry)
        self._block = Gauge("keeper_block", "Newest block judged", registry=self.registry)
        self._cycle = Gauge("keeper_cycle_seconds", "Duration of the last cycle", registry=self.registry)
        self._health = Gauge("keeper_health_factor", "Health factor", ["position"], registry=self.registry)
        self._margin = Gauge("keeper_margin_ratio", "Margin ratio", ["position"], registry=self.registry)
        self._delta = Gauge("keeper_delta", "Delta of a book, whole underlyings", ["book"], registry=self.registry)
        self._perps: dict[str, str] = {}
        self._afar = Gauge("keeper_positions_afar", "Positions no rule can fire on", registry=self.registry)
        self._shown = set[str]()
        self._decided = Counter(
            "keeper_decisions", "Decisions by reason", ["position", "reason"], registry=self.registry
        )
        self._outcomes = Counter("keeper_outcomes", "Outcomes of plans", ["position", "kind"], registry=self.registry)
        self._alarms = Counter("keeper_alarms", "Alarms raised", registry=self.registry)
        self._live.set(1 if mode == "live" else 0)

    def serve_metrics(self, port: int) -> None:
        """Serve Prometheus metrics on the loopback interface."""
        start_http_server(port, addr="127.0.0.1", registry=self.registry)
        self._log.info("metrics", port=port)

    # --- the daemon --------------------------------------------------------------------------------------------------

    def started(self, network: str, positions: Sequence[str], block: int) -> None:
        """The daemon begins its work."""
        shown = list(positions[:MOST_SHOWN])
        more = {"more": len(positions) - len(shown)} if len(positions) > len(shown) else {}
        self._log.info("started", network=network, positions=shown, **more, block=block)

    def stopped(self) -> None:
        """The daemon ends it, nothing left in flight."""
        self._log.info("stopped")

    def left(self, network: str, error: BaseException) -> None:
        """A chain cannot be kept: the settings or its nodes are wrong. Others go on."""
        self._log.critical("left", network=network, error=str(error))
        self.raise_alarm("left", f"{network} is not watched any more", str(error))

    def reconciled(self, signer: str, count: int) -> None:
        """An earlier run left transactions behind, and they are settled."""
        self._log.warning("reconciled", signer=signer, transactions=count)

    def reorganised(self, signer: str, hashes: Sequence[str]) -> None:
        """A reorg took mined transactions back; they are sent again."""
        self._log.warning("reorganised", signer=signer, transactions=list(hashes))
        self.raise_alarm(f"reorg:{signer}", "A reorg took transactions back", f"{', '.join(hashes)}: sent again.")

    def perps(self, margins: dict[str, int], deltas: dict[str, int]) -> None:
        """Perpetual positions and books of the block about to be told: margin ratios and deltas (Wad)."""
        for gauge, values in ((self._margin, margins), (self._delta, deltas)):
            gauge.clear()
            for name, value in values.items():
                gauge.labels(name).set(float("inf") if value >= INFINITE else value / WAD)
        self._perps = {name: ratio_text(value) for name, value in margins.items()}
        self._perps |= {name: decimal_of(value, 18, 4) for name, value in deltas.items()}

    def block(self, number: int, health: dict[str, int], seconds: float, afar: int = 0) -> None:
        """One block was judged; of ``afar`` more positions by the protocol's figures alone, and no rule can fire.

        Of many only the lowest are shown.
        """
        self._block.set(number)
        self._cycle.set(seconds)
        self._afar.set(afar)
        for name in self._shown - health.keys():
            self._health.remove(name)
        self._shown = set(health)
        for name, value in health.items():
            self._health.labels(name).set(float("inf") if value >= INFINITE else value / WAD)
        lowest = sorted(health, key=health.__getitem__)[:MOST_SHOWN] if len(health) > MOST_SHOWN else health
        shown = {name: ratio_text(health[name]) for name in lowest}
        more = {"more": len(health) - len(shown) + afar} if len(health) + afar > len(shown) else {}
        perps = {"perps": self._perps} if self._perps else {}
        self._log.info("block", number=number, health=shown, **perps, **more, ms=round(seconds * 1000))

    def node_away(self, detail: str, attempt: int) -> None:
        """The node does not answer; positions are unknown until it does."""
        self._log.error("node_away", detail=detail, attempt=attempt)
        self.raise_alarm("node_away", "The node does not answer", f"{detail}. The positions are not being watched.")

    def no_new_block(self, seconds: float, number: int) -> None:
        """The node answers, but the chain stands still for it."""
        self._log.error("no_new_block", number=number, seconds=round(seconds))
        self.raise_alarm(
            "no_new_block",
            "No new block",
            f"Block {number} has been the newest for {round(seconds)} s: is the node stuck? Nothing newer is watched.",
        )

    def node_back(self, seconds: float) -> None:
        """The node answers again."""
        self._log.info("node_back", away_s=round(seconds, 1))
        self._alarmed.pop("node_away", None)

    def cycle_failed(self, error: BaseException, in_a_row: int) -> None:
        """A cycle ended in an error nobody foresaw."""
        self._log.error("cycle_failed", error=f"{type(error).__name__}: {error}", in_a_row=in_a_row, exc_info=error)
        self.raise_alarm("cycle_failed", "The keeper failed to judge a block", f"{type(error).__name__}: {error}")

    def sending_stopped(self, in_a_row: int) -> None:
        """Too many failures in a row: nothing is signed until some cycles went well."""
        self._log.critical("sending_stopped", in_a_row=in_a_row)
        self.raise_alarm("sending_stopped", "The keeper stopped signing", f"{in_a_row} failed cycles in a row.")

    def sending_resumed(self) -> None:
        """Enough cycles went well again."""
        self._log.warning("sending_resumed")
        self._alarmed.pop("sending_stopped", None)

    # --- a position --------------------------------------------------------------------------------------------------

    def held(self, position: str, rule: str | None, reason: Reason, detail: str, *, is_quiet: bool) -> None:
        """The keeper decided not to act. Loud only when something is wrong."""
        self._decided.labels(position, reason.code).inc()
        if is_quiet:
            self._log.debug("held", position=position, rule=rule, reason=reason.code, detail=detail)
            return
        self._log.warning("held", position=position, rule=rule, reason=reason.code, detail=detail)
        remedy = f" {reason.remedy}." if reason.remedy else ""
        self.raise_alarm(f"{position}:{reason.code}", f"{position}: {reason.short}", f"{detail}.{remedy}".lstrip("."))

    def planned(self, position: str, rule: str, label: str, cost: int, *, is_partial: bool) -> None:
        """A plan was chosen."""
        self._decided.labels(position, Reason.RULE_FIRED.code).inc()
        self._log.warning("planned", position=position, rule=rule, plan=label, cost=usd_text(cost), partial=is_partial)

    def rehearsed(self, position: str, label: str, where: str, health: int, *, figure: str = "health factor") -> None:
        """A plan works on its block. ``health`` is the figure named (Wad)."""
        after = {f"{figure.split(maxsplit=1)[0]}_after": ratio_text(health)}
        self._log.info("rehearsed", position=position, plan=label, where=where, **after)

    def armed(self, position: str, block: int, count: int) -> None:
        """Plans are ready for prices that have not come yet."""
        self._log.info("armed", position=position, block=block, plans=count)

    def not_armed(self, block: int, detail: str) -> None:
        """Nothing new could be made ready at a block: what fires is rehearsed as usual."""
        self._log.info("not_armed", block=block, detail=detail)

    def early_on(self, block: int) -> None:
        """The oracle's own events may be acted on."""
        self._log.info("early_on", block=block)

    def early_off(self, why: str, blocks: int) -> None:
        """What the oracle's events foretold was not what was read: they are not acted on for a while."""
        self._log.error("early_off", detail=why)
        self.raise_alarm(
            "early", "Oracle events are not acted on", f"{why}. Off until {blocks} blocks were as foretold."
        )

    def unfit(self, position: str, label: str, detail: str) -> None:
        """A plan made ready is not used, or cannot be had."""
        self._log.debug("unfit", position=position, plan=label, detail=detail)

    def refused(self, position: str, label: str, reason: Reason, detail: str) -> None:
        """A plan does not work on its block."""
        self._log.warning("refused", position=position, plan=label, reason=reason.code, detail=detail)

    def concluded(
        self,
        position: str,
        label: str,
        kind: str,
        reason: Reason,
        detail: str,
        health: int | None,
        *,
        figure: str = "health factor",
    ) -> None:
        """A plan was carried out, or failed to be. ``health`` is the figure named (Wad), None where it is not known."""
        self._outcomes.labels(position, kind).inc()
        after = ratio_text(health) if health is not None else "unknown"
        log = self._log.info if kind in ("restored", "rehearsed") else self._log.error
        told = {f"{figure.split(maxsplit=1)[0]}_after": after}
        log("concluded", position=position, plan=label, kind=kind, reason=reason.code, detail=detail, **told)
        # what was really done is always told; the same failure again and again is not
        key = None if kind in ("restored", "partial") else f"{position}:{kind}:{reason.code}"
        self.raise_alarm(key, f"{position}: {reason.short}", f"{label}. {figure.capitalize()} now {after}. {detail}")

    # --- alarms ------------------------------------------------------------------------------------------------------

    def order_done(self, position: str, key: str, detail: str) -> None:
        """An order that a plan had left with the venue was carried out after all."""
        self._log.info("order_done", position=position, order=key, detail=detail)

    def raise_alarm(self, key: str | None, title: str, body: str) -> None:
        """Tell the owner; the same key not again within the repeat time. Delivery never holds the keeper up."""
        now = self._clock()
        if key is not None:
            last = self._alarmed.get(key)
            if last is not None and now - last < self._repeat_s:
                return
            self._alarmed[key] = now
        self._log.warning("alarm", title=title, body=body)
        self.alarms = [*self.alarms[-99:], title]
        self._alarms.inc()
        if self._alarm is not None:
            self._post.submit(self._deliver, self._alarm, f"{self._title} · {title}", body)

    def close(self) -> None:
        """Wait until the last alarms are out."""
        self._post.shutdown(wait=True)

    def _deliver(self, alarm: Alarm, title: str, body: str) -> None:
        try:
            delivered = alarm.notify(title, body)
        except (OSError, ValueError, TypeError) as error:
            self._log.error("alarm_failed", title=title, error=type(error).__name__)
            return
        if not delivered:
            self._log.error("alarm_failed", title=title)


def configure_logging(*, as_json: bool, verbose: bool) -> None:
    """Send log lines to standard error: for people on a terminal, JSON otherwise."""
    renderer: Any = structlog.processors.JSONRenderer() if as_json else structlog.dev.ConsoleRenderer(pad_event_to=12)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG if verbose else logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
