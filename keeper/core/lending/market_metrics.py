"""What rules look at in the markets a loan stands in: rates, pegs, and whether anything is left to be withdrawn.

None of it is moved by what a rule does: it makes the loan smaller, and rests once its target is met.
"""

from __future__ import annotations

from collections.abc import Iterable

from keeper.core import names
from keeper.core.averages import Sampled, averaged, kept, not_half_seen
from keeper.core.lending import interest
from keeper.core.lending.named import matters, no_one_asset, secures
from keeper.core.lending.position import Holding, LendingPosition
from keeper.core.metrics import Metric, Subject
from keeper.core.names import plain as plain_name
from keeper.core.prices import Backing, Doubt
from keeper.core.reasons import Reason
from keeper.core.scales import Beyond, Range, Unit, percent, plain
from keeper.core.trail import LookBack, Trail, part_of
from keeper.core.units import DAY_S, WAD, Address

LESS_DEBT = ("repay", "deleverage")
"""What helps against interest, a peg that breaks, and a market that lets nobody out: less of it."""
GROWING = frozenset(
    ("steth", "wsteth", "weeth", "reth", "cbeth", "oseth", "rseth", "ezeth", "ethx", "lbtc", "susde", "sdai", "susds")
)
"""Staked and saved assets, by symbol, whose rate to what they stand for is what an owner earns with them."""
PEG_REMEDY = "write second_feed, or backed_by, for it in the network file"


def _named_or(p: LendingPosition, of: Subject, usual: Iterable[Holding]) -> tuple[Holding, ...] | Doubt:
    """Return the one holding that a name means, without a name the usual ones."""
    if of.symbol is None:
        return tuple(usual)
    found = names.meant(of.symbol, p.holdings)
    return found if len(found) == 1 else no_one_asset(of.symbol, p)


def _borrow_rate(p: LendingPosition, of: Subject) -> Sampled | Doubt | None:
    owed = _named_or(p, of, (h for h in p.held if h.borrowed))
    rate = owed if isinstance(owed, Doubt) else interest.borrow_rate(owed)
    return rate if rate is None or isinstance(rate, Doubt) else Sampled(rate, of.symbol or "debts")


def _net_cost(p: LendingPosition, _: Subject) -> Sampled | Doubt | None:
    """Return what interest alone takes of the owner's own money in a year: the net rate with its sign turned."""
    if p.is_empty:
        return None
    rate = interest.net_rate(p)
    return Doubt(Reason.RULE_UNDECIDABLE, "debts leave nothing of its own") if rate is None else Sampled(-rate, "net")


def _growing(p: LendingPosition) -> dict[Address, Backing]:
    """Return what the position's assets stand for that grow by a rate."""
    held = {h.asset: p.beside.backings.get(h.asset) for h in p.held}
    return {asset: backing for asset, backing in held.items() if backing is not None}


def _unsaid(p: LendingPosition) -> Doubt | None:
    """Return that nobody said what a staked asset grows by: taken for nothing it would make a rule act."""
    unsaid = [h for h in p.held if h.asset not in p.beside.backings and plain_name(h.symbol).lower() in GROWING]
    if not unsaid:
        return None
    detail = f"nobody said what {unsaid[0].symbol} grows by; write backed_by and rate for it in the network file"
    return Doubt(Reason.RULE_UNDECIDABLE, detail)


def _net_rate(p: LendingPosition, seen: LookBack, of: Subject) -> int | Doubt | None:
    cost = _unsaid(p) or averaged(_net_cost)(p, seen, of)
    if cost is None or isinstance(cost, Doubt):
        return cost
    now, growth = p.block.timestamp, dict[Address, int]()
    for asset, backing in _growing(p).items():
        if not backing.rate:
            return Doubt(Reason.UNMEASURED, f"does not know for how much {backing.of} {p.holding(asset).symbol} stands")
        first = next((s for s in seen.parts.get(asset, ()) if s.at >= now - of.window_s), None)
        if first is None or not first.rate or now - first.at < of.window_s // 2:
            return not_half_seen(of.window_s)
        growth[asset] = interest.yearly_growth(first.rate, backing.rate, now - first.at)
    with_growth, without = interest.net_rate(p, growth), interest.net_rate(p)
    return None if with_growth is None or without is None else with_growth - without - cost


