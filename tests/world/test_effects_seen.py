"""Each move's effects, as the gate reads them, are what the real contract does to wallet, allowance and position."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pytest
from perp_reading import see
from scenes import DOLLAR, ETHER

from keeper.core.lending.moves import Route, Swap
from keeper.core.perp.moves import AddMargin, AllowMargin, PerpMove, TakeMargin, Trade
from keeper.core.units import WAD, Address, Amount, Wei
from keeper.execution import policy
from keeper.execution.policy import Allowed
from keeper.venues.aave_v3.effects import pool_decoder
from keeper.venues.codec.abi import address, load
from keeper.venues.contracts import erc20
from keeper.venues.contracts.effects import batch_decoder, token_decoders
from keeper.venues.effects import Approves, Borrows, Call, Closes, Leaf, Offsets, Opens, Pays, Sells, Takes
from keeper.venues.perp_v2 import calls as perp_v2_calls
from keeper.venues.perp_v2 import effects as perp_v2
from keeper.venues.uniswap_v3.effects import router_decoder
from keeper.venues.uniswap_v3.pools import UniswapDeployment
from keeper.venues.uniswap_v3.swaps import encode_swap
from sandbox.world import World

pytestmark = pytest.mark.world
AAVE = load("aave_v3_pool")
LATER = 2**40


@dataclass
class Books:
    """What an owner has, by asset: in the wallet, supplied, owed."""

    wallet: dict[str, int]
    supplied: dict[str, int]
    owed: dict[str, int]


def books(world: World, owner: str, symbols: Sequence[str]) -> Books:
    return Books(
        {s: world.balance(s, owner) for s in symbols},
        {s: world.supplied(s, owner) for s in symbols},
        {s: world.debt(s, owner) for s in symbols},
    )


def carried_out(world: World, owner: str, call: Call) -> None:
    order = {"from": owner, "to": call.to, "data": "0x" + call.data.hex(), "gas": hex(6_000_000)}
    world.chain.wait(world.rpc("eth_sendTransaction", order), call.purpose)


def leaves(call: Call, allowed: Allowed) -> list[Leaf]:
    return [leaf for _, leaf in policy.opened(call, allowed)]


# --- lending ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Lent:
    """An owner with a loop of ether against dollars, and some of both in the wallet."""

    world: World
    owner: Address
    pool: Address
    router: Address
    tokens: Mapping[str, Address]

    @property
    def allowed(self) -> Allowed:
        decoders = {self.pool: pool_decoder(self.pool), self.router: router_decoder(self.router, (500, 3000))}
        return {
            **decoders,
            **token_decoders(self.tokens.values(), (self.pool, self.router)),
            self.owner: batch_decoder(),
        }

    def call(self, name: str, symbol: str, *args: object) -> Call:
        return Call(self.pool, getattr(AAVE, name).encode(self.tokens[symbol], *args), Wei(0), name)

    def approve(self, symbol: str, amount: int, spender: Address) -> Call:
        return erc20.encode_approve(self.tokens[symbol], symbol, spender, Amount(amount), "it")

    def swap(self, sold: int, bought: int) -> Call:
        route = Route((self.tokens["WETH"], self.tokens["USDC"]), (500,), "uniswap_v3")
        where = UniswapDeployment(self.pool, self.pool, self.router, (500,))
        return encode_swap(where, Swap(route, Amount(sold), Amount(bought)), self.owner, LATER, ("A", "B"))


@pytest.fixture
def lent(world: World) -> Lent:
    owner = address(world.account(0).address)
    world.open_position(owner, {"WETH": 10 * ETHER, "USDC": 500 * DOLLAR}, {"USDC": 9_000 * DOLLAR})
    world.mint("WETH", owner, 5 * ETHER)
    world.mint("USDC", owner, 5_000 * DOLLAR)
    tokens = {s: address(world.addresses["tokens"][s]) for s in ("WETH", "USDC")}
    router = address(world.addresses["uniswap"]["swap_router_02"])
    return Lent(world, owner, address(world.pool.address), router, tokens)


def check(of: Lent, *calls: Call) -> None:
    """Carry calls out; what they did is what their effects say, to the interest of some seconds."""
    symbols = {address_: symbol for symbol, address_ in of.tokens.items()}
    for call in calls:
        before, now_ = books(of.world, of.owner, tuple(of.tokens)), leaves(call, of.allowed)
        carried_out(of.world, of.owner, call)
        after = books(of.world, of.owner, tuple(of.tokens))
        for leaf in now_:
            _seen(of, leaf, before, after, symbols)


def _seen(of: Lent, leaf: Leaf, before: Books, after: Books, symbols: Mapping[Address, str]) -> None:
    symbol = symbols[leaf.asset]  # type: ignore[union-attr]
    paid = before.wallet[symbol] - after.wallet[symbol]
    supplied = after.supplied[symbol] - before.supplied[symbol]
    owed = after.owed[symbol] - before.owed[symbol]
    interest = before.owed[symbol] // 10**6 + before.supplied[symbol] // 10**6 + 2
    match leaf:
        case Approves(asset, spender, amount):
            token = of.world.token(symbol)
            assert token.functions.allowance(of.owner, spender).call() == amount
            assert (asset, paid, supplied) == (of.tokens[symbol], 0, pytest.approx(0, abs=interest))
        case Pays(_, amount):
            assert paid == (amount if amount is not None else pytest.approx(before.owed[symbol], abs=interest))
            assert supplied - owed == pytest.approx(paid, abs=interest)
        case Takes(_, amount):
            taken = before.supplied[symbol] if amount is None else amount
            assert -paid == pytest.approx(taken, abs=0 if amount else interest)
            assert -supplied == pytest.approx(taken, abs=interest)
        case Borrows(_, amount):
            assert -paid == amount
            assert owed == pytest.approx(amount, abs=interest)
        case Offsets(_, amount):
            assert paid == 0
            assert supplied == pytest.approx(-amount, abs=interest)
            assert owed == pytest.approx(-amount, abs=interest)
        case Sells(_, most, bought, least):
            assert 0 < paid <= most
            assert after.wallet[symbols[bought]] - before.wallet[symbols[bought]] == least
        case _:
            raise AssertionError(f"{leaf} is not looked at")


def test_what_calls_to_the_market_and_the_exchange_do_is_what_they_are_read_as(lent: Lent) -> None:
    """Approve, supply, borrow, repay in part, with the supply and whole; withdraw in part and whole; swap."""
    me = lent.owner
    check(lent, lent.approve("WETH", 2 * ETHER, lent.pool), lent.call("supply", "WETH", 2 * ETHER, me, 0))
    check(lent, lent.call("borrow", "USDC", 1_000 * DOLLAR, 2, 0, me))
    check(lent, lent.approve("USDC", 4_000 * DOLLAR, lent.pool), lent.call("repay", "USDC", 700 * DOLLAR, 2, me))
    check(lent, lent.call("repayWithATokens", "USDC", 200 * DOLLAR, 2))
    check(lent, lent.call("withdraw", "WETH", ETHER, me), lent.call("withdraw", "USDC", 2**256 - 1, me))
    check(lent, lent.approve("WETH", ETHER, lent.router), lent.swap(ETHER, 1_500 * DOLLAR))
    lent.world.mint("USDC", me, 20_000 * DOLLAR)
    check(lent, lent.approve("USDC", 12_000 * DOLLAR, lent.pool), lent.call("repay", "USDC", 2**256 - 1, 2, me))
    assert lent.world.debt("USDC", me) == 0


# --- Perp v2 ---------------------------------------------------------------------------------------------------------


def test_what_calls_to_perp_v2_do_is_what_they_are_read_as(world: World) -> None:
    """Margin in and out, a position opened, made smaller, and closed whole."""
    owner = address(world.account(0).address)
    desk = world.perp
    base = address(desk.base)
    world.mint("USDC", owner, 10_000 * DOLLAR)
    index = int(desk.index_price() * WAD)
    coin = see(world, [owner]).deployment.collateral
    moves: list[PerpMove] = [
        AllowMargin(coin, Amount(5_000 * DOLLAR)),
        AddMargin(base, True, coin, Amount(5_000 * DOLLAR)),
        TakeMargin(base, True, coin, Amount(1_000 * DOLLAR)),
        Trade(base, True, WAD, 0, index * 11 // 10),
        Trade(base, True, -WAD // 4, 0, index * 9 // 10),
        Trade(base, True, -WAD * 3 // 4, 0, index * 9 // 10, is_close=True),
    ]
    for move in moves:
        seen = see(world, [owner])
        position = seen.positions[owner]
        call = perp_v2_calls.encode_move(seen.deployment, seen.scopes[owner], move, owner, LATER)
        (leaf,) = leaves(call, perp_v2.decoders(seen.deployment, seen.scopes[owner], position))
        wallet, size = world.balance("USDC", owner), desk.size(owner)
        carried_out(world, owner, call)
        paid, grown = wallet - world.balance("USDC", owner), desk.size(owner) - size
        match leaf:
            case Approves(_, spender, amount):
                assert world.token("USDC").functions.allowance(owner, spender).call() == amount
            case Pays(_, amount):
                assert (paid, grown) == (amount, 0)
            case Takes(_, amount):
                assert (-paid, grown) == (amount, 0)
            case Opens(market, is_long, amount):
                assert (market, is_long, paid, grown) == (base, True, 0, amount)
            case Closes(_, is_long, amount):
                assert (is_long, paid, -grown) == (True, 0, size if amount is None else amount)
            case _:
                raise AssertionError(f"{leaf} is not looked at")
    assert desk.size(owner) == 0
