"""Aave v3's arithmetic: scaled balances, indices, its two roundings, and what a reserve lets through.

Formulas: ``GenericLogic.calculateUserAccountData``, ``MathUtils``, ``WadRayMath`` (v3.0 to v3.6). The market's version
is never asked for: the rounding that reproduces ``getUserAccountData`` to the wei is the market's own.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from functools import cached_property, lru_cache
from typing import NewType

from keeper.core.lending.position import AccountFigures, Barred, Holding, Principal, Rates, Room
from keeper.core.prices import OraclePrice
from keeper.core.reasons import Reason
from keeper.core.units import (
    BPS,
    INFINITE,
    UINT256_MAX,
    WAD,
    Address,
    Amount,
    Bps,
    Wad,
    mul_div_down,
    mul_div_nearest,
    mul_div_up,
)

Ray = NewType("Ray", int)
"""An index or a rate a year, 10^-27."""
RAY = 10**27
YEAR_S = 365 * 86_400
BPS_WAD = WAD // BPS
RAY_WAD = RAY // WAD
ALL = Amount(UINT256_MAX)


class Arithmetic(Enum):
    """How a market rounds. Its own figures show which: see ``identified``."""

    DIRECTED = "directed"
    """Aave v3.5 and later: collateral floors, debt ceils, threshold weighted to the unit."""
    NEAREST = "nearest"
    """Aave v3.0 to v3.4 and forks: half up, average threshold cut to whole basis points."""

    def amounts(self, ledger: Ledger) -> tuple[Amount, Amount]:
        """Return what is supplied and owed, rounded as the market rounds it."""
        supply, debt = ledger.scaled_supply, ledger.scaled_debt
        if self is Arithmetic.DIRECTED:
            supplied, owed = supply * ledger.supply_index // RAY, -(-debt * ledger.debt_index // RAY)
        else:
            supplied = mul_div_nearest(supply, ledger.supply_index, RAY)
            owed = mul_div_nearest(debt, ledger.debt_index, RAY)
        return Amount(supplied), Amount(owed + ledger.fixed.owed)


@dataclass(frozen=True, slots=True)
class Fixed:
    """A debt at a stable rate, as its token says it: with interest, and the part that interest never changes."""

    owed: int
    principal: int
    rate: Ray

    def later(self, seconds: int) -> Fixed:
        """Return it after so many seconds, rounded up."""
        return replace(self, owed=mul_div_up(self.owed, RAY + compounded(self.rate, seconds), RAY))


NO_FIXED = Fixed(0, 0, Ray(0))


def compounded(rate: Ray, seconds: int) -> int:
    """Return what a rate a year comes to in so many seconds: e^x to the third power, less one (MathUtils)."""
    x = rate * seconds // YEAR_S
    return x + mul_div_nearest(x, x // 2 + mul_div_nearest(x, x // 6, RAY), RAY)


@dataclass(frozen=True, slots=True)
class Ledger:
    """What an account has in a reserve as the protocol keeps it: scaled balances, the indices, and the rates a year."""

    scaled_supply: int
    scaled_debt: int
    supply_index: Ray
    debt_index: Ray
    supply_rate: Ray
    debt_rate: Ray
    fixed: Fixed = NO_FIXED

    @property
    def owes(self) -> bool:
        """Whether there is a debt of either kind."""
        return bool(self.scaled_debt or self.fixed.owed)

    def later(self, seconds: int) -> Ledger:
        """Return it after so many seconds: supply grows linearly, debt as e^x to the third power (MathUtils)."""
        earned, owed = self.supply_rate * seconds // YEAR_S, compounded(self.debt_rate, seconds)
        return replace(
            self,
            supply_index=Ray(mul_div_nearest(self.supply_index, RAY + earned, RAY)),
            debt_index=Ray(mul_div_nearest(self.debt_index, RAY + owed, RAY)),
            fixed=self.fixed.later(seconds) if self.fixed.owed else self.fixed,
        )


@dataclass(frozen=True)
class Reserve:
    """One reserve as it applies in an e-mode: ``ltv`` and ``threshold`` are that mode's where it applies.

    Caps are in whole tokens, zero means none. ``liquidity`` is what can be withdrawn or borrowed now. What follows from
    it is worked out once for all accounts.
    """

    asset: Address
    symbol: str
    decimals: int
    price: OraclePrice
    ltv: Bps
    liquidation_threshold: Bps
    liquidation_bonus: Bps
    supply_cap: int
    borrow_cap: int
    total_supplied: Amount
    total_borrowed: Amount
    liquidity: Amount
    is_active: bool
    is_frozen: bool
    is_paused: bool
    is_borrowable: bool
    is_siloed: bool
    is_isolated: bool
    is_borrowable_in_isolation: bool

    @property
    def unit(self) -> int:
        """One whole token in smallest units."""
        return int(10**self.decimals)

    @cached_property
    def factors(self) -> tuple[Wad, Wad, Wad]:
        """The liquidation factor, the borrow factor, and the penalty."""
        penalty = max(0, self.liquidation_bonus - BPS)
        return (
            Wad(self.liquidation_threshold * BPS_WAD),
            Wad(self.ltv * BPS_WAD),
            Wad(penalty * BPS_WAD),
        )

    @cached_property
    def utilisation(self) -> Wad:
        """Share of all supplies that is lent out, rounded up."""
        whole = self.liquidity + self.total_borrowed
        return Wad(mul_div_up(self.total_borrowed, WAD, whole) if whole else 0)

    @cached_property
    def shut(self) -> Barred | None:
        """Why nothing moves: paused, or not active."""
        is_open = self.is_active and not self.is_paused
        return None if is_open else Barred(Reason.RESERVE_UNAVAILABLE, self.symbol)

    @cached_property
    def frozen(self) -> Barred | None:
        """Why nothing comes in and nothing is lent."""
        return Barred(Reason.RESERVE_UNAVAILABLE, self.symbol) if self.is_frozen else self.shut

    @cached_property
    def supply_room(self) -> Amount | Barred:
        """What may be supplied by whom it counts as collateral for."""
        if self.frozen:
            return self.frozen
        if self.price.answer <= 0:
            return Barred(Reason.PRICE_NOT_POSITIVE, self.symbol)
        return _below(self.supply_cap, self.total_supplied, self)

    @cached_property
    def borrow_room(self) -> Amount | Barred:
        """What may be borrowed by whom neither isolation nor another debt binds."""
        if self.frozen:
            return self.frozen
        if not self.is_borrowable:
            return Barred(Reason.RESERVE_UNAVAILABLE, f"{self.symbol} cannot be borrowed")
        return Amount(min(self.liquidity, _below(self.borrow_cap, self.total_borrowed, self)))

    @cached_property
    def usual_room(self) -> Room:
        """The room where it is collateral already, outside isolation, and no other debt stands in the way."""
        return Room(self.supply_room, self.shut or self.liquidity, self.borrow_room, self.shut or ALL)

    @cached_property
    def idle_room(self) -> Room:
        """The same for an account that has a supply here which does not count, or would not."""
        if isinstance(self.supply_room, Barred):
            return self.usual_room
        why = Barred(Reason.NOTHING_HELPS, f"{self.symbol} is not collateral of this account")
        return replace(self.usual_room, supply=why)


@dataclass(frozen=True, slots=True)
class ReserveEntry:
    """One reserve of an account: the reserve, the account's ledger in it, and whether it counts as collateral."""

    reserve: Reserve
    ledger: Ledger
    is_collateral: bool

    @property
    def is_held(self) -> bool:
        """Whether the account has something of it."""
        return bool(self.ledger.scaled_supply or self.ledger.owes)


