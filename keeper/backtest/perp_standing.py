"""One perpetual position on paper: size, margin, what it owes, its orders. Values; nothing is changed.

Dollars, sizes and prices have 18 decimals, so that ``|size| * price // 10**18`` is dollars; the oracle's price 8.
Funding runs evenly on the size as it was opened, from the last change on. Whatever is paid is rounded up.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from keeper.backtest.depth import NEVER, PPM, Depth
from keeper.backtest.paper_model import YEAR_S
from keeper.backtest.standing import RevertError
from keeper.core.perp import margin as perps
from keeper.core.perp.margin_rules import MarginRules
from keeper.core.perp.moves import TradeQuote
from keeper.core.perp.position import OrderKind, PerpFigures, PerpLeg, PerpPosition, VenueOrder
from keeper.core.prices import OraclePrice
from keeper.core.snapshot import BlockRef
from keeper.core.units import USD, WAD, Address, Amount, Wad, Wei, mul_div_down, mul_div_up

FINER = WAD // USD
"""Of a price in 10^-8 dollars to one in 10^-18."""


@dataclass(frozen=True, slots=True)
class PaperContract:
    """What is traded, and by whose rules; the same all the time."""

    asset: Address
    symbol: str
    rules: MarginRules
    depth: Depth
    """What a trade moves the price; its fee is the rules'."""
    funding: int
    """What this side pays a year of its size, Wad; negative is what it gets."""
    is_long: bool
    collateral: Address
    collateral_symbol: str
    collateral_decimals: int
    heartbeat_s: int
    fills_after: int = 0
    """Blocks until the venue's keepers carry an order out."""

    @property
    def fills_later(self) -> bool:
        """Whether orders are carried out by the venue's keepers."""
        return self.rules.cancel_after_s is not None

    @property
    def finer(self) -> int:
        """Of the collateral's smallest unit to 10^-18 dollars."""
        return WAD // int(10**self.collateral_decimals)

    def traded(self, size: int, price: int, *, buys: bool) -> int:
        """Return the dollars (18 decimals) that a size costs or brings, at a price of 10^-8 dollars."""
        worth = mul_div_up(size, price, WAD) if buys else mul_div_down(size, price, WAD)
        return (self.depth.dollars_for(worth) if buys else self.depth.dollars_from(worth)) * FINER

    def fee(self, dollars: int) -> int:
        """Return what the venue takes of a trade."""
        return mul_div_up(dollars, self.rules.fee_ppm, PPM)


@dataclass(frozen=True, slots=True)
class PaperOrder:
    """An order that the venue holds."""

    key: str
    kind: OrderKind
    margin: int
    """Collateral that goes in with it, in its own units."""
    size: int | None
    """Unsigned; None: all of it. 0 trades nothing."""
    trigger: int
    worst: int
    placed_at: int
    due: int | None
    """When the venue's keepers carry it out; None while it waits for its price."""
    carried: int
    """Wei that it has with it for them."""
    is_frozen: bool = False


