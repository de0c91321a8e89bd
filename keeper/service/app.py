"""The composition root: builds every part from the settings, and reads like a parts list."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from keeper.chain.blocks import Blocks
from keeper.chain.chunks import Caps
from keeper.chain.client import Node
from keeper.chain.errors import NodeError
from keeper.chain.health import Aside, Role
from keeper.chain.member import Member, methods_of
from keeper.chain.nodes import Nodes
from keeper.chain.pace import RequestPace
from keeper.core.perp.position import PerpPosition
from keeper.core.rules import looks_ahead
from keeper.core.snapshot import BlockRef, LendingPosition
from keeper.core.units import Address, Amount, Bps
from keeper.engine.engine import Terms
from keeper.engine.history import PerpMemory
from keeper.engine.lending.balances import LentMemory
from keeper.engine.state import State
from keeper.execution.dispatch import Wire
from keeper.execution.executor import Executor
from keeper.execution.holders import OfSafe, OwnKey
from keeper.execution.lane import Lane
from keeper.execution.lending_errand import LendingParts
from keeper.execution.lock import LockDirectoryError, SignerLock
from keeper.execution.perp_errand import PerpParts
from keeper.execution.rehearsal import ForkSimulator, NodeSimulator, NoFork, Upon
from keeper.execution.send_state import Timings
from keeper.execution.settlement import OrderWatch
from keeper.execution.signer import KeystoreSigner, KeyUnavailableError, find_password, open_keystore
from keeper.journal.private import made_private
from keeper.observe.delivery import AppriseAlarm
from keeper.observe.observer import Observer
from keeper.service.journal_file import remembered
from keeper.service.opened import NodeFees, Opened, RealClock
from keeper.service.safes_fit import refuse_unfit
from keeper.settings import Settings, SettingsError, Signer
from keeper.snapshot.order_events import VenueLogs
from keeper.snapshot.reader import ALL_CLOSE, NEAR, Watch
from keeper.snapshot.safes import safes_of
from keeper.venues.contracts import erc20
from keeper.venues.ports import PricesMovedError, Probe, ReadFailedError, ScopeOutdatedError

if TYPE_CHECKING:
    from keeper.snapshot.movements import Movements

Prompt = Callable[[str], str]
T = TypeVar("T")
READINGS = 5
"""Times a position is read before a plan under way counts a node as away."""


class NoSenderError(KeyUnavailableError):
    """No node takes transactions: as good as no key."""


@asynccontextmanager
async def opened(
    settings: Settings,
    *,
    is_live: bool,
    is_look: bool = False,
    prompt: Prompt | None = None,
    called: str = "",
    in_full: bool = False,
    measures: bool = False,
) -> AsyncIterator[Opened]:
    """Build the engine, and take it down in order. Only a live one holds keys, a lock, and a connection that can send.

    ``called`` is what its lines and alarms name it by, beside others. ``in_full`` reads every position in full, however
    many there are. ``measures`` measures how prices move though no rule asks for it: somebody wants to see it.

    A look (status, explain) sends nothing either, but remembers what the live keeper did.

    Raises KeyUnavailableError, SignerLockedError, JournalError, NodeError, WrongChainError.
    """
    if settings.has_unknown_names:
        raise SettingsError([f"{settings.path}: {n.field}: {n.name} was not looked up" for n in settings.names])
    async with AsyncExitStack() as parts:
        keys = open_keys(settings, prompt) if is_live else {}
        for address in keys:
            parts.enter_context(_lock(settings, address))
        observer = _observer(settings, called, is_live=is_live, is_look=is_look)
        parts.callback(observer.close)
        node = nodes(settings, observer, is_live=is_live)
        parts.push_async_callback(node.close)
        network = settings.network
        blocks = Blocks(node, network.chain_id, network.multicall3, _caps(settings))
        if not is_look:
            await refuse_unfit(settings, blocks)
        journal = await parts.enter_async_context(await remembered(settings))
        if is_live:
            _tell_exposed(settings, observer, journal.exposed)
        near, all_close = _closeness(settings, in_full=in_full or is_look)
        heard = observer.raise_alarm, observer.clear_alarm
        watch = Watch(blocks, network, settings.positions, settings.rules, settings.books, near, all_close, heard)
        parts.push_async_callback(watch.close)
        fork = ForkSimulator(settings.rpc_url.reveal(), network.multicall3)
        scope = "live" if is_live or is_look else "dry_run"
        simulator = NodeSimulator(blocks, fork)
        engine = Opened(
            terms=_terms(settings, is_live=is_live, is_look=is_look),
            state=State(settings.rules),
            reader=watch,
            rehearser=Upon(simulator),
            rehearser_ahead=simulator if is_live else NodeSimulator(blocks, NoFork()),
            journal=journal,
            logs=VenueLogs(blocks, watch.perp_account, watch.chronicle),
            fees=NodeFees(node),
            feed=node,
            clock=RealClock(),
            observer=observer,
            perps=PerpMemory(
                journal,
                f"{network.chain_id}:{scope}",
                settings.perp_rules,
                settings.books,
                settings.book_rules,
                is_look,
            ),
            lent=LentMemory(journal, f"{network.chain_id}:{network.name}:{scope}", is_look),
            others=node if len(node.members) > 1 else None,
        )
        if measures or any(looks_ahead(rule) for rule in settings.rules):
            engine.movements = await parts.enter_async_context(measuring(engine, waits=is_look))
        await engine.recall_alarms()
        for signer in settings.signers:
            if signer.address in keys:
                executor = _executor(engine, settings, keys[signer.address], node)
                await executor.lane.holder.recall()
                engine.senders[signer.account] = executor
        yield engine
        await engine.settle()


@asynccontextmanager
async def measuring(engine: Opened, *, waits: bool) -> AsyncIterator[Movements]:
    """Measure how prices move: for rules that look ahead, and loaded for them alone. Who only looks, waits for it."""
    from keeper.snapshot.movements import Movements  # noqa: PLC0415 - few keepers have such rules
    from keeper.snapshot.price_history import PriceHistory  # noqa: PLC0415 - likewise

    heard = engine.observer.raise_alarm, engine.observer.clear_alarm
    movements = Movements(PriceHistory(engine.reader.blocks, engine.journal.prices), *heard, waits=waits)
    try:
        yield movements
    finally:
        await movements.close()


def _terms(settings: Settings, *, is_live: bool, is_look: bool) -> Terms:
    return Terms(
        mode="live" if is_live else "dry_run",
        safety=settings.safety,
        swap_deadline_s=settings.swap_deadline_s,
        max_fee=settings.max_fee,
        remembers="live" if is_live or is_look else "dry_run",
        fee_share=settings.fee_share,
        trades_unrehearsed=settings.trades_unrehearsed,
        batches=_batches(settings),
        safes={safe.address: safe for safe in safes_of(settings.network, settings.positions)},
    )


def open_keys(settings: Settings, prompt: Prompt | None) -> dict[Address, KeystoreSigner]:
    """Open the keystore of every signer that a rule could make sign. Raises KeyUnavailableError."""
    acting = {r.position for r in settings.rules if r.actions}
    acting |= {rule.position for rule in settings.perp_rules if rule.actions or rule.rests}
    acting |= {name for rule in settings.book_rules for name in settings.traded_by(rule)}
    keys: dict[Address, KeystoreSigner] = {}
    for position in settings.positions:
        signer = position.signer
        if position.name not in acting:
            continue
        if signer is None:
            raise KeyUnavailableError(
                f"{settings.path}: position {position.name!r} has rules that act but no signer: --live needs "
                "[[signers]] with a keystore"
            )
        if signer.address not in keys:
            keys[signer.address] = open_key(settings, signer, prompt)
    return keys


def _tell_exposed(settings: Settings, observer: Observer, journal: tuple[str, ...]) -> None:
    """Alarm for each file with keys, passwords or signed bytes that others could use, once they cannot any more."""
    signing = [s for s in settings.signers if s.keystore]
    files = {path for s in signing for path in (s.keystore, s.password_file) if path is not None}
    for said in (*journal, *(word for path in sorted(files) for word in made_private(path))):
        observer.raise_alarm(f"exposed:{said}", "A file of the keeper was open to others", said)


def open_key(settings: Settings, signer: Signer, prompt: Prompt | None) -> KeystoreSigner:
    """Open one signer's keystore with its password. Raises KeyUnavailableError, which names the file and the place."""
    if signer.keystore is None:
        raise KeyUnavailableError(
            f"{settings.path}: signer {signer.name!r} has no keystore: --live cannot sign without one"
        )
    try:
        password = find_password(signer.name, signer.password_file, signer.password_credential, prompt)
        return open_keystore(signer.name, signer.address, signer.keystore, password)
    except KeyUnavailableError as error:
        raise KeyUnavailableError(f"{settings.path}: {error}") from None


