"""The settings as the rest of the program sees them: frozen, complete, in the core's own types."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from keeper.chain.record import Role
from keeper.core.book.actions import UNWIND
from keeper.core.book.position import Book
from keeper.core.book.rules import BookRule
from keeper.core.breaker import BreakerTerms
from keeper.core.decide import Safety
from keeper.core.exposure import ExposureLimits
from keeper.core.family import Family
from keeper.core.lending.rules import Rule
from keeper.core.perp.rules import PerpRule
from keeper.core.risk.put_terms import HeldPut
from keeper.core.risk.shock_terms import Shock
from keeper.core.rules import looks_ahead
from keeper.core.units import Address, Bps, Wei
from keeper.venues.ports import VenueTable
from keeper.venues.registry import EXCHANGES, LENDERS, VENUES, family_of


class Secret:
    """A text that never shows itself: not in a log line, a traceback or a dump."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Return the text, at the one place that needs it."""
        return self._text

    def __repr__(self) -> str:
        return "Secret(…)"


@dataclass(frozen=True, slots=True, repr=False)
class WrittenFiles:
    """A settings file as its owner wrote it, and the network file it names. It holds secrets: it has no ``repr``."""

    own: Mapping[str, Any] = field(default_factory=dict)
    network: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AssetSafety:
    """What is known of one asset's feeds. ``feed`` gives the age where the oracle's source does not."""

    heartbeat_s: int | None = None
    feed: Address | None = None
    second_feed: Address | None = None
    backed_by: str | None = None
    """What it stands for: an asset by symbol or address, or ``USD``."""
    rate: Address | None = None
    """Who says for how much of it; None: for one."""


@dataclass(frozen=True, slots=True)
class Network:
    """One chain and the venues on it: addresses are data."""

    name: str
    chain_id: int
    multicall3: Address
    wrapped_native: Address
    block_time_s: float
    tables: tuple[VenueTable, ...]
    """Where positions are and swaps go, each a table: those called as their venue first."""
    batch_account: Address | None
    sequencer_feed: Address | None
    sequencer_grace_s: int
    default_heartbeat_s: int
    max_deviation: Bps
    twap_window_s: int
    assets: dict[str, AssetSafety]
    ens_registry: Address | None = None
    native_kept: Wei | None = None
    """Of a wallet's native currency what always stays for gas; None: none of it is paid into a market."""
    """Where names are looked up; None where the chain has no ENS."""
    multi_send: Address | None = None
    """``MultiSendCallOnly``: through it a Safe makes several calls at once."""

    @property
    def known_as(self) -> tuple[int, str]:
        """What the journal keeps things of this chain under: its id, and the network's name."""
        return self.chain_id, self.name

    @property
    def markets(self) -> tuple[VenueTable, ...]:
        """Lending markets."""
        return tuple(table for table in self.tables if family_of(table.venue) is Family.LENDING)

    @property
    def exchanges(self) -> tuple[VenueTable, ...]:
        """Where swaps go."""
        return tuple(table for table in self.tables if table.venue in EXCHANGES)

    @property
    def lenders(self) -> tuple[VenueTable, ...]:
        """Who lends within one transaction."""
        return tuple(table for table in self.tables if table.venue in LENDERS)

    def exchange(self, venue: str) -> VenueTable | None:
        """Return where an exchange is; None where the file does not name it."""
        return next((table for table in self.exchanges if table.venue == venue), None)

    def perp(self, venue: str, table: str | None = None) -> VenueTable | None:
        """Return where a perpetual venue is: the table of that name, else of the venue's name, or the only one.

        None where the file does not name it, or several and none is meant.
        """
        mine = self.tables_of(venue)
        found = [of for of in mine if of.name == (table or venue)]
        return found[0] if found else mine[0] if len(mine) == 1 and table is None else None

    def tables_of(self, venue: str) -> list[VenueTable]:
        """Return every place of a venue on the chain."""
        return [table for table in self.tables if table.venue == venue]

    def market_of(self, position: Position) -> VenueTable | None:
        """Return the lending market of a position: the one it names, else that of its venue's name, or the only one."""
        mine = [table for table in self.markets if table.venue == position.venue]
        if VENUES[position.venue].has_parts:
            id_ = (position.market or "").lower()
            return replace(mine[0], name=f"{mine[0].name} {id_}", part=id_) if mine else None
        named = position.market or position.venue
        found = [table for table in mine if table.name == named]
        return found[0] if found else mine[0] if len(mine) == 1 and position.market is None else None

    follows_clock: bool = False
    """Whether blocks carry the time of day: all but chains whose time is made up."""

    def asset(self, symbol: str, address: str = "") -> AssetSafety:
        """Return what the file says of an asset, by its address or its symbol; the defaults when it says nothing."""
        return self.assets.get(address.lower()) or self.assets.get(symbol.lower()) or AssetSafety()


