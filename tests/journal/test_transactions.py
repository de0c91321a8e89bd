"""One intent at one nonce, whatever happens in between."""

import asyncio
import os
import signal
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from keeper.journal import Journal, JournalError, NonceTakenError, NoSuchRowError, open_journal
from tests.journal.conftest import NOON, OTHER_SIGNER, SIGNER, Clock, attempt, decision, transaction

ROOT = Path(__file__).resolve().parents[2]
THOUSAND = 1_000 * 10**8


@pytest.fixture
async def decided(journal: Journal) -> int:
    return await journal.decisions.record(decision())


async def test_a_signed_transaction_is_found_with_its_bytes(journal: Journal, decided: int) -> None:
    """A start rebroadcasts exactly what was signed."""
    await journal.transactions.add_signed(transaction(decided, value=2**255), attempt(1))
    (found,) = await journal.transactions.unfinished(1, SIGNER)
    assert (found.state, found.value, found.spend_usd) == ("signed", 2**255, THOUSAND)
    assert [(one.hash, one.raw, one.broadcast_at) for one in found.attempts] == [(f"0x{1:064x}", "0x020001", None)]
    assert await journal.transactions.unfinished(10, SIGNER) == ()
    assert await journal.transactions.unfinished(1, OTHER_SIGNER) == ()


async def test_a_second_intent_at_a_nonce_is_refused(journal: Journal, decided: int) -> None:
    """Two intents at one nonce could both be believed done; nothing of the second is kept."""
    await journal.transactions.add_signed(transaction(decided, 5), attempt(1))
    with pytest.raises(NonceTakenError, match="nonce 5"):
        await journal.transactions.add_signed(transaction(decided, 5, purpose="swap"), attempt(2))
    assert [found.purpose for found in await journal.transactions.at_nonce(1, SIGNER, 5)] == ["repay"]


async def test_the_same_nonce_is_free_on_another_chain_and_for_another_signer(journal: Journal, decided: int) -> None:
    """A lane is a chain and a signer."""
    await journal.transactions.add_signed(transaction(decided), attempt(1))
    await journal.transactions.add_signed(transaction(decided, chain_id=10), attempt(2))
    await journal.transactions.add_signed(transaction(decided, signer=OTHER_SIGNER), attempt(3))
    assert len(await journal.transactions.of_decision(decided)) == 3


async def test_a_transaction_without_its_decision_is_refused(journal: Journal) -> None:
    """Nothing is signed that cannot be explained."""
    with pytest.raises(NoSuchRowError, match="decision 99"):
        await journal.transactions.add_signed(transaction(99), attempt(1))


async def test_an_attempt_whose_bytes_are_there_leaves_nothing_behind(journal: Journal, decided: int) -> None:
    """The transaction and its bytes are one commit: both or neither."""
    await journal.transactions.add_signed(transaction(decided, 0), attempt(1))
    with pytest.raises(JournalError, match="already in it"):
        await journal.transactions.add_signed(transaction(decided, 1), attempt(1))
    assert await journal.transactions.highest_nonce(1, SIGNER) == 0


async def test_a_bump_is_another_attempt_of_the_same_intent(journal: Journal, decided: int) -> None:
    """Every hash ever sent at the nonce is kept, oldest first, and the first time of sending stays."""
    sent = await journal.transactions.add_signed(transaction(decided), attempt(1))
    await journal.transactions.mark_broadcast(attempt(1).hash)
    await journal.transactions.add_attempt(sent, attempt(2, max_fee_per_gas=40 * 10**9))
    await journal.transactions.mark_refused(attempt(2).hash, "underpriced")
    (found,) = await journal.transactions.unfinished(1, SIGNER)
    assert found.state == "pending"
    assert [one.broadcast_at for one in found.attempts] == [NOON, None]
    assert [one.last_error for one in found.attempts] == [None, "underpriced"]
    with pytest.raises(NoSuchRowError):
        await journal.transactions.add_attempt(99, attempt(3))


async def test_rebroadcasting_keeps_the_first_time_of_sending(journal: Journal, decided: int, clock: Clock) -> None:
    """Age decides about a bump, and it counts from the first broadcast."""
    await journal.transactions.add_signed(transaction(decided), attempt(1))
    await journal.transactions.mark_broadcast(attempt(1).hash)
    clock.now += 12
    await journal.transactions.mark_broadcast(attempt(1).hash)
    (found,) = await journal.transactions.unfinished(1, SIGNER)
    assert found.attempts[0].broadcast_at == NOON


async def test_marking_unknown_bytes_is_refused(journal: Journal) -> None:
    """A hash the journal does not know was not signed through it."""
    with pytest.raises(NoSuchRowError):
        await journal.transactions.mark_broadcast("0x00")
    with pytest.raises(NoSuchRowError):
        await journal.transactions.settle(5, "mined")


