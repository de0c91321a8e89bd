"""What a position held is kept between runs, as it was written by any version."""

from __future__ import annotations

from core_builders import at, holding, position

from keeper.core.lending.position import Principal
from keeper.engine.lending.balances import Balance, _plain, _read, balances_of

WETH = at("WETH")


def test_a_row_of_before_is_still_read() -> None:
    """Earlier versions wrote the principal alone: it stands for the amounts as well."""
    found = _read({"block": 7, "balances": {WETH: ["10", "3"]}})
    assert found is not None
    assert (found.block, found.balances) == (7, {WETH: Balance(Principal(10, 3), 10, 3)})


def test_what_is_written_is_what_is_read() -> None:
    """Principal and amounts."""
    (balance,) = balances_of(position(holding("WETH", 10))).values()
    found = _read({"block": 7, "balances": {WETH: _plain(balance)}})
    assert found is not None
    again = found.balances[WETH]
    assert (again, again.supplied, again.borrowed) == (balance, balance.supplied, balance.borrowed)


def test_interest_is_no_change() -> None:
    """The same principal is the same balance, whatever it came to."""
    assert Balance(Principal(10, 3), 11, 4) == Balance(Principal(10, 3), 12, 5)
    assert Balance(Principal(10, 3), 11, 4) != Balance(Principal(10, 2), 11, 4)


def test_a_row_that_is_none_is_forgotten() -> None:
    """It is looked at anew, and nothing is made up."""
    for wrong in (
        None,
        {},
        {"block": 1},
        {"block": 1, "balances": {WETH: ["x", "1"]}},
        {"block": 1, "balances": {WETH: []}},
    ):
        assert _read(wrong) is None
