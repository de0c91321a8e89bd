"""What calls to a token and to the batch account do: the gate's own reading of them, apart from what makes them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from keeper.core.units import Address, Wei
from keeper.venues.codec.calldata import decoder, refuse
from keeper.venues.effects import Approves, Call, Decoder, Effect, GivesBack, Nested


def token_decoders(
    assets: Collection[Address], spenders: Collection[Address], lenders: Collection[Address] = ()
) -> Mapping[Address, Decoder]:
    """Return what calls to tokens do: they approve one of the spenders, or give a lender back what it lent."""
    return {asset: _token(asset, frozenset(spenders), frozenset(lenders)) for asset in assets}


def either(first: Decoder, then: Decoder | None) -> Decoder:
    """Return what reads a call by one decoder, and by another where that one does not know it."""
    if then is None:
        return first

    def decode(call: Call) -> tuple[Effect, ...]:
        try:
            return first(call)
        except ValueError:
            return then(call)

    return decode


def batch_decoder() -> Decoder:
    """Return what a call to a batch account does (ERC-7821's elder, ``Simple7702Account``): other calls, in order."""
    return decoder({"executeBatch((address,uint256,bytes)[])": _batch})


def _token(asset: Address, spenders: frozenset[Address], lenders: frozenset[Address]) -> Decoder:
    def approve(spender: Address, amount: int) -> tuple[Effect, ...]:
        if spender not in spenders:
            raise ValueError(f"{spender} may not be approved")
        return (Approves(asset, spender, amount),)

    def transfer(receiver: Address, amount: int) -> tuple[Effect, ...]:
        if receiver not in lenders:
            raise ValueError(f"{receiver} lends nothing that could go back")
        return (GivesBack(asset, amount, receiver),)

    given_back = {"transfer(address,uint256)": transfer} if lenders else {}
    return decoder({"approve(address,uint256)": approve, **given_back})


def _batch(calls: Sequence[tuple[Address, int, bytes]]) -> tuple[Effect, ...]:
    refuse(not calls, "a batch of nothing")
    return tuple(Nested(Call(to, data, Wei(value), "in a batch")) for to, value, data in calls)
