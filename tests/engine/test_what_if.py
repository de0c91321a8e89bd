"""What the rules would do at other prices: the real judge and the real planner, and nothing is tried or written."""

from __future__ import annotations

from core_builders import BLOCK, OWNER, loop, rule, wad
from paper import Paper, engine_on, holding_dollars

from keeper.core.decide import Hold
from keeper.core.lending.actions import ACTIONS
from keeper.core.lending.rules import Rule
from keeper.core.reasons import Reason
from keeper.core.risk.shocks import Shocked, shocks
from keeper.core.snapshot import LendingPosition, Wallet
from keeper.core.units import Wei
from keeper.engine.engine import Engine
from keeper.engine.what_if import WouldDo, what_if

FAR = loop("10", "10000")
EMPTY = Wallet(OWNER, Wei(10**18))


def shock(p: LendingPosition, words: str) -> Shocked:
    return next(x for x in shocks(p) if words in x.name)


async def after(words: str, wallet: Wallet, *rules: Rule, **paper: int) -> tuple[WouldDo | Hold, Paper, Engine]:
    sheet = Paper({"loop": FAR}, wallet, **paper)  # type: ignore[arg-type]
    engine = engine_on(sheet, *rules)
    snapshot = await engine.reader.snapshot(BLOCK)
    (p,) = snapshot.positions
    assert isinstance(p, LendingPosition)
    return await what_if(engine, snapshot, p, shock(p, words)), sheet, engine


async def test_a_rule_with_means_would_bring_it_back() -> None:
    """20 % down: which rule, what it leaves, and that it suffices."""
    near = rule(below="1.40")
    found, paper, engine = await after("dollars −20 %", holding_dollars(), near)
    assert isinstance(found, WouldDo)
    assert found.rule == near.name
    assert not found.is_partial
    assert found.health >= wad("1.60")
    assert paper.rehearsed == []
    assert engine.journal.rows == []  # type: ignore[attr-defined]


async def test_without_means_it_says_why_not() -> None:
    """An empty wallet, and a rule that may only pay; no rule at all."""
    paying = rule(below="1.40", actions=(ACTIONS["top_up"], ACTIONS["repay"]))
    found, _, _ = await after("dollars −20 %", EMPTY, paying)
    assert isinstance(found, Hold)
    assert found.reason in (Reason.WALLET_EMPTY, Reason.NOTHING_HELPS)
    idle, _, _ = await after("dollars −20 %", EMPTY)
    assert isinstance(idle, Hold)
    assert idle.reason is Reason.HEALTHY


async def test_pools_follow_the_oracle_down() -> None:
    """A sale after the fall costs what it costs now, and is no bargain at the pool's old price."""
    selling = rule(below="1.40", actions=(ACTIONS["deleverage"],))
    found, _, _ = await after("dollars −20 %", EMPTY, selling)
    assert isinstance(found, WouldDo)
    assert found.cost > 0
    thin, _, _ = await after("pools a tenth as deep", EMPTY, selling)
    assert isinstance(thin, Hold) or thin.cost > 2 * found.cost


async def test_a_shock_too_large_is_not_talked_away() -> None:
    """60 % down nothing in the wallet saves it."""
    found, _, _ = await after("dollars −60 %", holding_dollars("100"), rule(actions=(ACTIONS["repay"],)))
    assert isinstance(found, Hold) or found.is_partial
