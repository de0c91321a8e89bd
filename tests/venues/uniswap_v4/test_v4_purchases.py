"""A wallet's purchase at Uniswap v4: read back as what it is, bounded to the unit and in time, all else refused."""

from __future__ import annotations

from dataclasses import replace

import pytest
from core_builders import BLOCK, NOW, OWNER, at, holding, limits, position
from eth_abi.abi import encode

from keeper.core.lending.moves import Approve, Route, Swap
from keeper.core.units import Address, Amount, Usd, Wei
from keeper.execution import policy
from keeper.execution.carriers import Plain
from keeper.execution.encoding import Venues, allow_list, encode_moves
from keeper.execution.policy import Grant, PolicyError
from keeper.venues.aave_v3.market import AaveMarket
from keeper.venues.aave_v3.reserves import Listing
from keeper.venues.codec.abi import address, load
from keeper.venues.effects import Approves, Call, Sells
from keeper.venues.uniswap_v4.exchange import UniswapV4
from keeper.venues.uniswap_v4.pools import V4Deployment, key_of
from keeper.venues.uniswap_v4.purchases import PURCHASE

WETH, USDC = at("WETH"), at("USDC")
ROUTER, PERMIT2, STRANGER, POOL = (Address(address("0x" + f"d{i}" * 20)) for i in range(4))
AT = UniswapV4("v4", V4Deployment(STRANGER, STRANGER, ROUTER, (500,), PERMIT2))
V4, KEEPER = load("uniswap_v4"), load("permit2")
SOLD, BOUGHT, DEADLINE = 10**18, 1_995 * 10**6, NOW + 600
SWAP = Swap(Route((WETH, USDC), (500,), "v4"), Amount(SOLD), Amount(BOUGHT))
LISTINGS = tuple(
    Listing(at(s), s, d, at("f"), index=i, a_token=at(f"a{s}"), debt_token=at("d"))
    for i, (s, d) in enumerate((("WETH", 18), ("USDC", 6)))
)
VENUES = Venues(AaveMarket(POOL, at("o"), 10**8, LISTINGS), {"v4": AT})
POSITION = position(holding("WETH", 10), holding("USDC", 0, 14_000))
GRANT = Grant(BLOCK.chain_id, OWNER, OWNER, limits(), Usd(0), DEADLINE, may_take=True)
FIRST = Approve(WETH, "v4", Amount(SOLD))


def check(sent: tuple[Call, ...]) -> None:
    allowed = allow_list(VENUES, [WETH, USDC], Plain(OWNER))
    policy.check(sent, BLOCK.chain_id, GRANT, allowed, VENUES.grounds(POSITION))


def sent(swap: Swap = SWAP, first: Approve = FIRST) -> tuple[Call, ...]:
    return encode_moves([first, swap], VENUES, POSITION, Plain(OWNER), DEADLINE)


def test_a_purchase_is_read_back_as_what_it_is() -> None:
    """Permit2 may take it, the router may take it of Permit2 until the deadline, and it buys exactly so much."""
    (token, lets, buys), allowed = sent(), allow_list(VENUES, [WETH, USDC], Plain(OWNER))
    assert allowed[token.to](token) == (Approves(WETH, PERMIT2, SOLD),)
    assert allowed[lets.to](lets) == (Approves(WETH, ROUTER, SOLD, DEADLINE),)
    assert allowed[buys.to](buys) == (Sells(WETH, SOLD, USDC, BOUGHT, OWNER, PERMIT2, DEADLINE, ROUTER),)
    check(sent())


