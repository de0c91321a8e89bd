"""Aave v3 and its forks: what an account has in a market, and the calls that change it.

A market is found from its PoolAddressesProvider alone. Versions 3.0 to 3.6 differ in e-mode (one category per
reserve, then bitmaps) and in rounding (see ``model.identified``); nothing here asks for a version.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from keeper.core import names
from keeper.core.lending.position import AccountFigures, LendingPosition
from keeper.core.prices import Doubt, OraclePrice
from keeper.core.reasons import Reason
from keeper.core.snapshot import BlockRef
from keeper.core.units import USD, Address, Amount, Bps, Wad
from keeper.venues.aave_v3.model import Entry, Ledger, Ray, Reserve, identified
from keeper.venues.codec.abi import Function, address, load
from keeper.venues.codec.quantities import plain
from keeper.venues.ports import Answer, Discovery, Probe, Read, ReadFailedError, ScopeOutdatedError

_PROVIDER = load("aave_v3_addresses_provider")
LONGEST_SYMBOL = 32
"""Characters of a token's symbol that are shown."""
_POOL = load("aave_v3_pool")
_ORACLE = load("aave_v3_oracle")
_TOKEN = load("aave_v3_token")
DOLLAR_WITHIN = 33
"""A reserve counts as a dollar within 1/33 of it."""
_ERC20 = load("erc20")
ACCOUNT_GAS = 80_000
"""What getUserAccountData takes of a usual account, roughly: 33,000 with two reserves, far more with many."""
RESERVE_GAS = 40_000
"""What getReserveData takes, roughly: nine slots."""


@dataclass(frozen=True, slots=True)
class Listing:
    """One reserve of a market: what does not change from block to block. ``index`` is its bit in user bitmaps."""

    index: int
    asset: Address
    symbol: str
    decimals: int
    a_token: Address
    debt_token: Address
    source: Address
    feed: Address | None = None
    heartbeat_s: int = 0


@dataclass(frozen=True, slots=True)
class Market:
    """An Aave v3 market as found from its addresses provider."""

    pool: Address
    oracle: Address
    base_unit: int
    listings: tuple[Listing, ...]
    governed_by: tuple[Address, ...] = ()
    """Contracts that say nothing but what changed in the market: addresses provider, configurator, oracle."""

    def listing(self, asset: Address) -> Listing:
        """Return a reserve by its asset; KeyError when the market does not list it."""
        for listing in self.listings:
            if listing.asset == asset:
                return listing
        raise KeyError(asset)

    def named(self, name: str) -> Listing | None:
        """Return a reserve by its address, or by a symbol that no other has; letter case aside."""
        found = names.meant(name, self.listings)
        return found[0] if len(found) == 1 else None


@dataclass(frozen=True, slots=True)
class Scope:
    """Which reserves of a market matter to one account, and its e-mode: what each block's read covers."""

    owner: Address
    emode: int
    listings: tuple[Listing, ...]


@dataclass(frozen=True, slots=True)
class FeedRound:
    """When and in which round the feed behind a price was updated."""

    round_id: int
    updated_at: int


# --- discovery -------------------------------------------------------------------------------------------------------


def discover_market(provider: Address) -> Discovery[Market]:
    """Find pool, oracle and every listed reserve. Raises ReadFailedError when the address is no addresses provider."""
    answers = yield (
        _PROVIDER.getPool.read(provider),
        _PROVIDER.getPriceOracle.read(provider),
        _PROVIDER.getPoolConfigurator.read(provider),
    )
    pool, oracle = (
        address(f.decode(a)[0]) for f, a in zip((_PROVIDER.getPool, _PROVIDER.getPriceOracle), answers[:2], strict=True)
    )
    configurator = _PROVIDER.getPoolConfigurator.decode_or_none(answers[2])
    governed_by = (provider, oracle, *((address(configurator[0]),) if configurator else ()))
    answers = yield (_POOL.getReservesList.read(pool), _ORACLE.BASE_CURRENCY_UNIT.read(oracle))
    assets = [address(a) for a in _POOL.getReservesList.decode(answers[0])[0]]
    (base_unit,) = _ORACLE.BASE_CURRENCY_UNIT.decode(answers[1])
    if base_unit != USD:
        raise ReadFailedError(Doubt(Reason.POSITION_UNREADABLE, f"the market counts in 1/{base_unit}, not in dollars"))
    answers = yield tuple(
        read
        for asset in assets
        for read in (
            _POOL.getReserveData.read(pool, asset),
            _ORACLE.getSourceOfAsset.read(oracle, asset),
            _ERC20.symbol.read(asset),
        )
    )
    listings = _told_apart([_listing(asset, answers[3 * i : 3 * i + 3]) for i, asset in enumerate(assets)])
    return Market(pool, oracle, base_unit, listings, governed_by)


