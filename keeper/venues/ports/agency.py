"""How somebody acts for all of an owner's account at a market where supplies are no tokens that could be approved.

It is all or nothing: who may act may take everything that is there. So it is given for one plan and taken back within
it: by two signatures inside the one call that needs them, or by calls of the owner's own before and after.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Protocol

from keeper.core.lending.position import LendingPosition
from keeper.core.units import Address, Amount
from keeper.venues.effects import Call, Decoder, Flow
from keeper.venues.ports.reads import Probe, Read

Leaf = Callable[[bytes], tuple[Flow, ...]]
"""What one call within a bundle does, by its data. Raises ValueError for what a keeper never sends."""


@dataclass(frozen=True, slots=True)
class Mandate:
    """An owner's signature that an agent may act for his account, or no more, until a deadline."""

    owner: Address
    agent: Address
    is_on: bool
    nonce: int
    deadline: int
    v: int = 0
    r: bytes = b""
    s: bytes = b""


class MandateTerms(Protocol):
    """What a market makes of an owner's next words: the domain is reckoned here, and only the number is read."""

    @property
    def owner(self) -> Address:
        """Whose words they are."""

    @property
    def nonce(self) -> int:
        """The number that the next one uses up."""

    def digest(self, word: Mandate) -> bytes:
        """Return what is signed (EIP-712)."""


class Agency(Protocol):
    """How an agent acts at one market, and how an owner lets it."""

    @property
    def at(self) -> Address:
        """The contract that is asked whether somebody may."""

    def agent(self, general: Address, lender: Address, adapter: Address | None) -> Address | None:
        """Return which of a lender's hands acts here for whoever began its call; None where none of them can."""

    def encode(self, agent: Address, *, is_on: bool) -> Call:
        """Return the owner's own call that lets an agent act, or no more."""

    def standing_probe(self, owner: Address, agent: Address) -> Probe[Amount]:
        """Return the probe of whether an agent may act now: 1 or 0."""

    def nonce_read(self, owner: Address) -> Read:
        """Return the read of how many of an owner's words were used up."""

    def terms_probe(self, owner: Address, chain_id: int) -> Probe[MandateTerms | None]:
        """Return the probe of what an owner's words need; None where the market does not say."""

    def encode_mandate(self, word: Mandate) -> tuple[Address, bytes]:
        """Return whom a word is given to, and with what."""

    def encode_repay(self, amount: int, position: LendingPosition) -> bytes:
        """Return the agent's call that repays so much of the owner's debt, or all of it where no less is owed."""

    def encode_release(self, asset: Address, amount: int, receiver: Address) -> bytes:
        """Return the agent's call that takes collateral out of the account of whoever began."""

    @property
    def raises_debt(self) -> bool:
        """Whether the agent can supply for the owner and borrow in his name."""

    def encode_supply(self, position: LendingPosition) -> bytes:
        """Return the agent's call that supplies all collateral that it holds for the owner. Raises ValueError."""

    def encode_borrow(self, amount: int, receiver: Address) -> bytes:
        """Return the agent's call that borrows in the name of whoever began. Raises ValueError."""

    def leaves(self, agent: Address) -> Mapping[Address, Mapping[str, Callable[..., tuple[Flow, ...]]]]:
        """Return what calls within a bundle do, by contract and signature: the gate's own reading of them."""

    def decoder(self, agents: Collection[Address]) -> Decoder:
        """Return what calls to the contract do: also the owner's own that lets one of these agents act, or no more."""
