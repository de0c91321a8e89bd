"""What Perp v2's own events say of an account's positions: trades and liquidations, by whomever.

Source: ``IClearingHouseEvent`` (PositionChanged, PositionLiquidated; trader and base token are indexed).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from keeper.core.occurrences import Occurrence, What
from keeper.core.units import decimal_of
from keeper.venues.codec.abi import address
from keeper.venues.codec.hashes import keccak
from keeper.venues.perp_v2.markets import PerpV2Deployment, PerpV2Scope

_CHANGED = "PositionChanged(address,address,int256,int256,uint256,int256,int256,uint256)"
POSITION_CHANGED = "0x" + keccak(text=_CHANGED).hex()
POSITION_LIQUIDATED = "0x" + keccak(text="PositionLiquidated(address,address,uint256,uint256,uint256,address)").hex()
WORD = 32


@dataclass(frozen=True, slots=True)
class PerpV2Chronicle:
    """The ClearingHouse's events about one account."""

    deployment: PerpV2Deployment
    scope: PerpV2Scope

    def asked(self) -> tuple[dict[str, Any], ...]:
        """Return the request for every trade and liquidation of the account."""
        who = "0x" + self.scope.owner[2:].lower().rjust(64, "0")
        topics = [[POSITION_CHANGED, POSITION_LIQUIDATED], who]
        return ({"address": self.deployment.clearing_house, "topics": topics},)

    def stated(self, logs: Sequence[dict[str, Any]]) -> tuple[Occurrence, ...]:
        """Return what they say, the oldest first; the trade that is a liquidation is reported as one."""
        ordered = sorted(logs, key=lambda log: (int(log["blockNumber"], 16), int(log["logIndex"], 16)))
        found = [self._occurrence(log) for log in ordered]
        forced = {o.transaction for o in found if o.what is What.LIQUIDATED}
        return tuple(o for o in found if o.what is What.LIQUIDATED or o.transaction not in forced)

    def _occurrence(self, log: dict[str, Any]) -> Occurrence:
        topics, data = [str(t) for t in log["topics"]], bytes.fromhex(str(log["data"])[2:])
        is_liquidation = topics[0] == POSITION_LIQUIDATED
        at = 1 if is_liquidation else 0
        size = int.from_bytes(data[at * WORD : (at + 1) * WORD], "big", signed=not is_liquidation)
        base = address("0x" + topics[2][-40:])
        symbol = next((m.symbol for m in self.scope.markets if m.base_token == base), "of another market")
        what, hash_ = What.LIQUIDATED if is_liquidation else What.TRADED, str(log["transactionHash"])
        words = f"{decimal_of(abs(size), 18, 4)} {symbol} {what.value} in {hash_}"
        return Occurrence(what, words, int(log["blockNumber"], 16), hash_)
