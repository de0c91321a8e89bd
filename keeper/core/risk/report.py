"""The risk report: from its inputs alone, so that who has them recomputes it to the digit. Plain data in and out.

Probabilities are rounded to nine digits: more would be the machine's and not the market's. What is not known is said as
``{"unknown": why}``, never as a figure. Needs numpy, for paths of several prices.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from hashlib import sha256
from typing import Any

from keeper.core.lending import figures as lending
from keeper.core.lending.position import LendingPosition
from keeper.core.lending.second_line import first_loss, standing
from keeper.core.lending.seizure import WHOLE, CloseRule, at_the_edge, seized
from keeper.core.prices import Doubt
from keeper.core.risk import barrier, kou, option
from keeper.core.risk import monte_carlo as paths
from keeper.core.risk.inputs import Document, Inputs, inputs_of
from keeper.core.risk.market import Market
from keeper.core.risk.shocks import Shocked, shocks
from keeper.core.risk.stance import Stance, probability, seen_by_oracle, stance
from keeper.core.risk.stress import is_dollar, taken
from keeper.core.risk.tail import expected_shortfall, exposures, value_at_risk
from keeper.core.risk.volatility import realised_at, unknown
from keeper.core.units import BPS, DAY_S, INFINITE, WAD, Address, Usd, mul_div_down, mul_div_up

STEPS = 8
"""Steps of a path: between them it is bridged."""
LEVELS = (0.01, 0.05, 0.5)
_POINT = 0.01
_DIGITS = 9


def digest(document: Document) -> str:
    """Return what names the inputs: two reports with one digest are of the same."""
    return sha256(json.dumps(document, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def report(document: Document) -> Document:
    """Return the report of inputs. Raises BadInputsError."""
    of = inputs_of(document)
    stances = [stance(p, of.market) for p in of.positions]
    drawn = [_drawn(of, stances, horizon) for horizon in of.horizons_s]
    each = enumerate(zip(of.positions, stances, strict=True))
    several = zip(of.horizons_s, drawn, strict=True) if len(of.positions) > 1 else ()
    return {
        "digest": digest(document),
        "positions": [_position(of, p, s, [d.get(i) for d in drawn]) for i, (p, s) in each],
        "together": [{"horizon_s": h, **_together(of, stances, d)} for h, d in several],
        "prices": {name: _prices(of, name) for name in of.market.movements},
    }


# --- one position -----------------------------------------------------------------------------------------------------


def _position(
    of: Inputs, p: LendingPosition, s: Stance | Doubt | None, drawn: Sequence[paths.Reached | None]
) -> Document:
    figures = p.reported
    return {
        "name": p.name,
        "venue": p.venue,
        "health_factor": None if figures.health_factor >= INFINITE else str(figures.health_factor),
        "collateral_usd": str(p.money.usd_down(figures.collateral_value)),
        "debt_usd": str(p.money.usd_up(figures.debt_value)),
        "own_usd": str(sum(exposures(p).values())),
        "volatility": _said(s.volatility if isinstance(s, Stance) else s),
        "probability": [_probability(s, h, d) for h, d in zip(of.horizons_s, drawn, strict=True)],
        "until": [{"probability": q, "seconds": _said(_until(s, q))} for q in LEVELS],
        "lost": [_lost(p, of.market, s, h) for h in of.horizons_s],
        "taken_usd": str(_taken(p)),
        "taken_first_usd": str(_taken_first(p, of.closes.get(p.name, WHOLE))),
        "second_line": _second_line(p),
        "sensitivity": _sensitivity(of, p, s),
        "put": _put(p, s, of.horizons_s[-1]),
        "stress": [_shocked(x) for x in shocks(p)],
        "holdings": [_holding(of, p, h.asset) for h in p.held],
    }


def _probability(s: Stance | Doubt | None, horizon_s: int, drawn: paths.Reached | None) -> Document:
    if not isinstance(s, Stance):
        return {"horizon_s": horizon_s, "used": _said(s if isinstance(s, Doubt) else 0.0)}
    jumping = None
    if s.jumps is not None:
        jumping = _said(
            kou.reached((kou.rising if s.is_owed else kou.falling)(s.distance, s.jumps, s.carry), horizon_s)
        )
    fall = barrier.level(0.05, s.drift, s.volatility, horizon_s)
    return {
        "horizon_s": horizon_s,
        "used": _said(probability(s, horizon_s)),
        "moving": _said(barrier.reached(s.distance, s.drift, s.volatility, horizon_s)),
        "at_updates": _said(seen_by_oracle(s, horizon_s)),
        "jumping": jumping,
        "paths": None if drawn is None else {"probability": _round(drawn.probability), "error": _round(drawn.error)},
        "health_at_95": _said(fall if isinstance(fall, Doubt) else math.exp(s.distance - fall)),
    }


def _until(s: Stance | Doubt | None, q: float) -> float | Doubt | None:
    if not isinstance(s, Stance):
        return s
    found = barrier.time_to(q, s.distance, s.drift, s.volatility)
    return round(found) if isinstance(found, float) else found


def _lost(p: LendingPosition, market: Market, s: Stance | Doubt | None, horizon_s: int) -> Document:
    chance = probability(s, horizon_s) if isinstance(s, Stance) else s if isinstance(s, Doubt) else 0.0
    expected = chance if isinstance(chance, Doubt) else mul_div_up(_taken(p), math.ceil(chance * WAD), WAD)
    return {
        "horizon_s": horizon_s,
        "value_at_risk_usd": _money(value_at_risk(p, market, horizon_s)),
        "expected_shortfall_usd": _money(expected_shortfall(p, market, horizon_s)),
        "expected_liquidation_usd": _money(expected),
    }


def _taken_first(p: LendingPosition, rule: CloseRule) -> int:
    """Return what the first liquidation takes beyond the debt it pays, by the venue's own close factor, dollars."""
    if not p.reported.debt_value or p.reported.health_factor >= INFINITE:
        return 0
    return seized(at_the_edge(lending.account_of(p)), rule, most=1).loss


