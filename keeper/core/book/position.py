"""A book: positions and wallets that belong together, and what they are exposed to in all. Pure.

An asset counts as what it follows: staked ether as ether at its own rate (the ratio of the oracle's two prices),
stablecoins as nothing. What is not known is not zero: a book with an asset that cannot be placed is not judged.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from keeper.core.block import BlockRef
from keeper.core.book.unhedged import Naked, NakedBudget
from keeper.core.names import plain
from keeper.core.perp import margin as perps
from keeper.core.perp.position import PerpPosition
from keeper.core.prices import Doubt, OraclePrice
from keeper.core.reasons import Reason
from keeper.core.snapshot import LendingPosition, Snapshot, Unreadable
from keeper.core.units import USD, WAD, Address, Wad

if TYPE_CHECKING:
    from keeper.core.risk.market import Market

STABLE = "USD"
"""What stablecoins follow: no exposure."""
FOLLOWS: Mapping[str, str] = {
    **dict.fromkeys(
        ("eth", "weth", "steth", "wsteth", "weeth", "reth", "cbeth", "oseth", "rseth", "ezeth", "ethx", "weth.e"), "ETH"
    ),
    **dict.fromkeys(("btc", "wbtc", "cbbtc", "tbtc", "lbtc", "fbtc", "btc.b", "btcb"), "BTC"),
    **dict.fromkeys(
        ("usdc", "usdt", "dai", "usds", "usde", "susde", "gho", "crvusd", "pyusd", "rlusd", "lusd", "frax", "usdtb"),
        STABLE,
    ),
    **dict.fromkeys(("usdc.e", "usdbc", "usd₮0", "usdt0", "usdt.e", "dai.e", "sdai", "susds", "xdai", "wxdai"), STABLE),
}
"""Symbol (lower case) → what it follows, for assets that everybody holds; the owner's own come before."""
PLAIN = ("WETH", "ETH", "WBTC", "BTC")
"""The assets whose own price is the underlying's."""
USUAL_BUDGET = NakedBudget(Wad(WAD), 600)
NEVER = Naked()
DUST = 100
"""Basis points of a book's largest value below which an asset of unknown kind blinds nobody."""


@dataclass(frozen=True, slots=True)
class Book:
    """What belongs together: positions by name, wallets, the perpetual positions that hedge, and what assets follow."""

    name: str
    positions: tuple[str, ...]
    wallets: tuple[Address, ...]
    hedges: tuple[str, ...]
    follows: Mapping[str, str] = field(default_factory=dict)
    unwinds: str | None = None
    """The lending position that may be unwound when no hedge can be had."""
    budget: NakedBudget = USUAL_BUDGET
    """How much may stand outside a band, for how long."""

    def underlying(self, symbol: str, asset: str = "") -> str | None:
        """Return what an asset follows; None when nobody said."""
        key, own = plain(symbol).lower(), str(asset).lower()
        return self.follows.get(own) or self.follows.get(key) or FOLLOWS.get(key)


@dataclass(frozen=True, slots=True)
class ExposurePart:
    """One holding's share in the exposure: Wad whole units of the underlying, signed."""

    holder: str
    symbol: str
    underlying: str
    delta: int
    is_size: bool = False
    """Whether it is the size of a perpetual, and not something that is held."""


@dataclass(frozen=True, slots=True)
class Exposure:
    """A book's exposure at one block. ``prices`` are base units (10^-8 dollars) of one whole underlying."""

    book: Book
    parts: tuple[ExposurePart, ...]
    prices: Mapping[str, int]
    doubts: tuple[Doubt, ...]
    """Why the sum cannot be relied on; empty when it can."""
    assets: Mapping[str, Address] = field(default_factory=dict)
    """By underlying the asset whose price it has, for what was said of that before."""

    def delta(self, underlying: str) -> int:
        """Return the sum for an underlying, Wad whole units, signed."""
        return sum(p.delta for p in self.parts if p.underlying == underlying)


@dataclass(frozen=True, slots=True)
class BookPosition:
    """A book at one block, as one of its rules finds it."""

    exposure: Exposure
    hedges: tuple[PerpPosition, ...]
    """Those that could be read."""
    block: BlockRef
    naked: Naked = NEVER
    """How long it has stood unhedged under that rule."""
    market: Market | None = field(default=None, compare=False, repr=False)
    """How prices moved until now, where a rule looks ahead."""
    lent: tuple[LendingPosition, ...] = ()
    """The loans that could be read."""

    @property
    def name(self) -> str:
        """The book's name."""
        return self.exposure.book.name

    @property
    def hangs_on(self) -> tuple[OraclePrice, ...]:
        """Nothing of its own: its members do."""
        return ()

    @property
    def members(self) -> tuple[str, ...]:
        """The book, and all whose plans change its delta."""
        book = self.exposure.book
        return (book.name, *book.positions, *book.hedges)

    @property
    def markets(self) -> tuple[str, ...]:
        """The underlyings that its hedges trade."""
        return tuple(sorted({leg.symbol.upper() for perp in self.hedges for leg in perp.legs}))


@dataclass(frozen=True, slots=True)
class _Held:
    holder: str
    symbol: str
    value: int | None
    """Base units, signed; None where there is some, and its price is not known."""
    asset: str = ""
    """Its address, where it is a token that has one here."""


