"""The fire drill of perpetual positions on paper."""

from __future__ import annotations

from core_builders import BLOCK
from paper import Paper, engine_on
from perp_builders import perp_rule
from test_cycle_perps import CALM, dollars, paper

from keeper.core.drills import Drilled, DrillEnding
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
