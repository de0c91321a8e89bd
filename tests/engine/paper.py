"""An engine on paper: positions, pools, nodes and a journal in memory. A whole cycle takes milliseconds."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from core_builders import BLOCK, KINDS, NOW, OWNER, at, intent, pool_answers, rule, safety, state, units
from perp_builders import quote, told

from keeper.chain.errors import NodesDisagreeError
from keeper.chain.fee_market import FeeMarket
from keeper.chain.simulation import NO_CODES, Simulated, Simulation, Turn
from keeper.chain.tolls import NO_TOLL, Toll
from keeper.core.armed.perp_prices import at_prices as perp_at_prices
from keeper.core.book.position import Book
from keeper.core.book.rules import BookRule
from keeper.core.lending.quotes import Quote, QuoteRequest, Quotes
from keeper.core.lending.rules import LendingIntent, Rule
from keeper.core.perp.moves import TradeQuote
from keeper.core.perp.position import PerpPosition
from keeper.core.perp.rules import PerpRule
from keeper.core.prices import SecondPrice
from keeper.core.snapshot import BlockRef, LendingPosition, Otherwise, PricedAsset, Snapshot, Unreadable, Wallet
from keeper.core.units import USD, Address, Bps, Wad, Wei
from keeper.engine.engine import Engine, Terms
from keeper.engine.history import PerpMemory
from keeper.engine.lending.balances import LentMemory
from keeper.engine.state import State
from keeper.execution.rehearsal import Upon
from keeper.journal import Entry, JournalError, NewDecision
from keeper.journal.decisions import Decision
from keeper.journal.facts import Turn as Changed
from keeper.observe.observer import Observer
from keeper.settings.model import Network, Position, Signer
from keeper.snapshot.discovery import Known
from keeper.venues.aave_v3.account import AaveAccount
from keeper.venues.aave_v3.market import AaveMarket
from keeper.venues.aave_v3.position import AaveScope
from keeper.venues.aave_v3.reserves import Listing
from keeper.venues.effects import Closes, Effect, Opens, Pays
from keeper.venues.perp_v2.account import PerpV2Account
from keeper.venues.perp_v2.markets import PerpV2Deployment, PerpV2Market, PerpV2Scope
from keeper.venues.ports import Answer, Call, Lender, LendingAccount, PerpAccount, Probe, Read, VenueTable
from keeper.venues.uniswap_v3.exchange import UniswapV3
from keeper.venues.uniswap_v3.pools import UniswapDeployment

PERP = [Address(f"0x{i:02x}" + "5" * 38) for i in range(16, 27)]
POOL, ORACLE, ROUTER = (Address("0x" + c * 40) for c in "123")
GAS = 200_000
"""What each call takes, on paper."""


def network() -> Network:
    return Network(
        name="paper",
        chain_id=BLOCK.chain_id,
        multicall3=Address("0x" + "ca" * 20),
        wrapped_native=at("WETH"),
        block_time_s=12,
        tables=(VenueTable("aave_v3", "aave_v3", {"pool_addresses_provider": POOL}),),
        batch_account=None,
        sequencer_feed=None,
        sequencer_grace_s=0,
        default_heartbeat_s=3600,
        max_deviation=Bps(200),
        twap_window_s=1800,
        assets={},
    )


def market() -> AaveMarket:
    listings = tuple(
        Listing(at(s), s, decimals, at(s + "F"), None, 3600, index=i, a_token=at("a" + s), debt_token=at("d" + s))
        for i, (s, (decimals, *_)) in enumerate(KINDS.items())
    )
    return AaveMarket(POOL, ORACLE, USD, listings)


def traded(position: PerpPosition, effects: Iterable[Effect]) -> PerpPosition:
    """The position after what calls do to it: margin paid in, size closed or opened at the mark price."""
    for effect in effects:
        match effect:
            case Pays(_, amount, _, _):
                position = replace(position, margin=position.margin + (amount or 0) * 10**12)
            case Closes(market, _, size, _) | Opens(market, _, size, _):
                (leg,) = [leg for leg in position.legs if leg.market == market]
                whole = abs(leg.size) if size is None else size
                sign = (1 if leg.is_long else -1) * (-1 if isinstance(effect, Closes) else 1)
                if isinstance(effect, Closes):
                    entry = leg.entry_notional * whole // abs(leg.size)
                    now = whole * leg.mark_price // leg.price_scale
                    gain = now - entry if leg.is_long else entry - now
                    position = replace(position, margin=position.margin + gain)
                    left = leg.entry_notional - entry
                else:
                    left = leg.entry_notional + whole * leg.mark_price // leg.price_scale
                after = replace(leg, size=leg.size + sign * whole, entry_notional=left)
                position = replace(position, legs=tuple(after if x is leg else x for x in position.legs))
            case _:
                pass
    return told(position)


def healthy(position: LendingPosition, health: str = "99") -> LendingPosition:
    """The position as it would be with another health factor: what a rehearsal of a good plan shows."""
    figures = replace(position.reported, health_factor=Wad(int(float(health) * 10**18)))
    return replace(position, reported=figures)


@dataclass(slots=True)
class Paper:
    """What a test sets, and what it looks at afterwards."""

    positions: dict[str, LendingPosition | PerpPosition | Unreadable]
    wallet: Wallet
    block: BlockRef = BLOCK
    after: Callable[[LendingPosition], LendingPosition] = healthy
    """What a rehearsal finds after the plan."""
    reverts: Callable[[Sequence[Call]], str | None] = lambda calls: None
    """Why the last call of a rehearsal reverts."""
    otherwise: dict[str, Otherwise] = field(default_factory=dict)
    seconds: dict[Address, SecondPrice] = field(default_factory=dict)
    cost_bps: int = 10
    journal_is_away: bool = False
    reading_fails: Exception | None = None
    """What every read after the snapshot raises."""
    codes: dict[Address, bytes] = field(default_factory=dict)
    """What was put in other contracts' places in the last rehearsal."""
    ignores_oracle: bool = False
    """True where the venue goes on by what it had cached."""
    market_gives: dict[str, int] = field(default_factory=dict)
    """What a quote of a perpetual market says otherwise than its mark price would."""
    perp_after: Callable[[PerpPosition, Iterable[Effect]], PerpPosition] = traded
    confirmed_as: PerpPosition | None = None
    """What every node says of a perpetual position when it is asked to confirm it."""
    others_differ: bool = False
    """True when another node has other figures of a perpetual position."""
    asked: list[str] = field(default_factory=list)
    """What was asked of the node, in order."""
    rehearsed: list[tuple[tuple[Call, ...], tuple[Turn, ...]]] = field(default_factory=list)
    """The calls of each rehearsal, and what was run before them."""

    def perp(self, name: str) -> PerpPosition:
        found = self.positions[name]
        assert isinstance(found, PerpPosition)
        return found

    def known(self, name: str) -> LendingPosition:
        found = self.positions[name]
        assert isinstance(found, LendingPosition)
        return found


