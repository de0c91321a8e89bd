"""From the words of ``keeper backtest`` to the document that it rests on."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from keeper.backtest.declared import breaker_said, exposure_said
from keeper.backtest.document import FORMAT
from keeper.cli.backtest_given import Given
from keeper.cli.backtest_market import breaker_of, depth_of, gas_of
from keeper.cli.backtest_perp import perp_of, perp_ways
from keeper.cli.backtest_prices import between, price_tables
from keeper.cli.common import Exit, fail
from keeper.cli.given import settings_of
from keeper.cli.option_words import amounts, number, pair, rate, seconds, share_of
from keeper.core.family import Family
from keeper.core.lending.actions.deleverage import DELEVERAGE
from keeper.core.lending.actions.rescues import REPAY, TOP_UP
from keeper.core.units import DAY_S, HOUR_S, decimal_of
from keeper.settings import Settings
from keeper.settings.raw import rules_about
from keeper.venues.registry import VENUES

DECIMALS = {"USDC": 6, "USDT": 6, "WBTC": 8, "EURC": 6, "PYUSD": 6, "CBBTC": 8, "TBTC": 18}
DOLLARS = frozenset({"USDC", "USDT", "DAI", "USDS", "GHO", "PYUSD", "LUSD", "CRVUSD", "USD"})
COOLDOWN, SLIPPAGE_BPS = "10m", 50


def document_of(given: Given) -> dict[str, Any]:
    """Return everything a back-test rests on. Ends with what is wrong on the line."""
    settings = None if given.config is None else settings_of(given.config)
    prices = price_tables(given.files, between(given.since, given.until))
    if not prices:
        fail(Exit.BAD_SETTINGS, "--prices is missing: a file of bars, like --prices WETH=eth.csv")
    first = next(iter(prices))
    position, venue = _position(settings, given)
    if VENUES[venue].family is Family.PERP:
        perp = perp_of(given, venue, prices, _signer(settings, position))
        ways = _with_own(perp_ways(given, perp), settings, position)
        terms = _terms(given, settings, venue, first)
        return {
            "format": FORMAT,
            "prices": prices,
            "perp": perp,
            "ways": ways,
            "gas": gas_of(given.gas),
            "terms": terms,
        }
    collateral = amounts("--collateral", given.collateral or []) or {first: "100"}
    debt = amounts("--debt", given.debt or [])
    wallet = amounts("--wallet", given.wallet or [])
    health = given.health if given.health is not None or debt else "1.4"
    owed = [*debt] or ["USDC"]
    if health is not None and debt:
        fail(Exit.BAD_SETTINGS, "--debt and --health: give one of them; the other follows from it")
    symbols = list(dict.fromkeys([*collateral, *owed, *wallet, *prices]))
    document = {
        "format": FORMAT,
        "prices": prices,
        "account": {
            "collateral": collateral,
            "debt": debt,
            "health": None if health is None else number("--health", health),
            "wallet": wallet,
            "native": number("--native", given.native),
            "signer": _signer(settings, position),
        },
        "assets": {symbol: _asset(symbol, given, collateral, prices) for symbol in symbols},
        "ways": _ways(given, settings, position),
        "gas": gas_of(given.gas),
        "terms": _terms(given, settings, venue, first),
    }
    if unused := [s for s in prices if s not in collateral and s not in owed and s not in wallet]:
        fail(
            Exit.BAD_SETTINGS,
            f"--prices: {', '.join(unused)} is no asset of this account: is it another's file? If it is the account's, "
            f"name it: --collateral {unused[0]}=AMOUNT, or --debt",
        )
    return document


def _asset(symbol: str, given: Given, collateral: Mapping[str, str], prices: Mapping[str, object]) -> dict[str, Any]:
    secures = symbol in collateral
    if symbol not in prices and symbol not in DOLLARS:
        fail(Exit.BAD_SETTINGS, f"{symbol}: nobody says what it costs; give a file: --prices {symbol}=FILE")
    return {
        "decimals": DECIMALS.get(symbol, 18),
        "price": "1",
        "threshold": share_of("--threshold", given.threshold or [], symbol, "0.83") if secures else "0",
        "ltv": share_of("--ltv", given.ltv or [], symbol, "0.80") if secures else "0",
        "bonus": share_of("--bonus", given.bonus or [], symbol, "0.05") if secures else "0",
        "supply_rate": rate("--supply-rate", given.supply_rate) if secures else "0",
        "borrow_rate": rate("--borrow-rate", given.borrow_rate),
        "heartbeat_s": max(86_400, int(seconds("--heartbeat", given.heartbeat))),
    }


def _ways(given: Given, settings: Settings | None, position: str | None) -> list[dict[str, Any]]:
    fixed = [_rule("fixed", *pair("--fixed", given.fixed), "health_factor", "health_factor_below")]
    trigger, target = pair("--adaptive", given.adaptive)
    adaptive = {
        **_rule("adaptive", trigger, target, "liquidation_probability", "liquidation_probability_above"),
        "when": {"liquidation_probability_above": {"probability": trigger, "horizon": "24h"}},
    }
    ppm = int(Decimal(number("--service-fee", given.service_fee)) * 1_000_000)
    ways: list[dict[str, Any]] = [
        {"name": "no keeper", "rules": []},
        {"name": "fixed thresholds", "rules": fixed},
        {"name": "adaptive", "rules": [adaptive]},
        {"name": "hosted service", "rules": fixed, "service_ppm": ppm},
    ]
    return _with_own(ways, settings, position)


def _with_own(ways: list[dict[str, Any]], settings: Settings | None, position: str | None) -> list[dict[str, Any]]:
    """Return the ways with the owner's own rules second, where settings were given."""
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
        if given.venue and given.venue not in VENUES:
            fail(Exit.BAD_SETTINGS, f"--venue {given.venue}: is none of {', '.join(VENUES)}")
        return None, given.venue or next(key for key, venue in VENUES.items() if venue.family is Family.LENDING)
    played = {p.name: p.venue for p in settings.positions}
    loans = [p.name for p in settings.positions if p.family is Family.LENDING]
    name = given.position or next(iter([*loans, *played]), None)
    if name is None or name not in played:
        fail(Exit.BAD_SETTINGS, f"{settings.path}: {name!r} is no position; there are {', '.join(played) or 'none'}")
    return name, played[name]


