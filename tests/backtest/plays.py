"""Back-tests on made-up prices: a document from few words, and what is played of it."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from typing import Any

from keeper.backtest.document import FORMAT, digest
from keeper.backtest.report import report

DAY = 86_400
BEGIN = 1_600_000_000


def fixed(trigger: str = "1.25", target: str = "1.60", **more: Any) -> dict[str, Any]:
    return {
        "name": "fixed",
        "when": {"health_factor_below": trigger},
        "restore": {"health_factor": target},
        "actions": ["top_up", "repay", "deleverage"],
        "cooldown": "10m",
        "limits": {"max_slippage_bps": 50},
    } | more


def adaptive(trigger: str = "0.01", target: str = "0.002") -> dict[str, Any]:
    return fixed() | {
        "name": "adaptive",
        "when": {"liquidation_probability_above": {"probability": trigger, "horizon": "24h"}},
        "restore": {"liquidation_probability": target},
    }


def walk(days: float = 12, seed: int = 1, volatility: float = 0.9, drift: float = 0.0) -> list[list[int]]:
    """Hourly bars of a random price that began at 2,000 dollars."""
    dice, price, rows = random.Random(seed), 2000.0, list[list[int]]()
    spread = volatility / math.sqrt(365 * 24 * 4)
    for hour in range(int(days * 24)):
        points = [price]
        for _ in range(4):
            points.append(points[-1] * math.exp(dice.gauss(drift / (365 * 24 * 4), spread)))
        price = points[-1]
        whole = [round(p * 10**8) for p in points]
        rows.append([BEGIN + hour * 3600, whole[0], max(whole), min(whole), whole[-1]])
    return rows


def crash(rows: Sequence[Sequence[int]], after_days: float, fall: float, hours: int = 6) -> list[list[int]]:
    """The same with a fall by a share, over some hours."""
    begin, made = int(after_days * 24), list[list[int]]()
    for i, (at, *prices) in enumerate(rows):
        share = min(1.0, max(0.0, (i - begin) / hours)), min(1.0, max(0.0, (i + 1 - begin) / hours))
        first, last = (1 - fall * s for s in share)
        opened, high, low, close = prices
        made.append([at, int(opened * first), int(high * first), int(low * last), int(close * last)])
    return made


def document(
    rows: Sequence[Sequence[int]], ways: Sequence[dict[str, Any]], seconds: int = 3600, **changes: Any
) -> dict[str, Any]:
    bars = [list(row) for row in rows]
    terms = {
        "venue": "aave_v3", "block_s": 12, "warm_up_s": 8 * DAY, "measure_s": 3600, "delay_blocks": 1, "whole": True,
        "deviation_bps": 50, "heartbeat_s": 3600, "lag_blocks": 1, "base_fee_gwei": "20", "native": "WETH",
        "native_price": "3000", "depth_usd": "40000000", "pool_fee_ppm": 500, "in_one": True, "close_bps": 5000,
        "close_all_at": "0.95", "close_all_under_usd": "2000", "health_floor": "1.02", "emergency_health": "1.10",
        "max_rounds": 10, "capital_cost_bps": 10, "fee_share_bps": 5000, "max_fee_gwei": None, "swap_deadline_s": 1800,
    }  # fmt: skip
    account = {
        "collateral": {"WETH": "100"}, "debt": {}, "health": "1.4", "wallet": {}, "native": "10", "signer": "owner",
    }  # fmt: skip
    asset = {"price": "1", "supply_rate": "0", "borrow_rate": "0.05", "heartbeat_s": 86_400}
    return {
        "format": FORMAT,
        "prices": {"WETH": {"file": "made", "form": "CSV", "seconds": seconds, "digest": digest(bars), "bars": bars}},
        "account": account | changes.pop("account", {}),
        "assets": {
            "WETH": asset | {"decimals": 18, "threshold": "0.83", "ltv": "0.80", "bonus": "0.05"},
            "USDC": asset | {"decimals": 6, "threshold": "0", "ltv": "0", "bonus": "0"},
        },
        "ways": list(ways),
        "gas": changes.pop("gas", []),
        "terms": terms | changes,
    }


def way(*rules: dict[str, Any], name: str = "kept", **more: Any) -> dict[str, Any]:
    return {"name": name, "rules": list(rules), **more}


def came_of(made: dict[str, Any], **how: Any) -> dict[str, Any]:
    """What came of the only way of a document."""
    (one,) = report(made, **how)["ways"]
    return dict(one)
