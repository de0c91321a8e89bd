"""What a call is, and what it does: effects, the same few for every venue. The gate judges these and nothing else.

A venue reads its own calldata into them by a decoder that is written apart from its encoder. Where a call names nobody
(``beneficiary`` is None) it is for whoever sends it. Amounts are in smallest units, sizes unsigned in the market's own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from keeper.core.units import Address, Wei


@dataclass(frozen=True, slots=True)
class Call:
    """Calldata ready to be rehearsed, signed and sent."""

    to: Address
    data: bytes
    value: Wei
    purpose: str
    least_gas: int = field(default=0, compare=False)
    """Gas limit it needs, whatever it uses; zero where what it uses suffices."""


@dataclass(frozen=True, slots=True)
class Approves:
    """Lets ``spender`` take an asset from the sender's wallet: exactly ``amount``, whatever was allowed before."""

    asset: Address
    spender: Address
    amount: int
    until: int | None = None
    """Unix seconds after which it is void; None: it stands until it is used or taken back."""


@dataclass(frozen=True, slots=True)
class Pays:
    """Moves an asset from the sender's wallet into somebody's position; ``through`` takes it, by its allowance."""

    asset: Address
    amount: int | None
    """None: as much as is owed, and no more than the allowance."""
    beneficiary: Address | None
    through: Address


@dataclass(frozen=True, slots=True)
class Takes:
    """Moves an asset out of the sender's position to somebody."""

    asset: Address
    amount: int | None
    """None: all of it."""
    beneficiary: Address | None


@dataclass(frozen=True, slots=True)
class Draws:
    """Turns savings into the asset itself: those of ``holder`` (None: the sender's), for ``receiver``'s wallet."""

    asset: Address
    amount: int
    holder: Address | None
    receiver: Address


@dataclass(frozen=True, slots=True)
class Borrows:
    """Takes on a debt for somebody's account; the sender gets the asset."""

    asset: Address
    amount: int
    beneficiary: Address | None
    """Whose debt it becomes."""


@dataclass(frozen=True, slots=True)
class Offsets:
    """Pays the sender's debt with the sender's own supply of the same asset."""

    asset: Address
    amount: int
    beneficiary: Address | None = None


@dataclass(frozen=True, slots=True)
class Pledges:
    """Lets an asset of the sender's position secure its debts, what is supplied of it and what will be."""

    asset: Address
    beneficiary: Address | None = None


@dataclass(frozen=True, slots=True)
class Unpledges:
    """Lets an asset of the sender's position secure nothing any more; it stays where it is."""

    asset: Address
    beneficiary: Address | None = None


@dataclass(frozen=True, slots=True)
class Insists:
    """Moves nothing, and reverts where the sender's position has less than ``least`` of an asset."""

    asset: Address
    least: int
    beneficiary: Address | None


@dataclass(frozen=True, slots=True)
class Sells:
    """Sells at most ``most`` of the wallet's ``asset`` for at least ``least`` of ``bought``, until a deadline."""

    asset: Address
    most: int
    bought: Address
    least: int
    beneficiary: Address | None
    through: Address
    deadline: int
    by: Address | None = None
    """Who has to be approved as well, where ``through`` takes for others: it keeps approvals of its own."""


@dataclass(frozen=True, slots=True)
class Opens:
    """Makes a position larger, or begins one. ``worst_price`` is in the market's precision; None: it bears none."""

    market: Address
    is_long: bool
    size: int
    worst_price: int | None
    beneficiary: Address | None = None
    deadline: int | None = None


@dataclass(frozen=True, slots=True)
class Closes:
    """Makes a position smaller; ``is_long`` is the side of the position that is closed."""

    market: Address
    is_long: bool
    size: int | None
    """None: all of it, whatever it has become."""
    worst_price: int | None
    beneficiary: Address | None = None
    deadline: int | None = None


@dataclass(frozen=True, slots=True)
class Orders:
    """Leaves an order with the venue that closes (or opens) by itself once the price passes ``trigger_price``."""

    market: Address
    is_long: bool
    size: int | None
    trigger_price: int
    worst_price: int
    opens: bool
    beneficiary: Address | None = None
    goes_with_position: bool = False
    """Whether the venue takes it back when the position is gone."""


@dataclass(frozen=True, slots=True)
class Changes:
    """Gives an order that rests with the venue another size and other prices."""

    order: str
    size: int
    trigger_price: int
    worst_price: int
    goes_with_position: bool
    beneficiary: Address | None = None


@dataclass(frozen=True, slots=True)
class Cancels:
    """Takes an order back."""

    order: str
    beneficiary: Address | None = None


@dataclass(frozen=True, slots=True)
class Claims:
    """Collects what a venue owes beside the position: (market, token) by pair."""

    what: tuple[tuple[Address, Address], ...]
    beneficiary: Address | None


@dataclass(frozen=True, slots=True)
class Carries:
    """Sends native currency along, for the venue's keepers."""

    amount: int


@dataclass(frozen=True, slots=True)
class UsesUp:
    """Uses up the next nonce of a contract account, and does nothing else."""

    account: Address