@dataclass(frozen=True, slots=True)
class AaveModel:
    """One account's arithmetic at one block: the market's rounding, the e-mode it is in, and its ledgers by asset."""

    arithmetic: Arithmetic
    emode: int = 0
    ledgers: Mapping[Address, Ledger] = field(default_factory=dict)
    _last: list[tuple[tuple[Holding, ...], AccountFigures]] = field(default_factory=list, compare=False, repr=False)
    """The holdings figures were last asked of: the same are judged right after they were read."""

    @property
    def facts(self) -> Mapping[str, object]:
        """What the journal keeps of Aave's own."""
        return {"emode": self.emode, "rounding": self.arithmetic.value}

    @property
    def mode(self) -> Hashable:
        """The e-mode. How the market rounds does not show in every block's figures."""
        return self.emode

    def figures(self, holdings: tuple[Holding, ...]) -> AccountFigures:
        """Return what Pool.getUserAccountData would say, to the wei."""
        if not self._last or self._last[0][0] is not holdings:
            self._last[:] = [(holdings, self._figures(holdings))]
        return self._last[0][1]

    def _figures(self, holdings: tuple[Holding, ...]) -> AccountFigures:
        directed = self.arithmetic is Arithmetic.DIRECTED
        collateral = debt = by_ltv = by_threshold = 0
        for h in holdings:
            price, unit = h.price.answer, h.unit
            if h.is_collateral:
                value = h.supplied * price // unit
                collateral += value
                by_ltv += value * h.borrow_factor
                by_threshold += value * h.liquidation_factor
            if h.borrowed:
                debt += -(-h.borrowed * price // unit) if directed else h.borrowed * price // unit
        # factors are whole basis points, so these divisions leave nothing
        by_ltv, by_threshold = by_ltv // BPS_WAD, by_threshold // BPS_WAD
        ltv, threshold = (by_ltv // collateral, by_threshold // collateral) if collateral else (0, 0)
        if directed:
            health = mul_div_nearest(by_threshold, WAD, debt) // BPS if debt else INFINITE
            capacity = mul_div_down(collateral, ltv, BPS)
        else:
            health = mul_div_nearest(mul_div_nearest(collateral, threshold, BPS), WAD, debt) if debt else INFINITE
            capacity = mul_div_nearest(collateral, ltv, BPS)
        return AccountFigures(collateral, debt, max(0, capacity - debt), Bps(threshold), Bps(ltv), Wad(health))

    def accrued(self, holding: Holding, seconds: int) -> Holding:
        """Return a holding with the interest of so many seconds after the read: exactly where it is as it was read.

        What a projection changed of it since grows by the index too, rounded against the owner. KeyError for an asset
        that was not read: unknown is not zero.
        """
        ledger = self.ledgers[holding.asset]
        later = ledger.later(max(0, seconds))
        (had, owed), (has, owes) = self.arithmetic.amounts(ledger), self.arithmetic.amounts(later)
        added, lent = holding.supplied - had, holding.borrowed - owed
        return replace(
            holding,
            supplied=Amount(max(0, has + added * later.supply_index // ledger.supply_index)),
            borrowed=Amount(max(0, owes - -lent * later.debt_index // ledger.debt_index)),
        )

    def lets_out(self, figures: AccountFigures) -> bool:
        """Whether Aave would take the change: health must not fall below 1 (ValidationLogic)."""
        return figures.health_factor >= WAD


def identified(
    entries: Sequence[ReserveEntry], reported: AccountFigures, emode: int, usual: Arithmetic = Arithmetic.DIRECTED
) -> tuple[AaveModel, tuple[Holding, ...]]:
    """Return the model and the holdings under the rounding that reproduces the protocol's own figures exactly.

    ``usual`` is tried first, for at some blocks both do. Where neither does, it is taken: then figures differ from what
    is reported, and nobody acts on them.
    """
    ledgers = {e.reserve.asset: e.ledger for e in entries}
    found = list[tuple[AaveModel, tuple[Holding, ...]]]()
    for arithmetic in sorted(Arithmetic, key=lambda each: each is not usual):
        model, holdings = AaveModel(arithmetic, emode, ledgers), holdings_of(entries, arithmetic)
        if model.figures(holdings) == reported:
            return model, holdings
        found.append((model, holdings))
    return found[0]


def holdings_of(entries: Sequence[ReserveEntry], arithmetic: Arithmetic) -> tuple[Holding, ...]:
    """Return what an account has, in amounts as the market rounds them, and what each reserve lets through."""
    is_isolated, owes = False, dict[Address, bool]()
    for e in entries:
        if e.ledger.owes:
            owes[e.reserve.asset] = e.reserve.is_siloed
        if e.is_collateral and e.reserve.is_isolated and e.is_held:
            is_isolated = True
    return tuple([_holding(e, arithmetic.amounts(e.ledger), _room(e, owes, is_isolated=is_isolated)) for e in entries])


def _holding(entry: ReserveEntry, amounts: tuple[Amount, Amount], room: Room) -> Holding:
    reserve, ledger = entry.reserve, entry.ledger
    threshold, ltv, penalty = reserve.factors
    return Holding(
        asset=reserve.asset,
        symbol=reserve.symbol,
        decimals=reserve.decimals,
        price=reserve.price,
        supplied=amounts[0],
        borrowed=amounts[1],
        is_collateral=entry.is_collateral,
        liquidation_factor=threshold,
        borrow_factor=ltv,
        penalty=penalty,
        room=room,
        principal=Principal(ledger.scaled_supply, ledger.scaled_debt + ledger.fixed.principal),
        rates=_rates(ledger.supply_rate, ledger.debt_rate, reserve.utilisation),
        holds_back=not ltv,  # while it is collateral nothing that counts for loans may leave (ValidationLogic)
    )


@lru_cache(maxsize=256)
def _rates(supply: Ray, debt: Ray, utilisation: Wad) -> Rates:
    return Rates(Wad(supply // RAY_WAD), Wad(-(-debt // RAY_WAD)), utilisation)


# --- room ------------------------------------------------------------------------------------------------------------


def _room(entry: ReserveEntry, owes: Mapping[Address, bool], *, is_isolated: bool) -> Room:
    """Return what a reserve lets through for this account; ``owes`` is its debts, and which of them are siloed."""
    reserve, room = entry.reserve, entry.reserve.usual_room
    if not entry.is_collateral:
        # a first supply counts by itself, outside isolation
        if entry.ledger.scaled_supply or not reserve.ltv or reserve.is_isolated:
            room = reserve.idle_room
        elif is_isolated and not isinstance(room.supply, Barred):
            room = replace(room, supply=Barred(Reason.NOTHING_HELPS, "the account is in isolation mode"))
    if not isinstance(room.borrow, Barred) and (why := _not_beside(reserve, owes, is_isolated=is_isolated)):
        room = replace(room, borrow=Barred(Reason.RESERVE_UNAVAILABLE, f"{reserve.symbol} cannot be borrowed {why}"))
    if entry.ledger.fixed.owed and not isinstance(room.repay, Barred):
        room = replace(room, repay=Barred(Reason.STABLE_RATE, reserve.symbol))
    return room


def _not_beside(reserve: Reserve, owes: Mapping[Address, bool], *, is_isolated: bool) -> str:
    """Return beside what a reserve may not be borrowed, empty where it may."""
    if is_isolated and not reserve.is_borrowable_in_isolation:
        return "in isolation mode"
    others = [is_siloed for asset, is_siloed in owes.items() if asset != reserve.asset]
    return "beside another debt" if others and (reserve.is_siloed or any(others)) else ""


def _below(cap: int, total: int, reserve: Reserve) -> Amount:
    """Return what is left below a cap. 0.1 % stays free: interest and treasury count up to the very block."""
    return ALL if not cap else Amount(max(0, (cap * reserve.unit - total) * 999 // 1000))
