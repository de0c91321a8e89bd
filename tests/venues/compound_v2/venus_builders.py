"""A market of the Compound v2 family on paper, an account in it, and the answers a chain gives of both."""

from __future__ import annotations

from eth_abi.abi import encode

from keeper.core.lending.position import LendingPosition
from keeper.core.snapshot import BlockRef
from keeper.core.units import WAD, Address
from keeper.venues.codec.abi import address
from keeper.venues.compound_v2.account import V2Account
from keeper.venues.compound_v2.market import V2Listing, V2Market
from keeper.venues.ports import Answer

ETHER, DOLLAR, YEAR = 10**18, 10**6, 10_512_000


def place(number: int) -> Address:
    return address("0x" + f"{number:040x}")


COMPTROLLER, ORACLE, MULTICALL, V_ETHER, V_DOLLAR, V_OWN = (place(n) for n in (0xC1, 0xC2, 0xC3, 0xC4, 0xC5, 0xC6))
EXCHANGE = 2 * 10**26 + 12_345
PRICES = 2000 * 10**18, 10 ** (36 - 6)
INDEX = 1_234_567_890_123_456_789
"""What a debt of 10^18 at the market's beginning has come to."""
TOKENS, OWED = 10 * ETHER * WAD // EXCHANGE, 13_000 * DOLLAR


def a_market(ether: Address, dollars: Address) -> V2Market:
    """Ether against dollars."""
    listings = (
        V2Listing(ether, "WETH", 18, V_ETHER, ORACLE, None, 90_000),
        V2Listing(dollars, "USDC", 6, V_DOLLAR, ORACLE, None, 90_000),
    )
    return V2Market("venus", COMPTROLLER, ORACLE, listings, MULTICALL, YEAR)


def an_account(market: V2Market, owner: Address) -> V2Account:
    return V2Account(market, owner, market.listings)


def words(*values: int) -> bytes:
    return b"".join(value.to_bytes(32, "big") for value in values)


def _asset(tokens: int, owed: int, price: int, factor: int, threshold: int) -> list[bytes]:
    totals = (10**24, 10**23, 10**20, 10**16, 10**9, 10**8)
    head = [words(0, tokens, owed, EXCHANGE), words(price), words(1, factor, 0, threshold, 11 * WAD // 10, 0, 1)]
    own = [words(factor), words(threshold), words(11 * WAD // 10)]
    usual = [*(words(x) for x in totals), words(10**40), *(words(0) for _ in range(4)), *[b""] * 4]
    return [*head, *own, *usual, words(INDEX), words(0)]


def usual_answers(now: int) -> tuple[Answer, ...]:
    """Ten ether at 2,000 dollars that were entered, and 13,000 dollars owed; all of it accrued."""
    factors = (75 * WAD // 100, 80 * WAD // 100)
    owed = PRICES[1] * OWED // WAD
    left, room = ((f * EXCHANGE // WAD) * PRICES[0] // WAD * TOKENS // WAD - owed for f in reversed(factors))
    entered = encode(["address[]"], [[V_ETHER, V_DOLLAR]])
    account = [
        words(now),
        entered,
        words(0, left, 0),
        words(0, room, 0),
        words(11 * WAD // 10),
        words(0),
        words(WAD // 2),
    ]
    assets = _asset(TOKENS, 0, PRICES[0], *factors), _asset(0, OWED, PRICES[1], *factors)
    inside = [words(0), words(0), *account, *(answer for of in assets for answer in of)]
    return (encode(["(bool,bytes)[]"], [[(True, body) for body in inside]]),)


def a_position(market: V2Market, owner: Address, block: BlockRef) -> LendingPosition:
    return an_account(market, owner).probe("mine", block).decode(usual_answers(block.timestamp))