def has_credentials() -> bool:
    """Return whether systemd credentials can be read: only where the unit's own process runs."""
    return bool(os.environ.get("CREDENTIALS_DIRECTORY"))


def _lock(settings: Settings, address: Address) -> SignerLock:
    """Take a signer's lock. Raises SignerLockedError; SettingsError where there is no place for its file."""
    lock = SignerLock(settings.network.chain_id, address, settings.daemon.state_dir)
    try:
        lock.acquire()
    except LockDirectoryError as error:
        where = f"{settings.path}: daemon.state_dir" if settings.daemon.state_dir else "KEEPER_STATE_DIR (environment)"
        raise SettingsError([f"{where}: {error}"]) from None
    return lock


def nodes(settings: Settings, observer: Observer, *, is_live: bool) -> Nodes:
    """Return the nodes as one. In dry run none of them may send, and those that only send are left out.

    Raises NoSenderError when it is live and no node takes transactions.
    """
    takers = {Role.SEND, Role.PRIVATE}
    if is_live and not any(node.roles & takers for node in settings.nodes):
        raise NoSenderError('--live needs a node with the role "send" or "private": see [[network.nodes]]')

    def notify(name: str, why: Aside, detail: str) -> None:
        if len(settings.nodes) > 1:  # of one alone the daemon reports
            title, over = f"Node {name} is not asked: {why.value}", f"node {name} is asked again"
            observer.raise_alarm(f"node:{name}:{why.value}", title, detail, subject=f"node:{name}", name=over)

    members = []
    for node in settings.nodes:
        roles = node.roles if is_live else node.roles - takers
        if roles:
            may = methods_of(roles, node.send_method, is_live=is_live)
            timeout_s = settings.daemon.rpc_timeout_s
            pace = RequestPace(node.requests_per_second)
            connection = Node(node.url.reveal(), timeout_s=timeout_s, allowed=may, name=node.name, pace=pace)
            members.append(
                Member(connection, settings.network.chain_id, time.monotonic, notify, roles, node.send_method)
            )
    return Nodes(
        members,
        max_lag_blocks=settings.max_lag_blocks,
        block_time_s=settings.network.block_time_s,
        warn=observer.raise_alarm,
        calm=observer.clear_alarm,
    )


