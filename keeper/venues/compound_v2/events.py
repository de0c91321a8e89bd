"""What the tokens' own events say of an account. None of their arguments is indexed, so all of a token's are read.

Source: ``VTokenInterfaces`` (LiquidateBorrow, RepayBorrow, Borrow, Mint, Redeem), ``CErc20`` alike.
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
    from keeper.venues.compound_v2.market import V2Listing


def _topic(signature: str) -> str:
    return "0x" + keccak(text=signature).hex()


LIQUIDATED = _topic("LiquidateBorrow(address,address,uint256,address,uint256)")
WHATS: dict[str, tuple[What, int, int]] = {
    LIQUIDATED: (What.LIQUIDATED, 1, 2),
    _topic("RepayBorrow(address,address,uint256,uint256,uint256)"): (What.REPAID, 1, 2),
    _topic("Borrow(address,uint256,uint256,uint256)"): (What.BORROWED, 0, 1),
    _topic("Mint(address,uint256,uint256,uint256)"): (What.SUPPLIED, 0, 1),
    _topic("MintBehalf(address,address,uint256,uint256,uint256)"): (What.SUPPLIED, 1, 2),
    _topic("Redeem(address,uint256,uint256,uint256)"): (What.WITHDRAWN, 0, 1),
}
"""Topic → what happened, in which word the account stands, and in which how much of the token's asset."""


@dataclass(frozen=True, slots=True)
class V2Chronicle:
    """What the tokens that matter to an account say of it."""

    listings: tuple[V2Listing, ...]
    owner: Address

    def asked(self) -> tuple[dict[str, Any], ...]:
        """Return what to ask eth_getLogs for."""
        return ({"address": [x.token for x in self.listings], "topics": [list(WHATS)]},)

    def stated(self, logs: Sequence[dict[str, Any]]) -> tuple[Occurrence, ...]:
        """Return what happened, the oldest first."""
        ordered = sorted(logs, key=lambda log: (int(log["blockNumber"], 16), int(log["logIndex"], 16)))
        return tuple(found for log in ordered if (found := self._occurrence(log)) is not None)

    def _occurrence(self, log: dict[str, Any]) -> Occurrence | None:
        data, topic = bytes.fromhex(str(log["data"])[2:]), str(log["topics"][0])
        words = [data[i : i + 32] for i in range(0, len(data), 32)]
        known, token = WHATS.get(topic), address(str(log["address"]))
        listed = next((x for x in self.listings if x.token == token), None)
        if known is None or listed is None or len(words) <= known[2]:
            return None
        what, who, place = known
        if address("0x" + words[who][-20:].hex()) != self.owner:
            return None
        amount = Amount(int.from_bytes(words[place], "big"))
        text = f"{decimal_of(amount, listed.decimals, min(6, listed.decimals))} {listed.symbol} "
        told = text + ("repaid by a liquidator" if topic == LIQUIDATED else what.value)
        place_of = int(log["blockNumber"], 16), str(log["transactionHash"])
        return Occurrence(what, told, *place_of, moved=((listed.asset, amount),))
