"""What a hand of the bundler does for an owner, and what he says for it: the gate's reading, apart from ``agency``.

A hand repays by assets, or all by all shares; it takes out an amount. It supplies all collateral that it holds, and
borrows an amount. Nothing is bought or lent by shares otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from keeper.core.units import UINT256_MAX, Address
from keeper.venues.codec.calldata import refuse
from keeper.venues.effects import Deposits, Entrusts, Flow, Owes, Releases, Repays
from keeper.venues.morpho_blue.effects import PARAMS, Params

Readers = Mapping[str, Callable[..., tuple[Flow, ...]]]


def agent_leaves(agent: Address, market: Params) -> Readers:
    """Return what calls to the agent do in one market."""
    loan, collateral = market[0], market[1]

    def repaid(params: Params, assets: int, shares: int, most: int, owner: Address, data: bytes) -> tuple[Flow, ...]:
        refuse(params != market, "another market")
        refuse(data != b"", "a callback")
        refuse(most != UINT256_MAX, "a bound on a share's price")
        refuse((assets, shares) != (0, UINT256_MAX) and (shares != 0 or assets in (0, UINT256_MAX)), "a repayment")
        return (Repays(loan, assets or None, agent, owner),)

    def released(params: Params, assets: int, receiver: Address) -> tuple[Flow, ...]:
        refuse(params != market, "another market")
        refuse(assets in (0, UINT256_MAX), "collateral without an amount")
        return (Releases(collateral, assets, receiver, agent),)

    def supplied(params: Params, assets: int, owner: Address, data: bytes) -> tuple[Flow, ...]:
        refuse(params != market, "another market")
        refuse(data != b"", "a callback")
        refuse(assets != UINT256_MAX, "a part of the collateral that a hand has")
        return (Deposits(collateral, agent, owner),)

    def borrowed(params: Params, assets: int, shares: int, least: int, receiver: Address) -> tuple[Flow, ...]:
        refuse(params != market, "another market")
        refuse((shares, least) != (0, 0), "a loan by shares")
        refuse(assets in (0, UINT256_MAX), "a loan without an amount")
        return (Owes(loan, assets, receiver, agent),)

    return {
        f"morphoSupplyCollateral({PARAMS},uint256,address,bytes)": supplied,
        f"morphoBorrow({PARAMS},uint256,uint256,uint256,address)": borrowed,
        f"morphoRepay({PARAMS},uint256,uint256,uint256,address,bytes)": repaid,
        f"morphoWithdrawCollateral({PARAMS},uint256,address)": released,
    }


def word_leaves(agent: Address) -> Readers:
    """Return what a call to the contract does within a bundle: it takes the owner's word about the one agent."""

    def said(word: tuple[Address, Address, bool, int, int], signature: Any) -> tuple[Flow, ...]:
        owner, about, is_on, _, deadline = word
        del signature
        refuse(about != agent, f"a word about {about}")
        return (Entrusts(about, is_on, owner, deadline),)

    return {"setAuthorizationWithSig((address,address,bool,uint256,uint256),(uint8,bytes32,bytes32))": said}
