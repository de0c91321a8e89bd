"""Money that earns until a rescue needs it: what redeeming gives now, and the call that redeems."""

from __future__ import annotations

from typing import Protocol

from keeper.core.units import Address, Amount
from keeper.venues.effects import Call, Decoder
from keeper.venues.ports.reads import Probe


class Saver(Protocol):
    """One token of savings: shares of a vault, or what stands for a supply in a lending pool."""

    @property
    def token(self) -> Address:
        """What the wallet holds."""

    @property
    def asset(self) -> Address:
        """What redeeming gives."""

    @property
    def teller(self) -> Address:
        """The contract that redeems."""

    def probe(self, holder: Address) -> Probe[Amount]:
        """Return the probe of how much of the asset a holder gets by redeeming now; nothing where nobody says."""

    def encode(self, amount: Amount, holder: Address) -> Call:
        """Return the call that redeems exactly so much of the asset into the holder's own wallet."""

    def decoder(self) -> Decoder:
        """Return what calls to the teller do."""
