"""What is ready beforehand: asked for once, used once, and worth nothing after anything changed."""

from __future__ import annotations

import sqlite3
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from fake_chain import FakeBlocks
from test_lane import Rig, rig  # noqa: F401 - a fixture

from keeper.core.reasons import Reason
from keeper.core.snapshot import BlockRef
from keeper.core.units import Wei
from keeper.execution.course import Guidance, SendFailedError
from keeper.journal import Entry, NewDecision, NoSuchRowError

DECISION = NewDecision(
    chain_id=31337,
    block_number=1,
    block_hash="0x1",
    block_timestamp=1,
    position="p",
    rule="r",
    mode="live",
    kind="act",
    reason="rule_fired",
    summary="armed",
    inputs={},
)


def asked(rig: Rig) -> Counter[str]:  # noqa: F811
    """Count from now on what the node is asked before the first bytes reach it."""
    seen, request = Counter[str](), rig.chain.request

    async def counted(method: str, *params: Any) -> Any:
        if not rig.chain.log:
            seen[method] += 1
        return await request(method, *params)

    rig.chain.request = counted  # type: ignore[method-assign]
    return seen


async def head(rig: Rig) -> BlockRef:  # noqa: F811
    return await FakeBlocks(rig.chain).head()


def guidance(at: BlockRef, entry: Entry | None = None, ceiling: int | None = None) -> Guidance:
    limit = None if ceiling is None else Wei(ceiling)
    return Guidance(limit, None, decided_at=at, entry=entry or Entry(DECISION), balance=Wei(10**18))


async def test_a_send_made_ready_asks_the_node_nothing(rig: Rig) -> None:  # noqa: F811
    """Nonce, tip, balance and base fee are known: the first request is the bytes themselves, for every call."""
    await rig.lane.make_ready(await head(rig))
    rig.chain.mine()
    at, seen = await head(rig), asked(rig)
    assert rig.lane.ready_nonce(at) == 0
    rig.clock.at = [(2, rig.chain.mine)]
    receipts = await rig.lane.send([rig.out("01"), rig.out("02")], guidance(at))
    assert seen == {"eth_sendRawTransaction": 1}
    assert [r.succeeded for r in receipts] == [True, True]
    assert rig.chain.log[0].max_fee == 2 * at.base_fee + rig.chain.log[0].tip


async def test_the_decision_and_its_bytes_are_durable_before_the_wire(rig: Rig) -> None:  # noqa: F811
    """Seen by another connection when the first bytes arrive."""
    await rig.lane.make_ready(await head(rig))
    found: list[tuple[str, str]] = []
    real = rig.chain._eth_sendRawTransaction

    def spy(raw: str) -> str:
        with sqlite3.connect(str(rig.journal.store.engine.url.database)) as db:
            joined = "select d.summary, a.raw from decisions d join transactions t on t.decision_id = d.id "
            found.extend(db.execute(joined + "join attempts a on a.transaction_id = t.id").fetchall())
        return real(raw)

    rig.chain._eth_sendRawTransaction = spy  # type: ignore[method-assign]
    rig.clock.at = [(2, rig.chain.mine)]
    await rig.lane.send([rig.out()], guidance(await head(rig)))
    assert found[0] == ("armed", rig.chain.log[0].raw)


async def test_it_serves_its_own_block_and_the_next_on_the_same_history(rig: Rig) -> None:  # noqa: F811
    """Two blocks later, or after another parent, the node is asked as ever."""
    at = await head(rig)
    await rig.lane.make_ready(at)
    child = replace(at, hash="0xb", parent_hash=at.hash, number=at.number + 1)
    assert rig.lane.ready_nonce(at) == 0
    assert rig.lane.ready_nonce(child) == 0
    assert rig.lane.ready_nonce(replace(child, parent_hash="0xc")) is None
    assert rig.lane.ready_nonce(replace(child, hash="0xd", parent_hash="0xb", number=at.number + 2)) is None


async def test_nothing_is_ready_once_the_journal_moved(rig: Rig) -> None:  # noqa: F811
    """Whatever was signed or settled since, by whomever in this process."""
    at = await head(rig)
    await rig.lane.make_ready(at)
    await rig.journal.decisions.record(DECISION)
    assert rig.lane.ready_nonce(at) is None


async def test_it_is_used_once(rig: Rig) -> None:  # noqa: F811
    """Two plans at once cannot get the same nonce from it."""
    at = await head(rig)
    await rig.lane.make_ready(at)
    rig.clock.at = [(2, rig.chain.mine)]
    await rig.lane.send([rig.out()], guidance(at))
    assert rig.lane.ready_nonce(at) is None


async def test_nothing_is_ready_while_anything_of_ours_is_open(rig: Rig) -> None:  # noqa: F811
    """A pending nonce is replaced in the usual way, not passed by."""
    rig.chain.forgets = True
    with pytest.raises(SendFailedError):
        await rig.lane.send([rig.out()], replace(guidance(await head(rig)), give_up_s=1))
    await rig.lane.make_ready(await head(rig))
    assert rig.lane.ready_nonce(await head(rig)) is None


async def test_nothing_is_ready_after_a_reorg_that_freed_a_nonce(rig: Rig) -> None:  # noqa: F811
    """What landed by the journal and not by the chain is put in order first."""
    rig.clock.at = [(2, rig.chain.mine)]
    (receipt,) = await rig.lane.send([rig.out()], guidance(await head(rig)))
    rig.chain.reorganise(receipt.hash)
    await rig.lane.make_ready(await head(rig))
    assert rig.lane.ready_nonce(await head(rig)) is None


async def test_a_nonce_used_elsewhere_meanwhile_sends_nothing_twice(rig: Rig) -> None:  # noqa: F811
    """The node refuses the bytes; the plan ends as one whose nonce was taken."""
    await rig.lane.make_ready(await head(rig))
    rig.chain.mine_foreign(rig.me)
    entry = Entry(DECISION)
    with pytest.raises(SendFailedError) as failed:
        await rig.lane.send([rig.out()], guidance(await head(rig), entry))
    assert failed.value.reason is Reason.NONCE_TAKEN
    assert not rig.chain.mined
    (row,) = await rig.journal.transactions.of_decision(entry.id or 0)
    assert row.state == "expired"


async def test_a_fee_beyond_the_ceiling_is_left_to_the_usual_way(rig: Rig) -> None:  # noqa: F811
    """It says why there is no offer, and the decision is in the journal all the same."""
    await rig.lane.make_ready(await head(rig))
    entry = Entry(DECISION)
    with pytest.raises(SendFailedError) as failed:
        await rig.lane.send([rig.out()], guidance(await head(rig), entry, ceiling=1))
    assert failed.value.reason is Reason.FEE_LIMIT
    assert entry.id is not None
    assert rig.chain.log == []


async def test_a_failed_write_keeps_the_bytes_off_the_wire(rig: Rig) -> None:  # noqa: F811
    """A journal that cannot be written stops the send."""
    await rig.lane.make_ready(await head(rig))
    with pytest.raises(NoSuchRowError):
        await rig.lane.send([rig.out()], guidance(await head(rig), Entry(DECISION, id=999)))
    assert rig.chain.log == []
