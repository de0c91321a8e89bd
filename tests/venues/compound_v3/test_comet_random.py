"""Compound v3 on markets that nobody recorded: any base, decimals, factors, up to 24 collaterals, any principal.

Each state is computed twice: by the keeper, from what the market answers, and by the README's formulas as they stand.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
from comet_paper import BASE, COMET, E18, MOST_COLLATERALS, PaperComet

from keeper.core.lending import figures as lending
from keeper.core.lending.position import Barred
from keeper.core.units import INFINITE, Address, Wad
from keeper.venues.ports import ReadFailedError, ScopeOutdatedError

SEEDS = range(400)
GET_PRICE, OTHER = COMET.getPrice.selector, "0x" + "ee" * 20


def drawn(seed: int) -> PaperComet:
    return PaperComet.drawn(seed)


def test_the_states_drawn_are_of_every_kind() -> None:
    """A test of the usual alone would pass."""
    of = [drawn(seed) for seed in SEEDS]
    assert {x.decimals for x in of} >= {6, 8, 18}
    assert any(len(x.listed) == MOST_COLLATERALS for x in of)
    assert any(any(c.balance for c in x.listed[16:]) for x in of)
    assert any(x.principal > 0 for x in of)
    assert any(x.principal == 0 for x in of)
    assert any(any(x.pauses) for x in of)
    judged = {(x.is_liquidatable(x.now), x.is_collateralized(x.now)) for x in of if x.principal < 0}
    assert judged >= {(True, False), (False, False), (False, True)}
    assert any(x.is_liquidatable(x.now) is not x.is_liquidatable(x.accrued_at) for x in of)


@pytest.mark.parametrize("seed", SEEDS)
def test_figures_are_the_readme_s_formulas_to_the_unit(seed: int) -> None:
    """Debt, what is lent, both limits, health, what may leave, and what interest does later."""
    of = drawn(seed)
    found = of.position()
    base, account = found.holding(BASE), lending.account_of(found)
    assert (base.borrowed, base.supplied) == (of.debt(of.now), of.lent)
    owed, carried = of.owed_value(of.now), sum(of.weighted("lcf"))
    assert found.reported.health_factor == (min(INFINITE, carried * E18 // owed) if owed else INFINITE)
    assert (found.reported.health_factor < E18) is of.is_liquidatable(of.now)
    assert found.reported.available_borrows == sum(of.weighted("bcf")) - owed
    assert account.model.lets_out(found.reported) is of.is_collateralized(of.now)
    held = {h.asset: h for h in found.holdings if h.asset != BASE}
    for i, x in enumerate(of.listed):
        if x.balance:
            assert (held[x.asset].supplied, held[x.asset].decimals) == (x.balance, x.decimals)
            assert lending.withdrawable(account, x.asset, Wad(0)) == of.most_that_can_leave(i)
    for seconds in (1, 13, 86_400):
        assert account.model.accrued(base, seconds).borrowed == of.debt(of.now) + _grown(of, seconds)


def _grown(of: PaperComet, seconds: int) -> int:
    """What interest adds after this block, where nobody touches the market: from the index as it is reckoned now."""
    index, rate = of.index(of.now), of.rate(of.curve)
    later = index + index * (rate * seconds) // E18
    debt = max(0, -of.principal)
    return debt * later // 10**15 - debt * index // 10**15


@pytest.mark.parametrize("seed", SEEDS)
def test_room_is_what_pauses_and_caps_leave(seed: int) -> None:
    """A pause bars, a full cap bars, else what is left under it; base is never a top-up."""
    of = drawn(seed)
    found = of.position()
    base, caps = found.holding(BASE), {x.asset: x for x in of.listed}
    assert isinstance(base.room.repay, Barred) is of.pauses[0]
    assert isinstance(base.room.supply, Barred)
    assert base.least_debt == of.least
    for h in found.holdings:
        if h.asset == BASE:
            continue
        left = caps[h.asset].cap - caps[h.asset].total
        assert isinstance(h.room.supply, Barred) is (of.pauses[0] or left <= 0)
        assert isinstance(h.room.supply, Barred) or h.room.supply == left
        assert isinstance(h.room.withdraw, Barred) is of.pauses[1]


@pytest.mark.parametrize("seed", SEEDS[:60])
def test_a_judge_that_says_otherwise_stops_everything(seed: int) -> None:
    """Where no time has passed since the last accrual, its word must be ours; so must its debt at every block."""
    of = replace(drawn(seed), accrued_at=drawn(seed).now)
    account = of.found()
    probe = account.probe("mine", of.block)
    answers = [of.answer(read) for read in probe.reads]
    probe.decode(answers)
    for place in (3, 4, 5):
        other = int.from_bytes(answers[place] or b"", "big") ^ 1
        changed = [*answers[:place], other.to_bytes(32, "big"), *answers[place + 1 :]]
        with pytest.raises(ReadFailedError):
            probe.decode(changed)


@pytest.mark.parametrize("seed", SEEDS[:60])
def test_what_is_known_dies_with_the_implementation(seed: int) -> None:
    """Another curve, feed or list behind the same address: nothing is judged by the old one."""
    of = drawn(seed)
    probe = of.found().probe("mine", of.block)
    another_feed = [replace(x, feed=Address(OTHER) if x.balance else x.feed) for x in of.listed]
    unread = [*of.listed, replace(of.listed[0], balance=1)] if len(of.listed) < MOST_COLLATERALS else of.listed
    curve = (of.curve[0], of.curve[1] + 1, *of.curve[2:])
    for changed in (replace(of, curve=curve), replace(of, listed=another_feed), replace(of, listed=unread)):
        if changed == of:
            continue
        asked = [(of if r.data[:4] == GET_PRICE else changed).answer(r) for r in probe.reads]
        with pytest.raises(ScopeOutdatedError):
            probe.decode(asked)
