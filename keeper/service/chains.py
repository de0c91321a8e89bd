"""Several chains in one process: an engine and a loop each. One's trouble is its own; the end is for all."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from keeper.service.all_chains import AllChains
from keeper.service.app import opened
from keeper.service.daemon import Daemon
from keeper.service.diary import Shown
from keeper.service.keys import Prompt
from keeper.service.opened import Opened
from keeper.service.reload import Reloading, Renewed
from keeper.settings import Settings, SettingsError

if TYPE_CHECKING:
    from keeper.execution.prompted import Terminal


async def keep_all(
    chains: Sequence[Settings],
    *,
    is_live: bool,
    prompt: Prompt | None,
    terminal: Terminal | None = None,
    when_over: Callable[[], None] = lambda: None,
    shows: Sequence[Shown] = (),
    renewed: Renewed = lambda _, __: None,
) -> None:
    """Keep the positions of every chain until SIGTERM or SIGINT; what is in flight is finished first.

    Nothing is begun unless every engine can be opened (keys, locks, journals: see ``app.opened``). After that a chain
    that cannot be kept is reported and left, and the others go on; what ended it is raised when all have ended. With
    one chain it is raised at once. ``when_over`` is called when no plan is under way any more and all is written down.
    ``shows`` are handed what each chain's daemon sees, block by block; ``renewed`` each chain's settings after a
    reload, by its number.
    """
    async with AsyncExitStack() as stack:
        daemons, counted = list[Daemon](), _counted(chains)
        for i, settings in enumerate(chains):
            name = settings.network.name if len(chains) > 1 else ""
            live = {"is_live": is_live, "measures": bool(shows), "in_full": counted is not None}
            engine = await stack.enter_async_context(
                opened(settings, prompt=prompt, terminal=terminal, called=name, **live)
            )
            engine.chains = None if counted is None else counted.seat(i)
            _serve_metrics(engine, settings)
            daemons.append(Daemon(engine, settings, shows[i] if shows else None))

        def stop() -> None:
            for daemon in daemons:
                daemon.stop()

        reloading = Reloading(daemons, renewed)
        listening = asyncio.create_task(reloading.listen())
        with _on_signals(stop, reloading.ask):
            outcomes = await asyncio.gather(*(_kept(daemon) for daemon in daemons))
        listening.cancel()
        await reloading.close()
        when_over()
        for outcome in outcomes:
            if outcome is not None:
                raise outcome


def _counted(chains: Sequence[Settings]) -> AllChains | None:
    """Return where chains are counted together, where any of them asks for that."""
    if len(chains) < 2 or not any(s.exposure is not None and s.exposure.all_chains for s in chains):
        return None
    return AllChains(tuple(s.network.name for s in chains), time.monotonic)


def _serve_metrics(engine: Opened, settings: Settings) -> None:
    """Serve the metrics of a chain where it is asked for. Raises SettingsError when the port is not to be had."""
    port = settings.daemon.metrics_port
    if port is None:
        return
    try:
        engine.observer.serve_metrics(port)
    except OSError as error:
        what = str(error.strerror).lower()
        raise SettingsError([f"{settings.path}: daemon.metrics_port: {port} cannot be used: {what}"]) from None


async def _kept(daemon: Daemon) -> Exception | None:
    try:
        await daemon.run()
    except Exception as error:  # noqa: BLE001 - another chain's keeper must not end with it; raised when all have ended
        daemon.left(error)
        return error
    return None


@contextlib.contextmanager
def _on_signals(stop: Callable[[], None], reload: Callable[[], None]) -> Iterator[None]:
    loop, heeded = asyncio.get_running_loop(), {signal.SIGTERM: stop, signal.SIGINT: stop, signal.SIGHUP: reload}
    for number, do in heeded.items():
        loop.add_signal_handler(number, do)
    try:
        yield
    finally:
        for number in heeded:
            loop.remove_signal_handler(number)
