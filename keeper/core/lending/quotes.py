"""What pools would charge now: asked at a few sizes, read in one go, then used as upper bounds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from keeper.core.lending.moves import Route
from keeper.core.units import Address, Amount, mul_div_up


@dataclass(frozen=True, slots=True)
class QuoteRequest:
    """Ask what it costs to buy exactly ``bought`` of an asset with another."""

    sell: Address
    buy: Address
    bought: Amount


@dataclass(frozen=True, slots=True)
class Quote:
    """A pool's answer: ``sold`` buys ``bought`` through ``route``, fees and impact included."""

    route: Route
    sold: Amount
    bought: Amount
    gas: int
    in_bundle: bool = False
    """Whether only what is sent there within a bundle can be sold there: a wallet is not asked for it."""


@dataclass(frozen=True, slots=True)
class Quotes:
    """All answers of one read."""

    answers: tuple[Quote, ...] = ()

    @property
    def of_wallets(self) -> Quotes:
        """The answers of pools that a wallet can trade with by itself."""
        if not any(quote.in_bundle for quote in self.answers):
            return self
        return Quotes(tuple(quote for quote in self.answers if not quote.in_bundle))

    def part(self, share: int) -> Quotes:
        """Return the answers for at most the ``share``-th part of the most that was asked for, pair by pair."""
        most = dict[tuple[Address, Address], int]()
        for quote in self.answers:
            pair = (quote.route.tokens[0], quote.route.tokens[-1])
            most[pair] = max(most.get(pair, 0), quote.bought)
        kept = (q for q in self.answers if q.bought * share <= most[q.route.tokens[0], q.route.tokens[-1]])
        return Quotes(tuple(kept)) if share > 1 else self

    def between(self, sell: Address, buy: Address) -> tuple[Quote, ...]:
        """Return the answers for a pair."""
        return tuple(q for q in self.answers if q.route.tokens[0] == sell and q.route.tokens[-1] == buy)

    def best(self, sell: Address, buy: Address, bought: int) -> Quote | None:
        """Return the cheapest way to buy at least ``bought``, scaled down to it; None if no pool was asked for so much.

        Impact grows with size, so a share of a larger quote never promises too little cost.
        """
        large_enough = [
            replace(q, sold=Amount(mul_div_up(q.sold, bought, q.bought)), bought=Amount(bought))
            for q in self.between(sell, buy)
            if q.bought >= bought > 0
        ]
        return min(large_enough, key=lambda q: q.sold, default=None)

    def split(self, sell: Address, buy: Address, bought: int, dearer: int) -> tuple[Quote, Quote] | None:
        """Return two ways that together cost less than the best one by more than ``dearer`` of what is sold."""
        one, best = self.best(sell, buy, bought), self.two(sell, buy, bought)
        if one is None or best is None:
            return None
        return best if best[0].sold + best[1].sold + dearer < one.sold else None

    def two(
        self, sell: Address, buy: Address, bought: int, is_fair: Callable[[Quote], bool] = lambda _: True
    ) -> tuple[Quote, Quote] | None:
        """Return the two fair ways that together cost the least; None where there are none.

        The second has an even part of it at the most. Parts that nobody was asked for are scaled down from larger ones.
        """
        ways, found = dict.fromkeys(q.route for q in self.between(sell, buy)), list[tuple[Quote, Quote]]()
        for share in SHARES[1:]:
            small = bought // share
            costs = {way: [self._by(way, amount) for amount in (bought - small, small)] for way in ways}
            found += [
                (large, little)
                for a, (large, _) in costs.items()
                for b, (_, little) in costs.items()
                if not _pools(a) & _pools(b) and large is not None and little is not None
                if is_fair(large) and is_fair(little)
            ]
        return min(found, key=lambda two: two[0].sold + two[1].sold, default=None)

    def _by(self, route: Route, bought: int) -> Quote | None:
        """Return what so much costs by one way; None where it was not asked for as much."""
        asked = [
            replace(q, sold=Amount(mul_div_up(q.sold, bought, q.bought)), bought=Amount(bought))
            for q in self.answers
            if q.route == route and q.bought >= bought > 0
        ]
        return min(asked, key=lambda q: q.sold, default=None)


SHARES = (1, 2, 4, 8, 16)


def _pools(route: Route) -> frozenset[tuple[frozenset[Address], int, str]]:
    """Return the pools of a way: of two ways that share one neither costs what it was quoted alone."""
    hops = zip(route.tokens, route.tokens[1:], route.fees, strict=False)
    return frozenset((frozenset((a, b)), fee, route.exchange) for a, b, fee in hops)


def sizes(request: QuoteRequest) -> tuple[QuoteRequest, ...]:
    """Return the request at its full size and at halves of it, so that a thin pool still shows what it can do."""
    shares = {request.bought // share for share in SHARES} - {0}
    return tuple(QuoteRequest(request.sell, request.buy, Amount(size)) for size in sorted(shares, reverse=True))
