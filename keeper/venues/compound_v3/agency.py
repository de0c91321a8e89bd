"""How the bundler's adapter acts in one Comet, and the owner's two words that let it and end it.

Sources: ``CometExt.allow``, ``allowBySig``; bundler3 ``CompoundV3MigrationAdapter``. The adapter takes out for whoever
began the bundle and nobody else; the market itself lets it do anything with the account: any asset, any amount.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from keeper.core.lending.position import LendingPosition
from keeper.core.units import UINT256_MAX, Address, Amount, Wei
from keeper.venues.codec.abi import load
from keeper.venues.codec.hashes import keccak
from keeper.venues.compound_v3.agency_effects import adapter_leaves, word_leaves
from keeper.venues.compound_v3.effects import comet_decoder
from keeper.venues.contracts.owners_words import OwnersWords, word_of
from keeper.venues.effects import Call, Decoder, Flow
from keeper.venues.ports import Answer, Mandate, MandateTerms, Probe, Read

if TYPE_CHECKING:
    from keeper.venues.compound_v3.market import CometMarket

_COMET, _ADAPTER = load("compound_v3"), load("bundler3_compound_v3_adapter")
DOMAIN = keccak(text="EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)")
TYPE_HASH = keccak(text="Authorization(address owner,address manager,bool isAllowed,uint256 nonce,uint256 expiry)")
VERSION = keccak(text="0")


@dataclass(frozen=True, slots=True)
class CometAgency:
    """One market, as an agent acts in it."""

    market: CometMarket

    @property
    def at(self) -> Address:
        """The market."""
        return self.market.comet

    def agent(self, general: Address, lender: Address, adapter: Address | None) -> Address | None:
        """Return the adapter for these markets, where the lender's table names one for this one."""
        del general, lender
        return adapter

    def encode(self, agent: Address, *, is_on: bool) -> Call:
        """Return the owner's own call that lets an agent act, or no more."""
        what = "let" if is_on else "no longer let"
        return Call(self.at, _COMET.allow.encode(agent, is_on), Wei(0), f"{what} {agent} act for all of the account")

    def standing_probe(self, owner: Address, agent: Address) -> Probe[Amount]:
        """Return the probe of whether an agent may act now."""
        asked = _COMET.hasPermission.read(self.at, owner, agent)
        return Probe((asked,), lambda answers: Amount(int(_COMET.hasPermission.decode(answers[0])[0])))

    def nonce_read(self, owner: Address) -> Read:
        """Return the read of how many of an owner's words were used up, whoever used them."""
        return _COMET.userNonce.read(self.at, owner)

    def terms_probe(self, owner: Address, chain_id: int) -> Probe[MandateTerms | None]:
        """Return the probe of the next number, and of the market's name; None where it says neither.

        The domain is of this contract and our chain: a wrong name makes a word that is good for nothing.
        """

        def decode(answers: Sequence[Answer]) -> MandateTerms | None:
            name, nonce = _COMET.name.decode_or_none(answers[0]), _COMET.userNonce.decode_or_none(answers[1])
            if name is None or nonce is None:
                return None
            domain = DOMAIN + keccak(text=name[0]) + VERSION + word_of(chain_id) + word_of(self.at)
            return OwnersWords(owner, nonce[0], keccak(domain), TYPE_HASH)

        return Probe((_COMET.name.read(self.at), self.nonce_read(owner)), decode)

    def encode_mandate(self, word: Mandate) -> tuple[Address, bytes]:
        """Return the call that uses a word: anybody may make it."""
        said = (word.owner, word.agent, word.is_on, word.nonce, word.deadline)
        return self.at, _COMET.allowBySig.encode(*said, word.v, word.r, word.s)

    def encode_repay(self, amount: int, position: LendingPosition) -> bytes:
        """Return the repayment with all that the adapter has: no more than is owed, so that none becomes a supply."""
        del amount
        return _ADAPTER.compoundV3Repay.encode(self.at, UINT256_MAX, position.owner)

    def encode_release(self, asset: Address, amount: int, receiver: Address) -> bytes:
        """Return the withdrawal. Raises ValueError for the base asset: taken out without a supply it is borrowed."""
        if asset not in self._collaterals:
            raise ValueError(f"{asset} is no collateral of this market")
        return _ADAPTER.compoundV3WithdrawFrom.encode(self.at, asset, amount, receiver)

    @property
    def raises_debt(self) -> bool:
        """No: the adapter repays and takes out, and has no function that supplies."""
        return False

    def encode_supply(self, position: LendingPosition) -> bytes:
        """Raise ValueError."""
        raise ValueError(f"the adapter supplies nothing at {self.at} for {position.owner}")

    def encode_borrow(self, amount: int, receiver: Address) -> bytes:
        """Raise ValueError."""
        raise ValueError(f"the adapter borrows nothing at {self.at}: {amount} for {receiver}")

    def leaves(self, agent: Address) -> Mapping[Address, Mapping[str, Callable[..., tuple[Flow, ...]]]]:
        """Return what an agent's calls do, and calls to the market within a bundle."""
        acts = adapter_leaves(agent, self.at, self.market.base, self._collaterals)
        return {agent: acts, self.at: word_leaves(agent)}

    def decoder(self, agents: Collection[Address]) -> Decoder:
        """Return what calls to the market do, his own word about an agent among them."""
        return comet_decoder(self.at, self.market.base, self._collaterals, agents)

    @property
    def _collaterals(self) -> frozenset[Address]:
        return frozenset(x.asset for x in self.market.listings[1:])
