"""How a hand of Morpho's bundler acts in one market of Morpho Blue, and the owner's two words that let it and end it.

Sources: morpho-blue 1.0.0 ``Morpho.setAuthorization``, ``setAuthorizationWithSig``; bundler3 ``GeneralAdapter1``. The
adapter acts for whoever began the bundle and nobody else; Morpho itself lets it do anything in every market.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from keeper.core.lending.position import LendingPosition
from keeper.core.units import UINT256_MAX, Address, Amount, Wei
from keeper.venues.codec.abi import load
from keeper.venues.codec.hashes import keccak
from keeper.venues.contracts.owners_words import OwnersWords, word_of
from keeper.venues.effects import Call, Decoder, Flow
from keeper.venues.morpho_blue.agency_effects import agent_leaves, word_leaves
from keeper.venues.morpho_blue.effects import blue_decoder
from keeper.venues.ports import Answer, Mandate, MandateTerms, Probe, Read

if TYPE_CHECKING:
    from keeper.venues.morpho_blue.market import MorphoMarket

_BLUE, _ADAPTER = load("morpho_blue"), load("bundler3_general_adapter")
DOMAIN = keccak(text="EIP712Domain(uint256 chainId,address verifyingContract)")
TYPE_HASH = keccak(
    text="Authorization(address authorizer,address authorized,bool isAuthorized,uint256 nonce,uint256 deadline)"
)
ANY_PRICE = UINT256_MAX
"""Of a share: what is repaid is bounded by what was lent for it."""


@dataclass(frozen=True, slots=True)
class MorphoAgency:
    """One market, as an agent acts in it."""

    market: MorphoMarket

    @property
    def at(self) -> Address:
        """The contract."""
        return self.market.blue

    def agent(self, general: Address, lender: Address, adapter: Address | None) -> Address | None:
        """Return the general adapter where it is the adapter of this very contract."""
        del adapter
        return general if lender == self.market.blue else None

    def encode(self, agent: Address, *, is_on: bool) -> Call:
        """Return the owner's own call that lets an agent act, or no more."""
        what = "let" if is_on else "no longer let"
        data = _BLUE.setAuthorization.encode(agent, is_on)
        return Call(self.market.blue, data, Wei(0), f"{what} {agent} act for all of the account")

    def standing_probe(self, owner: Address, agent: Address) -> Probe[Amount]:
        """Return the probe of whether an agent may act now."""
        asked = _BLUE.isAuthorized.read(self.market.blue, owner, agent)
        return Probe((asked,), lambda answers: Amount(int(_BLUE.isAuthorized.decode(answers[0])[0])))

    def nonce_read(self, owner: Address) -> Read:
        """Return the read of how many of an owner's words were used up, whoever used them."""
        return _BLUE.nonce.read(self.market.blue, owner)

    def terms_probe(self, owner: Address, chain_id: int) -> Probe[MandateTerms | None]:
        """Return the probe of the next number; None where the contract's domain is not its own on this chain."""
        own = keccak(DOMAIN + word_of(chain_id) + word_of(self.market.blue))

        def decode(answers: Sequence[Answer]) -> MandateTerms | None:
            said, nonce = _BLUE.DOMAIN_SEPARATOR.decode_or_none(answers[0]), _BLUE.nonce.decode_or_none(answers[1])
            return (
                None
                if said is None or nonce is None or said[0] != own
                else OwnersWords(owner, nonce[0], own, TYPE_HASH)
            )

        return Probe((_BLUE.DOMAIN_SEPARATOR.read(self.market.blue), self.nonce_read(owner)), decode)

    def encode_mandate(self, word: Mandate) -> tuple[Address, bytes]:
        """Return the call that uses a word: anybody may make it."""
        said = (word.owner, word.agent, word.is_on, word.nonce, word.deadline)
        return self.market.blue, _BLUE.setAuthorizationWithSig.encode(said, (word.v, word.r, word.s))

    def encode_repay(self, amount: int, position: LendingPosition) -> bytes:
        """Return the repayment: by assets, and whole by all the shares that there are by then.

        By assets the last unit could not be paid, or shares would be left.
        """
        is_all = amount >= position.holding(self.market.params.loan).borrowed
        assets, shares = (0, UINT256_MAX) if is_all else (amount, 0)
        return _ADAPTER.morphoRepay.encode(self.market.params.words, assets, shares, ANY_PRICE, position.owner, b"")

    def encode_release(self, asset: Address, amount: int, receiver: Address) -> bytes:
        """Return the withdrawal. Raises ValueError for another asset than the market's collateral."""
        if asset != self.market.params.collateral:
            raise ValueError(f"{asset} is not the collateral of this market")
        return _ADAPTER.morphoWithdrawCollateral.encode(self.market.params.words, amount, receiver)

    @property
    def raises_debt(self) -> bool:
        """It supplies for anybody, and borrows for whoever began."""
        return True

    def encode_supply(self, position: LendingPosition) -> bytes:
        """Return the supply of all collateral that the adapter holds."""
        return _ADAPTER.morphoSupplyCollateral.encode(self.market.params.words, UINT256_MAX, position.owner, b"")

    def encode_borrow(self, amount: int, receiver: Address) -> bytes:
        """Return the loan by assets: what it is in shares is the market's to say, at any price of a share."""
        return _ADAPTER.morphoBorrow.encode(self.market.params.words, amount, 0, 0, receiver)

    def leaves(self, agent: Address) -> Mapping[Address, Mapping[str, Callable[..., tuple[Flow, ...]]]]:
        """Return what an agent's calls do, and calls to the contract within a bundle."""
        words = self.market.params.words
        return {agent: agent_leaves(agent, words), self.market.blue: word_leaves(agent)}

    def decoder(self, agents: Collection[Address]) -> Decoder:
        """Return what calls to the contract do, his own word about an agent among them."""
        return blue_decoder(self.market.blue, self.market.params.words, agents)