def _told_apart(listings: Sequence[Listing]) -> tuple[Listing, ...]:
    """Return reserves with names of their own: of several of one symbol each is called by its address as well."""
    several = {asset for assets in names.shared(listings).values() for asset in assets}
    return tuple(replace(x, symbol=names.apart(x.symbol, x.asset)) if x.asset in several else x for x in listings)


def with_feeds(market: Market, feeds: Mapping[Address, Address | None], heartbeats: Mapping[Address, int]) -> Market:
    """Return the market with the feed behind each reserve's price, and how old it may get."""
    return replace(
        market,
        listings=tuple(replace(x, feed=feeds[x.asset], heartbeat_s=heartbeats[x.asset]) for x in market.listings),
    )


def discover_scope(
    market: Market, owner: Address, spenders: Sequence[Address], named: Sequence[str]
) -> Discovery[Scope]:
    """Find the reserves an account uses, a spender's wallet holds, or a rule names."""
    reads = [_POOL.getUserConfiguration.read(market.pool, owner), _POOL.getUserEMode.read(market.pool, owner)]
    for listing in market.listings:
        reads += [_TOKEN.scaledBalanceOf.read(t, owner) for t in (listing.a_token, listing.debt_token)]
        reads += [_ERC20.balanceOf.read(listing.asset, s) for s in spenders]
    answers = yield tuple(reads)
    (flags,) = _POOL.getUserConfiguration.decode(answers[0])
    (emode,) = _POOL.getUserEMode.decode(answers[1])
    width, wanted = 2 + len(spenders), {x.asset for name in named for x in names.meant(name, market.listings)}
    used = []
    for i, listing in enumerate(market.listings):
        mine = answers[2 + i * width : 2 + (i + 1) * width]
        has_any = any(_TOKEN.scaledBalanceOf.decode(a)[0] for a in mine[:2])
        # a token that cannot tell a balance is no money to count on
        funded = any((_ERC20.balanceOf.decode_or_none(a) or (0,))[0] for a in mine[2:])
        if has_any or funded or _flags_of(flags[0], listing) or listing.asset in wanted:
            used.append(listing)
    return Scope(owner, emode, tuple(used))


# --- one block -------------------------------------------------------------------------------------------------------

_PER_RESERVE = 10
_EMODE_READS = 5
_ACCOUNT_READS = 3


def position_probe(
    market: Market, scope: Scope, name: str, block: BlockRef, rounds: Mapping[Address, FeedRound]
) -> Probe[LendingPosition]:
    """Return the probe of a position. ``rounds`` (by asset) is filled by the feeds' own probes before it decodes.

    Decoding raises ReadFailedError when a figure is missing, ScopeOutdatedError when the account uses what was
    not read.
    """
    return Probe(
        position_reads(market, scope),
        lambda answers: decode_position(market, scope, name, block, rounds, answers),
    )


def position_reads(market: Market, scope: Scope) -> tuple[Read, ...]:
    """Return what ``decode_position`` wants read."""
    reads = [
        account_read(market, scope.owner),
        _POOL.getUserConfiguration.read(market.pool, scope.owner),
        _POOL.getUserEMode.read(market.pool, scope.owner),
        *(f.read(market.pool, scope.emode) for f in _EMODE),
    ]
    for listing in scope.listings:
        reads += _reserve_reads(market, scope.owner, listing)
    return tuple(reads)


