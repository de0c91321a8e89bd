"""What a plan cut short left outside the position, from the calls of it that were mined: there it secures nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from keeper.core.lending.moves import Repay, Supply
from keeper.core.snapshot import LendingPosition
from keeper.core.units import Address, Amount, Wei
from keeper.execution.policy import Allowed, opened
from keeper.journal import Transaction
from keeper.venues.effects import (
    Approves,
    Borrows,
    Bundles,
    Call,
    Draws,
    Entrusts,
    GivesBack,
    Leaf,
    Lends,
    Pays,
    Permits,
    Pulls,
    Sells,
    Takes,
)


def outside(rows: Iterable[Transaction], allowed: Allowed) -> dict[Address, Amount]:
    """Return by asset what mined rows took out or bought and neither sold nor paid in.

    ``allowed`` is the allow-list without the batch account: a batch does all or nothing and leaves nothing. A swap
    counts as selling the most it may; what takes out or pays all there is leaves nothing that could be counted.
    """
    left = Counter[Address]()
    for row in rows:
        if row.state in ("mined", "confirmed") and row.to in allowed:
            call = Call(Address(row.to), bytes.fromhex(row.data[2:]), Wei(row.value), f"transaction {row.id}")
            for _, leaf in opened(call, allowed):
                for asset, amount in _moved(leaf):
                    left[asset] = 0 if amount is None else left[asset] + amount
    return {asset: Amount(amount) for asset, amount in left.items() if amount > 0}


def standing(rows: Iterable[Transaction], allowed: Allowed) -> dict[tuple[Address, Address], int]:
    """Return by token and spender what mined rows approved and no mined row took: bundles pull what they are given."""
    left = dict[tuple[Address, Address], int]()
    for row in rows:
        if row.state in ("mined", "confirmed") and row.to in allowed:
            call = Call(Address(row.to), bytes.fromhex(row.data[2:]), Wei(row.value), f"transaction {row.id}")
            for _, leaf in opened(call, allowed):
                _allow(left, leaf)
    return {key: amount for key, amount in left.items() if amount > 0}


def entrusted(rows: Iterable[Transaction], allowed: Allowed) -> frozenset[Address]:
    """Return who was let act for all of the owner's account by mined rows, and by no mined row no more."""
    still = set[Address]()
    for row in rows:
        if row.state in ("mined", "confirmed") and row.to in allowed:
            call = Call(Address(row.to), bytes.fromhex(row.data[2:]), Wei(row.value), f"transaction {row.id}")
            for _, leaf in opened(call, allowed):
                if isinstance(leaf, Entrusts):
                    (still.add if leaf.is_on else still.discard)(leaf.agent)
    return frozenset(still)


def _allow(left: dict[tuple[Address, Address], int], leaf: Leaf) -> None:
    match leaf:
        case Approves(asset, spender, amount):
            left[asset, spender] = amount
        case Bundles(flows):
            for flow in flows:
                if isinstance(flow, Permits):
                    left[flow.asset, flow.spender] = flow.amount
                elif isinstance(flow, Pulls):
                    left[flow.asset, flow.through] = max(
                        0, left.get((flow.asset, flow.through), 0) - (flow.amount or 0)
                    )
        case _:
            return


def within(left: Mapping[Address, Amount], held: Mapping[Address, Amount]) -> dict[Address, Amount]:
    """Return what of it a wallet still has."""
    found = {asset: Amount(min(amount, held.get(asset, 0))) for asset, amount in left.items()}
    return {asset: amount for asset, amount in found.items() if amount}


def payments(left: dict[Address, Amount], position: LendingPosition) -> list[Supply | Repay]:
    """Return what brings it back: a debt in the asset is repaid, else it is supplied."""
    owing = {h.asset for h in position.holdings if h.borrowed}
    return [Repay(asset, amount) if asset in owing else Supply(asset, amount) for asset, amount in left.items()]


def _moved(leaf: Leaf) -> Iterator[tuple[Address, int | None]]:
    """Yield by asset what comes into the wallet; None where that is all there is."""
    match leaf:
        case Takes(asset, amount) | Borrows(asset, amount) | Draws(asset, amount):
            yield asset, amount
        case Lends(asset, amount):
            yield asset, amount
        case GivesBack(asset, amount):
            yield asset, -amount
        case Pays(asset, amount):
            yield asset, None if amount is None else -amount
        case Sells(asset, most, bought, least):
            yield asset, -most
            yield bought, least
        case _:
            return