class PaperReader:
    """A node that answers from a test's own positions."""

    def __init__(self, paper: Paper, signers: Mapping[str, Address]) -> None:
        self.paper, self.network, self.also = paper, network(), ()
        self.positions = {
            name: Position(name, self._venue(name), OWNER, Signer(name, signer, None, None, None, False))
            for name, signer in signers.items()
        }
        self.known = Known({"aave_v3": market()}, {}, {}, {}, {}, (), (), native_symbol="WETH")
        where = UniswapDeployment(Address("0x" + "f" * 40), Address("0x" + "e" * 40), ROUTER, (500,))
        self.lenders: dict[str, Lender] = {}
        self.exchanges = {"exchange": UniswapV3("exchange", where)}
        self.close = list[str]()

    def _venue(self, name: str) -> str:
        return "perp_v2" if isinstance(self.paper.positions[name], PerpPosition) else "aave_v3"

    def _ask(self, what: str) -> None:
        self.paper.asked.append(what)
        if self.paper.reading_fails is not None and what != "snapshot":
            raise self.paper.reading_fails

    async def head(self) -> BlockRef:
        return self.paper.block

    async def snapshot(self, block: BlockRef) -> Snapshot:
        self._ask("snapshot")
        wallets = {p.spender: replace(self.paper.wallet, address=p.spender) for p in self.positions.values()}
        perps = [p for p in self._all() if isinstance(p, PerpPosition)]
        assets = (
            {at(s): PricedAsset(s, kind[0], int(float(kind[1]) * USD)) for s, kind in KINDS.items()} if perps else {}
        )
        also = {read: read.data[:32] if perps else bytes(32) for read in self.also}  # as allowances were read before
        seen = tuple(p if isinstance(p, Unreadable) else replace(p, block=block) for p in self._all())
        return Snapshot(
            block,
            seen,
            wallets,
            dict(self.paper.seconds),
            None,
            2000 * USD,
            otherwise=self.paper.otherwise,
            assets=assets,
            also=also,
        )

    def _all(self) -> Iterable[LendingPosition | PerpPosition | Unreadable]:
        return (self.paper.positions[name] for name in self.positions)

    async def read(self, block: BlockRef, probe: Probe[Any]) -> Any:
        return probe.decode(await self.answers(block, probe.reads))

    async def confirmed(self, block: BlockRef, probe: Probe[Any]) -> Any:
        if self.paper.others_differ:
            raise NodesDisagreeError("two", "eth_call", "other figures")
        if self.paper.confirmed_as is not None:
            return self.paper.confirmed_as
        return await self.read(block, probe)

    async def answers(self, block: BlockRef, reads: Sequence[Read]) -> list[Answer]:
        self._ask("reads")
        return [read.data for read in reads]

    async def code(self, block: BlockRef, address: Address) -> bytes:
        return b""

    async def quotes(self, block: BlockRef, requests: Iterable[QuoteRequest]) -> Quotes:
        self._ask("quotes")
        (one, *_) = (p for p in self._all() if isinstance(p, LendingPosition))
        return pool_answers(tuple(requests), state(_wanted(one)), self.paper.cost_bps)

    def quote_probe(self, requests: Iterable[QuoteRequest]) -> Probe[tuple[Quote, ...]]:
        (one, *_) = (p for p in self._all() if isinstance(p, LendingPosition))
        found = pool_answers(tuple(requests), state(_wanted(one)), self.paper.cost_bps)
        return Probe((), lambda _: found.all)

    async def allowances(self, block: BlockRef, name: str, spender: Address, assets: Iterable[Address]) -> Any:
        self._ask("allowances")
        return {}

    def position_probe(self, name: str, block: BlockRef) -> Probe[LendingPosition]:
        return Probe((Read(POOL, name.encode()),), lambda answers: self.paper.after(self.paper.known(name)))

    def account(self, name: str) -> LendingAccount:
        return AaveAccount(market(), AaveScope(OWNER, 0, market().listings))

    def any_account(self, name: str) -> Any:
        is_perp = isinstance(self.paper.positions[name], PerpPosition)
        return self.perp_account(name) if is_perp else self.account(name)

    def perp_account(self, name: str) -> PerpAccount:
        return PaperPerpAccount(self.paper, name)

    def follow(self, rules: tuple[Rule, ...]) -> None:
        pass

    def keep_close(self, names: Iterable[str]) -> None:
        self.close = list(names)

    def compare_first(self, names: Iterable[str]) -> None:
        pass


