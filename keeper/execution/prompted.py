"""A person at the terminal is asked for each transaction: what it does, what it may cost, yes or no.

Where the keeper has no key for the account, it shows the bytes to be signed on a hardware wallet, and reads the signed
ones: they have to be what was shown, to the byte.
"""

from __future__ import annotations

from typing import Protocol

from keeper.core.notices import printable
from keeper.core.units import Address, Wei, gwei_text, wei_text
from keeper.execution.signer import Envelope, Signed, TransactionSigner
from keeper.execution.signing import Elsewhere, confirmed, unsigned_bytes
from keeper.execution.unsigned import away, refused
from keeper.venues.ports import Call

WITHIN_S = 90.0
"""How long a person is waited for. After that prices and fees are others: the plan is decided anew."""
YES = "yes"


class Terminal(Protocol):
    """Where a person sits."""

    async def ask(self, text: str, within_s: float) -> str | None:
        """Show a text and return the line that was typed; None where none was in time."""


class Prompted(Elsewhere):
    """Asks before another signer is asked; or has what it shows signed by hand, where there is none."""

    patience_s = 10.0

    def __init__(self, address: Address, terminal: Terminal, inner: TransactionSigner | None) -> None:
        super().__init__(address)
        self._terminal = terminal
        self._inner = inner

    async def _signed(self, call: Call, envelope: Envelope) -> Signed:
        """Return signed bytes once a person wants it so. Raises UnsignedError."""
        text = shown(self.address, call, envelope)
        if self._inner is None:
            payload = unsigned_bytes(call, envelope).hex()
            line = await self._line(
                f"{text}  to be signed: 0x{payload}\nThe signed transaction (0x02…), or nothing to refuse: "
            )
            if not line:
                raise refused("refused at the terminal")
            return confirmed(line, call, envelope, self.address)
        if await self._line(f"{text}Sign and send it? Type {YES!r}: ") != YES:
            raise refused("refused at the terminal")
        return await self._inner.signed(call, envelope)

    async def close(self) -> None:
        """Let go of the signer behind."""
        if self._inner is not None:
            await self._inner.close()

    async def _line(self, text: str) -> str:
        line = await self._terminal.ask(text, WITHIN_S)
        if line is None:
            raise away(f"nobody at the terminal answered within {WITHIN_S:g} s")
        return line.strip()


def shown(address: Address, call: Call, envelope: Envelope) -> str:
    """Return what a transaction does and may cost, as a person reads it before it is signed."""
    most = Wei(envelope.gas_limit * envelope.fees.max_fee)
    lines = (
        ("from", f"{address}, chain {envelope.chain_id}, nonce {envelope.nonce}"),
        ("does", printable(call.purpose) or "nothing that has a name"),
        ("to", call.to),
        ("value", wei_text(call.value)),
        ("gas", f"{envelope.gas_limit} at most, at {gwei_text(envelope.fees.max_fee)}: {wei_text(most)} at most"),
        ("data", "0x" + call.data.hex() if call.data else "none"),
    )
    body = "".join(f"  {name:<6} {text}\n" for name, text in lines)
    return f"\nA transaction waits for your signature:\n{body}"
