"""Perpetual positions, rules, quotes and books without a chain: what a test does not name is ordinary."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from core_builders import BLOCK, NOW, OWNER, at, limits, loop, safety, usd, wad
from perp_strategies import a_leg, a_position

from keeper.core.actions import Action
from keeper.core.book.actions import HEDGE
from keeper.core.book.hedging import hedge_plans, none_of
from keeper.core.book.kind import BOOK as BOOKS
from keeper.core.book.metrics import DELTA
from keeper.core.book.position import Book, BookPosition, exposure
from keeper.core.book.rules import BookAssessment, BookRule
from keeper.core.book.trades import HedgeTrade, hedge_trades
from keeper.core.book.unhedged import Naked
from keeper.core.decide import Hold, decide
from keeper.core.held_back import Memory
from keeper.core.lending.proposals import Rejected
from keeper.core.metrics import Metric, Subject, Target, Trigger
from keeper.core.perp import candidates as perp_actions
from keeper.core.perp import margin as perps
from keeper.core.perp import metrics as perp_metrics
from keeper.core.perp.candidates import perp_plans
from keeper.core.perp.kind import PERP
from keeper.core.perp.metrics import PerpTarget
from keeper.core.perp.moves import TradeQuote
from keeper.core.perp.plan import PerpPlan, PerpTerms
from keeper.core.perp.position import MarginBasis, OrderKind, PerpLeg, PerpPosition, VenueOrder
from keeper.core.perp.rules import PerpAssessment, PerpIntent, PerpRule
from keeper.core.prices import Doubt
from keeper.core.reasons import Reason
from keeper.core.rules import Rule, assess, judge
from keeper.core.scales import Beyond
from keeper.core.snapshot import LendingPosition, PricedAsset, Snapshot, Unreadable, Wallet
from keeper.core.trail import Trail
from keeper.core.units import USD, WAD, Amount, Usd, Wei

DOUBT = Doubt(Reason.PRICE_STALE, "old")
SIGNER = OWNER


def told(position: PerpPosition) -> PerpPosition:
    """The position with the venue's figures as ours; fresh prices."""
    legs = tuple(replace(leg, oracle=replace(leg.oracle, updated_at=NOW - 10)) for leg in position.legs)
    return replace(position, reported=perps.figures(position), legs=legs)


def short(size: str = "3", price: str = "2000", margin: str = "1000", **given: Any) -> PerpPosition:
    """A short of ether on a cross-margin account, in 18 decimals, opened at 2,000 dollars."""
    return told(a_position(leg_at(f"-{size}", price), margin=wad(margin), **given))


def long(size: str = "3", price: str = "2000", margin: str = "1000", **given: Any) -> PerpPosition:
    """The same, long."""
    return told(a_position(leg_at(size, price), margin=wad(margin), **given))


def leg_at(size: str, price: str, name: str = "ETH", opened: str = "2000", **given: int) -> PerpLeg:
    amount = wad(size)
    return a_leg(
        name,
        size=amount,
        entry_notional=abs(amount) * wad(opened) // WAD,
        **{"mark_price": wad(price), "index_price": wad(price)} | given,
    )


def in_kind(size: str = "3", price: str = "2000", collateral: str = "0.5") -> PerpPosition:
    """A long with isolated margin in ether itself, as GMX v2 has it: 30 decimals for dollars, 12 for prices."""
    dollar, amount = 10**30, wad(size)
    at_ = int(price) * 10**12
    leg = a_leg(size=amount, entry_notional=abs(amount) * at_, mark_price=at_, index_price=at_, price_scale=1)
    leg = replace(leg, oracle=replace(leg.oracle, answer=int(price) * USD))
    return told(
        a_position(
            leg,
            is_cross=False,
            usd_unit=dollar,
            margin=0,
            indexed_margin=wad(collateral),
            collateral=at("WETH"),
            collateral_symbol="WETH",
            collateral_decimals=18,
            collateral_price=int(price) * dollar,
            basis=MarginBasis.ENTRY,
            equity_step=1,
            only_long=amount > 0,
        )
    )


def resting(key: str = "0x01", kind: OrderKind = OrderKind.STOP_LOSS, **given: Any) -> VenueOrder:
    """An order on the venue's book for a short of three ether."""
    fields: dict[str, Any] = {
        "market": a_leg().market,
        "collateral": a_position().collateral,
        "is_long": False,
        "size_usd": 6000 * WAD,
        "trigger_price": 2600 * WAD,
        "acceptable_price": 2678 * WAD,
        "updated_at": NOW - 10,
        "is_frozen": False,
        "auto_cancels": True,
        "execution_fee": Wei(0),
    } | given
    return VenueOrder(key, kind, **fields)


# --- rules about one position ----------------------------------------------------------------------------------------


PerpMetric = Metric[PerpPosition]


def to_margin(ratio: int) -> PerpTarget:
    return Target(perp_metrics.MARGIN_RATIO, ratio)


def perp_rule(
    metric: PerpMetric = perp_metrics.MARGIN_RATIO,
    bound: str = "0.12",
    to: PerpTarget | str | None = "0.20",
    actions: Iterable[Action] = (perp_actions.ADD_MARGIN, perp_actions.REDUCE),
    market: str | None = None,
    window_s: int = 0,
    **changes: Any,
) -> PerpRule:
    trigger = Trigger(metric, metric.sides[0], metric.unit.of(Decimal(bound)), Subject(market, window_s))
    target = to_margin(wad(to)) if isinstance(to, str) else to
    return replace(Rule("margin", "short", trigger, target, tuple(actions), 600, limits()), **changes)


