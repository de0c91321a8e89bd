"""One account in an Aave v3 market at one block: which reads it takes, and what their answers mean."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from keeper.core import names
from keeper.core.lending.position import AccountFigures, LendingPosition
from keeper.core.prices import Doubt, OraclePrice
from keeper.core.reasons import Reason
from keeper.core.snapshot import BlockRef
from keeper.core.units import Address, Amount, Bps, Wad
from keeper.venues.aave_v3.model import NO_FIXED, Arithmetic, Fixed, Ledger, Ray, Reserve, ReserveEntry, identified
from keeper.venues.aave_v3.reserves import AaveReserves, Listing
from keeper.venues.codec.abi import address, load
from keeper.venues.ports import Answer, Discovery, Probe, Read, ReadFailedError, ScopeOutdatedError

_POOL = load("aave_v3_pool")
_ORACLE = load("aave_v3_oracle")
_TOKEN, _STABLE_TOKEN = load("aave_v3_token"), load("aave_v3_stable_token")
_ERC20, _FEED = load("erc20"), load("chainlink_feed")
_FIGURES, _CONFIGURATION, _EMODE_OF = _POOL.getUserAccountData, _POOL.getUserConfiguration, _POOL.getUserEMode
Terms = tuple[int, int, int]
"""Loan to value, liquidation threshold and bonus of a collateral."""
NOBODY = Address("0x0000000000000000000000000000000000000000")
_BALANCE = _TOKEN.scaledBalanceOf
ACCOUNT_GAS = 80_000
"""What getUserAccountData takes of a usual account, roughly: 33,000 with two reserves, far more with many."""
RESERVE_GAS = 40_000
"""What getReserveData takes, roughly: nine slots."""


@dataclass(frozen=True, slots=True)
class KinPrice:
    """What the oracle is asked in the place of each asset of one e-mode, and the source that it asks in turn."""

    asked: Address
    source: Address


@dataclass(frozen=True)
class AaveScope:
    """Which reserves of a market matter to one account, and its e-mode: what each block's read covers."""

    owner: Address
    emode: int
    listings: tuple[Listing, ...]
    kin: KinPrice | None = None
    """Where one price stands for all assets of the account's e-mode (3.0, 3.1): who says it."""

    @cached_property
    def covered(self) -> int:
        """The bits of these reserves in a user bitmap."""
        return sum(3 << (2 * x.index) for x in self.listings)


def discover_scope(
    market: AaveReserves, owner: Address, spenders: Sequence[Address], named: Sequence[str]
) -> Discovery[AaveScope]:
    """Find the reserves an account uses, a spender's wallet holds, or a rule names."""
    reads = [_POOL.getUserConfiguration.read(market.pool, owner), _POOL.getUserEMode.read(market.pool, owner)]
    for listing in market.listings:
        reads += [_TOKEN.scaledBalanceOf.read(t, owner) for t in (listing.a_token, listing.debt_token)]
        reads += [_ERC20.balanceOf.read(listing.asset, s) for s in spenders]
    answers = yield tuple(reads)
    (flags,) = _POOL.getUserConfiguration.decode(answers[0])
    (emode,) = _POOL.getUserEMode.decode(answers[1])
    kin = yield from _discover_kin(market, emode)
    width, wanted = 2 + len(spenders), {x.asset for name in named for x in names.meant(name, market.listings)}
    used = []
    for i, listing in enumerate(market.listings):
        mine = answers[2 + i * width : 2 + (i + 1) * width]
        has_any = any(_TOKEN.scaledBalanceOf.decode(a)[0] for a in mine[:2])
        # a token that cannot give a balance is no money to count on
        funded = any((_ERC20.balanceOf.decode_or_none(a) or (0,))[0] for a in mine[2:])
        if has_any or funded or _flags_of(flags[0], listing) or listing.asset in wanted:
            used.append(listing)
    return AaveScope(owner, emode, tuple(used), kin)


def _discover_kin(market: AaveReserves, emode: int) -> Discovery[KinPrice | None]:
    """Find who says the one price of an e-mode; None where there is no e-mode, or each asset has its own."""
    if not emode:
        return None
    answers = yield (_POOL.getEModeCategoryData.read(market.pool, emode), _bitmap_read(market, emode))
    asked = _one_price(answers[0], answers[1])
    if asked is None:
        return None
    answers = yield (_ORACLE.getSourceOfAsset.read(market.oracle, asked),)
    return KinPrice(asked, address(_ORACLE.getSourceOfAsset.decode(answers[0])[0]))