class PaperPerpAccount(PerpV2Account):
    """A Perp v2 account: its real calldata and its real decoders, over a position on paper."""

    def __init__(self, paper: Paper, name: str) -> None:
        position = paper.perp(name)
        markets = tuple(
            PerpV2Market(leg.market, leg.symbol, PERP[7], PERP[8], 1000, 10_000, 100_000, PERP[0], PERP[1], PERP[2])
            for leg in position.legs
        )
        where = PerpV2Deployment(*PERP[:7], position.collateral, "USDC", 6, 900)
        super().__init__(where, PerpV2Scope(position.owner, markets), PERP[9])
        object.__setattr__(self, "paper", paper)

    def probe(self, name: str, block: BlockRef) -> Probe[PerpPosition]:
        position = self.paper.perp(name)
        return Probe((Read(PERP[0], name.encode()),), lambda answers: self._found(position))

    def _found(self, position: PerpPosition) -> PerpPosition:
        if not self.paper.rehearsed:
            return position
        calls, _ = self.paper.rehearsed[-1]
        decoders = self.decoders(position)
        source = self.scope.markets[0].source
        if source in self.paper.codes and not self.paper.ignores_oracle:
            at = self.paper.codes[source].index(b"\x7f") + 1  # PUSH32 and the price
            answer = int.from_bytes(self.paper.codes[source][at : at + 32], "big")
            position = perp_at_prices(position, {leg.market: answer for leg in position.legs})
        return self.paper.perp_after(position, [effect for call in calls for effect in decoders[call.to](call)])

    def quote_probe(self, position: PerpPosition, market: Address, size_change: int) -> Probe[TradeQuote | None]:
        def asked(_: object) -> TradeQuote | None:
            """What the market gives now, whenever that is."""
            (leg,) = [leg for leg in self.paper.perp(position.name).legs if leg.market == market]
            return quote(leg, size_change, **self.paper.market_gives) if size_change else None

        return Probe((), asked)


