"""The fake behind the engine's Reader: one account, seen at the block that is being played."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from keeper.backtest.market import PaperMarket
from keeper.backtest.one_node import OneNode
from keeper.backtest.paper_account import PaperAccount
from keeper.backtest.paper_calls import EXCHANGE, LENDERS, MULTICALL, TABLE
from keeper.backtest.paper_exchange import PaperExchange
from keeper.backtest.paper_lender import PaperLender
from keeper.backtest.scene import CHAIN_ID, PaperScene
from keeper.backtest.standing import PaperStanding
from keeper.core.lending import figures as lending
from keeper.core.lending.plan import Allowances
from keeper.core.lending.position import LendingPosition
from keeper.core.lending.quotes import Quote, QuoteRequest, Quotes, sizes
from keeper.core.occurrences import Occurrence
from keeper.core.snapshot import BlockRef, Snapshot, Wallet
from keeper.core.units import Address, Amount, Bps, Wei
from keeper.settings.model import Network, Position
from keeper.snapshot.discovery import Known
from keeper.venues.ports import Answer, Exchange, Lender, LendingAccount, PerpAccount, Probe, Read, VenueTable

T = TypeVar("T")


def paper_network(venue: str, block_s: int, native: Address, heartbeat_s: int, batch: Address | None) -> Network:
    """Return a chain that has the paper venue."""
    return Network(
        name="paper",
        chain_id=CHAIN_ID,
        multicall3=MULTICALL,
        wrapped_native=native,
        block_time_s=block_s,
        tables=(VenueTable(TABLE, venue, {}),),
        batch_account=batch,
        sequencer_feed=None,
        sequencer_grace_s=0,
        default_heartbeat_s=heartbeat_s,
        max_deviation=Bps(200),
        twap_window_s=1800,
        assets={},
    )


class SceneReader(OneNode):
    """Answers from the scene."""

    def __init__(
        self, scene: PaperScene, position: Position, market: PaperMarket, network: Network, symbol: str
    ) -> None:
        super().__init__(scene.block)
        self.scene, self.network, self.market = scene, network, market
        self.positions = {position.name: position}
        self._account = PaperAccount(market, position.owner)
        used = {x.asset: x for x in market.listings}
        self.known = Known(
            {TABLE: market}, {position.name: self._account}, {}, {}, {}, (), (), native_symbol=symbol, used=used
        )
        self.lenders: Mapping[str, Lender] = {LENDERS: PaperLender()} if market.lends else {}
        self.exchanges: Mapping[str, Exchange] = {EXCHANGE: PaperExchange()}

    async def snapshot(self, block: BlockRef) -> Snapshot:
        """Return the account and its wallet."""
        seen, (name,) = self.scene.seen(), self.positions
        signer = self.positions[name].spender
        tokens = {asset: Amount(amount) for asset, amount in seen.wallet.items() if amount}
        wallet = Wallet(signer, Wei(seen.native), tokens)
        native = self.scene.native_at(self.scene.now)
        lendable = {lender: self.scene.lendable() for lender in self.lenders}
        position = self.position(name, seen, block)
        return Snapshot(block, (position,), {signer: wallet}, {}, None, native, lendable=lendable)

    def position(self, name: str, of: PaperStanding, block: BlockRef) -> LendingPosition:
        """Return the account as a position."""
        figures = lending.figures(of.account)
        return LendingPosition(
            name, self.positions[name].venue, self._account.owner, block, of.holdings, of.model, figures
        )

    async def quotes(self, block: BlockRef, requests: Iterable[QuoteRequest]) -> Quotes:
        """Return what the pools would charge, at several sizes."""
        asked = [size for request in requests for size in sizes(request)]
        return Quotes(tuple(self._quote(request) for request in asked))

    def _quote(self, of: QuoteRequest) -> Quote:
        (route,) = PaperExchange().routes(of.sell, of.buy, ())
        return Quote(route, Amount(self.scene.cost(of.sell, of.buy, of.bought)), of.bought, 100_000)

    def quote_probe(self, requests: Iterable[QuoteRequest]) -> Probe[tuple[Quote, ...]]:
        """Return the same as a probe."""
        asked = [size for request in requests for size in sizes(request)]
        return Probe((), lambda _: tuple(self._quote(request) for request in asked))

    async def allowances(self, block: BlockRef, name: str, spender: Address, assets: Iterable[Address]) -> Allowances:
        """Return that nothing is approved yet."""
        return {}

    def position_probe(self, name: str, block: BlockRef) -> Probe[LendingPosition]:
        """Return the probe of the account: as it stands, or as a rehearsal left it."""

        def decode(answers: Sequence[Answer]) -> LendingPosition:
            told = answers[0]
            of = self.scene.known[int.from_bytes(told)] if told else self.scene.seen()
            return self.position(name, of, block)

        return Probe((Read(MULTICALL, name.encode()),), decode)

    def account(self, name: str) -> LendingAccount:
        """Return the account."""
        return self._account

    def any_account(self, name: str) -> LendingAccount:
        """Return the account."""
        return self._account

    def perp_account(self, name: str) -> PerpAccount:
        """There is none."""
        raise KeyError(name)


class Quiet:
    """Logs that say nothing, and events that nobody pushes."""

    async def created(self, name: str, hash_: str, *, is_mined: bool = False) -> tuple[str, ...]:
        """Return nothing."""
        return ()

    async def outcomes(self, name: str, keys: Sequence[str], since: int) -> dict[str, Any]:
        """Return nothing."""
        return {}

    async def carried_out(self, name: str, since: int) -> tuple[str, ...]:
        """Return nothing."""
        return ()

    def subscribe_logs(self, *_: object, **__: object) -> None:
        """Nobody pushes."""


@dataclass(frozen=True, slots=True)
class SceneLogs(Quiet):
    """The venue's events: what was sent and mined, and what liquidators did."""

    scene: PaperScene

    async def happened(self, name: str, begin: int, end: int) -> tuple[Occurrence, ...]:
        """Return what happened to the one account in these blocks."""
        return tuple(event for event in self.scene.happened if begin <= event.block <= end)