def _executor(engine: Opened, settings: Settings, key: KeystoreSigner, node: Nodes) -> Executor:
    block_time = settings.network.block_time_s
    timings = Timings(
        rebroadcast_s=max(2.0, block_time), bump_s=max(6.0, 4 * block_time), give_up_s=settings.daemon.confirm_s
    )
    private_s = settings.private_blocks * block_time
    wire = private_first(node, private_s, time.monotonic)
    poll_s, cap = settings.daemon.poll_s, settings.max_fee
    safe, blocks = next((s for s in engine.terms.safes.values() if s.owner == key.address), None), engine.reader.blocks
    holder = OfSafe(node, engine.journal.facts, safe, key.sign_hash) if safe else OwnKey(key.address)
    lane = Lane(node, blocks, engine.journal, key, timings, poll_s, time.monotonic, wire, cap, holder)

    async def read_position(name: str, number: int | None) -> LendingPosition:
        return await read_patiently(engine.reader, name, number, settings.daemon.poll_s)

    async def read_held(account: Address, assets: Sequence[Address]) -> Mapping[Address, Amount]:
        probe = erc20.wallet_probe(account, assets, settings.network.multicall3)
        _, held = await patiently(engine.reader, lambda _: probe, None, settings.daemon.poll_s)
        return held

    floor, cap = settings.safety.health_floor, settings.max_fee

    def is_wanted() -> bool:
        return holder.address in engine.state.wanted

    lending = LendingParts(lane, engine.venues, read_position, read_held, floor, cap)
    return Executor(lane, cap, lending, _perp_parts(engine, settings, is_wanted), is_wanted)