def _bitmap_read(market: AaveReserves, emode: int) -> Read:
    return _POOL.getEModeCategoryCollateralBitmap.read(market.pool, emode)


def _one_price(category: Answer, bitmap: Answer) -> Address | None:
    """Return what the oracle is asked for a whole category: none where a market has bitmaps (3.2 and later)."""
    if _POOL.getEModeCategoryCollateralBitmap.decode_or_none(bitmap) is not None:
        return None
    ((_, _, _, asked, *_),) = _POOL.getEModeCategoryData.decode(category)
    return None if address(asked) == NOBODY else address(asked)


# --- one block -------------------------------------------------------------------------------------------------------

_PER_RESERVE = 10
_EMODE_READS = 6
_ACCOUNT_READS = 3


def position_probe(market: AaveReserves, scope: AaveScope, name: str, block: BlockRef) -> Probe[LendingPosition]:
    """Return the probe of a position.

    Decoding raises ReadFailedError when a figure is missing, ScopeOutdatedError when the account uses what was
    not read.
    """
    return Probe(_reads(market, scope), lambda answers: _decode(market.pool, scope, name, block, answers))


def _reads(market: AaveReserves, scope: AaveScope) -> tuple[Read, ...]:
    reads = [
        account_read(market, scope.owner),
        _POOL.getUserConfiguration.read(market.pool, scope.owner),
        _POOL.getUserEMode.read(market.pool, scope.owner),
        *(f.read(market.pool, scope.emode) for f in _EMODE),
        *_kin_reads(market, scope.kin),
    ]
    for listing in scope.listings:
        reads += _reserve_reads(market, scope.owner, listing)
    return tuple(reads)


def _kin_reads(market: AaveReserves, kin: KinPrice | None) -> tuple[Read, ...]:
    if kin is None:
        return ()
    return _ORACLE.getAssetPrice.read(market.oracle, kin.asked), _FEED.latestRoundData.read(kin.source)


_ROUNDS: dict[Address, Arithmetic] = {}
"""By pool: the rounding that its figures showed last. An old market's are those of both at some blocks."""


def _decode(pool: Address, scope: AaveScope, name: str, block: BlockRef, answers: Sequence[Answer]) -> LendingPosition:
    figures = _FIGURES.decode(answers[0])
    ((flags,),) = _CONFIGURATION.decode(answers[1])
    emode = _EMODE_OF.word(answers[2])
    at, entries = _ACCOUNT_READS + _EMODE_READS, list[ReserveEntry]()
    category = _category(emode, answers[_ACCOUNT_READS:at]) if emode else None
    if emode != scope.emode or flags & ~scope.covered:
        raise ScopeOutdatedError
    if category is not None and category.collateral is None:
        category, at = _with_one_price(category, scope.kin, answers, at)
    for listing in scope.listings:
        width = _PER_RESERVE + (listing.feed is not None)
        mine, at = answers[at : at + width], at + width
        fixed, at = (
            _fixed(answers[at : at + len(_STABLE)]) if listing.stable_token else NO_FIXED,
            at + _stable_reads(listing),
        )
        if not _is_needless(listing, mine, flags):
            entries.append(_entry(listing, mine, flags, category, fixed))
    ratios = Bps(figures[3]), Bps(figures[4]), Wad(figures[5])
    reported = AccountFigures(figures[0], figures[1], figures[2], *ratios)
    model, holdings = identified(entries, reported, emode, _ROUNDS.get(pool, Arithmetic.DIRECTED))
    _ROUNDS[pool] = model.arithmetic
    return LendingPosition(name, "aave_v3", scope.owner, block, holdings, model, reported)


def account_read(market: AaveReserves, owner: Address) -> Read:
    """Return the read of the protocol's own figures of an account: six words, in the order of ``AccountFigures``."""
    return _POOL.getUserAccountData.read(market.pool, owner, gas=ACCOUNT_GAS)


