"""Morpho's own pre-liquidation contract by recordings (``tools.pre_liquidation``): what we say of it, it does."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from keeper.core.lending.position import SecondLine
from keeper.core.units import WAD, Address, Wad, mul_div_down
from keeper.venues.morpho_blue.arithmetic import ORACLE_SCALE, Totals, most_debt
from keeper.venues.morpho_blue.pre_liquidation import PreLiquidation

RECORDED = json.loads(gzip.decompress((Path(__file__).parent / "pre_liquidation.json.gz").read_bytes()))
LLTV: int = RECORDED["lltv"]
CASES = [(line, case) for line in RECORDED["lines"] for case in line["cases"]]
every = pytest.mark.parametrize(("line", "case"), CASES, ids=[f"{x['terms'][0]}-{c['price']}" for x, c in CASES])


def said(line: dict[str, Any]) -> SecondLine:
    """What status, explain, doctor and risk show of it."""
    lltv, least, most, low, high, oracle = line["terms"]
    found = PreLiquidation(Address(oracle), lltv, (least, most), (low, high), Address(oracle))
    return found.line(LLTV, is_let=True)


def health(case: dict[str, Any]) -> int:
    owed = Totals(*case["totals"]).owed(case["shares"])
    return mul_div_down(most_debt(case["collateral"], case["price"], LLTV), WAD, owed)


@every
def test_it_sells_where_we_say_that_it_does_and_nowhere_else(line: dict[str, Any], case: dict[str, Any]) -> None:
    """From where it begins down to where liquidation does: a part in a million to either side of the border."""
    ours, now, came = said(line), health(case), case["asked"]["a thousandth"]
    if now < WAD:
        assert came == ["LiquidatablePosition"]
    elif now < ours.begins_at:
        assert isinstance(came[0], int), (now, ours.begins_at, came)
    else:
        assert came == ["NotPreLiquidatablePosition"]


def along(ends: tuple[Wad, Wad], line: dict[str, Any], case: dict[str, Any]) -> float:
    """On the straight line between what is said of where it begins and of where liquidation does."""
    owed = Totals(*case["totals"]).owed(case["shares"])
    begins, lent = line["terms"][0], owed * WAD / (case["collateral"] * case["price"] // ORACLE_SCALE)
    way = (lent - begins) / (LLTV - begins)
    return (ends[0] + way * (ends[1] - ends[0])) / WAD


@every
def test_it_takes_as_much_at_once_and_for_as_much_as_we_say(line: dict[str, Any], case: dict[str, Any]) -> None:
    """Its largest call by shares goes through, one share more does not; what it takes is the debt and its extra."""
    came = case["asked"]["a thousandth"]
    if isinstance(came[0], str):
        return
    ours, most, all_ = said(line), case["most"], case["asked"]["all"]
    seized, repaid = came
    extra = seized * case["price"] / ORACLE_SCALE / repaid - 1
    assert extra == pytest.approx(along(ours.penalty, line, case), abs=1e-6)
    if most is None:
        assert isinstance(all_[0], int), all_
        assert along((line["terms"][1], line["terms"][2]), line, case) > 1 - 1e-9
    else:
        assert all_ == ["PreLiquidationTooLarge", case["shares"], most]
        assert most / case["shares"] == pytest.approx(along((line["terms"][1], line["terms"][2]), line, case), abs=1e-6)
        assert isinstance(case["asked"]["most"][0], int)
        assert case["asked"]["one more"] == ["PreLiquidationTooLarge", most + 1, most]
    assert ours.share[1] <= WAD


def test_what_is_recorded_is_every_kind_of_answer() -> None:
    """Begun and not begun, liquidatable, too large, and whole."""
    kinds = {answer[0] for _, case in CASES for answer in case["asked"].values() if isinstance(answer[0], str)}
    assert kinds == {"NotPreLiquidatablePosition", "LiquidatablePosition", "PreLiquidationTooLarge"}
    assert all(line["known"] == [True, False] and line["is_of_the_market"] for line in RECORDED["lines"])
