"""What a plan is made of: abstract moves, which a venue turns into calls."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from keeper.core.units import Address, Amount

Spender = str
"""Who an approval is for: the position's market, an exchange or a lender by name.

A lender's contract takes what stands for a supply of the asset, and no asset of the wallet.
"""
MARKET: Spender = "market"


@dataclass(frozen=True, slots=True)
class Route:
    """A way through pools: ``tokens[0]`` is given, ``tokens[-1]`` received, ``fees[i]`` the pool between neighbours."""

    tokens: tuple[Address, ...]
    fees: tuple[int, ...]
    exchange: str
    """By name."""


@dataclass(frozen=True, slots=True)
class Approve:
    """Allow a spender exactly ``amount``; zero takes an allowance back."""

    asset: Address
    spender: Spender
    amount: Amount


@dataclass(frozen=True, slots=True)
class Supply:
    """Move tokens from the signer's wallet into the owner's collateral."""

    asset: Address
    amount: Amount


@dataclass(frozen=True, slots=True)
class Withdraw:
    """Move collateral to the owner's wallet. ``amount`` None means all."""

    asset: Address
    amount: Amount | None
    all_left: Amount | None = field(default=None, compare=False)
    """Of all: what that is by then, as the plan goes; for venues that take an amount and no "all"."""

    def named(self, supplied: Amount) -> Amount:
        """Return the amount to name where the plan's position had so much supplied."""
        every = supplied if self.all_left is None else self.all_left
        return every if self.amount is None else self.amount


@dataclass(frozen=True, slots=True)
class Unpledge:
    """Let an asset count as collateral no more; it stays supplied. What the market lets leave after that is more."""

    asset: Address

    @property
    def amount(self) -> Amount:
        """Nothing moves."""
        return Amount(0)


@dataclass(frozen=True, slots=True)
class Pledge:
    """Let what is and will be supplied of an asset count as collateral, where a supply does not by itself."""

    asset: Address

    @property
    def amount(self) -> Amount:
        """Nothing moves."""
        return Amount(0)


@dataclass(frozen=True, slots=True)
class Borrow:
    """Borrow to the owner's wallet."""

    asset: Address
    amount: Amount


@dataclass(frozen=True, slots=True)
class Repay:
    """Repay the owner's debt from the signer's wallet: ``amount`` at most, or everything owed if ``is_all``."""

    asset: Address
    amount: Amount
    is_all: bool = False


@dataclass(frozen=True, slots=True)
class RepayWithCollateral:
    """Repay debt with the same asset's supply; of more than is owed only that is taken."""

    asset: Address
    amount: Amount


@dataclass(frozen=True, slots=True)
class Swap:
    """Buy exactly ``bought`` for at most ``sold``, to the owner's wallet."""

    route: Route
    sold: Amount
    bought: Amount


@dataclass(frozen=True, slots=True)
class SalePart:
    """What of a sale goes one way: so much given, and the least it must bring."""

    route: Route
    sold: Amount
    bought: Amount


