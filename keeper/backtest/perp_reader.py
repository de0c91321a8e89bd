"""The fakes behind the engine's Reader and Logs: one perpetual position, seen at the block that is being played."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from keeper.backtest.one_node import OneNode
from keeper.backtest.paper_calls import nothing
from keeper.backtest.perp_account import PaperPerpAccount
from keeper.backtest.perp_scene import PerpScene
from keeper.backtest.reader import Quiet
from keeper.core.lending.plan import Allowances
from keeper.core.lending.quotes import Quote, QuoteRequest, Quotes
from keeper.core.occurrences import Occurrence
from keeper.core.snapshot import BlockRef, LendingPosition, Snapshot, Wallet
from keeper.core.units import Address, Amount, Wei
from keeper.settings.model import Network
from keeper.snapshot.discovery import Known
from keeper.venues.ports import Answer, Exchange, Lender, LendingAccount, OrderOutcome, PerpAccount, Probe, Read


class PerpSceneReader(OneNode):
    """Answers from the scene."""

    def __init__(self, scene: PerpScene, network: Network, symbol: str) -> None:
        super().__init__(scene.block)
        self.scene, self.network = scene, network
        self.positions = {scene.place.name: scene.place}
        self._account = PaperPerpAccount(scene)
        accounts: dict[str, PerpAccount] = {scene.place.name: self._account}
        self.known = Known({}, {}, accounts, {}, {}, (), (), native_symbol=symbol)
        self.lenders: Mapping[str, Lender] = {}
        self.exchanges: Mapping[str, Exchange] = {}

    async def snapshot(self, block: BlockRef) -> Snapshot:
        """Return the account and its wallet."""
        seen, signer = self.scene.seen(), self.scene.place.spender
        tokens = {seen.contract.collateral: Amount(seen.wallet)} if seen.wallet else {}
        wallet = Wallet(signer, Wei(seen.native), tokens)
        return Snapshot(block, (self.scene.position(seen),), {signer: wallet}, {}, None, self.scene.native_usd)

    async def answers(self, block: BlockRef, reads: Sequence[Read]) -> list[Answer]:
        """Return what is allowed where a token is asked, and of all else that it is as it stands now."""
        allowed = self.scene.standing.allowed.to_bytes(32)
        return [allowed if read.to == self._account.collateral else b"" for read in reads]

    async def quotes(self, block: BlockRef, requests: Iterable[QuoteRequest]) -> Quotes:
        """There are no exchanges."""
        return Quotes(())

    def quote_probe(self, requests: Iterable[QuoteRequest]) -> Probe[tuple[Quote, ...]]:
        """There are none."""
        return Probe((), lambda _: ())

    async def allowances(self, block: BlockRef, name: str, spender: Address, assets: Iterable[Address]) -> Allowances:
        """There are none."""
        return {}

    def position_probe(self, name: str, block: BlockRef) -> Probe[LendingPosition]:
        """There is no loan."""
        return nothing(name)

    def account(self, name: str) -> LendingAccount:
        """There is no loan."""
        raise KeyError(name)

    def any_account(self, name: str) -> PerpAccount:
        """Return the account."""
        return self._account

    def perp_account(self, name: str) -> PerpAccount:
        """Return the account."""
        return self._account


@dataclass(frozen=True, slots=True)
class PerpSceneLogs(Quiet):
    """The venue's events: orders left, what became of them, and what liquidators did."""

    scene: PerpScene

    async def created(self, name: str, hash_: str, *, is_mined: bool = False) -> tuple[str, ...]:
        """Return the orders that a transaction left; its hash is its number."""
        number = int(hash_, 16)
        return self.scene.left[number] if number < len(self.scene.left) else ()

    async def outcomes(self, name: str, keys: Sequence[str], since: int) -> dict[str, Any]:
        """Return what became of orders."""
        found: dict[str, OrderOutcome | None] = {key: self.scene.outcomes.get(key) for key in keys}
        return found

    async def carried_out(self, name: str, since: int) -> tuple[str, ...]:
        """Return the orders that made the position smaller."""
        return tuple(key for block, key in self.scene.filled if block >= since)

    async def happened(self, name: str, begin: int, end: int) -> tuple[Occurrence, ...]:
        """Return what happened to the one account in these blocks."""
        return tuple(event for event in self.scene.happened if begin <= event.block <= end)
