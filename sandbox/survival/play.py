"""One crash, played to its end with every position in it at once: what each came to, and why."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from keeper.core.decide import Hold
from keeper.core.reasons import Reason
from sandbox.survival.cells import Cell, write
from sandbox.survival.crowd import crowded
from sandbox.survival.ledger import NATIVE, Reader, Sheet
from sandbox.survival.lockstep import Keeper, keeping
from sandbox.survival.market import CALM_BASE_FEE, Borrower, Market
from sandbox.survival.model import GAS, Hosted
from sandbox.survival.paths import Course
from sandbox.world import World

SYMBOLS = ("WETH", "wstETH", "WBTC", "USDC")
TIP = 10**9
MOST_DECISIONS = 1000


@dataclass
class Line:
    """One position through one crash, as it is written down block by block."""

    cell: Cell
    cost: Decimal = Decimal(0)
    """Dollars: all that acting and being liquidated cost, prices apart."""
    lost: Decimal = Decimal(0)
    """Of that, what liquidations took."""
    gas: Decimal = Decimal(0)
    crowd: Decimal = Decimal(0)
    """Of the cost, what others of this crash took by selling into the same pools before it in the same block."""
    liquidated: list[int] = field(default_factory=list)
    alone: list[int] = field(default_factory=list)
    """The same of its twin that nobody keeps."""
    alone_lost: Decimal = Decimal(0)
    sent: int = 0
    reverted: int = 0
    fired: list[int] = field(default_factory=list)
    """Blocks at which a rule asked for action while the position stood above liquidation."""
    outcomes: dict[str, int] = field(default_factory=dict)
    """By kind and reason, what the journal says came of its plans."""
    holds: list[tuple[int, str, str]] = field(default_factory=list)
    """Block, reason, detail of each hold that left it in danger."""
    health: list[float] = field(default_factory=list)
    wallet: list[Decimal] = field(default_factory=list)
    hosted: Hosted | None = None


@dataclass
class Played:
    """All positions after one crash."""

    course: Course
    lines: list[Line]
    blocks: int
    first: int
    """Number of the first block."""


async def play(
    world: World, course: Course, cells: Sequence[Cell], folder: Path, tell: Callable[[int, int], None]
) -> Played:
    """Play one crash; the world is left as it ended."""
    twins = {cell.twin: cell for cell in cells}
    borrowers = [_borrower(cell.owner.address, cell) for cell in cells]
    borrowers += [_borrower(owner, cell) for owner, cell in twins.items()]
    market = Market(world, borrowers)
    market.open()
    start = {s: p for s, p in world.prices().items() if s in world.addresses["tokens"]}
    accounts = list(dict.fromkeys([b.owner for b in borrowers] + [cell.signer.address for cell in cells]))
    stage = _Stage(world, course, market, Reader(world, accounts, SYMBOLS), start, [Line(c) for c in cells])
    config = write(folder, world, cells, {})
    async with keeping(config) as keeper:
        await stage.run(keeper, tell)
        await stage.read_journal(keeper)
    return Played(course, stage.lines, len(course.prices), stage.first)


def _borrower(owner: str, cell: Cell) -> Borrower:
    return Borrower(owner, tuple(symbol for symbol, _ in cell.setting.collateral), cell.setting.debt)


@dataclass
class _Stage:
    """The crash under way."""

    world: World
    course: Course
    market: Market
    reader: Reader
    start: Mapping[str, Decimal]
    lines: list[Line]
    first: int = 0
    sheet: Sheet | None = None

    async def run(self, keeper: Keeper, tell: Callable[[int, int], None]) -> None:
        prices = self._prices(self.course.prices[0])
        self.sheet = self.reader.read(prices)
        self._open_hosted(self.sheet, prices)
        total = len(self.course.prices)
        for i, share in enumerate(self.course.prices):
            before, sheet = prices, self.sheet
            prices = self._prices(share)
            number = self.market.step(
                self._moved(prices), self._pools(i), _expected(sheet, before, prices, self.course), self._base_fee
            )
            self.first = self.first or number
            self.sheet = self.reader.read(prices)
            self._charge(sheet, self.sheet, prices, number, i)
            found = await keeper.judge(int(self.world.w3.eth.get_block(number)["timestamp"]))
            self._note(found, number)
            tell(i + 1, total)

    async def read_journal(self, keeper: Keeper) -> None:
        """Count what the journal says of each position's plans."""
        for line in self.lines:
            for decision in await keeper.engine.journal.decisions.recent(MOST_DECISIONS, line.cell.name):
                if decision.outcome_kind is not None:
                    key = f"{decision.outcome_kind}: {(decision.outcome or {}).get('reason', '?')}"
                    line.outcomes[key] = line.outcomes.get(key, 0) + 1

    def _prices(self, share: Decimal) -> dict[str, Decimal]:
        """Every symbol's price; other kinds of collateral move with the one that falls, staked ether by its ratio."""
        prices = dict(self.start)
        moved = ["wstETH"] if self.course.symbol == "wstETH" else ["WETH", "wstETH", "WBTC"]
        for symbol in moved:
            prices[symbol] = self.start[symbol] * share
        prices[NATIVE] = prices["WETH"]
        return prices

    def _moved(self, prices: Mapping[str, Decimal]) -> dict[str, Decimal]:
        """What the feeds are put at: all that have one, so that none grows old."""
        feeds = {s: p for s, p in prices.items() if s in self.world.addresses["feeds"]}
        return feeds | ({"wstETH": prices["wstETH"]} if self.course.symbol == "wstETH" else {})

    def _pools(self, i: int) -> dict[str, Decimal]:
        prices = self._prices(self.course.pool_price(i))
        return {s: p for s, p in prices.items() if s in self.world.addresses["tokens"]}

    @property
    def _base_fee(self) -> int:
        """Dear from before the first move on: a base fee climbs by an eighth a block, and no chain has it jump."""
        return CALM_BASE_FEE * self.course.gas

    # --- what it cost -------------------------------------------------------------------------------------------------

    def _charge(self, before: Sheet, after: Sheet, prices: Mapping[str, Decimal], number: int, i: int) -> None:
        receipts = self.world.rpc("eth_getBlockReceipts", hex(number))
        signers: dict[str, list[Any]] = {}
        for receipt in receipts:
            signers.setdefault(receipt["from"].lower(), []).append(receipt)
        crowd = crowded(
            self.world, receipts, self._pools(i), prices, {x.cell.signer.address.lower() for x in self.lines}
        )
        losses = [loss for loss in self.market.seizures if loss.block == number]
        for line in self.lines:
            cell, owner = line.cell, line.cell.owner.address
            # one signer's positions share what it gave and paid; what a liquidator took is each one's own
            group = [x.cell.owner.address for x in self.lines if x.cell.signer.address == cell.signer.address]
            share, purse = len(group), {*group, cell.signer.address}
            gone = sum((before.worth(a, prices) - after.worth(a, prices) for a in purse), Decimal(0))
            line.cost += (gone - sum((loss.dollars for loss in losses if loss.owner in group), Decimal(0))) / share
            mine = signers.get(cell.signer.address.lower(), [])
            line.gas += (
                sum(int(r["gasUsed"], 16) * int(r["effectiveGasPrice"], 16) for r in mine)
                / (Decimal(10) ** 18 * share)
                * prices[NATIVE]
            )
            line.crowd += crowd.get(cell.signer.address.lower(), Decimal(0)) / share
            line.sent += len(mine)
            line.reverted += sum(int(r["status"], 16) != 1 for r in mine)
            for loss in losses:
                if loss.owner == owner:
                    line.liquidated.append(number)
                    line.lost += loss.dollars
                    line.cost += loss.dollars
                elif loss.owner == cell.twin:
                    line.alone.append(number)
                    line.alone_lost += loss.dollars
            line.health.append(after.health[owner])
            line.wallet.append(after.wallet[cell.signer.address])
            self._host(line, prices, i)

    def _open_hosted(self, sheet: Sheet, prices: Mapping[str, Decimal]) -> None:
        for line in self.lines:
            setting, owner = line.cell.setting, line.cell.owner.address
            data = self.world.account_data(owner)
            symbol = setting.collateral[0][0]
            line.hosted = Hosted(
                units=sheet.collateral[owner] / prices[symbol],
                debt=sheet.debt[owner],
                threshold=Decimal(data.liquidation_threshold) / 10_000,
                bonus=Decimal("0.01") if setting.emode else Decimal("0.05"),
                trigger=Decimal(setting.trigger),
                target=Decimal(setting.target),
            )

    def _host(self, line: Line, prices: Mapping[str, Decimal], i: int) -> None:
        assert line.hosted
        symbol = line.cell.setting.collateral[0][0]
        gas = Decimal(GAS * (self._base_fee + TIP)).scaleb(-18) * prices[NATIVE]
        # debt in ether falls with it: in dollars of the start only the ratio counts
        scale = self.start[line.cell.setting.debt] / prices[line.cell.setting.debt]
        line.hosted.block(prices[symbol] * scale, self._pools(i)[symbol] * scale, gas * scale)

    # --- what was thought ---------------------------------------------------------------------------------------------

    def _note(self, found: Sequence[Any], number: int) -> None:
        by_name = {line.cell.name: line for line in self.lines}
        for result in found:
            line = by_name.get(result.name)
            if line is None:
                continue
            decision = result.decision
            is_held = isinstance(decision, Hold)
            quiet = (Reason.HEALTHY, Reason.AT_TARGET)
            if (not is_held or decision.reason not in quiet) and line.health[-1] >= 1:
                line.fired.append(number)
            if is_held and decision.reason not in quiet:
                line.holds.append((number, decision.reason.code, decision.detail))


def _expected(
    sheet: Sheet, before: Mapping[str, Decimal], prices: Mapping[str, Decimal], course: Course
) -> dict[str, float]:
    """What health would be at the coming prices, with what everybody holds now: from below."""
    fall = float(prices[course.symbol] / before[course.symbol])
    return {owner: health * min(1.0, fall) for owner, health in sheet.health.items()}
