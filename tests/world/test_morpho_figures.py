"""The real contract is the judge of Morpho's figures: what may leave and be borrowed, to the unit and not one more.

Morpho has no view of an account's health. `_isHealthy` is asked by calls that would be refused: the largest withdrawal
and the largest loan that our figures allow go through, and one unit more is refused.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from web3.exceptions import ContractLogicError

from keeper.chain.blocks import Blocks
from keeper.chain.client import Node
from keeper.core.lending import figures as lending
from keeper.core.prices import Quoted
from keeper.core.snapshot import LendingPosition
from keeper.core.units import USD, WAD, Address, Wad, largest
from keeper.venues.contracts import multicall3
from keeper.venues.morpho_blue.arithmetic import incentive
from keeper.venues.morpho_blue.market import discover_market
from keeper.venues.ports import Probe
from sandbox.morpho.desk import MorphoDesk
from sandbox.spec import Reserve, WorldSpec
from sandbox.world import World

pytestmark = pytest.mark.world
OTHER = WorldSpec(
    reserves=(
        Reserve("WETH", 18, "2000", 8050, 8300, 10500, supply=1000),
        Reserve("cbBTC", 8, "97123.45", 7300, 7800, 10500, supply=100),
        Reserve("GUSD", 6, "0.99987", 7700, 8000, 10450, supply=1_000_000),
        Reserve("GOLD", 12, "2650.55", 5000, 6500, 10700, supply=1000),
        Reserve("DUST", 16, "0.00001234", 2500, 4000, 11500, supply=10**12),
        Reserve("ODD", 24, "31.7", 2500, 4000, 11500, supply=10_000),
    ),
)
PAIRS = (
    ("WETH", "GUSD", "0.86", "0"),
    ("cbBTC", "WETH", "0.915", "0.1"),
    ("GUSD", "cbBTC", "0.77", "0.25"),
    ("GOLD", "GUSD", "0.385", "0"),
    ("DUST", "WETH", "0.625", "0.1"),
    ("ODD", "GOLD", "0.98", "0"),
    ("WETH", "ODD", "0.945", "0.05"),
)


@dataclass(frozen=True)
class Place:
    """One market, and those who borrowed there."""

    desk: MorphoDesk
    id: str
    owners: tuple[str, ...]


@pytest.fixture(scope="module")
def places() -> Iterator[tuple[Place, ...]]:
    """Markets of odd decimals and prices, some with a fee; accounts opened at random, and months without a touch."""
    with World.build(OTHER) as world:
        draw, desk = random.Random(23), MorphoDesk(world)  # noqa: S311 - accounts, no secrets
        found = []
        for k, (collateral, loan, lltv, fee) in enumerate(PAIRS):
            id_ = desk.create(collateral, loan, lltv, depth_usd=1_000_000, fee=fee)
            owners = tuple(str(world.account((k * 3 + i) % 10).address) for i in range(3))
            for owner in owners:
                dollars = draw.randint(500, 60_000)
                amount = int(dollars / float(world.price(collateral)) * 10 ** world.addresses["decimals"][collateral])
                most = amount * desk.oracles[id_].functions.price().call() // 10**36 * desk.markets[id_][4] // WAD
                desk.open(id_, owner, amount, int(most * draw.uniform(0.3, 0.9)))
                world.warp(draw.randint(12, 20 * 86_400))
            found.append(Place(desk, id_, owners))
        world.warp(45 * 86_400)
        yield tuple(found)


def read(place: Place, owner: str) -> LendingPosition:
    """The keeper's own reading at the newest block; the loan is a dollar, which no figure here hangs on."""

    async def look() -> LendingPosition:
        world = place.desk.world
        node = Node(world.url)
        blocks = Blocks(node, world.addresses["chain_id"], multicall3.ADDRESS)
        try:
            block = await blocks.head()
            blue = Address(place.desk.blue.address)
            market = await blocks.discover(block, discover_market(blue, place.id, "here", multicall3.ADDRESS))
            known = market.with_dollars(Probe((), lambda _: (Quoted(USD, block.timestamp, 10**9, "a dollar"),)))
            account = await blocks.discover(block, known.find_account(Address(owner), (), ()))
            return await blocks.read(block, account.probe("mine", block))
        finally:
            await node.close()

    return asyncio.run(look())


