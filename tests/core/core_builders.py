"""Positions, intents and terms without a chain: what a test does not name is ordinary."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from keeper.core import rules
from keeper.core.actions import Action
from keeper.core.decide import Safety
from keeper.core.held_back import Memory
from keeper.core.lending import actions
from keeper.core.lending import figures as lending
from keeper.core.lending.kind import LENDING
from keeper.core.lending.metrics import HEALTH_FACTOR, LTV, LendingTarget, LendingTrigger
from keeper.core.lending.moves import Route
from keeper.core.lending.proposals import Means, PlanTerms
from keeper.core.lending.quotes import Quote, QuoteRequest, Quotes, sizes
from keeper.core.lending.quotes_needed import quotes_needed
from keeper.core.lending.rules import LendingAssessment, LendingIntent, Rule
from keeper.core.metrics import Metric, Subject, Target, Trigger
from keeper.core.prices import Doubt, OraclePrice
from keeper.core.rules import Limits, assess
from keeper.core.scales import Beyond
from keeper.core.snapshot import AccountFigures, BlockRef, Holding, LendingPosition, Wallet
from keeper.core.units import UINT256_MAX, WAD, Address, Amount, Bps, Usd, Wad, Wei
from keeper.venues.aave_v3.model import RAY, AaveModel, Arithmetic, Ledger, Ray, Reserve, ReserveEntry, holdings_of

OWNER = Address("0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC")
GUARDIAN = Address("0x70997970C51812dc3A010C7d01b50e0d17dc79C8")
NOW = 1_750_000_000
BLOCK = BlockRef(31337, 100, "0x" + "ab" * 32, "0x" + "cd" * 32, NOW, Wei(10**9))

# symbol: decimals, dollars, ltv, threshold
KINDS: dict[str, tuple[int, str, int, int]] = {
    "WETH": (18, "2000", 8050, 8300),
    "WBTC": (8, "60000", 7300, 7800),
    "USDC": (6, "1", 7500, 7800),
    "DAI": (18, "1", 6300, 7700),
    "EURC": (6, "1.08", 0, 0),
}


def at(symbol: str) -> Address:
    """The asset's address, told by its symbol."""
    return Address("0x" + symbol.encode().hex().rjust(40, "0"))


def units(symbol: str, whole: str | int | Decimal) -> Amount:
    """Whole tokens in smallest units."""
    return Amount(int(Decimal(whole).scaleb(KINDS[symbol][0])))


def reserve(symbol: str, **changes: Any) -> Reserve:
    decimals, dollars, ltv, threshold = KINDS[symbol]
    answer = int(Decimal(changes.pop("price", dollars)) * 10**8)
    price = OraclePrice(at(symbol), symbol, answer, at(symbol + "F"), NOW - 60, 1, 3600)
    usual = Reserve(
        asset=at(symbol),
        symbol=symbol,
        decimals=decimals,
        price=price,
        ltv=Bps(ltv),
        liquidation_threshold=Bps(threshold),
        liquidation_bonus=Bps(10_500),
        supply_cap=0,
        borrow_cap=0,
        total_supplied=units(symbol, 10**6),
        total_borrowed=units(symbol, 10**5),
        liquidity=units(symbol, 9 * 10**5),
        is_active=True,
        is_frozen=False,
        is_paused=False,
        is_borrowable=True,
        is_siloed=False,
        is_isolated=False,
        is_borrowable_in_isolation=True,
    )
    return replace(usual, **changes)