@dataclass(frozen=True, slots=True)
class GivesBack:
    """Moves an asset from the sender's wallet to whom it was lent by; ``Returns`` says that it was taken for that."""

    asset: Address
    amount: int
    lender: Address


@dataclass(frozen=True, slots=True)
class Entrusts:
    """Lets ``agent`` act for all of somebody's account at a market, or no more. Nothing bounds what it may take."""

    agent: Address
    is_on: bool
    beneficiary: Address | None = None
    """Whose account; within a bundle it is said by his signature."""
    deadline: int | None = None
    """Until when the signature may be used."""


@dataclass(frozen=True, slots=True)
class Nested:
    """Makes another call, which is judged as if it had been sent by itself."""

    call: Call


# --- what one call does by hands of others ----------------------------------------------------------------------------
# A bundler's contracts hold money while the call runs and no longer. "None" as an amount is all that the holder has.


@dataclass(frozen=True, slots=True)
class Lends:
    """A lender gives an asset into the hands of ``receiver``; it takes the same back before the call ends."""

    asset: Address
    amount: int
    receiver: Address
    fee: int = 0
    """The most that may go back beyond it."""


@dataclass(frozen=True, slots=True)
class Returns:
    """The lender takes back from a hand what it lent."""

    asset: Address
    amount: int
    holder: Address
    fee: int | None = 0
    """The most that it may take beyond it; None: it is the market itself, which has more of the owner's than that."""


@dataclass(frozen=True, slots=True)
class Pulls:
    """Moves a token from the wallet of whoever began the bundle; ``through`` takes it, by its allowance."""

    asset: Address
    amount: int | None
    receiver: Address
    through: Address


@dataclass(frozen=True, slots=True)
class Passes:
    """Moves an asset from a hand to another, or to somebody's wallet."""

    asset: Address
    amount: int | None
    holder: Address
    receiver: Address


@dataclass(frozen=True, slots=True)
class Repays:
    """Repays somebody's debt out of a hand, no more than is owed: a rest stays in the hand."""

    asset: Address
    amount: int | None
    holder: Address
    beneficiary: Address


@dataclass(frozen=True, slots=True)
class Redeems:
    """Turns the supply that a hand holds into the asset itself, for ``receiver``; ``token`` stands for the supply."""

    asset: Address
    token: Address
    amount: int | None
    holder: Address
    receiver: Address


@dataclass(frozen=True, slots=True)
class Releases:
    """Moves collateral out of the account of whoever began the bundle; ``through`` may, being entrusted with it."""

    asset: Address
    amount: int
    receiver: Address
    through: Address


@dataclass(frozen=True, slots=True)
class Deposits:
    """Supplies all of an asset that a hand holds, in somebody's name."""

    asset: Address
    holder: Address
    beneficiary: Address


@dataclass(frozen=True, slots=True)
class Owes:
    """Borrows in the name of whoever began the bundle, for ``receiver``; ``through`` may, being entrusted with it."""

    asset: Address
    amount: int
    receiver: Address
    through: Address


@dataclass(frozen=True, slots=True)
class Trades:
    """Sells what a hand holds for at least ``least`` of ``bought``, to ``receiver``, until a deadline."""

    asset: Address
    amount: int | None
    holder: Address
    bought: Address
    least: int
    receiver: Address
    deadline: int


@dataclass(frozen=True, slots=True)
class Allows:
    """Lets ``spender`` take an asset out of a hand."""

    asset: Address
    amount: int
    holder: Address
    spender: Address


@dataclass(frozen=True, slots=True)
class Permits:
    """Lets ``spender`` take an asset from the wallet of ``owner``, by the owner's signature in the call."""

    asset: Address
    amount: int
    owner: Address
    spender: Address
    deadline: int


Flow = (
    Lends
    | Returns
    | Pulls
    | Passes
    | Repays
    | Redeems
    | Releases
    | Deposits
    | Owes
    | Trades
    | Allows
    | Permits
    | Entrusts
)
"""One step of a bundle."""


@dataclass(frozen=True, slots=True)
class Bundles:
    """All that one bundle does, in its order, down to the last leaf. It is judged as a whole.

    ``may_fail`` are the places of steps whose failure leaves no trace and stops nothing.
    """

    flows: tuple[Flow, ...]
    may_fail: tuple[int, ...] = ()


Ours = (
    Pays
    | Takes
    | Borrows
    | Offsets
    | Pledges
    | Unpledges
    | Insists
    | Sells
    | Opens
    | Closes
    | Orders
    | Changes
    | Cancels
    | Claims
)
"""What is done with somebody's position or money: each must be the owner's."""
Lent = Lends | GivesBack | Returns
"""A loan of the same transaction, step by step as calls of the account itself: all of it must have gone back."""
Leaf = Approves | Carries | Bundles | UsesUp | Lent | Draws | Entrusts | Ours
Effect = Leaf | Nested
Decoder = Callable[[Call], tuple[Effect, ...]]
"""What calls to one contract do. Raises ValueError for every call that a keeper does not make."""
