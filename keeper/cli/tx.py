"""``keeper tx``: the transactions the keeper signed, and two things an owner may ask of a pending one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from keeper import app as house_of
from keeper.cli.common import DEFAULT, Config, Exit, Json, Limit, Live, fail, finish, guarded, out, prompt, settings_of
from keeper.cli.words import as_json_text
from keeper.core.units import decimal_of
from keeper.execution.lane import SendFailedError, wish_key
from keeper.execution.lock import SignerLockedError
from keeper.execution.tx_state import TxState
from keeper.journal import Journal, Transaction, open_journal
from keeper.settings import Settings

tx = typer.Typer(no_args_is_help=True, help="The transactions the keeper signed: list, speed up, cancel.")
Id = Annotated[int, typer.Argument(help="The transaction's id, as `keeper tx list` shows it.")]


@tx.command("list")
def list_(config: Config = DEFAULT, limit: Limit = 20, as_json: Json = False) -> None:
    """List what was signed, newest first: state, nonce, fees, hash. Asks no node."""
    settings = settings_of(config)

    async def work() -> Exit:
        async with await open_journal(settings.journal_url.reveal()) as journal:
            rows = [_row(t) for t in await journal.transactions.recent(limit)]
        if as_json:
            as_json_text(out, rows)
        else:
            _print(rows)
        return Exit.FINE

    finish(guarded(work))


@tx.command("speed-up")
def speed_up(id_: Id, config: Config = DEFAULT, live: Live = False, as_json: Json = False) -> None:
    """Offer more for a pending transaction, and for those of the same burst."""
    _ask(id_, "speed_up", config, live=live, as_json=as_json)


@tx.command()
def cancel(id_: Id, config: Config = DEFAULT, live: Live = False, as_json: Json = False) -> None:
    """Cancel a pending transaction and its burst: transfers of nothing to oneself take their nonces."""
    _ask(id_, "cancel", config, live=live, as_json=as_json)


def _ask(id_: int, what: str, config: Path, *, live: bool, as_json: bool) -> None:
    """Leave the wish in the journal; carry it out here if no keeper is running on the signer, else it does."""
    settings = settings_of(config)

    async def work() -> Exit:
        async with await open_journal(settings.journal_url.reveal()) as journal:
            found = await _open_transaction(journal, settings, id_)
            if not live:
                _tell(
                    id_,
                    f"{found.purpose}, nonce {found.nonce}; nothing was done: add --live",
                    "dry_run",
                    as_json=as_json,
                )
                return Exit.FINE
            await journal.facts.set(wish_key(found.chain_id, found.signer), {str(id_): what})
        try:
            async with house_of.opened(settings, is_live=True, prompt=prompt()) as house:
                await house.watch.blocks.check_chain()
                for executor in house.executors.values():
                    if executor.lane.signer.address == found.signer:
                        await executor.lane.reconcile()
        except SignerLockedError:
            _tell(id_, f"the running keeper was asked to {what.replace('_', ' ')} it", "asked", as_json=as_json)
            return Exit.FINE
        except SendFailedError as error:
            _tell(id_, str(error), "pending", as_json=as_json)
            return Exit.FAILED
        async with await open_journal(settings.journal_url.reveal()) as journal:
            rows = await journal.transactions.at_nonce(found.chain_id, found.signer, found.nonce)
        state = next(r.state for r in rows if r.id == id_)
        _tell(id_, f"is {state} now", state, as_json=as_json)
        return Exit.FINE

    finish(guarded(work))


async def _open_transaction(journal: Journal, settings: Settings, id_: int) -> Transaction:
    rows = [
        row
        for signer in settings.signers
        for row in await journal.transactions.unfinished(settings.network.chain_id, signer.address)
        if row.id == id_ and TxState(row.state).is_open
    ]
    if rows:
        return rows[0]
    return fail(Exit.FAILED, f"transaction {id_} is not pending: `keeper tx list` shows what is")


def _tell(id_: int, text: str, state: str, *, as_json: bool) -> None:
    if as_json:
        as_json_text(out, {"id": id_, "state": state, "text": text})
    else:
        out.print(f"transaction {id_}: {text}", markup=False)


def _row(of: Transaction) -> dict[str, Any]:
    newest = of.attempts[-1] if of.attempts else None
    return {
        "id": of.id,
        "decision": of.decision_id,
        "purpose": of.purpose,
        "state": of.state,
        "signer": of.signer,
        "nonce": of.nonce,
        "attempts": len(of.attempts),
        "max_fee_gwei": decimal_of(newest.max_fee_per_gas, 9) if newest else None,
        "tip_gwei": decimal_of(newest.max_priority_fee_per_gas, 9) if newest else None,
        "hash": newest.hash if newest else None,
        "block": of.block_number,
        "gas_used": of.gas_used,
        "spend_usd": decimal_of(of.spend_usd, 8, 2),
        "replaces": of.replaces,
        "error": of.error,
    }


def _print(rows: list[dict[str, Any]]) -> None:
    from rich.table import Table  # noqa: PLC0415 - only people need it

    if not rows:
        out.print("Nothing was ever signed.")
        return
    table = Table("id", "purpose", "state", "nonce", "tries", "max fee", "block", "hash", box=None, pad_edge=False)
    for r in rows:
        fee = f"{r['max_fee_gwei'].rstrip('0').rstrip('.')} gwei" if r["max_fee_gwei"] else ""
        cells = (r["id"], r["purpose"], r["state"], r["nonce"], r["attempts"], fee, r["block"] or "", r["hash"] or "")
        table.add_row(*(str(c) for c in cells))
    out.print(table)
