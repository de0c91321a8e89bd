"""What a crash shows of one position: fine, explained, or a fault."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from sandbox.survival.play import Line, Played

TOLERANCE_USD, TOLERANCE = Decimal(2), Decimal("0.05")
BLIND = ("position_unreadable", "node_away", "figures_disagree")
EMPTY_USD = Decimal(25)


@dataclass(frozen=True, slots=True)
class Verdict:
    """One cell of the table. `why` explains what looks bad; `is_fault` where nothing does."""

    course: str
    cell: str
    blocks: int
    cost: Decimal
    gas: Decimal
    lost: Decimal
    crowd: Decimal
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


def beside(found: Verdict, alone: Verdict) -> Verdict:
    """Return a fault as explained where the same position alone, in the same crash, had none."""
    if alone.is_fault:
        return replace(found, why=f"{found.why}; alone as well: {alone.why}")
    came_to = "liquidated" if alone.liquidated else "not liquidated"
    words = f"others of this table sold into its pool in its block; alone: {came_to}, cost {alone.cost:.0f} in all"
    return replace(found, why=f"{words} ({found.why})", is_fault=False)


def _verdict(played: Played, line: Line) -> Verdict:
    assert line.hosted
    why, is_fault = "", False
    if line.liquidated:
        why, is_fault = _liquidated(line, played)
    # what pools that lag may give beyond the oracle is not owed to anybody
    model = max(line.hosted.cost, Decimal(0))
    if not is_fault and line.cost > model + max(TOLERANCE_USD, model * TOLERANCE):
        dearer, is_fault = _dearer(line, _batch_twin(line, played), is_explained=bool(why))
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
        crowd=line.crowd,
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
    dear = _held_for_gas(held)
    if played.course.gas > 1 and dear:
        return f"gas ×{played.course.gas} cost more than its share of what was at stake: {dear}", False
    twin = _batch_twin(line, played)
    if twin is not None and not twin.liquidated:
        name = twin.cell.setting.name
        return f"call by call, as its owner set it: one round a block; {name} was not liquidated", False
    reasons = dict.fromkeys(f"{reason}{f' ({detail[:90]})' if detail else ''}" for _, reason, detail in held)
    asked = f"asked for help {len(in_time)} blocks in time, {line.sent} sent, {line.reverted} reverted"
    return f"{asked}, {before:.3f} before; held: {'; '.join(list(reasons)[-3:]) or 'never'}", True


def _held_for_gas(held: Sequence[tuple[int, str, str]]) -> str:
    """Return in the keeper's words what gas cost, where that held a position first of all; the floor may come after."""
    reasons = [(_of_gas(reason, detail), detail) for _, reason, detail in held if reason != "in_flight"]
    if not reasons or reasons[0][0] != "fee_limit" or {r for r, _ in reasons} - {"fee_limit", "floor_too_near"}:
        return ""
    return reasons[0][1].split("; ")[0][:110]


def _of_gas(reason: str, detail: str) -> str:
    """A plan left out as moving less than its gas costs was left out for gas."""
    return "fee_limit" if reason == "insufficient" and "less than its gas" in detail else reason


def _batch_twin(line: Line, played: Played) -> Line | None:
    """The same position with the same means, whose owner lets it sell in one transaction."""
    name = line.cell.setting.name
    if " calls " not in name:
        return None
    return next((x for x in played.lines if x.cell.setting.name == name.replace(" calls ", " batch ")), None)


def _dearer(line: Line, twin: Line | None, *, is_explained: bool) -> tuple[str, bool]:
    """Explain what cost more than the model; `is_explained`: that it was liquidated is."""
    assert line.hosted
    trading, model = line.cost - line.gas - line.lost, line.hosted
    parts = f"gas {line.gas:.0f}, trading {trading:.0f}, liquidations {line.lost:.0f} against {model.cost:.0f}"
    alone = max(line.alone_lost, Decimal(0))
    is_restored = any(key.startswith("restored") for key in line.outcomes)
    if line.liquidated and not is_restored and line.cost - line.crowd > alone + max(TOLERANCE_USD, alone * TOLERANCE):
        return f"paid, not saved, and dearer than no keeper at all, {alone:.0f}: {parts}", True
    if line.liquidated and not model.liquidated:
        return f"liquidated where the model was not: {parts}", not is_explained
    most = model.cost + max(TOLERANCE_USD, model.cost * TOLERANCE)
    if line.crowd and line.cost - line.crowd <= most:
        return f"{line.crowd:.0f} of it for selling behind others of this table in one block and pool: {parts}", False
    if "deleverage" not in line.cell.setting.actions and is_explained and trading <= TOLERANCE_USD:
        return f"as its owner set it, nothing is sold: the debt stays whole, and so does the penalty: {parts}", False
    if twin is not None and not twin.liquidated and twin.cost <= most:
        return f"call by call, as its owner set it: {parts}; {twin.cell.setting.name} cost {twin.cost:.0f}", False
    if not line.cell.setting.is_batch and line.gas > model.cost * Decimal("0.4"):
        return f"call by call, as its owner set it: {parts}", False
    if (
        not line.reverted
        and line.cost - line.gas - line.crowd <= max(model.cost - model.gas, Decimal(0)) + TOLERANCE_USD
    ):
        return f"rounds take more gas than the model's flash loan: {parts}", False
    return f"{parts}, {line.crowd:.0f} of it behind others", True
