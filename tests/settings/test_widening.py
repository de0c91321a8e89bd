"""A bound that widens with volatility is written alike wherever it makes sense: loans, perpetuals, stops, bands."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from keeper.core.metrics import Widening
from keeper.core.units import USD, WAD
from keeper.settings import Settings, futile
from tools.rule_examples import PERP_SETTINGS

Faults = Callable[..., list[str]]
Load = Callable[..., Settings]
ALERT = 'actions = ["alert"]'


def rule(about: str, when: str, *more: str) -> str:
    """A rule that only alerts, unless more is said."""
    return "\n".join((PERP_SETTINGS, "[[rules]]", 'name = "r"', about, f"when = {{ {when} }}", *(more or (ALERT,))))


LOAN, PERP, BOOK = 'position = "eth-loop"', 'position = "short"', 'book = "eth"'
EVERYWHERE = [
    (LOAN, 'health_factor_below = { base = "1.25", per_volatility = "0.4", max = "2" }', WAD * 5 // 4, 2 * WAD),
    (LOAN, 'health_factor_above = { base = "2.5", per_volatility = "0.4", max = "3" }', WAD * 5 // 2, 3 * WAD),
    (LOAN, 'ltv_above = { base = "0.7", per_volatility = "0.1", min = "0.5" }', WAD * 7 // 10, WAD // 2),
    (
        LOAN,
        'liquidation_distance_below = { base = "0.2", per_volatility = "0.1", max = "0.4" }',
        WAD // 5,
        WAD * 2 // 5,
    ),
    (
        LOAN,
        'borrow_limit_distance_below = { base = "0.2", per_volatility = "0.1", max = "0.4" }',
        WAD // 5,
        WAD * 2 // 5,
    ),
    (LOAN, 'price_below = { base = "1500", per_volatility = "100", max = "1700" }', 1500 * USD, 1700 * USD),
    (PERP, 'margin_ratio_below = { base = "0.1", per_volatility = "0.05", max = "0.25" }', WAD // 10, WAD // 4),
    (PERP, 'leverage_above = { base = "5", per_volatility = "1", min = "2" }', 5 * WAD, 2 * WAD),
    (PERP, 'stop_loss = { base = "2600", per_volatility = "100", max = "2900" }', 2600 * USD, 2900 * USD),
    (PERP, 'stop_loss = { base = "2600", per_volatility = "100", min = "2400" }', 2600 * USD, 2400 * USD),
    (PERP, 'take_profit = { base = "1500", per_volatility = "100", min = "1200" }', 1500 * USD, 1200 * USD),
    (PERP, 'trailing_stop = { base = "0.08", per_volatility = "0.05", max = "0.2" }', WAD * 8 // 100, WAD // 5),
    (
        BOOK,
        'delta_outside = { underlying = "ETH", band = { base = "0.5", per_volatility = "1", max = "3" } }',
        WAD // 2,
        3 * WAD,
    ),
]


@pytest.mark.parametrize(
    ("about", "when", "base", "end"), EVERYWHERE, ids=[when.split(" ")[0] for _, when, *_ in EVERYWHERE]
)
def test_a_bound_widens_wherever_that_makes_sense(load_text: Load, about: str, when: str, base: int, end: int) -> None:
    """One table for all: a base, by how much for each 100 % a year, and an end on either side."""
    found = load_text(text=rule(about, when))
    (of,) = (*found.rules, *found.perp_rules, *found.book_rules)
    assert of.trigger.bound == base
    assert isinstance(of.trigger.widening, Widening)
    assert of.trigger.widening.most == end
    assert of.trigger.ends == (min(base, end), max(base, end))


@pytest.mark.parametrize(
    ("when", "said"),
    [
        ('delta_outside = { underlying = "ETH", band = { base = "0.5", max = "3" } }', "table of base, per_volatility"),
        (
            'delta_outside = { underlying = "ETH", band = { base = "0.5", per_volatility = "1", max = "0.4" } }',
            "0.4 must lie above base, 0.5",
        ),
        (
            'delta_outside = { underlying = "ETH", band = { base = "0.5", per_volatility = "1", min = "0.4" } }',
            "table of base, per_volatility, max",
        ),
        (
            'delta_outside = { underlying = "ETH", band = { base = "0.5", per_volatility = "0", max = "4" } }',
            "0 must be positive",
        ),
    ],
)
def test_a_band_that_widens_in_a_way_that_makes_no_sense_is_refused(faults: Faults, when: str, said: str) -> None:
    """With the key and the remedy, as a number is."""
    found = faults(text=rule(BOOK, when))
    assert any(said in fault for fault in found), found


def test_a_target_lies_inside_the_narrowest_band(faults: Faults) -> None:
    """A calm is when it fires soonest: there, too, the rule must rest at its target."""
    when = 'delta_outside = { underlying = "ETH", band = { base = "0.5", per_volatility = "1", max = "3" } }'
    (fault,) = faults(text=rule(BOOK, when, 'restore = { delta = "1" }', 'actions = ["hedge"]'))
    assert "restore.delta" in fault


def test_no_end_of_a_bound_may_be_one_that_never_works(load_text: Load) -> None:
    """A leverage that falls to 1 fires always in a storm: `keeper check` says so."""
    (line,) = futile(load_text(text=rule(PERP, 'leverage_above = { base = "5", per_volatility = "1", min = "0.9" }')))
    assert "fires always" in line