def _second_line(p: LendingPosition) -> Document | None:
    """Return the contract that sells a part before liquidation begins, and what its first sale costs, dollars."""
    line = standing(p)
    if line is None or not p.reported.debt_value:
        return None
    loss = first_loss(line, Usd(p.money.usd_up(p.reported.debt_value)))
    return {"contract": line.contract, "begins_at_health": str(line.begins_at), "taken_usd": str(loss)}


def _taken(p: LendingPosition) -> int:
    """Return what a liquidator takes beyond the debt where liquidation begins, dollars, at the most."""
    account, figures = lending.account_of(p), p.reported
    if not figures.debt_value or figures.health_factor >= INFINITE:
        return 0
    at_edge = max(WAD, figures.health_factor)
    left = replace(figures, collateral_value=mul_div_down(figures.collateral_value, WAD, at_edge))
    return int(p.money.usd_up(taken(account, left)))


def _sensitivity(of: Inputs, p: LendingPosition, s: Stance | Doubt | None) -> Document:
    names = {h.asset: h.symbol for h in p.held}
    carry = sum(
        mul_div_down(h.usd_down(h.supplied), h.rates.supply * DAY_S, WAD * 365 * DAY_S)
        - mul_div_up(h.usd_up(h.borrowed), h.rates.borrow * DAY_S, WAD * 365 * DAY_S)
        for h in p.held
    )
    found: Document = {
        "delta_usd": {names[asset]: str(value) for asset, value in exposures(p).items()},
        "carry_a_day_usd": str(carry),
    }
    if not isinstance(s, Stance) or s.distance == math.inf:
        return found
    horizon = of.horizons_s[0]
    here = probability(s, horizon)
    wider = probability(replace(s, volatility=s.volatility + _POINT), horizon)
    lower, higher = (probability(s, horizon, s.distance + math.log(x)) for x in (0.99, 1.01))
    if not any(isinstance(x, Doubt) for x in (here, wider, lower, higher)):
        assert isinstance(here, float) and isinstance(wider, float)  # noqa: S101, PT018 - as was just looked
        assert isinstance(lower, float) and isinstance(higher, float)  # noqa: S101, PT018
        found |= {
            "probability_per_volatility_point": _round(wider - here),
            "probability_per_fall_of_1_percent": _round(lower - here),
            "probability_gamma": _round(lower - 2 * here + higher),
        }
    return found


def _put(p: LendingPosition, s: Stance | Doubt | None, horizon_s: int) -> Document | None:
    """Return what the put costs that pays from where liquidation begins, for all collateral that is no dollar."""
    if not isinstance(s, Stance) or s.distance <= 0 or s.is_owed:
        return None
    strike = math.exp(-s.distance)
    found = option.put(strike, s.volatility, horizon_s)
    if isinstance(found, Doubt):
        return None
    covered = sum(h.usd_up(h.supplied) for h in p.held if h.is_collateral and not is_dollar(h))
    return {
        "horizon_s": horizon_s,
        "strike_share": _round(strike),
        "cost_usd": str(mul_div_up(covered, math.ceil(found.price * WAD), WAD)),
    }


def _shocked(x: Shocked) -> Document:
    figures = x.after.figures
    return {
        "shock": x.name,
        "health_factor": None if figures.health_factor >= INFINITE else str(figures.health_factor),
        "is_liquidated": x.after.is_liquidated,
        "lost_usd": str(x.after.lost),
        "taken_usd": str(x.after.seized),
    }


def _holding(of: Inputs, p: LendingPosition, asset: Address) -> Document:
    h, moved = p.holding(asset), of.market.movement(asset)
    gross = sum(abs(value) for value in exposures(p).values()) or 1
    return {
        "symbol": h.symbol,
        "asset": asset,
        "driver": of.market.drivers.get(asset),
        "price_usd": str(h.usd_down(h.unit)),
        "supplied_usd": str(h.usd_down(h.supplied)),
        "owed_usd": str(h.usd_up(h.borrowed)),
        "volatility": _said(moved if isinstance(moved, Doubt) else moved.volatility),
        "liquidated_at_usd": _liquidated_at(p, asset),
        "share_bps": abs(exposures(p)[asset]) * BPS // gross,
    }


