"""What an owner may ask of a pending transaction: more to be offered for it, or its nonce taken back."""

from __future__ import annotations

from pathlib import Path

from keeper.cli.common import Exit, fail, finish, out, prompt
from keeper.cli.given import kept_of
from keeper.cli.guard import guarded
from keeper.cli.words import as_json_text
from keeper.execution.course import SendFailedError
from keeper.execution.lock import SignerLockedError
from keeper.execution.tx_state import TxState
from keeper.execution.wishes import wish
from keeper.journal import Journal, Transaction
from keeper.service import app as house_of
from keeper.service.journal_file import remembered
from keeper.settings import Settings


def ask(id_: int, what: str, config: Path, *, live: bool, as_json: bool) -> None:
    """Leave the wish in the journal; carry it out here if no keeper is running on the signer, else it does."""
    (settings,) = kept_of([config])

    async def work() -> Exit:
        async with await remembered(settings) as journal:
            found = await _open_transaction(journal, settings, id_)
            if not live:
                _report(
                    id_,
                    f"{found.purpose}, nonce {found.nonce}; nothing was done: add --live",
                    "dry_run",
                    as_json=as_json,
                )
                return Exit.FINE
            await wish(journal.facts, found.chain_id, found.signer, id_, what)
        try:
            async with house_of.opened(settings, is_live=True, prompt=prompt()) as engine:
                await engine.reader.blocks.check_chain()
                for executor in engine.senders.values():
                    if executor.lane.signer.address == found.signer:
                        await executor.lane.reconcile()
        except SignerLockedError:
            _report(id_, f"the running keeper was asked to {what.replace('_', ' ')} it", "asked", as_json=as_json)
            return Exit.FINE
        except SendFailedError as error:
            _report(id_, str(error), "pending", as_json=as_json)
            return Exit.FAILED
        async with await remembered(settings) as journal:
            rows = await journal.transactions.at_nonce(found.chain_id, found.signer, found.nonce)
        state = next(r.state for r in rows if r.id == id_)
        _report(id_, f"is {state} now", state, as_json=as_json)
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


def _report(id_: int, text: str, state: str, *, as_json: bool) -> None:
    if as_json:
        as_json_text(out(), {"id": id_, "state": state, "text": text})
    else:
        out().print(f"transaction {id_}: {text}")
