"""What the trial of every plan has in common: what its gas is worth, what its rule is granted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from keeper.chain.fees import is_payable, lowest
from keeper.chain.tolls import Toll
from keeper.core.fee_budget import fee_for
from keeper.core.reasons import Reason
from keeper.core.rules import Limits
from keeper.core.snapshot import BlockRef, Snapshot
from keeper.core.units import Address, Usd, Wei, gwei_text
from keeper.engine.engine import Engine
from keeper.execution import policy
from keeper.execution.rehearsal import Refused
from keeper.venues.ports import Call

SMALL_SHARE = 100
"""What moves dollars and averts no liquidation may cost this part of them in gas: a hundredth."""


@dataclass(frozen=True, slots=True)
class GasBill:
    """The gas that a plan takes, and what a rollup charges for its parent chain, which is paid of the same money."""

    gas: int
    native_price: int
    toll: Toll

    def fee_for(self, dollars: int) -> Wei | None:
        """Return the fee per gas that dollars pay for; None where no price says."""
        return fee_for(dollars, self.gas + self.toll.gas, self.native_price, Wei(self.toll.wei))


def bill_of(engine: Engine, snapshot: Snapshot, calls: Sequence[Call], gas_used: Sequence[int]) -> GasBill:
    """Return what calls take, by their rehearsal."""
    return GasBill(sum(gas_used), snapshot.native_price, engine.fees.last_toll.of(calls))


def cap_of(engine: Engine, limits: Limits) -> Wei | None:
    """Return the highest fee per gas that the owner allows a rule."""
    return lowest(engine.terms.max_fee, limits.max_fee)


def not_payable(block: BlockRef, ceiling: Wei | None, why: str = "") -> Refused | None:
    """Return that what is at stake is worth less than the base fee; None where an offer is possible."""
    if is_payable(block.base_fee, ceiling):
        return None
    detail = f"base fee {gwei_text(block.base_fee)}, at stake is enough for {gwei_text(ceiling or 0)}"
    return Refused(Reason.FEE_LIMIT, f"{detail}{why}")


def deadline_at(engine: Engine, block: BlockRef) -> int:
    """Return when a trade that is planned at a block may be executed at the latest, Unix seconds."""
    return block.timestamp + engine.terms.swap_deadline_s


def granted(
    engine: Engine, block: BlockRef, owner: Address, signer: Address, limits: Limits, spent: Usd
) -> policy.Grant:
    """Return what any rule may do now; what a kind adds to it is the kind's own."""
    chain_id = engine.reader.network.chain_id
    return policy.Grant(chain_id, owner, signer, limits, spent, deadline_at(engine, block))


def forbidden(check: Callable[[], None]) -> Refused | None:
    """Return why the policy would not let a plan be signed: dry runs meet the same gate as live ones."""
    try:
        check()
    except policy.PolicyError as error:
        return Refused(error.reason, error.detail)
    return None
