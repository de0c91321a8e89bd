"""How the hedge demo ended: the table, demo-report.json, and whether the keeper's promises held."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from typing import Any

from rich.table import Table

from sandbox.demo_result import number, usd
from sandbox.demo_scene import Liquidation, read_liquidations
from sandbox.hedge_costs import Costs, read_costs, read_perp_liquidations
from sandbox.hedge_scene import ALONE, HEDGED, UNHEDGED, HedgeFrame
from sandbox.hedge_settings import BAND, BOOK, LOOP, SHORT, TWIN
from sandbox.hedge_view import NAMES, signed
from sandbox.world import World

KEPT_FOR = {HEDGED: (LOOP, SHORT, BOOK), UNHEDGED: (TWIN,), ALONE: ()}
LEAST_SHARE_INSIDE, MOST_BLOCKS_OUTSIDE = 0.80, 15


@dataclass(frozen=True, slots=True)
class Excursion:
    """A stretch of blocks with the delta outside its band; `worst` is signed ether."""

    first_block: int
    blocks: int
    seconds: int
    worst: float


@dataclass(frozen=True, slots=True)
class Ending:
    """One owner in the end."""

    name: str
    loop_liquidations: Sequence[Liquidation]
    short_liquidations: int
    equity: Sequence[Decimal]
    lowest_health: float
    costs: Costs
    decisions: Sequence[Mapping[str, Any]]

    @property
    def liquidations(self) -> int:
        """Of either leg."""
        return len(self.loop_liquidations) + self.short_liquidations

    def times(self, position: str) -> int:
        """How often a plan for a position, or the book, went out and did what it was meant to."""
        done = ("restored", "partial")
        return sum(d["position"] == position and (d.get("outcome") or {}).get("kind") in done for d in self.decisions)


@dataclass(frozen=True, slots=True)
class Story:
    """Everything the table and the report are made of."""

    frames: Sequence[HedgeFrame]
    endings: Mapping[str, Ending]

    @property
    def excursions(self) -> list[Excursion]:
        """Every stretch outside the band, in order."""
        found: list[list[int]] = []
        for i, frame in enumerate(self.frames):
            if abs(frame.delta[HEDGED]) > float(BAND):
                if found and found[-1][-1] == i - 1:
                    found[-1].append(i)
                else:
                    found.append([i])
        return [self._excursion(stretch) for stretch in found]

    @property
    def share_inside(self) -> float:
        """Of all blocks."""
        return 1 - sum(e.blocks for e in self.excursions) / len(self.frames)

    @property
    def lowest_margin(self) -> float:
        """The short's lowest margin ratio."""
        return min(frame.margin_ratio for frame in self.frames)

    @property
    def open_moves(self) -> Decimal:
        """Dollars that moves of the price brought (negative: cost) through what delta the hedged book had."""
        early = self.endings[HEDGED].costs.early
        moves = Decimal(0)
        for before, after in pairwise(self.frames):
            met = after if after.block in early else before
            moves += Decimal(met.delta[HEDGED]) * (after.price - before.price)
        return moves

    @property
    def rest(self) -> Decimal:
        """Dollars of the hedged equity's change that neither costs nor open delta explain: interest, rounding."""
        hedged = self.endings[HEDGED]
        return hedged.equity[-1] - hedged.equity[0] - self.open_moves + hedged.costs.total

    def _excursion(self, stretch: Sequence[int]) -> Excursion:
        frames = [self.frames[i] for i in stretch]
        after = self.frames[min(stretch[-1] + 1, len(self.frames) - 1)]
        worst = max((f.delta[HEDGED] for f in frames), key=abs)
        return Excursion(frames[0].block, len(frames), after.timestamp - frames[0].timestamp, worst)


def read_story(
    world: World,
    owners: Mapping[str, str],
    frames: Sequence[HedgeFrame],
    decisions: Sequence[Mapping[str, Any]],
) -> Story:
    """All three owners from the first frame to the last."""
    begin = frames[0].block
    seized = read_liquidations(world, begin)
    endings = {}
    for name, owner in owners.items():
        mine = [d for d in decisions if d["position"] in KEPT_FOR[name]]
        endings[name] = Ending(
            name=name,
            loop_liquidations=[one for one in seized if one.owner == owner],
            short_liquidations=read_perp_liquidations(world, owner, begin),
            equity=[frame.equity[name] for frame in frames],
            lowest_health=min(frame.health[name] for frame in frames),
            costs=read_costs(world, owner, frames, mine, trades=name == HEDGED),
            decisions=mine,
        )
    return Story(frames, endings)


def broken_promise(story: Story, *, own_path: bool) -> str | None:
    """None when everything held, else what did not. With `own_path` the interplay has to show as well."""
    hedged, last = story.endings[HEDGED], story.frames[-1]
    if hedged.loop_liquidations:
        return "the hedged loop was liquidated"
    if hedged.short_liquidations or min(frame.cushion for frame in story.frames) < 0:
        return "the short was liquidated, or could have been"
    if last.short >= 0 or last.health[HEDGED] >= 99:
        return "a leg is gone"
    if abs(last.delta[HEDGED]) > float(BAND):
        return f"in the end the delta is {last.delta[HEDGED]:+.2f} ETH, outside its band"
    if story.share_inside < LEAST_SHARE_INSIDE:
        return f"the delta was in its band at {story.share_inside:.0%} of the blocks only"
    longest = max((e.blocks for e in story.excursions), default=0)
    if longest > MOST_BLOCKS_OUTSIDE:
        return f"the delta stood outside its band for {longest} blocks in a row"
    return _missing(story) if own_path else None