async def test_a_reorg_puts_a_mined_transaction_back_to_pending(journal: Journal, decided: int) -> None:
    """The block that is gone leaves no trace in the row."""
    sent = await journal.transactions.add_signed(transaction(decided), attempt(1))
    await journal.transactions.settle(
        sent, "mined", block_number=7, block_hash="0x07", gas_used=21_000, effective_gas_price=2**70
    )
    (mined,) = await journal.transactions.of_decision(decided)
    assert (mined.block_number, mined.effective_gas_price) == (7, 2**70)
    await journal.transactions.settle(sent, "pending")
    (found,) = await journal.transactions.unfinished(1, SIGNER)
    assert (found.block_number, found.block_hash, found.gas_used, found.effective_gas_price) == (None, None, None, None)


async def test_a_settled_transaction_is_not_taken_up_again(journal: Journal, decided: int) -> None:
    """Only signed and pending ones are; others when asked for."""
    sent = await journal.transactions.add_signed(transaction(decided), attempt(1))
    await journal.transactions.settle(sent, "mined", block_number=7)
    assert await journal.transactions.unfinished(1, SIGNER) == ()
    assert [found.id for found in await journal.transactions.unfinished(1, SIGNER, {"mined"})] == [sent]


async def test_a_replacement_takes_the_nonce_and_keeps_the_earlier_bytes(journal: Journal, decided: int) -> None:
    """A new plan or a cancellation lives at the nonce; the replaced bytes may still land and are looked for."""
    first = await journal.transactions.add_signed(transaction(decided, 3), attempt(1))
    second = await journal.transactions.replace_signed(first, transaction(decided, 3, purpose="cancel"), attempt(2))
    assert [found.id for found in await journal.transactions.unfinished(1, SIGNER)] == [second]
    lane = await journal.transactions.at_nonce(1, SIGNER, 3)
    assert [(found.state, found.replaces) for found in lane] == [("replaced", None), ("signed", first)]
    assert [one.hash for found in lane for one in found.attempts] == [attempt(1).hash, attempt(2).hash]


async def test_a_settled_transaction_cannot_be_replaced(journal: Journal, decided: int) -> None:
    """The nonce is used up."""
    first = await journal.transactions.add_signed(transaction(decided, 3), attempt(1))
    await journal.transactions.settle(first, "confirmed")
    with pytest.raises(NoSuchRowError):
        await journal.transactions.replace_signed(first, transaction(decided, 3), attempt(2))


async def test_the_replaced_bytes_may_be_the_ones_that_land(journal: Journal, decided: int) -> None:
    """The loser is settled first; both at once would be two intents at one nonce."""
    first = await journal.transactions.add_signed(transaction(decided, 3), attempt(1))
    second = await journal.transactions.replace_signed(first, transaction(decided, 3), attempt(2))
    with pytest.raises(NonceTakenError):
        await journal.transactions.settle(first, "mined")
    await journal.transactions.settle(second, "replaced")
    await journal.transactions.settle(first, "mined", block_number=9)
    assert [found.state for found in await journal.transactions.at_nonce(1, SIGNER, 3)] == ["mined", "replaced"]


async def test_the_highest_nonce_is_of_this_lane_and_not_given_back(journal: Journal, decided: int) -> None:
    """The next nonce is counted here, never from one node's answer."""
    assert await journal.transactions.highest_nonce(1, SIGNER) is None
    await journal.transactions.add_signed(transaction(decided, 4), attempt(1))
    given_back = await journal.transactions.add_signed(transaction(decided, 5), attempt(2))
    await journal.transactions.add_signed(transaction(decided, 9, signer=OTHER_SIGNER), attempt(3))
    await journal.transactions.settle(given_back, "expired")
    assert await journal.transactions.highest_nonce(1, SIGNER) == 4


async def test_the_newest_transactions_come_first(journal: Journal, decided: int) -> None:
    """The owner reads from the end, also across lanes."""
    made = [await journal.transactions.add_signed(transaction(decided, n), attempt(n)) for n in (3, 1, 2)]
    assert [found.id for found in await journal.transactions.recent(2)] == [made[2], made[1]]


@pytest.mark.parametrize(
    ("state", "counted"),
    [
        ("signed", THOUSAND),
        ("pending", THOUSAND),
        ("mined", THOUSAND),
        ("confirmed", THOUSAND),
        ("reverted", 0),
        ("expired", 0),
        ("cancelled", 0),
    ],
)
async def test_what_may_have_been_spent_counts(journal: Journal, decided: int, state: Any, counted: int) -> None:
    """A limit counts what is signed until it is known not to land."""
    sent = await journal.transactions.add_signed(transaction(decided), attempt(1))
    await journal.transactions.settle(sent, state)
    assert await journal.transactions.spent_usd(1, since_timestamp=NOON) == counted


