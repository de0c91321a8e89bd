"""What liquidation takes, by each venue's own rule: close factors, an absorption, a perpetual's penalty."""

from __future__ import annotations

from dataclasses import replace

import pytest
from core_builders import at, holding, loop, position, usd
from perp_builders import short
from risk_inputs import inputs

from keeper.core.lending.closing import WHOLE, CloseRule
from keeper.core.perp import margin as perps
from keeper.core.perp.position import FACTOR, Factor
from keeper.core.risk.inputs import inputs_of
from keeper.core.risk.loan_report import taken_first
from keeper.core.risk.perp_inputs import perp_of, plain_perp
from keeper.core.risk.perp_report import measured as perp_measured
from keeper.core.risk.perp_shocks import shocks
from keeper.core.risk.report import report
from keeper.core.risk.stress import fallen, stressed
from keeper.core.units import BPS, USD, WAD, Bps, Usd, Wad

MARKET = inputs_of(inputs()).market
"""Of the usual inputs."""


def test_an_absorption_takes_the_discount_of_all_collateral_and_no_more() -> None:
    """Compound v3: 7 % of what the collateral is worth where it falls to, though the debt is much less than that."""
    comet = replace(WHOLE, discounts=((at("WETH"), Wad(WAD * 7 // 100)),))
    p = replace(loop("10", "10000"), closes=comet)  # $20,000 of ether; liquidated where it falls to $12,048
    found = stressed(p, fallen(p, Wad(WAD * 4 // 10)))
    assert found.is_liquidated
    assert found.seized == pytest.approx(usd("12000") * 7 // 100, rel=1e-6)


def test_the_stake_in_an_absorption_is_that_of_the_price_that_liquidates() -> None:
    """And the same from a file as from the chain: the discounts are in it."""
    comet = replace(WHOLE, discounts=((at("WETH"), Wad(WAD * 7 // 100)),))
    p = replace(loop("10", "10000"), closes=comet)
    document = inputs([p], (), books={}, closes={p.name: comet})
    of = report(document)["positions"][0]
    factor = next(h for h in p.held if h.is_collateral).liquidation_factor
    at_edge = p.reported.debt_value * WAD // factor
    assert int(of["taken_usd"]) == pytest.approx(at_edge * 7 // 100, rel=1e-4)
    assert int(next(x for x in of["stress"] if "−40" in x["shock"])["taken_usd"]) == pytest.approx(usd("840"), rel=1e-4)


def test_a_close_factor_is_the_venues_own() -> None:
    """Half of the debt at once takes half of the penalty; a fifth takes a fifth."""
    p = position(holding("WETH", "10"), holding("USDC", 0, "13000"))
    whole, half, fifth = (
        taken_first(p, rule)
        for rule in (WHOLE, CloseRule(Bps(BPS // 2), Wad(0), Usd(0)), CloseRule(Bps(BPS // 5), Wad(0), Usd(0)))
    )
    assert half == pytest.approx(whole / 2, rel=1e-3)
    assert fifth == pytest.approx(whole / 5, rel=1e-3)


def test_a_perpetuals_liquidation_takes_its_penalty_and_leaves_the_rest() -> None:
    """Perp v2: 2.5 % of the size; where the venue says nothing of it all that is left counts."""
    p = short("3", margin="1000")
    known = replace(p, penalty=Factor(FACTOR * 25 // 1_000))
    size = perps.notional(p.legs[0]) * USD // p.usd_unit
    of = perp_measured(known, MARKET)
    assert of.taken == pytest.approx(size * 25 // 1_000, rel=1e-6)
    assert perp_measured(p, MARKET).taken > of.taken
    fallen_ = [x for x in shocks(known) if x.is_liquidated]
    assert fallen_
    assert all(x.taken <= perps.notional(x.then.legs[0]) * USD // p.usd_unit * 25 // 1_000 + 1 for x in fallen_)
    assert perp_of(plain_perp(known), p.block).penalty == known.penalty
