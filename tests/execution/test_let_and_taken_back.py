"""Whom a plan cut short let act for the owner's account acts no more: by the journal, once, whoever asks for it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from core_builders import NOW
from test_agents_judged import END, FLASH, LET, POSITION, VENUES
from test_brought_back import Rescue
from test_lane import Rig, guidance, rig  # noqa: F401 - a fixture

from keeper.core.lending.moves import Move
from keeper.core.snapshot import LendingPosition
from keeper.core.units import Wad
from keeper.execution.carriers import Plain
from keeper.execution.dispatch import Outgoing
from keeper.execution.encoding import encode_moves
from keeper.execution.executor import Executor
from keeper.execution.lending_errand import LendingParts


class Let(Rescue):
    """A plan by a loan of one transaction at a market where the adapter acts for the account."""

    def __init__(self, rig: Rig) -> None:  # noqa: F811
        super().__init__(rig)

        async def read(_: str, __: int | None) -> LendingPosition:
            return replace(POSITION, owner=rig.lane.signer.address)

        desk: Any = LendingParts(rig.lane, lambda _: VENUES, read, self.executor.lending.read_held, None, Wad(0))
        self.executor = Executor(rig.lane, None, desk, desk)

    async def send(self, *moves: Move) -> None:
        on, owner = self.rig, self.rig.lane.signer.address
        made = encode_moves(moves, VENUES, replace(POSITION, owner=owner), Plain(owner), NOW + 600)
        on.clock.at = [(on.clock.now + 2, on.chain.mine)]
        await on.lane.send([Outgoing(c, on.decision, i, 5, 900_000) for i, c in enumerate(made)], guidance())
        await on.journal.decisions.record_outcome(on.decision, "failed", {})

    @property
    def said(self) -> list[bool]:
        """Whether the adapter may act, one call after the other."""
        data = [seen.data for hash_ in self.rig.chain.mined for seen in self.rig.chain.log if seen.hash == hash_]
        return [bool(int(d[-64:], 16)) for d in data if d.startswith("0xeecea000")]


async def test_an_adapter_that_was_let_and_never_ended_acts_no_more(rig: Rig) -> None:  # noqa: F811
    """The bundle was dropped, or the keeper was killed before it."""
    rescue = Let(rig)
    await rescue.send(LET)
    assert await rescue.executor.lending.left_outside(rig.decision, "lent")
    rig.clock.at = [(rig.clock.now + 2, rig.chain.mine)]
    assert await rescue.returned()
    assert rescue.said == [True, False]
    assert not await rescue.executor.lending.left_outside(rig.decision, "lent")


async def test_a_plan_that_ended_it_itself_needs_nothing(rig: Rig) -> None:  # noqa: F811
    """Let, used, ended."""
    rescue = Let(rig)
    await rescue.send(LET, FLASH, END)
    assert not await rescue.executor.lending.left_outside(rig.decision, "lent")


async def test_it_is_ended_though_the_bundle_reverted(rig: Rig) -> None:  # noqa: F811
    """What lets and what ends are transactions of their own: the last goes through whatever befell the middle."""
    rescue = Let(rig)
    await rescue.send(LET, END)
    assert rescue.said == [True, False]
    assert not await rescue.executor.lending.left_outside(rig.decision, "lent")