def goes(place: Place, owner: str, call: Any) -> bool:
    """Whether the contract would carry a call out, at the newest block's own time."""
    eth = place.desk.chain.w3.eth
    asked = {"from": owner, "to": place.desk.blue.address, "data": call._encode_transaction_data(), "gas": 3_000_000}
    try:
        eth.call(asked, eth.block_number)
    except ContractLogicError as error:
        if "insufficient" in str(error):  # collateral, or liquidity
            return False
        raise
    return True


every = pytest.mark.parametrize("k", range(len(PAIRS)), ids=[f"{c}-{loan}" for c, loan, *_ in PAIRS])


@every
def test_what_may_leave_is_exact(places: tuple[Place, ...], k: int) -> None:
    """The most collateral that our figures let out goes, and one unit more does not."""
    place = places[k]
    blue, params = place.desk.blue.functions, place.desk.markets[place.id]
    for owner in place.owners:
        position = read(place, owner)
        loan, collateral = lending.account_of(position), position.holdings[0]
        assert lending.proven(position) is not None
        most = lending.withdrawable(loan, collateral.asset, Wad(WAD))
        assert most < collateral.supplied
        assert not most or goes(place, owner, blue.withdrawCollateral(params, most, owner, owner))
        assert not goes(place, owner, blue.withdrawCollateral(params, most + 1, owner, owner))


@every
def test_what_may_be_borrowed_is_exact(places: tuple[Place, ...], k: int) -> None:
    """A loan makes shares, rounded up, and the debt is those shares, rounded up again: told by the model's totals."""
    place = places[k]
    blue, params = place.desk.blue.functions, place.desk.markets[place.id]
    for owner in place.owners:
        position = read(place, owner)
        model: Any = position.model
        totals, shares = model.totals, model.shares
        worth = position.holdings[0].supplied * model.quotation.price // 10**36
        limit = worth * model.lltv // WAD

        def fits(more: int, of: Any = totals, held: int = shares, most: int = limit) -> bool:
            made = -(-more * (of.borrow_shares + 10**6) // (of.borrow + 1))
            owed = -(-(held + made) * (of.borrow + more + 1) // (of.borrow_shares + made + 10**6))
            return owed <= most

        room = min(largest(0, 2 * limit, fits) or 0, totals.liquidity)
        assert room
        assert goes(place, owner, blue.borrow(params, room, 0, owner, owner))
        assert not goes(place, owner, blue.borrow(params, room + 1, 0, owner, owner))


@every
def test_the_debt_is_what_the_contract_takes_for_all_shares(places: tuple[Place, ...], k: int) -> None:
    """Interest by the block, and the incentive of whoever liquidates."""
    place = places[k]
    for owner in place.owners:
        position = read(place, owner)
        assert position.holdings[1].borrowed == place.desk.debt(place.id, owner)
        assert position.holdings[0].penalty == incentive(place.desk.markets[place.id][4]) - WAD
        assert position.holdings[1].principal.debt == place.desk.position(place.id, owner)[1]


@every
def test_interest_foretold_is_interest_charged(places: tuple[Place, ...], k: int) -> None:
    """A day ahead, by a rate model that charges by what is lent out: never less by more than a part in ten million."""
    place = places[k]
    owner, world = place.owners[0], place.desk.world
    snapshot = world.snapshot()
    before = read(place, owner)
    world.warp(86_400)
    seconds = world.now - before.block.timestamp
    foretold = before.model.accrued(before.holdings[1], seconds).borrowed
    charged = place.desk.debt(place.id, owner)
    world.revert(snapshot)
    assert foretold == pytest.approx(charged, rel=1e-4)
