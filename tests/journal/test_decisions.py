"""What was decided, why, and what came of it."""

from dataclasses import asdict
from decimal import Decimal
from typing import Any

import pytest

from keeper.journal import Journal, JournalError, NoSuchRowError
from keeper.journal.decisions import Mode
from tests.journal.conftest import NOON, Clock, attempt, decision, transaction

DAY = 86_400


async def test_a_decision_comes_back_as_it_was_written(journal: Journal) -> None:
    """Explaining needs every figure, also those wider than 64 bits."""
    written = decision(
        inputs={"debt": str(2**200)}, alternatives=[{"action": "top_up"}], plan={"calls": []}, rehearsal={"ok": True}
    )
    found = await journal.decisions.get(await journal.decisions.record(written))
    assert found is not None
    assert {key: value for key, value in asdict(found).items() if key in asdict(written)} == asdict(written)
    assert (found.created_at, found.outcome, found.outcome_kind) == (NOON, None, None)


async def test_an_outcome_is_written_over_what_was_known_before(journal: Journal) -> None:
    """A plan is in flight first and restored, or failed, afterwards."""
    decided = await journal.decisions.record(decision())
    await journal.decisions.record_outcome(decided, "in_flight", {"sent": 1})
    await journal.decisions.record_outcome(decided, "restored", {"health_factor": "1.60"})
    found = await journal.decisions.get(decided)
    assert found is not None
    assert (found.outcome_kind, found.outcome) == ("restored", {"health_factor": "1.60"})


async def test_an_outcome_of_nothing_is_refused(journal: Journal) -> None:
    """An outcome that lands nowhere would be silently lost."""
    with pytest.raises(NoSuchRowError, match="decision 7"):
        await journal.decisions.record_outcome(7, "restored", {})


async def test_a_decision_that_cannot_be_written_raises(journal: Journal) -> None:
    """A Decimal in the JSON is a mistake of ours: it must not vanish."""
    with pytest.raises(JournalError, match="as text"):
        await journal.decisions.record(decision(inputs={"price": Decimal("1.5")}))


async def test_the_last_decision_is_the_newest_of_its_rule(journal: Journal) -> None:
    """Hysteresis looks at its own rule, the status page at any."""
    mine = await journal.decisions.record(decision())
    other = await journal.decisions.record(decision(rule="boost"))
    await journal.decisions.record(decision(position="another"))
    last_of_rule, last = await journal.decisions.last("eth-loop", "protect"), await journal.decisions.last("eth-loop")
    assert last_of_rule is not None
    assert last is not None
    assert (last_of_rule.id, last.id) == (mine, other)
    assert await journal.decisions.last("eth-loop", "unknown") is None


async def test_recent_decisions_come_newest_first(journal: Journal) -> None:
    """The owner reads from the end."""
    made = [await journal.decisions.record(decision(position=name)) for name in ("a", "b", "a")]
    assert [found.id for found in await journal.decisions.recent(2)] == made[:0:-1]
    assert [found.id for found in await journal.decisions.recent(9, position="a")] == [made[2], made[0]]


async def test_a_follower_misses_no_decision(journal: Journal) -> None:
    """With fewer asked for than came, the rest comes with the next call."""
    made = [await journal.decisions.record(decision()) for _ in range(4)]
    assert [found.id for found in await journal.decisions.recent(2, since_id=made[0])] == made[1:3]
    assert [found.id for found in await journal.decisions.recent(2, since_id=made[2])] == made[3:]


async def test_a_cooldown_counts_from_what_reached_its_target(journal: Journal) -> None:
    """A rescue that failed or helped in part starts no cooldown: the position still needs help."""
    acted = await journal.decisions.record(decision(block_timestamp=NOON))
    await journal.transactions.add_signed(transaction(acted, 1), attempt(1))
    await journal.decisions.record_outcome(acted, "failed", {})
    assert await journal.decisions.last_restored_at("eth-loop", "protect") is None
    again = await journal.decisions.record(decision(block_timestamp=NOON + 60))
    await journal.transactions.add_signed(transaction(again, 2), attempt(2))
    await journal.decisions.record_outcome(again, "restored", {})
    assert await journal.decisions.last_restored_at("eth-loop", "protect") == NOON + 60
    assert await journal.decisions.last_restored_at("eth-loop", "boost") is None


