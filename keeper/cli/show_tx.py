"""Transactions as ``keeper tx list`` shows them: three lines each, none wider than a small terminal."""

from __future__ import annotations

from rich.console import Console

from keeper.cli.words import Data, as_json_text, brief, cut, money, short_address, time_text
from keeper.core.units import decimal_of
from keeper.journal import Decision, Journal, Transaction
from keeper.settings import Settings


async def transactions(console: Console, memory: Journal, of: Settings, limit: int, *, as_json: bool) -> None:
    """Print what was signed, newest first."""
    names = {str(signer.address): signer.name for signer in of.signers}
    rows = list[Data]()
    for one in await memory.transactions.recent(limit):
        rows.append(_row(one, await memory.decisions.get(one.decision_id), names))
    if as_json:
        as_json_text(console, rows)
    elif not rows:
        console.print("Nothing was ever signed.")
    else:
        for row in rows:
            _print(console, row)


def _row(of: Transaction, decision: Decision | None, names: dict[str, str]) -> Data:
    newest = of.attempts[-1] if of.attempts else None
    paid = None if of.gas_used is None or of.effective_gas_price is None else of.gas_used * of.effective_gas_price
    return {
        "id": of.id,
        "decision": of.decision_id,
        "position": decision.position if decision else None,
        "rule": decision.rule if decision else None,
        "purpose": of.purpose,
        "amounts": _amounts(of, decision),
        "state": of.state,
        "signed_at": of.attempts[0].signed_at if of.attempts else of.created_at,
        "signer": of.signer,
        "signer_name": names.get(of.signer),
        "nonce": of.nonce,
        "attempts": len(of.attempts),
        "max_fee_gwei": decimal_of(newest.max_fee_per_gas, 9) if newest else None,
        "tip_gwei": decimal_of(newest.max_priority_fee_per_gas, 9) if newest else None,
        "hash": newest.hash if newest else None,
        "block": of.block_number,
        "gas_used": of.gas_used,
        "fee_paid": None if paid is None else decimal_of(paid, 18),
        "gas_price_gwei": None if of.effective_gas_price is None else decimal_of(of.effective_gas_price, 9),
        "spend_usd": decimal_of(of.spend_usd, 8, 2),
        "replaces": of.replaces,
        "error": of.error,
    }


def _amounts(of: Transaction, decision: Decision | None) -> list[str]:
    """Return what a transaction moves, as the plan says; nothing where it is several calls in one."""
    plan = decision.plan if decision else None
    steps = plan.get("steps", []) if isinstance(plan, dict) else []
    own = [s for s in steps if isinstance(s, dict) and s.get("data") == of.data and s.get("to") == of.to]
    return [f"{brief(s['amount'])} {s['asset']}" for s in own if s.get("asset") and brief(s.get("amount"))]


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
        return f"fee {_small(row['fee_paid'])} ({_gwei(row['gas_price_gwei'])})"
    return f"offers {_gwei(row['max_fee_gwei'])}" if row["max_fee_gwei"] else "no fee yet"


def _small(value: str) -> str:
    """Return an amount of the chain's coin with its first digits, however small: a fee on a rollup is no nothing."""
    whole, _, part = value.partition(".")
    zeros = len(part) - len(part.lstrip("0"))
    kept = part[: zeros + 3 if whole == "0" else 6].rstrip("0")
    return f"{int(whole):,}.{kept}" if kept else whole


def _gwei(value: str) -> str:
    whole, _, part = value.partition(".")
    part = part[:3].rstrip("0")
    return f"{whole}.{part} gwei" if part else f"{whole} gwei"
