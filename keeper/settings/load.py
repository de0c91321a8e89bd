"""Read the files, check each field, then what the fields mean together; report every fault at once."""

from __future__ import annotations

import contextlib
import os
import tomllib
from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import replace
from decimal import Decimal
from math import ceil
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from keeper import resources
from keeper.chain.health import host_of
from keeper.chain.record import Role
from keeper.core.book.kind import BOOK
from keeper.core.breaker import BreakerTerms
from keeper.core.decide import Safety
from keeper.core.exposure import ExposureLimits
from keeper.core.family import Family
from keeper.core.lending.kind import LENDING
from keeper.core.perp.kind import PERP
from keeper.core.units import BPS, USD, WAD, Address, Bps, Usd, Wad, Wei, scaled
from keeper.settings import schema
from keeper.settings.books import build_book
from keeper.settings.faults import field_faults, in_one_line
from keeper.settings.fields import as_account, is_name, urls_in
from keeper.settings.meaning import contradictions, environment_faults
from keeper.settings.model import (
    Alerts,
    AssetSafety,
    DaemonSettings,
    KmsKey,
    NamedAccount,
    Network,
    NodeSettings,
    Position,
    RemoteKey,
    Secret,
    Settings,
    Signer,
    WebSettings,
    WrittenFiles,
)
from keeper.settings.panics import build_panic, kind_of, panic_faults
from keeper.settings.puts_schema import build_put
from keeper.settings.rule_kinds import family_about
from keeper.settings.rules import build_rule
from keeper.settings.safes import safe_faults
from keeper.settings.shocks_schema import build_shock
from keeper.settings.telegram import TokenMissingError, telegram_of

GWEI = 10**9
_Model = TypeVar("_Model", bound=BaseModel)


class SettingsError(Exception):
    """The settings cannot be used. ``faults`` are lines of ``file: field: what is wrong and what to do``."""

    def __init__(self, faults: list[str]) -> None:
        self.faults = [in_one_line(fault) for fault in dict.fromkeys(faults)]
        super().__init__("\n".join(self.faults))


def load(
    path: Path, environment: Mapping[str, str] | None = None, names: Mapping[str, Address] | None = None
) -> Settings:
    """Return the settings of a file. ``KEEPER_RPC_URL``, ``KEEPER_JOURNAL_URL`` and ``KEEPER_ALERT_URLS`` come first.

    ``names`` says whose the names of ENS are, as far as that is known.

    Raises SettingsError with every fault found, in the owner's file and in the network file it names.
    """
    env = os.environ if environment is None else environment
    raw = _read(path)
    own = deepcopy(raw)
    faults = list[str]()
    named = tuple(_with_addresses(raw, names or {}))
    file = _checked(raw, schema.KeeperFile, path, faults)
    faults += [f"{path}: {fault}" for fault in contradictions(raw, env)]
    faults += environment_faults(env)
    if file is not None:
        faults += [f"{path}: {fault}" for fault in panic_faults(file.panic, {p.name: p.venue for p in file.positions})]
    network = _network_file(raw, path, faults)
    if faults or file is None or network is None:
        raise SettingsError(faults)
    written = WrittenFiles(own, network.model_dump(mode="json", warnings=False))
    try:
        settings = replace(_settings(file, network, env, path), names=named, written=written)
    except TokenMissingError as error:
        raise SettingsError([f"{path}: telegram.token_file: {error}"]) from None
    if without := safe_faults(settings):
        raise SettingsError([f"{path}: {fault}" for fault in without])
    if settings.is_early and not any(node.pushes for node in settings.nodes):
        remedy = "name a node that begins with wss://, or leave it out"
        raise SettingsError([f"{path}: safety.act_on_oracle_events: no node pushes events over HTTP; {remedy}"])
    if settings.is_early and sum(Role.READ in node.roles for node in settings.nodes) > 1:
        remedy = "several nodes must agree before money moves, and that is a read; read from one, or leave it out"
        raise SettingsError([f"{path}: safety.act_on_oracle_events: {remedy}"])
    if settings.is_early and not settings.arm_within:
        raise SettingsError([f"{path}: safety.act_on_oracle_events: needs plans made ready: arm_within_bps is 0"])
    return settings


