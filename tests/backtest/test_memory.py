"""The journal on paper answers what the real one answers about the same plans."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from keeper.backtest.memory import PaperJournal
from keeper.journal import NewAttempt, NewDecision, NewTransaction
from keeper.journal.open import open_journal

NOW = 1_700_000_000
SIGNER = "0x" + "11" * 20
PLANS = [
    # seconds before now, rule, outcome, reason, dollars moved, gas, mined or reverted
    (9 * 86_400, "protect", "restored", "restored", 900, 100_000, "mined"),
    (30 * 3600, "protect", "restored", "restored", 500, 200_000, "mined"),
    (8 * 3600, "protect", "failed", "reverted", 300, 300_000, "reverted"),
    (7 * 3600, "other", "restored", "restored", 70, 50_000, "mined"),
    (3 * 3600, "protect", "failed", "price_moved", 300, 310_000, "reverted"),
    (2 * 3600, "protect", "partial", "price_moved", 200, 150_000, "mined"),
    (500, "protect", "failed", "nonce_taken", 0, 0, None),
    (300, "protect", "failed", "postcondition_failed", 100, 90_000, "mined"),
]


def decision(at: int, rule: str) -> NewDecision:
    balances = [{"asset": "0xA", "price_usd": f"{at % 1000}.5"}]
    return NewDecision(
        chain_id=1, block_number=at // 12, block_hash="0x" + "0" * 64, block_timestamp=at, position="loop", rule=rule,
        mode="live", kind="act", reason="rule_fired", summary="sell", inputs={"position": {"balances": balances}},
    )  # fmt: skip


@pytest.fixture
async def both(tmp_path: Path) -> Any:
    paper = PaperJournal()
    async with await open_journal(str(tmp_path / "journal.sqlite"), clock=lambda: NOW) as real:
        for nonce, (before, rule, kind, reason, dollars, gas, state) in enumerate(PLANS):
            made = decision(NOW - before, rule)
            ids = [await of.decisions.record(made) for of in (paper, real)]
            if state is not None:
                signed = NewTransaction(
                    decision_id=ids[1], step=0, chain_id=1, signer=SIGNER, nonce=nonce, to=SIGNER, value=0, data="0x",
                    purpose="sell", spend_usd=dollars, gas_limit=gas,
                )  # fmt: skip
                hash_ = f"0x{nonce:064x}"
                attempt = NewAttempt(hash=hash_, raw="0x", max_fee_per_gas=3, max_priority_fee_per_gas=1)
                row = await real.transactions.add_signed(signed, attempt)
                await real.transactions.mark_broadcast(hash_)
                await mined(real, row, state, gas)
                paper.rows[-1].spends.append((0 if state == "reverted" else dollars, gas * 2))
            for of, id_ in zip((paper, real), ids, strict=True):
                await of.decisions.record_outcome(id_, kind, {"reason": reason})
        yield paper, real


async def mined(real: Any, row: int, state: str, gas: int) -> None:
    await real.transactions.settle(row, state, block_number=5, block_hash="0x5", gas_used=gas, effective_gas_price=2)


@pytest.mark.parametrize("rule", ["protect", "other", "none"])
async def test_they_remember_the_same(both: Any, rule: str) -> None:
    """When a rule last reached its target and on what prices, what failed, what was spent, what gas cost."""
    paper, real = both
    for of in ("last_restored_at", "prices_of_last_restored"):
        assert await getattr(paper, of)("loop", rule) == await getattr(real.decisions, of)("loop", rule), of
    for of in ("failed_since", "price_moved_since"):
        for since in (NOW - 600, NOW - 4 * 3600, 0):
            ours = await getattr(paper, of)("loop", rule, since)
            assert ours == await getattr(real.decisions, of)("loop", rule, since), (of, since)
    for since in (NOW - 86_400, 0):
        ours = await paper.spent_usd(1, since_timestamp=since, rule=rule)
        assert ours == await real.transactions.spent_usd(1, since_timestamp=since, rule=rule)
    for now in (NOW, NOW + 5 * 3600, NOW + 7 * 3600):
        assert await paper.gas_paid(1, "loop", now) == await real.transactions.gas_paid(1, "loop", now), now
