"""What a bundle comes to for whoever begins it: followed hand by hand, and refused if anything stays in one of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import assert_never

from keeper.core.units import UINT256_MAX, Address
from keeper.venues.effects import (
    Allows,
    Borrows,
    Bundles,
    Deposits,
    Entrusts,
    Flow,
    Lends,
    Owes,
    Passes,
    Pays,
    Permits,
    Pulls,
    Redeems,
    Releases,
    Repays,
    Returns,
    Sells,
    Takes,
    Trades,
)

NO_BOUND = UINT256_MAX
LOST_IN_ROUNDING = 2
"""Smallest units that redeeming may give less than was supplied."""


@dataclass(frozen=True, slots=True)
class Sum:
    """What is pulled from the owner's wallet, and the whole in the words of single calls.

    What a sale brings in pays what is repaid, whatever is lent between them.
    """

    pulled: tuple[Pulls, ...]
    leaves: tuple[Takes | Borrows | Sells | Pays, ...]
    permitted: tuple[Permits, ...] = ()
    """What the owner's signatures within it approve, before anything is pulled."""
    entrusted: tuple[Entrusts, ...] = ()
    """Whom they let act for the owner's account, and no more before its end."""


def summed(bundle: Bundles, owner: Address) -> Sum:
    """Return what a bundle comes to for an owner who begins it. Raises ValueError for one that no keeper sends.

    Every hand has to be empty at its end, whatever the sale brings and however much of the debt is left by then: what
    stays in a hand is anybody's. A wallet of somebody else is a hand that nothing empties.
    """
    permitted = tuple(_permit(flow, owner) for flow in bundle.flows if isinstance(flow, Permits))
    entrusted = tuple(_entrusted(bundle.flows, owner))
    # who saw such a word may use it first; then it holds, and if it does not, what rests on it stops all
    if any(not _is_word(bundle.flows[i]) for i in bundle.may_fail):
        raise ValueError("a step of a bundle that may fail without a trace")
    hands, taken, sold, paid = _Hands(owner), list[Pulls | Releases](), list[Sells](), list[Pays]()
    most = {permit.asset: permit.amount for permit in reversed(permitted)}
    for flow in bundle.flows:
        if isinstance(flow, Pulls) and flow.amount is None:
            _pull_all(flow, most, hands, taken)
        elif not isinstance(flow, Permits | Entrusts):  # it moves nothing: it is judged with what rests on it
            _follow(flow, hands, taken, sold, paid)
    borrowed = tuple(_borrowed(bundle.flows, owner))
    for holder, asset in hands.kept():
        raise ValueError(f"leaves {asset} with {holder}, where anybody may take it")
    if not taken and not borrowed and not sold and not paid:
        raise ValueError("a bundle that comes to nothing")
    takes = [Takes(pull.asset, pull.amount, owner) for pull in taken]
    pulled = tuple(pull for pull in taken if isinstance(pull, Pulls))
    return Sum(pulled, (*takes, *borrowed, *sold, *paid), permitted, entrusted)


def _is_word(flow: Flow) -> bool:
    """Return whether a step only says that somebody may: to take that back is none of these."""
    return (isinstance(flow, Permits) and flow.amount > 0) or (isinstance(flow, Entrusts) and flow.is_on)


def _pull_all(flow: Pulls, most: Mapping[Address, int], hands: _Hands, taken: list[Pulls | Releases]) -> None:
    """All of a supply: at most what the bundle's own first permit for it says."""
    if flow.asset not in most or flow.receiver == hands.owner:
        raise ValueError("pulls all there is")
    hands.put(flow.receiver, flow.asset, 0, most[flow.asset])
    taken.append(flow)


def _entrusted(flows: Sequence[Flow], owner: Address) -> Iterator[Entrusts]:
    """Yield who is let act for the owner. Raises ValueError where that outlives the bundle."""
    still = set[Address]()
    for flow in flows:
        if isinstance(flow, Entrusts):
            if flow.beneficiary != owner:
                raise ValueError(f"a word of {flow.beneficiary}, who is not the owner")
            (still.add if flow.is_on else still.discard)(flow.agent)
            yield flow
    for agent in still:
        raise ValueError(f"lets {agent} act for the owner's account beyond the bundle")


