"""Transactions as ``keeper tx list`` shows them: three lines each, none wider than a small terminal."""

from __future__ import annotations

from rich.console import Console

from keeper.cli.words import Data, as_json_text, cut, money, short_address, time_text
from keeper.core.words import gwei, small
from keeper.journal import Journal
from keeper.journal.plain import transaction_row
from keeper.settings import Settings


async def transactions(console: Console, memory: Journal, of: Settings, limit: int, *, as_json: bool) -> None:
    """Print what was signed, newest first."""
    names = {str(signer.address): signer.name for signer in of.signers}
    rows = list[Data]()
    for one in await memory.transactions.recent(limit):
        rows.append(transaction_row(one, await memory.decisions.get(one.decision_id), names))
    if as_json:
        as_json_text(console, rows)
    elif not rows:
        console.print("Nothing was ever signed.")
    else:
        for row in rows:
            _print(console, row)


def _print(console: Console, row: Data) -> None:
    position = row["position"] or "?"
    first = f"{row['id']}  {row['state']}  {time_text(row['signed_at'])}  {position}: {row['purpose']}"
    amounts = ", ".join(row["amounts"])
    worth = money(row["spend_usd"]) if row["spend_usd"].strip("0.") else ""
    what = f"{amounts} ({worth})" if amounts and worth else amounts or worth or "moves nothing"
    tries = f", {row['attempts']} tries" if row["attempts"] > 1 else ""
    signer = row["signer_name"] or short_address(row["signer"])
    second = f"    by {signer}: {what}, {_fee(row)}{tries}, nonce {row['nonce']}"
    for line in (first, second):
        console.print(cut(line, console.width), soft_wrap=True)
    block = f" in block {row['block']}" if row["block"] else ""
    console.print(f"    {row['hash'] or 'no hash'}{block if len(block) <= console.width - 70 else ''}", soft_wrap=True)
    if row["error"]:
        console.print(cut(f"    {row['error']}", console.width), style="yellow", soft_wrap=True)


def _fee(row: Data) -> str:
    """Return what was paid for gas, else what is offered at most."""
    if row["fee_paid"] is not None:
        return f"fee {small(row['fee_paid'])} ({gwei(row['gas_price_gwei'])})"
    return f"offers {gwei(row['max_fee_gwei'])}" if row["max_fee_gwei"] else "no fee yet"