@dataclass(frozen=True, slots=True)
class NamedAccount:
    """An account that the owner names by ENS, as it is hashed, and whose it is; None until it was looked up."""

    name: str
    field: str
    """Where it is written."""
    address: Address | None


@dataclass(frozen=True, slots=True)
class RemoteKey:
    """A signer that is asked over JSON-RPC: its address, which may carry a password, and by which name it is asked."""

    url: Secret
    method: str


@dataclass(frozen=True, slots=True)
class KmsKey:
    """A key of AWS KMS, and where it is; None for where the environment says."""

    id: str
    region: str | None


@dataclass(frozen=True, slots=True)
class Signer:
    """An account that signs. Its key is in an encrypted keystore, or elsewhere with somebody who is asked."""

    name: str
    address: Address
    keystore: Path | None
    password_file: Path | None
    password_credential: str | None
    may_batch: bool = False
    """Whether the owner lets it delegate to the network's batch account (EIP-7702)."""
    safe: Address | None = None
    """The Safe that it acts for, as one of its owners; None where it acts for itself."""
    savings: tuple[Address, ...] = ()
    """What it holds that earns until a rescue needs it: shares of vaults, supplies in pools; drawn in this order."""
    remote: RemoteKey | None = None
    """Who is asked over JSON-RPC to sign."""
    kms: KmsKey | None = None
    """Which key of AWS KMS signs."""

    @property
    def has_key(self) -> bool:
        """Whether the settings say where its key is."""
        return bool(self.keystore or self.remote or self.kms)

    @property
    def account(self) -> Address:
        """Whose money it moves: the Safe's, else its own."""
        return self.safe or self.address


@dataclass(frozen=True, slots=True)
class Position:
    """One account to keep. ``signer`` is the owner itself or a guardian; None means unsigned (dry run, alerts)."""

    name: str
    venue: str
    owner: Address
    signer: Signer | None
    market: str | None = None
    """A lending market, by its table's name, or by its id where a table has many.

    GMX v2: by address or name; Perp v2: one to watch that is not open yet.
    """
    collateral: str | None = None
    is_long: bool | None = None
    table: str | None = None
    """A perpetual venue's table in the network file, where it has several."""

    @property
    def family(self) -> Family:
        """What kind of position it is."""
        return VENUES[self.venue].family

    @property
    def spender(self) -> Address:
        """Whose wallet pays for this position: the signer's own, or that of the Safe that it acts for."""
        return self.signer.account if self.signer else self.owner

    @property
    def sender(self) -> Address:
        """Who sends the transactions and pays their gas."""
        return self.signer.address if self.signer else self.owner


@dataclass(frozen=True, slots=True)
class Alerts:
    """Where alarms go (Apprise URLs), and how long the same one is not repeated."""

    urls: tuple[Secret, ...]
    repeat_s: int
    escalate_urls: tuple[Secret, ...] = ()
    """Where what lasts or gets worse goes as well."""
    heartbeat_url: Secret | None = None
    """A dead-man's switch that is called after blocks that were judged."""
    heartbeat_s: float = 60.0
    summary_s: int = 0
    """How often a summary is sent; zero for never."""
    low_gas: Wei | None = None
    """Native currency below which a signer's gas money is low; None: a few rescues' worth."""


@dataclass(frozen=True, slots=True)
class DaemonSettings:
    """How the daemon runs. ``poll_s`` is how often the head is asked for where no node pushes it.

    One eth_call has at most so many reads, takes about so much gas, and so many bytes of JSON there and back.
    """

    poll_s: float
    interval_s: float | None
    rpc_timeout_s: float
    reads_per_call: int
    gas_per_call: int
    bytes_per_call: int
    metrics_port: int | None
    confirm_s: float
    """How long a transaction may take to be mined before it counts as stuck."""
    order_patience_s: float
    """How long an order that waits for a venue's keepers is followed before its plan ends without it."""
    confirmations: int
    """Blocks after which a mined transaction counts as final."""
    keep_holds_days: int
    fire_drill_s: int
    """How often every rescue is rehearsed at the price that would fire it; zero for never."""
    state_dir: Path | None


@dataclass(frozen=True, slots=True)
class WebSettings:
    """The page: its port on the loopback interface, and the names that a browser may call it by besides.

    Where no file is named for the token that lets look, one is made in the state directory. Without a file for the
    second token nothing can be changed from the page.
    """

    port: int = 8520
    names: tuple[str, ...] = ()
    token_file: Path | None = None
    control_token_file: Path | None = None


