"""Permits in the place of approvals: the owner's signature inside the one call that uses it up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from keeper.core.units import Address
from keeper.execution.signer import Signs
from keeper.venues.contracts.permit import PermitTerms
from keeper.venues.ports import Mandate, MandateTerms, Permit


class NoPermitError(ValueError):
    """A permit is wanted, and there can be none."""


@dataclass(frozen=True, slots=True)
class PermitSigner:
    """Who signs, and what each token makes of the next permit of his."""

    signer: Signs = field(repr=False)
    terms: Mapping[Address, PermitTerms]
    """By token."""
    trust: MandateTerms | None = None
    """What the market makes of his next words, where somebody acts for all of an account."""
    used: int = 0
    """Permits of the same token that go before."""

    def past(self, used: int) -> PermitSigner:
        """Return who signs the permit that comes after so many others of its token."""
        return replace(self, used=used)

    def words(self, agent: Address, deadline: int) -> tuple[Mandate, Mandate]:
        """Return the owner's two words: an agent may act for his account, and may no more. Raises NoPermitError."""
        terms = self.trust
        if terms is None or terms.owner != self.signer.address:
            raise NoPermitError(f"the market takes no word of {self.signer.address} about {agent}")
        first = terms.nonce + 2 * self.used
        on = self.signer.sign_mandate(terms, Mandate(terms.owner, agent, True, first, deadline))
        off = self.signer.sign_mandate(terms, Mandate(terms.owner, agent, False, first + 1, deadline))
        return on, off

    def of(self, token: Address, spender: Address, amount: int, deadline: int) -> Permit:
        """Return a permit for exactly so much, void after the deadline. Raises NoPermitError."""
        terms = self.terms.get(token)
        if terms is None or terms.owner != self.signer.address:
            raise NoPermitError(f"{token} takes no permit of {self.signer.address}")
        return self.signer.sign_permit(replace(terms, nonce=terms.nonce + self.used), spender, amount, deadline)
