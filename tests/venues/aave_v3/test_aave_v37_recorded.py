"""Aave v3.7 by recordings of its real contracts (``tools.aave_v37``): our figures are the pool's own, to the wei."""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from keeper.core.lending import figures as lending
from keeper.core.lending.position import LendingPosition
from keeper.core.snapshot import AccountFigures, BlockRef
from keeper.core.units import Address, Wei
from keeper.venues.aave_v3.market import discover_market
from keeper.venues.aave_v3.position import discover_scope, position_probe
from keeper.venues.codec.abi import error_selector, revert_reason
from keeper.venues.ports import Answer, Discovery, Read

RECORDED = json.loads(gzip.decompress((Path(__file__).parent / "aave_v37.json.gz").read_bytes()))
CASES = {case["name"]: case for case in RECORDED["cases"]}
every = pytest.mark.parametrize("name", CASES)


def answers(case: dict[str, Any], reads: Sequence[Read]) -> list[Answer]:
    said = [case["answers"][f"{read.to} {read.data.hex()}"] for read in reads]
    return [None if answer is None else bytes.fromhex(answer.removeprefix("0x")) for answer in said]


def driven(case: dict[str, Any], steps: Discovery[Any]) -> Any:
    try:
        reads = next(steps)
        while True:
            reads = steps.send(answers(case, reads))
    except StopIteration as found:
        return found.value


def position(name: str) -> LendingPosition:
    case = CASES[name]
    block = BlockRef(31_337, 1, "0x" + "11" * 32, "0x" + "00" * 32, case["at"], Wei(10**9))
    market = driven(case, discover_market(Address(RECORDED["provider"])))
    scope = driven(case, discover_scope(market, Address(case["owner"]), (), ()))
    probe = position_probe(market, scope, name, block)
    return probe.decode(answers(case, probe.reads))


@every
def test_every_figure_of_an_account_is_the_pools_own(name: str) -> None:
    """Collateral, debt, capacity, threshold, LTV and health, without an e-mode, in one, and in an isolated one."""
    found = position(name)
    account = lending.proven(found)
    assert account is not None, (found.reported, lending.figures(lending.account_of(found)))
    assert lending.figures(account) == AccountFigures(*CASES[name]["figures"])


def test_what_is_beside_an_isolated_e_mode_counts_for_no_loan_and_leaves_first() -> None:
    """Its threshold stays: health is what it was. While it is collateral nothing that counts may leave."""
    before, after = position("in one with more beside it"), position("in one with more beside it, isolated")
    ours, then = ({h.symbol: h for h in of.holdings} for of in (before, after))
    assert ours["WBTC"].borrow_factor > 0
    assert (then["WBTC"].borrow_factor, then["WBTC"].holds_back) == (0, True)
    assert then["WBTC"].liquidation_factor == ours["WBTC"].liquidation_factor
    assert then["wstETH"].borrow_factor == ours["wstETH"].borrow_factor > 0
    # a second of interest lies between the two
    assert after.reported.health_factor == pytest.approx(before.reported.health_factor, rel=1e-9)
    assert after.reported.available_borrows < before.reported.available_borrows


def test_a_refusal_that_has_another_name_since_is_said_by_it() -> None:
    """``UserInIsolationModeOrLtvZero`` of 3.6 is ``UserHasAssetWithZeroLtv`` now."""
    assert revert_reason(error_selector("UserHasAssetWithZeroLtv")) == "UserHasAssetWithZeroLtv"


@pytest.mark.parametrize(
    ("code", "means"),
    {
        "35": "HEALTH_FACTOR_LOWER_THAN_LIQUIDATION_THRESHOLD",
        "91": "FLASHLOAN_DISABLED",
        "97": "LIQUIDATION_GRACE_SENTINEL_CHECK_FAILED",
        "100": "NOT_BORROWABLE_IN_EMODE",
        "103": "MUST_NOT_LEAVE_DUST",
    }.items(),
)
def test_a_number_for_a_refusal_is_said_in_words_in_every_revision_that_has_numbers(code: str, means: str) -> None:
    """3.0 has those to 91; 3.1 to 3.3 added the others; custom errors came after them."""
    text = code.encode().ljust(32, b"\0")
    data = bytes.fromhex("08c379a0") + (32).to_bytes(32, "big") + len(code).to_bytes(32, "big") + text
    assert revert_reason(data) == means
