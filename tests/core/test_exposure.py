"""Exposure limits: what all positions come to, and what is beyond a limit; unknown is beyond every one."""

from __future__ import annotations

from dataclasses import replace

import pytest
from core_builders import OWNER, loop
from perp_builders import short

from keeper.core.exposure import ExposureLimits, exceeded
from keeper.core.prices import Doubt
from keeper.core.reasons import Reason
from keeper.core.snapshot import Unreadable
from keeper.core.units import USD, WAD, Usd, Wad

LOOP = loop("10", "14000")
"""Ten ether at 2,000 dollars against 14,000: 6,000 are the owner's own, leverage 3.33."""
SHORT = short("3", "2000", "1000")
"""Three ether short, 6,000 dollars of size."""


def dollars(amount: int) -> Usd:
    return Usd(amount * USD)


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        (ExposureLimits({"WETH": dollars(19_999)}), "WETH: $20,000"),
        (ExposureLimits({"ETH": dollars(19_999)}), "ETH: $20,000"),
        (ExposureLimits({}, {LOOP.venue: dollars(19_999)}), f"at {LOOP.venue}"),
        (ExposureLimits(chain=dollars(19_999)), "on this chain"),
        (ExposureLimits(leverage=Wad(3 * WAD)), "leverage in all: 3.33"),
        (ExposureLimits({"USDC": dollars(13_999)}), "USDC: $14,0"),
    ],
)
def test_each_limit_is_measured_over_all_positions(limits: ExposureLimits, said: str) -> None:
    """Said with what is measured and what is allowed."""
    (found,) = exceeded(limits, [LOOP])
    assert said in found


def test_within_its_limits_nothing_is_said() -> None:
    """Nor where the owner set none."""
    wide = ExposureLimits({"ETH": dollars(20_001)}, {LOOP.venue: dollars(20_001)}, dollars(20_001), Wad(4 * WAD))
    assert exceeded(wide, [LOOP]) == ()
    assert exceeded(None, [LOOP]) == ()


def test_a_short_takes_from_an_underlying_and_adds_to_the_chain() -> None:
    """A hedge lowers what hangs on ether; its size is on the chain all the same."""
    assert exceeded(ExposureLimits({"ETH": dollars(15_000)}), [LOOP, SHORT]) == ()
    (found,) = exceeded(ExposureLimits(chain=dollars(25_000)), [LOOP, SHORT])
    assert "$26,000" in found


def test_two_loans_on_one_asset_count_together() -> None:
    """Neither alone is beyond it."""
    limits = ExposureLimits({"ETH": dollars(30_000)})
    assert exceeded(limits, [LOOP]) == ()
    assert exceeded(limits, [LOOP, replace(LOOP, name="second")]) != ()


def test_what_cannot_be_read_is_not_within_a_limit() -> None:
    """Unknown is not zero."""
    lost = Unreadable("lost", OWNER, Doubt(Reason.POSITION_UNREADABLE, "no answer"))
    (found,) = exceeded(ExposureLimits(chain=dollars(10**9)), [LOOP, lost])
    assert "lost cannot be read" in found


def test_nothing_of_ones_own_left_is_leverage_without_end() -> None:
    """Debts above collateral: beyond any limit."""
    (found,) = exceeded(ExposureLimits(leverage=Wad(1000 * WAD)), [loop("10", "25000")])
    assert "leverage in all" in found