def _missing(story: Story) -> str | None:
    hedged = story.endings[HEDGED]
    for position, what in ((LOOP, "the loop's health"), (BOOK, "the book's delta"), (SHORT, "the short's margin")):
        if not hedged.times(position):
            return f"the keeper never acted for {what}"
    if min(hedged.equity) <= min(story.endings[UNHEDGED].equity):
        return "the hedge did not soften the fall"
    if not story.endings[ALONE].liquidations:
        return "the loop that was left alone was not liquidated"
    return None


def table(story: Story) -> Table:
    """Side by side."""
    shown = Table("", *NAMES.values(), title_justify="left", pad_edge=False, box=None, padding=(0, 3, 0, 0))
    for column in shown.columns[1:]:
        column.justify = "right"
    for label, *cells in _rows(story):
        shown.add_row(label, *cells, style="bold" if label.startswith("equity in the end") else None)
    return shown


def _rows(story: Story) -> list[tuple[str, ...]]:
    endings = [story.endings[name] for name in NAMES]

    def each(label: str, text: Any) -> tuple[str, ...]:
        return (label, *(text(ending) for ending in endings))

    def hedged(label: str, text: str) -> tuple[str, ...]:
        return (label, text, "", "")

    costs = story.endings[HEDGED].costs
    outside = story.excursions
    worst = max(outside, key=lambda e: abs(e.worst), default=None)
    longest = max(outside, key=lambda e: e.blocks, default=None)
    return [
        each("equity at the start", lambda e: usd(e.equity[0])),
        each("equity at its worst", lambda e: usd(min(e.equity))),
        each("equity in the end", lambda e: usd(e.equity[-1])),
        each(
            "liquidated", lambda e: f"{e.liquidations} time{'s' * (e.liquidations > 1)}" if e.liquidations else "never"
        ),
        each("loop: lowest health factor", lambda e: f"{e.lowest_health:.3f}"),
        hedged("short: lowest margin ratio", f"{story.lowest_margin:.1%}"),
        hedged("  without what was added", f"{min(f.margin_ratio_unaided for f in story.frames):.1%}"),
        hedged("delta in its band", f"{story.share_inside:.1%} of {len(story.frames)} blocks"),
        hedged("  furthest out", f"{signed(worst.worst)} ETH" if worst else "–"),
        hedged(
            "  longest out",
            f"{longest.blocks} block{'s' * (longest.blocks > 1)}, {_span(longest.seconds)}" if longest else "–",
        ),
        each("rescues of the loop", lambda e: str(e.times(LOOP) + e.times(TWIN))),
        hedged("trades for the delta", str(story.endings[HEDGED].times(BOOK))),
        hedged("rescues of the short", str(story.endings[HEDGED].times(SHORT))),
        each("cost: gas", lambda e: usd(e.costs.gas)),
        hedged("cost: perp fees", usd(costs.fees)),
        hedged("cost: perp price, not index", usd(costs.impact)),
        hedged("cost: funding", usd(costs.funding)),
        each("cost: collateral sold", lambda e: usd(e.costs.sales)),
        each("cost in all", lambda e: usd(e.costs.total)),
        hedged("price moves on open delta", usd(story.open_moves)),
    ]


def _span(seconds: int) -> str:
    return f"{seconds} s" if seconds < 120 else f"{seconds // 60} min"


def report(story: Story, wall_s: float) -> dict[str, Any]:
    """The content of demo-report.json."""
    frames = story.frames
    return {name: _entry(ending, story) for name, ending in story.endings.items()} | {
        "scenario": "hedge",
        "delta": {
            "band": float(BAND),
            "share_inside": round(story.share_inside, 4),
            "open_moves_usd": number(story.open_moves),
            "interest_and_rest_usd": number(story.rest),
            "final": round(frames[-1].delta[HEDGED], 4),
            "blocks": len(frames),
            "excursions": [
                {"block": e.first_block, "blocks": e.blocks, "seconds": e.seconds, "worst": round(e.worst, 4)}
                for e in story.excursions
            ],
        },
        "short": {
            "start_size": round(frames[0].short, 4),
            "final_size": round(frames[-1].short, 4),
            "min_margin_ratio": round(story.lowest_margin, 4),
            "min_margin_ratio_unaided": round(min(frame.margin_ratio_unaided for frame in frames), 4),
            "least_cushion_usd": number(min(frame.cushion for frame in frames)),
        },
        "prices_usd": {
            "start": number(frames[0].price),
            "lowest": number(min(f.price for f in frames)),
            "highest": number(max(f.price for f in frames)),
            "final": number(frames[-1].price),
        },
        "wall_s": round(wall_s, 1),
    }


def _entry(ending: Ending, story: Story) -> dict[str, Any]:
    costs, last = ending.costs, story.frames[-1]
    health = last.health[ending.name]
    return {
        "liquidated": bool(ending.liquidations),
        "loop_liquidations": len(ending.loop_liquidations),
        "short_liquidations": ending.short_liquidations,
        "min_health_factor": round(ending.lowest_health, 4),
        "final_health_factor": None if health >= 99 else round(health, 4),
        "equity_usd": {
            "start": number(ending.equity[0]),
            "worst": number(min(ending.equity)),
            "end": number(ending.equity[-1]),
        },
        "acted": {position: ending.times(position) for position in KEPT_FOR[ending.name]},
        "costs_usd": {
            "gas": float(round(costs.gas, 6)),
            "perp_fees": number(costs.fees),
            "perp_impact": number(costs.impact),
            "funding": number(costs.funding),
            "sales": number(costs.sales),
            "total": number(costs.total),
        },
        "perp_trades": [
            {"block": t.block, "size": float(round(t.size, 6)), "usd": number(t.dollars), "fee_usd": number(t.fee)}
            for t in costs.trades
        ],
        "transactions": list(costs.transactions),
    }
