"""Names of the Ethereum Name Service: how one is written, and which two reads say whose it is.

web3's ``ens`` package normalises (ENSIP-15) and hashes; it is loaded by who has a name. The reads are the keeper's own,
so that they are pinned to a block and held against every node, which no provider of web3 does. Neither a wildcard
(ENSIP-10) nor a gateway outside the chain (EIP-3668) is followed: whose money is kept is not a web server's to say.
"""

from __future__ import annotations

from typing import Any, Final

from keeper.core.units import Address
from keeper.venues.codec.abi import address, load
from keeper.venues.ports import Answer, Probe

LONGEST: Final = 255
"""Bytes of a name."""
_ENS = load("ens")
_NOBODY: Final = "0x" + "00" * 20


def normalised(name: str) -> str:
    """Return a name as it is hashed. Raises ValueError, which says what is wrong: look-alikes, empty parts, blanks."""
    from ens.exceptions import ENSException, InvalidName  # noqa: PLC0415 - see above
    from ens.utils import normalize_name  # noqa: PLC0415 - see above

    if len(name.encode(errors="replace")) > LONGEST:
        raise ValueError(f"is longer than {LONGEST} bytes")
    try:
        found = str(normalize_name(name))
    except (InvalidName, ENSException, ValueError) as error:
        raise ValueError(" ".join(str(error).split())) from None
    if "." not in found:
        raise ValueError("has no dot")
    return found


def resolver_probe(registry: Address, name: str) -> Probe[Address | None]:
    """Return the read of a name's resolver; None where it has none. Raises ReadFailedError: no registry is there."""
    return _probe(registry, "resolver", name)


def address_probe(resolver: Address, name: str) -> Probe[Address | None]:
    """Return the read of the address that a name points to; None where it points to none. Raises ReadFailedError."""
    return _probe(resolver, "addr", name)


def _probe(contract: Address, function: str, name: str) -> Probe[Address | None]:
    from ens.utils import raw_name_to_hash  # noqa: PLC0415 - see above

    asked = getattr(_ENS, function)

    def decode(answers: Any) -> Address | None:
        (answer,) = tuple[Answer](answers)
        (found,) = asked.decode(answer)
        return None if int(str(found), 16) == int(_NOBODY, 16) else address(found)

    return Probe((asked.read(contract, bytes(raw_name_to_hash(name))),), decode)
