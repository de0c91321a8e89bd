"""What was seen of a lending position at one block, whatever the protocol, and the model that knows its arithmetic."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

from keeper.core.block import BlockRef
from keeper.core.lending.closing import CloseRule
from keeper.core.prices import Backing, OraclePrice, SecondPrice
from keeper.core.reasons import Reason
from keeper.core.units import BPS, WAD, Address, Amount, Bps, Usd, Wad, mul_div_down, mul_div_up

if TYPE_CHECKING:
    from keeper.core.risk.market import Market

_UNITS: tuple[int, ...] = tuple(10**decimals for decimals in range(78))


@dataclass(frozen=True, slots=True)
class Money:
    """What a market counts in: ``dollars`` (10^-8) are ``unit`` of it."""

    dollars: int
    unit: int

    def usd_up(self, value: int) -> Usd:
        """Return a value of the market's own money in dollars, rounded up."""
        return Usd(mul_div_up(value, self.dollars, self.unit))

    def usd_down(self, value: int) -> Usd:
        """Return a value of the market's own money in dollars, rounded down."""
        return Usd(mul_div_down(value, self.dollars, self.unit))


DOLLARS = Money(1, 1)
"""The money of a market that counts in dollars of 10^-8."""


@dataclass(frozen=True, slots=True)
class Barred:
    """Why the market lets nothing through one way now."""

    reason: Reason
    detail: str


@dataclass(frozen=True, slots=True)
class Room:
    """How much the market lets through each way now, or why nothing; the account's own balances not counted.

    ``supply`` is what may be supplied *and secures something*: what would only lie there is of no help. Caps, pauses
    and modes of a protocol end here; nothing else in ``core`` asks for them.
    """

    supply: Amount | Barred
    withdraw: Amount | Barred
    borrow: Amount | Barred
    repay: Amount | Barred
    pledged: Amount | None = None
    """How much of ``supply``, which is barred, would secure something once the owner lets the asset count."""


@dataclass(frozen=True, slots=True)
class Principal:
    """What interest never changes: supply and debt in the protocol's own units (scaled balances, shares)."""

    supply: int
    debt: int
    within: int = field(default=0, compare=False)
    """By how many units one debt may be read off another of the same account: 1 where only its rounded amount shows."""

    def is_as(self, other: Principal) -> bool:
        """Whether nobody touched it in between."""
        within = max(self.within, other.within)
        return self.supply == other.supply and abs(self.debt - other.debt) <= within

    def owes_less_than(self, other: Principal) -> bool:
        """Whether somebody paid of the debt since."""
        return self.debt < other.debt - max(self.within, other.within)


@dataclass(frozen=True, slots=True)
class Rates:
    """What an asset earns and costs in a year as things are, and which share of all supplies is lent out.

    At a utilisation of 1 nobody can withdraw.
    """

    supply: Wad
    borrow: Wad
    utilisation: Wad


@dataclass(frozen=True, slots=True)
class Holding:
    """One asset of an account, zero included: amounts as the venue rounds them, factors as they apply to the account.

    ``price`` is the market's own money, which is what liquidates; limits are in dollars, through ``money``.
    """

    asset: Address
    symbol: str
    decimals: int
    price: OraclePrice
    supplied: Amount
    borrowed: Amount
    is_collateral: bool
    """Whether what is supplied secures debts."""
    liquidation_factor: Wad
    """Share of its value that may be owed before liquidation begins."""
    borrow_factor: Wad
    """Share of its value that may be borrowed against it; zero: it counts for no loan."""
    penalty: Wad
    """What a liquidator takes of it beyond the debt he pays, as a share of that debt."""
    room: Room
    principal: Principal
    rates: Rates
    holds_back: bool = False
    """Whether nothing else may leave while it secures debts."""
    money: Money = DOLLARS
    least_debt: Amount = Amount(0)  # noqa: RUF009 - a number
    """Borrowing that leaves a smaller debt is refused; repaying down to one is not."""

    def with_balances(self, supplied: Amount, borrowed: Amount) -> Holding:
        """Return it with other amounts. Solvers ask thousands of times a plan: no field is looked up by its name."""
        return Holding(
            self.asset, self.symbol, self.decimals, self.price, supplied, borrowed, self.is_collateral,
            self.liquidation_factor, self.borrow_factor, self.penalty, self.room, self.principal, self.rates,
            self.holds_back, self.money, self.least_debt,
        )  # fmt: skip

    @property
    def unit(self) -> int:
        """One whole token in smallest units."""
        return _UNITS[self.decimals]

    @property
    def is_held(self) -> bool:
        """Whether the account has something of it."""
        return bool(self.principal.supply or self.principal.debt)

    @property
    def penalty_bps(self) -> Bps:
        """The penalty in basis points, rounded down."""
        return Bps(mul_div_down(self.penalty, BPS, WAD))

    def usd_up(self, amount: int) -> Usd:
        """Return what an amount is worth in dollars, rounded up: spending counts against us."""
        return Usd(mul_div_up(amount * self.price.answer, self.money.dollars, self.unit * self.money.unit))

    def usd_down(self, amount: int) -> Usd:
        """Return what an amount is worth in dollars, rounded down."""
        return Usd(mul_div_down(amount * self.price.answer, self.money.dollars, self.unit * self.money.unit))

    def amount_down(self, dollars: int) -> Amount:
        """Return how much of the asset is worth no more than ``dollars``. ZeroDivisionError without a price."""
        return Amount(mul_div_down(dollars * self.unit, self.money.unit, self.price.answer * self.money.dollars))


