"""Positions that belong together: all of an owner, and each book. Their deltas, Greeks, stakes and stress in all. Pure.

An asset counts as what it follows, wherever it stands: staked ether of one chain and a short of another are one delta.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from keeper.core.book.position import STABLE, Book
from keeper.core.lending.position import LendingPosition
from keeper.core.perp.position import PerpPosition
from keeper.core.prices import Doubt
from keeper.core.risk.held_puts import Valued
from keeper.core.risk.market import Market
from keeper.core.risk.measured import Measured
from keeper.core.risk.met import met
from keeper.core.risk.perp_shocks import PerpShocked
from keeper.core.risk.said import Document, money
from keeper.core.risk.shock_terms import RATE_IN_STRESS, Shock, everything
from keeper.core.risk.stance import Stance, probability
from keeper.core.risk.stress import owned
from keeper.core.risk.tail import expected_shortfall_of, value_at_risk_of
from keeper.core.risk.volatility import unknown
from keeper.core.units import BPS, Address

MOVES = (-20, -40, -60, 20, 40)
"""Percent by which everything but dollars moves at once."""
_FOLLOWED = Book("all", (), (), ())


@dataclass(frozen=True, slots=True)
class InWallet:
    """What a book's wallets hold of an underlying, dollars."""

    underlying: str
    usd: int


@dataclass(frozen=True, slots=True)
class Kept:
    """A position of either kind, and what was measured of it."""

    position: LendingPosition | PerpPosition
    measured: Measured


def group(
    name: str,
    of: Sequence[Kept],
    market: Market,
    horizons_s: Sequence[int],
    wallets: Sequence[InWallet] = (),
    puts: Sequence[Valued] = (),
    own_shocks: Sequence[Shock] = (),
) -> Document:
    """Return what positions come to in all, with the puts that their owner holds for them."""
    by_underlying = deltas(of, wallets, puts)
    gross = sum(abs(sum(by.values())) for by in by_underlying.values()) or 1
    own, doubt = _own(of, wallets)
    own = {**own, **{v.asset: own.get(v.asset, 0) + sum(o.delta for o in puts if o.asset == v.asset) for v in puts}}
    most = sum(k.measured.most for k in of) + sum(w.usd for w in wallets) + sum(v.worth for v in puts)
    return {
        "name": name,
        "positions": [k.measured.name for k in of],
        "own_usd": str(most),
        "underlyings": [
            {
                "underlying": underlying,
                "delta_usd": str(sum(by.values())),
                "of": {holder: str(value) for holder, value in by.items()},
                "share_bps": abs(sum(by.values())) * BPS // gross,
            }
            for underlying, by in by_underlying.items()
        ],
        "carry_a_day_usd": str(sum(k.measured.carry_a_day for k in of)),
        "stake_per_volatility_point_usd": _vega(of, horizons_s[0]),
        "lost": [
            {
                "horizon_s": h,
                "value_at_risk_usd": money(doubt or value_at_risk_of(own, most, market, h)),
                "expected_shortfall_usd": money(doubt or expected_shortfall_of(own, most, market, h)),
                "expected_liquidation_usd": money(_stake(of, h)),
            }
            for h in horizons_s
        ],
        "stress": list(stress(of, wallets, puts, own_shocks)),
    }


def deltas(
    of: Sequence[Kept], wallets: Sequence[InWallet] = (), puts: Sequence[Valued] = ()
) -> dict[str, dict[str, int]]:
    """Return by underlying what each holder is exposed to, dollars, signed; dollars themselves are no exposure."""
    found = dict[str, dict[str, int]]()
    for k in of:
        for asset, value in k.measured.own.items():
            symbol = k.measured.symbols[asset]
            underlying = _FOLLOWED.underlying(symbol) or symbol.upper()
            if underlying != STABLE and value:
                by = found.setdefault(underlying, {})
                by[k.measured.name] = by.get(k.measured.name, 0) + value
    for w in wallets:
        if w.underlying != STABLE:
            by = found.setdefault(w.underlying, {})
            by["wallet"] = by.get("wallet", 0) + w.usd
    for v in puts:
        found.setdefault(v.put.underlying.upper(), {})[v.put.name] = v.delta
    return found


