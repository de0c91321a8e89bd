"""The two files as they are written: the owner's keeper.toml and a network file. Unknown keys are refused."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from keeper.core.rules import Action
from keeper.settings.fields import AddressField, Number, Seconds, Text, Whole


class Table(BaseModel):
    """A table that knows its keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


# --- network file ----------------------------------------------------------------------------------------------------


class AaveTable(Table):
    """[aave_v3]."""

    pool_addresses_provider: AddressField


class UniswapTable(Table):
    """[uniswap_v3]."""

    factory: AddressField
    quoter_v2: AddressField
    swap_router_02: AddressField
    fee_tiers: tuple[Whole, ...] = (100, 500, 3000, 10000)


class AssetTable(Table):
    """[price_safety.assets.SYMBOL]."""

    heartbeat: Seconds | None = None
    feed: AddressField | None = None
    second_feed: AddressField | None = None


class PriceSafetyTable(Table):
    """[price_safety]."""

    sequencer_feed: AddressField | None = None
    sequencer_grace: Seconds = Decimal(3600)
    default_heartbeat: Seconds = Decimal(25 * 3600)
    max_deviation_bps: Whole = Field(default=300, ge=1, le=5000)
    twap_window: Seconds = Decimal(300)
    assets: dict[str, AssetTable] = {}


class NetworkFile(Table):
    """One chain and one market."""

    name: Text
    chain_id: Whole = Field(ge=1)
    multicall3: AddressField
    wrapped_native: AddressField
    block_time: Seconds
    aave_v3: AaveTable
    uniswap_v3: UniswapTable | None = None
    price_safety: PriceSafetyTable = PriceSafetyTable()


# --- the owner's file ------------------------------------------------------------------------------------------------


class NetworkTable(Table):
    """[network]: the file that describes the chain, and the node to ask."""

    file: Text
    rpc_url: Text | None = None


class JournalTable(Table):
    """[journal]."""

    url: Text = "keeper.sqlite"


class SignerTable(Table):
    """[[signers]]."""

    name: Text
    address: AddressField
    keystore: Text | None = None
    password_file: Text | None = None
    password_credential: Text | None = None

    @model_validator(mode="before")
    @classmethod
    def _no_keys_here(cls, value: Any) -> Any:
        if isinstance(value, dict) and {"private_key", "key", "mnemonic", "password", "seed"} & value.keys():
            raise ValueError("keys and passwords never belong in this file: use `keystore` and `password_file`")
        return value


class PositionTable(Table):
    """[[positions]]."""

    name: Text
    venue: Literal["aave_v3"]
    owner: AddressField
    signer: Text | None = None


class WhenTable(Table):
    """A rule's trigger: exactly one measure."""

    health_factor_below: Number | None = None
    health_factor_above: Number | None = None
    ltv_above: Number | None = None
    liquidation_distance_below: Number | None = None
    price_below: Number | None = None
    price_above: Number | None = None
    asset: Text | None = None

    @model_validator(mode="after")
    def _one_measure(self) -> Self:
        named = [k for k in self.model_fields_set if k != "asset" and getattr(self, k) is not None]
        if len(named) != 1:
            raise ValueError(f"names {len(named)} measures, a rule has exactly one: {', '.join(MEASURES)}")
        if self.asset and not named[0].startswith("price_"):
            raise ValueError("`asset` goes with price_below or price_above only")
        return self


MEASURES = tuple(k for k in WhenTable.model_fields if k != "asset")


class RestoreTable(Table):
    """A rule's target: exactly one."""

    health_factor: Number | None = None
    ltv: Number | None = None

    @model_validator(mode="after")
    def _one_target(self) -> Self:
        if (self.health_factor is None) == (self.ltv is None):
            raise ValueError('names one of health_factor or ltv, or is "close"')
        return self


class LimitsTable(Table):
    """[rules.limits]."""

    max_slippage_bps: Whole = Field(default=50, ge=1, le=2000)
    max_spend_per_tx_usd: Number | None = None
    max_spend_per_day_usd: Number | None = None
    max_fee_gwei: Number | None = None


class RuleTable(Table):
    """[[rules]]."""

    name: Text
    position: Text
    when: WhenTable
    restore: RestoreTable | Literal["close"] | None = None
    actions: tuple[Action, ...] = Field(min_length=1)
    cooldown: Seconds = Decimal(600)
    limits: LimitsTable = LimitsTable.model_construct(max_slippage_bps=50)


class SafetyTable(Table):
    """[safety]."""

    health_factor_floor: Number = Decimal("1.02")
    emergency_health_factor: Number = Decimal("1.10")
    max_rounds: Whole = Field(default=10, ge=1, le=30)
    capital_cost_bps: Whole = Field(default=10, ge=0, le=10_000)
    swap_deadline: Seconds = Decimal(1800)
    max_fee_gwei: Number | None = None


class AlertsTable(Table):
    """[alerts]."""

    urls: tuple[Text, ...] = ()
    repeat: Seconds = Decimal(3600)


class DaemonTable(Table):
    """[daemon]."""

    poll: Seconds | None = None
    interval: Seconds | None = None
    rpc_timeout: Seconds = Decimal(10)
    reads_per_call: Whole = Field(default=500, ge=20, le=5000)
    metrics_port: Whole | None = Field(default=None, ge=1, le=65535)
    confirm: Seconds | None = None
    keep_holds_days: Whole = Field(default=90, ge=1)
    state_dir: Text | None = None


class KeeperFile(Table):
    """keeper.toml."""

    network: NetworkTable
    journal: JournalTable = JournalTable()
    signers: tuple[SignerTable, ...] = ()
    positions: tuple[PositionTable, ...] = Field(min_length=1)
    rules: tuple[RuleTable, ...] = ()
    safety: SafetyTable = SafetyTable()
    alerts: AlertsTable = AlertsTable()
    daemon: DaemonTable = DaemonTable()
