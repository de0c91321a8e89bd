"""Token movements, as the tokens themselves logged them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from keeper.core.units import Address
from keeper.venues.codec.abi import address
from keeper.venues.codec.hashes import keccak
from keeper.venues.codec.quantities import octets

TOPIC = "0x" + keccak(text="Transfer(address,address,uint256)").hex()


@dataclass(frozen=True, slots=True)
class Transfer:
    """So much of a token went from one account to another."""

    token: Address
    giver: Address
    receiver: Address
    amount: int


def transfers(logs: object) -> tuple[Transfer, ...]:
    """Return the movements among some logs; what is no log of one is left out, whatever it is."""
    return tuple(_read(logs)) if isinstance(logs, list) else ()


def _read(logs: Iterable[Any]) -> Iterator[Transfer]:
    for log in logs:
        try:
            topic, giver, receiver = log["topics"]
            data = octets(log["data"])
            if str(topic).lower() == TOPIC and len(data) == 32:
                amount = int.from_bytes(data, "big")
                yield Transfer(address(log["address"]), _account(giver), _account(receiver), amount)
        except (KeyError, TypeError, ValueError):
            continue


def _account(topic: str) -> Address:
    return address("0x" + octets(topic)[-20:].hex())
