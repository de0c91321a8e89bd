"""The two files as they are written: the owner's keeper.toml and a network file. Unknown keys are refused."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, create_model, model_validator

from keeper.chain.record import Role
from keeper.core.family import Family
from keeper.core.lending.moves import MARKET
from keeper.settings.fields import (
    AccountField,
    AddressField,
    AlarmUrl,
    AssetName,
    HeartbeatUrl,
    JournalUrl,
    Name,
    Number,
    Period,
    Seconds,
    Text,
    Url,
    Whole,
)
from keeper.settings.perp_schema import BookTable, Table
from keeper.settings.puts_schema import PutTable
from keeper.settings.rule_schema import PanicTable, RuleTable
from keeper.settings.shocks_schema import ShockTable
from keeper.settings.venue_schema import TABLES, MarketsTable, as_table
from keeper.venues.ports import VenueTable
from keeper.venues.registry import VENUES


def _known(venue: str) -> str:
    if venue not in VENUES:
        *others, last = (repr(key) for key in VENUES)
        raise ValueError(f"must be {', '.join(others)} or {last}")
    return venue


VenueKey = Annotated[Text, AfterValidator(_known)]
"""A venue that the registry knows."""
# --- network file ----------------------------------------------------------------------------------------------------


class AssetTable(Table):
    """[price_safety.assets.SYMBOL]."""

    heartbeat: Period | None = None
    feed: AddressField | None = None
    second_feed: AddressField | None = None
    backed_by: AssetName | None = None
    rate: AddressField | None = None

    @model_validator(mode="after")
    def _rate_is_of_something(self) -> Self:
        if self.rate is not None and self.backed_by is None:
            raise ValueError('rate: say what it is the rate of, like backed_by = "WETH" (or "USD")')
        return self


class PriceSafetyTable(Table):
    """[price_safety]."""

    sequencer_feed: AddressField | None = None
    sequencer_grace: Seconds = Decimal(3600)
    default_heartbeat: Period = Decimal(25 * 3600)
    max_deviation_bps: Whole = Field(default=300, ge=1, le=5000)
    twap_window: Period = Decimal(300)
    assets: dict[AssetName, AssetTable] = Field(default_factory=dict)


class NetworkFile(Table):
    """One chain, and the venues on it: a table each, called as the venue (``NETWORK_FILE`` has them), or by a name."""

    name: Name
    chain_id: Whole = Field(ge=1, lt=2**63)
    multicall3: AddressField
    wrapped_native: AddressField
    block_time: Period
    follows_clock: bool | None = None
    markets: dict[Name, MarketsTable] = Field(default_factory=dict)
    batch_account: AddressField | None = None
    multi_send_call_only: AddressField | None = None
    ens_registry: AddressField | None = None
    native_kept: Number | None = None
    price_safety: PriceSafetyTable = PriceSafetyTable()

    @model_validator(mode="after")
    def _has_each_name_once(self) -> Self:
        for name in self.markets:
            if name in TABLES or name == MARKET:
                raise ValueError(f"markets.{name}: is no name to choose; take another")
        return self

    @property
    def tables(self) -> tuple[VenueTable, ...]:
        """All tables of venues and exchanges, those called as their venue first."""
        plain = [(venue, getattr(self, venue)) for venue in TABLES]
        named = [as_table(name, of.venue, of.table) for name, of in self.markets.items()]
        return (*(as_table(venue, venue, table) for venue, table in plain if table is not None), *named)


_VENUES: dict[str, Any] = {venue: (table | None, None) for venue, table in TABLES.items()}
NETWORK_FILE: type[NetworkFile] = create_model("NetworkFile", __base__=NetworkFile, **_VENUES)


_HOST = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?", re.IGNORECASE)


def _host(name: str) -> str:
    if not _HOST.fullmatch(name) or len(name) > 253:
        raise ValueError("must be a host's name alone, like keeper.example.net: no scheme, port or path")
    return name.lower()


HostName = Annotated[Text, AfterValidator(_host)]
"""A name that a browser may have typed."""

# --- the owner's file ------------------------------------------------------------------------------------------------


class NodeTable(Table):
    """[[network.nodes]]: one node, and what it is for."""

    url: Url
    name: Name | None = None
    roles: tuple[Role, ...] = Field(default=(Role.READ, Role.SEND), min_length=1)
    method: Literal["eth_sendRawTransaction", "eth_sendPrivateTransaction"] = "eth_sendRawTransaction"
    requests_per_second: Number | None = None

    @model_validator(mode="after")
    def _roles_go_together(self) -> Self:
        if {Role.SEND, Role.PRIVATE} <= set(self.roles):
            raise ValueError("roles: a private relay does not send in public as well; drop `send` or `private`")
        if "method" in self.model_fields_set and Role.PRIVATE not in self.roles:
            raise ValueError("method: is for nodes with the role `private`")
        if self.requests_per_second is not None and not Decimal("0.1") <= self.requests_per_second <= 10_000:
            raise ValueError("requests_per_second: must be from 0.1 to 10000; leave it out to have it learned")
        return self


class NetworkTable(Table):
    """[network]: the file that describes the chain, and the nodes to ask."""

    file: Text
    rpc_url: Url | None = None
    nodes: tuple[NodeTable, ...] = ()
    private_blocks: Whole = Field(default=3, ge=1, le=1000)
    max_lag_blocks: Whole = Field(default=3, ge=1, le=1000)


class JournalTable(Table):
    """[journal]."""

    url: JournalUrl = "keeper.sqlite"


class SignerTable(Table):
    """[[signers]]."""

    name: Name
    address: AccountField
    keystore: Text | None = None
    password_file: Text | None = None
    password_credential: Text | None = None
    remote: Url | None = None
    remote_method: Literal["eth_signTransaction", "account_signTransaction"] | None = None
    kms_key: Text | None = None
    kms_region: Text | None = None
    batch: bool = False
    safe: AddressField | None = None
    savings: tuple[AddressField, ...] = ()

    @model_validator(mode="after")
    def _has_one_key(self) -> Self:
        named = [key for key in ("keystore", "remote", "kms_key") if getattr(self, key) is not None]
        if len(named) > 1:
            raise ValueError(f"{named[1]}: a key is in one place: name {named[0]} or {named[1]}")
        if named != ["keystore"] and (self.password_file or self.password_credential) and named:
            raise ValueError("password_file: is for a keystore; leave it out")
        if self.remote is None and self.remote_method is not None:
            raise ValueError("remote_method: is how `remote` is asked; name that")
        if self.remote is not None and not self.remote.startswith(("http://", "https://")):
            raise ValueError("remote: must begin with http:// or https://")
        if self.kms_key is None and self.kms_region is not None:
            raise ValueError("kms_region: is where `kms_key` is; name that")
        for key in ("batch", "safe"):
            if named and named != ["keystore"] and getattr(self, key):
                why = "a delegation (EIP-7702)" if key == "batch" else "the inner signature of a Safe's loan"
                raise ValueError(f"{key}: needs {why}, which {named[0]} does not sign: use a keystore, or leave it out")
        return self

    @model_validator(mode="before")
    @classmethod
    def _no_keys_here(cls, value: Any) -> Any:
        if isinstance(value, dict) and {"private_key", "key", "mnemonic", "password", "seed"} & value.keys():
            raise ValueError("keys and passwords never belong in this file: use `keystore` and `password_file`")
        return value


MARKET_ID = re.compile(r"0x[0-9a-fA-F]{64}")


class PositionTable(Table):
    """[[positions]]."""

    name: Name
    venue: VenueKey
    owner: AccountField
    signer: Text | None = None
    market: Text | None = None
    collateral: Text | None = None
    side: Literal["long", "short"] | None = None
    table: Name | None = None

    @model_validator(mode="after")
    def _says_which(self) -> Self:
        venue = VENUES[self.venue]
        if self.table is not None and venue.family is Family.LENDING:
            raise ValueError("table: is for perpetual venues; a lending position names its table by `market`")
        for key in ("market", "collateral", "side"):
            if key in venue.must_name and getattr(self, key) is None:
                *others, last = venue.must_name
                needs = f"{', '.join(others)} and {last}" if others else last
                raise ValueError(f"{key}: is missing; a {self.venue} position is one {needs}")
            if key == "market" and venue.has_parts and not MARKET_ID.fullmatch(self.market or ""):
                raise ValueError(f"{key}: {self.market!r} is no id of a market: write 0x and 64 hexadecimal digits")
            if key not in (*venue.may_name, *venue.must_name) and getattr(self, key) is not None:
                raise ValueError(f"{key}: is not for {self.venue}; leave it out")
        return self


MOST_BREAKER_S = 86_400


class BreakerTable(Table):
    """The circuit breaker: a move of a price that is no market any more."""

    move: Number
    within: Period
    pause: Period

    @model_validator(mode="after")
    def _sizes(self) -> Self:
        if not 0 < self.move < 1:
            raise ValueError('move: is a share between 0 and 1; write 15 % as "0.15"')
        if self.within > MOST_BREAKER_S or self.pause > MOST_BREAKER_S:
            raise ValueError("within, pause: a day at the most: a breaker is for the hour that matters")
        return self


class SafetyTable(Table):
    """[safety]."""

    health_factor_floor: Number = Decimal("1.02")
    emergency_health_factor: Number = Decimal("1.10")
    max_rounds: Whole = Field(default=10, ge=1, le=30)
    capital_cost_bps: Whole = Field(default=10, ge=0, le=10_000)
    swap_deadline: Period = Decimal(1800)
    fee_share_of_loss_bps: Whole = Field(default=5000, ge=1, le=10_000)
    max_fee_gwei: Number | None = None
    arm_within_bps: Whole = Field(default=500, ge=0, le=3000)
    act_on_oracle_events: bool = False
    trade_unrehearsed: bool = False
    forecaster: Text = "usual"
    breaker: BreakerTable | None = None

    @model_validator(mode="after")
    def _bounds(self) -> Self:
        if self.health_factor_floor <= 1:
            raise ValueError("health_factor_floor: must be above 1, where liquidation begins")
        if self.emergency_health_factor < self.health_factor_floor:
            raise ValueError("emergency_health_factor: must not be below health_factor_floor")
        if self.max_fee_gwei is not None and self.max_fee_gwei <= 0:
            raise ValueError("max_fee_gwei: must be positive; leave the key out for no limit")
        return self


class ExposureTable(Table):
    """[exposure]: beyond one of these nothing adds leverage."""

    underlyings_usd: dict[Text, Number] = Field(default_factory=dict)
    venues_usd: dict[VenueKey, Number] = Field(default_factory=dict)
    chain_usd: Number | None = None
    leverage: Number | None = None
    all_chains: bool = False

    @model_validator(mode="after")
    def _sizes(self) -> Self:
        amounts = [*self.underlyings_usd.values(), *self.venues_usd.values(), self.chain_usd]
        if any(amount is not None and amount <= 0 for amount in amounts):
            raise ValueError("a limit is above zero; leave the key out for none")
        if self.leverage is not None and self.leverage < 1:
            raise ValueError("leverage: is 1 without any debt; write 3 for three times what is your own")
        return self


class AlertsTable(Table):
    """[alerts]."""

    urls: tuple[AlarmUrl, ...] = ()
    repeat: Seconds = Decimal(3600)
    escalate_urls: tuple[AlarmUrl, ...] = ()
    heartbeat_url: HeartbeatUrl | None = None
    heartbeat: Period = Decimal(60)
    summary: Seconds = Decimal(86_400)
    low_gas: Number | None = None

    @model_validator(mode="after")
    def _low_gas_is_some(self) -> Self:
        if self.low_gas is not None and self.low_gas <= 0:
            raise ValueError("low_gas: must be positive; leave the key out for a few rescues' worth")
        return self


class DaemonTable(Table):
    """[daemon]."""

    poll: Period | None = None
    interval: Period | None = None
    rpc_timeout: Period = Decimal(10)
    reads_per_call: Whole = Field(default=1000, ge=20, le=5000)
    gas_per_call: Whole = Field(default=30_000_000, ge=1_000_000, le=1_000_000_000)
    bytes_per_call: Whole = Field(default=2_000_000, ge=50_000, le=50_000_000)
    metrics_port: Whole | None = Field(default=None, ge=1, le=65535)
    confirm: Period | None = None
    order_patience: Period = Decimal(90)
    confirmations: Whole = Field(default=3, ge=1, le=1000)
    keep_holds_days: Whole = Field(default=90, ge=1, le=36_500)
    fire_drill: Seconds = Decimal(86_400)
    state_dir: Text | None = None


class WebTable(Table):
    """[web]: the page, where one is asked for. It is never served beyond this machine."""

    port: Whole = Field(default=8520, ge=1, le=65535)
    names: tuple[HostName, ...] = ()
    token_file: Text | None = None
    control_token_file: Text | None = None


MOST_CHATS = 50


class TelegramTable(Table):
    """[telegram]: a bot that answers the chats named here. Left out, there is none."""

    token_file: Text | None = None
    chats: tuple[Annotated[int, Field(strict=True)], ...] = Field(min_length=1, max_length=MOST_CHATS)
    control: bool = False
    api: Url = "https://api.telegram.org"

    @model_validator(mode="after")
    def _is_kept_secret(self) -> Self:
        if not self.api.startswith(("https://", "http://127.0.0.1:", "http://localhost:")):
            raise ValueError("api: must begin with https://, but for a server on this machine")
        return self


class KeeperFile(Table):
    """keeper.toml."""

    network: NetworkTable
    journal: JournalTable = JournalTable()
    signers: tuple[SignerTable, ...] = ()
    positions: tuple[PositionTable, ...] = Field(min_length=1)
    books: tuple[BookTable, ...] = ()
    puts: tuple[PutTable, ...] = ()
    shocks: tuple[ShockTable, ...] = ()
    rules: tuple[RuleTable, ...] = ()
    panic: tuple[PanicTable, ...] = ()
    safety: SafetyTable = SafetyTable()
    exposure: ExposureTable | None = None
    alerts: AlertsTable = AlertsTable()
    daemon: DaemonTable = DaemonTable()
    web: WebTable = WebTable()
    telegram: TelegramTable | None = None
