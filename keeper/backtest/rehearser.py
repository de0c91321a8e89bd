"""The fake behind the engine's rehearser: calls run on a copy of the scene, and are forgotten."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from keeper.backtest.stage import PaperChain
from keeper.chain.simulation import NO_CODES, Codes, Simulated, Simulation, Turn
from keeper.core.snapshot import BlockRef
from keeper.core.units import Address, Wei
from keeper.venues.ports import Call, Read


@dataclass(slots=True)
class SceneRehearser:
    """Runs calls on how things stand."""

    scene: PaperChain[Any]
    where: str = "on paper"

    async def run(
        self,
        block: BlockRef,
        sender: Address,
        calls: Sequence[Call],
        reads: Sequence[Read],
        code: Codes = NO_CODES,
        price: Wei | None = None,
        before: Sequence[Turn] = (),
    ) -> Simulation:
        """Run the turns before, then the calls; answer every read with the account as it is then."""
        s, ran, earlier = self.scene.seen(), list[Simulated](), list[Simulated]()
        for into, group in ((earlier, [c for turn in before for c in turn.calls]), (ran, calls)):
            for call in group:
                made = self.scene.run(s, call)
                s = made.after
                into.append(Simulated(made.error is None, made.gas, made.error, made.moved))
        key = len(self.scene.known) + 1
        self.scene.known[key] = s
        return Simulation(tuple(ran), tuple(key.to_bytes(8) for _ in reads), tuple(earlier))
