"""What Morpho Blue's own events say of an account in one market: liquidations, and what went in or out, by whomever.

Source: ``EventsLib`` (SupplyCollateral, WithdrawCollateral, Borrow, Repay, Liquidate). Each names market and account.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from keeper.core.occurrences import Occurrence, What
from keeper.core.units import Address, Amount, decimal_of
from keeper.venues.codec.hashes import keccak

if TYPE_CHECKING:
    from keeper.venues.listings import MarketToken
    from keeper.venues.morpho_blue.market import MorphoMarket

WORD = 32


def _topic(signature: str) -> str:
    return "0x" + keccak(text=signature).hex()


SUPPLY = _topic("SupplyCollateral(bytes32,address,address,uint256)")
WITHDRAW = _topic("WithdrawCollateral(bytes32,address,address,address,uint256)")
BORROW = _topic("Borrow(bytes32,address,address,address,uint256,uint256)")
REPAY = _topic("Repay(bytes32,address,address,uint256,uint256)")
LIQUIDATE = _topic("Liquidate(bytes32,address,address,uint256,uint256,uint256,uint256,uint256)")
BEHIND_CALLER = (SUPPLY, REPAY, LIQUIDATE)
"""Events whose third topic is the account; of the others it is the second, for their caller is not indexed."""
MOVES = {SUPPLY: (What.SUPPLIED, 0), WITHDRAW: (What.WITHDRAWN, 1), BORROW: (What.BORROWED, 1), REPAY: (What.REPAID, 0)}
"""Event → what happened, and the word of its data that is the amount."""


@dataclass(frozen=True, slots=True)
class MorphoChronicle:
    """What the contract's events say of an account."""

    market: MorphoMarket
    owner: Address

    def asked(self) -> tuple[dict[str, Any], ...]:
        """Return what to ask eth_getLogs for."""
        who, id_ = "0x" + self.owner[2:].lower().rjust(64, "0"), self.market.id
        return (
            {"address": self.market.blue, "topics": [list(BEHIND_CALLER), id_, None, who]},
            {"address": self.market.blue, "topics": [[WITHDRAW, BORROW], id_, who]},
        )

    def stated(self, logs: Sequence[dict[str, Any]]) -> tuple[Occurrence, ...]:
        """Return what happened, the oldest first."""
        ordered = sorted(logs, key=lambda log: (int(log["blockNumber"], 16), int(log["logIndex"], 16)))
        return tuple(found for log in ordered if (found := self._occurrence(log)) is not None)

    def _occurrence(self, log: dict[str, Any]) -> Occurrence | None:
        topic, data = str(log["topics"][0]), bytes.fromhex(str(log["data"])[2:])
        place = int(log["blockNumber"], 16), str(log["transactionHash"])
        collateral, loan = self.market.listings
        if topic == LIQUIDATE:
            repaid, taken, bad = (_word(data, i) for i in (0, 2, 3))
            words = f"{_text(taken, collateral)} taken for {_text(repaid, loan)} of debt"
            words += f"; {_text(bad, loan)} of debt were written off, nothing is left" if bad else ""
            moved = (collateral.asset, Amount(taken)), (loan.asset, Amount(repaid))
            return Occurrence(What.LIQUIDATED, words, *place, moved=moved)
        if topic not in MOVES:
            return None
        what, at = MOVES[topic]
        of = loan if topic in (BORROW, REPAY) else collateral
        amount = Amount(_word(data, at))
        return Occurrence(what, f"{_text(amount, of)} {what.value}", *place, moved=((of.asset, amount),))


def _word(data: bytes, index: int) -> int:
    return int.from_bytes(data[index * WORD : (index + 1) * WORD], "big")


def _text(amount: int, listing: MarketToken) -> str:
    whole, _, part = decimal_of(amount, listing.decimals, min(6, listing.decimals)).partition(".")
    part = part.rstrip("0")
    return f"{int(whole):,}{f'.{part}' if part else ''} {listing.symbol}"