def account_call(market: AaveReserves, position: LendingPosition) -> tuple[Read, bytes]:
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
    _POOL.getIsEModeCategoryIsolated,
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
    is_isolated: bool = False
    """Whether whatever is not its collateral counts for no loan (3.7)."""
    one_price: OraclePrice | None = None
    """Where one price stands for all its assets."""

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

    def terms(self, listing: Listing, config: int, own: Terms) -> Terms:
        """Return a reserve's terms for an account in this category, of those that it has by itself."""
        if self.covers(listing, config):
            return 0 if self.ltv_zero >> listing.index & 1 else self.ltv, self.threshold, self.bonus
        return (0, *own[1:]) if self.is_isolated else own


def _category(emode: int, answers: Sequence[Answer]) -> _Category | None:
    if not emode:
        return None
    config, collateral, borrowable, ltv_zero, isolated = (
        f.decode_or_none(a) for f, a in zip(_EMODE[:-1], answers[:-1], strict=True)
    )
    if config and collateral and borrowable:
        ltv, threshold, bonus = config[0]
        zero, alone = ltv_zero[0] if ltv_zero else 0, bool(isolated and isolated[0])
        return _Category(emode, ltv, threshold, bonus, collateral[0], borrowable[0], zero, alone)
    ((ltv, threshold, bonus, *_),) = _POOL.getEModeCategoryData.decode(answers[-1])
    return _Category(emode, ltv, threshold, bonus, None, None, 0)


def _with_one_price(
    category: _Category, kin: KinPrice | None, answers: Sequence[Answer], at: int
) -> tuple[_Category, int]:
    """Return a category with the one price of its assets, and where the next answers begin.

    Raises ScopeOutdatedError where the market asks another by now, ReadFailedError where it has no price.
    """
    asked = _one_price(answers[at - 1], None)
    if asked != (kin.asked if kin else None):
        raise ScopeOutdatedError
    if kin is None:
        return category, at
    found, stated = (
        _ORACLE.getAssetPrice.decode_or_none(answers[at]),
        _FEED.latestRoundData.decode_or_none(answers[at + 1]),
    )
    # the protocol falls back to each asset's own price where this one is nothing
    if found is None:
        raise ReadFailedError(Doubt(Reason.PRICE_NOT_POSITIVE, f"the oracle has no price for e-mode {category.id}"))
    updated_at, round_id = (stated[3], stated[0]) if stated else (None, None)
    price = OraclePrice(kin.asked, "e-mode", found[0], kin.source, updated_at, round_id, 0)
    return replace(category, one_price=price if found[0] else None), at + 2


def _reserve_reads(market: AaveReserves, owner: Address, listing: Listing) -> list[Read]:
    reads = [
        _TOKEN.scaledBalanceOf.read(listing.a_token, owner),
        _TOKEN.scaledBalanceOf.read(listing.debt_token, owner),
        _POOL.getReserveData.read(market.pool, listing.asset, gas=RESERVE_GAS),
        _POOL.getReserveNormalizedIncome.read(market.pool, listing.asset),
        _POOL.getReserveNormalizedVariableDebt.read(market.pool, listing.asset),
        _ORACLE.getAssetPrice.read(market.oracle, listing.asset),
        _TOKEN.totalSupply.read(listing.a_token),
        _TOKEN.totalSupply.read(listing.debt_token),
        _ERC20.balanceOf.read(listing.asset, listing.a_token),
        _POOL.getVirtualUnderlyingBalance.read(market.pool, listing.asset),
    ]
    aged = [_FEED.latestRoundData.read(listing.feed)] if listing.feed else []
    at_stable_rate = [f.read(listing.stable_token, owner) for f in _STABLE] if listing.stable_token else []
    return [*reads, *aged, *at_stable_rate]


_STABLE = (_STABLE_TOKEN.balanceOf, _STABLE_TOKEN.principalBalanceOf, _STABLE_TOKEN.getUserStableRate)


def _stable_reads(listing: Listing) -> int:
    return len(_STABLE) if listing.stable_token else 0


def _fixed(answers: Sequence[Answer]) -> Fixed:
    """Return a debt at a stable rate; none where the token does not say: then the figures disagree if there is one."""
    owed, principal, rate = (f.decode_or_none(a) for f, a in zip(_STABLE, answers, strict=True))
    return Fixed(owed[0], principal[0], Ray(rate[0])) if owed and principal and rate else NO_FIXED


_OWN = 2
"""Reads of a reserve that are of the account; the others are the same for every account of the market."""
_PRICE = 5


