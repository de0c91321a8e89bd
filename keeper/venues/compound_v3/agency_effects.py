"""What the bundler's adapter does in a Comet, and what an owner says for it: the gate's reading, apart from ``agency``.

It repays with all that it has, which is no more than is owed: of an amount a part could become a supply.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from keeper.core.units import UINT256_MAX, Address
from keeper.venues.codec.calldata import refuse
from keeper.venues.effects import Entrusts, Flow, Releases, Repays

Readers = Mapping[str, Callable[..., tuple[Flow, ...]]]


def adapter_leaves(agent: Address, comet: Address, base: Address, collaterals: Collection[Address]) -> Readers:
    """Return what calls to the adapter do in one market."""

    def repaid(instance: Address, amount: int, owner: Address) -> tuple[Flow, ...]:
        refuse(instance != comet, "another market")
        refuse(amount != UINT256_MAX, "a repayment of which a part may become a supply")
        return (Repays(base, None, agent, owner),)

    def released(instance: Address, asset: Address, amount: int, receiver: Address) -> tuple[Flow, ...]:
        refuse(instance != comet, "another market")
        refuse(asset not in collaterals, f"{asset}, which is no collateral,")
        refuse(amount in (0, UINT256_MAX), "collateral without an amount")
        return (Releases(asset, amount, receiver, agent),)

    return {
        "compoundV3Repay(address,uint256,address)": repaid,
        "compoundV3WithdrawFrom(address,address,uint256,address)": released,
    }


def word_leaves(agent: Address) -> Readers:
    """Return what a call to the market does within a bundle: it takes the owner's word about the one agent."""

    def said(
        owner: Address, about: Address, is_on: bool, _nonce: int, deadline: int, *signature: object
    ) -> tuple[Flow, ...]:
        del signature
        refuse(about != agent, f"a word about {about}")
        return (Entrusts(about, is_on, owner, deadline),)

    return {"allowBySig(address,address,bool,uint256,uint256,uint8,bytes32,bytes32)": said}
