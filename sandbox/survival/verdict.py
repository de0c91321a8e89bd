"""What a crash shows of one position: fine, explained, or a fault."""

from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise

from sandbox.survival.play import Line, Played

TOLERANCE_USD, TOLERANCE = Decimal(2), Decimal("0.05")
BLIND = ("position_unreadable", "node_away", "figures_disagree")
EMPTY_USD = Decimal(25)
WORST = Decimal("0.03")
"""The worst slippage that ships: a sale quoted at one block and mined in the next bears no more."""
ONE_ROUND = Decimal("0.005")
"""About what one round of a sale call by call makes good in a block."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """One cell of the table. `why` explains what looks bad; `is_fault` where nothing does."""

    course: str
    cell: str
    blocks: int
    cost: Decimal
    gas: Decimal
    lost: Decimal
    sent: int
    reverted: int
    lowest: float
    end: float
    liquidated: int
    alone: Decimal
    hosted: Decimal
    hosted_liquidated: int
    outcomes: dict[str, int]
    why: str
    is_fault: bool


def verdicts(played: Played) -> list[Verdict]:
    """Judge every position of a crash."""
    return [_verdict(played, line) for line in played.lines]


def _verdict(played: Played, line: Line) -> Verdict:
    assert line.hosted
    why, is_fault = "", False
    if line.liquidated:
        why, is_fault = _liquidated(line, played)
    # what pools that lag may give beyond the oracle is not owed to anybody
    model = max(line.hosted.cost, Decimal(0))
    if not is_fault and line.cost > model + max(TOLERANCE_USD, model * TOLERANCE):
        dearer, is_fault = _dearer(line)
        why = "; ".join(filter(None, (why, dearer)))
    blind = sum(n for key, n in line.outcomes.items() if key.endswith(BLIND))
    if blind:
        why, is_fault = "; ".join(filter(None, (why, f"{blind} plans could not be read afterwards"))), True
    return Verdict(
        course=played.course.name,
        cell=line.cell.setting.name,
        blocks=played.blocks,
        cost=line.cost,
        gas=line.gas,
        lost=line.lost,
        sent=line.sent,
        reverted=line.reverted,
        lowest=min(line.health),
        end=line.health[-1],
        liquidated=len(line.liquidated),
        alone=line.alone_lost,
        hosted=line.hosted.cost,
        hosted_liquidated=line.hosted.liquidated,
        outcomes=line.outcomes,
        why=why,
        is_fault=is_fault,
    )


def _liquidated(line: Line, played: Played) -> tuple[str, bool]:
    """Explain a liquidation: nobody could have been there before, or there was nothing left to help with."""
    first = line.liquidated[0]
    in_time = [b for b in line.fired if b <= first - 2]
    at = first - played.first
    before = line.health[at - 1] if at else line.health[0]
    if before >= float(line.cell.setting.trigger):
        return f"no rule asked for anything at the last block before: {before:.3f}", False
    if not in_time:
        return f"no block between: {before:.3f} at the last before it was liquidated", False
    if "deleverage" not in line.cell.setting.actions and line.wallet[at - 1] < EMPTY_USD:
        return f"the wallet was used up, {line.sent} sent", False
    held = [h for h in line.holds if in_time[0] <= h[0] < first]
    steepest = max(1 - then / now for now, then in pairwise(played.course.prices))
    if line.reverted and steepest > WORST and line.hosted and line.hosted.liquidated:
        speed = f"{steepest * 100:.1f} % a block"
        return f"falls by {speed}, past the worst slippage of {WORST * 100:.0f} %; the model was liquidated too", False
    if played.course.gas > 1 and held and held[-1][1] == "fee_limit":
        return f"gas ×{played.course.gas} cost more than its share of the expected loss, until the gap came", False
    if _sells_by_call(line) and steepest >= ONE_ROUND:
        speed = f"the price falls by up to {steepest * 100:.1f} % a block"
        return f"call by call, as its owner set it: one round a block, and {speed}; batch = true sells at once", False
    reasons = dict.fromkeys(f"{reason}{f' ({detail[:90]})' if detail else ''}" for _, reason, detail in held)
    asked = f"asked for help {len(in_time)} blocks in time, {line.sent} sent, {line.reverted} reverted"
    return f"{asked}, {before:.3f} before; held: {'; '.join(list(reasons)[-3:]) or 'never'}", True


def _sells_by_call(line: Line) -> bool:
    return not line.cell.setting.is_batch and "deleverage" in line.cell.setting.actions


def _dearer(line: Line) -> tuple[str, bool]:
    assert line.hosted
    trading, model = line.cost - line.gas - line.lost, line.hosted
    parts = f"gas {line.gas:.0f}, trading {trading:.0f}, liquidations {line.lost:.0f} against {model.cost:.0f}"
    if line.liquidated and not model.liquidated:
        if _sells_by_call(line):
            return parts, False
        return f"liquidated where the model was not: {parts}", True
    if not line.cell.setting.is_batch and line.gas > model.cost * Decimal("0.4"):
        return f"call by call, as its owner set it: {parts}", False
    if not line.reverted and line.cost - line.gas <= max(model.cost - model.gas, Decimal(0)) + TOLERANCE_USD:
        return f"rounds take more gas than the model's flash loan: {parts}", False
    return parts, True
