"""What a liquidation took from its owner, read from the events of its transaction: the protocol's share too.

`LiquidationCall` names what the liquidator got. The protocol's share of the bonus leaves as a transfer of aTokens of
its own, and is as lost to the owner.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from web3 import Web3

from sandbox.world import World

LIQUIDATION_TOPIC = Web3.keccak(text="LiquidationCall(address,address,address,uint256,uint256,address,bool)")
TRANSFER_TOPIC = Web3.keccak(text="Transfer(address,address,uint256)")
DEFICIT_TOPIC = Web3.keccak(text="DeficitCreated(address,address,uint256)")
NOBODY = bytes(32)


@dataclass(frozen=True, slots=True)
class Seizure:
    """One liquidation, in smallest units: what liquidator and protocol got, what was repaid, what debt was forgiven."""

    owner: str
    collateral: str
    """The asset's address."""
    debt: str
    taken: int
    protocol: int
    repaid: int
    forgiven: int


def seizures(world: World, logs: Sequence[Any]) -> list[Seizure]:
    """Every liquidation in the logs of one transaction, in their order."""
    events, found, begin = world.pool.events.LiquidationCall(), list[Seizure](), 0
    for i, log in enumerate(logs):
        if log["topics"][0] != LIQUIDATION_TOPIC:
            continue
        event = events.process_log(log)["args"]
        mine = logs[begin:i]
        begin = i + 1
        found.append(
            Seizure(
                owner=event["user"],
                collateral=event["collateralAsset"],
                debt=event["debtAsset"],
                taken=event["liquidatedCollateralAmount"],
                protocol=_protocol_share(world, mine, event["user"], event["collateralAsset"]),
                repaid=event["debtToCover"],
                forgiven=sum(int.from_bytes(x["data"]) for x in mine if _is_about(x, DEFICIT_TOPIC, event["user"])),
            )
        )
    return found


def _protocol_share(world: World, logs: Sequence[Any], owner: str, collateral: str) -> int:
    """What moved of the owner's aTokens to somebody, rather than being burnt for the liquidator."""
    symbols = {address: symbol for symbol, address in world.addresses["tokens"].items()}
    a_token = world.addresses["a_tokens"][symbols[collateral]]
    moved = (x for x in logs if x["address"] == a_token and _is_about(x, TRANSFER_TOPIC, owner))
    return sum(int.from_bytes(x["data"]) for x in moved if bytes(x["topics"][2]) != NOBODY)


def _is_about(log: Any, topic: Any, owner: str) -> bool:
    topics = log["topics"]
    return len(topics) > 1 and topics[0] == topic and bytes(topics[1])[-20:] == bytes.fromhex(owner[2:])