Member = LendingPosition | PerpPosition | Unreadable


def exposure(book: Book, snapshot: Snapshot, native_symbol: str) -> Exposure:
    """Return what a book is exposed to. A member that cannot be read is a doubt, never nothing."""
    names = dict.fromkeys((*book.positions, *book.hedges))
    members = [p for p in snapshot.positions if p.name in names]
    doubts = [
        Doubt(Reason.POSITION_UNREADABLE, f"{m.name}: {m.doubt.detail}") for m in members if isinstance(m, Unreadable)
    ]
    missing = names.keys() - {m.name for m in members}
    doubts += [Doubt(Reason.POSITION_UNREADABLE, name) for name in sorted(missing)]
    doubts += [Doubt(Reason.NODES_DISAGREE, f"{n}: {o.detail}") for n, o in snapshot.otherwise.items() if n in names]
    lent = [m for m in members if isinstance(m, LendingPosition)]
    traded = [m for m in members if isinstance(m, PerpPosition)]
    doubts += [Doubt(Reason.POSITION_UNREADABLE, f"wallet {w}") for w in book.wallets if w not in snapshot.wallets]
    held = [h for position in lent for h in _lent(position)] + list(_in_wallets(book, snapshot, native_symbol))
    held += [h for position in traded for h in _behind(position)]
    priced = _priced(book, lent, traded, snapshot)
    prices = {underlying: price for underlying, (_, price) in priced.items()}
    sizes = [(p.name, symbol, size) for p in traded for symbol, size in perps.delta(p).items()]
    parts = [ExposurePart(name, f"{symbol} perp", symbol.upper(), size, is_size=True) for name, symbol, size in sizes]
    most = max((abs(h.value) for h in held if h.value is not None), default=0)
    for item in held:
        placed = _placed(item, book, prices, most)
        if isinstance(placed, Doubt):
            doubts.append(placed)
        elif placed is not None:
            parts.append(placed)
    assets = {underlying: asset for underlying, (asset, _) in priced.items()}
    return Exposure(book, tuple(parts), prices, tuple(doubts), assets)


def _placed(item: _Held, book: Book, prices: Mapping[str, int], most: int) -> ExposurePart | Doubt | None:
    """Return what a holding adds, why it is not known, or None for what adds nothing."""
    follows = book.underlying(item.symbol, item.asset)
    if item.value is None:
        return None if follows == STABLE else Doubt(Reason.PRICE_NOT_POSITIVE, f"no price of {item.symbol}")
    if follows is None:
        is_dust = abs(item.value) * 10_000 <= most * DUST
        return None if is_dust else Doubt(Reason.RULE_UNDECIDABLE, f"nobody said what {item.symbol} follows")
    if follows == STABLE:
        return None
    price = prices.get(follows, 0)
    if price <= 0:
        return Doubt(Reason.PRICE_NOT_POSITIVE, f"no price of {follows}")
    size = abs(item.value) * WAD // price
    return ExposurePart(item.holder, item.symbol, follows, size if item.value >= 0 else -size)


def _priced(
    book: Book, lent: list[LendingPosition], traded: list[PerpPosition], snapshot: Snapshot
) -> dict[str, tuple[Address, int]]:
    """Return by underlying whose price it has: the lending oracle's of the plain asset, else the perp's index."""
    legs = [leg.oracle for p in traded for leg in p.legs if leg.oracle.answer > 0]
    names = [leg.symbol.upper() for p in traded for leg in p.legs if leg.oracle.answer > 0]
    found = {name: (of.asset, of.answer) for name, of in zip(names, legs, strict=True)}
    listed = {h.symbol: (h.asset, h.price.answer) for p in lent for h in p.holdings}
    listed |= {x.symbol: (asset, x.price) for asset, x in snapshot.assets.items()}
    for symbol in PLAIN:
        if symbol in listed and listed[symbol][1] > 0:
            found[book.underlying(symbol) or symbol] = listed[symbol]
    return found


def _lent(position: LendingPosition) -> Iterator[_Held]:
    """Yield what is supplied less what is owed, in dollars, rounded down."""
    for holding in position.held:
        net = holding.supplied - holding.borrowed
        money = holding.money
        worth = _worth(net, holding.price.answer * money.dollars, holding.unit * money.unit)
        yield _Held(position.name, holding.symbol, worth, holding.asset)


def _in_wallets(book: Book, snapshot: Snapshot, native_symbol: str) -> Iterator[_Held]:
    for address in book.wallets:
        wallet = snapshot.wallets.get(address)
        if wallet is None:
            continue
        yield _Held("wallet", native_symbol, _worth(wallet.native, snapshot.native_price, WAD))
        for asset, amount in wallet.tokens.items():
            listed = snapshot.assets.get(asset)
            if listed is not None:
                yield _Held("wallet", listed.symbol, _worth(amount, listed.price, 10**listed.decimals), asset)


def _behind(position: PerpPosition) -> Iterator[_Held]:
    """Yield the collateral of a perpetual that does not move with its own leg: it is part of the exposure as well."""
    if position.margin and not position.indexed_margin:
        yield _Held(position.name, position.collateral_symbol, position.margin * USD // position.usd_unit)


def _worth(amount: int, price: int, unit: int) -> int | None:
    """Return base units, rounded down; None for something without a price."""
    return amount * price // unit if price > 0 or not amount else None
