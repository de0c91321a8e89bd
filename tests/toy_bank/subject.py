"""What the conformance suite has to be given of the bank: what it makes and must be read back as, and one reading."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from keeper.core.lending.moves import Borrow, MarketMove, Repay, Supply, Withdraw
from keeper.core.lending.position import LendingPosition
from keeper.core.snapshot import BlockRef
from keeper.core.units import UINT256_MAX, Address, Amount, Wei
from keeper.venues.effects import Borrows, Call, Effect, Pays, Takes
from keeper.venues.listings import MarketToken
from keeper.venues.ports import Answer, Probe
from toy_bank.account import ToyAccount
from toy_bank.market import ToyMarket
from toy_bank.model import ToyModel

ETHER, USD = 10**18, 10**8
amounts = st.integers(1, 2**200).map(Amount)


def market_of(bank: Address, ether: Address, dollar: Address, feeds: tuple[Address, Address]) -> ToyMarket:
    """A bank that takes ether and lends dollars."""
    listings = MarketToken(ether, "WETH", 18, feeds[0]), MarketToken(dollar, "USDC", 6, feeds[1])
    return ToyMarket("toy", bank, listings)


def made_of(market: ToyMarket, owner: Address, signer: Address) -> st.SearchStrategy[tuple[Call, tuple[Effect, ...]]]:
    """Every move for the owner's account, and by hand what it must be read back as."""
    ether, dollar = (x.asset for x in market.listings)

    def made(move: MarketMove, *effects: Effect) -> tuple[Call, tuple[Effect, ...]]:
        return market.encode(move, empty(owner), signer), effects

    def each(amount: Amount) -> list[tuple[Call, tuple[Effect, ...]]]:
        return [
            made(Supply(ether, amount), Pays(ether, amount, owner, market.bank)),
            made(Repay(dollar, amount), Pays(dollar, amount, owner, market.bank)),
            made(Repay(dollar, amount, is_all=True), Pays(dollar, None, owner, market.bank)),
            made(Withdraw(ether, amount), Takes(ether, amount, owner)),
            made(Withdraw(ether, None), Takes(ether, None, owner)),
            made(Borrow(dollar, amount), Borrows(dollar, amount, owner)),
        ]

    return amounts.map(each).flatmap(st.sampled_from)


def empty(owner: Address) -> LendingPosition:
    """An account in the bank: of it only the owner matters to a call."""
    block, figures = BlockRef(1, 1, "0x", "0x", 0, Wei(0)), ToyModel().figures(())
    return LendingPosition("mine", "toy_bank", owner, block, (), ToyModel(), figures)


def reading_of(
    market: ToyMarket, owner: Address, now: int
) -> tuple[Callable[[BlockRef], Probe[Any]], tuple[Answer, ...]]:
    """Ten ether at 2,000 dollars, 13,000 dollars owed: the probe at a block, and what a chain answers."""
    account = ToyAccount(market, owner)
    value, owed = 20_000 * USD, 13_000 * USD
    health = value * (80 * ETHER // 100) // owed
    rounds = _words(1, 2000 * USD, now, now, 1)
    answers: tuple[Answer, ...] = (
        _words(10 * ETHER, 13_000 * 10**6, health),
        _words(10**24),
        _words(10**13),
        _words(2000 * USD),
        _words(USD),
        rounds,
        rounds,
    )
    return (lambda block: account.probe("mine", block)), answers


def _words(*values: int) -> bytes:
    assert all(0 <= value <= UINT256_MAX for value in values)
    return b"".join(value.to_bytes(32, "big") for value in values)