@dataclass(frozen=True, slots=True)
class TelegramSettings:
    """A bot, whom it answers, and whether they may change anything."""

    token: Secret
    chats: frozenset[int]
    may_control: bool
    api: Secret


@dataclass(frozen=True, slots=True)
class NodeSettings:
    """A node: what it is for, how it takes transactions, and what is shown of it, which is never its URL."""

    url: Secret
    name: str
    roles: frozenset[Role]
    send_method: str = "eth_sendRawTransaction"
    requests_per_second: float | None = None
    """What it may be asked in a second at most; None leaves that to what it refuses."""

    @property
    def pushes(self) -> bool:
        """Whether it reads, and can push heads and events by itself."""
        return Role.READ in self.roles and self.url.reveal().startswith(("ws://", "wss://"))


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything the owner declared. Of ``nodes`` at least one reads."""

    network: Network
    nodes: tuple[NodeSettings, ...]
    private_blocks: int
    """Blocks after which a transaction that only private relays know also goes public."""
    max_lag_blocks: int
    """Blocks behind the others after which a node is not read from."""
    journal_url: Secret
    journal_source: str
    """Where it was written, for whoever has to correct it."""
    positions: tuple[Position, ...]
    rules: tuple[Rule, ...]
    perp_rules: tuple[PerpRule, ...]
    books: tuple[Book, ...]
    book_rules: tuple[BookRule, ...]
    signers: tuple[Signer, ...]
    safety: Safety
    swap_deadline_s: int
    fee_share: Bps
    """Share of the expected loss from liquidation that gas may cost."""
    max_fee: Wei | None
    arm_within: Bps
    """How near its trigger a rule's plans are made ready; zero for never."""
    is_early: bool
    """Whether a plan made ready may go out on the oracle's own event, before anything is read."""
    alerts: Alerts
    daemon: DaemonSettings
    path: Path
    forecaster: str = "usual"
    """Who says how much prices will move, by name: for rules that look ahead."""
    exposure: ExposureLimits | None = None
    """The most there may be of an underlying, at a venue, on the chain, and leverage in all."""
    puts: tuple[HeldPut, ...] = ()
    """Puts that the owner holds elsewhere: risk counts them, and nothing is traded by them."""
    shocks: tuple[Shock, ...] = ()
    """The owner's own shocks, beside those of the stress table."""
    breaker: BreakerTerms | None = None
    """When a move suspends trades, and for how long; None for never."""
    trades_unrehearsed: bool = False
    """Whether orders may be left with an exchange that lets none be tried: by quote and bounds alone."""

    web: WebSettings = WebSettings()
    telegram: TelegramSettings | None = None

    panic_rules: tuple[Rule, ...] = ()
    """What ``keeper panic`` does to loans."""
    perp_panic_rules: tuple[PerpRule, ...] = ()
    """What it does to perpetual positions."""
    names: tuple[NamedAccount, ...] = ()
    """Accounts written as names of ENS. Until all have an address, nothing may be done with these settings."""
    written: WrittenFiles = WrittenFiles()

    @property
    def has_unknown_names(self) -> bool:
        """Whether a name is still to be looked up: see ``service.names``."""
        return any(named.address is None for named in self.names)

    @property
    def looks_ahead(self) -> bool:
        """Whether any rule rests on how prices moved."""
        of_perps = any(looks_ahead(rule) for rule in self.perp_rules)
        return of_perps or any(map(looks_ahead, self.rules)) or any(map(looks_ahead, self.book_rules))

    @property
    def subject_names(self) -> tuple[str, ...]:
        """Positions and books, as the owner calls them."""
        return tuple(dict.fromkeys([p.name for p in self.positions] + [b.name for b in self.books]))

    @property
    def rule_names(self) -> tuple[str, ...]:
        """Rules of every kind, each name once."""
        named = [r.name for r in self.rules] + [r.name for r in self.perp_rules] + [r.name for r in self.book_rules]
        return tuple(dict.fromkeys(named))

    def traded_by(self, rule: BookRule) -> tuple[str, ...]:
        """Return the positions that a book's rule may trade: its hedges, and what is unwound where none can be had."""
        book = next(book for book in self.books if book.name == rule.position)
        unwound = (book.unwinds,) if book.unwinds and UNWIND in rule.actions else ()
        return (*book.hedges, *unwound) if rule.actions else ()

    @property
    def rpc_url(self) -> Secret:
        """The first node that reads: what a dry run forks."""
        return next(node.url for node in self.nodes if Role.READ in node.roles)
