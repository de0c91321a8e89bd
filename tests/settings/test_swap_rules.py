"""Rules that rearrange: every way an owner may write one, and what makes no sense, by field and with a remedy."""

from __future__ import annotations

import pytest
from test_settings_rules import ACTIONS, RESTORE, WHEN, Faults, Load

from keeper.core.lending.actions import SWAP_COLLATERAL, SWAP_DEBT
from keeper.core.lending.share_metrics import BAND, COLLATERAL_SHARE, DEBT_SHARE, EVERY
from keeper.core.metrics import Subject
from keeper.core.units import DAY_S, WAD

SWAPS = (ACTIONS, 'actions = ["swap_collateral"]')
TABLE = 'when = { collateral_share_above = { asset = "WETH", share = "0.6" } }'
HALF = 'restore = { collateral_share = "0.5" }'


def test_a_trigger_is_a_table_of_asset_and_share(load_text: Load) -> None:
    """The target is of the same asset, met within its band, and the bound on its cost is there unasked."""
    (rule, *_) = load_text((WHEN, TABLE), (RESTORE, HALF), SWAPS).rules
    assert (rule.trigger.metric, rule.trigger.of, rule.trigger.bound) == (
        COLLATERAL_SHARE,
        Subject("WETH"),
        WAD * 6 // 10,
    )
    assert rule.target is not None
    assert (rule.target.metric, rule.target.of, rule.target.within) == (COLLATERAL_SHARE, Subject("WETH"), BAND)
    assert rule.actions == (SWAP_COLLATERAL,)
    assert rule.limits.max_cost == 100


def test_a_schedule_stands_for_the_trigger_or_beside_it(load_text: Load) -> None:
    """``every`` alone, in ``when``, and with a trigger of its own: at most once in that time."""
    alone = f'every = "7d"\n{HALF[:-2]}, asset = "WETH" }}'
    (rule, *_) = load_text((WHEN, ""), (RESTORE, alone), SWAPS).rules
    assert (rule.trigger.metric, rule.every_s) == (EVERY, 7 * DAY_S)
    assert rule.target is not None
    assert rule.target.of == Subject("WETH")
    (rule, *_) = load_text((WHEN, 'when = { every = "7d" }'), (RESTORE, HALF), SWAPS).rules
    assert (rule.trigger.metric, rule.every_s) == (EVERY, 7 * DAY_S)
    assert rule.target is not None
    assert rule.target.of == Subject(None), "all that is no dollar coin"
    (rule, *_) = load_text((WHEN, f'{TABLE}\nevery = "1d"'), (RESTORE, HALF), SWAPS).rules
    assert (rule.trigger.metric, rule.every_s) == (COLLATERAL_SHARE, DAY_S)


def test_what_is_swapped_into_is_one_asset_or_several(load_text: Load) -> None:
    """By symbol or by address."""
    for into, found in (('"USDC"', ("USDC",)), ('["USDC", "DAI"]', ("USDC", "DAI"))):
        (rule, *_) = load_text((WHEN, f'{TABLE}\ninto = {into}\nband = "0.05"'), (RESTORE, HALF), SWAPS).rules
        assert rule.into == found
        assert rule.target is not None
        assert rule.target.within == WAD // 20


def test_a_debt_is_swapped_by_share_or_by_its_rate(load_text: Load) -> None:
    """A share of zero swaps it away."""
    rate = 'when = { borrow_rate_above = "0.08", asset = "USDC" }'
    away = 'restore = { debt_share = "0", asset = "USDC" }'
    (rule, *_) = load_text((WHEN, rate), (RESTORE, away), (ACTIONS, 'actions = ["swap_debt"]')).rules
    assert rule.target is not None
    assert (rule.target.metric, rule.target.value, rule.actions) == (DEBT_SHARE, 0, (SWAP_DEBT,))


@pytest.mark.parametrize(
    ("when", "restore", "actions", "said"),
    [
        (TABLE, 'restore = { health_factor = "2" }', '"swap_collateral"', "swap_collateral stands alone, with restore"),
        (TABLE, HALF, '"swap_collateral", "deleverage"', "deleverage leaves the shares as they are"),
        (TABLE, HALF, '"swap_debt"', "swap_debt leaves the shares"),
        (TABLE, 'restore = { collateral_share = "0.7" }', '"swap_collateral"', "must lie below the trigger"),
        (TABLE, 'restore = { collateral_share = "0.5", asset = "WBTC" }', '"swap_collateral"', "is not WETH"),
        (f'{TABLE}\nband = "0.2"', HALF, '"swap_collateral"', "reaches to the trigger"),
        (f'{TABLE}\nband = "2"', HALF, '"swap_collateral"', "must lie between 0 and 1"),
        ('when = { health_factor_below = "1.5" }', HALF, '"swap_collateral"', "is not moved by swap_collateral"),
        ('when = { health_factor_below = "1.5" }\nevery = "7d"', None, '"repay"', "goes with swap_collateral"),
        ('when = { health_factor_below = "1.5" }\nband = "0.1"', None, '"repay"', "goes with restore.collateral_share"),
        (
            'when = { collateral_share_above = { asset = "WETH" } }',
            HALF,
            '"swap_collateral"',
            "table of share and asset",
        ),
        ('when = { collateral_share_above = "1.6", asset = "WETH" }', HALF, '"swap_collateral"', "between 0 and 1"),
        ('when = { every = "soon" }', HALF, '"swap_collateral"', "every"),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(
    faults: Faults, when: str, restore: str | None, actions: str, said: str
) -> None:
    """The field and the remedy."""
    changes = [(WHEN, when), (ACTIONS, f"actions = [{actions}]")]
    found = faults(*changes, *([(RESTORE, restore)] if restore else []))
    assert any(said in fault for fault in found), found


def test_two_rules_that_would_swap_to_and_fro_are_refused(faults: Faults) -> None:
    """One ends where the other begins: each time both would pay."""
    second = """
cooldown = "1d"
[[rules]]
name = "back"
position = "eth-loop"
when = { collateral_share_below = { asset = "WETH", share = "0.55" } }
restore = { collateral_share = "0.58" }
actions = ["swap_collateral"]
"""
    found = faults((WHEN, TABLE), (RESTORE, HALF), (ACTIONS, SWAPS[1] + second))
    assert any("they would never rest" in fault for fault in found), found
