"""What a plan is sent under, whatever it is about."""

from __future__ import annotations

from dataclasses import dataclass

from keeper.core.snapshot import Wallet
from keeper.core.units import Wei
from keeper.execution import policy
from keeper.journal import Entry


@dataclass(frozen=True, slots=True)
class Warrant:
    """What a plan is sent under: its decision, what the rule grants, the wallet it was made for, the fee ceiling."""

    entry: Entry
    grant: policy.Grant
    wallet: Wallet
    ceiling: Wei | None

    @property
    def decision_id(self) -> int:
        """The decision's id; zero while it is not written, as before the first bytes signed for it."""
        return self.entry.id or 0

    @property
    def balance(self) -> Wei:
        """The signer's native currency."""
        return self.wallet.native
