"""The shocks of a loan's stress table: falls, one asset alone, a dollar that breaks, rates, gas, pools, all at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from keeper.core.lending import figures as lending
from keeper.core.lending.position import LendingPosition
from keeper.core.risk.shock_terms import ALL, RATE_IN_STRESS, Shock, everything
from keeper.core.risk.stress import Stressed, is_dollar, stressed
from keeper.core.units import BPS, DAY_S, WAD, Address, Amount, Usd, Wad, mul_div_up

FALLS = (20, 40, 60)
ALONE = 40
DOLLAR = 10
STAKED = 7
"""Percent by which each falls."""
THINNER, DEARER = 10, 100
YEAR_S = 365 * DAY_S
STAKED_SYMBOLS = ("steth", "eeth", "reth", "cbeth", "oseth", "rseth", "ezeth", "ethx", "weeth", "lbtc")


@dataclass(frozen=True, slots=True)
class Shocked:
    """A shock, and what it makes of a loan: its prices, the loan itself, what is lost and taken."""

    of: Shock
    before: LendingPosition
    prices: dict[Address, int]
    then: LendingPosition
    after: Stressed

    @property
    def name(self) -> str:
        """How it is called."""
        return self.of.name


def shocks(p: LendingPosition, own: Sequence[Shock] = ()) -> Iterator[Shocked]:
    """Yield every shock that touches the position, the owner's own after those that come with the keeper."""
    for of in (*built_in(p), *own):
        yield shocked_by(p, of)


def built_in(p: LendingPosition) -> Iterator[Shock]:
    """Yield the shocks that come with the keeper, one by one and together."""
    yield from (everything(-fall) for fall in FALLS)
    thin, dear = "pools a tenth as deep", f"gas ×{DEARER}"
    yield everything(-FALLS[0], f", {thin}", thinner=THINNER)
    yield everything(-FALLS[0], f", {dear}", gas=DEARER)
    yield everything(-FALLS[0], f", {thin}, {dear}", thinner=THINNER, gas=DEARER)
    moving = [h for h in p.held if not is_dollar(h)]
    for h in moving if len(moving) > 1 else ():
        yield Shock(f"{h.symbol} alone −{ALONE} %", {h.symbol: -ALONE * BPS // 100})
    broken = [h.symbol for h in p.held if is_dollar(h) and h.supplied]
    for symbol in broken:
        yield Shock(f"{symbol} at {1 - DOLLAR / 100:.2f} of its price", {symbol: -DOLLAR * BPS // 100})
    staked = [h.symbol for h in moving if h.symbol.lower().endswith(STAKED_SYMBOLS) and h.supplied]
    for symbol in staked:
        yield Shock(f"{symbol} at a discount of {STAKED} %", {symbol: -STAKED * BPS // 100})
    if any(h.borrowed for h in p.held):
        yield Shock("borrow rates at 100 % for a week", rate=RATE_IN_STRESS)
    yield _all_at_once(broken, staked)


def _all_at_once(broken: Sequence[str], staked: Sequence[str]) -> Shock:
    discounted = (100 - FALLS[0]) * (100 - STAKED) - BPS
    moves = {ALL: -FALLS[0] * BPS // 100, **dict.fromkeys(broken, -DOLLAR * BPS // 100)}
    moves |= dict.fromkeys(staked, discounted)
    name = f"all of it at once from −{FALLS[0]} %"
    return Shock(name, moves, RATE_IN_STRESS, thinner=THINNER, gas=DEARER)


def shocked_by(p: LendingPosition, of: Shock) -> Shocked:
    """Return what a shock makes of a loan: interest first, then prices."""
    later, cost = _grown(p, of.rate, of.seconds) if of.rate else (p, 0)
    moved = {h.asset: of.moved(h.price.answer, h.symbol, is_dollar=is_dollar(h)) for h in later.held}
    prices = {h.asset: moved[h.asset] for h in later.held if moved[h.asset] != h.price.answer}
    after = stressed(later, prices)
    if cost:
        after = replace(after, lost=Usd(p.money.usd_up(cost) + after.lost))
    account = lending.at_prices(lending.account_of(later), prices)
    then = replace(later, holdings=account.holdings, reported=lending.figures(account))
    return Shocked(of, p, prices, then, after)


def _grown(p: LendingPosition, rate: Wad, seconds: int) -> tuple[LendingPosition, int]:
    """Return a position once its debts cost a rate for a time, and its supplies earned nothing; and what that cost."""
    grown, cost = [], 0
    for h in p.holdings:
        interest = mul_div_up(h.borrowed * rate, seconds, WAD * YEAR_S)
        grown.append(replace(h, borrowed=Amount(h.borrowed + interest)))
        cost += mul_div_up(interest, h.price.answer, h.unit)
    later = replace(p, holdings=tuple(grown))
    return replace(later, reported=lending.figures(lending.account_of(later))), cost