@dataclass(frozen=True, slots=True)
class Flash:
    """Repay with a loan of the same call, take collateral out, sell it, give the loan back: one call, all or nothing.

    ``bought`` is borrowed and repaid (no more than is owed); with its ``fee`` that is the least that the sale must
    bring. ``sold`` is the collateral that leaves, all of which is sold. What is left goes to the owner's wallet, in the
    debt's asset.
    """

    lender: str
    """By name."""
    route: Route
    sold: Amount
    bought: Amount
    by_permit: bool = False
    """Whether the lender's adapter is approved by the owner's signature within the call, and by nothing before it."""
    beside: SalePart | None = None
    """What of the sale goes another way: a part of ``sold`` and ``due``, where two pools ask less than one."""
    then: tuple[Flash | Withdraw, ...] = ()
    """Loans that the same call takes after this one, of the same lender; and last what then leaves whole."""
    fee: Amount = Amount(0)  # noqa: RUF009 - a number
    """The most that the lender may take beyond what it lent; what it does not take is the owner's."""

    @property
    def left_whole(self) -> tuple[Address, ...]:
        """What of the owner's supplies the same call takes out whole at its end, to his wallet."""
        return tuple(move.asset for move in self.then if isinstance(move, Withdraw))

    def leaving(self, assets: Iterable[Address]) -> Flash:
        """Return the one call that also takes out all that is supplied of some assets then."""
        return replace(self, then=(*self.then, *(Withdraw(asset, None) for asset in assets)))

    @property
    def alone(self) -> Flash:
        """The loan without those after it."""
        return replace(self, then=())

    def joins(self, other: Flash) -> bool:
        """Return whether one call can do both: approvals before it would be calls of their own."""
        return self.lender == other.lender and self.by_permit and other.by_permit

    def before(self, other: Flash) -> Flash:
        """Return the one call that does another's loans after its own."""
        return replace(self, then=(*self.then, other.alone, *other.then))

    @property
    def due(self) -> Amount:
        """What the lender is owed at the end: the loan and its fee."""
        return Amount(self.bought + self.fee)

    @property
    def parts(self) -> tuple[SalePart, ...]:
        """Each way that the sale goes, the first with what is left of it."""
        if self.beside is None:
            return (SalePart(self.route, self.sold, self.due),)
        sold, bought = self.sold - self.beside.sold, self.due - self.beside.bought
        return SalePart(self.route, Amount(sold), Amount(bought)), self.beside


@dataclass(frozen=True, slots=True)
class FlashBoost:
    """Buy collateral with a loan of the same call, supply it, borrow what is owed on it, give the loan back.

    ``sold`` is lent, all of it sold, and then borrowed in the owner's name: just that and no more. ``bought`` is the
    least collateral that comes in; all that comes in is supplied. The lender asks no fee.
    """

    lender: str
    """By name."""
    route: Route
    sold: Amount
    bought: Amount
    held: Amount
    """What the lender must have: the loan, and the same again where it is the market, which lends to the owner too."""
    by_permit: bool = False
    """Whether the lender's agent is let act by the owner's words within the call, and by nothing before it."""

    @property
    def parts(self) -> tuple[SalePart, ...]:
        """The one way that the purchase goes."""
        return (SalePart(self.route, self.sold, self.bought),)


@dataclass(frozen=True, slots=True)
class Redeem:
    """Turn savings of the signer's into exactly ``amount`` of the asset, in the signer's wallet."""

    asset: Address
    token: Address
    amount: Amount


MarketMove = Supply | Withdraw | Pledge | Unpledge | Borrow | Repay | RepayWithCollateral
"""What a lending market itself does."""
ByLoan = Flash | FlashBoost
"""What one call does with a loan of its own."""
Move = Approve | MarketMove | Swap | ByLoan | Redeem


def one_by_one(moves: Iterable[Move]) -> Iterator[Move]:
    """Yield moves, and of a call that takes several loans each by itself."""
    for move in moves:
        if isinstance(move, Flash) and move.then:
            yield move.alone
            yield from move.then
        else:
            yield move


def loans(moves: Iterable[Move]) -> tuple[Flash, ...]:
    """Return every loan of one transaction among moves, each by itself."""
    return tuple(move for move in one_by_one(moves) if isinstance(move, Flash))


def borrowing(moves: Iterable[Move]) -> tuple[ByLoan, ...]:
    """Return every move that takes a loan of its own call, each loan by itself: to pay a debt, or to raise one."""
    return tuple(move for move in one_by_one(moves) if isinstance(move, ByLoan))


def raised(moves: Iterable[Move]) -> dict[Address, int]:
    """Return by asset what moves borrow in the owner's name, all in all."""
    found = dict[Address, int]()
    for move in moves:
        if isinstance(move, Borrow):
            found[move.asset] = found.get(move.asset, 0) + move.amount
        elif isinstance(move, FlashBoost):
            found[move.route.tokens[0]] = found.get(move.route.tokens[0], 0) + move.sold
    return found


