"""Several exchanges on one chain: the cheapest is traded at, and is the only one that may take what is sold."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import pytest
from core_builders import BLOCK, OWNER, loop, rule
from paper import Paper, PaperReader, engine_on, holding_dollars

from keeper.core.lending import actions
from keeper.core.lending.quotes import QuoteRequest, Quotes
from keeper.core.snapshot import BlockRef
from keeper.core.units import Address
from keeper.engine.cycle import cycle
from keeper.engine.engine import Engine
from keeper.venues.contracts.effects import token_decoders
from keeper.venues.effects import Approves, Sells
from keeper.venues.uniswap_v3.exchange import UniswapV3
from keeper.venues.uniswap_v3.pools import UniswapDeployment

SECOND = Address("0x" + "4" * 40)


class TwoExchanges(PaperReader):
    """The usual one, and one more that asks for so many basis points."""

    costs = 5

    @classmethod
    def over(cls, engine: Engine, costs: int) -> Engine:
        reader = engine.reader
        assert isinstance(reader, PaperReader)
        two = cls(reader.paper, dict.fromkeys(reader.positions, OWNER))
        two.costs = costs
        two.exchanges["second"] = UniswapV3("second", UniswapDeployment(SECOND, SECOND, SECOND, (500,)))
        return replace(engine, reader=two)

    async def quotes(self, block: BlockRef, requests: Iterable[QuoteRequest]) -> Quotes:
        asked, usual = list(requests), self.paper.cost_bps
        first = await super().quotes(block, asked)
        self.paper.cost_bps = self.costs
        second = await super().quotes(block, asked)
        self.paper.cost_bps = usual
        there = tuple(replace(q, route=replace(q.route, exchange="second")) for q in second.answers)
        return Quotes((*first.answers, *there))


@pytest.mark.parametrize(("costs", "is_second"), [(5, True), (50, False)])
async def test_the_cheapest_exchange_is_traded_at_and_approved_alone(costs: int, is_second: bool) -> None:
    """What a plan sells goes to one router, and no other may take any of it, during the plan or after."""
    paper = Paper({"loop": loop("10", "14000")}, holding_dollars("0"))
    engine = TwoExchanges.over(engine_on(paper, rule(actions=(actions.DELEVERAGE,))), costs)
    (result,) = await cycle(engine, BLOCK)
    assert result.prepared is not None, result.decision
    usual = engine.reader.exchanges["exchange"].spender
    (calls, _) = paper.rehearsed[-1]
    venues = engine.venues("loop")
    decoders = {x.asset: x for x in venues.market.listings}
    routers = {exchange.spender: exchange.decoders()[exchange.spender] for exchange in venues.exchanges.values()}
    sold = [e for call in calls if call.to in routers for e in routers[call.to](call) if isinstance(e, Sells)]
    assert {s.through for s in sold} == {SECOND if is_second else usual}
    tokens = token_decoders(decoders, [s for asset in decoders for s in venues.spenders(asset)])
    taken_by = venues.market.taker_of(next(iter(decoders)))
    approved = [e for call in calls if call.to in tokens for e in tokens[call.to](call) if isinstance(e, Approves)]
    assert {a.spender for a in approved} == {taken_by, SECOND if is_second else usual}
    assert [a.amount for a in approved if a.spender != taken_by][-1] == 0


def test_a_route_of_an_exchange_that_is_not_there_is_an_error() -> None:
    """It is never sent to another."""
    venues = engine_on(Paper({"loop": loop("10", "14000")}, holding_dollars("0")), rule()).venues("loop")
    with pytest.raises(ValueError, match="'second', which is no exchange of this network"):
        venues.exchange("second")