def _wanted(one: LendingPosition) -> LendingIntent:
    return intent(replace(one, name="loop"), rule())


@dataclass(slots=True)
class PaperSimulator:
    """Runs calls by saying that they went well, unless the test says otherwise."""

    paper: Paper
    where: str = "on paper"

    async def run(
        self,
        block: BlockRef,
        sender: Address,
        calls: Sequence[Call],
        reads: Sequence[Read],
        code: Mapping[Address, bytes] = NO_CODES,
        price: Wei | None = None,
        before: Sequence[Turn] = (),
    ) -> Simulation:
        self.paper.rehearsed.append((tuple(calls), tuple(before)))
        self.paper.codes = dict(code)
        error = self.paper.reverts(calls)
        ran = [Simulated(True, GAS, None) for _ in calls]
        if error is not None and ran:
            ran[-1] = Simulated(False, GAS, error)
        return Simulation(tuple(ran), tuple(read.data for read in reads), ())


@dataclass(slots=True)
class PaperJournal:
    """A journal in memory, which can be away."""

    paper: Paper
    rows: list[NewDecision] = field(default_factory=list)
    outcomes: dict[int, tuple[str, Any]] = field(default_factory=dict)
    kept: dict[str, Any] = field(default_factory=dict)
    past: dict[str, int | None] = field(default_factory=dict)
    """``acted_at``, ``failed``, ``spent``, ``gas_paid`` of every rule."""
    tally: int = 0

    @property
    def decisions(self) -> PaperJournal:
        return self

    @property
    def transactions(self) -> PaperJournal:
        return self

    @property
    def facts(self) -> PaperJournal:
        return self

    def _ask(self) -> None:
        if self.paper.journal_is_away:
            raise JournalError("be written", "the disk is full", "Make room.")

    async def record(self, decision: NewDecision) -> int:
        self._ask()
        self.tally += 1
        self.rows.append(decision)
        return len(self.rows)

    async def written(self, entry: Entry) -> int:
        if entry.id is None:
            entry.id = await self.record(entry.decision)
        return entry.id

    async def record_hold(self, decision: NewDecision) -> int:
        return await self.record(decision)

    async def record_outcome(self, decision_id: int, kind: str, outcome: Any) -> None:
        self._ask()
        self.outcomes[decision_id] = (kind, outcome)

    async def last(self, position: str, rule: str | None = None) -> Decision | None:
        return None

    async def last_restored_at(self, *_: object) -> int | None:
        self._ask()
        return self.past.get("acted_at")

    async def prices_of_last_restored(self, *_: object) -> dict[str, int]:
        return {}

    async def failed_since(self, *_: object) -> int:
        return self.past.get("failed") or 0

    async def price_moved_since(self, *_: object) -> int:
        return 0

    async def own_of(self, hashes: Collection[str]) -> frozenset[str]:
        return frozenset()

    async def recent(self, limit: int) -> tuple[Any, ...]:
        return ()

    async def spent_usd(self, chain_id: int, **_: object) -> int:
        return self.past.get("spent") or 0

    async def gas_paid(self, *_: object) -> int:
        return self.past.get("gas_paid") or 0

    async def get(self, key: str) -> Any | None:
        return self.kept.get(key)

    async def set(self, key: str, value: Any) -> None:
        self._ask()
        self.kept[key] = value

    async def change(self, keys: Sequence[str], turn: Changed) -> dict[str, Any]:
        self._ask()
        self.kept |= turn({key: self.kept.get(key) for key in keys})
        return {key: self.kept.get(key) for key in keys}


