"""The last gate before a signature on a perpetual venue: every call is decoded anew, and only what is allowed passes.

It trusts the planner in nothing: target, function, beneficiary, collateral, size, price bound, value and dollars are
read from the calldata itself, by the venue's own decoder.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from keeper.core.perp.position import OrderKind, PerpLeg, PerpPosition
from keeper.core.perp.pricing import base_usd, value_of
from keeper.core.reasons import Reason
from keeper.core.units import BPS, UINT256_MAX, Amount, Wei, mul_div_down, mul_div_up, usd_text, wei_text
from keeper.execution.policy import Grant, PolicyError
from keeper.venues.ports import Call, PerpAct, PerpSeat

FEE_SLACK = 3
"""Times the execution fee reckoned at present gas that a call may carry; the venue returns what is left."""


@dataclass(frozen=True, slots=True)
class PerpGrant:
    """What a plan may do: the rule's grant, and whether it may make the position larger (a hedge may)."""

    rule: Grant
    may_increase: bool
    most_fee: Wei
    """Most native currency one order may carry for the venue's keepers."""


def check_perp(calls: Sequence[Call], chain_id: int, grant: PerpGrant, seat: PerpSeat, position: PerpPosition) -> None:
    """Raise PolicyError unless every call is allowed and all of them stay within the limits."""
    if chain_id != grant.rule.chain_id:
        raise PolicyError(Reason.POLICY_FORBIDS, f"chain {chain_id} is not {grant.rule.chain_id}")
    spends, approved, paid = list[int](), 0, 0
    for call in calls:
        try:
            acts = seat.decode(position, call)
            _check_value(call, acts, grant)
            spends += [_dollars(act, grant, seat, position) for act in acts]
            approved += sum(act.amount for act in acts if act.kind == "approve")
            paid += sum(act.amount for act in acts if act.kind in ("deposit", "trade"))
        except ValueError as error:
            raise PolicyError(Reason.POLICY_FORBIDS, f"{call.purpose}: {error}") from error
    if approved > paid:
        raise PolicyError(Reason.POLICY_FORBIDS, f"approves {approved} and pays {paid}")
    limits, dust, total = grant.rule.limits, len(calls) + 1, sum(spends)
    if limits.max_spend_per_day is not None and total + grant.rule.spent_today > limits.max_spend_per_day + dust:
        left = limits.max_spend_per_day - grant.rule.spent_today
        raise PolicyError(Reason.SPEND_LIMIT, f"{usd_text(total)} asked, {usd_text(left)} left today")
    if limits.max_spend_per_tx is not None and max(spends, default=0) > limits.max_spend_per_tx + dust:
        raise PolicyError(Reason.SPEND_LIMIT, f"{usd_text(max(spends))} in one transaction")


def _check_value(call: Call, acts: Sequence[PerpAct], grant: PerpGrant) -> None:
    orders = sum(act.kind in ("trade", "order", "update", "deposit") for act in acts)
    if call.value > orders * grant.most_fee:
        raise ValueError(f"carries {wei_text(call.value)}, allowed {wei_text(orders * grant.most_fee)}")


def _dollars(act: PerpAct, grant: PerpGrant, seat: PerpSeat, position: PerpPosition) -> int:
    """Return the dollars (base units) an act moves. Raises ValueError when it is not allowed."""
    rule = grant.rule
    beneficiary = act.beneficiary or rule.signer  # where the call names nobody, it is for whoever sends it
    if act.kind != "approve" and beneficiary != rule.owner:
        raise ValueError(f"{beneficiary} is not the owner")
    if rule.signer != rule.owner and act.kind not in ("approve", "deposit"):
        raise ValueError("a guardian only adds margin")
    if act.asset not in (None, seat.collateral):
        raise ValueError(f"{act.asset} is not the collateral")
    match act.kind:
        case "approve":
            if act.amount >= UINT256_MAX // 2:
                raise ValueError("an approval without limit")
            return 0
        case "deposit":
            return value_of(position, act.amount)
        case "trade" | "order":
            return _traded(act, grant, position) + value_of(position, Amount(act.amount))
        case "update":
            return _changed(act, position)
        case "cancel" | "claim":
            return 0
        case _:
            raise ValueError(f"{act.kind} is not on the list")


def _traded(act: PerpAct, grant: PerpGrant, position: PerpPosition) -> int:
    leg = next((x for x in position.legs if x.market == act.market), None)
    if leg is None:
        raise ValueError(f"{act.market} is not a market of the position")
    grows = leg.size == 0 or act.buys == leg.is_long
    if grows and not (grant.may_increase and act.kind == "trade"):
        raise ValueError("would make the position larger")
    size = act.size if grows else _closed(act, leg)
    if not grows and size > abs(leg.size):
        raise ValueError("closes more than there is")
    if act.deadline is not None and act.deadline > grant.rule.deadline:
        raise ValueError(f"deadline {act.deadline} is later than {grant.rule.deadline}")
    if act.kind == "trade":
        _check_price(act, leg, grant)
    if size:
        return base_usd(position, mul_div_up(size, leg.index_price, leg.price_scale))
    return base_usd(position, act.size_usd)


def _closed(act: PerpAct, leg: PerpLeg) -> int:
    """Return the size an act closes; where the venue counts in dollars, the part of what the leg was opened with."""
    if act.is_whole:
        return abs(leg.size)
    if act.size or leg.entry_notional <= 0:
        return act.size
    return mul_div_down(abs(leg.size), act.size_usd, leg.entry_notional)


def _changed(act: PerpAct, position: PerpPosition) -> int:
    """Return the dollars a changed order moves: none, for it closes no more than there is. Raises ValueError."""
    order = next((o for o in position.orders if o.key == act.key), None)
    leg = next((x for x in position.legs if order is not None and x.market == order.market), None)
    if order is None or leg is None:
        raise ValueError(f"order {act.key} is not one of this position")
    if order.kind not in (OrderKind.STOP_LOSS, OrderKind.TAKE_PROFIT):
        raise ValueError(f"an order of the kind {order.kind.value} is nothing to change")
    if act.size_usd > leg.entry_notional:
        raise ValueError("would close more than there is")
    return 0


def _check_price(act: PerpAct, leg: PerpLeg, grant: PerpGrant) -> None:
    """Raise PolicyError for a bound worse than the slippage allows, measured from the index price."""
    slippage = grant.rule.limits.max_slippage
    if act.worst_price is None:
        raise ValueError("a trade without a bound on its price")
    if act.buys:
        bad = act.worst_price > mul_div_up(leg.index_price, BPS + slippage, BPS) + 1
    else:
        bad = act.worst_price < mul_div_down(leg.index_price, BPS - slippage, BPS) - 1
    if bad:
        away = abs(act.worst_price - leg.index_price) * BPS // max(1, leg.index_price)
        detail = f"may trade {away} bps from the index price of {leg.symbol}: more than max_slippage_bps"
        raise PolicyError(Reason.POLICY_FORBIDS, detail)