def _liquidated_at(p: LendingPosition, asset: Address) -> str | None:
    found = lending.liquidation_price(lending.account_of(p), asset)
    return None if found is None else str(p.money.usd_up(found))


# --- together ---------------------------------------------------------------------------------------------------------


def _drawn(of: Inputs, stances: Sequence[Stance | Doubt | None], horizon_s: int) -> dict[int, paths.Reached]:
    """Return by position what one set of paths makes of it: those whose every price is known."""
    known = [i for i, s in enumerate(stances) if isinstance(s, Stance) and s.distance > 0]
    drivers = sorted({of.market.drivers[h.asset] for i in known for h in of.positions[i].held})
    covariance = _covariance(of.market, drivers)
    if covariance is None or horizon_s <= 0:
        return {}
    on = paths.drawn(covariance, horizon_s, STEPS, of.paths, of.seed)
    return {i: paths.liquidated(_driven(of, of.positions[i], drivers, stances[i]), on) for i in known}


def _driven(of: Inputs, p: LendingPosition, drivers: Sequence[str], s: Stance | Doubt | None) -> paths.DrivenLoan:
    secured, owed = dict.fromkeys(drivers, 0.0), dict.fromkeys(drivers, 0.0)
    for h in p.held:
        driver = of.market.drivers[h.asset]
        secured[driver] += h.supplied * h.price.answer / h.unit * h.liquidation_factor / WAD if h.is_collateral else 0.0
        owed[driver] += h.borrowed * h.price.answer / h.unit
    carry = s.carry if isinstance(s, Stance) else 0.0
    return paths.DrivenLoan(tuple(secured.values()), tuple(owed.values()), carry)


def _covariance(market: Market, drivers: Sequence[str]) -> list[list[float]] | None:
    if not drivers or isinstance(market.correlations, Doubt):
        return None
    sizes = [market.movements[d].volatility for d in drivers]
    rows = list[list[float]]()
    for a, size in zip(drivers, sizes, strict=True):
        row = list[float]()
        for b, other in zip(drivers, sizes, strict=True):
            r = market.correlations.of(a, b)
            if r is None or isinstance(size, Doubt) or isinstance(other, Doubt):
                return None
            row.append(size * other * r)
        rows.append(row)
    return rows


def _together(of: Inputs, stances: Sequence[Stance | Doubt | None], drawn: dict[int, paths.Reached]) -> Document:
    """Return how probable it is that any position is liquidated, and that all are: on the same paths, and no sum.

    Between two steps loans that one driver moves fall together; those that others move, each by itself.
    """
    begun = [s for s in stances if isinstance(s, Stance) and s.distance <= 0]
    owing = sum(s is not None for s in stances)
    if len(drawn) + len(begun) < owing:
        return {"any": 1.0 if begun else _said(unknown("not every position's prices are known")), "all": None}
    groups = dict[str, list[Any]]()
    for i, reached in drawn.items():
        groups.setdefault(_main_driver(of, of.positions[i]), []).append(reached.by_path)
    if not groups:
        return {"any": float(bool(begun)), "all": float(bool(begun) and len(begun) == len(stances))}
    safe: Any = 1.0
    hit: Any = 1.0
    for found in groups.values():
        worst, best = found[0], found[0]
        for by_path in found[1:]:
            worst, best = worst.clip(min=by_path), best.clip(max=by_path)
        safe, hit = safe * (1 - worst), hit * best
    all_of_them = _round(float(hit.mean())) if owing == len(stances) else 0.0
    return {"any": 1.0 if begun else _round(1 - float(safe.mean())), "all": all_of_them}


def _main_driver(of: Inputs, p: LendingPosition) -> str:
    """Return the driver that moves a position most."""
    sizes = dict[str, float]()
    for asset, value in exposures(p).items():
        driver = of.market.drivers[asset]
        volatility = of.market.movements[driver].volatility
        sizes[driver] = sizes.get(driver, 0.0) + abs(value) * (0.0 if isinstance(volatility, Doubt) else volatility)
    return max(sizes, key=lambda d: sizes[d])


def _prices(of: Inputs, name: str) -> Document:
    moved = of.market.movements[name]
    return {
        "volatility": _said(moved.volatility),
        "realised": {str(w): _said(v) for w, v in realised_at(moved.history, of.block.timestamp).items()},
        "updates_every_s": moved.every_s,
        "jumps": None
        if moved.jumps is None
        else {
            "a_year": _round(moved.jumps.a_year),
            "share_up": _round(moved.jumps.share_up),
            "up": _round(moved.jumps.up),
            "down": _round(moved.jumps.down),
        },
    }


# --- how figures are said ---------------------------------------------------------------------------------------------


def _said(found: float | Doubt | None) -> Any:
    if isinstance(found, Doubt):
        return {"unknown": found.detail}
    return None if found is None else _round(found)


def _money(found: int | Doubt | None) -> Any:
    if isinstance(found, Doubt):
        return {"unknown": found.detail}
    return str(found or 0)


def _round(x: float) -> float:
    return float(f"{x:.{_DIGITS}g}")