@dataclass(slots=True)
class PaperFees:
    """A calm market."""

    tip: int = 10**9
    last_toll: Toll = NO_TOLL

    async def market(self, base_fee: Wei) -> FeeMarket:
        return FeeMarket(base_fee, Wei(self.tip), base_fee, Wei(500 * 10**9))

    async def toll(self) -> Toll:
        return self.last_toll


@dataclass(slots=True)
class PaperClock:
    """Time that passes only when somebody sleeps."""

    now: float = 0.0
    ahead: float = 0.0
    """Of the first block's time."""

    def monotonic(self) -> float:
        return self.now

    def wall(self) -> float:
        return BLOCK.timestamp + self.now + self.ahead

    async def sleep(self, seconds: float) -> None:
        self.now += seconds


@dataclass(slots=True)
class Others:
    """Other nodes: they agree, or they do not."""

    agrees: bool = True
    confirms: bool = True
    asked: int = 0

    async def agree(self, block: BlockRef) -> None:
        self.asked += 1
        if not self.agrees:
            raise NodesDisagreeError("two", "eth_getBlockByNumber", "another block")

    async def confirm(self, block: BlockRef, to: Address, data: str, answer: str) -> bool:
        return self.confirms

    def poll(self, block: BlockRef, to: Address, data: str) -> Any:
        return None

    async def borne_out(self, block: BlockRef, poll: Any, answer: str) -> bool:
        return self.confirms


class Quiet:
    """Logs that say nothing."""

    def __getattr__(self, name: str) -> Any:
        async def nothing(*_: object, **__: object) -> Any:
            return ()

        return nothing


class NoFeed:
    """No node pushes anything."""

    def subscribe_logs(self, *_: object, **__: object) -> None:
        return None


def engine_on(
    paper: Paper,
    *rules: Rule,
    signers: Mapping[str, Address] | None = None,
    others: Others | None = None,
    perp_rules: tuple[PerpRule, ...] = (),
    books: tuple[Book, ...] = (),
    book_rules: tuple[BookRule, ...] = (),
    **terms: Any,
) -> Engine:
    """The engine over paper positions, in dry run; a signer each is the owner unless told otherwise."""
    journal = PaperJournal(paper)
    simulator = PaperSimulator(paper)
    usual = Terms("dry_run", safety(), 600, None, "dry_run", Bps(2000))
    return Engine(
        terms=replace(usual, **terms),
        state=State(tuple(rules)),
        reader=PaperReader(paper, signers or dict.fromkeys(paper.positions, OWNER)),
        rehearser=Upon(simulator),
        rehearser_ahead=simulator,
        journal=journal,
        logs=Quiet(),  # type: ignore[arg-type]
        fees=PaperFees(),
        feed=NoFeed(),
        clock=PaperClock(),
        observer=Observer("dry_run", None, 3600, lambda: float(NOW)),
        perps=PerpMemory(journal, "paper", perp_rules, books, book_rules),
        lent=LentMemory(journal, "paper", False),
        others=others,
    )


def next_block(block: BlockRef = BLOCK, **changes: Any) -> BlockRef:
    following = replace(
        block, number=block.number + 1, hash=f"0x{block.number + 1:064x}", parent_hash=block.hash,
        timestamp=block.timestamp + 12,
    )  # fmt: skip
    return replace(following, **changes)


def holding_dollars(dollars: str = "50000", native: int = 10**18) -> Wallet:
    return Wallet(OWNER, Wei(native), {at("USDC"): units("USDC", dollars)})
