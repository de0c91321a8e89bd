"""What Prometheus reads of a keeper: a registry of its own, on the loopback interface alone."""

from __future__ import annotations

from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, start_http_server

from keeper.core.drills import Drill
from keeper.core.reasons import Reason
from keeper.core.units import INFINITE, WAD


class Gauges:
    """Figures of the last block, and counts since the start."""

    def __init__(self, *, is_live: bool) -> None:
        self.registry = CollectorRegistry()
        self._live = self._gauge("keeper_live", "1 when the keeper may send")
        self._block = self._gauge("keeper_block", "Newest block judged")
        self._cycle = self._gauge("keeper_cycle_seconds", "Duration of the last cycle")
        self._health = self._gauge("keeper_health_factor", "Health factor", "position")
        self._margin = self._gauge("keeper_margin_ratio", "Margin ratio", "position")
        self._delta = self._gauge("keeper_delta", "Delta of a book, whole underlyings", "book")
        self._afar = self._gauge("keeper_positions_afar", "Positions no rule can fire on")
        self._shown: dict[str, Gauge] = {}
        self._counters: dict[tuple[str, Reason], Counter] = {}
        self._decided = self._counter("keeper_decisions", "Decisions by reason", "position", "reason")
        self._outcomes = self._counter("keeper_outcomes", "Outcomes of plans", "position", "kind")
        self._rescue = self._gauge(
            "keeper_rescue_works", "1 when the last fire drill's rescue worked", "position", "rule"
        )
        self._drill = self._gauge("keeper_fire_drill_timestamp_seconds", "When the last fire drill was held")
        self._alarms = self._counter("keeper_alarms", "Alarms raised")
        self._live.set(1 if is_live else 0)

    def serve(self, port: int) -> None:
        """Serve them on the loopback interface."""
        start_http_server(port, addr="127.0.0.1", registry=self.registry)

    def block(self, number: int, health: Mapping[str, int], seconds: float, afar: int) -> None:
        """A block was judged, its health factors in Wad."""
        self._block.set(number)
        self._cycle.set(seconds)
        self._afar.set(afar)
        for name in self._shown.keys() - health.keys():
            self._health.remove(name)
        self._shown = {name: self._shown.get(name) or self._health.labels(name) for name in health}
        for name, value in health.items():
            self._shown[name].set(_plain(value))

    def perps(self, margins: Mapping[str, int], deltas: Mapping[str, int]) -> None:
        """Margin ratios of perpetual positions and deltas of books, in Wad."""
        for gauge, values in ((self._margin, margins), (self._delta, deltas)):
            gauge.clear()
            for name, value in values.items():
                gauge.labels(name).set(_plain(value))

    def drilled(self, drill: Drill) -> None:
        """Each rescue was rehearsed."""
        self._drill.set(drill.at)
        self._rescue.clear()
        for one in drill.rules:
            self._rescue.labels(one.position, one.rule).set(1 if one.is_well else 0)

    def decided(self, position: str, reason: Reason) -> None:
        """Count a decision."""
        key = position, reason
        counter = self._counters.get(key)
        if counter is None:
            counter = self._counters[key] = self._decided.labels(position, reason.code)
        counter.inc()

    def ended(self, position: str, kind: str) -> None:
        """Count the end of a plan."""
        self._outcomes.labels(position, kind).inc()

    def alarmed(self) -> None:
        """Count an alarm."""
        self._alarms.inc()

    def _gauge(self, name: str, what: str, *labels: str) -> Gauge:
        return Gauge(name, what, labels, registry=self.registry)

    def _counter(self, name: str, what: str, *labels: str) -> Counter:
        return Counter(name, what, labels, registry=self.registry)


def _plain(wad: int) -> float:
    return float("inf") if wad >= INFINITE else wad / WAD