LEDGER = Ledger(0, 0, Ray(RAY), Ray(RAY), Ray(RAY // 50), Ray(RAY // 25))
"""Of an asset that earns 2 % and costs 4 % a year."""


def holding(
    symbol: str,
    supplied: str | int | Decimal = 0,
    borrowed: str | int | Decimal = 0,
    is_collateral: bool | None = None,
    **changes: Any,
) -> ReserveEntry:
    """Whole tokens; what is supplied counts as collateral unless told otherwise."""
    counts = bool(Decimal(supplied)) if is_collateral is None else is_collateral
    indices = {key: changes.pop(key) for key in ("supply_index", "debt_index") if key in changes}
    ledger = replace(LEDGER, scaled_supply=units(symbol, supplied), scaled_debt=units(symbol, borrowed), **indices)
    return ReserveEntry(reserve(symbol, **changes), ledger, counts)


def position(
    *entries: ReserveEntry,
    reported: AccountFigures | None = None,
    name: str = "loop",
    arithmetic: Arithmetic = Arithmetic.DIRECTED,
) -> LendingPosition:
    """A position whose reported figures are those the protocol would give, unless told otherwise."""
    model = AaveModel(arithmetic, 0, {e.reserve.asset: e.ledger for e in entries})
    holdings = holdings_of(entries, arithmetic)
    return LendingPosition(name, "aave_v3", OWNER, BLOCK, holdings, model, reported or model.figures(holdings))


def entry_of(of: Holding, **changes: Any) -> ReserveEntry:
    """The entry that a holding was made of, its reserve ordinary but for its price and what is named."""
    usual = holding(of.symbol, is_collateral=of.is_collateral, **changes)
    ledger = replace(usual.ledger, scaled_supply=of.principal.supply, scaled_debt=of.principal.debt)
    return replace(usual, reserve=replace(usual.reserve, price=of.price), ledger=ledger)


def loop(eth: str = "10", dollars: str = "14000", **changes: Any) -> LendingPosition:
    """Ether supplied, USDC borrowed; a health factor of 1.186 at 2,000 dollars."""
    return position(holding("WETH", eth, **changes), holding("USDC", 0, dollars), holding("DAI"))


def wad(value: str | int) -> Wad:
    return Wad(int(Decimal(value) * WAD))


def usd(value: str | int) -> Usd:
    return Usd(int(Decimal(value) * 10**8))


def below(metric: Metric[LendingPosition], bound: int, asset: str | None = None) -> LendingTrigger:
    return Trigger(metric, Beyond.BELOW, bound, Subject(asset))


def above(metric: Metric[LendingPosition], bound: int, asset: str | None = None) -> LendingTrigger:
    return Trigger(metric, Beyond.ABOVE, bound, Subject(asset))


def to_health(health: int) -> LendingTarget:
    return Target(HEALTH_FACTOR, health)


def to_ltv(ltv: int) -> LendingTarget:
    return Target(LTV, ltv)


def rule(
    below: str = "1.25",
    to: Any = "1.60",
    actions: Iterable[Action] = (actions.TOP_UP, actions.REPAY, actions.DELEVERAGE),
    **changes: Any,
) -> Rule:
    target = to_health(wad(to)) if isinstance(to, str) else to
    trigger = Trigger(HEALTH_FACTOR, Beyond.BELOW, wad(below))
    usual = rules.Rule("protect", "loop", trigger, target, tuple(actions), 600, Limits(max_slippage=Bps(50)))
    return replace(usual, **changes)


def limits(
    slippage: int = 50, per_tx: str | None = None, per_day: str | None = None, max_fee: int | None = None
) -> Limits:
    return Limits(
        Bps(slippage),
        None if per_tx is None else usd(per_tx),
        None if per_day is None else usd(per_day),
        None if max_fee is None else Wei(max_fee),
    )


def safety(**changes: Any) -> Safety:
    usual = Safety(health_floor=wad("1.02"), emergency_health=wad("1.10"), max_rounds=10, capital_cost=Bps(10))
    return replace(usual, **changes)


def assessed(of: LendingPosition, *rules: Rule, doubts: tuple[Doubt, ...] = ()) -> LendingAssessment:
    found = assess(LENDING, of, rules, doubts)
    assert isinstance(found, LendingAssessment), found
    return found


def intent(of: LendingPosition, by: Rule | None = None, left_today: Usd | None = None) -> LendingIntent:
    by = by or rule()
    assert by.target
    return LendingIntent(assessed(of, by), by, by.target, by.actions, (), left_today)


def wallet(**whole: str | int) -> Wallet:
    tokens = {at(symbol): units(symbol, amount) for symbol, amount in whole.items()}
    return Wallet(OWNER, Wei(10**18), tokens)


def state(of: LendingIntent, held: Wallet | None = None) -> Means:
    left = UINT256_MAX if of.left_today is None else of.left_today
    return Means(of.assessment.account, held or wallet(), left)


def terms(**changes: Any) -> PlanTerms:
    usual = PlanTerms(safety(), True, Wei(2 * 10**9), 2000 * 10**8, Quotes())
    return replace(usual, **changes)


def quoted(
    of: LendingIntent, now: Means, on: PlanTerms, cost_bps: int = 10, depth: Mapping[Address, int] | None = None
) -> PlanTerms:
    """The same terms with the answers of pools that cost so much, up to a depth of the bought asset."""
    return on.with_quotes(pool_answers(quotes_needed(of, now, on), now, cost_bps, depth))


def pool_answers(
    requests: Sequence[QuoteRequest], now: Means, cost_bps: int = 10, depth: Mapping[Address, int] | None = None
) -> Quotes:
    answers = []
    for request in (size for r in requests for size in sizes(r)):
        if depth is not None and request.bought > depth.get(request.buy, 0):
            continue
        sell, buy = now.account.of(request.sell), now.account.of(request.buy)
        sold = lending.sale_cost(sell, buy, request.bought, Bps(cost_bps))
        answers.append(Quote(Route((request.sell, request.buy), (500,), "exchange"), sold, request.bought, 120_000))
    return Quotes(tuple(answers))


def memory(**changes: Any) -> Memory:
    return replace(Memory(), **changes)