@pytest.mark.parametrize(
    ("position", "prices"),
    [
        ({"balances": [{"asset": "0xee", "price_usd": "1890.50000001"}]}, {"0xee": 189_050_000_001}),
        ({"legs": [{"address": "0xaa", "mark_price": "1890000000000000000001"}]}, {"0xaa": 1890 * 10**18 + 1}),
        ({"legs": [{"market": "ETH", "mark_price_usd": "1890.0000"}]}, {}),
        ({"legs": [{"address": "0xaa", "mark_price": "?"}]}, {}),
        ({}, {}),
    ],
)
async def test_the_prices_a_rule_acted_on_are_those_of_its_newest_success(
    journal: Journal, position: dict[str, Any], prices: dict[str, int]
) -> None:
    """Of assets or of perpetual markets, to the unit; none where an older program wrote the row."""
    acted = await journal.decisions.record(decision(inputs={"position": position}))
    await journal.decisions.record_outcome(acted, "restored", {})
    failed = await journal.decisions.record(decision(inputs={"position": {"balances": []}}))
    await journal.decisions.record_outcome(failed, "failed", {})
    assert await journal.decisions.prices_of_last_restored("eth-loop", "protect") == prices


async def test_failures_are_counted_since_a_time_and_only_where_something_was_signed(journal: Journal) -> None:
    """A plan that sent nothing cost nothing and does not count."""
    for i, at in enumerate((NOON, NOON + 60, NOON + 120)):
        made = await journal.decisions.record(decision(block_timestamp=at))
        if i != 1:
            await journal.transactions.add_signed(transaction(made, i), attempt(i))
        await journal.decisions.record_outcome(made, "failed", {})
    assert await journal.decisions.failed_since("eth-loop", "protect", NOON) == 2
    assert await journal.decisions.failed_since("eth-loop", "protect", NOON + 1) == 1


@pytest.mark.parametrize("mode", ["live", "dry_run"])
async def test_upkeep_starts_no_cooldown_of_its_rule(journal: Journal, mode: Mode) -> None:
    """A stop was placed with the exchange: the rule has done nothing yet, and must not be held back when it fires."""
    placed = await journal.decisions.record(decision(kind="upkeep", mode=mode))
    await journal.decisions.record_outcome(placed, "restored" if mode == "live" else "rehearsed", {})
    assert await journal.decisions.last_restored_at("eth-loop", "protect", mode) is None
    assert await journal.decisions.last_restored_at("eth-loop", "protect", mode, "upkeep") == NOON


async def test_failed_upkeep_disables_no_rule_and_is_counted_apart(journal: Journal) -> None:
    """However often a stop could not be changed, the rule may still close the position itself."""
    for i in range(3):
        made = await journal.decisions.record(decision(kind="upkeep"))
        await journal.transactions.add_signed(transaction(made, i), attempt(i))
        await journal.decisions.record_outcome(made, "failed", {})
    assert await journal.decisions.failed_since("eth-loop", "protect", NOON) == 0
    assert await journal.decisions.failed_since("eth-loop", "protect", NOON, "upkeep") == 3


async def test_a_dry_run_has_its_own_cooldown(journal: Journal) -> None:
    """Rehearsing must neither start nor be held by the cooldown of the live keeper."""
    rehearsed = await journal.decisions.record(decision(mode="dry_run"))
    await journal.decisions.record_outcome(rehearsed, "rehearsed", {})
    assert await journal.decisions.last_restored_at("eth-loop", "protect") is None
    assert await journal.decisions.last_restored_at("eth-loop", "protect", mode="dry_run") == NOON


async def test_a_start_finds_the_decisions_left_open(journal: Journal) -> None:
    """Killed between sending and the receipt, the keeper takes the decision up again."""
    done, flying, unmarked, unsent = [await journal.decisions.record(decision()) for _ in range(4)]
    for nonce, decided in enumerate((done, flying, unmarked)):
        await journal.transactions.add_signed(transaction(decided, nonce), attempt(nonce))
    await journal.decisions.record_outcome(done, "restored", {})
    await journal.decisions.record_outcome(flying, "in_flight", {})
    assert [found.id for found in await journal.decisions.unresolved()] == [flying, unmarked]
    assert unsent not in {found.id for found in await journal.decisions.unresolved()}


async def test_pruning_forgets_old_holds_only(journal: Journal, clock: Clock) -> None:
    """What the keeper did, and what it was asked about lately, stays."""
    old_hold = await journal.decisions.record(decision(kind="hold"))
    old_act = await journal.decisions.record(decision())
    old_bound = await journal.decisions.record(decision(kind="hold"))
    await journal.transactions.add_signed(transaction(old_bound), attempt(1))
    clock.now += 31 * DAY
    new_hold = await journal.decisions.record(decision(kind="hold"))
    assert await journal.decisions.prune(days=30) == 1
    assert [found.id for found in await journal.decisions.recent(9)] == [new_hold, old_bound, old_act]
    assert await journal.decisions.get(old_hold) is None


async def test_facts_outlive_the_cycle(journal: Journal) -> None:
    """A trailing stop is set, moved and dropped."""
    assert await journal.facts.get("stop") is None
    await journal.facts.set("stop", {"high": "3000"})
    await journal.facts.set("stop", {"high": "3100"})
    assert await journal.facts.get("stop") == {"high": "3100"}
    await journal.facts.set("stop", None)
    assert await journal.facts.get("stop") is None
