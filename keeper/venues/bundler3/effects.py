"""What a bundle does, down to its last leaf: the gate's own reading of it, apart from ``calls``, which makes it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from keeper.core.units import BPS, UINT256_MAX, Address, mul_div_up
from keeper.venues.bundler3.deployment import BundlerDeployment
from keeper.venues.codec.calldata import Signature, refuse, signature
from keeper.venues.codec.hashes import keccak
from keeper.venues.effects import (
    Allows,
    Bundles,
    Call,
    Decoder,
    Effect,
    Flow,
    Lends,
    Passes,
    Permits,
    Pulls,
    Redeems,
    Repays,
    Returns,
)
from keeper.venues.ports import Seller

PASSES = "erc20Transfer(address,address,uint256)"
CALLS = "((address,bytes,uint256,bool,bytes32)[])"
_MULTICALL, _REENTER = signature(f"multicall{CALLS}"), signature(f"reenter{CALLS}")
_LOAN = signature("morphoFlashLoan(address,uint256,bytes)")
NOTHING = bytes(32)
VARIABLE = 2
MOST_DEPTH = 2
"""Loans within loans."""

Leaf = Callable[[bytes], tuple[Flow, ...]]
"""What one call's data does. Raises ValueError for what a bundle never does."""


@dataclass(frozen=True, slots=True)
class Reach:
    """What bundles may touch: the market's assets, what stands for a supply of each, and exchanges."""

    receipts: Mapping[Address, Address]
    """Token that stands for a supply → its asset."""
    sellers: Mapping[Address, Seller]
    agents: Mapping[Address, Mapping[str, Callable[..., tuple[Flow, ...]]]] = field(default_factory=dict)
    """Contracts at which an adapter acts for the owner's account: by signature, what calls to them do."""

    @property
    def tokens(self) -> tuple[Address, ...]:
        """Every token that is moved."""
        return (*self.receipts, *self.receipts.values())


def bundle_decoder(at: BundlerDeployment, reach: Reach) -> Decoder:
    """Return what a call to the bundler does."""
    leaves = _leaves(at, reach)

    def decode(call: Call) -> tuple[Effect, ...]:
        if call.data[:4] != _MULTICALL.selector:
            raise ValueError(f"function 0x{call.data[:4].hex()} is not one a keeper calls")
        (calls,) = _MULTICALL.read(call.data)
        found = list(_opened(calls, at, leaves, 0, may_fail=False))
        return (Bundles(tuple(flow for flow, _ in found), tuple(i for i, (_, skips) in enumerate(found) if skips)),)

    return decode


def _opened(
    calls: Sequence[tuple[Any, ...]],
    at: BundlerDeployment,
    leaves: Mapping[Address, Leaf],
    depth: int,
    *,
    may_fail: bool,
) -> Iterator[tuple[Flow, bool]]:
    """Yield what calls do, in their order, each with whether it may fail without a trace."""
    refuse(not calls, "a bundle of nothing")
    for to, data, value, skips, hashed in calls:
        refuse(value != 0, "native currency in a bundle")
        is_skipped = may_fail or skips
        if to == at.general_adapter and data[:4] == _LOAN.selector:
            yield from _loan(data, hashed, at, leaves, depth, may_fail=is_skipped)
            continue
        refuse(hashed != NOTHING, "a call back to the bundler")
        if to not in leaves:
            raise ValueError(f"{to} is not on the list")
        yield from ((flow, is_skipped) for flow in leaves[to](data))


def _loan(
    data: bytes, hashed: bytes, at: BundlerDeployment, leaves: Mapping[Address, Leaf], depth: int, *, may_fail: bool
) -> Iterator[tuple[Flow, bool]]:
    token, amount, inner = _LOAN.read(data)
    refuse(depth >= MOST_DEPTH, "a loan in so many loans")
    refuse(keccak(inner) != hashed, "a loan whose calls are not those that were hashed")
    (calls,) = _REENTER.read(_REENTER.selector + inner)
    yield Lends(token, amount, at.general_adapter), may_fail
    yield from _opened(calls, at, leaves, depth + 1, may_fail=may_fail)
    fee = None if at.market_adapter == at.general_adapter else mul_div_up(amount, at.most_fee, BPS)
    yield Returns(token, amount, at.general_adapter, fee), may_fail


