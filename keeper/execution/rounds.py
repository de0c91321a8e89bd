"""Which calls of a plan about a loan go out together: rounds that can only succeed in their order, else one by one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from keeper.chain.gas import gas_limit
from keeper.core.lending.moves import (
    Approve,
    Borrow,
    Move,
    Redeem,
    Repay,
    Supply,
    Swap,
    Unpledge,
    Withdraw,
)
from keeper.core.lending.plan import Plan
from keeper.core.snapshot import Wallet
from keeper.core.units import BPS, Address, Amount, Bps, mul_div_up
from keeper.execution.dispatch import Outgoing
from keeper.execution.encoding import PlannedCall, Script
from keeper.execution.rehearsal import Rehearsed
from keeper.execution.warrant import Warrant


def bursts(calls: Sequence[PlannedCall], wallet: Wallet, slippage: Bps) -> list[list[int]]:
    """Return which calls go out together, by index.

    Approvals go with what follows. A round of withdraw, swap and repay goes out at once where the wallet could not
    pay for any later call by itself: then a call can only succeed if the one before it did. Otherwise each call
    that moves money waits for the receipt of the one before.
    """
    groups, current = list[list[int]](), list[int]()
    leftover = dict(wallet.tokens)
    for i, planned in enumerate(calls):
        move = planned.step.move
        if isinstance(move, Approve) and not move.amount and groups and not current:
            groups[-1].append(i)  # taking back what the call before left of its allowance needs no block of its own
            continue
        current.append(i)
        if isinstance(move, Approve):
            continue
        following = next((c.step.move for c in calls[i + 1 :] if not isinstance(c.step.move, Approve)), None)
        if not _depends(planned.step.move, following, leftover):
            groups.append(current)
            current = []
        if isinstance(planned.step.move, Swap):
            # what is not sold stays behind, more where the pool pays more by then: no later round may be payable of it
            given = planned.step.move.route.tokens[0]
            rest = planned.step.left_over + mul_div_up(planned.step.move.sold, slippage, BPS)
            leftover[given] = Amount(leftover.get(given, 0) + rest)
    if current and groups:
        groups[-1] += current  # taking back allowances needs no block of its own
        return groups
    return [*groups, current] if current else groups


def _depends(move: Move, following: Move | None, leftover: dict[Address, Amount]) -> bool:
    """Return whether the following move can only succeed with what this one brings in."""
    match move, following:
        case Unpledge(), Withdraw():
            return True
        case Redeem(asset, _, _), (Repay(paid_in, amount, _) | Supply(paid_in, amount)):
            return asset == paid_in and leftover.get(asset, 0) < amount
        case ((Withdraw() | Borrow()), Swap(route, sold_, _)):
            return route.tokens[0] == move.asset and leftover.get(move.asset, 0) < sold_
        case Swap(route, _, _), (Repay(asset, amount, _) | Supply(asset, amount)):
            return route.tokens[-1] == asset and leftover.get(asset, 0) < amount
        case _:
            return False


def outgoing(plan: Plan, script: Script, rehearsed: Rehearsed, warrant: Warrant) -> Iterator[list[Outgoing]]:
    """Yield what goes out together: everything in one batch, or burst by burst."""
    carrier = script.carrier
    if carrier.is_atomic:
        (used,), (call,) = rehearsed.gas_used, script.sent
        least = max(call.least_gas, sum(planned.call.least_gas for planned in script.calls))
        limit = max(gas_limit(used) + rehearsed.spare_gas, least) + carrier.more_gas
        yield [Outgoing(call, warrant.decision_id, 0, plan.spend, limit, carrier.delegate, script.uses[0])]
        return
    slippage, used_by = plan.intent.rule.limits.max_slippage, _most_used(script, rehearsed)
    for burst in bursts(script.calls, warrant.wallet, slippage):
        yield [
            Outgoing(
                script.sent[i],
                warrant.decision_id,
                i,
                script.calls[i].step.spend,
                max(gas_limit(used_by[i]) + rehearsed.spare_gas, script.sent[i].least_gas) + carrier.more_gas,
                use=script.uses[i],
            )
            for i in burst
        ]


def _most_used(script: Script, rehearsed: Rehearsed) -> list[int]:
    """Return what each call is given gas for: as much as any call of the same function took.

    In a rehearsal all rounds are in one block, and the first alone pays for the interest; each may be mined in its own.
    """
    kinds = [(call.to, call.data[:4]) for call in script.sent]
    most = dict[tuple[Address, bytes], int]()
    for kind, used in zip(kinds, rehearsed.gas_used, strict=True):
        most[kind] = max(most.get(kind, 0), used)
    return [most[kind] for kind in kinds]
