"""Plans of one block: several positions of one signer, and several sellers in one pool. In lockstep."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path

import pytest

from sandbox.survival import cells
from sandbox.survival.cells import Cell, Setting
from sandbox.survival.lockstep import Keeper, keeping
from sandbox.survival.market import CALM_BASE_FEE, Borrower, Market
from sandbox.world import World

pytestmark = pytest.mark.world
FUNDS = (("WETH", "6"),)


@dataclass
class Stage:
    """Positions in a world whose blocks come one by one."""

    world: World
    folder: Path
    cells: list[Cell] = field(default_factory=list)

    def open(self, *settings: Setting) -> Stage:
        self.cells = cells.settle(self.world, settings)
        self.world.warp(600)
        self.world.refresh_feeds()
        self.start = self.world.prices()
        borrowers = [Borrower(c.owner.address, ("WETH",), "USDC") for c in self.cells]
        self.market = Market(self.world, borrowers)
        self.market.open()
        self.config = cells.write(self.folder, self.world, self.cells, {})
        return self

    def block(self, share: str) -> int:
        """One block with WETH and the like at a share of their first price."""
        moved = {s: p * Decimal(share) for s, p in self.start.items() if s in ("WETH", "wstETH", "WBTC")}
        prices = self.start | moved
        feeds = {s: p for s, p in prices.items() if s in self.world.addresses["feeds"]}
        health = {c.owner.address: self.health(c) for c in self.cells}
        return self.market.step(feeds, prices, health, CALM_BASE_FEE)

    async def judge(self, keeper: Keeper) -> None:
        await keeper.judge(self.world.now)

    def health(self, cell: Cell) -> float:
        return float(self.world.health_factor(cell.owner.address))

    def sent(self, block: int, address: str) -> list[tuple[int, bool]]:
        """Nonce and success of what an account has in a block."""
        mined = self.world.w3.eth.get_block(block, full_transactions=True)["transactions"]
        mine = [t for t in mined if t["from"] == address]  # type: ignore[index]
        receipts = [self.world.w3.eth.get_transaction_receipt(t["hash"]) for t in mine]  # type: ignore[index]
        return [(t["nonce"], r["status"] == 1) for t, r in zip(mine, receipts, strict=True)]  # type: ignore[index]


def guarded(*starts: str) -> list[Setting]:
    return [
        Setting(f"guarded {i}", start, "1.12", "1.25", ("top_up",), wallet=FUNDS, guardian="g")
        for i, start in enumerate(starts)
    ]


def seller(name: str, weth: str, *, start: str = "1.15", batch: bool = True) -> Setting:
    return Setting(name, start, "1.12", "1.25", ("deleverage",), (("WETH", weth),), is_batch=batch)


@pytest.fixture
def stage(world: World, tmp_path: Path) -> Stage:
    return Stage(world, tmp_path)


async def test_three_positions_of_one_signer_are_rescued_in_the_same_block(stage: Stage) -> None:
    """Their owner does not wait for one after the other: consecutive nonces, one block, the most endangered first."""
    stage.open(*guarded("1.17", "1.15", "1.19"))
    async with keeping(stage.config) as keeper:
        stage.block("0.935")
        await stage.judge(keeper)
        block = stage.block("0.935")
        await stage.judge(keeper)
    signer = stage.cells[0].signer.address
    sent = stage.sent(block, signer)
    assert [nonce for nonce, _ in sent] == list(range(6)), sent  # an approval and a supply each
    assert all(succeeded for _, succeeded in sent)
    assert all(stage.health(cell) == pytest.approx(1.25, abs=0.01) for cell in stage.cells)


async def test_four_positions_of_two_signers_are_rescued_in_the_same_block(stage: Stage) -> None:
    """Each signer's go out together, neither waits for the other, and each sells or pays out of its own."""
    others = [replace(one, name=f"other {i}", guardian="h") for i, one in enumerate(guarded("1.16", "1.18"))]
    stage.open(*guarded("1.17", "1.15"), *others)
    async with keeping(stage.config) as keeper:
        stage.block("0.935")
        await stage.judge(keeper)
        block = stage.block("0.935")
        await stage.judge(keeper)
    signers = {cell.signer.address for cell in stage.cells}
    assert len(signers) == 2
    for signer in signers:
        assert stage.sent(block, signer) == [(nonce, True) for nonce in range(4)]
    assert all(stage.health(cell) == pytest.approx(1.25, abs=0.01) for cell in stage.cells)


