"""Something foreign in what a Safe is called back with, by who wants its keeper to lose money: never signed."""

from __future__ import annotations

import pytest
from eth_utils.crypto import keccak
from test_through_safe import KEY, OTHER, SAFE, USDC, VAULT, WETH, gate

from keeper.core.units import Address, Wei
from keeper.execution.through_safe import ThroughSafe
from keeper.venues.balancer_v3.calls import encode_loan, encode_return, encode_unlock
from keeper.venues.codec.abi import address, load
from keeper.venues.contracts.safe import encode_by_owner
from keeper.venues.effects import Call

ERC20 = load("erc20")
THIEF = address(OTHER.address)
LENT, BACK = encode_loan(VAULT, USDC, 100, SAFE.address), encode_return(VAULT, USDC, 100)


def token(to: Address, data: bytes) -> Call:
    return Call(to, data, Wei(0), "attack")


INSIDE = {
    "a foreign contract": token(THIEF, bytes.fromhex("12345678")),
    "a foreign token": token(address("0x" + "ee" * 20), ERC20.transfer.encode(VAULT, 1)),
    "native currency": Call(THIEF, b"", Wei(1), "attack"),
    "a transfer to somebody": token(WETH, ERC20.transfer.encode(THIEF, 5)),
    "a pull from another": token(WETH, keccak(text="transferFrom(address,address,uint256)")[:4] + bytes(96)),
    "an approval for somebody": token(WETH, ERC20.approve.encode(THIEF, 5)),
    "a loan for somebody": encode_loan(VAULT, USDC, 1, THIEF),
    "a second session": encode_unlock(VAULT, ThroughSafe(SAFE, 8).call_back([LENT, *BACK]), "borrow"),
    "the Safe once more": encode_by_owner(SAFE, [token(WETH, ERC20.transfer.encode(THIEF, 5))], "more"),
    "more back than was lent": encode_return(VAULT, USDC, 1)[0],
}


@pytest.mark.parametrize("where", [0, 1, 3])
@pytest.mark.parametrize("what", INSIDE)
def test_nothing_foreign_is_signed_within_the_call_back(what: str, where: int) -> None:
    """Before the loan, within it and after it."""
    steps = [LENT, *BACK]
    assert gate(*steps) is None
    assert gate(*steps[:where], INSIDE[what], *steps[where:]), f"{what} was let through"


def test_what_is_left_with_the_lender_is_refused() -> None:
    """Paid and not counted, or counted short: the rest would be the next comer's."""
    paid, counted = BACK
    assert gate(LENT, paid)
    assert gate(LENT, paid, encode_return(VAULT, USDC, 99)[1])
    assert gate(LENT, paid, counted, paid)
    assert KEY.address != THIEF
