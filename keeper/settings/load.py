"""Read the files, check each field, then what the fields mean together; report every fault at once."""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from keeper import resources
from keeper.core.decisions import Safety
from keeper.core.rules import Rule
from keeper.core.units import WAD, Bps, Wad, Wei, scaled
from keeper.settings import schema
from keeper.settings.model import (
    Alerts,
    AssetSafety,
    Daemon,
    Network,
    Position,
    Secret,
    Settings,
    Signer,
    UniswapSettings,
)
from keeper.settings.rules import RuleFaultError, build_rule

GWEI = 10**9
_Model = TypeVar("_Model", bound=BaseModel)


class SettingsError(Exception):
    """The settings cannot be used. ``faults`` are lines of ``file: field: what is wrong and what to do``."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


def load(path: Path, environment: Mapping[str, str] | None = None) -> Settings:
    """Return the settings of a file. ``KEEPER_RPC_URL``, ``KEEPER_JOURNAL_URL`` and ``KEEPER_ALERT_URLS`` come first.

    Raises SettingsError with every fault found.
    """
    env = os.environ if environment is None else environment
    file = _parsed(path, schema.KeeperFile)
    network_path = _network_path(file.network.file, path)
    network = _parsed(network_path, schema.NetworkFile)
    faults = list(_faults(file, env))
    rules = list[Rule]()
    for i, table in enumerate(file.rules):
        try:
            rules.append(build_rule(table))
        except RuleFaultError as fault:
            faults.append(f"rules[{i}] {table.name!r}: {fault}")
    if faults:
        raise SettingsError([f"{path}: {fault}" for fault in faults])
    return _settings(file, network, tuple(rules), env, path)


def _parsed(path: Path, model: type[_Model]) -> _Model:
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"), parse_float=Decimal)
    except FileNotFoundError:
        hint = "pass --config FILE or start from config/keeper.example.toml"
        raise SettingsError([f"{path}: there is no such file; {hint}"]) from None
    except OSError as error:
        raise SettingsError([f"{path}: cannot be read: {error.strerror}"]) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError([f"{path}: is not valid TOML: {error}"]) from None
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        raise SettingsError([f"{path}: {_fault(e, raw, model)}" for e in error.errors(include_url=False)]) from None


def _network_path(named: str, config: Path) -> Path:
    """Return the network file: a path beside the config, else one of the files that ship with the keeper."""
    own = config.parent / named
    if own.exists():
        return own
    shipped = resources.folder("networks") / f"{Path(named).stem}.toml"
    if shipped.exists() and Path(named).name in (shipped.name, shipped.stem):
        return shipped
    names = ", ".join(sorted(p.stem for p in resources.folder("networks").glob("*.toml")))
    raise SettingsError([f"{config}: network.file: {own} does not exist; name a file, or one of: {names}"])


def _fault(error: Any, raw: Any, model: type[BaseModel]) -> str:
    where = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in error["loc"]).lstrip(".")
    name = _name_at(raw, error["loc"])
    place = f"{where} (in {name!r})" if name else where
    if error["type"] == "extra_forbidden":
        return f"{place}: unknown key{_suggestion(error['loc'], model)}"
    if error["type"] == "missing":
        return f"{place}: is missing"
    message = str(error["msg"]).removeprefix("Value error, ")
    return f"{place}: {message[0].lower()}{message[1:]}"


def _name_at(raw: Any, location: tuple[Any, ...]) -> str | None:
    """Return the name of the table a fault is in, where tables have names."""
    name, here = None, raw
    for part in location:
        try:
            here = here[part]
        except (KeyError, IndexError, TypeError):
            break
        if isinstance(here, dict) and isinstance(here.get("name"), str):
            name = here["name"]
    return name


def _suggestion(location: tuple[Any, ...], model: type[BaseModel]) -> str:
    known = _keys_at(model, location[:-1])
    close = difflib.get_close_matches(str(location[-1]), known, n=1)
    return f"; did you mean {close[0]!r}?" if close else f"; known here: {', '.join(known)}"


def _keys_at(model: Any, location: tuple[Any, ...]) -> list[str]:
    for part in location:
        if isinstance(part, str) and isinstance(model, type) and issubclass(model, BaseModel):
            field = model.model_fields.get(part)
            model = _model_in(field.annotation) if field else model
    return list(model.model_fields) if isinstance(model, type) and issubclass(model, BaseModel) else []


def _model_in(annotation: Any) -> Any:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((m for m in map(_model_in, getattr(annotation, "__args__", ())) if m), None)


# --- what the fields mean together -----------------------------------------------------------------------------------


def _faults(file: schema.KeeperFile, env: Mapping[str, str]) -> Iterator[str]:
    if not (env.get("KEEPER_RPC_URL") or file.network.rpc_url):
        yield "network.rpc_url: is missing; write it here or set KEEPER_RPC_URL"
    url = env.get("KEEPER_RPC_URL") or file.network.rpc_url or "http://"
    if not url.startswith(("http://", "https://")):
        yield "network.rpc_url: must begin with http:// or https://"
    for kind, tables in (("signers", file.signers), ("positions", file.positions), ("rules", file.rules)):
        names = [table.name for table in tables]
        yield from (f"{kind}: the name {n!r} is used twice" for n in sorted({n for n in names if names.count(n) > 1}))
    signers, positions = {s.name for s in file.signers}, {p.name for p in file.positions}
    for i, position in enumerate(file.positions):
        if position.signer is not None and position.signer not in signers:
            yield f"positions[{i}].signer: there is no signer {position.signer!r}; {_known(signers)}"
    for i, rule in enumerate(file.rules):
        if rule.position not in positions:
            yield f"rules[{i}].position: there is no position {rule.position!r}; {_known(positions)}"
    safety = file.safety
    if safety.health_factor_floor <= 1:
        yield "safety.health_factor_floor: must be above 1, where liquidation begins"
    if safety.emergency_health_factor < safety.health_factor_floor:
        yield "safety.emergency_health_factor: must not be below safety.health_factor_floor"


def _known(names: set[str]) -> str:
    return f"known: {', '.join(sorted(names))}" if names else "none is declared"


def _settings(
    file: schema.KeeperFile, network: schema.NetworkFile, rules: tuple[Rule, ...], env: Mapping[str, str], path: Path
) -> Settings:
    signers = {s.name: _signer(s, path) for s in file.signers}
    urls = tuple(env.get("KEEPER_ALERT_URLS", "").split()) or file.alerts.urls
    block_time = float(network.block_time)
    daemon, safety = file.daemon, file.safety
    return Settings(
        network=_network(network),
        rpc_url=Secret(env.get("KEEPER_RPC_URL") or file.network.rpc_url or ""),
        journal_url=Secret(env.get("KEEPER_JOURNAL_URL") or _journal_url(file.journal.url, path)),
        positions=tuple(
            Position(p.name, p.venue, p.owner, signers[p.signer] if p.signer else None) for p in file.positions
        ),
        rules=rules,
        signers=tuple(signers.values()),
        safety=Safety(
            health_floor=Wad(scaled(safety.health_factor_floor, WAD)),
            emergency_health=Wad(scaled(safety.emergency_health_factor, WAD)),
            max_rounds=safety.max_rounds,
            capital_cost=Bps(safety.capital_cost_bps),
        ),
        swap_deadline_s=int(safety.swap_deadline),
        max_fee=None if safety.max_fee_gwei is None else Wei(scaled(safety.max_fee_gwei, GWEI)),
        alerts=Alerts(tuple(Secret(u) for u in urls), int(file.alerts.repeat)),
        daemon=Daemon(
            poll_s=float(daemon.poll) if daemon.poll else min(2.0, max(0.1, block_time / 4)),
            interval_s=float(daemon.interval) if daemon.interval else None,
            rpc_timeout_s=float(daemon.rpc_timeout),
            reads_per_call=daemon.reads_per_call,
            metrics_port=daemon.metrics_port,
            confirm_s=float(daemon.confirm) if daemon.confirm else max(30.0, 10 * block_time),
            keep_holds_days=daemon.keep_holds_days,
            state_dir=path.parent / daemon.state_dir if daemon.state_dir else None,
        ),
        path=path,
    )


def _signer(table: schema.SignerTable, path: Path) -> Signer:
    def beside(name: str | None) -> Path | None:
        return path.parent / Path(name).expanduser() if name else None

    return Signer(
        table.name, table.address, beside(table.keystore), beside(table.password_file), table.password_credential
    )


def _journal_url(url: str, path: Path) -> str:
    """Return the journal's URL; a bare path or sqlite:///relative is beside the settings file."""
    if "://" not in url:
        return f"sqlite:///{(path.parent / url).resolve()}"
    scheme, _, rest = url.partition(":///")
    if scheme == "sqlite" and rest and not rest.startswith("/"):
        return f"sqlite:///{(path.parent / rest).resolve()}"
    return url


def _network(file: schema.NetworkFile) -> Network:
    uniswap, safety = file.uniswap_v3, file.price_safety
    return Network(
        name=file.name,
        chain_id=file.chain_id,
        multicall3=file.multicall3,
        wrapped_native=file.wrapped_native,
        block_time_s=float(file.block_time),
        pool_addresses_provider=file.aave_v3.pool_addresses_provider,
        uniswap_v3=UniswapSettings(uniswap.factory, uniswap.quoter_v2, uniswap.swap_router_02, uniswap.fee_tiers)
        if uniswap
        else None,
        sequencer_feed=safety.sequencer_feed,
        sequencer_grace_s=int(safety.sequencer_grace),
        default_heartbeat_s=int(safety.default_heartbeat),
        max_deviation=Bps(safety.max_deviation_bps),
        twap_window_s=max(1, int(safety.twap_window)),
        assets={
            symbol.lower(): AssetSafety(int(a.heartbeat) if a.heartbeat else None, a.feed, a.second_feed)
            for symbol, a in safety.assets.items()
        },
    )