def _leaves(at: BundlerDeployment, reach: Reach) -> Mapping[Address, Leaf]:
    general = _general(at)
    tokens = {token: _leaf(_token(token, at)) for token in reach.tokens}
    exchanges = {to: _exchange(seller, at.bundler) for to, seller in reach.sellers.items()}
    if reach.agents:  # nothing stands for a supply: there is nothing to pull or redeem
        own = {hand: {PASSES: _passes(hand)} for hand in (at.general_adapter, at.market_adapter)}
        acting = {to: {**own.get(to, {}), **reach.agents.get(to, {})} for to in {**own, **reach.agents}}
        return {**exchanges, **{to: _leaf(readers) for to, readers in acting.items()}}
    return {**tokens, **exchanges, at.general_adapter: _leaf(general), at.market_adapter: _leaf(_market(at, reach))}


def _exchange(seller: Seller, payer: Address) -> Leaf:
    return lambda data: seller(payer, data)


def _leaf(readers: Mapping[str, Callable[..., tuple[Flow, ...]]]) -> Leaf:
    """Return what reads calls to one contract: by signature, what its arguments come to."""
    known: dict[bytes, tuple[Signature, Callable[..., tuple[Flow, ...]]]] = {
        found.selector: (found, then) for found, then in ((signature(s), then) for s, then in readers.items())
    }

    def read(data: bytes) -> tuple[Flow, ...]:
        found = known.get(data[:4])
        if found is None:
            raise ValueError(f"function 0x{data[:4].hex()} is not one a bundle calls")
        of, then = found
        return then(*of.read(data))

    return read


def _general(at: BundlerDeployment) -> Mapping[str, Callable[..., tuple[Flow, ...]]]:
    def pulled(token: Address, receiver: Address, amount: int) -> tuple[Flow, ...]:
        return (Pulls(token, _amount(amount), receiver, at.general_adapter),)

    return {
        "erc20Transfer(address,address,uint256)": _passes(at.general_adapter),
        "erc20TransferFrom(address,address,uint256)": pulled,
    }


def _market(at: BundlerDeployment, reach: Reach) -> Mapping[str, Callable[..., tuple[Flow, ...]]]:
    def repaid(token: Address, amount: int, rate: int, owner: Address) -> tuple[Flow, ...]:
        refuse(rate != VARIABLE, f"interest rate mode {rate}")
        return (Repays(token, _amount(amount), at.market_adapter, owner),)

    standing = {asset: token for token, asset in reach.receipts.items()}

    def redeemed(asset: Address, amount: int, receiver: Address) -> tuple[Flow, ...]:
        refuse(asset not in standing, "an asset that is not the market's")
        return (Redeems(asset, standing[asset], _amount(amount), at.market_adapter, receiver),)

    return {
        "erc20Transfer(address,address,uint256)": _passes(at.market_adapter),
        "aaveV3Repay(address,uint256,uint256,address)": repaid,
        "aaveV3Withdraw(address,uint256,address)": redeemed,
    }


def _passes(holder: Address) -> Callable[[Address, Address, int], tuple[Flow, ...]]:
    return lambda token, receiver, amount: (Passes(token, _amount(amount), holder, receiver),)


def _token(token: Address, at: BundlerDeployment) -> Mapping[str, Callable[..., tuple[Flow, ...]]]:
    def approve(spender: Address, amount: int) -> tuple[Flow, ...]:
        return (Allows(token, amount, at.bundler, spender),)

    def permit(owner: Address, spender: Address, amount: int, deadline: int, *_: object) -> tuple[Flow, ...]:
        refuse(spender != at.general_adapter, f"a permit for {spender}")
        return (Permits(token, amount, owner, spender, deadline),)

    return {
        "approve(address,uint256)": approve,
        "permit(address,address,uint256,uint256,uint8,bytes32,bytes32)": permit,
    }


def _amount(amount: int) -> int | None:
    return None if amount == UINT256_MAX else amount
