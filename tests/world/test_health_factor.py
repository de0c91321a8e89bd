"""The real contract is the judge: our figures equal getUserAccountData to the wei, at the very block."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest
from crowd import read_all, settle, wishes

from keeper.core.lending import figures as lending
from keeper.core.snapshot import AccountFigures, LendingPosition
from keeper.venues.aave_v3.model import RAY, AaveModel, Arithmetic
from sandbox.positions import AccountData
from sandbox.spec import DEFAULT, EMode, Reserve, WorldSpec
from sandbox.world import World

pytestmark = [pytest.mark.world, pytest.mark.xdist_group("health")]

DEAR = (8000, 700, 900, 6000)
OTHER = WorldSpec(
    reserves=(
        Reserve("WETH", 18, "0.4371", 6800, 7300, 11000, rate=DEAR, supply=50_000_000),
        Reserve("cbBTC", 8, "97123.45", 7300, 7800, 10500, supply=2_000),
        Reserve("GUSD", 6, "0.99987", 7700, 8000, 10450, rate=DEAR, supply=90_000_000),
        Reserve("sDAI", 18, "1.1234", 7500, 7900, 10450, supply=70_000_000),
        Reserve("oUSD", 8, "1.0031", 7000, 7500, 10500, rate=DEAR, supply=60_000_000),
        Reserve("GOLD", 12, "2650.55", 5000, 6500, 10700, supply=10_000),
        Reserve("stETH", 18, "0", 4500, 5800, 11000, supply=20_000_000, ratio_of="WETH", ratio="1.1372"),
        Reserve("DUST", 16, "0.00001234", 2500, 4000, 11500, supply=10**12),
        Reserve("SHOWN", 9, "31.7", 0, 0, 0, supply=100_000),
    ),
    emodes=(
        EMode(1, "Ether", 9250, 9500, 10100, ("WETH", "stETH"), ("WETH",)),
        EMode(2, "Dollars", 9333, 9555, 10099, ("GUSD", "sDAI", "oUSD"), ("GUSD", "sDAI", "oUSD")),
        EMode(7, "Metal", 8800, 9100, 10200, ("GOLD", "cbBTC"), ("oUSD", "GUSD")),
    ),
    wrapped_native="WETH",
)


@dataclass(frozen=True)
class Crowd:
    """All accounts of one world, read at one block by the keeper and by the pool."""

    positions: list[LendingPosition]
    judged: dict[str, AccountData]


@pytest.fixture(scope="module")
def usual(running: World) -> Iterator[Crowd]:
    snapshot = running.snapshot()
    people = wishes(running, DEFAULT, 140, seed=11, emodes=(1, 2))
    settle(running, people, seed=5)
    yield Crowd(*read_all(running, [w.owner for w in people]))
    running.revert(snapshot)


@pytest.fixture(scope="module")
def other() -> Iterator[Crowd]:
    with World.build(OTHER) as world:
        people = wishes(world, OTHER, 80, seed=3, emodes=(1, 2, 7))
        settle(world, people, seed=6)
        yield Crowd(*read_all(world, [w.owner for w in people]))


@pytest.fixture(params=["usual", "other"])
def crowd(request: pytest.FixtureRequest) -> Crowd:
    found: Crowd = request.getfixturevalue(request.param)
    return found


def test_every_figure_equals_the_pools_own_to_the_wei(crowd: Crowd) -> None:
    """Collateral, debt, capacity, threshold, LTV and health factor: no tolerance, no account left out."""
    for position in crowd.positions:
        account, model = lending.proven(position), model_of(position)
        assert account is not None, f"{position.owner}: {position.held}"
        assert model.arithmetic is Arithmetic.DIRECTED
        assert lending.figures(account) == AccountFigures(*crowd.judged[position.owner]), position.owner


def test_the_crowd_is_as_varied_as_it_claims(usual: Crowd, other: Crowd) -> None:
    """The rule above is worth only what it was tried on: all of this was."""
    for crowd, spec, emodes in ((usual, DEFAULT, {0, 1, 2}), (other, OTHER, {0, 1, 2, 7})):
        held = [h for p in crowd.positions for h in p.held]
        assert {h.symbol for h in held if h.supplied} == {r.symbol for r in spec.reserves}
        assert {h.symbol for h in held if h.borrowed} == {r.symbol for r in spec.reserves if r.borrowable}
        assert {model_of(p).emode for p in crowd.positions if any(h.borrowed for h in p.held)} == emodes
        assert any(h.supplied and not h.is_collateral and h.liquidation_factor for h in held)
        assert any(sum(bool(h.borrowed) for h in p.held) == 3 for p in crowd.positions)
        assert any(sum(h.is_collateral for h in p.held) >= 3 for p in crowd.positions)
        assert any(h.supplied and h.borrowed for h in held)
        ledgers = [ledger for p in crowd.positions for ledger in model_of(p).ledgers.values()]
        assert all(x.debt_index > RAY for x in ledgers if x.scaled_debt), "interest accrued everywhere"
        assert sum(x.supply_index > RAY for x in ledgers if x.scaled_supply) > len(crowd.positions)
    assert len(usual.positions) + len(other.positions) >= 200
    assert {h.decimals for p in other.positions for h in p.held} == {6, 8, 9, 12, 16, 18}


def model_of(position: LendingPosition) -> AaveModel:
    assert isinstance(position.model, AaveModel)
    return position.model


def rounded_nearest(of: LendingPosition) -> AccountFigures:
    """The figures of a position had its market rounded half up."""
    model = replace(model_of(of), arithmetic=Arithmetic.NEAREST)
    amounts = [model.arithmetic.amounts(model.ledgers[h.asset]) for h in of.holdings]
    pairs = zip(of.holdings, amounts, strict=True)
    return model.figures(tuple(replace(h, supplied=supplied, borrowed=owed) for h, (supplied, owed) in pairs))


def test_the_other_rounding_is_told_apart(crowd: Crowd) -> None:
    """The market's version is recognised by its figures alone: half up would miss them on most accounts."""
    with_debt = [p for p in crowd.positions if p.reported.debt_value]
    missed = [p for p in with_debt if rounded_nearest(p) != p.reported]
    assert len(missed) > len(with_debt) // 2
