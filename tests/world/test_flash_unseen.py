"""A world of other tokens, prices, thresholds, depths: each rescue is one transaction to its target, nothing left."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import structlog
from safe_scene import SafeScene
from scenes import Scene

from sandbox.safe.desk import SafeDesk
from sandbox.spec import BTC_RATE, ETH_RATE, STABLE_RATE, EMode, Pool, Reserve, WorldSpec
from sandbox.world import World

pytestmark = [pytest.mark.world, pytest.mark.timeout(600)]

UNSEEN = WorldSpec(
    reserves=(
        Reserve("WETH", 18, "3313.77", 7600, 7950, 10600, 1500, ETH_RATE, 60_000, heartbeat_s=3600),
        Reserve("GOLD", 8, "2411.09", 7000, 7500, 10600, 2000, BTC_RATE, 20_000, heartbeat_s=3600),
        Reserve("DEAR", 6, "91234.5", 6800, 7300, 10700, 2000, BTC_RATE, 900, heartbeat_s=3600),
        Reserve("YEN", 18, "0.00662", 5000, 6500, 10800, 1500, STABLE_RATE, 9_000_000_000, heartbeat_s=3600),
        Reserve("NEW", 18, "97.31", 6000, 6700, 10800, 2000, BTC_RATE, 0, heartbeat_s=3600),
        Reserve("USDX", 6, "0.9987", 7700, 8000, 10400, 1000, STABLE_RATE, 90_000_000),
        Reserve("EURX", 18, "1.1603", 7200, 7600, 10500, 1000, STABLE_RATE, 40_000_000, heartbeat_s=3600),
        Reserve(
            "sETH",
            18,
            "0",
            7100,
            7700,
            10700,
            3000,
            ETH_RATE,
            20_000,
            ratio_of="WETH",
            ratio="1.0873",
            heartbeat_s=3600,
        ),
    ),
    pools=(
        Pool("WETH", "USDX", 500, 9_000_000),
        Pool("WETH", "USDX", 3000, 9_000_000),
        Pool("DEAR", "WETH", 500, 20_000_000),
        Pool("DEAR", "USDX", 3000, 9_000_000),
        Pool("GOLD", "USDX", 500, 12_000_000),
        Pool("GOLD", "WETH", 3000, 9_000_000),
        Pool("YEN", "USDX", 500, 12_000_000),
        Pool("YEN", "WETH", 500, 8_000_000),
        Pool("EURX", "USDX", 100, 20_000_000),
        Pool("EURX", "WETH", 500, 10_000_000),
        Pool("sETH", "WETH", 100, 30_000_000),
        Pool("NEW", "USDX", 3000, 12_000_000),
    ),
    emodes=(EMode(1, "Ether", 9000, 9250, 10200, ("sETH", "WETH"), ("WETH",)),),
)
SAFE_LENT = ("USDX", "YEN", "GOLD", "EURX", "WETH")


@dataclass(frozen=True)
class Case:
    """A position in whole tokens, the target, and the health it comes down to."""

    collateral: dict[str, str]
    debt: dict[str, str]
    target: str
    e_mode: int = 0
    siloed: str = ""
    isolated: str = ""
    slippage: int = 100
    falls: str = "WETH"
    highest: float = 1.12


CASES = {
    "ether against yen of 18 decimals": Case({"WETH": "40"}, {"YEN": "12900000"}, "1.45"),
    "ether against gold of 8 decimals": Case({"WETH": "60"}, {"GOLD": "53"}, "2.1", slippage=300),
    "a dear one of 6 decimals against euros": Case(
        {"DEAR": "1.7"}, {"EURX": "84000"}, "1.45", falls="DEAR", slippage=300
    ),
    "two collaterals and two debts": Case({"WETH": "30", "DEAR": "0.8"}, {"USDX": "61000", "YEN": "7400000"}, "1.45"),
    "staked ether in e-mode": Case({"sETH": "45"}, {"WETH": "40"}, "1.45", e_mode=1, falls="sETH", highest=1.06),
    "a siloed debt": Case({"WETH": "40"}, {"EURX": "72000"}, "2.1", siloed="EURX"),
    "isolated collateral": Case({"NEW": "900"}, {"USDX": "44000"}, "1.45", isolated="NEW", falls="NEW"),
}


@pytest.fixture(scope="module")
def unseen() -> Iterator[World]:
    with World.build(UNSEEN) as made:
        yield made


@pytest.fixture(params=["plain", "safe"])
def scene(request: pytest.FixtureRequest, unseen: World, tmp_path: Path) -> Iterator[Scene]:
    structlog.reset_defaults()
    snapshot, known = unseen.snapshot(), copy.deepcopy(unseen.addresses)
    if request.param == "safe":
        desk = SafeDesk(unseen)
        for symbol in SAFE_LENT:
            desk.lend(symbol, 5_000_000)
        yield SafeScene(unseen, tmp_path, desk=desk, safe=desk.make(unseen.account(0).address))
    else:
        yield Scene(unseen, tmp_path, lends=True)
    unseen.rpc("evm_setAutomine", True)
    unseen.revert(snapshot)
    unseen.addresses.clear()
    unseen.addresses.update(known)
    unseen.rpc("anvil_setNextBlockBaseFeePerGas", hex(10**8))


def opened(scene: Scene, case: Case) -> None:
    world = scene.world
    if case.siloed:
        world.configure("setSiloedBorrowing", world.token(case.siloed).address, True)
    if case.isolated:
        world.configure("setDebtCeiling", world.token(case.isolated).address, 10**10)
        for symbol in case.debt:
            world.configure("setBorrowableInIsolation", world.token(symbol).address, True)
    if case.e_mode:
        with world.acting_as(scene.owner):
            world.chain.send(world.pool.functions.setUserEMode(case.e_mode), scene.owner)
    scene.rules = f"""
