"""What prices do to a loan: its figures at others, which could make a rule fire, and how it goes on without a read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from keeper.core.armed.accrual import Answered
from keeper.core.armed.scenarios import Outlook, Prices, Scenario
from keeper.core.lending import figures as lending
from keeper.core.lending.named import is_dollar_price, matters, secures
from keeper.core.lending.position import Holding, LendingPosition
from keeper.core.lending.quotes import Quote, Quotes
from keeper.core.lending.rules import Rule
from keeper.core.scales import Beyond
from keeper.core.snapshot import BlockRef
from keeper.core.units import Address, Amount, Bps, decimal_of, mul_div_up

HEALTH_WITHIN = 10**9
"""A health factor carried on may differ from the protocol's by this part: the rounding of a block's interest."""


def prices(of: LendingPosition) -> dict[Address, int]:
    """Return every price of a position."""
    return {h.asset: h.price.answer for h in of.holdings}


def scenarios(position: LendingPosition, rule: Rule) -> tuple[Scenario, ...]:
    """Return the moves that could make a rule fire: collateral falls together, each alone, or what is owed rises.

    What is both collateral and debt moves nothing, and dollars only move where there is nothing else.
    """
    metric = rule.trigger.metric
    if not metric.follows_prices:
        return ()
    if metric.is_of_an_asset:
        asset = _watched(position, rule)
        return (Scenario((asset,), rule.trigger.side is Beyond.BELOW),) if asset else ()
    held = [h for h in position.held if matters(position, h.asset)]
    falling = [h for h in held if h.is_collateral and not h.borrowed]
    rising = [h for h in held if h.borrowed and not (h.is_collateral and h.supplied)]
    down = tuple(r.asset for r in falling if not is_dollar_price(r.price.answer))
    up = tuple(r.asset for r in rising if not is_dollar_price(r.price.answer))
    if not down and not up:
        down = tuple(r.asset for r in falling)
    alone = [Scenario((asset,), is_fall=True) for asset in down] if len(down) > 1 else []
    return tuple([Scenario(m, is_fall) for m, is_fall in ((down, True), (up, False)) if m] + alone)


def at_prices(position: LendingPosition, prices: Prices) -> LendingPosition:
    """Return a position as the protocol would report it at other prices."""
    holdings = tuple(lending.priced(h, prices[h.asset]) for h in position.holdings)
    return replace(position, holdings=holdings, reported=position.model.figures(holdings))


def quotes_at(quotes: Quotes, now: lending.Loan, then: lending.Loan, slippage: Bps) -> Quotes:
    """Return what pools would charge had they followed the prices from ``now`` to ``then``.

    A pool often is there before the oracle: what it charges already is not counted twice, up to what would be fair.
    """
    return Quotes(tuple(_followed(quote, now, then, slippage) for quote in quotes.answers))


def _followed(quote: Quote, now: lending.Loan, then: lending.Loan, slippage: Bps) -> Quote:
    sell, buy = quote.route.tokens[0], quote.route.tokens[-1]
    dearer, cheaper = _price(now, sell) * _price(then, buy), _price(then, sell) * _price(now, buy)
    followed = mul_div_up(quote.sold, dearer, cheaper)
    fair = lending.sale_cost(then.of(sell), then.of(buy), quote.bought, slippage)
    return replace(quote, sold=Amount(min(followed, max(quote.sold, fair))))


def _price(of: lending.Loan, asset: Address) -> int:
    return of.of(asset).price.answer


def _watched(position: LendingPosition, rule: Rule) -> Address | None:
    """Return the one asset whose price a rule measures."""
    found = secures(position, rule.trigger.of)
    return found[0].asset if len(found) == 1 else None


def carried_on(position: LendingPosition, block: BlockRef, prices: Mapping[Address, Answered]) -> LendingPosition:
    """Return a position as it will be read at a later block, if nobody touches the account until then.

    Interest is the model's to work out; over a block it differs from the protocol's own by rounding only.
    """
    seconds, model = block.timestamp - position.block.timestamp, position.model
    holdings = tuple(model.accrued(_stated(h, prices.get(h.asset)), seconds) for h in position.holdings)
    return replace(position, block=block, holdings=holdings, reported=model.figures(holdings))


def is_same_account(a: LendingPosition, b: LendingPosition) -> bool:
    """Return whether nobody touched an account in between: what interest never changes is the same."""
    return len(a.held) == len(b.held) and all(_is_untouched(x, y) for x, y in zip(a.held, b.held, strict=True))


def is_as_foretold(foretold: LendingPosition, read: LendingPosition) -> bool:
    """Return whether the protocol's health factor is the one that was foretold, but for rounding."""
    ours, theirs = foretold.reported.health_factor, read.reported.health_factor
    return abs(ours - theirs) * HEALTH_WITHIN <= max(ours, theirs)


def _is_untouched(a: Holding, b: Holding) -> bool:
    return a.asset == b.asset and a.principal.is_as(b.principal) and a.is_collateral == b.is_collateral


def _stated(holding: Holding, stated: Answered | None) -> Holding:
    if stated is None:
        return holding
    price = replace(holding.price, answer=stated.answer, round_id=stated.round_id, updated_at=stated.updated_at)
    return replace(holding, price=price)


def differs(foretold: LendingPosition, read: LendingPosition) -> str | None:
    """Return how the protocol's health factor is not the one that was foretold; None where it is, but for rounding."""
    if is_as_foretold(foretold, read):
        return None
    ours, theirs = (decimal_of(of.reported.health_factor, 18) for of in (foretold, read))
    return f"health factor {ours} was foretold, the protocol says {theirs}"


LOANS: Outlook[LendingPosition] = Outlook(
    prices=prices,
    at_prices=at_prices,
    scenarios=scenarios,
    name=lambda p, asset: p.holding(asset).symbol,
    held=lambda p: frozenset(h.asset for h in p.held),
    carried_on=carried_on,
    is_same=is_same_account,
    differs=differs,
)