def _borrowed(flows: Sequence[Flow], owner: Address) -> Iterator[Borrows]:
    """Yield what is borrowed in the owner's name. Raises ValueError for more than the loans of the bundle take back.

    What is borrowed beyond that would be money that the owner owes, wherever it goes.
    """
    owed, given_back = Counter[Address](), Counter[Address]()
    for flow in flows:
        if isinstance(flow, Owes):
            owed[flow.asset] += flow.amount
            yield Borrows(flow.asset, flow.amount, owner)
        elif isinstance(flow, Returns):
            given_back[flow.asset] += flow.amount
    for asset, amount in owed.items():
        if amount > given_back[asset]:
            raise ValueError(f"borrows {amount} of {asset}, its loans take back {given_back[asset]}")


def _permit(flow: Permits, owner: Address) -> Permits:
    if flow.owner != owner:
        raise ValueError(f"a permit of {flow.owner}, who is not the owner")
    return flow


@dataclass(slots=True)
class _Hands:
    """By holder and asset: the least and the most that is there. The owner's own wallet is no hand."""

    owner: Address
    held: dict[tuple[Address, Address], tuple[int, int]] = field(default_factory=dict)

    def put(self, holder: Address, asset: Address, least: int, most: int) -> None:
        if holder != self.owner:
            before = self.held.get((holder, asset), (0, 0))
            self.held[holder, asset] = (before[0] + least, min(NO_BOUND, before[1] + most))

    def take(self, holder: Address, asset: Address, amount: int | None, what: str) -> tuple[int, int]:
        """Return the least and the most that is taken. Raises ValueError for more than must be there."""
        least, most = self.held.pop((holder, asset), (0, 0))
        if amount is None:
            return least, most
        if least < amount:
            raise ValueError(f"{what} {amount} of {asset}, {holder} has {least} for certain")
        if most > amount:
            self.held[holder, asset] = (least - amount, most if most >= NO_BOUND else most - amount)
        return amount, amount

    def give_back(self, flow: Returns) -> None:
        """Take what a lender may: the loan, and a fee of which some may be left. Raises ValueError for more."""
        self.take(flow.holder, flow.asset, flow.amount, "gives back")
        if flow.fee is None:
            return
        _, most = self.held.pop((flow.holder, flow.asset), (0, 0))
        if most > flow.fee:
            raise ValueError(f"leaves the lender {most} of {flow.asset} beyond its loan, {flow.fee} is its fee at most")
        self.put(flow.holder, flow.asset, 0, most)

    def kept(self) -> Sequence[tuple[Address, Address]]:
        return [key for key, (_, most) in self.held.items() if most]


def _follow(  # noqa: C901, PLR0912 - one case for each flow
    flow: Flow, hands: _Hands, taken: list[Pulls | Releases], sold: list[Sells], paid: list[Pays]
) -> None:
    match flow:
        case Lends(asset, amount, receiver):
            hands.put(receiver, asset, amount, amount)
        case Returns():
            hands.give_back(flow)
        case Pulls(asset, amount, receiver, _):
            if amount is None:
                raise ValueError("pulls all there is")
            hands.put(receiver, asset, amount, amount)
            taken.append(flow)
        case Releases(asset, amount, receiver, _):
            hands.put(receiver, asset, amount, amount)
            taken.append(flow)
        case Owes(asset, amount, receiver, _):
            hands.put(receiver, asset, amount, amount)
        case Deposits(asset, holder, beneficiary):
            least, _ = hands.take(holder, asset, None, "supplies")
            if not least:
                raise ValueError(f"supplies {asset} of which {holder} has nothing for certain")
            paid.append(Pays(asset, least, beneficiary, holder))
        case Passes(asset, amount, holder, receiver):
            hands.put(receiver, asset, *hands.take(holder, asset, amount, "passes on"))
        case Repays(asset, amount, holder, beneficiary):
            _, most = hands.take(holder, asset, amount, "repays")
            hands.put(holder, asset, 0, most)  # as much as is not owed any more
            paid.append(Pays(asset, most, beneficiary, holder))
        case Redeems(asset, token, amount, holder, receiver):
            least, most = hands.take(holder, token, amount, "redeems")
            hands.put(receiver, asset, max(0, least - LOST_IN_ROUNDING), most)
        case Trades():
            _sell(flow, hands, sold)
        case Allows() | Permits():
            raise ValueError(f"an approval within a bundle, for {flow.spender}")
        case Entrusts():
            raise ValueError(f"lets {flow.agent} act for the owner's account")
        case _:
            assert_never(flow)


def _sell(trade: Trades, hands: _Hands, sold: list[Sells]) -> None:
    _, most = hands.take(trade.holder, trade.asset, trade.amount, "sells")
    hands.put(trade.receiver, trade.bought, trade.least, NO_BOUND)
    through, owner = trade.holder, hands.owner
    sold.append(Sells(trade.asset, most, trade.bought, trade.least, owner, through, trade.deadline))