def _with_addresses(raw: dict[str, Any], names: Mapping[str, Address]) -> Iterator[NamedAccount]:
    """Yield every name of ENS, and put the address that is known in its place; what is no name is a fault elsewhere."""
    for tables, key in (("positions", "owner"), ("signers", "address")):
        listed = raw.get(tables)
        for i, table in enumerate(listed if isinstance(listed, list) else ()):
            written = table.get(key) if isinstance(table, dict) else None
            if not isinstance(written, str) or not is_name(written):
                continue
            with contextlib.suppress(ValueError):
                name = as_account(written)
                yield NamedAccount(name, f"{tables}[{i}].{key} (in {table.get('name')!r})", names.get(name))
                table[key] = names.get(name, name)


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"), parse_float=Decimal)
    except FileNotFoundError:
        hint = "pass --config FILE, or write one to begin with: keeper example > keeper.toml"
        raise SettingsError([f"{path}: there is no such file; {hint}"]) from None
    except OSError as error:
        raise SettingsError([f"{path}: cannot be read: {error.strerror}"]) from None
    except UnicodeDecodeError:
        raise SettingsError([f"{path}: is not valid TOML: it is not UTF-8 text; save it anew as UTF-8"]) from None
    except (ValueError, ArithmeticError, RecursionError) as error:  # also numbers of thousands of digits
        what = "a number in it is beyond all bounds" if isinstance(error, ArithmeticError) else error
        raise SettingsError([f"{path}: is not valid TOML: {what}"]) from None


def _checked(raw: dict[str, Any], model: type[_Model], path: Path, faults: list[str]) -> _Model | None:
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        faults += [f"{path}: {fault}" for fault in field_faults(error, raw, model)]
        return None


def _network_file(raw: dict[str, Any], config: Path, faults: list[str]) -> schema.NetworkFile | None:
    table = raw.get("network")
    named = table.get("file") if isinstance(table, dict) else None
    if not isinstance(named, str) or not named.strip():
        return None  # a fault of the owner's file, and reported there
    try:
        path = _network_path(named, config)
        return _checked(_read(path), schema.NETWORK_FILE, path, faults)
    except SettingsError as error:
        faults += error.faults
        return None


def _network_path(named: str, config: Path) -> Path:
    """Return the network file: a path beside the owner's file, else a bare name of one that ships with the keeper."""
    own = beside(config, named)
    try:
        if own.is_file():
            return own
    except OSError as error:  # a name too long for any file
        raise SettingsError([f"{config}: network.file: cannot be looked for: {error.strerror}"]) from None
    shipped = {path.stem: path for path in resources.folder("networks").glob("*.toml")}
    if found := shipped.get(named.removesuffix(".toml")):
        return found
    names = ", ".join(sorted(shipped))
    raise SettingsError([f"{config}: network.file: {own} does not exist; name a file, or one of: {names}"])


def beside(config: Path, named: str) -> Path:
    """Return a path as the owner means it: relative to the file it is written in; ~ is the user's own folder."""
    try:
        return config.parent / Path(named).expanduser()
    except RuntimeError:  # ~somebody who is not known here: then it is a file's name
        return config.parent / named


