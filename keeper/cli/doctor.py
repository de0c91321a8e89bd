"""``keeper doctor``: is everything there that a rescue will need? Sends nothing; a test alarm only if asked to."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from keeper.chain.errors import NodeError
from keeper.chain.fork import find_anvil
from keeper.chain.simulation import SimulationUnsupportedError, simulate
from keeper.cli import doctor_rules
from keeper.cli.doctor_nodes import examine_nodes
from keeper.cli.words import short_address
from keeper.core.snapshot import BlockRef, LendingPosition, Snapshot, Unreadable
from keeper.core.units import wei_text
from keeper.execution.signer import KeyUnavailableError
from keeper.observe.alarm_address import silenced
from keeper.observe.delivery import AppriseAlarm
from keeper.service import app, names
from keeper.service.opened import Opened
from keeper.settings import Settings, Signer, futile, surroundings
from keeper.venues.contracts import batch_account
from keeper.venues.ports import ReadFailedError

LEAST_NATIVE = 10**16
"""0.01 of the native token: less may not pay for one deleverage in a crash."""
DELIVERY_S = 30
"""How long one test alarm may take."""
Prompt = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at. What is not ``needed`` is reported and does not count."""

    topic: str
    is_fine: bool
    text: str
    needed: bool = True


async def examine(engine: Opened, settings: Settings, prompt: Prompt | None, *, send_test: bool) -> list[Finding]:
    """Return what was found, in the order an owner would fix it. What one part lacks hides nothing of another."""
    findings = [Finding("settings", False, line) for line in (*futile(settings), *surroundings(settings))]
    findings += [Finding(*found) for found in await examine_nodes(engine.reader.blocks, settings)]
    try:
        await engine.reader.blocks.check_chain()
        block = await engine.reader.blocks.head()
        findings += await _on_chain(engine, settings, block)
    except NodeError as error:
        findings.append(Finding("chain", False, str(error)))
    for signer in settings.signers:
        findings.append(_key(settings, signer, prompt))
    return [*findings, *await _alarms(settings, send_test=send_test)]


async def _on_chain(engine: Opened, settings: Settings, block: BlockRef) -> list[Finding]:
    """Return what a block shows: the positions, who pays, how plans are rehearsed. Raises NodeError."""
    findings = list[Finding]()
    try:
        snapshot = await engine.reader.snapshot(block)
    except ReadFailedError as error:
        findings.append(Finding("market", False, error.doubt.detail))
        snapshot = None
    findings += await _names(engine, settings, block)
    if snapshot is not None:
        findings += [Finding("market", False, flaw) for flaw in engine.reader.known.flaws]
        findings += [_position(p.name, p) for p in snapshot.positions]
        findings += [Finding(*found) for found in doctor_rules.examine_rules(engine, snapshot)]
        findings += await _trust(engine, snapshot)
        findings += _gas_money(snapshot, settings)
    findings.append(await _rehearsal(engine, settings, block))
    for signer in settings.signers:
        findings.append(await _account(engine, settings, signer, block))
    return findings


async def _names(engine: Opened, settings: Settings, block: BlockRef) -> list[Finding]:
    """Say whose each name of ENS is, and whether it still is. Raises NodeError."""
    try:
        found = await names.records(engine.reader.blocks, block, settings)
    except ReadFailedError as error:
        return [Finding("names", False, error.doubt.detail)]
    return [Finding(f"name {record.named.name}", record.is_same, str(record)) for record in found]


def _position(name: str, position: object) -> Finding:
    topic = f"position {name}"
    if isinstance(position, Unreadable):
        return Finding(topic, False, position.doubt.detail)
    if getattr(position, "is_empty", False):
        return Finding(topic, False, "has nothing in this market: check `owner` and the network file")
    return Finding(topic, True, "read")


async def _trust(engine: Opened, snapshot: Snapshot) -> list[Finding]:
    """Say of each guardian whether the venue would let him take out as well. Raises NodeError."""
    found = list[Finding]()
    for position in snapshot.positions:
        signer = engine.reader.positions[position.name].spender
        if not isinstance(position, LendingPosition) or signer == position.owner:
            continue
        probe = engine.reader.account(position.name).trust_probe(signer)
        may = await engine.reader.read(snapshot.block, probe)
        if may is not None:
            text = "is there, for all of the owner's account: revoke it, a guardian here only pays in"
            none = "none, and none is needed: a guardian pays in, which anybody may"
            topic = f"authorisation of {short_address(signer)} for {position.name}"
            found.append(Finding(topic, not may, text if may else none, needed=False))
    return found


