"""What would have become of an account: a history of prices, an account, rules, and what keeping it would have cost."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from keeper.backtest.depth import fitted
from keeper.backtest.document import FORMAT, BadBacktestError, digest
from keeper.backtest.report import report
from keeper.cli.common import Exit, fail, finish, out
from keeper.cli.given import settings_of
from keeper.cli.price_files import read_prices
from keeper.cli.reports import BEGIN, END, differences, read_report
from keeper.cli.show_backtest import page, table
from keeper.cli.words import as_json_text
from keeper.core.family import Family
from keeper.core.lending.actions.deleverage import DELEVERAGE
from keeper.core.lending.actions.rescues import REPAY, TOP_UP
from keeper.core.units import USD, decimal_of
from keeper.settings import Settings
from keeper.settings.fields import as_seconds
from keeper.settings.raw import rules_about
from keeper.venues.registry import VENUES

FORMAT_NAME = "WETH"
MOST_EMBEDDED = 60_000
"""Bars that are written into the report itself; of more the digest is."""
DECIMALS = {"USDC": 6, "USDT": 6, "WBTC": 8, "EURC": 6, "PYUSD": 6, "CBBTC": 8, "TBTC": 18}
DOLLARS = frozenset({"USDC", "USDT", "DAI", "USDS", "GHO", "PYUSD", "LUSD", "CRVUSD", "USD"})
COOLDOWN, SLIPPAGE_BPS = "10m", 50


@dataclass(frozen=True, slots=True)
class Given:
    """What stands on the line."""

    prices: Sequence[str]
    collateral: Sequence[str]
    debt: Sequence[str]
    health: str | None
    wallet: Sequence[str]
    native: str
    threshold: Sequence[str]
    ltv: Sequence[str]
    bonus: Sequence[str]
    supply_rate: str
    borrow_rate: str
    fixed: str
    adaptive: str
    venue: str
    config: Path | None
    position: str | None
    warm_up: str
    measure: str
    block: str
    delay: int
    deviation_bps: int
    heartbeat: str
    lag: int
    base_fee_gwei: str
    gas: Path | None
    depth_usd: str
    pool_fee: str
    quote: Sequence[str]
    service_fee: str
    call_by_call: bool


def play(given: Given, *, as_json: bool, html: Path | None, all_blocks: bool) -> None:
    """Play it, and show what came of it. Ends the command."""
    document = document_of(given)
    show(document, _made(document, all_blocks=all_blocks), as_json=as_json, html=html)
    finish(Exit.FINE)


def reproduce(file: Path, prices: Sequence[str], *, as_json: bool, html: Path | None) -> None:
    """Recompute a report from what it says that it rests on; say whether every figure is the same."""
    given = read_report(file, "keeper backtest")
    document = given["inputs"]
    for symbol, read in _files(prices).items():
        of = document.get("prices", {}).get(symbol)
        if of is not None and of["bars"] is None:
            of["bars"] = read["bars"]
    made = _made(document)
    show(document, made, as_json=as_json, html=html)
    if differing := differences(given.get("report"), made):
        fail(Exit.FAILED, f"{file}: recomputed, {len(differing)} figures differ: {', '.join(differing[:5])}")
    if not as_json:
        out().print(f"Recomputed from {file}: every figure is the same, to the digit.")
    finish(Exit.FINE)


def _made(document: dict[str, Any], *, all_blocks: bool = False) -> dict[str, Any]:
    from keeper.observe.voice import silence  # noqa: PLC0415 - what is played is no news

    silence()
    try:
        return report(document, all_blocks=all_blocks)
    except BadBacktestError as error:
        fail(Exit.FAILED, str(error))


def show(document: dict[str, Any], made: dict[str, Any], *, as_json: bool, html: Path | None) -> None:
    """Print a report, and write its page where one is wanted."""
    whole = {"inputs": _without_long_prices(document), "report": made}
    if html is not None:
        text = json.dumps(whole, separators=(",", ":")).replace("<", "\\u003c")
        try:
            html.write_text(page(whole, f"{BEGIN}{text}{END}"), encoding="utf-8")
        except OSError as error:
            fail(Exit.FAILED, f"{html}: cannot be written ({error.strerror})")
    if as_json:
        as_json_text(out(), whole)
        return
    table(out(), whole)
    if html is not None:
        out().print(f"Written to {html}.")


def _without_long_prices(document: dict[str, Any]) -> dict[str, Any]:
    prices = {
        symbol: of if of["bars"] is None or len(of["bars"]) <= MOST_EMBEDDED else {**of, "bars": None}
        for symbol, of in document["prices"].items()
    }
    return {**document, "prices": prices}


# --- from the words on the line to a document -------------------------------------------------------------------------


def document_of(given: Given) -> dict[str, Any]:
    """Return everything a back-test rests on. Ends with what is wrong on the line."""
    settings = None if given.config is None else settings_of(given.config)
    prices = _files(given.prices)
    if not prices:
        fail(Exit.BAD_SETTINGS, "--prices is missing: a file of bars, like --prices WETH=eth.csv")
    first = next(iter(prices))
    collateral = _amounts("--collateral", given.collateral) or {first: "100"}
    debt = _amounts("--debt", given.debt)
    wallet = _amounts("--wallet", given.wallet)
    health = given.health if given.health is not None or debt else "1.4"
    owed = [*debt] or ["USDC"]
    if health is not None and debt:
        fail(Exit.BAD_SETTINGS, "--debt and --health: give one of them; the other follows from it")
    symbols = list(dict.fromkeys([*collateral, *owed, *wallet, *prices]))
    position, venue = _position(settings, given)
    document = {
        "format": FORMAT,
        "prices": prices,
        "account": {
            "collateral": collateral,
            "debt": debt,
            "health": None if health is None else _number("--health", health),
            "wallet": wallet,
            "native": _number("--native", given.native),
            "signer": _signer(settings, position),
        },
        "assets": {symbol: _asset(symbol, given, collateral, prices) for symbol in symbols},
        "ways": _ways(given, settings, position),
        "gas": _gas(given.gas),
        "terms": _terms(given, settings, venue, first),
    }
    if unused := [s for s in prices if s not in collateral and s not in owed and s not in wallet]:
        fail(Exit.BAD_SETTINGS, f"--prices: {', '.join(unused)} is no asset of this account: is it another's file?")
    return document


def _files(words: Sequence[str]) -> dict[str, dict[str, Any]]:
    found = dict[str, dict[str, Any]]()
    for word in words:
        symbol, is_named, name = word.partition("=")
        path = Path(name if is_named else word)
        read = read_prices(path)
        symbol = symbol.upper() if is_named else _symbol_of(read.symbol)
        if symbol in found:
            fail(Exit.BAD_SETTINGS, f"--prices: {symbol} is given twice; write SYMBOL=FILE for each")
        bare = symbol.removeprefix("W")
        if is_named and read.symbol and not re.sub("[-/_]", "", read.symbol).removeprefix("W").startswith(bare):
            fail(Exit.FAILED, f"{path}: is of {read.symbol}, and not of {symbol}")
        rows = [[b.at, b.open, b.high, b.low, b.close] for b in read.bars]
        found[symbol] = {
            "file": path.name, "form": read.form, "seconds": read.bars[0].seconds, "digest": digest(rows), "bars": rows,
        }  # fmt: skip
    return found


def _symbol_of(said: str | None) -> str:
    """Return the collateral that a file without a name is taken for."""
    bare = re.sub("[-/_]", "", said or "").upper()
    for known in ("BTC", "XBT"):
        if bare.startswith(known):
            return "WBTC"
    return FORMAT_NAME if not bare or bare.startswith("ETH") else bare.removesuffix("USDT").removesuffix("USD")


def _asset(symbol: str, given: Given, collateral: Mapping[str, str], prices: Mapping[str, object]) -> dict[str, Any]:
    secures = symbol in collateral
    if symbol not in prices and symbol not in DOLLARS:
        fail(Exit.BAD_SETTINGS, f"{symbol}: nobody says what it costs; give a file: --prices {symbol}=FILE")
    return {
        "decimals": DECIMALS.get(symbol, 18),
        "price": "1",
        "threshold": _of("--threshold", given.threshold, symbol, "0.83") if secures else "0",
        "ltv": _of("--ltv", given.ltv, symbol, "0.80") if secures else "0",
        "bonus": _of("--bonus", given.bonus, symbol, "0.05") if secures else "0",
        "supply_rate": _number("--supply-rate", given.supply_rate) if secures else "0",
        "borrow_rate": _number("--borrow-rate", given.borrow_rate),
        "heartbeat_s": max(86_400, int(_seconds("--heartbeat", given.heartbeat))),
    }


def _ways(given: Given, settings: Settings | None, position: str | None) -> list[dict[str, Any]]:
    fixed = [_rule("fixed", *_pair("--fixed", given.fixed), "health_factor", "health_factor_below")]
    trigger, target = _pair("--adaptive", given.adaptive)
    adaptive = {
        **_rule("adaptive", trigger, target, "liquidation_probability", "liquidation_probability_above"),
        "when": {"liquidation_probability_above": {"probability": trigger, "horizon": "24h"}},
    }
    ppm = int(Decimal(_number("--service-fee", given.service_fee)) * 1_000_000)
    ways: list[dict[str, Any]] = [
        {"name": "no keeper", "rules": []},
        {"name": "fixed thresholds", "rules": fixed},
        {"name": "adaptive", "rules": [adaptive]},
        {"name": "hosted service", "rules": fixed, "service_ppm": ppm},
    ]
    if settings is not None and position is not None:
        own = rules_about(settings.path, position)
        if not own:
            fail(Exit.BAD_SETTINGS, f"{settings.path}: no rule is about {position!r}")
        ways.insert(1, {"name": "your rules", "rules": own})
    return ways


def _rule(name: str, trigger: str, target: str, goal: str, when: str) -> dict[str, Any]:
    return {
        "name": name,
        "when": {when: trigger},
        "restore": {goal: target},
        "actions": [action.key for action in (TOP_UP, REPAY, DELEVERAGE)],
        "cooldown": COOLDOWN,
        "limits": {"max_slippage_bps": SLIPPAGE_BPS},
    }


def _position(settings: Settings | None, given: Given) -> tuple[str | None, str]:
    if settings is None:
        lending = [key for key, venue in VENUES.items() if venue.family is Family.LENDING]
        if given.venue and given.venue not in lending:
            fail(Exit.BAD_SETTINGS, f"--venue {given.venue}: is none of {', '.join(lending)}")
        return None, given.venue or lending[0]
    loans = {p.name: p.venue for p in settings.positions if p.family is Family.LENDING}
    name = given.position or next(iter(loans), None)
    if name is None or name not in loans:
        fail(Exit.BAD_SETTINGS, f"{settings.path}: {name!r} is no loan; there are {', '.join(loans) or 'none'}")
    return name, loans[name]


def _signer(settings: Settings | None, position: str | None) -> str:
    found = next((p for p in settings.positions if p.name == position), None) if settings else None
    return "guardian" if found is not None and found.spender != found.owner else "owner"


def _terms(given: Given, settings: Settings | None, venue: str, first: str) -> dict[str, Any]:
    closes, safety = VENUES[venue].closes, None if settings is None else settings.safety
    depth = _depth(given)
    return {
        "venue": venue,
        "block_s": max(1, int(_seconds("--block", given.block))),
        "warm_up_s": int(_seconds("--warm-up", given.warm_up)),
        "measure_s": max(60, int(_seconds("--measure", given.measure))),
        "delay_blocks": max(1, given.delay),
        "deviation_bps": given.deviation_bps,
        "heartbeat_s": max(60, int(_seconds("--heartbeat", given.heartbeat))),
        "lag_blocks": max(0, given.lag),
        "base_fee_gwei": _number("--base-fee", given.base_fee_gwei),
        "native": first if first in ("WETH", "ETH") else "WETH",
        "native_price": "3000",
        **depth,
        "in_one": not given.call_by_call,
        "close_bps": closes.usual,
        "close_all_at": decimal_of(closes.all_at, 18),
        "close_all_under_usd": decimal_of(closes.all_under, 8),
        "health_floor": "1.02" if safety is None else decimal_of(safety.health_floor, 18),
        "emergency_health": "1.10" if safety is None else decimal_of(safety.emergency_health, 18),
        "max_rounds": 10 if safety is None else safety.max_rounds,
        "capital_cost_bps": 10 if safety is None else safety.capital_cost,
        "fee_share_bps": 5000 if settings is None else settings.fee_share,
        "max_fee_gwei": None if settings is None or settings.max_fee is None else decimal_of(settings.max_fee, 9),
        "swap_deadline_s": 1800 if settings is None else settings.swap_deadline_s,
    }


def _depth(given: Given) -> dict[str, Any]:
    if given.quote:
        try:
            pairs = [(float(size), float(bps)) for size, _, bps in (q.partition("=") for q in given.quote)]
            found = fitted(pairs)
        except ValueError as error:
            fail(Exit.BAD_SETTINGS, f"--quote: {error}")
        return {"depth_usd": decimal_of(found.depth, 8), "pool_fee_ppm": found.fee_ppm}
    depth = _number("--depth", given.depth_usd)
    if Decimal(depth) * USD < USD:
        fail(Exit.BAD_SETTINGS, f"--depth {given.depth_usd}: a pool has a dollar at least")
    return {"depth_usd": depth, "pool_fee_ppm": int(Decimal(_number("--pool-fee", given.pool_fee)) * 1_000_000)}


def _gas(path: Path | None) -> list[list[Any]]:
    """Return base fees by time from a file: rows of `timestamp,gwei`."""
    if path is None:
        return []
    rows = list[list[Any]]()
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        fail(Exit.FAILED, f"{path}: cannot be read ({getattr(error, 'strerror', None) or 'no text'})")
    for number, line in enumerate(lines, 1):
        at, _, fee = line.partition(",")
        if not line.strip() or (number == 1 and not at.strip().isdigit()):
            continue
        try:
            time, gwei = int(at), Decimal(fee)
        except (ValueError, InvalidOperation):
            fail(Exit.FAILED, f"{path}: line {number}: {line[:40]!r} is no `timestamp,gwei`")
        if not gwei.is_finite() or gwei < 0 or (rows and time <= rows[-1][0]):
            fail(Exit.FAILED, f"{path}: line {number}: a fee is above zero, and later than the one before")
        rows.append([time, str(gwei)])
    return rows


# --- single words -----------------------------------------------------------------------------------------------------


def _amounts(option: str, words: Sequence[str]) -> dict[str, str]:
    found = dict[str, str]()
    for word in words:
        symbol, is_named, amount = word.partition("=")
        if not is_named or not symbol:
            fail(Exit.BAD_SETTINGS, f"{option} {word}: write SYMBOL=AMOUNT, like WETH=10")
        found[symbol.upper()] = _number(f"{option} {symbol}", amount)
    return found


def _of(option: str, words: Sequence[str], symbol: str, usual: str) -> str:
    """Return what a word says of an asset: SYMBOL=SHARE, or one share for all."""
    found = usual
    for word in words:
        name, is_named, value = word.rpartition("=")
        if not is_named or name.upper() == symbol:
            found = _number(option, value)
    if not 0 <= Decimal(found) < 1:
        fail(Exit.BAD_SETTINGS, f"{option} {found}: is a share between 0 and 1; write 83 % as 0.83")
    return found


def _pair(option: str, word: str) -> tuple[str, str]:
    first, is_pair, second = word.partition(":")
    if not is_pair:
        fail(Exit.BAD_SETTINGS, f"{option} {word}: write TRIGGER:TARGET, like 1.25:1.60")
    return _number(option, first), _number(option, second)


def _number(option: str, word: str) -> str:
    try:
        found = Decimal(word)
    except InvalidOperation:
        fail(Exit.BAD_SETTINGS, f"{option} {word!r}: is no number")
    if not found.is_finite() or found < 0 or found >= Decimal(10) ** 30:
        fail(Exit.BAD_SETTINGS, f"{option} {word!r}: is no usable number")
    return str(found)


def _seconds(option: str, word: str) -> Decimal:
    try:
        return as_seconds(word)
    except ValueError as error:
        fail(Exit.BAD_SETTINGS, f"{option}: {error}")
