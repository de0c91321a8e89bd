"""What a Comet's own events say of an account: absorptions, and what went in or out, by whomever.

Source: ``CometMainInterface`` (AbsorbDebt, AbsorbCollateral, Supply, Withdraw, SupplyCollateral, WithdrawCollateral).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from keeper.core.occurrences import Occurrence, What
from keeper.core.units import Address, Amount, decimal_of
from keeper.venues.codec.abi import address
from keeper.venues.codec.hashes import keccak

if TYPE_CHECKING:
    from keeper.venues.compound_v3.market import CometMarket


def _topic(signature: str) -> str:
    return "0x" + keccak(text=signature).hex()


ABSORB_DEBT = _topic("AbsorbDebt(address,address,uint256,uint256)")
ABSORB_COLLATERAL = _topic("AbsorbCollateral(address,address,address,uint256,uint256)")
SUPPLY = _topic("Supply(address,address,uint256)")
SUPPLY_COLLATERAL = _topic("SupplyCollateral(address,address,address,uint256)")
WITHDRAW = _topic("Withdraw(address,address,uint256)")
WITHDRAW_COLLATERAL = _topic("WithdrawCollateral(address,address,address,uint256)")
WHATS = {
    SUPPLY: What.REPAID,
    SUPPLY_COLLATERAL: What.SUPPLIED,
    WITHDRAW: What.BORROWED,
    WITHDRAW_COLLATERAL: What.WITHDRAWN,
}


@dataclass(frozen=True, slots=True)
class CometChronicle:
    """What the market's events say of an account."""

    market: CometMarket
    owner: Address

    def asked(self) -> tuple[dict[str, Any], ...]:
        """Return what to ask eth_getLogs for."""
        who, at = "0x" + self.owner[2:].lower().rjust(64, "0"), self.market.comet
        into = [ABSORB_DEBT, ABSORB_COLLATERAL, SUPPLY, SUPPLY_COLLATERAL]
        return (
            {"address": at, "topics": [into, None, who]},
            {"address": at, "topics": [[WITHDRAW, WITHDRAW_COLLATERAL], who]},
        )

    def stated(self, logs: Sequence[dict[str, Any]]) -> tuple[Occurrence, ...]:
        """Return what happened, the oldest first."""
        ordered = sorted(logs, key=lambda log: (int(log["blockNumber"], 16), int(log["logIndex"], 16)))
        return tuple(found for log in ordered if (found := self._occurrence(log)) is not None)

    def _occurrence(self, log: dict[str, Any]) -> Occurrence | None:
        topics, data = [str(t) for t in log["topics"]], bytes.fromhex(str(log["data"])[2:])
        place = int(log["blockNumber"], 16), str(log["transactionHash"])
        amount = Amount(int.from_bytes(data[:32], "big"))
        asset = address("0x" + topics[3][-40:]) if len(topics) > 3 else self.market.base
        text = self._text(amount, asset)
        if topics[0] == ABSORB_DEBT:
            words = f"the debt of {text} was paid with all collateral"
            return Occurrence(What.LIQUIDATED, words, *place, moved=((asset, amount),))
        if topics[0] == ABSORB_COLLATERAL:
            return Occurrence(What.LIQUIDATED, f"{text} taken", *place, moved=((asset, amount),))
        what = WHATS.get(topics[0])
        return what and Occurrence(what, f"{text} {what.value}", *place, moved=((asset, amount),))

    def _text(self, amount: int, asset: Address) -> str:
        listed = next((x for x in self.market.listings if x.asset == asset), None)
        if listed is None:
            return f"an amount of {asset}"
        whole, _, part = decimal_of(amount, listed.decimals, min(6, listed.decimals)).partition(".")
        part = part.rstrip("0")
        return f"{int(whole):,}{f'.{part}' if part else ''} {listed.symbol}"
