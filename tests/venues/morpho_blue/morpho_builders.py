"""A market of Morpho Blue on paper, an account in it, and the answers a chain gives of both."""

from __future__ import annotations

from dataclasses import replace

from eth_abi.abi import encode

from keeper.core.lending.position import LendingPosition
from keeper.core.prices import Quoted
from keeper.core.snapshot import BlockRef
from keeper.core.units import USD, WAD, Address, Wad
from keeper.venues.listings import MarketToken
from keeper.venues.morpho_blue.account import MorphoAccount
from keeper.venues.morpho_blue.arithmetic import Totals
from keeper.venues.morpho_blue.market import MorphoMarket, Params
from keeper.venues.ports import Answer, Probe, Read

ETHER, DOLLAR = 10**18, 10**6
ID = "0x" + "5e" * 32


def place(number: int) -> Address:
    return Address("0x" + f"{number:040x}")


BLUE, ORACLE, IRM, MULTICALL = (place(n) for n in (0xB1, 0xB2, 0xB3, 0xB4))
FEED_OF = {"collateral": place(0xB5), "loan": place(0xB6)}


def _dollars(read: Address) -> Probe[tuple[Quoted | None, ...]]:
    def decode(answers: object) -> tuple[Quoted | None, ...]:
        answer: Answer = answers[0]  # type: ignore[index]
        if answer is None or len(answer) != 64:
            return (None,)
        price, updated = (int.from_bytes(answer[i : i + 32], "big") for i in (0, 32))
        return (Quoted(price, updated, 90_000, "a feed"),)

    return Probe((Read(read, b"dollars"),), decode)


def a_market(
    collateral: Address, loan: Address, lltv: str = "0.86", symbols: tuple[str, str] = ("WETH", "USDC")
) -> MorphoMarket:
    """Ether against dollars, priced by two feeds."""
    share = Wad(int(float(lltv) * 10**6) * WAD // 10**6)
    params = Params(loan, collateral, ORACLE, IRM, share)
    first, second = MarketToken(collateral, symbols[0], 18, ORACLE), MarketToken(loan, symbols[1], 6, ORACLE)
    market = MorphoMarket(
        f"morpho_blue {ID}", BLUE, ID, params, (first, second), MULTICALL, (FEED_OF["collateral"],), (FEED_OF["loan"],)
    )
    found = market.with_feeds(dict.fromkeys((collateral, loan)), dict.fromkeys((collateral, loan), 90_000))
    return found.with_dollars(_dollars(FEED_OF["loan"]))


def words(*values: int) -> bytes:
    return b"".join(value.to_bytes(32, "big") for value in values)


def inside(*bodies: bytes | None) -> bytes:
    """What Multicall3 answers of several calls."""
    return encode(["(bool,bytes)[]"], [[(body is not None, body or b"") for body in bodies]])


def answers_of(
    now: int,
    totals: Totals,
    shares: int,
    collateral: int,
    price: int,
    rate_at_target: int | None = WAD // 25 // (365 * 86_400),
    before: Totals | None = None,
    dollars: int = USD,
) -> tuple[Answer, ...]:
    """The answers to an account's reads: the one read, the rounds of two feeds, what the loan is worth."""
    then, after = before or totals, replace(totals, updated=now)
    market = [words(t.supply, t.supply_shares, t.borrow, t.borrow_shares, t.updated, t.fee) for t in (then, after)]
    rate = None if rate_at_target is None else words(rate_at_target)
    one = inside(words(now), market[0], b"", market[1], words(0, shares, collateral), words(price), rate)
    rounds = words(7, price, now - 60, now - 60, 7)
    return (one, rounds, rounds, words(dollars, now - 60))


def usual_totals(now: int) -> Totals:
    """Eight millions of ten are lent out, and have earned a little."""
    return Totals(
        10_000_000 * DOLLAR, 9_900_000 * DOLLAR * 10**6, 8_000_000 * DOLLAR, 7_900_000 * DOLLAR * 10**6, now, 0
    )


def usual_answers(now: int) -> tuple[Answer, ...]:
    """Ten ether at 2,000 dollars, about 13,000 dollars owed."""
    totals = usual_totals(now)
    shares = 13_000 * DOLLAR * totals.borrow_shares // totals.borrow
    return answers_of(now, totals, shares, 10 * ETHER, 2000 * 10 ** (36 + 6 - 18))


def an_account(market: MorphoMarket, owner: Address) -> MorphoAccount:
    return MorphoAccount(market, owner, usual_rate=10**9)


def a_position(market: MorphoMarket, owner: Address, block: BlockRef) -> LendingPosition:
    return an_account(market, owner).probe("mine", block).decode(usual_answers(block.timestamp))
