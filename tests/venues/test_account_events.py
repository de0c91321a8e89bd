"""What venues' own events say of an account: read strictly, worded with amounts and symbols."""

from __future__ import annotations

from typing import Any

from eth_abi.abi import encode

from keeper.core.occurrences import Occurrence, What, strangers
from keeper.core.units import Address
from keeper.venues.aave_v3.events import BORROW, LIQUIDATION_CALL, REPAY, SUPPLY, WITHDRAW, account_filters, occurrences
from keeper.venues.aave_v3.market import AaveMarket
from keeper.venues.aave_v3.reserves import Listing
from keeper.venues.perp_v2.events import POSITION_CHANGED, POSITION_LIQUIDATED, PerpV2Chronicle
from keeper.venues.perp_v2.markets import PerpV2Deployment, PerpV2Market, PerpV2Scope

OWNER = Address("0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC")
WETH = Address("0x00000000000000000000000000000000000000A1")
USDC = Address("0x00000000000000000000000000000000000000b2")
ANY = Address("0x00000000000000000000000000000000000000C3")
MARKET = AaveMarket(
    ANY,
    ANY,
    10**8,
    (
        Listing(WETH, "WETH", 18, ANY, index=0, a_token=ANY, debt_token=ANY),
        Listing(USDC, "USDC", 6, ANY, index=1, a_token=ANY, debt_token=ANY),
    ),
)


def word(of: str) -> str:
    return "0x" + of[2:].lower().rjust(64, "0")


def log(block: int, index: int, topics: list[str], types: list[str], values: list[Any]) -> dict[str, Any]:
    return {
        "topics": topics,
        "data": "0x" + encode(types, values).hex(),
        "blockNumber": hex(block),
        "logIndex": hex(index),
        "transactionHash": f"0x{block:064x}",
    }


LIQUIDATION = log(
    9, 1, [LIQUIDATION_CALL, word(WETH), word(USDC), word(OWNER)],
    ["uint256", "uint256", "address", "bool"], [4_000 * 10**6, 36 * 10**17, ANY, False],
)  # fmt: skip


def test_a_liquidation_says_what_was_taken_and_what_was_paid() -> None:
    """The order of the chain, whatever the order of the answer."""
    supply = log(
        8, 3, [SUPPLY, word(WETH), word(OWNER), word("0x0")],
        ["address", "uint256"], [OWNER, 10**18],
    )  # fmt: skip
    first, second = occurrences(MARKET, [LIQUIDATION, supply])
    assert (first.what, first.words) == (What.SUPPLIED, "1 WETH supplied")
    assert (second.what, second.words) == (What.LIQUIDATED, "3.6 WETH taken for 4,000 USDC of debt")
    assert second.moved == ((WETH, 36 * 10**17), (USDC, 4_000 * 10**6))


def test_each_kind_of_event_tells_its_amount() -> None:
    """The amount stands elsewhere in each."""
    logs = [
        log(1, 0, [WITHDRAW, word(WETH), word(OWNER), word(ANY)], ["uint256"], [5 * 10**17]),
        log(2, 0, [BORROW, word(USDC), word(OWNER), word("0x0")], ["address", "uint256"], [ANY, 7 * 10**6]),
        log(3, 0, [REPAY, word(USDC), word(OWNER), word(ANY)], ["uint256", "bool"], [123_456, False]),
    ]  # fmt: skip
    assert [o.words for o in occurrences(MARKET, logs)] == [
        "0.5 WETH withdrawn",
        "7 USDC borrowed",
        "0.123456 USDC repaid",
    ]


def test_an_account_is_asked_for_by_its_own_topic() -> None:
    """The user is the third of a liquidation's topics, the second of all others."""
    liquidations, others = account_filters(MARKET, OWNER)
    assert liquidations["topics"][3] == word(OWNER)
    assert others["topics"][2] == word(OWNER)
    assert len(others["topics"][0]) == 4


def test_what_the_venue_forced_is_nobody_s_and_what_we_sent_is_ours() -> None:
    """A liquidation within a transaction of ours is a liquidation."""
    mine = Occurrence(What.WITHDRAWN, "", 1, "0xa")
    theirs = Occurrence(What.WITHDRAWN, "", 1, "0xb")
    stop = Occurrence(What.TRADED, "", 1, "0xc", order="0xkey")
    forced = Occurrence(What.LIQUIDATED, "", 1, "0xa")
    assert strangers((mine, theirs, stop, forced), {"0xa", "0xkey"}) == (theirs, forced)


def test_a_perp_liquidation_is_told_once_and_not_as_a_trade_too() -> None:
    """The ClearingHouse emits both."""
    zero = Address("0x" + "0" * 40)
    market = PerpV2Market(WETH, "ETH", zero, zero, 0, 0, 0, zero, None, zero)
    deployment = PerpV2Deployment(ANY, zero, zero, zero, zero, zero, zero, USDC, "USDC", 6, 900)
    chronicle = PerpV2Chronicle(deployment, PerpV2Scope(OWNER, (market,)))
    changed = ["int256"] * 3 + ["uint256"] + ["int256"] * 2 + ["uint256"]
    trade = log(5, 1, [POSITION_CHANGED, word(OWNER), word(WETH)], ["int256", "int256", "uint256"], [-(10**18), 0, 0])
    second = log(6, 1, [POSITION_CHANGED, word(OWNER), word(WETH)], changed[:2], [2 * 10**18, 0])
    forced = log(
        6, 2, [POSITION_LIQUIDATED, word(OWNER), word(WETH)],
        ["uint256", "uint256", "uint256", "address"], [1, 2 * 10**18, 0, ANY],
    )  # fmt: skip
    first, last = chronicle.stated([forced, second, trade])
    assert first.words.startswith("1.0000 ETH traded in 0x")
    assert (last.what, last.words.partition(" in ")[0]) == (What.LIQUIDATED, "2.0000 ETH liquidated")
    (asked,) = chronicle.asked()
    assert asked["topics"][1] == word(OWNER)
