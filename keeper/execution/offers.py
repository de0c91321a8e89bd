"""What may be offered for what is to be signed, or is signed already: within the ceiling, and what the signer has."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from keeper.chain.tolls import Toll
from keeper.core.units import Wei
from keeper.execution.course import SendFailedError
from keeper.execution.dispatch import Outgoing, fees_of
from keeper.execution.pricing import Demands, NoOffer, Offer, Pricing, Purse
from keeper.journal import Transaction


class Offers:
    """One signer's offers. ``nothing`` is the transfer that takes a row's nonce."""

    def __init__(self, pricing: Pricing, nothing: Callable[[Transaction], Outgoing]) -> None:
        self._pricing = pricing
        self._nothing = nothing

    async def quote(self, ceiling: Wei | None, rows: Sequence[Transaction], asked: Demands) -> Offer | NoOffer:
        """Return what may be offered for rows that are signed already. Raises NodeError."""
        market, balance = await self._pricing.ready()
        gas, sizes = sum(row.gas_limit for row in rows), [len(row.data) // 2 for row in rows]
        beside = Wei(sum(row.value for row in rows) + sum(market.toll.wei_for(size) for size in sizes))
        return self._pricing.at(market, ceiling, self._pricing.purse(balance, gas, beside), asked)

    async def offer(
        self, ceiling: Wei | None, outgoing: Sequence[Outgoing], pending: Sequence[Transaction]
    ) -> tuple[Offer, Sequence[Outgoing]]:
        """Return fees within the ceiling and the balance, and enough to replace what is pending.

        Returns what is to be signed as well: with the gas that a rollup charges for its parent chain. Raises
        SendFailedError, NodeError.
        """
        market, balance = await self._pricing.ready()
        outgoing = tolled(outgoing, market.toll)
        leftovers = [self._nothing(row) for row in pending[len(outgoing) :]]
        purse = self.purse(balance, [*outgoing, *leftovers], market.toll)
        offer = self._pricing.at(market, ceiling, purse, Demands(over=tuple(fees_of(row) for row in pending)))
        if isinstance(offer, NoOffer):
            raise SendFailedError(offer.reason, offer.detail)
        return offer, outgoing

    def purse(self, balance: Wei, outgoing: Sequence[Outgoing], toll: Toll) -> Purse:
        """Return what there is to pay with, beside what the calls themselves carry."""
        gas = sum(item.gas_limit for item in outgoing)
        beside = sum(item.call.value + toll.wei_for(len(item.call.data)) for item in outgoing)
        return self._pricing.purse(balance, gas, Wei(beside))


def tolled(outgoing: Sequence[Outgoing], toll: Toll) -> Sequence[Outgoing]:
    """Return calls with the gas that a rollup charges for its parent chain on top of what they use."""
    if not toll.gas:
        return outgoing
    return [replace(item, gas_limit=item.gas_limit + toll.gas_for(len(item.call.data))) for item in outgoing]