def _gas_money(snapshot: Snapshot, settings: Settings) -> list[Finding]:
    signers = {s.address: s.name for s in settings.signers}
    return [
        Finding(
            f"gas money of {signers.get(address, short_address(address))}",
            wallet.native >= LEAST_NATIVE,
            wei_text(wallet.native)
            + ("" if wallet.native >= LEAST_NATIVE else f": less than {wei_text(LEAST_NATIVE)} may not pay a rescue"),
        )
        for address, wallet in snapshot.wallets.items()
    ]


async def _rehearsal(engine: Opened, settings: Settings, block: BlockRef) -> Finding:
    """Say how plans are rehearsed: by the node, else on a fork; without either nothing is ever sent."""
    topic, blocks, anvil = "rehearsal", engine.reader.blocks, find_anvil()
    try:
        await simulate(blocks.node, block, settings.positions[0].spender, [], [], blocks.multicall)
    except SimulationUnsupportedError:
        if anvil is not None:
            return Finding(topic, True, f"the node has no eth_simulateV1: on a fork by {anvil.name}, more slowly")
        remedy = "name a node that has it, or put anvil on the PATH or its place in KEEPER_ANVIL"
        return Finding(topic, False, f"impossible, so nothing would be done: the node has no eth_simulateV1; {remedy}")
    except NodeError as error:
        return Finding(topic, False, str(error))
    return Finding(topic, True, "by the node itself (eth_simulateV1)")


# --- signers ---------------------------------------------------------------------------------------------------------


def _key(settings: Settings, signer: Signer, prompt: Prompt | None) -> Finding:
    """Open a signer's key as ``run --live`` will, and let it go again."""
    topic = f"key of {signer.name}"
    if signer.keystore is None:
        return Finding(topic, False, "no `keystore`: cannot sign with --live")
    if signer.password_credential is not None and not app.has_credentials():
        return Finding(topic, True, "not tried: its password is a systemd credential, which only the unit sees")
    try:
        app.open_key(settings, signer, prompt)
    except KeyUnavailableError as error:
        return Finding(topic, False, str(error))
    return Finding(topic, True, f"{signer.keystore.name} opens with its password: {short_address(signer.address)}")


async def _account(engine: Opened, settings: Settings, signer: Signer, block: BlockRef) -> Finding:
    """Say how a signer's plans go out: in one transaction or call by call. Raises NodeError."""
    topic, blocks = f"account of {signer.name}", engine.reader.blocks
    code = await blocks.code(block, signer.address)
    delegate = batch_account.delegate_of(code)
    wanted = settings.network.batch_account if signer.may_batch else None
    if wanted and not await blocks.code(block, wanted):
        return Finding(topic, False, f"`batch_account` {wanted} has no code on this chain: take `batch` out")
    if wanted and not delegate and not code:
        return Finding(topic, True, f"will delegate to {wanted} with its first batch (EIP-7702)")
    if delegate:
        stray = "" if delegate == wanted else ", which these settings do not name"
        return Finding(topic, delegate == wanted, f"delegates to {delegate}{stray}")
    if code:
        return Finding(topic, not wanted, "is a contract of its own: plans go out call by call")
    return Finding(topic, True, "plain: plans go out call by call (`batch = true` makes them one transaction)")


# --- alarms ----------------------------------------------------------------------------------------------------------


async def _alarms(settings: Settings, *, send_test: bool) -> list[Finding]:
    urls = [url.reveal() for url in settings.alerts.urls]
    if not urls:
        return [Finding("alarms", False, "no address: only the log will say ([alerts] urls)", needed=False)]
    if not send_test:
        return [Finding("alarms", True, f"{_counted(len(urls))}, not tried: --send-test sends a test to each")]
    return [await _delivered(f"alarm {i} of {len(urls)}", url, settings) for i, url in enumerate(urls, 1)]


async def _delivered(topic: str, url: str, settings: Settings) -> Finding:
    """Send a test to one address, of which only the kind is shown."""
    kind = url.partition("://")[0]
    body = f"This is a test by `keeper doctor --send-test` of the keeper on {settings.network.name}. All is as it was."
    try:
        async with asyncio.timeout(DELIVERY_S):
            with silenced():
                sent = await asyncio.to_thread(AppriseAlarm([url]).notify, "keeper · test alarm", body)
    except TimeoutError:
        return Finding(topic, False, f"{kind}: no answer within {DELIVERY_S} s")
    except (OSError, ValueError, TypeError) as error:
        return Finding(topic, False, f"{kind}: not delivered ({type(error).__name__}): check the address")
    why = "" if sent else ": not delivered: check the address and its token, and that this machine may reach it"
    return Finding(topic, sent, f"{kind}{why or ': a test was delivered'}")


def _counted(number: int) -> str:
    return f"{number} address{'es' if number != 1 else ''}"
