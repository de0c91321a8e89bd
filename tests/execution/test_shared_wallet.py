"""What one wallet can spend on a position, while plans for others of its positions are decided or on their way."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

from core_builders import OWNER, at, intent, loop, rule, state, terms, wallet

from keeper.chain.simulation import Turn
from keeper.core.lending import actions
from keeper.core.lending.joint import Ahead
from keeper.core.lending.moves import Route, Swap
from keeper.core.lending.plan import Plan, plans
from keeper.core.units import Address, Amount, Wei
from keeper.engine.convoys import stands_first
from keeper.engine.state import State
from keeper.execution.rehearsal import NoFork, Upon

HELD = wallet(WETH=50)


def a_plan(position: str) -> Plan:
    wanted = intent(loop("10", "13000"), rule(actions=(actions.TOP_UP,)))
    found = plans(wanted, state(wanted, HELD), terms(), {})
    assert isinstance(found, tuple)
    named = replace(wanted.assessment.position, name=position)
    about = replace(wanted, assessment=replace(wanted.assessment, position=named))
    return replace(found[0], intent=about)


def left(position: str, *, ahead: tuple[str, ...] = (), aloft: tuple[str, ...] = ()) -> int:
    """WETH that may be spent on a position."""
    state_ = State((), ahead=[Ahead(OWNER, a_plan(name), Wei(0)) for name in ahead])
    state_.aloft = {name: Ahead(OWNER, a_plan(name), Wei(0)) for name in aloft}
    snapshot = SimpleNamespace(wallets={OWNER: HELD})
    (amount,) = state_.wallet(snapshot, OWNER, position).tokens.values()  # type: ignore[arg-type]
    return amount


def test_what_others_need_is_not_there() -> None:
    """Decided at this block, or on its way since an earlier one; each counts once, one's own plan never."""
    (whole,) = HELD.tokens.values()
    one = whole - left("a", ahead=("b",))
    assert 0 < one < whole
    assert left("a") == whole
    assert left("a", aloft=("b",)) == left("a", ahead=("b",), aloft=("b",)) == whole - one
    assert left("a", ahead=("b",), aloft=("c",)) == whole - 2 * one
    assert left("a", ahead=("a",), aloft=("a",)) == whole, "a second look is not in its own way"


async def test_a_second_look_at_another_block_has_nobody_before_it() -> None:
    """What was decided at the block that is being judged is no part of one that nothing was decided at."""
    swap = Swap(Route((at("WETH"), at("USDC")), (500,), "exchange"), Amount(1), Amount(1))

    def selling(name: str) -> Plan:
        plan = a_plan(name)
        return replace(plan, steps=(replace(plan.steps[0], move=swap),))

    judged = selling("a").intent.assessment.position.block
    upon = Upon(NoFork())
    upon.begin(judged)
    engine = SimpleNamespace(rehearser=upon, state=State((), ahead=[Ahead(OWNER, selling("a"), Wei(0))]))
    prepared = SimpleNamespace(plan=selling("b"))
    other = Address("0x" + "77" * 20)
    later = replace(judged, number=judged.number + 1, hash="0x" + "99" * 32)
    assert await stands_first(engine, later, other, prepared) is None  # type: ignore[arg-type]
    assert await stands_first(engine, judged, other, prepared) is None  # type: ignore[arg-type]


def test_a_second_look_at_the_same_block_is_not_upon_its_own_plan() -> None:
    """Else a rescue that waits would look as if it were done, and be given up for another."""
    block = a_plan("a").intent.assessment.position.block
    upon = Upon(NoFork())
    upon.begin(block)
    mine, other = Turn(OWNER, (), ()), Turn(Address("0x" + "77" * 20), (), ())
    upon.add(block, "a", mine)
    upon.add(block, "b", other)
    with upon.again("a"):
        assert upon.at(block) == (other,)
    assert upon.at(block) == (mine, other)
