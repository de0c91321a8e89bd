"""The engine over a perpetual position on paper, and its play: a parts list."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from keeper.backtest.course import PriceCourse
from keeper.backtest.engine_on_paper import KeeperTerms, OnPaper, paper_engine
from keeper.backtest.life import Life
from keeper.backtest.movements import CourseMovements
from keeper.backtest.perp_reader import PerpSceneLogs, PerpSceneReader
from keeper.backtest.perp_scene import PerpScene
from keeper.backtest.perp_standing import PerpStanding
from keeper.backtest.play import lived
from keeper.backtest.reader import paper_network
from keeper.backtest.scene import PaperFees
from keeper.backtest.stage import Stage
from keeper.core.perp.position import PerpPosition
from keeper.core.perp.rules import PerpRule
from keeper.execution.executor import Executor
from keeper.execution.perp_errand import PerpParts
from keeper.execution.settlement import OrderWatch
from keeper.settings.model import Position

PATIENCE_S = 1.0
"""Nobody waits by the clock: an order is followed until its block."""


@dataclass(frozen=True, slots=True)
class PerpPlot:
    """What is played: the account, who acts by which rules, and what acting costs."""

    position: Position
    standing: PerpStanding
    rules: tuple[PerpRule, ...]
    """Empty where nobody keeps it."""
    terms: KeeperTerms
    fees: PaperFees
    native: str
    native_price: int
    heartbeat_s: int


async def play_perp(
    plot: PerpPlot, course: PriceCourse, begins_at: int, movements: CourseMovements
) -> Life[PerpStanding]:
    """Play a course from a time on: every block that an oracle answered at, an order was carried out, or one waits."""
    begins = course.index(begins_at)
    at = int(course.at[begins])
    scene = PerpScene(
        course=course,
        now=at,
        standing=replace(plot.standing, at=at),
        place=plot.position,
        fees=plot.fees,
        native_price=plot.native_price,
        is_native=plot.native == plot.standing.contract.symbol,
    )
    scene.standing = scene.seen()
    stage = Stage[PerpStanding](scene, None, stands=[(at, scene.standing)])
    if plot.rules:
        stage.paper = perp_engine(scene, plot, movements)
    return await lived(stage, begins)


def perp_engine(scene: PerpScene, plot: PerpPlot, movements: CourseMovements) -> OnPaper[PerpSceneReader]:
    """Return the engine over a scene of a perpetual position."""
    contract, place = scene.standing.contract, plot.position
    network = paper_network(place.venue, scene.course.block_s, contract.asset, plot.heartbeat_s, None)
    reader, logs = PerpSceneReader(scene, network, plot.native), PerpSceneLogs(scene)
    scene.decoders = reader.perp_account(place.name).decoders
    signer = place.spender
    made = paper_engine(scene, reader, logs, signer, plot.terms, movements, perp_rules=plot.rules)
    engine, pool = made.engine, made.pool

    async def read(_: str, __: int | None) -> PerpPosition:
        return scene.position()

    async def created(name: str, hash_: str) -> tuple[str, ...]:
        return await logs.created(name, hash_, is_mined=True)

    async def keep(name: str, keys: tuple[str, ...], decision_id: int, block: int, rests: bool) -> None:
        await engine.perps.created(name, keys, decision_id, block, rests=rests)

    async def outcomes(name: str, keys: Sequence[str], since: int) -> dict[str, Any]:
        """Wait for the block at which the venue's keepers come, where none of the orders had its turn."""
        while all(found is None for found in (await logs.outcomes(name, keys, since)).values()):
            await pool.until(max(pool.number + 1, scene.course.number(scene.due or 0)))
        return await logs.outcomes(name, keys, since)

    orders = OrderWatch(created, keep, outcomes, PATIENCE_S, 0.0, logs.carried_out)
    nobody: Any = None
    perps = PerpParts(reader.perp_account, read, orders)
    engine.senders = {signer: Executor(made.lane, plot.terms.max_fee, nobody, perps)}
    return made