@dataclass(frozen=True, slots=True)
class AccountFigures:
    """What all that counts comes to, in the market's own money. The protocol's own of these are the judge of ours."""

    collateral_value: int
    debt_value: int
    available_borrows: int
    average_threshold: Bps
    average_ltv: Bps
    health_factor: Wad


class LendingModel(Protocol):
    """A protocol's arithmetic: all that ``core`` has to know of it. Frozen, and of one account at one block."""

    @property
    def facts(self) -> Mapping[str, object]:
        """What the journal keeps of the protocol's own, as plain data: it may be other at every block."""

    @property
    def mode(self) -> Hashable:
        """What of the protocol's own changes by somebody's act alone (a rounding, an e-mode), and never by itself.

        A plan made ready rests on it.
        """

    def figures(self, holdings: tuple[Holding, ...]) -> AccountFigures:
        """Return what the protocol itself would say of these holdings, to the wei."""

    def accrued(self, holding: Holding, seconds: int) -> Holding:
        """Return a holding with the interest of so many seconds after the read; the rest as it was."""

    def lets_out(self, figures: AccountFigures) -> bool:
        """Whether collateral may leave, or debt grow, if the account has these figures afterwards."""


@dataclass(frozen=True, slots=True)
class Beside:
    """What was read beside a position, by asset: prices of other sources, and what staked and stable assets stand for.

    Figures do not hang on them; rules look at them.
    """

    seconds: Mapping[Address, SecondPrice] = field(default_factory=dict)
    backings: Mapping[Address, Backing] = field(default_factory=dict)
    market: Market | None = None
    """How prices moved until now, where a rule looks ahead."""


NOTHING_BESIDE = Beside()


@dataclass(frozen=True, slots=True)
class SecondLine:
    """A contract that sells a part of an account before liquidation, for whoever calls it: see ``second_line``."""

    contract: Address
    begins_at: Wad
    """The health factor below which it sells."""
    share: tuple[Wad, Wad]
    """How much of the debt it may repay at once: where it begins, and where liquidation does."""
    penalty: tuple[Wad, Wad]
    """What who calls it takes beyond the debt he pays, as a share of that debt: at both."""
    is_let: bool
    """Whether the owner let it act. That is the owner's own act, and a keeper's never."""
    is_known: bool = True
    """Whether the protocol's own factory made it: of another nobody knows what it does."""


@dataclass(frozen=True)
class LendingPosition:
    """One account in one lending market at one block. ``reported`` are the protocol's own figures, where it gives any.

    Where it gives none, the venue compares what it does give while it reads, and ``reported`` are the model's.
    """

    name: str
    venue: str
    owner: Address
    block: BlockRef
    holdings: tuple[Holding, ...]
    model: LendingModel
    reported: AccountFigures
    money: Money = DOLLARS
    second_lines: tuple[SecondLine, ...] = ()
    """Contracts that sell a part of it before liquidation begins, where the owner let them."""
    closes: CloseRule | None = None
    """What a liquidation takes, where the market itself says it; None: as the venue is known to do."""
    beside: Beside = field(default=NOTHING_BESIDE, compare=False, repr=False)

    @property
    def is_empty(self) -> bool:
        """Whether the account has neither supply nor debt here (holdings may list assets it could use)."""
        return not any(h.is_held for h in self.holdings)

    def at(self, block: BlockRef) -> LendingPosition:
        """Return the same account, read at another block."""
        return LendingPosition(
            self.name,
            self.venue,
            self.owner,
            block,
            self.holdings,
            self.model,
            self.reported,
            self.money,
            self.second_lines,
            self.closes,
        )

    @cached_property
    def held(self) -> tuple[Holding, ...]:
        """The holdings with a balance."""
        return tuple(h for h in self.holdings if h.is_held)

    @property
    def hangs_on(self) -> tuple[OraclePrice, ...]:
        """The oracle's prices of what is held."""
        return tuple(h.price for h in self.held)

    def holding(self, asset: Address) -> Holding:
        """Return the holding of an asset; KeyError when it was not read."""
        for holding in self.holdings:
            if holding.asset == asset:
                return holding
        raise KeyError(asset)