async def test_two_signers_sell_into_one_pool_and_pay_for_two_others_in_the_same_block(stage: Stage) -> None:
    """Large sales are sized jointly with what others sell; who only pays in is not held up by them."""
    stage.open(seller("big 1", "1500"), seller("big 2", "1200"), *guarded("1.16", "1.15"))
    async with keeping(stage.config) as keeper:
        stage.block("0.935")
        await stage.judge(keeper)
        block = stage.block("0.935")
        await stage.judge(keeper)
        for cell in stage.cells:
            sent = stage.sent(block, cell.signer.address)
            assert sent, cell.name
            assert all(succeeded for _, succeeded in sent), cell.name
        for _ in range(5):
            stage.block("0.935")
            await stage.judge(keeper)
    assert all(stage.health(cell) > 1.2 for cell in stage.cells[2:])
    assert all(stage.health(cell) > 1.12 for cell in stage.cells), [stage.health(cell) for cell in stage.cells]


async def test_one_wallet_is_spent_once(stage: Stage) -> None:
    """What the first takes is not there for the second: the most endangered is helped in full, the rest shared."""
    scarce = [
        Setting(f"scarce {i}", start, "1.12", "1.25", ("top_up",), wallet=wallet, guardian="g")
        for i, (start, wallet) in enumerate([("1.15", (("WETH", "4"),)), ("1.16", ())])
    ]
    stage.open(*scarce)
    async with keeping(stage.config) as keeper:
        stage.block("0.935")
        await stage.judge(keeper)
        block = stage.block("0.935")
        await stage.judge(keeper)
    sent = stage.sent(block, stage.cells[0].signer.address)
    assert len(sent) == 4
    assert all(succeeded for _, succeeded in sent)
    worst, other = (stage.health(cell) for cell in stage.cells)
    assert worst == pytest.approx(1.25, abs=0.01)
    assert 1.1 < other < 1.24
    assert stage.world.balance("WETH", stage.cells[0].signer.address) < 10**15


async def test_a_signer_is_free_at_the_block_that_mined_its_plan(stage: Stage) -> None:
    """The second falls under its trigger as the first one's rescue is mined: it is decided there, not a block later."""
    stage.open(*guarded("1.15", "1.19"))
    signer = stage.cells[0].signer.address
    async with keeping(stage.config) as keeper:
        stage.block("0.97")
        await stage.judge(keeper)
        assert stage.sent(stage.block("0.935"), signer)
        await stage.judge(keeper)
        assert stage.sent(stage.block("0.935"), signer)
        await stage.judge(keeper)
    assert stage.health(stage.cells[1]) == pytest.approx(1.25, abs=0.01)


async def test_one_that_fails_takes_no_other_with_it_and_is_decided_anew(stage: Stage) -> None:
    """A reserve is paused before the block: who relied on it fails alone, and is helped by what else there is."""
    bitcoin = Setting(
        "bitcoin", "1.15", "1.12", "1.25", ("top_up",), (("WBTC", "1"),), wallet=(("WBTC", "1"),), guardian="g"
    )
    stage.open(bitcoin, *guarded("1.16"))
    async with keeping(stage.config) as keeper:
        stage.block("0.935")
        await stage.judge(keeper)
        _pause(stage.world, "WBTC", on=True)
        block = stage.block("0.935")
        await stage.judge(keeper)
        sent = stage.sent(block, stage.cells[0].signer.address)
        assert sorted(succeeded for _, succeeded in sent) == [False, True, True, True]
        assert sorted(stage.health(cell) > 1.24 for cell in stage.cells) == [False, True]
        _pause(stage.world, "WBTC", on=False)
        for _ in range(3):
            stage.block("0.935")
            await stage.judge(keeper)
    assert all(stage.health(cell) > 1.12 for cell in stage.cells), "above what its rule fires at"


def _pause(world: World, symbol: str, *, on: bool) -> None:
    """Governance acts in the next block, before anybody else."""
    configurator = world.chain.at("PoolConfiguratorInstance", world.addresses["aave"]["configurator"])
    call = configurator.functions["setReservePause(address,bool)"](world.token(symbol).address, on)
    call.transact({"from": world.role("admin"), "gas": 500_000, "maxFeePerGas": 10**13, "maxPriorityFeePerGas": 10**9})


async def test_sellers_in_one_pool_are_sized_together(stage: Stage) -> None:
    """Four at once, two of them large: none reverts, and the dearest is out of danger first."""
    stage.open(seller("big 1", "4000"), seller("big 2", "3500"), seller("small 1", "20"), seller("small 2", "40"))
    async with keeping(stage.config) as keeper:
        for _ in range(2):
            block = stage.block("0.96")
            await stage.judge(keeper)
            for cell in stage.cells:
                assert all(succeeded for _, succeeded in stage.sent(block, cell.signer.address)), cell.name
        healths = {cell.name: stage.health(cell) for cell in stage.cells}
    assert healths["big-1"] > 1.11, json.dumps(healths)
    assert healths["small-1"] > 1.15, json.dumps(healths)
