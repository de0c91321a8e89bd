"""What was seen at one block: wallets, lending and perpetual positions. Nothing here is computed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from keeper.core.account import SafeState
from keeper.core.block import BlockRef
from keeper.core.lending.loan_fees import LoanFee
from keeper.core.lending.position import AccountFigures, Holding, LendingPosition
from keeper.core.perp.position import PerpPosition
from keeper.core.prices import Backing, Doubt, SecondPrice, Sequencer
from keeper.core.units import Address, Amount, Wei

__all__ = [
    "AccountFigures",
    "BlockRef",
    "Holding",
    "LendingPosition",
    "Otherwise",
    "PricedAsset",
    "Saving",
    "Snapshot",
    "Unreadable",
    "Wallet",
]


@dataclass(frozen=True, slots=True)
class Saving:
    """Money of a signer that earns somewhere: what redeeming ``token`` gives of an asset now."""

    token: Address
    asset: Address
    there: Amount


@dataclass(frozen=True, slots=True)
class Wallet:
    """What a signer can spend: native currency for gas, tokens by asset address, and savings in their order."""

    address: Address
    native: Wei
    tokens: dict[Address, Amount] = field(default_factory=dict)
    savings: tuple[Saving, ...] = ()

    def has(self, asset: Address) -> Amount:
        """Return how much of an asset can be paid, savings redeemed."""
        saved = sum(one.there for one in self.savings if one.asset == asset)
        return Amount(self.tokens.get(asset, 0) + saved)

    def without(self, asset: Address, amount: int) -> Wallet:
        """Return the wallet after an amount was paid: of its own first, then of its savings in their order."""
        own = min(amount, self.tokens.get(asset, 0))
        left, kept = amount - own, list[Saving]()
        for one in self.savings:
            drawn = min(left, one.there) if one.asset == asset else 0
            left -= drawn
            kept.append(replace(one, there=Amount(one.there - drawn)))
        tokens = {**self.tokens, asset: Amount(self.tokens.get(asset, 0) - own - left)}
        return replace(self, tokens=tokens, savings=tuple(kept))


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A position that could not be read at this block. Unknown is not zero: it is never assumed healthy."""

    name: str
    owner: Address
    doubt: Doubt


@dataclass(frozen=True, slots=True)
class Otherwise:
    """A position as another node shows it, where that is not as ours does. Nobody knows which of them is right."""

    position: LendingPosition | PerpPosition | Unreadable
    detail: str


@dataclass(frozen=True, slots=True)
class PricedAsset:
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
    """Positions of which another node says otherwise, by name: of those the worse figure binds."""
    assets: dict[Address, PricedAsset] = field(default_factory=dict)
    """What wallets of books may hold, with its price; empty where there are no such wallets."""
    lendable: Mapping[str, Mapping[Address, Amount]] = field(default_factory=dict)
    """What lenders for the time of one transaction have now, by their names."""
    loan_fees: Mapping[str, Mapping[Address, LoanFee]] = field(default_factory=dict)
    """What those of them ask that may ask anything."""
    safes: Mapping[Address, SafeState | None] = field(default_factory=dict)
    """Accounts that are a Safe, as they are now; None for one that did not answer as such."""
    backings: Mapping[Address, Backing] = field(default_factory=dict)
    """What assets stand for, where the network file says it."""

    @property
    def loans(self) -> tuple[LendingPosition, ...]:
        """The lending positions that could be read."""
        return tuple(p for p in self.positions if isinstance(p, LendingPosition))

    @property
    def perps(self) -> tuple[PerpPosition, ...]:
        """The perpetual positions that could be read."""
        return perps_of(self.positions)


def perps_of(positions: Iterable[object]) -> tuple[PerpPosition, ...]:
    """Return the perpetual positions of some that were read."""
    return tuple(p for p in positions if isinstance(p, PerpPosition))
