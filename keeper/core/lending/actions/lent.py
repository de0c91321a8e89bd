"""Who lends what of one loan, and what that costs: the cheapest first, each as much as it has."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from keeper.core.lending.figures import Fee, no_fee
from keeper.core.lending.pairs import Pair
from keeper.core.lending.proposals import LoanOffer
from keeper.core.units import WAD, Address, Amount


def several(pair: Pair, offers: Sequence[LoanOffer]) -> tuple[LoanOffer, ...]:
    """Return who lends anything of the debt's asset, the cheapest first, then the largest; permits are for one loan."""
    owed = pair.buy.asset
    lending_it = [
        replace(offer, takes_permits=False)
        for offer in offers
        if offer.there.get(owed) and not offer.is_dear(owed, offer.there[owed])
    ]
    return tuple(sorted(lending_it, key=lambda o: (o.fee(owed, o.there[owed]) * WAD // o.there[owed], -o.there[owed])))


def lent(offers: Sequence[LoanOffer], asset: Address, amount: int) -> Iterator[tuple[LoanOffer, Amount, Amount]]:
    """Yield what each lends of an amount, in their order, and its fee."""
    for offer in offers:
        part = min(amount, offer.there.get(asset, Amount(0)))
        if part:
            yield offer, Amount(part), offer.fee(asset, part)
            amount -= part


def fee_of(offers: Sequence[LoanOffer], asset: Address) -> Fee:
    """Return what loans of an asset cost in all, by how much is lent."""
    if not any(asset in offer.fees for offer in offers):
        return no_fee
    return lambda amount: sum(fee for _, _, fee in lent(offers, asset, amount))


def dearest_fee(offers: Sequence[LoanOffer], asset: Address) -> Fee:
    """Return the most that a loan of an asset costs at any lender that is not too dear."""
    asking = [offer for offer in offers if asset in offer.fees]
    if not asking:
        return no_fee
    return lambda amount: max((o.fee(asset, amount) for o in asking if not o.is_dear(asset, amount)), default=0)


def too_dear(offers: Sequence[LoanOffer], asset: Address, amount: int) -> str:
    """Return who asks more than its owner has it cost, in words; nothing where nobody does."""
    parts = [(o.lender, fee, part) for o, part, fee in lent(offers, asset, amount) if o.is_dear(asset, part)]
    return ", ".join(f"{name} asks {fee} for {part}" for name, fee, part in parts)