def stress(
    of: Sequence[Kept],
    wallets: Sequence[InWallet] = (),
    puts: Sequence[Valued] = (),
    own: Sequence[Shock] = (),
) -> Iterator[Document]:
    """Yield what shocks do to all of them at once: a hedge's gain counts against a loss."""
    for x in (*built_in(), *own):
        held = -sum(w.usd * x.move_of(w.underlying, is_dollar=w.underlying == STABLE) // BPS for w in wallets)
        paid = sum(v.change(x.move_of(v.put.underlying, is_dollar=False) // 100) for v in puts)
        each = [_shocked(k.position, x) for k in of]
        yield {
            "shock": x.name,
            "lost_usd": str(sum(lost for lost, _, _ in each) + held - paid),
            "taken_usd": str(sum(taken for _, taken, _ in each)),
            "liquidated": [k.measured.name for k, (_, _, gone) in zip(of, each, strict=True) if gone],
        }


def built_in() -> Iterator[Shock]:
    """Yield the shocks of everything together: moves, and what comes with them one by one and all at once."""
    yield from (everything(move) for move in MOVES)
    yield Shock("funding ×10 and borrow rates at 100 % for a week", rate=RATE_IN_STRESS, funding=10)
    worst = everything(-20, ", funding ×10, borrow rates at 100 %, pools a tenth as deep, gas ×100")
    yield replace(worst, rate=RATE_IN_STRESS, funding=10, thinner=10, gas=100)


def _shocked(p: LendingPosition | PerpPosition, x: Shock) -> tuple[int, int, bool]:
    """Return what is lost (below zero: gained), what liquidation takes, and whether it comes to that."""
    found = met(p, x)
    if isinstance(found, PerpShocked):
        return found.change, found.taken, found.is_liquidated
    return owned(found.before, {}) - owned(found.then, {}), found.after.seized, found.after.is_liquidated


def _own(of: Sequence[Kept], wallets: Sequence[InWallet]) -> tuple[Mapping[Address, int], Doubt | None]:
    """Return all exposures by asset; what wallets hold counts as the asset that a position holds of the same."""
    found, asset_of = dict[Address, int](), dict[str, Address]()
    for k in of:
        for asset, value in k.measured.own.items():
            found[asset] = found.get(asset, 0) + value
            asset_of.setdefault(_FOLLOWED.underlying(k.measured.symbols[asset]) or "", asset)
    for w in wallets:
        if w.underlying == STABLE or not w.usd:
            continue
        if w.underlying not in asset_of:
            return found, unknown(f"no price history of {w.underlying}, which a wallet holds")
        found[asset_of[w.underlying]] += w.usd
    return found, None


def _stake(of: Sequence[Kept], horizon_s: int) -> int | Doubt:
    each = [k.measured.expected(horizon_s) for k in of]
    return next((x for x in each if isinstance(x, Doubt)), None) or sum(x for x in each if isinstance(x, int))


def _vega(of: Sequence[Kept], horizon_s: int) -> str | Document:
    def wider(s: Stance) -> float | Doubt:
        return probability(replace(s, volatility=s.volatility + 0.01), horizon_s)

    total = _summed(of, horizon_s, wider)
    return {"unknown": total.detail} if isinstance(total, Doubt) else str(round(total))


def _summed(of: Sequence[Kept], horizon_s: int, changed: Callable[[Stance], float | Doubt]) -> float | Doubt:
    total = 0.0
    for k in of:
        s = k.measured.stance
        if isinstance(s, Doubt):
            return s
        if s is None:
            continue
        then, now = changed(s), k.measured.within(horizon_s)
        if isinstance(then, Doubt) or isinstance(now, Doubt):
            return then if isinstance(then, Doubt) else unknown("its probability is not known")
        total += k.measured.taken * (then - now)
    return total
