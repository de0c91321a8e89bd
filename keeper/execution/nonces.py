"""Which nonce is next: what nodes say, held against one another and against what we signed and saw mined.

Too low a nonce is harmless: nodes refuse it and say why. Too high a one waits for ever, with the rescue. So a count
beyond what we ever signed is built on only when most nodes say it, or it is proved.

What one node alone can do by lying, and what not, is in ``docs/decisions/0027-one-node-alone.md``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from keeper.chain import accounts
from keeper.chain.client import Upstream
from keeper.core.units import Address
from keeper.execution.signer import delegates
from keeper.execution.traces import Foreign, trace
from keeper.journal.transactions import Transactions


@dataclass(frozen=True, slots=True)
class NonceFacts:
    """What the journal knows of a signer: one past the highest nonce seen mined, and past the highest signed."""

    landed: int
    signed: int | None
    """None where nothing was ever signed: then only nodes can say."""
    confirmed: int = 0
    """One past the highest that lies so deep that only a reorg, which reopens it, takes it back."""


@dataclass(frozen=True, slots=True)
class Count:
    """How many transactions of a signer are believed to be mined. ``stated`` is what was not believed, if anything."""

    number: int
    stated: int | None = None

    @property
    def is_doubtful(self) -> bool:
        """Whether a node says more than could be held against anything."""
        return self.stated is not None


def believed(stated: Sequence[int], known: NonceFacts, proved: int = 0) -> Count:
    """Return the count to build on. ``proved`` is one that was shown to be true before.

    Of counts that we may have caused the highest is right: a node that lags says less. More than we ever signed needs
    most nodes to say so; from a node alone it is not believed until it is proved. Where nothing was ever signed the
    lower median counts.
    """
    ranked = sorted(stated)
    if known.signed is None and not proved:
        return Count(ranked[(len(ranked) - 1) // 2])
    most = max(known.signed or 0, proved)
    beyond = [count for count in ranked if count > most]
    if not beyond:
        return Count(ranked[-1])
    if len(ranked) > 1 and 2 * len(beyond) > len(ranked):
        return Count(beyond[0])
    plausible = [count for count in ranked if count <= most]
    return Count(plausible[-1]) if plausible else Count(most, beyond[0])


class Nonces:
    """One signer's counts on one chain."""

    def __init__(self, node: Upstream, chain_id: int, signer: Address, journal: Transactions) -> None:
        self._node = node
        self._chain_id = chain_id
        self._signer = signer
        self._journal = journal
        self._proved = 0
        self._sought = 0

    async def mined(self) -> Count:
        """Return how many transactions of the signer are mined. Raises NodeError, JournalError."""
        stated, known = await accounts.counts(self._node, self._signer), await self._known()
        count = believed(stated, known, self._proved)
        if count.number < known.landed and await self._is_mined_still(known.landed - 1):
            return Count(known.landed)  # what we saw mined is mined still: whoever says less is behind, or lies
        return count

    async def to_build_on(self) -> Count:
        """Return the count that the next transaction is signed at: proved where it is doubtful, and never below
        what we saw confirmed, whatever a node denies: a history without that would have reopened it.

        Raises NodeError, JournalError.
        """
        count, known = await self.prove(await self.mined()), await self._known()
        return Count(known.confirmed) if count.number < known.confirmed else count

    async def at(self, block_hash: str) -> Count:
        """Return how many were mined up to a block. Raises NodeError, JournalError."""
        stated = await accounts.counts_at(self._node, self._signer, block_hash)
        return believed(stated, await self._known(), self._proved)

    async def prove(self, count: Count) -> Count:
        """Return a doubtful count once it is shown to be true: the foreign transaction before it is in a block.

        Sought once for each count that is given: a proof takes many requests, and a refusal proves it as well.
        """
        if count.stated is None or count.stated == self._sought:
            return count
        self._sought = count.stated
        before = await trace(self._node, self._signer, count.stated - 1, ())
        return self.trust(count.stated) if isinstance(before, Foreign) else count

    def trust(self, stated: int) -> Count:
        """Believe a count from here on: a node refused a lower nonce as used, or a block shows it."""
        self._proved = max(self._proved, stated)
        return Count(stated)

    async def _known(self) -> NonceFacts:
        landed = await self._journal.highest_nonce(self._chain_id, self._signer, landed=True)
        confirmed = await self._journal.highest_nonce(self._chain_id, self._signer, confirmed=True)
        signed = await self._journal.highest_nonce(self._chain_id, self._signer)
        return NonceFacts(
            0 if landed is None else landed + 1,
            None if signed is None else signed + await self._takes(signed),
            0 if confirmed is None else confirmed + 1,
        )

    async def _takes(self, nonce: int) -> int:
        """Return how many nonces what we signed at one takes: a delegation takes the next as well (EIP-7702)."""
        rows = await self._journal.at_nonce(self._chain_id, self._signer, nonce)
        return 2 if any(delegates(attempt.raw) for row in rows for attempt in row.attempts) else 1

    async def _is_mined_still(self, nonce: int) -> bool:
        for row in await self._journal.at_nonce(self._chain_id, self._signer, nonce):
            for attempt in row.attempts:
                if await accounts.receipt(self._node, attempt.hash, self._signer, row.to):
                    return True
        return False