def _settings(file: schema.KeeperFile, network: schema.NetworkFile, env: Mapping[str, str], path: Path) -> Settings:
    signers = {s.name: _signer(s, path) for s in file.signers}
    urls = tuple(env.get("KEEPER_ALERT_URLS", "").split()) or file.alerts.urls
    block_time = float(network.block_time)
    daemon, safety = file.daemon, file.safety
    venues = {p.name: p.venue for p in file.positions}
    return Settings(
        network=_network(network),
        nodes=_nodes(file.network, urls_in(env.get("KEEPER_RPC_URL", ""))),
        private_blocks=file.network.private_blocks,
        max_lag_blocks=file.network.max_lag_blocks,
        journal_url=Secret(env.get("KEEPER_JOURNAL_URL") or _journal_url(file.journal.url, path)),
        journal_source="KEEPER_JOURNAL_URL (environment)" if env.get("KEEPER_JOURNAL_URL") else f"{path}: journal.url",
        positions=tuple(_position(p, signers) for p in file.positions),
        rules=tuple(build_rule(rule, LENDING) for rule in file.rules if family_about(rule, venues) is Family.LENDING),
        perp_rules=tuple(build_rule(rule, PERP) for rule in file.rules if family_about(rule, venues) is Family.PERP),
        books=tuple(build_book(book, signers) for book in file.books),
        puts=tuple(build_put(put) for put in file.puts),
        shocks=tuple(build_shock(shock) for shock in file.shocks),
        book_rules=tuple(build_rule(rule, BOOK) for rule in file.rules if family_about(rule, venues) is Family.BOOK),
        panic_rules=tuple(build_panic(t, LENDING) for t in file.panic if kind_of(t, venues) is Family.LENDING),
        perp_panic_rules=tuple(build_panic(t, PERP) for t in file.panic if kind_of(t, venues) is Family.PERP),
        signers=tuple(signers.values()),
        safety=Safety(
            health_floor=Wad(scaled(safety.health_factor_floor, WAD)),
            emergency_health=Wad(scaled(safety.emergency_health_factor, WAD)),
            max_rounds=safety.max_rounds,
            capital_cost=Bps(safety.capital_cost_bps),
        ),
        swap_deadline_s=ceil(safety.swap_deadline),
        fee_share=Bps(safety.fee_share_of_loss_bps),
        arm_within=Bps(safety.arm_within_bps),
        is_early=safety.act_on_oracle_events,
        trades_unrehearsed=safety.trade_unrehearsed,
        forecaster=safety.forecaster,
        exposure=None if file.exposure is None else _exposure(file.exposure),
        breaker=None if safety.breaker is None else _breaker(safety.breaker),
        max_fee=None if safety.max_fee_gwei is None else Wei(scaled(safety.max_fee_gwei, GWEI)),
        alerts=_alerts(file.alerts, urls, env),
        daemon=DaemonSettings(
            poll_s=float(daemon.poll) if daemon.poll else min(2.0, max(0.1, block_time / 4)),
            interval_s=float(daemon.interval) if daemon.interval else None,
            rpc_timeout_s=float(daemon.rpc_timeout),
            reads_per_call=daemon.reads_per_call,
            gas_per_call=daemon.gas_per_call,
            bytes_per_call=daemon.bytes_per_call,
            metrics_port=daemon.metrics_port,
            confirm_s=float(daemon.confirm) if daemon.confirm else max(30.0, 10 * block_time),
            order_patience_s=float(daemon.order_patience),
            confirmations=daemon.confirmations,
            keep_holds_days=daemon.keep_holds_days,
            fire_drill_s=ceil(daemon.fire_drill),
            state_dir=beside(path, daemon.state_dir) if daemon.state_dir else None,
        ),
        path=path,
        web=_web(file.web, path),
        telegram=None if file.telegram is None else telegram_of(file.telegram, env, path),
    )


def _alerts(table: schema.AlertsTable, urls: tuple[str, ...], env: Mapping[str, str]) -> Alerts:
    heartbeat = env.get("KEEPER_HEARTBEAT_URL") or table.heartbeat_url
    return Alerts(
        urls=tuple(Secret(u) for u in urls),
        repeat_s=ceil(table.repeat),
        escalate_urls=tuple(Secret(u) for u in table.escalate_urls),
        heartbeat_url=Secret(heartbeat) if heartbeat else None,
        heartbeat_s=float(table.heartbeat),
        summary_s=ceil(table.summary),
        low_gas=None if table.low_gas is None else Wei(scaled(table.low_gas, WAD)),
    )


def _web(table: schema.WebTable, path: Path) -> WebSettings:
    token, control = (beside(path, x) if x else None for x in (table.token_file, table.control_token_file))
    return WebSettings(table.port, table.names, token, control)


