"""What everything that is signed may offer: plans, higher bids, cancellations, fillers, unwinds, wishes by hand.

``price`` alone makes an ``Offer``, and nothing but an ``Offer`` can be signed: a test reads the code for it. The least
of the rule's ceiling, the owner's cap, the built-in cap and the purse binds, always.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace

from keeper.chain import accounts, fee_market
from keeper.chain.blocks import Blocks
from keeper.chain.client import Upstream
from keeper.chain.fee_market import FeeMarket
from keeper.chain.fees import LEAST_TIP, Fees, raised
from keeper.chain.tolls import Tolls
from keeper.core.reasons import Reason
from keeper.core.snapshot import BlockRef
from keeper.core.units import Address, Wei, gwei_text, wei_text

NOTHING = Wei(0)
REMEMBERED = 32
"""Heads whose base fees are remembered."""


@dataclass(frozen=True, slots=True)
class Offer(Fees):
    """Fees that may be signed. Made by ``price`` alone."""


@dataclass(frozen=True, slots=True)
class NoOffer:
    """Why nothing may be offered now."""

    reason: Reason
    detail: str


@dataclass(frozen=True, slots=True)
class Demands:
    """What an offer has to meet besides the market."""

    over: tuple[Fees, ...] = ()
    """What it replaces at its nonces: nodes want both fees raised."""
    least_tip: Wei = NOTHING
    least_cap: Wei = NOTHING
    wished: Fees | None = None
    """As much, or as near to it as may be."""
    most_cap: Wei | None = None
    """What a node would not take more than, or the money is not there for."""


@dataclass(frozen=True, slots=True)
class Purse:
    """What gas is paid out of. ``extra`` leaves beside it: what calls carry, and what a rollup charges on top."""

    address: Address
    balance: Wei
    gas: int
    extra: Wei = NOTHING

    @property
    def per_gas(self) -> Wei:
        """The highest fee per gas the balance covers."""
        return Wei(max(0, self.balance - self.extra) // max(1, self.gas))


def price(
    market: FeeMarket, ceilings: Sequence[Wei | None], asked: Demands = Demands(), purse: Purse | None = None
) -> Offer | NoOffer:
    """Return an offer near the market within every bound; NoOffer with the bound that forbids it.

    A first offer stays good while the base fee doubles, and tips what is usual, but near the base fee. What replaces
    another raises both fees by an eighth at least, and its tip goes up to twofold towards what is usual.
    """
    allowed = min(bound for bound in (*ceilings, market.most, asked.most_cap) if bound is not None)
    payable = allowed if purse is None else min(allowed, purse.per_gas)
    least_tip = max(LEAST_TIP, asked.least_tip, *(raised(old.tip) for old in asked.over))
    minable = market.base_fee + max(LEAST_TIP, asked.least_tip)
    least_cap = max(minable, least_tip, asked.least_cap, *(raised(old.max_fee) for old in asked.over))
    if least_cap > payable:
        return _none(market, allowed, least_cap, purse)
    climbed = max((min(market.tip, 2 * old.tip) for old in asked.over), default=0)
    wish = asked.wished or Fees(NOTHING, NOTHING)
    tip = max(least_tip, market.first_tip, climbed, wish.tip)
    cap = max(least_cap, 2 * market.base_fee + tip, wish.max_fee)
    if cap > payable:
        cap, tip = payable, max(least_tip, min(tip, payable - market.base_fee))
    return Offer(Wei(cap), Wei(min(tip, cap)))


def _none(market: FeeMarket, allowed: Wei, wanted: int, purse: Purse | None) -> NoOffer:
    if purse is not None and wanted <= allowed:
        detail = f"{purse.address} holds {wei_text(purse.balance)}"
        if purse.extra:
            detail += f", of which {wei_text(purse.extra)} go elsewhere"
        return NoOffer(Reason.NO_GAS_MONEY, f"{detail}; {purse.gas} gas at {gwei_text(wanted)} are wanted")
    own = " (the keeper's own bound: several times what recent blocks cost)" if allowed == market.most else ""
    base = f"base fee {gwei_text(market.base_fee)}"
    return NoOffer(Reason.FEE_LIMIT, f"{base}, at least {gwei_text(wanted)} wanted, allowed {gwei_text(allowed)}{own}")


class Pricing:
    """Asks for the market, remembers what it was, and prices within one owner's cap."""

    def __init__(self, node: Upstream, blocks: Blocks, signer: Address, cap: Wei | None) -> None:
        self._node = node
        self._blocks = blocks
        self._signer = signer
        self.cap = cap
        self._tolls = Tolls(node)
        self._seen: deque[tuple[int, int]] = deque(maxlen=REMEMBERED)

    def saw(self, block: BlockRef) -> None:
        """Remember a head's base fee: a witness of our own."""
        if not self._seen or self._seen[-1][0] < block.number:
            self._seen.append((block.number, block.base_fee))

    async def market(self, block: BlockRef | None = None) -> FeeMarket:
        """Return the market at a block, or at the head. Raises NodeError."""
        if block is None:
            block = await self._blocks.head()
        self.saw(block)
        seen = [fee for _, fee in self._seen]
        market, toll = await asyncio.gather(fee_market.read(self._node, block.base_fee, seen), self._tolls.now())
        return replace(market, toll=toll)

    async def ready(self) -> tuple[FeeMarket, Wei]:
        """Return the market at the newest block, and what the signer has for gas. Raises NodeError."""
        market, balance = await asyncio.gather(self.market(), self.balance())
        return market, balance

    async def balance(self) -> Wei:
        """Return what the signer has for gas. Raises NodeError."""
        return await accounts.balance(self._node, self._signer)

    def purse(self, balance: Wei, gas: int, extra: Wei = NOTHING) -> Purse:
        """Return what a send is paid out of."""
        return Purse(self._signer, balance, gas, extra)

    def at(
        self, market: FeeMarket, ceiling: Wei | None, purse: Purse | None, asked: Demands = Demands()
    ) -> Offer | NoOffer:
        """Return an offer in a market that is known."""
        return price(market, (ceiling, self.cap), asked, purse)


UNSENT = Offer(Wei(1), Wei(1))
"""For bytes that are signed to warm up and never leave the program."""