[[rules]]
name = "protect"
position = "eth-loop"
when = {{ health_factor_below = "1.25" }}
restore = {{ health_factor = "{case.target}" }}
actions = ["deleverage"]
cooldown = "10m"
[rules.limits]
max_slippage_bps = {{ usual = {case.slippage}, worst = {case.slippage} }}
max_fee_gwei = "200"
"""
    if case.isolated:  # it counts only where its owner says so
        for symbol, amount in world.units(case.collateral).items():
            world.mint(symbol, scene.owner, amount)
            world.supply(scene.owner, symbol, amount)
            with world.acting_as(scene.owner):
                world.chain.send(
                    world.pool.functions.setUserUseReserveAsCollateral(world.token(symbol).address, True), scene.owner
                )
    more = {case.isolated: 10**12} if case.isolated else world.units(case.collateral)
    scene.open(more, world.units(case.debt))


def fallen(scene: Scene, case: Case, health: float) -> None:
    """What falls falls to where the position has so much health; the pools follow."""
    world = scene.world
    if case.e_mode:  # one price moves both: the market's own threshold is lowered
        scene.crash("3000.5")
        threshold = int(9250 * health / scene.health())
        world.configure("setEModeCategory", case.e_mode, threshold - 100, threshold, 10200, "Ether")
        return
    for _ in range(5):
        now = scene.health()
        if abs(now - health) < 0.002:
            return
        scene.crash(str(round(float(world.price(case.falls)) * (1 + (health / now - 1)), 4)), case.falls)


def nothing_left(scene: Scene) -> None:
    """No hand holds anything, and none may take anything, of any token of this world."""
    world = scene.world
    hands = {**world.addresses["bundler"], "router": world.addresses["uniswap"]["swap_router_02"]}
    del hands["lender"]
    for symbol in world.addresses["tokens"]:
        supply = world.chain.at("TestnetERC20", world.addresses["a_tokens"][symbol])
        for token in (world.token(symbol), supply):
            for hand, where in hands.items():
                assert token.functions.balanceOf(where).call() == 0, (symbol, hand)
                assert token.functions.allowance(scene.owner, where).call() == 0, (symbol, hand)
        assert world.token(symbol).functions.allowance(scene.owner, world.pool.address).call() == 0, symbol


def net_worth(scene: Scene) -> float:
    """Supplies and wallet less debts, in dollars of the feeds."""
    world, total = scene.world, 0.0
    for symbol, decimals in world.addresses["decimals"].items():
        held = (
            world.supplied(symbol, scene.owner) + world.balance(symbol, scene.owner) - world.debt(symbol, scene.owner)
        )
        total += held / 10**decimals * float(world.price(symbol))
    return total


@pytest.mark.parametrize("health", [None, 1.016, 0.985], ids=["above", "near", "below"])
@pytest.mark.parametrize("name", CASES)
def test_one_transaction_restores_whatever_the_world(scene: Scene, name: str, health: float | None) -> None:
    """To its target, from above and below liquidation; what it costs is within the bound of what was sold."""
    case = CASES[name]
    opened(scene, case)
    fallen(scene, case, case.highest if health is None else health)
    before, worth, sold = scene.nonce(), net_worth(scene), sum_supplied(scene)
    code, row = scene.once("--live")
    assert code == 0, (row["decision"], row["outcome"])
    assert row["outcome"]["kind"] == "restored"
    assert scene.nonce() == before + 1, row["plan"]
    assert scene.health() == pytest.approx(float(case.target), rel=4e-3)
    assert worth - net_worth(scene) <= (sold - sum_supplied(scene)) * case.slippage / 10_000 + 1
    nothing_left(scene)


def sum_supplied(scene: Scene) -> float:
    world = scene.world
    return sum(
        world.supplied(s, scene.owner) / 10**d * float(world.price(s)) for s, d in world.addresses["decimals"].items()
    )


def test_two_short_lenders_and_a_target_far_away(scene: Scene) -> None:
    """Each has a part of what is owed: a Safe borrows of both, a plain account what its one has; nothing is left."""
    case = CASES["ether against yen of 18 decimals"]
    opened(scene, case)
    world = scene.world
    lender = world.addresses["bundler"]["lender"]
    world.mint("YEN", world.role("lp"), 1)
    held = world.balance("YEN", lender)
    with world.acting_as(lender):
        world.rpc("anvil_setBalance", lender, hex(10**18))
        away = world.token("YEN").functions.transfer(world.role("lp"), held - 4_000_000 * 10**18)
        world.chain.send(away, lender)
    fallen(scene, case, 1.03)
    code, row = scene.once("--live")
    assert code in (0, 3), row
    assert row["outcome"]["kind"] in ("restored", "partial"), (row["decision"], row["outcome"])
    assert scene.health() > 1.1
    nothing_left(scene)