@dataclass(frozen=True, slots=True)
class PerpStanding:
    """The account as it stands: what was worth at ``at``, the oracle's price as it was last seen."""

    at: int
    contract: PaperContract
    size: int
    """Signed."""
    entry: int
    """Dollars at opening."""
    margin: int
    price: int
    """The oracle's, 10^-8 dollars."""
    updated: int
    owed: int = 0
    """Funding not yet settled; negative is what is got."""
    wallet: int = 0
    """Collateral in its owner's wallet, in its own units."""
    native: int = 0
    allowed: int = 0
    orders: tuple[PaperOrder, ...] = ()
    placed: int = 0
    """Orders ever placed: the next one's key."""

    def later(self, at: int) -> PerpStanding:
        """Return it with the funding until a time."""
        seconds, paid = at - self.at, self.entry * self.contract.funding
        if seconds <= 0:
            return self
        if not self.size or not paid:
            return replace(self, at=at)
        return replace(self, at=at, owed=self.owed - (-paid * seconds) // (WAD * YEAR_S))

    def priced(self, price: int, updated: int) -> PerpStanding:
        """Return it at another price of the oracle."""
        return replace(self, price=price, updated=updated)

    @property
    def worth(self) -> int:
        """What its owner has, wallet and orders included: dollars of 10^-8. A debt beyond the margin is not his."""
        value = mul_div_down(abs(self.size), self.price * FINER, WAD)
        gain = (value - self.entry) * (1 if self.size >= 0 else -1)
        own = max(0, self.margin + gain - self.owed)
        loose = self.wallet + sum(order.margin for order in self.orders)
        return own // FINER + loose * self.contract.finer // FINER

    def order(self, key: str) -> PaperOrder:
        """Return an order. Raises RevertError where there is none."""
        found = next((o for o in self.orders if o.key == key), None)
        if found is None:
            raise RevertError("order not found")
        return found

    def without(self, key: str) -> PerpStanding:
        """Return it without an order; what that had with it comes back."""
        gone = self.order(key)
        left = tuple(o for o in self.orders if o.key != key)
        return replace(self, orders=left, wallet=self.wallet + gone.margin, native=self.native + gone.carried)


def closed(s: PerpStanding, size: int, price: int, worst: int | None) -> PerpStanding:
    """Return it after a part was closed at the market, where that stands at ``price`` (10^-8 dollars).

    Raises RevertError where there is less, where it would be worse than ``worst``, or where the margin does not pay it.
    """
    whole, sign = abs(s.size), 1 if s.size > 0 else -1
    if not 0 < size <= whole:
        raise RevertError("no such size to close")
    got = s.contract.traded(size, price, buys=sign < 0)
    average = mul_div_down(got, WAD, size)
    if got >= NEVER or (worst is not None and (average - worst) * sign < 0):
        raise RevertError("Too much requested")
    rest = whole - size
    entry = mul_div_up(s.entry, rest, whole)
    gained = (got - (s.entry - entry)) * sign
    margin = s.margin + gained - s.owed - s.contract.fee(mul_div_up(size, price * FINER, WAD))
    if margin < 0:
        raise RevertError("the margin does not pay for it")
    after = replace(s, size=sign * rest, entry=entry, margin=margin, owed=0)
    return after if rest else emptied(after)


def emptied(s: PerpStanding) -> PerpStanding:
    """Return an account without a size: where margin is the position's own, the venue pays it out."""
    if not s.contract.fills_later:
        return s
    return replace(s, margin=0, wallet=s.wallet + s.margin // s.contract.finer)


def quoted(s: PerpStanding, size_change: int, price: int) -> TradeQuote | None:
    """Return what a trade would give where the market stands at a price; None where the venue has no such depth."""
    size, buys = abs(size_change), size_change > 0
    notional = mul_div_down(size, s.price * FINER, WAD)
    got = s.contract.traded(size, price, buys=buys)
    if not size or got >= NEVER:
        return None
    impact = got - notional if buys else notional - got
    fee = s.contract.fee(mul_div_up(size, price * FINER, WAD))
    return TradeQuote(size_change, notional, fee, impact, mul_div_down(got, WAD, size))


def position_of(s: PerpStanding, name: str, venue: str, owner: Address, block: BlockRef) -> PerpPosition:
    """Return the account as a position of its venue, whose figures are ours."""
    of, rules = s.contract, s.contract.rules
    price = s.price * FINER
    leg = PerpLeg(
        market=of.asset,
        symbol=of.symbol,
        size=s.size,
        size_unit=WAD,
        entry_notional=s.entry,
        mark_price=price,
        index_price=price,
        price_scale=WAD,
        funding_owed=s.owed,
        borrowing_owed=0,
        closing_cost=of.fee(s.entry) if rules.counts_closing else 0,
        funding_rate=of.funding,
        oracle=OraclePrice(of.asset, of.symbol, s.price, of.asset, s.updated, 1, of.heartbeat_s),
    )
    found = PerpPosition(
        name=name,
        venue=venue,
        owner=owner,
        block=block,
        is_cross=not of.fills_later,
        usd_unit=WAD,
        legs=(leg,),
        collateral=of.collateral,
        collateral_symbol=of.collateral_symbol,
        collateral_decimals=of.collateral_decimals,
        collateral_price=WAD,
        margin=s.margin,
        indexed_margin=0,
        free_margin=Amount(0),
        basis=rules.basis,
        initial=rules.initial,
        maintenance=rules.maintenance,
        least_requirement=rules.least_usd * WAD,
        reported=PerpFigures(0, 0),
        orders=tuple(_listed(s, order) for order in s.orders),
        only_long=of.is_long if of.fills_later else None,
        penalty=rules.penalty,
    )
    return replace(found, reported=perps.figures(found))


NOWHERE = BlockRef(0, 0, "", "", 0, Wei(0))


def alone(s: PerpStanding) -> PerpPosition:
    """Return the account as a position of nobody at no block: for its arithmetic."""
    return position_of(s, "", "", s.contract.asset, NOWHERE)


def ratio_of(s: PerpStanding) -> Wad:
    """Return its margin ratio."""
    return perps.margin_ratio(alone(s))


def _listed(s: PerpStanding, order: PaperOrder) -> VenueOrder:
    size = s.entry if order.size is None else mul_div_down(s.entry, order.size, abs(s.size)) if s.size else 0
    return VenueOrder(
        order.key, order.kind, s.contract.asset, s.contract.collateral, s.contract.is_long, size, order.trigger,
        order.worst, order.placed_at, order.is_frozen, order.kind.rests, Wei(order.carried),
    )  # fmt: skip
