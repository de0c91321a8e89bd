"""Nonces below our first pending one at which nothing is known to be: few are used up, above many all is given up."""

from __future__ import annotations

from collections.abc import Sequence

from keeper.core.units import Wei
from keeper.execution.dispatch import STRANDED, Dispatch, Outgoing
from keeper.execution.offers import Offers, tolled
from keeper.execution.pricing import NoOffer, Pricing
from keeper.execution.saying import CANCEL_GAS
from keeper.execution.tx_state import TxState
from keeper.journal import Transaction
from keeper.venues.ports import Call

MOST_FILLERS = 4
"""Nonces below our first pending one that are used up to let it through; beyond a wider gap it is given up."""
FILLERS_SHARE = 20
"""All fillers together cost at most a twentieth of what the signer has for gas."""


class Gaps:
    """One signer's gaps."""

    def __init__(self, dispatch: Dispatch, pricing: Pricing, offers: Offers) -> None:
        self._dispatch = dispatch
        self._pricing = pricing
        self._offers = offers

    async def fill(self, rows: Sequence[Transaction]) -> tuple[Transaction, ...]:
        """Use up nonces below our first pending one that nothing is known to be at: else it would wait for ever.

        Few, and for little: what waits above a wider gap, or a dearer one, is given up. Returns what may land.
        """
        if not rows:
            return ()
        mined = await self._dispatch.mined_nonce()
        reached = await self.reachable(rows, mined)
        missing = range(mined, reached[0].nonce) if reached else range(0)
        if not missing:
            return reached
        market, balance = await self._pricing.ready()
        filler = Call(self._dispatch.signer.address, b"", Wei(0), "fill a gap in the nonces")
        item = Outgoing(filler, reached[0].decision_id, reached[0].step, 0, CANCEL_GAS)
        fillers = tolled([item] * len(missing), market.toll)
        offer = self._pricing.at(market, None, self._offers.purse(Wei(balance // FILLERS_SHARE), fillers, market.toll))
        if isinstance(offer, NoOffer):
            for row in reached:
                await self._dispatch.settle(row, TxState.EXPIRED, error=f"{STRANDED}; filling them: {offer.detail}")
            return ()
        items = [(item, nonce, None) for nonce, item in zip(missing, fillers, strict=True)]
        for row in await self._dispatch.sign_each(items, offer):
            await self._dispatch.broadcast(row)
        return reached

    async def reachable(self, rows: Sequence[Transaction], mined: int) -> tuple[Transaction, ...]:
        """Return the rows that the chain may come to; give up those far above: their nonces were given too high."""
        reached, end = list[Transaction](), mined
        for row in rows:
            if row.nonce - end > MOST_FILLERS:
                await self._dispatch.settle(row, TxState.EXPIRED, error=STRANDED)
                continue
            reached.append(row)
            end = row.nonce + 1
        return tuple(reached)
