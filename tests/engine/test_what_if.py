"""What the rules would do after a shock: the real judge and the real planner, and nothing is tried or written."""

from __future__ import annotations

from dataclasses import replace

import pytest
from core_builders import BLOCK, OWNER, loop, rule, wad
from paper import Paper, engine_on, holding_dollars
from perp_builders import perp_rule, perp_terms, quote
from test_cycle_perps import CALM, dollars

from keeper.core.decide import Hold
from keeper.core.lending.actions import ACTIONS
from keeper.core.lending.rules import Rule
from keeper.core.perp.position import PerpPosition
from keeper.core.perp.rules import PerpRule
from keeper.core.reasons import Reason
from keeper.core.risk import perp_shocks
from keeper.core.risk.met import delta
from keeper.core.risk.shock_terms import Shock
from keeper.core.risk.shocks import Shocked, shocks
from keeper.core.snapshot import LendingPosition, Wallet
from keeper.core.units import Wei
from keeper.engine.engine import Engine
from keeper.engine.what_if import WouldDo, all_what_if, shocked_terms, what_if

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
    return await what_if(engine, snapshot, shock(p, words)), sheet, engine


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


async def test_a_rules_own_sales_move_the_delta() -> None:
    """Gamma: 20 % down a sale leaves less ether than doing nothing would; a payment leaves it as it is."""
    selling = rule(below="1.40", actions=(ACTIONS["deleverage"],))
    sold, _, _ = await after("dollars −20 %", EMPTY, selling)
    paid, _, _ = await after("dollars −20 %", holding_dollars(), rule(below="1.40", actions=(ACTIONS["repay"],)))
    left = delta(shock(FAR, "dollars −20 %"))
    assert isinstance(sold, WouldDo)
    assert isinstance(paid, WouldDo)
    assert left == {"WETH": 10 * 1_600 * 10**8}
    assert paid.delta == left
    assert 0 < sold.delta["WETH"] < left["WETH"]


async def test_rates_gas_and_pools_are_shocks_of_their_own() -> None:
    """A week at 100 % a year makes a near loan fire; dear gas costs more, and is in the plan's own cost."""
    grown, _, _ = await after("borrow rates", holding_dollars(), rule(below="1.69", to="1.90"))
    assert isinstance(grown, WouldDo)
    near = rule(below="1.40")
    cheap, _, _ = await after("dollars −20 %", holding_dollars(), near)
    dear, _, _ = await after("−20 %, gas ×100", holding_dollars(), near)
    assert isinstance(cheap, WouldDo)
    assert isinstance(dear, Hold) or dear.cost > cheap.cost


# --- perpetuals, and all of an owner's together -----------------------------------------------------------------------


async def perp_after(
    words: str, *rules: PerpRule, wallet: Wallet | None = None
) -> tuple[WouldDo | Hold, Paper, Engine]:
    sheet = Paper({"short": CALM}, wallet or dollars())
    engine = engine_on(sheet, perp_rules=rules)
    snapshot = await engine.reader.snapshot(BLOCK)
    (p,) = snapshot.positions
    assert isinstance(p, PerpPosition)
    x = next(x for x in perp_shocks.shocks(p) if words in x.of.name)
    return await what_if(engine, snapshot, x), sheet, engine


async def test_a_short_that_a_rise_would_take_has_its_plan() -> None:
    """20 % up: margin from the wallet, what it costs, and that it is safe then. Nothing is rehearsed or remembered."""
    found, paper, engine = await perp_after("dollars +20 %", perp_rule())
    assert isinstance(found, WouldDo), found
    assert found.is_safe
    assert not found.is_partial
    assert found.delta["ETH"] < 0
    assert paper.rehearsed == []
    assert engine.journal.rows == []  # type: ignore[attr-defined]
    assert engine.perps.trails == {}
    fallen, _, _ = await perp_after("dollars −20 %", perp_rule())
    assert isinstance(fallen, Hold)
    assert fallen.reason is Reason.HEALTHY


async def test_a_short_without_means_says_why_not() -> None:
    """An empty wallet and a rule that may only pay."""
    only_pays = perp_rule(actions=tuple(a for a in perp_rule().actions if not a.trades))
    found, _, _ = await perp_after("dollars +20 %", only_pays, wallet=dollars("0"))
    assert isinstance(found, Hold)
    assert found.reason in (Reason.WALLET_EMPTY, Reason.NOTHING_HELPS)


def test_a_market_follows_its_index_and_may_be_thinner() -> None:
    """Bought back 20 % up it costs a fifth more; a tenth as deep it has ten times the impact, on top of that."""
    leg = CALM.legs[0]
    impact = leg.entry_notional // 1_000
    now = quote(leg, abs(leg.size))
    dear = replace(now, impact=impact, notional=now.notional + impact)
    terms = perp_terms(CALM, quotes={leg.market: dear})
    deep, thin = (
        shocked_terms(terms, next(x for x in perp_shocks.shocks(CALM) if x.of.name.endswith(end))).quotes[leg.market]
        for end in ("dollars +20 %", "+20 %, pools a tenth as deep")
    )
    assert deep.notional == pytest.approx(dear.notional * 1.2)
    assert deep.impact == pytest.approx(impact * 1.2, rel=1e-6)
    assert thin.impact == pytest.approx(10 * deep.impact)
    assert thin.notional - deep.notional == thin.impact - deep.impact
    assert thin.price > deep.price


async def test_positions_of_one_wallet_do_not_spend_it_twice() -> None:
    """Alone each loan would be saved whole by what there is; together only the first is."""
    one, other = loop("10", "10000"), replace(loop("10", "9000"), name="second")
    paying = (ACTIONS["top_up"], ACTIONS["repay"])
    rules = rule(below="1.40", actions=paying), rule(below="1.40", actions=paying, position="second", name="other")
    sheet = Paper({"loop": one, "second": other}, holding_dollars("4000"))
    engine = engine_on(sheet, *rules)
    snapshot = await engine.reader.snapshot(BLOCK)
    shock = Shock("a fall", {"*": -3_000})
    alone = [(await all_what_if(engine, snapshot, [p], shock))[p.name] for p in (one, other)]
    both = await all_what_if(engine, snapshot, [one, other], shock)
    assert all(isinstance(x, WouldDo) and not x.is_partial for x in alone), alone
    first, second = both["loop"], both["second"]
    assert isinstance(first, WouldDo)
    assert not first.is_partial
    assert isinstance(second, Hold) or second.is_partial