def _is_needless(listing: Listing, answers: Sequence[Answer], flags: int) -> bool:
    """Return whether an asset has no price and the account nothing of it: it cannot help, and must not blind us."""
    if answers[_PRICE] is not None or _flags_of(flags, listing):
        return False
    return [_TOKEN.scaledBalanceOf.decode_or_none(a) for a in answers[:_OWN]] == [(0,), (0,)]


def _entry(
    listing: Listing, answers: Sequence[Answer], flags: int, category: _Category | None, fixed: Fixed
) -> ReserveEntry:
    supply, debt = _BALANCE.word(answers[0]), _BALANCE.word(answers[1])
    reserve, empty = _market_side(listing, category, answers[_OWN:])
    ledger = Ledger(supply, debt, empty.supply_index, empty.debt_index, empty.supply_rate, empty.debt_rate, fixed)
    return ReserveEntry(reserve, ledger, is_collateral=bool(_flags_of(flags, listing) & 2))


def _market_side(listing: Listing, category: _Category | None, answers: Sequence[Answer]) -> tuple[Reserve, Ledger]:
    """Return what a reserve's own answers say; worked out once for all accounts of a block. Raises ReadFailedError."""
    place = listing.a_token, category.id if category else 0
    last = _LAST_SIDE.get(place)
    if last is not None and last[0] == answers and last[1] == category and last[2] is listing:
        return last[3]
    found = _worked_out(listing, category, answers)
    _LAST_SIDE[place] = answers, category, listing, found
    return found


_LAST_SIDE: dict[tuple[Address, int], tuple[Sequence[Answer], _Category | None, Listing, tuple[Reserve, Ledger]]] = {}
"""What was last worked out of each reserve in each category: as many as markets have."""


def _worked_out(listing: Listing, category: _Category | None, answers: Sequence[Answer]) -> tuple[Reserve, Ledger]:
    config, supply_rate, debt_rate = _reserve_data(answers[0])
    if answers[_PRICE - _OWN] is None:
        raise ReadFailedError(Doubt(Reason.PRICE_NOT_POSITIVE, f"the oracle has no price for {listing.symbol}"))
    (income,), (debt_index,), (price,), (supplied,), (borrowed,), (cash,) = (
        f.decode(a) for f, a in zip(_RESERVE, answers[1:7], strict=True)
    )
    virtual = _POOL.getVirtualUnderlyingBalance.decode_or_none(answers[7])
    stated = _FEED.latestRoundData.decode_or_none(answers[8]) if len(answers) > _PER_RESERVE - _OWN else None
    own = OraclePrice(
        asset=listing.asset,
        symbol=listing.symbol,
        answer=price,
        source=listing.source,
        updated_at=stated[3] if stated else None,
        round_id=stated[0] if stated else None,
        heartbeat_s=listing.heartbeat_s,
    )
    reserve = _reserve(
        listing,
        config,
        category,
        price=_priced(own, listing, category, config),
        totals=(Amount(supplied), Amount(borrowed), Amount(min(cash, virtual[0]) if virtual else cash)),
    )
    return reserve, Ledger(0, 0, Ray(income), Ray(debt_index), supply_rate, debt_rate)


def _priced(own: OraclePrice, listing: Listing, category: _Category | None, config: int) -> OraclePrice:
    """Return an asset's price as the account is judged by: its own, or the one of its e-mode."""
    one = category.one_price if category is not None and category.covers(listing, config) else None
    if one is None:
        return own
    return replace(own, answer=one.answer, source=one.source, updated_at=one.updated_at, round_id=one.round_id)


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
    _TOKEN.totalSupply,
    _TOKEN.totalSupply,
    _ERC20.balanceOf,
)


MOST_DECIMALS = 36
"""More than any token has: an answer that says so is none."""


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

    decimals = config >> 48 & 0xFF
    if decimals > MOST_DECIMALS:
        detail = f"{listing.symbol} is said to have {decimals} decimals"
        raise ReadFailedError(Doubt(Reason.POSITION_UNREADABLE, detail))
    terms = config & 0xFFFF, config >> 16 & 0xFFFF, config >> 32 & 0xFFFF
    ltv, threshold, bonus = terms if category is None else category.terms(listing, config, terms)
    return Reserve(
        asset=listing.asset,
        symbol=listing.symbol,
        decimals=decimals,
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


def _flags_of(flags: int, listing: Listing) -> int:
    """Return the two bits of a reserve in a user bitmap: 1 borrowing, 2 collateral."""
    return flags >> (2 * listing.index) & 3
