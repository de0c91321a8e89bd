"""A back-test: one document in, what came of every way out. The same document always gives the same."""

from __future__ import annotations

import asyncio

from keeper.backtest.calm import Extremes
from keeper.backtest.course import Inside
from keeper.backtest.document import Data, Understood, plot_of, standing_of, understood
from keeper.backtest.figures import Outturn, outturn, track
from keeper.backtest.perp_report import perp_report
from keeper.backtest.play import play
from keeper.backtest.played import Ground, Played, course_of, movements_of, points_of, reported, shown_figure
from keeper.backtest.standing import PaperStanding
from keeper.core.family import Family
from keeper.core.units import WAD, decimal_of


def ground_of(read: Understood, inside: Inside) -> Ground[PaperStanding]:
    """Return the course of one order, and the loan that begins on it. Raises BadBacktestError."""
    made, begins = course_of(read, inside)
    row = made.answers[made.index(begins)]
    standing = standing_of(read, {s: int(row[i]) for i, s in enumerate(made.symbols)}, begins)
    drivers = dict(zip(read.assets, made.symbols, strict=True))
    still = {h.asset: h.price.answer for h in standing.holdings if h.asset not in drivers}
    return Ground(inside, made, Extremes(made), begins, standing, movements_of(read, made, still))


def report(document: Data, *, all_blocks: bool = False) -> Data:
    """Return what came of every way. Raises BadBacktestError."""
    read = understood(document)
    if read.family is Family.PERP:
        return perp_report(read)
    grounds = [ground_of(read, inside) for inside in Inside]
    health = decimal_of(grounds[0].standing.health, 18, 6)

    def played(ground: Ground[PaperStanding], way: int) -> Played:
        return play_on(read, ground, way, all_blocks=all_blocks)

    return reported(read, grounds, {"health": health}, played, _told)


def play_on(read: Understood, ground: Ground[PaperStanding], way: int, *, all_blocks: bool = False) -> Played:
    """Return what came of one way on one order of the extremes."""
    plot = plot_of(read, read.ways[way], ground.standing)
    extremes = None if all_blocks else ground.extremes
    life = asyncio.run(play(plot, ground.course, ground.begins, extremes, ground.measures))
    stood = track(plot, ground.course, life)
    return Played(ground.inside, life, outturn(plot, ground.course, life, stood), stood)


def _told(both: list[Played]) -> Data:
    """Return the worse of both orders, and what the other came to."""
    worse = max(both, key=lambda one: one.badness)
    other = next(one for one in both if one is not worse)
    return {
        "inside": worse.inside.value,
        **figures_said(worse.came_to),
        "other_order": {"inside": other.inside.value, **figures_said(other.came_to)},
        "deeds": [
            {
                "at": deed.at, "what": deed.what, "how": deed.how, "health": shown_figure(deed.health / WAD),
                "health_after": shown_figure(deed.health_after / WAD), "lost_usd": decimal_of(deed.loss_usd, 8, 2),
            }
            for deed in worse.life.deeds
        ],
        "track": list(points_of(worse.stood)),
    }  # fmt: skip


def figures_said(of: Outturn) -> Data:
    """Return what came of a life as plain data."""
    return {
        "survived": of.survived,
        "liquidations": of.liquidations,
        "liquidated_usd": decimal_of(of.liquidated_usd, 8, 2),
        "kept_usd": decimal_of(of.kept_usd, 8, 2),
        "gas_usd": decimal_of(of.gas_usd, 8, 2),
        "lost_usd": decimal_of(of.lost_usd, 8, 2),
        "actions": of.actions,
        "failed": of.failed,
        "began_usd": decimal_of(of.began_usd, 8, 2),
        "ended_usd": decimal_of(of.ended_usd, 8, 2),
        "least_health": shown_figure(of.least_health),
        "danger_s": of.danger_s,
        "unmeasured_s": of.unmeasured_s,
        "drawdown": f"{of.drawdown:.6f}",
        "sharpe": _ratio(of.sharpe),
        "sortino": _ratio(of.sortino),
        "per_borrowed": _ratio(of.per_borrowed),
    }


def _ratio(of: float | None) -> str | None:
    return None if of is None else f"{of:.4f}"