def made(
    *,
    commands: bytes = b"\x10",
    actions: bytes = b"\x08\x0b\x0e",
    key: tuple[object, ...] = key_of(WETH, USDC, 500),
    bought: int = BOUGHT,
    most: int = SOLD,
    is_down: bool | None = None,
    hook_data: bytes = b"",
    settle: tuple[object, ...] = (WETH, 0, True),
    take: tuple[object, ...] = (USDC, OWNER, 0),
    lets: bytes = KEEPER.approve.encode(WETH, ROUTER, SOLD, DEADLINE),
    deadline: int = DEADLINE,
    first: Approve = FIRST,
) -> tuple[Call, ...]:
    down = (key[0] == WETH) if is_down is None else is_down
    steps = [
        encode(PURCHASE, [(key, down, bought, most, hook_data)]),
        encode(["address", "uint256", "bool"], settle),
        encode(["address", "address", "uint256"], take),
    ]
    data = V4.execute.encode(commands, [encode(["bytes", "bytes[]"], [actions, steps])], deadline)
    (approve,) = encode_moves([first], VENUES, POSITION, Plain(OWNER), DEADLINE)
    return approve, Call(PERMIT2, lets, Wei(0), "lets"), Call(ROUTER, data, Wei(0), "buys")


def lets(token: Address = WETH, spender: Address = ROUTER, amount: int = SOLD, until: int = DEADLINE) -> bytes:
    return KEEPER.approve.encode(token, spender, amount, until)


ATTACKS = {
    "another command": (made(commands=b"\x00"), "anything but one swap"),
    "a command that may fail": (made(commands=b"\x90"), "anything but one swap"),
    "other actions": (made(actions=b"\x08\x0b\x11"), "anything but swap"),
    "a pool with hooks": (made(key=(*key_of(WETH, USDC, 500)[:4], STRANGER)), "hooks"),
    "a pool that nobody knows": (
        made(key=(*key_of(WETH, USDC, 500)[:2], 501, 10, "0x" + "0" * 40)),
        "a pool with a fee",
    ),
    "data for hooks": (made(hook_data=b"x"), "hooks"),
    "the other way": (made(is_down=key_of(WETH, USDC, 500)[0] != WETH), "other assets"),
    "paid in another asset": (made(settle=(USDC, 0, True)), "other assets"),
    "paid by the router": (made(settle=(WETH, 0, False)), "a payment of anything"),
    "paid more than is owed": (made(settle=(WETH, SOLD, True)), "a payment of anything"),
    "to a stranger": (made(take=(USDC, STRANGER, 0)), "is not the owner"),
    "to the router": (made(take=(USDC, "0x" + "0" * 39 + "2", 0)), "not written out"),
    "for too little": (made(bought=BOUGHT // 2), "max_slippage_bps"),
    "for nothing": (made(bought=0), "a swap of nothing"),
    "later than it may be": (made(deadline=DEADLINE + 1), "later than"),
    "a stranger let": (made(lets=lets(spender=STRANGER)), "may not be approved"),
    "let for longer": (made(lets=lets(until=DEADLINE + 1)), "later than"),
    "let without an end": (made(lets=lets(until=0)), "names no end"),
    "let take more": (made(lets=lets(amount=SOLD + 1)), "that no call pays"),
    "let take another asset": (made(lets=lets(token=USDC)), "that no call pays"),
    "let without limit": (made(lets=lets(amount=2**160 - 1)), "that no call pays"),
    "Permit2 let take more": (made(first=replace(FIRST, amount=Amount(SOLD + 1))), "that no call pays"),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_what_differs_in_one_thing_is_refused(attack: str) -> None:
    """Each from the purchase that passes, byte for byte ours."""
    assert [c.data for c in made()] == [c.data for c in sent()]
    wrong, expected = ATTACKS[attack]
    with pytest.raises(PolicyError, match=expected):
        check(wrong)


def test_without_a_permit2_nothing_of_it_is_on_the_list() -> None:
    """An owner who names none trades there within bundles alone."""
    alone = replace(AT, where=replace(AT.where, permit2=None))
    assert alone.decoders() == {}
    assert alone.spender == alone.till == ROUTER
    with pytest.raises(ValueError, match="within bundles alone"):
        alone.encode(SWAP, OWNER, DEADLINE, ("WETH", "USDC"))
