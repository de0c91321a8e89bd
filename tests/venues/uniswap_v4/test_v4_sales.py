"""Uniswap v4's calldata: read back as what it is, and everything that differs in one thing refused."""

from __future__ import annotations

import pytest
from eth_abi.abi import encode

from keeper.core.lending.moves import Route
from keeper.core.units import Address
from keeper.venues.codec.abi import address, load
from keeper.venues.effects import Trades
from keeper.venues.uniswap_v4.effects import seller
from keeper.venues.uniswap_v4.exchange import UniswapV4
from keeper.venues.uniswap_v4.pools import V4Deployment, key_of
from keeper.venues.uniswap_v4.sales import ALL_IT_HOLDS, SWAP, encode_sale

LOW, HIGH, OTHER, RECEIVER, PAYER = (Address(address("0x" + f"{i:02x}" * 20)) for i in range(0x11, 0x16))
ROUTER = Address(address("0x" + "22" * 20))
AT = V4Deployment(OTHER, OTHER, ROUTER, (500, 3000))
ROUTE = Route((HIGH, LOW), (500,), "uniswap_v4")
read = UniswapV4("uniswap_v4", AT).sellers()[ROUTER]
V4 = load("uniswap_v4")


@pytest.mark.parametrize(("sold", "bought"), [(LOW, HIGH), (HIGH, LOW)])
def test_a_sale_is_read_back_as_what_it_is(sold: Address, bought: Address) -> None:
    """Either way through the pool: all that the router holds, for at least so much, to one receiver."""
    call = encode_sale(AT, Route((sold, bought), (500,), "uniswap_v4"), 77, RECEIVER, 9)
    assert read(PAYER, call.data) == (Trades(sold, None, ROUTER, bought, 77, RECEIVER, 9),)


def made(
    *,
    commands: bytes = b"\x10",
    actions: bytes = b"\x0b\x06\x0e",
    settle: tuple[object, ...] = (HIGH, ALL_IT_HOLDS, False),
    key: tuple[object, ...] = key_of(LOW, HIGH, 500),
    is_down: bool = False,
    amount: int = 0,
    hook_data: bytes = b"",
    take: tuple[object, ...] = (LOW, RECEIVER, 0),
) -> bytes:
    steps = [
        encode(["address", "uint256", "bool"], settle),
        encode(SWAP, [(key, is_down, amount, 77, hook_data)]),
        encode(["address", "address", "uint256"], take),
    ]
    return V4.execute.encode(commands, [encode(["bytes", "bytes[]"], [actions, steps])], 9)


def test_the_sale_that_the_attacks_are_made_of_is_ours() -> None:
    """Byte for byte."""
    assert made() == encode_sale(AT, ROUTE, 77, RECEIVER, 9).data


ATTACKS = {
    "another command": made(commands=b"\x00"),
    "a command that may fail": made(commands=b"\x90"),
    "other actions": made(actions=b"\x0b\x06\x11"),
    "a payment by the user": made(settle=(HIGH, ALL_IT_HOLDS, True)),
    "a part paid": made(settle=(HIGH, 5, False)),
    "a part swapped": made(amount=5),
    "a part taken": made(take=(LOW, RECEIVER, 5)),
    "another asset taken": made(take=(OTHER, RECEIVER, 0)),
    "another asset paid": made(settle=(OTHER, ALL_IT_HOLDS, False)),
    "the other direction": made(is_down=True),
    "a pool with hooks": made(key=(LOW, HIGH, 500, 10, OTHER)),
    "data for hooks": made(hook_data=b"\1"),
    "an unknown fee": made(key=(LOW, HIGH, 777, 10, "0x" + "0" * 40)),
    "another spacing": made(key=(LOW, HIGH, 500, 60, "0x" + "0" * 40)),
    "to whoever calls": made(take=(LOW, "0x" + "0" * 39 + "1", 0)),
    "to the router": made(take=(LOW, "0x" + "0" * 39 + "2", 0)),
    "bytes behind": made() + bytes(32),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_what_differs_in_one_thing_is_refused(attack: str) -> None:
    """A hand's money goes one way only."""
    with pytest.raises(ValueError, match=r".+"):
        read(PAYER, ATTACKS[attack])


def test_several_pools_are_no_sale_of_this_exchange() -> None:
    """It is never planned; if it were, it is not encoded."""
    with pytest.raises(ValueError, match="one pool"):
        encode_sale(AT, Route((HIGH, OTHER, LOW), (500, 500), "uniswap_v4"), 77, RECEIVER, 9)
    assert seller(ROUTER, [(500, 10)])(PAYER, made())
