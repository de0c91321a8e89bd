"""The back-test of a perpetual position: what came of every way, both orders of a bar's extremes played."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass

from keeper.backtest.calm import Extremes
from keeper.backtest.course import Inside
from keeper.backtest.document import BadBacktestError, Data, Understood
from keeper.backtest.perp_document import perp_plot_of, perp_standing_of
from keeper.backtest.perp_figures import perp_outturn, perp_track
from keeper.backtest.perp_on_paper import play_perp
from keeper.backtest.perp_standing import PerpStanding, ratio_of
from keeper.backtest.played import Ground, Played, course_of, movements_of, points_of, reported, shown_figure
from keeper.core.units import WAD, decimal_of


@dataclass(frozen=True, slots=True)
class PerpPlayed(Played):
    """One way on one order of the extremes, with what it paid for funding."""

    funding_usd: float = 0.0


def perp_report(read: Understood) -> Data:
    """Return what came of every way. Raises BadBacktestError."""
    grounds = [perp_ground_of(read, inside) for inside in Inside]
    begun = {"kind": "perp", "margin_ratio": decimal_of(ratio_of(grounds[0].standing), 18, 6)}

    def played(ground: Ground[PerpStanding], way: int) -> Played:
        return play_perp_on(read, ground, way)

    return reported(read, grounds, begun, played, _told)


def perp_ground_of(read: Understood, inside: Inside) -> Ground[PerpStanding]:
    """Return the course of one order, and the position that begins on it. Raises BadBacktestError."""
    if len(read.files) != 1:
        raise BadBacktestError(f"a perpetual position hangs on one price, and there are {len(read.files)}")
    made, begins = course_of(read, inside)
    standing = perp_standing_of(read, int(made.answers[made.index(begins)][0]), begins)
    return Ground(inside, made, Extremes(made), begins, standing, movements_of(read, made, {}))


def play_perp_on(read: Understood, ground: Ground[PerpStanding], way: int) -> PerpPlayed:
    """Return what came of one way on one order of the extremes."""
    plot = perp_plot_of(read, read.ways[way], ground.standing)
    life = asyncio.run(play_perp(plot, ground.course, ground.begins, ground.measures))
    stood = perp_track(ground.course, life)
    came_to = perp_outturn(life, stood, plot.terms.safety.emergency_health)
    return PerpPlayed(ground.inside, life, came_to, stood.track, stood.funding_usd)


def _told(both: list[Played]) -> Data:
    """Return the worse of both orders, and what the other came to."""
    worse = max(both, key=lambda one: one.badness)
    other = next(one for one in both if one is not worse)
    return {
        "inside": worse.inside.value,
        **perp_figures_said(worse),
        "other_order": {"inside": other.inside.value, **perp_figures_said(other)},
        "deeds": list(_deeds(worse)),
        "track": list(points_of(worse.stood)),
    }


def _deeds(of: Played) -> Iterator[Data]:
    for deed in of.life.deeds:
        yield {
            "at": deed.at, "what": deed.what, "how": deed.how, "margin_ratio": shown_figure(deed.health / WAD),
            "margin_ratio_after": shown_figure(deed.health_after / WAD), "lost_usd": decimal_of(deed.loss_usd, 8, 2),
        }  # fmt: skip


def perp_figures_said(of: Played) -> Data:
    """Return what came of a life as plain data."""
    came = of.came_to
    return {
        "survived": came.survived,
        "liquidations": came.liquidations,
        "liquidated_usd": decimal_of(came.liquidated_usd, 8, 2),
        "kept_usd": decimal_of(came.kept_usd, 8, 2),
        "gas_usd": decimal_of(came.gas_usd, 8, 2),
        "lost_usd": decimal_of(came.lost_usd, 8, 2),
        "funding_usd": f"{of.funding_usd if isinstance(of, PerpPlayed) else 0.0:.2f}",
        "actions": came.actions,
        "failed": came.failed,
        "began_usd": decimal_of(came.began_usd, 8, 2),
        "ended_usd": decimal_of(came.ended_usd, 8, 2),
        "least_margin_ratio": shown_figure(came.least_health),
        "danger_s": came.danger_s,
        "unmeasured_s": came.unmeasured_s,
        "drawdown": f"{came.drawdown:.6f}",
        "sharpe": None if came.sharpe is None else f"{came.sharpe:.4f}",
        "sortino": None if came.sortino is None else f"{came.sortino:.4f}",
    }