def decode_position(
    market: Market,
    scope: Scope,
    name: str,
    block: BlockRef,
    rounds: Mapping[Address, FeedRound],
    answers: Sequence[Answer],
) -> LendingPosition:
    """Return the position that the answers to ``position_reads`` tell of. Raises as ``position_probe`` says."""
    figures = _POOL.getUserAccountData.decode(answers[0])
    ((flags,),) = _POOL.getUserConfiguration.decode(answers[1])
    (emode,) = _POOL.getUserEMode.decode(answers[2])
    category = _category(emode, answers[_ACCOUNT_READS : _ACCOUNT_READS + _EMODE_READS])
    covered = sum(3 << (2 * x.index) for x in scope.listings)
    if emode != scope.emode or flags & ~covered:
        raise ScopeOutdatedError
    start = _ACCOUNT_READS + _EMODE_READS
    entries = []
    for i, listing in enumerate(scope.listings):
        mine = answers[start + i * _PER_RESERVE : start + (i + 1) * _PER_RESERVE]
        if not _is_needless(listing, mine, flags):
            entries.append(_entry(listing, mine, flags, category, rounds.get(listing.asset)))
    reported = AccountFigures(figures[0], figures[1], figures[2], Bps(figures[3]), Bps(figures[4]), Wad(figures[5]))
    model, holdings = identified(entries, reported, emode)
    return LendingPosition(name, "aave_v3", scope.owner, block, holdings, model, reported)


def account_read(market: Market, owner: Address) -> Read:
    """Return the read of the protocol's own figures of an account: six words, in the order of ``AccountFigures``."""
    return _POOL.getUserAccountData.read(market.pool, owner, gas=ACCOUNT_GAS)


def price_read(market: Market, asset: Address) -> tuple[Read, Function]:
    """Return the read of one asset's oracle price, and how to decode it."""
    return _ORACLE.getAssetPrice.read(market.oracle, asset), _ORACLE.getAssetPrice


def dollar_probe(market: Market) -> Probe[Address | None]:
    """Return the probe of the reserve that is worth a dollar and of which most is supplied: where trades meet."""
    reads = [_ORACLE.getAssetPrice.read(market.oracle, x.asset) for x in market.listings]
    reads += [_TOKEN.totalSupply.read(x.a_token) for x in market.listings]

    def decode(answers: Sequence[Answer]) -> Address | None:
        count, best, deepest = len(market.listings), None, 0
        for i, listing in enumerate(market.listings):
            price = _ORACLE.getAssetPrice.decode_or_none(answers[i])
            supply = _TOKEN.totalSupply.decode_or_none(answers[count + i])
            if price and supply and abs(price[0] - USD) * DOLLAR_WITHIN <= USD:
                depth = supply[0] * USD // 10**listing.decimals
                if depth > deepest:
                    best, deepest = listing.asset, depth
        return best

    return Probe(tuple(reads), decode)


def account_call(market: Market, position: LendingPosition) -> tuple[Read, bytes]:
    """Return the call that decides every spend (getUserAccountData), and the answer the position was judged by."""
    of = position.reported
    figures = (of.collateral_value, of.debt_value, of.available_borrows)
    ratios = (of.average_threshold, of.average_ltv, of.health_factor)
    answer = b"".join(int(value).to_bytes(32, "big") for value in (*figures, *ratios))
    return account_read(market, position.owner), answer


_EMODE = (
    _POOL.getEModeCategoryCollateralConfig,
    _POOL.getEModeCategoryCollateralBitmap,
    _POOL.getEModeCategoryBorrowableBitmap,
    _POOL.getEModeCategoryLtvzeroBitmap,
    _POOL.getEModeCategoryData,
)


