"""``keeper tx``: the transactions the keeper signed, and two things an owner may ask of a pending one."""

from __future__ import annotations

from typing import Annotated

import typer

from keeper.cli.common import DEFAULT, Config, Exit, Json, Limit, Live, finish, out
from keeper.cli.given import settings_of

tx = typer.Typer(no_args_is_help=True, help="The transactions the keeper signed: list, speed up, cancel.")
Id = Annotated[int, typer.Argument(help="The transaction's id, as `keeper tx list` shows it.")]


@tx.command("list")
def list_(config: Config = DEFAULT, limit: Limit = 20, as_json: Json = False) -> None:
    """List what was signed, newest first: position, signer, amount, state, time, fee, hash. Asks no node.

    Example: keeper tx list --limit 50
    """
    settings = settings_of(config)
    from keeper.cli import show_tx
    from keeper.cli.guard import guarded
    from keeper.service.journal_file import remembered

    async def work() -> Exit:
        async with await remembered(settings) as journal:
            await show_tx.transactions(out(), journal, settings, limit, as_json=as_json)
        return Exit.FINE

    finish(guarded(work))


@tx.command("speed-up")
def speed_up(id_: Id, config: Config = DEFAULT, live: Live = False, as_json: Json = False) -> None:
    """Offer more for a pending transaction, and for those of the same burst.

    Example: keeper tx speed-up 17 --live
    """
    from keeper.cli.wishes import ask

    ask(id_, "speed_up", config, live=live, as_json=as_json)


@tx.command()
def cancel(id_: Id, config: Config = DEFAULT, live: Live = False, as_json: Json = False) -> None:
    """Cancel a pending transaction and its burst: transfers of nothing to oneself take their nonces.

    Example: keeper tx cancel 17 --live
    """
    from keeper.cli.wishes import ask

    ask(id_, "cancel", config, live=live, as_json=as_json)