async def test_one_nonce_is_spent_once(journal: Journal, decided: int) -> None:
    """Of a plan and its replacement one lands: the dearest counts until it is known which."""
    first = await journal.transactions.add_signed(transaction(decided, spend_usd=3 * THOUSAND), attempt(1))
    cheaper = await journal.transactions.replace_signed(first, transaction(decided), attempt(2))
    assert await journal.transactions.spent_usd(1, since_timestamp=NOON) == 3 * THOUSAND
    await journal.transactions.settle(cheaper, "confirmed")
    assert await journal.transactions.spent_usd(1, since_timestamp=NOON) == THOUSAND


async def test_a_limit_counts_its_own_rule_signer_chain_and_day(journal: Journal) -> None:
    """Each limit adds up what it limits, in block time."""
    yesterday = await journal.decisions.record(decision(block_timestamp=NOON - 86_400))
    protect = await journal.decisions.record(decision())
    boost = await journal.decisions.record(decision(rule="boost"))
    await journal.transactions.add_signed(transaction(yesterday, 0), attempt(0))
    await journal.transactions.add_signed(transaction(protect, 1), attempt(1))
    await journal.transactions.add_signed(transaction(boost, 2), attempt(2))
    await journal.transactions.add_signed(transaction(boost, 2, signer=OTHER_SIGNER), attempt(3))
    await journal.transactions.add_signed(transaction(protect, 2, chain_id=10), attempt(4))
    spent = journal.transactions.spent_usd
    assert await spent(1, since_timestamp=NOON - 86_400) == 4 * THOUSAND
    assert await spent(1, since_timestamp=NOON) == 3 * THOUSAND
    assert await spent(1, since_timestamp=NOON, rule="boost") == 2 * THOUSAND
    assert await spent(1, since_timestamp=NOON, rule="boost", signer=SIGNER) == THOUSAND
    assert await spent(1, since_timestamp=NOON, mode="dry_run") == 0


async def test_an_amount_that_is_not_an_integer_is_refused(journal: Journal, decided: int) -> None:
    """A float would lose wei."""
    wrong: Any = 1.5
    with pytest.raises(JournalError, match="integer"):
        await journal.transactions.add_signed(transaction(decided, value=wrong), attempt(1))


KILLED = """
import asyncio, os, signal, sys
from keeper.journal import open_journal
from tests.journal.conftest import attempt, decision, transaction

async def main():
    journal = await open_journal(sys.argv[1])
    decided = await journal.decisions.record(decision())
    await journal.transactions.add_signed(transaction(decided, 7), attempt(7))
    os.kill(os.getpid(), signal.SIGKILL) if sys.argv[2] == "kill" else os._exit(3)

asyncio.run(main())
"""


@pytest.mark.parametrize("way", ["kill", "exit"])
@pytest.mark.slow
async def test_signed_bytes_survive_the_death_of_the_keeper(address: str, way: str) -> None:
    """Once add_signed has returned, nothing may make the bytes unknown: they may be on the wire."""
    program = [sys.executable, "-c", textwrap.dedent(KILLED), address, way]
    ended = await asyncio.create_subprocess_exec(*program, env={**os.environ, "PYTHONPATH": str(ROOT)})
    assert await asyncio.wait_for(ended.wait(), 60) == (-signal.SIGKILL if way == "kill" else 3)
    async with await open_journal(address) as journal:
        (found,) = await journal.transactions.unfinished(1, SIGNER)
        assert (found.nonce, found.attempts[0].raw) == (7, attempt(7).raw)
        assert await journal.transactions.spent_usd(1, since_timestamp=NOON) == THOUSAND


async def test_gas_of_one_danger_is_added_up_over_plans_and_reverts(journal: Journal) -> None:
    """A run of plans without six hours of calm; another position's, and an earlier danger's, are not part of it."""
    hour, nonce = 3600, iter(range(100))

    async def paid(timestamp: int, gas: int, state: Any = "mined", **about: Any) -> None:
        id_ = await journal.decisions.record(decision(block_timestamp=timestamp, **about))
        number = next(nonce)
        row = await journal.transactions.add_signed(transaction(id_, number), attempt(number + 1))
        await journal.transactions.settle(
            row, state, block_number=1, block_hash="0x1", gas_used=gas, effective_gas_price=10**12
        )

    await paid(NOON - 20 * hour, 5)  # an earlier danger
    await paid(NOON - 9 * hour, 7)
    await paid(NOON - 4 * hour, 11, "reverted")
    await paid(NOON - 60, 13)
    await paid(NOON - 30, 17, position="another")
    about = decision().position
    assert await journal.transactions.gas_paid(1, about, NOON) == 31 * 10**12
    assert await journal.transactions.gas_paid(1, about, NOON + 7 * hour) == 0, "calm since"
    assert await journal.transactions.gas_paid(10, about, NOON) == 0