@dataclass(frozen=True, slots=True)
class _Category:
    """The account's e-mode. Bitmaps are None on markets (3.0, 3.1) where the reserve names its one category."""

    id: int
    ltv: int
    threshold: int
    bonus: int
    collateral: int | None
    borrowable: int | None
    ltv_zero: int

    def covers(self, listing: Listing, config: int) -> bool:
        """Whether the reserve's collateral counts with the category's threshold."""
        if self.collateral is None:
            return config >> 168 & 0xFF == self.id
        return bool(self.collateral >> listing.index & 1)

    def lends(self, listing: Listing, config: int) -> bool:
        """Whether the reserve may be borrowed in this category."""
        if self.borrowable is None:
            return config >> 168 & 0xFF == self.id and bool(config >> 58 & 1)
        return bool(self.borrowable >> listing.index & 1)


def _category(emode: int, answers: Sequence[Answer]) -> _Category | None:
    if not emode:
        return None
    config, collateral, borrowable, ltv_zero = (
        f.decode_or_none(a) for f, a in zip(_EMODE[:4], answers[:4], strict=True)
    )
    if config and collateral and borrowable:
        ltv, threshold, bonus = config[0]
        return _Category(emode, ltv, threshold, bonus, collateral[0], borrowable[0], ltv_zero[0] if ltv_zero else 0)
    ((ltv, threshold, bonus, *_),) = _POOL.getEModeCategoryData.decode(answers[4])
    return _Category(emode, ltv, threshold, bonus, None, None, 0)


def _reserve_reads(market: Market, owner: Address, listing: Listing) -> list[Read]:
    return [
        _POOL.getReserveData.read(market.pool, listing.asset, gas=RESERVE_GAS),
        _POOL.getReserveNormalizedIncome.read(market.pool, listing.asset),
        _POOL.getReserveNormalizedVariableDebt.read(market.pool, listing.asset),
        _ORACLE.getAssetPrice.read(market.oracle, listing.asset),
        _TOKEN.scaledBalanceOf.read(listing.a_token, owner),
        _TOKEN.scaledBalanceOf.read(listing.debt_token, owner),
        _TOKEN.totalSupply.read(listing.a_token),
        _TOKEN.totalSupply.read(listing.debt_token),
        _ERC20.balanceOf.read(listing.asset, listing.a_token),
        _POOL.getVirtualUnderlyingBalance.read(market.pool, listing.asset),
    ]


def _is_needless(listing: Listing, answers: Sequence[Answer], flags: int) -> bool:
    """Tell whether an asset has no price and the account nothing of it: it cannot help, and must not blind us."""
    balances = [_TOKEN.scaledBalanceOf.decode_or_none(a) for a in answers[4:6]]
    return answers[3] is None and not _flags_of(flags, listing) and balances == [(0,), (0,)]


def _entry(
    listing: Listing, answers: Sequence[Answer], flags: int, category: _Category | None, feed: FeedRound | None
) -> Entry:
    config, supply_rate, debt_rate = _reserve_data(answers[0])
    if answers[3] is None:
        raise ReadFailedError(Doubt(Reason.PRICE_NOT_POSITIVE, f"the oracle has no price for {listing.symbol}"))
    (income,), (debt_index,), (price,), (supply,), (debt,), (supplied,), (borrowed,), (cash,) = (
        f.decode(a) for f, a in zip(_RESERVE, answers[1:9], strict=True)
    )
    virtual = _POOL.getVirtualUnderlyingBalance.decode_or_none(answers[9])
    reserve = _reserve(
        listing,
        config,
        category,
        price=OraclePrice(
            asset=listing.asset,
            symbol=listing.symbol,
            answer=price,
            source=listing.source,
            updated_at=feed.updated_at if feed else None,
            round_id=feed.round_id if feed else None,
            heartbeat_s=listing.heartbeat_s,
        ),
        totals=(Amount(supplied), Amount(borrowed), Amount(min(cash, virtual[0]) if virtual else cash)),
    )
    ledger = Ledger(supply, debt, Ray(income), Ray(debt_index), supply_rate, debt_rate)
    return Entry(reserve, ledger, is_collateral=bool(_flags_of(flags, listing) & 2))


