"""The engine as the daemon has it, with the fakes of this package behind its ports: a parts list."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from keeper.backtest.lane import Mempool, PaperLane
from keeper.backtest.market import PaperMarket
from keeper.backtest.memory import PaperJournal
from keeper.backtest.movements import CourseMovements
from keeper.backtest.reader import Quiet, SceneLogs, SceneReader, paper_network
from keeper.backtest.rehearser import SceneRehearser
from keeper.backtest.scene import PaperScene
from keeper.backtest.stage import PaperChain
from keeper.chain.fee_market import FeeMarket
from keeper.chain.tolls import NO_TOLL, Toll
from keeper.core.breaker import Breaker, BreakerTerms
from keeper.core.decide import Safety
from keeper.core.exposure import ExposureLimits
from keeper.core.lending.rules import Rule
from keeper.core.perp.rules import PerpRule
from keeper.core.snapshot import LendingPosition
from keeper.core.units import Address, Amount, Bps, Wei
from keeper.engine.engine import Engine, Terms
from keeper.engine.history import PerpMemory
from keeper.engine.lending.balances import LentMemory
from keeper.engine.ports import Logs, Reader
from keeper.engine.state import State
from keeper.execution.carriers import Batch
from keeper.execution.encoding import Venues, allow_list
from keeper.execution.executor import Executor
from keeper.execution.lending_errand import LendingParts
from keeper.execution.rehearsal import Upon
from keeper.observe.observer import Observer
from keeper.settings.model import Position
from keeper.venues.codec.abi import address

R = TypeVar("R", bound=Reader)
AnyChain = PaperChain[Any]
BATCH = address("0x" + "7702" * 10)
"""The account contract that makes one transaction of a plan, on paper."""


class PaperObserver(Observer):
    """Hears of what nobody foresaw, and lets no figure come of it."""

    defect: BaseException | None = None

    def cycle_failed(self, error: BaseException, in_a_row: int) -> None:
        """Keep the first: a play that goes on without its keeper says nothing of it."""
        self.defect = self.defect or error


@dataclass(frozen=True, slots=True)
class KeeperTerms:
    """What the owner declared, beside the rules."""

    safety: Safety
    fee_share: Bps
    max_fee: Wei | None = None
    swap_deadline_s: int = 600
    delay: int = 1
    """Blocks from a decision to its transaction."""
    in_one: bool = True
    """Whether a plan is one transaction (EIP-7702), or call by call."""
    breaker: BreakerTerms | None = None
    exposure: ExposureLimits | None = None


@dataclass(slots=True)
class SceneClock:
    """The scene's time; who sleeps does not keep it waiting."""

    scene: AnyChain

    def monotonic(self) -> float:
        """Return the scene's time."""
        return float(self.scene.now)

    def wall(self) -> float:
        """Return the scene's time."""
        return float(self.scene.now)

    async def sleep(self, seconds: float) -> None:
        """Return at once."""


@dataclass(slots=True)
class SceneFees:
    """What gas costs in the scene."""

    last_toll: Toll = NO_TOLL

    async def market(self, base_fee: Wei) -> FeeMarket:
        """Return a calm market at the block's base fee."""
        return FeeMarket(base_fee, Wei(10**9), base_fee, Wei(10**13))

    async def toll(self) -> Toll:
        """Return that there is none."""
        return self.last_toll


@dataclass(frozen=True, slots=True)
class OnPaper(Generic[R]):
    """An engine, and who waits for blocks of it."""

    engine: Engine
    reader: R
    pool: Mempool
    journal: PaperJournal
    lane: PaperLane


def paper_engine(
    scene: AnyChain,
    reader: R,
    logs: Logs,
    signer: Address,
    terms: KeeperTerms,
    movements: CourseMovements | None,
    rules: Sequence[Rule] = (),
    perp_rules: Sequence[PerpRule] = (),
) -> OnPaper[R]:
    """Return an engine over a scene that has nobody yet who sends."""
    journal, pool = PaperJournal(), Mempool()
    simulator = SceneRehearser(scene)
    engine = Engine(
        terms=Terms(
            "live",
            terms.safety,
            terms.swap_deadline_s,
            terms.max_fee,
            "live",
            terms.fee_share,
            exposure=terms.exposure,
            breaker=terms.breaker,
        ),
        state=State(tuple(rules), warms_up=False, breaker=None if terms.breaker is None else Breaker(terms.breaker)),
        reader=reader,
        rehearser=Upon(simulator),
        rehearser_ahead=simulator,
        journal=journal,
        logs=logs,
        fees=SceneFees(),
        feed=Quiet(),
        clock=SceneClock(scene),
        observer=PaperObserver("live", None, 3600, lambda: float(scene.now)),
        perps=PerpMemory(journal, "paper", tuple(perp_rules), (), ()),
        lent=LentMemory(journal, "paper", False),
        movements=movements,
    )
    return OnPaper(engine, reader, pool, journal, PaperLane(scene, journal, pool, signer, terms.delay))


def engine_on_paper(
    scene: PaperScene,
    position: Position,
    market: PaperMarket,
    rules: Sequence[Rule],
    terms: KeeperTerms,
    movements: CourseMovements | None,
    native: Address,
    heartbeat_s: int,
    native_symbol: str,
) -> OnPaper[SceneReader]:
    """Return the engine over a scene of a loan."""
    signer = position.spender
    batch = BATCH if terms.in_one else None
    network = paper_network(position.venue, scene.course.block_s, native, heartbeat_s, batch)
    reader = SceneReader(scene, position, market, network, native_symbol)
    known = [x.asset for x in market.listings]
    venues = Venues(market, reader.exchanges, reader.lenders)
    scene.decoders = dict(allow_list(venues, known, Batch(signer, BATCH, is_delegated=True)))
    made = paper_engine(scene, reader, SceneLogs(scene), signer, terms, movements, rules)
    engine, lane = made.engine, made.lane
    if batch:
        engine.terms.batches[signer] = batch

    async def read_position(name: str, _: int | None) -> LendingPosition:
        return reader.position(name, scene.seen(), scene.block())

    async def read_held(_: Address, assets: Sequence[Address]) -> Mapping[Address, Amount]:
        return {asset: Amount(scene.standing.wallet.get(asset, 0)) for asset in assets}

    nobody: Any = None
    lending = LendingParts(lane, engine.venues, read_position, read_held, terms.max_fee, terms.safety.health_floor)
    engine.senders = {signer: Executor(lane, terms.max_fee, lending, nobody)}
    return made
