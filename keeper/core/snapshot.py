"""What was seen at one block: wallets, reserves, lending and perpetual positions. Nothing here is computed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from keeper.core.block import BlockRef
from keeper.core.perp.position import PerpPosition
from keeper.core.prices import Doubt, OraclePrice, SecondPrice, Sequencer
from keeper.core.units import Address, Amount, Bps, Ray, Wad, Wei

__all__ = [
    "AccountFigures",
    "Arithmetic",
    "BlockRef",
    "Holding",
    "LendingPosition",
    "Listed",
    "Otherwise",
    "Reserve",
    "Snapshot",
    "Unreadable",
    "Wallet",
]


class Arithmetic(Enum):
    """How a market rounds. The market's own figures tell which: see ``lending.identify``."""

    DIRECTED = "directed"
    """Aave v3.5 and later: collateral floors, debt ceils, threshold weighted to the unit."""
    NEAREST = "nearest"
    """Aave v3.0 to v3.4 and forks: half up, average threshold cut to whole basis points."""


@dataclass(frozen=True, slots=True)
class Reserve:
    """One asset of a lending market as it applies to one account at one block.

    ``ltv`` and ``liquidation_threshold`` are already those of the account's e-mode where it applies.
    Caps are in whole tokens, zero means none. ``liquidity`` is what can be withdrawn or borrowed now.
    """

    asset: Address
    symbol: str
    decimals: int
    price: OraclePrice
    ltv: Bps
    liquidation_threshold: Bps
    liquidation_bonus: Bps
    supply_index: Ray
    debt_index: Ray
    a_token: Address
    debt_token: Address
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


@dataclass(frozen=True, slots=True)
class Holding:
    """What the account has in one reserve, zero included. Balances are scaled; multiply by the index for amounts."""

    reserve: Reserve
    scaled_supply: int
    scaled_debt: int
    is_collateral: bool


@dataclass(frozen=True, slots=True)
class AccountFigures:
    """The protocol's own view (Aave Pool.getUserAccountData): the judge of ours. Base values carry 8 decimals."""

    collateral_value: int
    debt_value: int
    available_borrows: int
    average_threshold: Bps
    average_ltv: Bps
    health_factor: Wad


@dataclass(frozen=True, slots=True)
class LendingPosition:
    """One account in one lending market at one block."""

    name: str
    venue: str
    owner: Address
    block: BlockRef
    base_unit: int
    emode: int
    holdings: tuple[Holding, ...]
    reported: AccountFigures

    @property
    def is_empty(self) -> bool:
        """Whether the account has neither supply nor debt here (holdings may list reserves it could use)."""
        return not any(h.scaled_supply or h.scaled_debt for h in self.holdings)

    @property
    def held(self) -> tuple[Holding, ...]:
        """The holdings with a balance."""
        return tuple(h for h in self.holdings if h.scaled_supply or h.scaled_debt)

    def holding(self, asset: Address) -> Holding:
        """Return the holding of an asset; KeyError when the reserve was not read."""
        for holding in self.holdings:
            if holding.reserve.asset == asset:
                return holding
        raise KeyError(asset)


@dataclass(frozen=True, slots=True)
class Wallet:
    """What a signer can spend: native currency for gas, tokens by asset address."""

    address: Address
    native: Wei
    tokens: dict[Address, Amount] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A position that could not be read at this block. Unknown is not zero: it is never assumed healthy."""

    name: str
    owner: Address
    doubt: Doubt


@dataclass(frozen=True, slots=True)
class Otherwise:
    """A position as another node tells it, where that is not as ours does. Nobody can tell which of them is right."""

    position: LendingPosition | PerpPosition | Unreadable
    detail: str


@dataclass(frozen=True, slots=True)
class Listed:
    """An asset of the market and its oracle price in base units, zero when the oracle has none."""

    symbol: str
    decimals: int
    price: int


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything one cycle knows: one block, one read."""

    block: BlockRef
    positions: tuple[LendingPosition | PerpPosition | Unreadable, ...]
    wallets: dict[Address, Wallet]
    seconds: dict[Address, SecondPrice]
    sequencer: Sequencer | None
    native_price: int
    """Base-currency price of one whole native token, 8 decimals; zero when the oracle does not list it."""
    afar: frozenset[str] = frozenset()
    """Positions of a large fleet that were judged by the protocol's figures alone: no rule of theirs can fire."""
    also: Mapping[object, bytes | None] = field(default_factory=dict)
    """Answers to what armed plans asked to be read beside everything else, by their reads."""
    otherwise: Mapping[str, Otherwise] = field(default_factory=dict)
    """Positions of which another node tells otherwise, by name: of those the worse figure binds."""
    assets: dict[Address, Listed] = field(default_factory=dict)
    """What wallets of books may hold, with its price; empty where there are no such wallets."""
