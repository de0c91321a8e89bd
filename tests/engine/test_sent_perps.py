"""A perpetual plan all the way: written down, signed, sent, mined and verified, by a real lane without a chain."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from core_builders import BLOCK, OWNER
from paper import Paper, PaperPerpAccount, engine_on
from perp_builders import perp_rule
from test_cycle_perps import CALM, SQUEEZED, dollars

from keeper.core.perp import candidates as perp_actions
from keeper.core.perp.position import PerpPosition
from keeper.core.reasons import Reason
from keeper.core.units import Wei
from keeper.engine.cycle import cycle
from keeper.engine.engine import Engine
from keeper.execution.executor import Executor
from keeper.execution.perp_errand import PerpParts
from keeper.execution.settlement import OrderWatch
from keeper.journal.past import Recollection

sys.path.insert(0, str(Path(__file__).parents[1] / "execution"))

from test_lane import Rig, rig  # noqa: F401 - a fixture

RULE = perp_rule(actions=(perp_actions.ADD_MARGIN,))


def sending(on: Paper, rig: Rig) -> Engine:  # noqa: F811
    """The engine on paper, live: its journal is the lane's, its signer a guardian who pays margin in."""
    engine = engine_on(on, signers={"short": rig.me}, perp_rules=(RULE,), mode="live", remembers="live")  # type: ignore[arg-type]
    engine.journal = engine.perps.journal = engine.lent.journal = rig.journal  # type: ignore[assignment]
    engine.recollection = Recollection(rig.journal, "live")

    async def read(name: str, _: int | None) -> PerpPosition:
        return PaperPerpAccount(on, name)._found(on.perp(name))

    nobody: Any = None
    orders = OrderWatch(nobody, nobody, nobody, 10, 1)
    parts = PerpParts(lambda name: PaperPerpAccount(on, name), read, orders)
    engine.senders = {rig.me: Executor(rig.lane, Wei(10**12), nobody, parts)}  # type: ignore[dict-item]
    return engine


async def ended(engine: Engine) -> Any:
    """Run a block, and wait for the plan that went out at it."""
    (result,) = await cycle(engine, BLOCK)
    assert isinstance(result.outcome, asyncio.Task), result.decision
    return await result.outcome


async def test_margin_is_paid_in_by_one_transaction_and_only_then_is_it_restored(rig: Rig) -> None:  # noqa: F811
    """Written down with its first bytes; the outcome is what the account shows once it is mined."""
    rig.clock.at = [(rig.clock.now + 3, rig.chain.mine)]
    engine = sending(Paper({"short": SQUEEZED}, replace(dollars("5000"), address=OWNER)), rig)
    outcome = await ended(engine)
    assert (outcome.kind, outcome.reason) == ("restored", Reason.RESTORED)
    decision = await rig.journal.decisions.last("short")
    assert decision is not None
    assert (decision.kind, decision.outcome_kind) == ("act", "restored")
    (row,) = await rig.journal.transactions.of_decision(decision.id)
    assert (row.state, row.purpose) == ("mined", "deposit USDC for the owner")


async def test_a_deposit_that_reverts_is_no_success_and_frees_its_signer(rig: Rig) -> None:  # noqa: F811
    """A receipt without success is a failure of the plan; the next block decides anew."""

    def reverted() -> None:
        rig.chain.reverting.add(rig.chain.log[-1].data)
        rig.chain.mine()

    rig.clock.at = [(rig.clock.now + 3, reverted)]
    engine = sending(Paper({"short": SQUEEZED}, replace(dollars("5000"), address=OWNER)), rig)
    outcome = await ended(engine)
    assert (outcome.kind, outcome.reason) == ("failed", Reason.REVERTED)
    assert not engine.state.in_flight


async def test_a_position_that_recovers_while_its_plan_waits_calls_it_off(rig: Rig) -> None:  # noqa: F811
    """Asked anew before more is offered, as a loan's plan is: margin that nobody needs is not paid in."""
    on = Paper({"short": SQUEEZED}, replace(dollars("5000"), address=OWNER))
    engine = sending(on, rig)

    def recovers() -> None:
        on.positions["short"] = CALM

    rig.clock.at = [(rig.clock.now + 1, recovers), (rig.clock.now + 60, rig.chain.mine)]
    outcome = await ended(engine)
    assert (outcome.kind, outcome.reason) == ("cancelled", Reason.NO_LONGER_NEEDED)
    assert [seen.data for seen in rig.chain.mined_at(0)] == ["0x"], "its nonce went to nothing"


async def test_who_cannot_pay_for_gas_signs_nothing(rig: Rig) -> None:  # noqa: F811
    """Found before anything is written or signed."""
    engine = sending(Paper({"short": SQUEEZED}, dollars(native=10**12)), rig)
    (result,) = await cycle(engine, BLOCK)
    assert result.outcome is None
    assert not rig.chain.log