def _perp_parts(engine: Opened, settings: Settings, is_wanted: Callable[[], bool]) -> PerpParts:
    watch, poll_s = engine.reader, settings.daemon.poll_s

    async def read(name: str, number: int | None) -> PerpPosition:
        return await patiently(watch, lambda block: watch.perp_account(name).probe(name, block), number, poll_s)

    async def keep(name: str, keys: tuple[str, ...], decision_id: int, block: int, rests: bool) -> None:
        await engine.perps.created(name, keys, decision_id, block, rests=rests)

    logs, patience_s = engine.logs, settings.daemon.order_patience_s
    orders = OrderWatch(partial(logs.created, is_mined=True), keep, logs.outcomes, patience_s, poll_s, logs.carried_out)
    return PerpParts(watch.perp_account, read, orders, is_wanted)


async def read_patiently(watch: Watch, name: str, number: int | None, pause_s: float) -> LendingPosition:
    """Read a lending position as ``patiently`` does; where it uses what it did not use before, find that first."""

    async def anew(block: BlockRef) -> None:
        await watch.find_anew(name, block)

    return await patiently(watch, lambda block: watch.position_probe(name, block), number, pause_s, anew)


async def patiently(
    watch: Watch,
    probe: Callable[[BlockRef], Probe[T]],
    number: int | None,
    pause_s: float,
    anew: Callable[[BlockRef], Awaitable[None]] | None = None,
) -> T:
    """Read at a block, or at the head; again after a hiccup of the node, for a plan may be half sent.

    An answer that is missing is asked for again as well: many reads at once starve some nodes. ``anew`` finds out what
    a position uses, where that has changed.

    Raises NodeError, ReadFailedError when it fails ``READINGS`` times in a row.
    """
    for attempt in range(READINGS):
        try:
            block = await (watch.blocks.head() if number is None else watch.blocks.block_at(number))
            return await watch.blocks.read(block, probe(block))
        except (NodeError, ReadFailedError) as error:
            if attempt == READINGS - 1:
                raise
            if isinstance(error, PricesMovedError):
                continue
            if isinstance(error, ScopeOutdatedError) and anew is not None:
                await anew(block)
            else:
                await asyncio.sleep(pause_s)
    raise AssertionError("unreachable")


def private_first(node: Nodes, private_s: float, clock: Callable[[], float]) -> Wire:
    """Return a wire that shows a nonce to private relays only, and to everybody once it has waited ``private_s``.

    The time belongs to the nonce: a higher offer or another plan at it does not begin anew. Without a relay everybody
    hears at once.
    """
    since: dict[int, float] = {}

    async def wire(nonce: int, raw: str) -> None:
        began = since.setdefault(nonce, clock())
        for old in [n for n in since if n < nonce - 64]:
            del since[old]
        (await node.send(raw, public=clock() - began >= private_s)).raise_unless_taken()

    return wire


def _closeness(settings: Settings, *, in_full: bool) -> tuple[Bps, int]:
    """Return how near a trigger is near, and up to how many positions are all read in full; or all, ``in_full``."""
    return Bps(max(NEAR, settings.arm_within + 100)), len(settings.positions) if in_full else ALL_CLOSE


def _caps(settings: Settings) -> Caps:
    daemon = settings.daemon
    return Caps(daemon.reads_per_call, daemon.gas_per_call, daemon.bytes_per_call)


def _batches(settings: Settings) -> dict[Address, Address]:
    """Return who may delegate to the network's batch account: the signers whose owner said so."""
    contract = settings.network.batch_account
    return {s.address: contract for s in settings.signers if s.may_batch and contract}


def _observer(settings: Settings, called: str, *, is_live: bool, is_look: bool) -> Observer:
    urls = [] if is_look else [u.reveal() for u in settings.alerts.urls]  # who looks at the screen needs no alarm
    alarm = AppriseAlarm(urls) if urls else None
    further = [] if is_look else [u.reveal() for u in settings.alerts.escalate_urls]
    escalation = AppriseAlarm(further) if further else None
    return Observer(
        "live" if is_live else "dry_run", alarm, settings.alerts.repeat_s, called=called, escalation=escalation
    )
