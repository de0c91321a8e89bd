"""``keeper explain`` shows what one call of a loan does within: both ways of a sale, further loans, what leaves."""

from __future__ import annotations

from io import StringIO

import pytest
from rich.console import Console

from keeper.cli.show_results import print_steps

STEP = {
    "purpose": "repay USDC with WETH in one call",
    "asset": "WETH",
    "amount": "60.0",
    "health_factor_after": "1.6008",
    "data": "0x374f435d00",
    "ways": [
        {"exchange": "uniswap_v3", "fees": [500], "amount": "45.0", "bought": "1"},
        {"exchange": "uniswap_v4", "fees": [3000], "amount": "15.0", "bought": "1"},
    ],
    "then": [{"asset": "wstETH", "amount": "5.0", "for": "DAI"}, {"asset": "WETH", "amount": "all"}],
}


def test_ways_further_loans_and_what_leaves_are_rows_of_their_own() -> None:
    """Amounts and exchanges, in the order in which they are done."""
    said = StringIO()
    print_steps(Console(file=said, width=160), {"plan": {"steps": [STEP]}, "alternatives": []})
    lines = [line.split() for line in said.getvalue().splitlines()]
    assert ["sold", "at", "uniswap_v3,", "fee", "500", "WETH", "45"] in [line[:7] for line in lines]
    assert ["sold", "at", "uniswap_v4,", "fee", "3000", "WETH", "15"] in [line[:7] for line in lines]
    assert any(line[:5] == ["then", "sold", "for", "DAI", "wstETH"] for line in lines)
    assert any(line[:6] == ["then", "all", "of", "it", "out", "WETH"] for line in lines)


@pytest.mark.parametrize(
    ("count", "could_be_one", "words"),
    [
        (1, False, "Goes out as one transaction: all of it or nothing."),
        (5, True, "Goes out as 5 transactions, one after the other: batch = true in its signer makes it one"),
        (5, False, "Goes out as 5 transactions, one after the other."),
    ],
)
def test_in_how_many_transactions_a_plan_goes_out_is_one_line(count: int, could_be_one: bool, words: str) -> None:
    """And what makes it one, for an account whose key could."""
    said = StringIO()
    plan = {"steps": [STEP], "transactions": count, "could_be_one": could_be_one}
    print_steps(Console(file=said, width=160), {"plan": plan, "alternatives": []})
    assert any(line.startswith(words) for line in said.getvalue().splitlines()), said.getvalue()
