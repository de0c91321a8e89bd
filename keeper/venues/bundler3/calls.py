"""Calldata of Morpho's Bundler3 and its adapters; ``effects`` reads it back for the gate.

Source: morpho-org/bundler3 (``Bundler3``, ``GeneralAdapter1``, ``AaveV3MigrationAdapter``). A call that is re-entered
names the hash of what it is re-entered with; the bundler refuses every other bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from keeper.core.units import UINT256_MAX, Address, Wei
from keeper.venues.bundler3.deployment import BundlerDeployment
from keeper.venues.codec.abi import load
from keeper.venues.codec.hashes import keccak
from keeper.venues.ports import Call

_BUNDLER = load("bundler3")
_GENERAL = load("bundler3_general_adapter")
_MARKET = load("bundler3_aave_v3_adapter")
NO_CALLBACK = bytes(32)
VARIABLE_RATE = 2
ALL = UINT256_MAX
"""What adapters read as all that they (or, of a pull, the initiator) have."""


@dataclass(frozen=True, slots=True)
class Inner:
    """One call of a bundle."""

    to: Address
    data: bytes
    value: int = 0
    may_fail: bool = False
    callback_hash: bytes = NO_CALLBACK


def encode_bundle(bundler: Address, calls: Sequence[Inner], purpose: str) -> Call:
    """Return the one transaction that makes all calls, or none."""
    return Call(bundler, _BUNDLER.multicall.encode(_tuples(calls)), Wei(0), purpose)


def encode_callback(calls: Sequence[Inner]) -> bytes:
    """Return what a call hands back to the bundler to have these made: ``abi.encode(Call[])``."""
    return _BUNDLER.reenter.encode(_tuples(calls))[4:]


def callback_hash(data: bytes) -> bytes:
    """Return what the call that is re-entered with ``data`` must name."""
    return keccak(data)


def reenter_hash(caller: Address, hashed: bytes) -> bytes:
    """Return what the bundler keeps while it waits to be called back: by whom, and with what."""
    return keccak(bytes.fromhex(caller[2:]) + hashed)


def flash_loan(at: BundlerDeployment, token: Address, amount: int, calls: Sequence[Inner]) -> Inner:
    """Return the call that borrows an amount for the time that these calls take."""
    data = encode_callback(calls)
    encoded = _GENERAL.morphoFlashLoan.encode(token, amount, data)
    return Inner(at.general_adapter, encoded, callback_hash=callback_hash(data))


def pull(at: BundlerDeployment, token: Address, receiver: Address, amount: int) -> Inner:
    """Return the call that moves a token from whoever began the bundle."""
    return Inner(at.general_adapter, _GENERAL.erc20TransferFrom.encode(token, receiver, amount))


def hand_on(adapter: Address, token: Address, receiver: Address, amount: int) -> Inner:
    """Return the call that moves a token out of an adapter; the adapters name it alike."""
    return Inner(adapter, _GENERAL.erc20Transfer.encode(token, receiver, amount))


def repay(at: BundlerDeployment, token: Address, amount: int, owner: Address) -> Inner:
    """Return the call that repays an owner's debt out of the market's adapter: no more than is owed."""
    return Inner(at.market_adapter, _MARKET.aaveV3Repay.encode(token, amount, VARIABLE_RATE, owner))


def redeem(at: BundlerDeployment, token: Address, receiver: Address, amount: int = ALL) -> Inner:
    """Return the call that withdraws what the market's adapter has supplied."""
    return Inner(at.market_adapter, _MARKET.aaveV3Withdraw.encode(token, amount, receiver))


def _tuples(calls: Sequence[Inner]) -> list[tuple[Address, bytes, int, bool, bytes]]:
    return [(c.to, c.data, c.value, c.may_fail, c.callback_hash) for c in calls]
