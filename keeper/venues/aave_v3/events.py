"""What an Aave v3 market's own events say of an account: liquidations, and what went in or out, by whomever.

Source: ``IPool`` (events LiquidationCall, Supply, Withdraw, Borrow, Repay; the account is indexed in each).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from keeper.core.occurrences import Occurrence, What
from keeper.core.units import Address, Amount, decimal_of
from keeper.venues.aave_v3.reserves import AaveReserves
from keeper.venues.codec.abi import address
from keeper.venues.codec.hashes import keccak

WORD = 32


def _topic(signature: str) -> str:
    return "0x" + keccak(text=signature).hex()


LIQUIDATION_CALL = _topic("LiquidationCall(address,address,address,uint256,uint256,address,bool)")
SUPPLY = _topic("Supply(address,address,address,uint256,uint16)")
WITHDRAW = _topic("Withdraw(address,address,address,uint256)")
BORROW = _topic("Borrow(address,address,address,uint256,uint8,uint256,uint16)")
REPAY = _topic("Repay(address,address,address,uint256,bool)")
AMOUNT_AT = {SUPPLY: 1, WITHDRAW: 0, BORROW: 1, REPAY: 0}
"""Event → the word of its data that is the amount."""
WHATS = {SUPPLY: What.SUPPLIED, WITHDRAW: What.WITHDRAWN, BORROW: What.BORROWED, REPAY: What.REPAID}


def account_filters(market: AaveReserves, owner: Address) -> tuple[dict[str, Any], ...]:
    """Return what to ask eth_getLogs for to learn all that changed an account's balances but a transfer."""
    who = "0x" + owner[2:].lower().rjust(64, "0")
    return (
        {"address": market.pool, "topics": [LIQUIDATION_CALL, None, None, who]},
        {"address": market.pool, "topics": [list(WHATS), None, who]},
    )


def occurrences(market: AaveReserves, logs: Sequence[dict[str, Any]]) -> tuple[Occurrence, ...]:
    """Return what the logs say, the oldest first; what cannot be read is left out."""
    ordered = sorted(logs, key=lambda log: (int(log["blockNumber"], 16), int(log["logIndex"], 16)))
    return tuple(found for log in ordered if (found := _occurrence(market, log)) is not None)


def _occurrence(market: AaveReserves, log: dict[str, Any]) -> Occurrence | None:
    topics, data = [str(t) for t in log["topics"]], bytes.fromhex(str(log["data"])[2:])
    block, hash_ = int(log["blockNumber"], 16), str(log["transactionHash"])
    if topics[0] == LIQUIDATION_CALL:
        collateral, debt = (address("0x" + topic[-40:]) for topic in topics[1:3])
        repaid, taken = Amount(_word(data, 0)), Amount(_word(data, 1))
        words = f"{_text(market, taken, collateral)} taken for {_text(market, repaid, debt)} of debt"
        return Occurrence(What.LIQUIDATED, words, block, hash_, moved=((collateral, taken), (debt, repaid)))
    what, at = WHATS.get(topics[0]), AMOUNT_AT.get(topics[0])
    if what is None or at is None:
        return None
    asset, amount = address("0x" + topics[1][-40:]), Amount(_word(data, at))
    return Occurrence(what, f"{_text(market, amount, asset)} {what.value}", block, hash_, moved=((asset, amount),))


def _word(data: bytes, index: int) -> int:
    return int.from_bytes(data[index * WORD : (index + 1) * WORD], "big")


def _text(market: AaveReserves, amount: int, asset: Address) -> str:
    listed = next((x for x in market.listings if x.asset == asset), None)
    if listed is None:
        return f"an amount of {asset}"
    whole, _, part = decimal_of(amount, listed.decimals, min(6, listed.decimals)).partition(".")
    part = part.rstrip("0")
    return f"{int(whole):,}{f'.{part}' if part else ''} {listed.symbol}"
