"""Calldata of Balancer v3's vault; ``effects`` reads it back for the gate.

Source: balancer-v3-monorepo 1.0.0 (``Vault.unlock``, ``sendTo``, ``settle``). ``unlock`` calls its caller back with the
caller's own bytes; when they are done, all that was sent must have been settled, or everything reverts.
"""

from __future__ import annotations

from keeper.core.units import Address, Amount, Wei
from keeper.venues.codec.abi import load
from keeper.venues.ports import Call

_VAULT = load("balancer_v3_vault")
_ERC20 = load("erc20")


def encode_unlock(vault: Address, called_back_with: bytes, purpose: str) -> Call:
    """Return the call that opens the vault for the time of one call back."""
    return Call(vault, _VAULT.unlock.encode(called_back_with), Wei(0), purpose)


def encode_loan(vault: Address, asset: Address, amount: Amount, receiver: Address) -> Call:
    """Return the call that borrows, within an unlock."""
    return Call(vault, _VAULT.sendTo.encode(asset, receiver, amount), Wei(0), "borrow")


def encode_return(vault: Address, asset: Address, amount: Amount) -> tuple[Call, Call]:
    """Return the calls that give a loan back and have it counted."""
    paid = Call(asset, _ERC20.transfer.encode(vault, amount), Wei(0), "give back")
    return paid, Call(vault, _VAULT.settle.encode(asset, amount), Wei(0), "settle")