def _signer(settings: Settings | None, position: str | None) -> str:
    found = next((p for p in settings.positions if p.name == position), None) if settings else None
    return "guardian" if found is not None and found.spender != found.owner else "owner"


def _terms(given: Given, settings: Settings | None, venue: str, first: str) -> dict[str, Any]:
    of, safety = VENUES[venue], None if settings is None else settings.safety
    depth, closes = depth_of(given), of.closes
    return {
        "venue": venue,
        "block_s": max(1, int(seconds("--block", given.block, HOUR_S))),
        "warm_up_s": int(seconds("--warm-up", given.warm_up)),
        "measure_s": max(60, int(seconds("--measure", given.measure, DAY_S))),
        "whole": True,
        "delay_blocks": max(1, given.delay),
        "deviation_bps": given.deviation,
        "heartbeat_s": max(60, int(seconds("--heartbeat", given.heartbeat, 7 * DAY_S))),
        "lag_blocks": max(0, given.lag),
        "base_fee_gwei": number("--base-fee", given.base_fee),
        "native": first if first in ("WETH", "ETH") else "WETH",
        "native_price": number("--native-price", given.native_price),
        **depth,
        "lends_usd": number("--lender", given.lender),
        "in_one": not given.call_by_call,
        "close_bps": closes.usual,
        "close_all_at": decimal_of(closes.all_at, 18),
        "close_all_under_usd": decimal_of(closes.all_under, 8),
        "absorbs": of.absorbs,
        "frees_to_limit": of.frees_to_limit,
        "health_floor": "1.02" if safety is None else decimal_of(safety.health_floor, 18),
        "emergency_health": "1.10" if safety is None else decimal_of(safety.emergency_health, 18),
        "max_rounds": 10 if safety is None else safety.max_rounds,
        "capital_cost_bps": 10 if safety is None else safety.capital_cost,
        "fee_share_bps": 5000 if settings is None else settings.fee_share,
        "max_fee_gwei": None if settings is None or settings.max_fee is None else decimal_of(settings.max_fee, 9),
        "swap_deadline_s": 1800 if settings is None else settings.swap_deadline_s,
        "breaker": breaker_of(given.breaker)
        if given.breaker
        else breaker_said(None if settings is None else settings.breaker),
        "exposure": exposure_said(None if settings is None else settings.exposure),
    }