def weight(move: Move) -> tuple[object, int] | None:
    """Return what a move is and how much of it, to tell plans apart; None for an approval: it follows from others."""
    match move:
        case Approve():
            return None
        case Swap(route, _, bought):
            return (Swap, route.tokens), bought
        case Flash(route=route, bought=bought):
            return (Flash, route.tokens), bought
        case FlashBoost(route=route, bought=bought):
            return (FlashBoost, route.tokens), bought
        case _:
            return (type(move), move.asset), move.amount or 0


GAS: dict[type[Move], int] = {
    Approve: 50_000,
    Supply: 250_000,
    Withdraw: 330_000,
    Pledge: 200_000,
    Unpledge: 200_000,
    Borrow: 400_000,
    Repay: 250_000,
    RepayWithCollateral: 350_000,
    Swap: 180_000,
    Flash: 600_000,
    FlashBoost: 480_000,
    Redeem: 300_000,
}
"""Gas to weigh candidates by, from above (measured on the dearest markets); the limit comes from the rehearsal."""
IN_ONE: dict[type[Move], int] = {
    Approve: 24_639,
    Supply: 102_818,
    Withdraw: 211_957,
    Pledge: 150_000,
    Unpledge: 101_294,
    Borrow: 201_064,
    Repay: 117_109,
    RepayWithCollateral: 176_272,
    Swap: 100_000,
    Flash: 540_000,
    FlashBoost: 360_000,
    Redeem: 230_000,
}
"""The dearest measured of each as a call of one transaction: nothing to begin with, and a part of it may be warm."""
AGAIN: dict[type[Move], int] = {
    Approve: 22_539,
    Supply: 33_700,
    Withdraw: 53_588,
    Borrow: 58_401,
    Repay: 39_018,
    Swap: 69_499,
}
"""The same for a move that this transaction made before with the same assets: what it touches is warm by then."""
ANOTHER_WAY = 200_000
"""A second sale within a call, and what is redeemed for it by itself."""
FEE = 40_000
"""What brings home of a lender's fee what it did not take, from above."""
PERMIT = 40_000
"""A permit within a call: 37,850 by the recordings."""
BEGINNING = 46_000
"""A transaction, and the word of its signer that delegates the account."""
MARGIN = 10
"""A part of this many is added to what was measured."""


def gas_of(moves: Sequence[Move], *, is_atomic: bool) -> int:
    """Return what moves take in gas, from above: each in a transaction of its own, or all in one."""
    moves = tuple(one_by_one(moves))
    if not is_atomic:
        return sum(GAS[type(move)] + _further(move) for move in moves)
    made, total = set[tuple[object, ...]](), BEGINNING
    for move in moves:
        key = (type(move), _touched(move))
        warm = AGAIN if key in made else IN_ONE
        total += warm.get(type(move), IN_ONE[type(move)]) * _pools(move) + _further(move)
        made.add(key)
    return total + total // MARGIN


def _touched(move: Move) -> object:
    return move.route if isinstance(move, Swap | ByLoan) else move.asset


def _further(move: Move) -> int:
    """Return what a sale within a loan takes for each pool beyond the first, and a permit within it."""
    if not isinstance(move, ByLoan):
        return 0
    if isinstance(move, FlashBoost):
        return IN_ONE[Swap] * (len(move.route.fees) - 1) + (PERMIT if move.by_permit else 0)
    another = ANOTHER_WAY if move.beside else 0
    return (
        IN_ONE[Swap] * (len(move.route.fees) - 1)
        + (PERMIT if move.by_permit else 0)
        + another
        + (FEE if move.fee else 0)
    )


def _pools(move: Move) -> int:
    return len(move.route.fees) if isinstance(move, Swap) else 1
