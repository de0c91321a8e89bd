"""The fire drill of perpetual positions on paper."""

from __future__ import annotations

from core_builders import BLOCK
from paper import Paper, engine_on
from perp_builders import perp_rule
from test_armed_perps import FAR
from test_cycle_perps import CALM, dollars, paper

from keeper.core.drills import Drilled, DrillEnding
from keeper.core.perp import candidates as perp_actions
from keeper.core.perp.position import PerpPosition
from keeper.core.perp.rules import PerpRule
from keeper.engine.perp.drill import perp_rehearsals


async def drilled(on: Paper, *rules: PerpRule) -> list[Drilled]:
    engine = engine_on(on, perp_rules=rules)
    snapshot = await engine.reader.snapshot(BLOCK)
    (p,) = snapshot.positions
    assert isinstance(p, PerpPosition)
    return [await one() for one in perp_rehearsals(engine, snapshot, p)]


async def test_a_calm_short_is_rehearsed_where_its_rule_would_fire() -> None:
    """Ether would have to rise: so far, and then this would be done."""
    (one,) = await drilled(paper(CALM), perp_rule())
    assert one.ending is DrillEnding.WORKS, one
    assert "ETH at" in one.where
    assert "(+" in one.where
    assert one.plan


async def test_an_empty_wallet_is_named_while_the_short_is_calm() -> None:
    """A rule that may only add margin needs some."""
    on = paper(CALM)
    on.wallet = dollars("0")
    only_pays = perp_rule(actions=tuple(a for a in perp_rule().actions if not a.trades))
    (one,) = await drilled(on, only_pays)
    assert one.ending is DrillEnding.FAILS
    assert "the signer's wallet holds none" in one.why


async def test_a_revert_of_today_is_named() -> None:
    """The venue's price cannot be moved, but what it refuses at any price shows."""
    on = paper(CALM)
    on.reverts = lambda calls: "the vault is paused"
    (one,) = await drilled(on, perp_rule())
    assert one.ending is DrillEnding.FAILS
    assert "the vault is paused" in one.why


async def test_where_the_oracle_can_be_moved_it_is_run_at_the_price_that_fires_its_rule() -> None:
    """The aggregator answers what has not come: what the venue then makes of it is what is judged."""
    on = paper(FAR)
    (one,) = await drilled(on, perp_rule(actions=(perp_actions.REDUCE,)))
    assert one.ending is DrillEnding.WORKS, one
    assert on.codes, "nothing was put into the oracle's place"
    assert "ETH at $2,08" in one.where


async def test_a_venue_that_refuses_at_that_price_alone_is_found_out() -> None:
    """Today it would take the trade; at the price that fires the rule it reverts."""
    on = paper(FAR)
    on.reverts = lambda calls: "the market is closed" if on.codes else None
    (one,) = await drilled(on, perp_rule(actions=(perp_actions.REDUCE,)))
    assert one.ending is DrillEnding.FAILS
    assert "the market is closed" in one.why


async def test_a_venue_that_does_not_heed_the_oracle_is_run_as_it_is() -> None:
    """It keeps what it cached in the same second: then what can be shown today is shown."""
    on = paper(FAR)
    on.ignores_oracle = True
    (one,) = await drilled(on, perp_rule(actions=(perp_actions.REDUCE,)))
    assert one.ending is DrillEnding.WORKS, one
    assert not on.codes
    assert len(on.rehearsed) == 2


async def test_where_the_mark_follows_nothing_no_price_is_put_anywhere() -> None:
    """A price of the venue's own cannot be moved."""
    on = paper(CALM)
    await drilled(on, perp_rule())
    assert not on.codes
