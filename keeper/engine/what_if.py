"""What the rules would do if prices, pools or gas were other than they are: the same judge and the same planner.

Pools are asked as they are now, and follow the oracle to the other prices; a thinner pool costs as much more over the
oracle's price. Nothing is rehearsed, for no node has that state, and nothing is sent or written down.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from keeper.core.decide import Hold, asked_for, decide
from keeper.core.held_back import Memory
from keeper.core.lending import figures as lending
from keeper.core.lending.kind import LENDING
from keeper.core.lending.position import Holding, LendingPosition
from keeper.core.lending.quotes import Quote, Quotes
from keeper.core.risk.shocks import Shocked
from keeper.core.snapshot import Snapshot
from keeper.core.units import Address, Amount, Usd, Wad, Wei, mul_div_down, mul_div_up
from keeper.engine.engine import Engine
from keeper.engine.lending.assess import judge
from keeper.engine.lending.plan import find_plans


@dataclass(frozen=True, slots=True)
class WouldDo:
    """The plan that a rule would have, at other prices: what it costs, and the health that it leaves."""

    rule: str
    plan: str
    cost: Usd
    health: Wad
    is_partial: bool


async def what_if(engine: Engine, snapshot: Snapshot, p: LendingPosition, shock: Shocked) -> WouldDo | Hold:
    """Return what would be done about a position after a shock, by the means there are. Raises NodeError."""
    account = lending.at_prices(lending.account_of(p), shock.prices)
    then = replace(p, holdings=account.holdings, reported=lending.figures(account))
    block = replace(snapshot.block, base_fee=Wei(snapshot.block.base_fee * shock.gas))
    seen = replace(snapshot, block=block, positions=(then,), seconds={}, otherwise={})
    signer, holds = engine.reader.positions[p.name].spender, tuple[Hold, ...]()
    decided = decide(LENDING, judge(engine, seen, then), Memory(), engine.terms.safety, signer)
    for intent in decided.intents:
        found = await find_plans(engine, seen, intent, signer, at=lambda asked: repriced(asked, p, then, shock.thinner))
        if not isinstance(found, Hold):
            best = found[0]
            return WouldDo(intent.rule.name, best.label, best.cost.total, best.projected.health_factor, best.is_partial)
        holds = (*holds, found)
    return asked_for((*decided.holds, *holds))


def repriced(asked: Quotes, before: LendingPosition, then: LendingPosition, thinner: int) -> Quotes:
    """Return what pools would charge at other prices, and if they were so many times thinner; never less."""
    old, new = ({h.asset: h for h in p.holdings} for p in (before, then))
    return Quotes(tuple(_repriced(q, old, new, thinner) for q in asked.answers))


def _repriced(q: Quote, old: dict[Address, Holding], new: dict[Address, Holding], thinner: int) -> Quote:
    sell, buy = q.route.tokens[0], q.route.tokens[-1]
    if sell not in old or buy not in old:
        return q
    fair = mul_div_down(q.bought * old[buy].price.answer, old[sell].unit, old[buy].unit * old[sell].price.answer)
    sold = q.sold + max(0, q.sold - fair) * (thinner - 1)
    moved = mul_div_up(
        sold * new[buy].price.answer, old[sell].price.answer, old[buy].price.answer * new[sell].price.answer
    )
    return replace(q, sold=Amount(moved))
