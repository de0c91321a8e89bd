"""One wallet has one allowance for a spender: plans that may go out between each other's rounds do not lean on it."""

from __future__ import annotations

from core_builders import intent, loop, quoted, rule, state, terms, wallet

from keeper.core.lending import actions
from keeper.core.lending.moves import MARKET, Approve, Move, Repay, Swap
from keeper.core.lending.plan import plans

SELL = rule(actions=(actions.DELEVERAGE,))


def moves(*, between_others: bool) -> tuple[Move, ...]:
    wanted = intent(loop("10", "13000"), SELL)
    now, on = state(wanted, wallet()), terms(between_others=between_others)
    found = plans(wanted, now, quoted(wanted, now, on), {})
    assert isinstance(found, tuple)
    return found[0].moves


def test_each_round_approves_what_it_takes_itself_and_leaves_nothing() -> None:
    """Before it exactly what it may take, after it nothing: whatever came between two rounds, neither is harmed."""
    made = moves(between_others=True)
    assert sum(isinstance(move, Swap) for move in made) > 1, "rounds"
    for before, move, after in zip(made, made[1:], [*made[2:], None], strict=False):
        match move:
            case Swap(route, sold, _):
                assert before == Approve(route.tokens[0], route.exchange, sold)
                assert after == Approve(route.tokens[0], route.exchange, type(sold)(0))
            case Repay(asset, amount):
                assert before == Approve(asset, MARKET, amount)
            case _:
                pass


def test_a_plan_with_nobody_beside_it_approves_once() -> None:
    """Two calls less for each round; and what is traded is the same."""
    alone, between = moves(between_others=False), moves(between_others=True)
    assert sum(isinstance(move, Approve) for move in alone) == 3
    assert [m for m in alone if not isinstance(m, Approve)] == [m for m in between if not isinstance(m, Approve)]
