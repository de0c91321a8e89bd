"""The bank's functions, as the venue calls and reads them."""

from __future__ import annotations

from typing import Any

from keeper.venues.codec.abi import Abi


def _function(name: str, inputs: tuple[str, ...] = (), outputs: tuple[str, ...] = ()) -> dict[str, Any]:
    return {
        "type": "function",
        "name": name,
        "inputs": [{"type": kind} for kind in inputs],
        "outputs": [{"type": kind} for kind in outputs],
    }


BANK = Abi(
    [
        *(_function(name, ("uint256", "address")) for name in ("supply", "withdraw", "borrow", "repay")),
        *(_function(n, (), ("address",)) for n in ("collateral", "debt", "collateralPrice", "debtPrice")),
        _function("account", ("address",), ("uint256", "uint256", "uint256")),
    ]
)
