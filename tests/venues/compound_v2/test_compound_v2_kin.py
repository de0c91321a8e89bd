"""Other members of the Compound v2 family: what they lack is left out, what they say otherwise is read as meant."""

from __future__ import annotations

import pytest
from core_builders import BLOCK, OWNER
from eth_abi.abi import decode, encode
from hypothesis import given
from hypothesis import strategies as st
from venus_builders import OWED, PRICES, a_market, an_account, place, usual_answers, words

from keeper.core.lending.position import Barred, LendingPosition, Principal
from keeper.core.units import UINT256_MAX, WAD, Address
from keeper.venues.ports import Answer

WETH, USDC = place(0xD1), place(0xD2)
OF_ACCOUNT, OF_ASSET, YEAR_S = 7, 23, 31_536_000
THRESHOLD = 80 * WAD // 100


def kin(now: int, *, paused: bool = False, cap: int = 0) -> tuple[Answer, ...]:
    """Moonwell: one factor, rates by second, its guardian's pauses, a cap of zero for none."""
    inside = [body for _, body in decode(["(bool,bytes)[]"], usual_answers(now)[0] or b"")[0]]
    begin = 2 + OF_ACCOUNT
    inside[2 + 3] = b""  # getBorrowingPower
    for i in (0, 1):
        at = begin + i * OF_ASSET
        inside[at + 2] = words(1, THRESHOLD)
        inside[at + 3 : at + 6] = [b"", b"", b""]
        inside[at + 10 : at + 12] = [b"", b""]
        inside[at + 12] = words(cap)
        inside[at + 13 : at + 17] = [b""] * 4
        inside[at + 17 : at + 21] = [words(10**9), words(10**8), words(int(paused)), words(int(paused))]
    return (encode(["(bool,bytes)[]"], [[(True, body) for body in inside]]),)


def read(answers: tuple[Answer, ...]) -> LendingPosition:
    account = an_account(a_market(WETH, USDC), Address(OWNER))
    return account.probe("mine", BLOCK).decode(answers)


def test_one_factor_is_both_limits_and_rates_are_by_the_second() -> None:
    """The comptroller's own liquidity is ours by it; a year has its seconds, whatever the file says."""
    found = read(kin(BLOCK.timestamp))
    assert {(h.liquidation_factor, h.borrow_factor) for h in found.holdings} == {(THRESHOLD, THRESHOLD)}
    assert {h.rates.borrow for h in found.holdings} == {10**9 * YEAR_S}
    assert {h.rates.supply for h in found.holdings} == {10**8 * YEAR_S}


def test_a_cap_of_zero_is_none_where_a_guardian_pauses() -> None:
    """At Venus it is a full cap; there pauses are by action."""
    assert {h.room.supply for h in read(kin(BLOCK.timestamp)).holdings} == {UINT256_MAX}
    venus = [body for _, body in decode(["(bool,bytes)[]"], usual_answers(BLOCK.timestamp)[0] or b"")[0]]
    for i in (0, 1):
        venus[2 + OF_ACCOUNT + i * OF_ASSET + 12] = words(0)
    full = read((encode(["(bool,bytes)[]"], [[(True, body) for body in venus]]),))
    assert all(isinstance(h.room.supply, Barred) for h in full.holdings)


@pytest.mark.parametrize("paused", [True, False])
def test_its_guardian_s_pauses_bar_supply_and_borrowing_and_never_repayment(paused: bool) -> None:
    """Which is all that they can."""
    for h in read(kin(BLOCK.timestamp, paused=paused)).holdings:
        assert isinstance(h.room.supply, Barred) is paused
        assert isinstance(h.room.borrow, Barred) is paused
        assert not isinstance(h.room.repay, Barred)
        assert not isinstance(h.room.withdraw, Barred)


@given(
    lent=st.integers(1, 10**30), began=st.integers(WAD, 3 * WAD), costs=st.integers(0, 10**18), more=st.integers(0, 9)
)
def test_interest_never_counts_as_a_change_of_a_debt(lent: int, began: int, costs: int, more: int) -> None:
    """The tokens show no share of a debt, but what it is of the index is one and the same, but for one unit."""
    first, later = (owing(lent * index // began, index) for index in (began, began + costs))
    assert first.is_as(later)
    assert later.is_as(first)
    assert not later.owes_less_than(first)
    paid = owing(lent * (began + costs) // began + 10 * (more + 1), began + costs)
    assert not first.is_as(paid)
    assert first.owes_less_than(paid)


def owing(owed: int, index: int) -> Principal:
    """The principal of the dollars, of a debt read so at an index."""
    inside = [body for _, body in decode(["(bool,bytes)[]"], usual_answers(BLOCK.timestamp)[0] or b"")[0]]
    begin = 2 + OF_ACCOUNT + OF_ASSET
    tokens, exchange = (int.from_bytes(inside[begin][i : i + 32], "big") for i in (32, 96))
    inside[begin] = words(0, tokens, owed, exchange)
    inside[begin + 21] = words(index)
    left = [int.from_bytes(inside[2 + i][32:64], "big") + PRICES[1] * OWED // WAD for i in (2, 3)]
    for i, carried in zip((2, 3), left, strict=True):
        value = PRICES[1] * owed // WAD
        inside[2 + i] = words(0, max(0, carried - value), max(0, value - carried))
    return read((encode(["(bool,bytes)[]"], [[(True, body) for body in inside]]),)).holding(USDC).principal
