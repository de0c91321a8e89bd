"""The composition root: builds every part from the settings, and reads like a parts list."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

from keeper.chain.blocks import Blocks
from keeper.chain.nodes import Nodes
from keeper.core.units import Address, Bps
from keeper.engine.engine import Terms
from keeper.engine.history import PerpMemory
from keeper.engine.lending.balances import LentMemory
from keeper.engine.state import State
from keeper.execution.rehearsal import ForkSimulator, NodeSimulator, NoFork, Upon
from keeper.journal import Journal
from keeper.observe.delivery import Alarm, AppriseAlarm, SeveralAddresses
from keeper.observe.observer import Observer
from keeper.observe.signing_voice import SigningVoice
from keeper.service.connections import caps, nodes
from keeper.service.journal_file import remembered
from keeper.service.keys import Prompt, leased, locked, open_keys, report_exposed
from keeper.service.opened import NodeFees, Opened, RealClock
from keeper.service.safes_fit import refuse_unfit
from keeper.service.senders import executor as executor_of
from keeper.settings import Settings, SettingsError
from keeper.settings.model import Alerts
from keeper.snapshot.order_events import VenueLogs
from keeper.snapshot.reader import ALL_CLOSE, NEAR, Watch
from keeper.snapshot.safes import safes_of

if TYPE_CHECKING:
    from keeper.execution.prompted import Terminal
    from keeper.snapshot.movements import Movements


@asynccontextmanager
async def opened(
    settings: Settings,
    *,
    is_live: bool,
    is_look: bool = False,
    prompt: Prompt | None = None,
    terminal: Terminal | None = None,
    called: str = "",
    in_full: bool = False,
    measures: bool = False,
) -> AsyncIterator[Opened]:
    """Build the engine, and take it down in order. Only a live one holds keys, a lock, and a connection that can send.

    ``called`` is what its lines and alarms name it by, beside others. ``in_full`` reads every position in full, however
    many there are. ``measures`` measures how prices move though no rule asks for it: somebody wants to see it.

    With a ``terminal`` whoever sits there is asked about each transaction.

    A look (status, explain) sends nothing either, but remembers what the live keeper did.

    Raises KeyUnavailableError, SignerLockedError, JournalError, NodeError, WrongChainError.
    """
    if settings.has_unknown_names:
        raise SettingsError([f"{settings.path}: {n.field}: {n.name} was not looked up" for n in settings.names])
    async with AsyncExitStack() as parts:
        keys = open_keys(settings, prompt, terminal) if is_live else {}
        for address, key in keys.items():
            parts.push_async_callback(key.close)
            parts.enter_context(locked(settings, address))
        observer = _observer(settings, called, is_live=is_live, is_look=is_look)
        parts.callback(observer.close)
        for key in keys.values():
            key.report_to(SigningVoice(observer.voice))
        node = nodes(settings, observer, is_live=is_live)
        parts.push_async_callback(node.close)
        blocks = Blocks(node, settings.network.chain_id, settings.network.multicall3, caps(settings))
        if not is_look:
            await refuse_unfit(settings, blocks)
        journal = await parts.enter_async_context(await remembered(settings))
        if is_live:
            report_exposed(settings, observer, journal.exposed)
        reader = reader_of(settings, blocks, observer, in_full=in_full or is_look or settings.exposure is not None)
        engine = _engine(settings, observer, node, reader, journal, is_live=is_live, is_look=is_look)
        parts.push_async_callback(_close_reader, engine)
        engine.parts = parts
        for address in keys:
            engine.leases.append(await leased(settings, journal, address))
            parts.push_async_callback(engine.leases[-1].close)
        if measures or settings.looks_ahead:
            engine.movements = await parts.enter_async_context(measuring(engine, settings, waits=is_look))
        await engine.recall_alarms()
        for signer in settings.signers:
            if signer.address in keys:
                executor = executor_of(engine, settings, keys[signer.address], node)
                await executor.lane.holder.recall()
                engine.senders[signer.account] = executor
        yield engine
        await engine.settle()


async def _close_reader(engine: Opened) -> None:
    """Close the reader that there is by then: settings that were reloaded have another."""
    await engine.reader.close()


def _engine(
    settings: Settings,
    observer: Observer,
    node: Nodes,
    reader: Watch,
    journal: Journal,
    *,
    is_live: bool,
    is_look: bool,
) -> Opened:
    """Return the engine on its real parts; nobody can send for it yet."""
    network, blocks = settings.network, reader.blocks
    simulator = NodeSimulator(blocks, ForkSimulator(settings.rpc_url.reveal(), network.multicall3))
    scope = "live" if is_live or is_look else "dry_run"
    of_perps = settings.perp_rules, settings.books, settings.book_rules
    return Opened(
        terms=terms_of(settings, is_live=is_live, is_look=is_look),
        state=State(settings.rules),
        reader=reader,
        rehearser=Upon(simulator),
        rehearser_ahead=simulator if is_live else NodeSimulator(blocks, NoFork()),
        journal=journal,
        logs=VenueLogs(blocks, reader.perp_account, reader.chronicle),
        fees=NodeFees(node),
        feed=node,
        clock=RealClock(),
        observer=observer,
        perps=PerpMemory(journal, f"{network.chain_id}:{scope}", *of_perps, is_look),
        lent=LentMemory(journal, f"{network.chain_id}:{network.name}:{scope}", is_look),
        others=node if len(node.members) > 1 else None,
    )


def reader_of(settings: Settings, blocks: Blocks, observer: Observer, *, in_full: bool) -> Watch:
    """Return what reads each block; ``in_full`` every position, however many there are and however far from a rule."""
    near = Bps(max(NEAR, settings.arm_within + 100))
    all_close = len(settings.positions) if in_full else ALL_CLOSE
    heard = observer.raise_alarm, observer.clear_alarm
    return Watch(blocks, settings.network, settings.positions, settings.rules, settings.books, near, all_close, heard)


@asynccontextmanager
async def measuring(engine: Opened, settings: Settings, *, waits: bool) -> AsyncIterator[Movements]:
    """Measure how prices move: for rules that look ahead, and loaded for them alone. Who only looks, waits for it.

    Raises SettingsError where the forecaster that the settings name is none.
    """
    from keeper.service.forecasters import NoForecasterError, guarded  # noqa: PLC0415 - few keepers need one
    from keeper.snapshot.movements import Movements  # noqa: PLC0415 - few keepers have such rules
    from keeper.snapshot.price_history import PriceHistory  # noqa: PLC0415 - likewise

    heard = engine.observer.raise_alarm, engine.observer.clear_alarm
    try:
        forecast, trouble = guarded(settings.forecaster)
    except NoForecasterError as error:
        raise SettingsError([f"{settings.path}: safety.forecaster: {error}"]) from None
    history = PriceHistory(engine.reader.blocks, engine.journal.prices)
    movements = Movements(history, *heard, waits=waits, forecast=forecast, trouble=trouble)
    try:
        yield movements
    finally:
        await movements.close()


def terms_of(settings: Settings, *, is_live: bool, is_look: bool) -> Terms:
    """Return what the owner declared beside the rules."""
    return Terms(
        mode="live" if is_live else "dry_run",
        safety=settings.safety,
        swap_deadline_s=settings.swap_deadline_s,
        max_fee=settings.max_fee,
        remembers="live" if is_live or is_look else "dry_run",
        fee_share=settings.fee_share,
        trades_unrehearsed=settings.trades_unrehearsed,
        breaker=settings.breaker,
        exposure=settings.exposure,
        batches=_batches(settings),
        safes={safe.address: safe for safe in safes_of(settings.network, settings.positions)},
    )


def _batches(settings: Settings) -> dict[Address, Address]:
    """Return who may delegate to the network's batch account: the signers whose owner said so."""
    contract = settings.network.batch_account
    return {s.address: contract for s in settings.signers if s.may_batch and contract}


def _observer(settings: Settings, called: str, *, is_live: bool, is_look: bool) -> Observer:
    alarm, escalation = (None, None) if is_look else channels_of(settings.alerts)  # who looks needs no alarm
    return Observer(
        "live" if is_live else "dry_run", alarm, settings.alerts.repeat_s, called=called, escalation=escalation
    )


def channels_of(alerts: Alerts) -> tuple[Alarm | None, Alarm | None]:
    """Return where alarms go, and where those that last go as well."""
    urls, further = ([url.reveal() for url in some] for some in (alerts.urls, alerts.escalate_urls))
    return _channel(urls), _channel(further)


def _channel(urls: Sequence[str]) -> Alarm | None:
    """Return all addresses as one, each with a service of its own: one that hangs keeps no other waiting."""
    return SeveralAddresses([AppriseAlarm([url]) for url in urls]) if urls else None