_DATA_SIZE, _WORD = 15 * 32, 32


def _reserve_data(answer: Answer) -> tuple[int, Ray, Ray]:
    """Return a reserve's configuration word and its two rates. Raises ReadFailedError.

    All it answers are single words, of which three are wanted: a fifteenth of what the general decoder would do.
    """
    if answer is None or len(answer) != _DATA_SIZE:
        (config,), _, supply, _, debt, *_ = _POOL.getReserveData.decode(answer)[0]
        return config, Ray(supply), Ray(debt)
    config, supply, debt = (int.from_bytes(answer[i * _WORD : (i + 1) * _WORD], "big") for i in (0, 2, 4))
    return config, Ray(supply), Ray(debt)


_RESERVE = (
    _POOL.getReserveNormalizedIncome,
    _POOL.getReserveNormalizedVariableDebt,
    _ORACLE.getAssetPrice,
    _TOKEN.scaledBalanceOf,
    _TOKEN.scaledBalanceOf,
    _TOKEN.totalSupply,
    _TOKEN.totalSupply,
    _ERC20.balanceOf,
)


def _reserve(
    listing: Listing,
    config: int,
    category: _Category | None,
    price: OraclePrice,
    totals: tuple[Amount, Amount, Amount],
) -> Reserve:
    """Return a reserve by its configuration word (Aave ReserveConfiguration), as it applies in a category."""

    def bit(position: int) -> bool:
        return bool(config >> position & 1)

    ltv, threshold, bonus = config & 0xFFFF, config >> 16 & 0xFFFF, config >> 32 & 0xFFFF
    if category is not None and category.covers(listing, config):
        zero = bool(category.ltv_zero >> listing.index & 1)
        ltv, threshold, bonus = (0 if zero else category.ltv), category.threshold, category.bonus
    return Reserve(
        asset=listing.asset,
        symbol=listing.symbol,
        decimals=config >> 48 & 0xFF,
        price=price,
        ltv=Bps(ltv),
        liquidation_threshold=Bps(threshold),
        liquidation_bonus=Bps(bonus),
        borrow_cap=config >> 80 & (1 << 36) - 1,
        supply_cap=config >> 116 & (1 << 36) - 1,
        total_supplied=totals[0],
        total_borrowed=totals[1],
        liquidity=totals[2],
        is_active=bit(56),
        is_frozen=bit(57),
        is_paused=bit(60),
        is_borrowable=category.lends(listing, config) if category else bit(58),
        is_siloed=bit(62),
        is_isolated=bool(config >> 212 & (1 << 40) - 1),
        is_borrowable_in_isolation=bit(61),
    )


def _listing(asset: Address, answers: Sequence[Answer]) -> Listing:
    """Return a reserve's constants. Its bit is its id, which is not its place in the list once one was dropped."""
    ((config,), _, _, _, _, _, _, index, a_token, _, debt_token, *_) = _POOL.getReserveData.decode(answers[0])[0]
    (source,) = _ORACLE.getSourceOfAsset.decode(answers[1])
    return Listing(
        index=index,
        asset=asset,
        symbol=_symbol(answers[2], asset),
        decimals=config >> 48 & 0xFF,
        a_token=address(a_token),
        debt_token=address(debt_token),
        source=address(source),
    )


def _symbol(answer: Answer, asset: Address) -> str:
    """Return a token's symbol; some old tokens answer 32 bytes instead of a string, some nothing.

    A token calls itself what it likes: in one line, short, and nothing that a terminal obeys.
    """
    text = _ERC20.symbol.decode_or_none(answer)
    if text:
        return plain(str(text[0])).strip()[:LONGEST_SYMBOL] or asset[:8]
    if answer and len(answer) == 32:
        return plain(answer.rstrip(b"\0").decode("ascii", "replace")).strip() or asset[:8]
    return asset[:8]


def _flags_of(flags: int, listing: Listing) -> int:
    """Return the two bits of a reserve in a user bitmap: 1 borrowing, 2 collateral."""
    return flags >> (2 * listing.index) & 3