def _keep_net(trail: Trail, rule: str, p: LendingPosition, of: Subject, is_sure: bool) -> Trail:
    trail = kept(_net_cost)(trail, rule, p, of, is_sure)
    for asset, backing in _growing(p).items():
        if backing.rate:
            part, at = part_of(rule, asset), p.block.timestamp
            trail = trail.with_sample(part, at, backing.rate, of.window_s, backing.of)
    return trail


def _peg(p: LendingPosition, _: LookBack, of: Subject) -> int | Doubt:
    found = secures(p, of)
    if len(found) != 1:
        return no_one_asset(of.symbol, p)
    (one,) = found
    value = interest.peg(one, p.beside.seconds.get(one.asset), p.beside.backings.get(one.asset))
    if value is not None:
        return value
    return Doubt(Reason.RULE_UNDECIDABLE, f"nothing to hold the price of {one.symbol} against; {PEG_REMEDY}")


def _utilisation(p: LendingPosition, _: LookBack, of: Subject) -> int | Doubt | None:
    lent = _named_or(p, of, (h for h in p.held if h.supplied and matters(p, h.asset)))
    return lent if isinstance(lent, Doubt) else interest.utilisation(lent)


def _odd_rate(_: Beyond, bound: int) -> str | None:
    if abs(bound) < WAD:
        return None
    return f'a rate of {plain(bound)} is {percent(bound)} a year; 4 % is "0.04"'


BORROW_RATE: Metric[LendingPosition] = Metric(
    key="borrow_rate",
    words="borrow rate",
    summary="What the debts cost in a year, weighed by their values and averaged over `window`, rounded up; with "
    "`asset` what that one costs. Nothing before half of the window was seen.",
    unit=Unit.RATE,
    sides=(Beyond.ABOVE,),
    measure=averaged(_borrow_rate),
    at_target=None,
    valid=Range.POSITIVE,
    odd=_odd_rate,
    named="asset",
    window_s=DAY_S,
    actions=(*LESS_DEBT, "swap_debt"),
    why_only="leaves the debt as it is",
    remember=kept(_borrow_rate),
    follows_prices=False,
    figure=percent,
)
NET_RATE: Metric[LendingPosition] = Metric(
    key="net_rate",
    words="net rate",
    summary="What the owner's own money earns in a year, averaged over `window`, rounded down: interest on all that is "
    "supplied, and what staked assets grow by (`backed_by` and `rate` in the network file), less interest on debts, "
    "over supply less debt. Below zero a loop eats itself. Nothing before half of the window was seen.",
    unit=Unit.RATE,
    sides=(Beyond.BELOW,),
    measure=_net_rate,
    at_target=None,
    odd=_odd_rate,
    window_s=7 * DAY_S,
    actions=LESS_DEBT,
    why_only="leaves the debt as it is",
    remember=_keep_net,
    looks_beside=True,
    follows_prices=False,
    figure=percent,
)
PEG: Metric[LendingPosition] = Metric(
    key="peg",
    words="peg",
    summary="What the market pays for a staked or stable asset as a share of what it stands for, rounded down. What it "
    "stands for is said by `backed_by` (and `rate`) in the network file, else it is the market's own oracle. Without "
    "`asset` that of the one collateral.",
    unit=Unit.SHARE,
    sides=(Beyond.BELOW,),
    measure=_peg,
    at_target=None,
    valid=Range.SHARE,
    named="asset",
    actions=(*LESS_DEBT, "swap_collateral"),
    why_only="adds to what loses its peg",
    looks_beside=True,
    follows_prices=False,
    figure=percent,
)
UTILISATION: Metric[LendingPosition] = Metric(
    key="utilisation",
    words="utilisation",
    summary="Which share of an asset's supplies is lent out: at 1 nobody can withdraw. Without `asset` the highest of "
    "all that is supplied.",
    unit=Unit.SHARE,
    sides=(Beyond.ABOVE,),
    measure=_utilisation,
    at_target=None,
    valid=Range.SHARE,
    named="asset",
    actions=LESS_DEBT,
    why_only="adds to what may not be withdrawn",
    follows_prices=False,
    figure=percent,
)
