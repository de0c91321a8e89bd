"""`python -m bench.journal`: what an acting block asks of a journal of a million rows, and of an empty one.

The rows are laid out against us: a position of which nothing but holds was ever written, one whose plans all failed,
one with plans day after day, and a lane whose newest nonces were all given up.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from sqlalchemy import Connection

from keeper.journal import Journal, NewDecision, open_journal

SIGNER = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
NOW = 1_800_000_000
ROWS = 1_000_000
HOLDS_ONLY, ALL_FAILED, BUSY = "holds-only", "all-failed", "busy"
RULE = "protect"
STEPS = 3
"""Transactions of a plan."""
GIVEN_UP = 20_000
"""The newest nonces of the lane: nothing landed at them."""
RUNS = 7

_HOLDS = """WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :count)
INSERT INTO decisions (chain_id, block_number, block_hash, block_timestamp, position, rule, mode, kind, reason, summary,
 inputs, alternatives, created_at, repeats)
SELECT 1, i, '0x', :now - :count + i, :position, :rule, 'live', 'hold', 'in_flight', 'nothing', :inputs, '[]',
 :now - :count + i, 0 FROM n"""
_ACTS = """WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :count)
INSERT INTO decisions (chain_id, block_number, block_hash, block_timestamp, position, rule, mode, kind, reason, summary,
 inputs, alternatives, created_at, repeats, outcome_kind, outcome)
SELECT 1, i, '0x', :now - (:count - i) * 600, :position, :rule, 'live', 'act', 'rule_fired', 'sell', :inputs, '[]',
 :now - (:count - i) * 600, 0, :kind, :outcome FROM n"""
_TRANSACTIONS = """INSERT INTO transactions (decision_id, step, chain_id, signer, nonce, "to", value, data, purpose,
 spend_usd, state, gas_limit, created_at, updated_at, decided_at, gas_used, effective_gas_price)
SELECT d.id, s.step, 1, :signer, (d.id - (SELECT min(id) FROM decisions WHERE kind = 'act')) * :steps + s.step, :signer,
 '0', '0x', 'sell', '1', CASE WHEN d.outcome_kind = 'failed' THEN 'reverted' ELSE 'confirmed' END, 100000,
 d.created_at, d.created_at, d.block_timestamp, 90000, '20'