def _nodes(table: schema.NetworkTable, from_environment: list[str]) -> tuple[NodeSettings, ...]:
    """Return the nodes, each with a name of its own. The environment replaces all of the file's but private relays."""
    listed = table.nodes
    if urls := from_environment or ([table.rpc_url] if table.rpc_url else []):
        relays = [node.model_copy(update={"roles": (Role.PRIVATE,)}) for node in listed if Role.PRIVATE in node.roles]
        listed = (*(schema.NodeTable(url=url) for url in dict.fromkeys(urls)), *relays)
    named = list[NodeSettings]()
    for node in listed:
        shown = node.name or host_of(node.url)
        same = sum(n.name == shown or n.name.startswith(f"{shown} (") for n in named)
        name = f"{shown} ({same + 1})" if same else shown
        pace = None if node.requests_per_second is None else float(node.requests_per_second)
        named.append(NodeSettings(Secret(node.url), name, frozenset(node.roles), node.method, pace))
    return tuple(named)


def _position(table: schema.PositionTable, signers: Mapping[str, Signer]) -> Position:
    signer = signers[table.signer] if table.signer else None
    is_long = None if table.side is None else table.side == "long"
    return Position(
        table.name, table.venue, Address(table.owner), signer, table.market, table.collateral, is_long, table.table
    )


def _signer(table: schema.SignerTable, path: Path) -> Signer:
    return Signer(
        name=table.name,
        address=Address(table.address),
        keystore=beside(path, table.keystore) if table.keystore else None,
        password_file=beside(path, table.password_file) if table.password_file else None,
        password_credential=table.password_credential,
        may_batch=table.batch,
        safe=Address(table.safe) if table.safe else None,
        savings=tuple(dict.fromkeys(Address(token) for token in table.savings)),
        remote=RemoteKey(Secret(table.remote), table.remote_method or "eth_signTransaction") if table.remote else None,
        kms=KmsKey(table.kms_key, table.kms_region) if table.kms_key else None,
    )


def _journal_url(url: str, path: Path) -> str:
    """Return the journal's URL; a bare path or sqlite:///relative is beside the settings file."""
    scheme, separator, rest = url.partition(":///")
    if "://" not in url:
        return f"sqlite:///{beside(path, url).resolve()}"
    if separator and scheme == "sqlite" and rest and not rest.startswith("/"):
        return f"sqlite:///{beside(path, rest).resolve()}"
    return url


MADE_UP = (1337, 31337)
"""Chains of development nodes: their time is whatever a test made it, unless the file says otherwise."""


def _exposure(table: schema.ExposureTable) -> ExposureLimits:
    def dollars(by: Mapping[str, Decimal]) -> dict[str, Usd]:
        return {name: Usd(scaled(amount, USD)) for name, amount in by.items()}

    chain = None if table.chain_usd is None else Usd(scaled(table.chain_usd, USD))
    leverage = None if table.leverage is None else Wad(scaled(table.leverage, WAD))
    return ExposureLimits(dollars(table.underlyings_usd), dollars(table.venues_usd), chain, leverage, table.all_chains)


def _breaker(table: schema.BreakerTable) -> BreakerTerms:
    return BreakerTerms(Bps(scaled(table.move, BPS)), ceil(table.within), ceil(table.pause))


def _network(file: schema.NetworkFile) -> Network:
    safety = file.price_safety
    return Network(
        name=file.name,
        chain_id=file.chain_id,
        multicall3=file.multicall3,
        wrapped_native=file.wrapped_native,
        block_time_s=float(file.block_time),
        tables=file.tables,
        batch_account=file.batch_account,
        multi_send=file.multi_send_call_only,
        sequencer_feed=safety.sequencer_feed,
        sequencer_grace_s=ceil(safety.sequencer_grace),
        follows_clock=file.chain_id not in MADE_UP if file.follows_clock is None else file.follows_clock,
        default_heartbeat_s=ceil(safety.default_heartbeat),
        max_deviation=Bps(safety.max_deviation_bps),
        twap_window_s=ceil(safety.twap_window),
        assets={
            symbol.lower(): AssetSafety(
                ceil(a.heartbeat) if a.heartbeat else None, a.feed, a.second_feed, a.backed_by, a.rate
            )
            for symbol, a in safety.assets.items()
        },
        ens_registry=file.ens_registry,
        native_kept=None if file.native_kept is None else Wei(scaled(file.native_kept, WAD)),
    )
