"""At which prices a rule would fire: what moves together, how far that is, and the rungs of a ladder from there on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from keeper.core.lending import figures as lending
from keeper.core.lending.named import is_dollar_price, matters, secures
from keeper.core.lending.position import LendingPosition
from keeper.core.lending.quotes import Quote, Quotes
from keeper.core.lending.rules import LendingAssessment, Rule
from keeper.core.scales import Beyond
from keeper.core.units import BPS, Address, Amount, Bps, largest, mul_div_up

PPM = 1_000_000
Prices = Mapping[Address, int]


@dataclass(frozen=True, slots=True)
class Scenario:
    """Assets whose prices move by one common factor: down to ``factor`` parts in a million, or up by its inverse."""

    moved: tuple[Address, ...]
    is_fall: bool

    def prices(self, of: LendingPosition, factor: int) -> dict[Address, int]:
        """Return every price of a position once the moved ones have come as far as ``factor``, against us."""
        prices = {h.asset: h.price.answer for h in of.holdings}
        for asset in self.moved:
            now = prices[asset]
            prices[asset] = now * factor // PPM if self.is_fall else mul_div_up(now, PPM, factor)
        return prices


def scenarios(assessed: LendingAssessment, rule: Rule) -> tuple[Scenario, ...]:
    """Return the moves that could make a rule fire: collateral falls together, each alone, or what is owed rises.

    What is both collateral and debt moves nothing, and dollars only move where there is nothing else.
    """
    position = assessed.position
    metric = rule.trigger.metric
    if not metric.follows_prices:
        return ()
    if metric.is_of_an_asset:
        asset = _watched(assessed, rule)
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


def fires_at(assessed: LendingAssessment, rule: Rule, scenario: Scenario, band: Bps) -> int | None:
    """Return the factor nearest to now at which a rule fires, None beyond ``band`` basis points. PPM: it does now."""

    metric = rule.trigger.metric

    def fires(factor: int) -> bool:
        then = at_prices(assessed.position, scenario.prices(assessed.position, factor))
        value = metric.now(then, rule.trigger.of)
        return value is not None and rule.trigger.fires_at(value)

    return largest(PPM - band * PPM // BPS, PPM, fires)


def rungs(factor: int, step: Bps, count: int) -> tuple[int, ...]:
    """Return ``count`` factors below the one at which a rule fires, ``step`` basis points apart, nearest first.

    A plan made for a rung is enough for every price between it and the rung above.
    """
    return tuple(factor * (BPS - step * k) // BPS for k in range(1, count + 1))


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


def _watched(assessed: LendingAssessment, rule: Rule) -> Address | None:
    """Return the one asset whose price a rule measures."""
    found = secures(assessed.position, rule.trigger.of)
    return found[0].asset if len(found) == 1 else None