FROM decisions d, (SELECT 0 AS step UNION SELECT 1 UNION SELECT 2) s WHERE d.kind = 'act'"""
_ATTEMPTS = """INSERT INTO attempts (transaction_id, hash, raw, max_fee_per_gas, max_priority_fee_per_gas, signed_at,
 broadcast_at) SELECT id, '0x' || printf('%064x', id), '0x' || hex(zeroblob(120)), '1', '1', created_at, created_at
 FROM transactions"""
_GIVE_UP = """UPDATE transactions SET state = 'expired'
WHERE nonce > (SELECT max(nonce) FROM transactions) - :given_up"""


def fill(connection: Connection, rows: int) -> None:
    """Write so many rows, four of ten of them holds of one position and rule."""
    plans = rows // (5 * (1 + 2 * STEPS))
    holds = rows - 2 * plans * (1 + 2 * STEPS)
    inputs = json.dumps({"position": {"balances": [{"asset": "0x" + "11" * 20, "price_usd": "2000"}]}})
    common = {"now": NOW, "rule": RULE, "inputs": inputs}
    connection.exec_driver_sql(_HOLDS, common | {"count": holds * 2 // 3, "position": HOLDS_ONLY})
    connection.exec_driver_sql(_HOLDS, common | {"count": holds // 6, "position": ALL_FAILED})
    connection.exec_driver_sql(_HOLDS, common | {"count": holds // 6, "position": BUSY})
    failed = {"kind": "failed", "outcome": json.dumps({"reason": "price_moved"}), "position": ALL_FAILED}
    restored = {"kind": "restored", "outcome": json.dumps({"reason": "restored"}), "position": BUSY}
    for how in (failed, restored):
        connection.exec_driver_sql(_ACTS, common | how | {"count": plans})
    # the last word is again a hold's
    for position in (ALL_FAILED, BUSY):
        connection.exec_driver_sql(_HOLDS, common | {"count": holds // 6, "position": position})
    connection.exec_driver_sql(_TRANSACTIONS, {"signer": SIGNER, "steps": STEPS})
    connection.exec_driver_sql(_ATTEMPTS)
    connection.exec_driver_sql(_GIVE_UP, {"given_up": min(GIVEN_UP, plans)})


def questions(journal: Journal) -> dict[str, Callable[[], Awaitable[Any]]]:
    """Return every question that a block may ask, by what is asked of it."""
    of, rows = journal.decisions, journal.transactions
    asked: dict[str, Callable[[], Awaitable[Any]]] = {
        "unresolved": of.unresolved,
        "recent": lambda: of.recent(50),
        "recent transactions": lambda: rows.recent(50),
        "spent by rule": lambda: rows.spent_usd(1, since_timestamp=NOW - 86_400, rule=RULE),
        "spent by signer": lambda: rows.spent_usd(1, since_timestamp=NOW - 86_400, signer=SIGNER),
        "open rows": lambda: rows.unfinished(1, SIGNER),
        "unconfirmed": lambda: rows.unfinished(1, SIGNER, {"mined"}),
        "unseen": lambda: rows.unfinished(1, SIGNER, {"unseen"}),
        "costless": lambda: rows.unfinished(1, SIGNER, {"reverted", "expired", "cancelled"}, range(100, 116)),
        "at a nonce": lambda: rows.at_nonce(1, SIGNER, 100),
        "highest nonce": lambda: rows.highest_nonce(1, SIGNER),
        "highest landed": lambda: rows.highest_nonce(1, SIGNER, landed=True),
        "of a decision": lambda: rows.of_decision(1),
        "whose hashes": lambda: rows.own_of(["0x" + "ab" * 32] * 100),
        "a fact": lambda: journal.facts.get("alarms"),
    }
    for name in (HOLDS_ONLY, ALL_FAILED, BUSY):
        asked |= {
            f"last ({name})": lambda name=name: of.last(name),  # type: ignore[misc]
            f"last of rule ({name})": lambda name=name: of.last(name, RULE),  # type: ignore[misc]
            f"recent of ({name})": lambda name=name: of.recent(50, name),  # type: ignore[misc]
            f"last restored ({name})": lambda name=name: of.last_restored_at(name, RULE),  # type: ignore[misc]
            f"its prices ({name})": lambda name=name: of.prices_of_last_restored(name, RULE),  # type: ignore[misc]
            f"failed since ({name})": lambda name=name: of.failed_since(name, RULE, NOW - 3600),  # type: ignore[misc]
            f"price moved ({name})": lambda name=name: of.price_moved_since(name, RULE, NOW - 3600),  # type: ignore[misc]
            f"gas paid ({name})": lambda name=name: rows.gas_paid(1, name, NOW),  # type: ignore[misc]
        }
    return asked


def writes(journal: Journal) -> dict[str, Callable[[], Awaitable[Any]]]:
    """Return what a block may write, by what is written: a hold, and a plan that failed unsigned."""
    of = journal.decisions
    plain: dict[str, Any] = {"chain_id": 1, "block_number": 1, "block_hash": "0x", "block_timestamp": NOW + 1}
    plain |= {"mode": "live", "summary": "", "inputs": {}, "reason": "rule_fired"}
    asked = dict[str, Callable[[], Awaitable[Any]]]()
    for name in (HOLDS_ONLY, ALL_FAILED, BUSY):

        async def fail(name: str = name) -> None:
            made = await of.record(NewDecision(**plain, position=name, rule=RULE, kind="act"))
            await of.record_outcome(made, "failed", {"reason": "fee_limit"})

        async def hold(name: str = name) -> None:
            await of.record_hold(NewDecision(**plain, position=name, rule=RULE, kind="hold"))

        asked |= {f"write a failure ({name})": fail, f"write a hold ({name})": hold}
    return asked


async def measured(journal: Journal) -> dict[str, float]:
    """Return the median milliseconds of each question."""
    found = dict[str, float]()
    for name, ask in (questions(journal) | writes(journal)).items():
        took = list[float]()
        for _ in range(RUNS):
            begun = time.perf_counter()
            await ask()
            took.append((time.perf_counter() - begun) * 1000)
        found[name] = statistics.median(took)
    return found


async def main(rows: int) -> None:
    """Measure both, and print them side by side."""
    with tempfile.TemporaryDirectory() as folder:
        async with await open_journal(str(Path(folder) / "empty.sqlite")) as empty:
            small = await measured(empty)
        async with await open_journal(str(Path(folder) / "full.sqlite"), clock=lambda: NOW) as full:
            begun = time.perf_counter()
            async with full.store.writing("fill") as connection:
                await connection.do(fill, rows)
            filled = time.perf_counter() - begun
            large = await measured(full)
    table = Table("question", "empty, ms", f"{rows:,} rows, ms", title=f"filled in {filled:.0f} s")
    for name, took in sorted(large.items(), key=lambda item: -item[1]):
        table.add_row(name, f"{small[name]:.2f}", f"{took:.2f}")
    table.add_row("all of them", f"{sum(small.values()):.1f}", f"{sum(large.values()):.1f}")
    Console().print(table)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m bench.journal", description=__doc__)
    parser.add_argument("--rows", type=int, default=ROWS)
    asyncio.run(main(parser.parse_args().rows))