def assessed_perp(
    of: PerpPosition, *rules: PerpRule, trail: Trail | None = None, doubts: tuple[Doubt, ...] = ()
) -> PerpAssessment:
    found = assess(PERP, of, rules, doubts, trail=trail)
    assert isinstance(found, PerpAssessment), found
    return found


def decided(of: PerpPosition, *rules: PerpRule, memory: Memory | None = None, **more: Any) -> Hold | PerpIntent:
    return decide(PERP, assessed_perp(of, *rules, **more), memory or Memory(), safety(), SIGNER).lead


def perp_intent(of: PerpPosition, rule: PerpRule | None = None, **more: Any) -> PerpIntent:
    found = decided(of, rule or perp_rule(), **more)
    assert isinstance(found, PerpIntent), found
    return found


def quote(leg: PerpLeg, change: int, cost_bps: int = 10, **given: int) -> TradeQuote:
    """What a trade would give at the mark price, for a fee in basis points."""
    dollars = abs(change) * leg.mark_price // leg.price_scale
    fields = {"fee": dollars * cost_bps // 10_000, "impact": 0, "notional": dollars, "price": leg.mark_price} | given
    return TradeQuote(change, **fields)


def perp_terms(of: PerpPosition, held: str = "0", **changes: Any) -> PerpTerms:
    """A wallet with so much collateral, and a quote for closing each leg."""
    amount = Amount(wad(held) * 10**of.collateral_decimals // WAD)
    wallet = Wallet(OWNER, Wei(10**18), {of.collateral: amount})
    quotes = {leg.market: quote(leg, -leg.size) for leg in of.held}
    usual = PerpTerms(safety(), wallet, quotes, Amount(0), Wei(2 * 10**9), Wei(0), 2000 * USD)
    return replace(usual, **changes)


def planned(intent: PerpIntent, **terms: Any) -> tuple[PerpPlan, ...]:
    found = perp_plans(intent, perp_terms(intent.perp, **terms))
    assert not isinstance(found, Hold), found
    return found


# --- books -----------------------------------------------------------------------------------------------------------

BOOK = Book("eth", ("loop",), (), ("short",))


def snapshot(*positions: LendingPosition | PerpPosition | Unreadable, **changes: Any) -> Snapshot:
    usual = Snapshot(BLOCK, positions, {}, {}, None, 2000 * USD)
    return replace(usual, **changes)


def listed(symbol: str, dollars: str, decimals: int = 18) -> PricedAsset:
    return PricedAsset(symbol=symbol, decimals=decimals, price=usd(dollars))


def hedge_rule(
    band: str = "0.5", target: str = "0", least: str = "0.05", underlying: str = "ETH", **changes: Any
) -> BookRule:
    of = Subject(underlying)
    usual = Rule(
        name="delta",
        position="eth",
        trigger=Trigger(DELTA, Beyond.OUTSIDE, wad(band), of),
        target=Target(DELTA, wad(target), of, wad(least)),
        actions=(HEDGE,),
        cooldown_s=600,
        limits=limits(150),
    )
    found = replace(usual, **changes)
    return replace(found, limits=replace(found.limits, least_margin_ratio=wad("0.15")))


def book_assessed(
    hedge: PerpPosition,
    rule: BookRule | None = None,
    lent: LendingPosition | Unreadable | None = None,
    naked: Naked | None = None,
    doubts: tuple[Doubt, ...] = (),
    book: Book = BOOK,
    more: tuple[PerpPosition, ...] = (),
) -> BookAssessment:
    """Ten ether supplied against a hedge, judged."""
    seen = exposure(book, snapshot(lent or loop(), hedge, *more), "WETH")
    return judge(BOOKS, BookPosition(seen, (hedge, *more), BLOCK, naked or Naked()), (rule or hedge_rule(),), doubts)


def hedge_decision(of: BookAssessment, memory: Memory | None = None) -> Hold | list[HedgeTrade]:
    """The trade with each hedge, or why none is made."""
    found = decide(BOOKS, of, memory or Memory(), safety(), *(SIGNER for _ in of.position.hedges)).lead
    if isinstance(found, Hold):
        return found
    trades = hedge_trades(found, of.position.hedges)
    sound = [trade for trade in trades if isinstance(trade, HedgeTrade)]
    return sound or none_of(found, [trade for trade in trades if isinstance(trade, Rejected)])


def hedge_intent(
    hedge: PerpPosition, rule: BookRule | None = None, memory: Memory | None = None, **more: Any
) -> HedgeTrade:
    found = hedge_decision(book_assessed(hedge, rule, **more), memory)
    assert not isinstance(found, Hold), found
    (trade,) = found
    return trade


def hedge_terms(trade: HedgeTrade, held: str = "0", **changes: Any) -> PerpTerms:
    quotes = {trade.leg.market: quote(trade.leg, trade.first)}
    return perp_terms(trade.perp, held, **{"quotes": quotes} | changes)


def ways(
    trade: HedgeTrade, terms: PerpTerms | None = None, rules: Sequence[PerpRule] = ()
) -> tuple[PerpPlan, ...] | Hold:
    return hedge_plans(trade.intent, [trade], {trade.perp.name: terms or hedge_terms(trade)}, rules)


def hedge_planned(trade: HedgeTrade, held: str = "0", **changes: Any) -> PerpPlan:
    found = ways(trade, hedge_terms(trade, held, **changes))
    assert not isinstance(found, Hold), found
    return found[0]


def spent(dollars: str, rule: str = "delta") -> Memory:
    return Memory(spent_today={rule: Usd(usd(dollars))})
