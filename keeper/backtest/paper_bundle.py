"""What the steps of a bundle do to an account on paper: followed hand by hand, all of it or nothing. Values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from keeper.backtest.paper_calls import HAND, LENDER, POOL, ROUTER
from keeper.backtest.paper_lender import SHORT
from keeper.backtest.standing import PaperPools, PaperStanding, RevertError, moved, offset, safe
from keeper.core.units import Address
from keeper.venues.contracts.transfers import Transfer
from keeper.venues.effects import Bundles, Flow, Lends, Passes, Pulls, Redeems, Repays, Returns, Trades

HANDS = (LENDER, HAND, ROUTER)
TOO_LITTLE = "Too little received"
"""What an exchange says of a sale of all that is there, where the price has gone."""


@dataclass(slots=True)
class Followed:
    """An account and what lies in hands while a bundle runs, and what tokens say that it moved."""

    stands: PaperStanding
    pools: PaperPools
    there: Mapping[Address, int]
    """What the lender has of each asset."""
    receipts: Mapping[Address, Address]
    """Token that stands for a supply → its asset."""
    held: dict[tuple[Address, Address], int] = field(default_factory=dict)
    moves: list[Transfer] = field(default_factory=list)

    def run(self, bundle: Bundles) -> tuple[PaperStanding, tuple[Transfer, ...]]:
        """Return what all steps leave. Raises RevertError."""
        for flow in bundle.flows:
            self._step(flow)
        return self.stands, tuple(self.moves)

    def _step(self, flow: Flow) -> None:
        match flow:
            case Lends(asset, amount, receiver):
                if amount > self.there.get(asset, 0):
                    raise RevertError(SHORT)
                self._put(POOL, receiver, asset, amount)
            case Repays(asset, amount, holder, _):
                has = self.held.get((holder, asset), 0)
                owed = self.stands.of(asset).borrowed
                self._take(holder, POOL, asset, paid := min(owed, has if amount is None else amount))
                self.stands = offset(self.stands, asset, 0, -paid)
            case Pulls(token, int() as amount, receiver, through):
                self._pull(token, amount, receiver, through)
            case Redeems(asset, token, amount, holder, receiver):
                taken = self._take(holder, POOL, token, amount)
                self._put(POOL, receiver, asset, taken)
            case Trades(asset, amount, holder, bought, least, receiver, _):
                got = self.pools.proceeds(asset, bought, self._take(holder, POOL, asset, amount))
                if got < least:
                    raise RevertError(TOO_LITTLE)
                self._put(POOL, receiver, bought, got)
            case Returns(asset, amount, holder):
                self._take(holder, POOL, asset, amount)
            case Passes(asset, amount, holder, receiver):
                has = self.held.get((holder, asset), 0) if amount is None else amount
                self._take(holder, receiver, asset, has)
                self._give(receiver, asset, has)
            case _:
                raise RevertError(f"{type(flow).__name__} is nothing that this lender does")

    def _pull(self, token: Address, amount: int, receiver: Address, through: Address) -> None:
        """Move what stands for a supply out of the account: it stays a loan that the market lets stand."""
        allowed = self.stands.allowed.get((token, through), 0)
        if amount > allowed:
            raise RevertError("transfer amount exceeds allowance")
        left = {**self.stands.allowed, (token, through): allowed - amount}
        taken = offset(replace(self.stands, allowed=left), self.receipts[token], -amount, 0)
        self.stands = safe(taken)
        self._put(POOL, receiver, token, amount)

    def _put(self, giver: Address, receiver: Address, token: Address, amount: int) -> None:
        self.moves.append(Transfer(token, giver, receiver, amount))
        self._give(receiver, token, amount)

    def _give(self, receiver: Address, token: Address, amount: int) -> None:
        if receiver in HANDS:
            self.held[receiver, token] = self.held.get((receiver, token), 0) + amount
        else:
            self.stands = moved(self.stands, token, amount)

    def _take(self, holder: Address, receiver: Address, token: Address, amount: int | None) -> int:
        has = self.held.get((holder, token), 0)
        taken = has if amount is None else amount
        if taken > has:
            raise RevertError("transfer amount exceeds balance")
        self.held[holder, token] = has - taken
        self.moves.append(Transfer(token, holder, receiver, taken))
        return taken
