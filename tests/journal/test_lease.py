"""Two keepers on two machines that share a database never both hold the right to sign for one account."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest

from keeper.core.units import Address
from keeper.execution.lock import SignerLockedError
from keeper.journal import open_journal
from keeper.journal.lease import Lease, LeaseHeldError
from keeper.service import keys

pytestmark = pytest.mark.server
NAME = "1:0xme"


@pytest.fixture
def address(postgresql: str) -> str:
    return postgresql


async def test_one_of_two_holds_it_and_the_other_takes_over_when_that_one_ends(address: str) -> None:
    """Refused by name while it is held, another account's is free; had at once when the first is closed."""
    async with await open_journal(address) as here, await open_journal(address) as there:
        first, second, other = Lease(here.store, NAME), Lease(there.store, NAME), Lease(there.store, "1:0xother")
        await first.hold()
        await first.hold()
        await other.hold()
        with pytest.raises(LeaseHeldError, match="another keeper"):
            await second.hold()
        await first.close()
        await second.hold()
        for one in (second, other):
            await one.close()


async def test_one_whose_connection_is_lost_takes_it_again_or_finds_that_it_is_taken(address: str) -> None:
    """A server that cut it off: the lock went with the session. Whoever comes first has it."""
    async with await open_journal(address) as here, await open_journal(address) as there:
        first, second = Lease(here.store, NAME), Lease(there.store, NAME)
        await first.hold()
        cut_off(address)
        await first.hold()
        with pytest.raises(LeaseHeldError):
            await second.hold()
        cut_off(address)
        await second.hold()
        with pytest.raises(LeaseHeldError):
            await first.hold()
        for one in (first, second):
            await one.close()


async def test_a_journal_in_a_file_needs_none(tmp_path: Path) -> None:
    """The lock file of its machine does the same."""
    async with await open_journal(f"{tmp_path}/journal.sqlite") as journal:
        one, two = Lease(journal.store, NAME), Lease(journal.store, NAME)
        await one.hold()
        await two.hold()
        for lease in (one, two):
            await lease.close()


def cut_off(address: str) -> None:
    """End whoever holds such a lock, as a server that fails over does."""
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'")


async def test_a_keeper_that_shares_a_database_refuses_a_signer_that_another_one_keeps(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As it does on one machine: by the signer's name, and free again when that one has ended."""
    monkeypatch.setattr(keys, "LEASE_S", 0.3)
    settings: Any = SimpleNamespace(network=SimpleNamespace(chain_id=1))
    async with await open_journal(address) as here, await open_journal(address) as there:
        lease = await keys.leased(settings, here, Address("0x" + "11" * 20))
        with pytest.raises(SignerLockedError, match="is in use"):
            await keys.leased(settings, there, Address("0x" + "11" * 20))
        await lease.close()
        await (await keys.leased(settings, there, Address("0x" + "11" * 20))).close()
