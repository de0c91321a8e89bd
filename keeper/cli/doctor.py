"""``keeper doctor``: is everything there that a rescue will need? Reads only."""

from __future__ import annotations

from dataclasses import dataclass

from keeper.chain.errors import NodeError
from keeper.chain.fork import find_anvil
from keeper.chain.simulation import SimulationUnsupportedError, simulate
from keeper.core.positions import Unreadable
from keeper.core.units import wei_text
from keeper.house import House
from keeper.settings import Settings, Signer
from keeper.venues import batch_account

LEAST_NATIVE = 10**16
"""0.01 of the native token: less may not pay for one deleverage in a crash."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at."""

    topic: str
    is_fine: bool
    text: str


async def examine(house: House, settings: Settings) -> list[Finding]:
    """Return what was found, in the order an owner would fix it. Raises NodeError when there is no node at all."""
    blocks = house.watch.blocks
    await blocks.check_chain()
    block = await blocks.head()
    snapshot = await house.watch.snapshot(block)
    findings = [Finding("node", True, f"chain {block.chain_id}, block {block.number}")]
    findings.append(await _simulation(house, settings))
    anvil = find_anvil()
    text = str(anvil.name) if anvil else "not found: dry runs need it; put it on PATH or name it in KEEPER_ANVIL"
    findings.append(Finding("anvil", anvil is not None, text))
    for position in snapshot.positions:
        unread = position.doubt.detail if isinstance(position, Unreadable) else ""
        is_read = not isinstance(position, Unreadable) and not position.is_empty
        what = "read" if is_read else unread or "has nothing in this market, or cannot be read: check `owner`"
        findings.append(Finding(f"position {position.name}", is_read, what))
    for address, wallet in snapshot.wallets.items():
        enough = wallet.native >= LEAST_NATIVE
        findings.append(Finding(f"gas money of {address}", enough, wei_text(wallet.native)))
    for signer in settings.signers:
        findings += await _signer(house, settings, signer)
    findings.append(
        Finding("alarms", bool(settings.alerts.urls), f"{len(settings.alerts.urls)} addresses ([alerts] urls)")
    )
    return findings


async def _simulation(house: House, settings: Settings) -> Finding:
    blocks = house.watch.blocks
    block = await blocks.head()
    try:
        await simulate(blocks.node, block, settings.positions[0].spender, [], [], blocks.multicall)
    except SimulationUnsupportedError:
        return Finding("eth_simulateV1", False, "the node has none: plans are rehearsed on an anvil fork, more slowly")
    except NodeError as error:
        return Finding("eth_simulateV1", False, str(error))
    return Finding("eth_simulateV1", True, "plans are rehearsed by the node itself")


async def _signer(house: House, settings: Settings, signer: Signer) -> list[Finding]:
    topic = f"signer {signer.name}"
    if signer.keystore is None:
        return [Finding(topic, False, "no keystore: cannot sign with --live")]
    found = [Finding(topic, signer.keystore.exists(), f"keystore {signer.keystore.name}")]
    blocks = house.watch.blocks
    code = await blocks.code(await blocks.head(), signer.address)
    delegate = batch_account.delegate_of(code)
    wanted = settings.network.batch_account if signer.may_batch else None
    if wanted and not await blocks.code(await blocks.head(), wanted):
        text, fine = f"`batch_account` {wanted} has no code on this chain: take `batch` out", False
    elif wanted and not delegate and not code:
        text, fine = f"will delegate to {wanted} with its first batch (EIP-7702)", True
    elif delegate:
        text, fine = (
            f"delegates to {delegate}{'' if delegate == wanted else ', which these settings do not name'}",
            (delegate == wanted),
        )
    elif code:
        text, fine = "is a contract of its own: plans go out call by call", not wanted
    else:
        text, fine = "plain account: plans go out call by call (`batch = true` makes them one transaction)", True
    return [*found, Finding(f"{topic}, account", fine, text)]
