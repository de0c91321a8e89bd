"""The last gate before a signature: decodes every call anew and lets nothing pass that is not on the list.

It trusts the planner in nothing: chain, target, function, recipient, allowance, slippage and dollars are read from
the calldata itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from keeper.core.lending.moves import Swap
from keeper.core.lending.slippage import Slippage
from keeper.core.reasons import Reason
from keeper.core.rules import Limits
from keeper.core.snapshot import Reserve
from keeper.core.units import BPS, UINT256_MAX, Address, Bps, Usd, mul_div_down, mul_div_up, usd_text
from keeper.execution.encoding import Script, Venues
from keeper.venues.aave_v3 import calls as aave_v3_calls
from keeper.venues.codec.abi import address, load
from keeper.venues.contracts import batch_account
from keeper.venues.exchanges import uniswap_v3
from keeper.venues.ports import Call

_ERC20 = load("erc20")


class PolicyError(Exception):
    """A call that must not be signed."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(f"{reason.short}: {detail}")
        self.reason = reason
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Grant:
    """What one rule may do for one position."""

    chain_id: int
    owner: Address
    signer: Address
    limits: Limits
    spent_today: Usd
    deadline: int
    """Latest time a swap may still be executed, unix seconds."""
    slippage: Slippage | None = None
    """What a swap may lose against the oracle's price now; None: the rule's usual."""

    def may_lose(self, sell: Reserve, buy: Reserve) -> Bps:
        """Return the bound of a swap, from the oracle's price."""
        return self.limits.max_slippage if self.slippage is None else self.slippage.of(sell, buy)


@dataclass(frozen=True, slots=True)
class _Flow:
    """Dollars a call moves (base units): out of the wallet, or through a pool."""

    paid: int = 0
    sold: int = 0
    bought: int = 0


def check(
    calls: Sequence[Call],
    chain_id: int,
    grant: Grant,
    venues: Venues,
    reserves: Mapping[Address, Reserve],
    *,
    is_batch: bool = False,
) -> None:
    """Raise PolicyError unless every call is allowed and all of them stay within the limits."""
    if chain_id != grant.chain_id:
        raise PolicyError(Reason.POLICY_FORBIDS, f"chain {chain_id} is not {grant.chain_id}")
    flows = _flows(calls, grant, venues, reserves)
    limits, dust = grant.limits, len(calls)  # rounding up adds at most one base unit a call
    spends, credit = list[int](), 0
    for flow in flows:
        # what a swap brought in pays for what follows: one movement, not two
        from_swap = min(credit, flow.paid)
        credit += flow.bought - from_swap
        spends.append(flow.sold + flow.paid - from_swap)
    total = sum(spends)
    if limits.max_spend_per_day is not None and total + grant.spent_today > limits.max_spend_per_day + dust:
        left = limits.max_spend_per_day - grant.spent_today
        raise PolicyError(Reason.SPEND_LIMIT, f"{usd_text(total)} asked, {usd_text(left)} left today")
    dearest = total if is_batch else max(spends, default=0)
    if limits.max_spend_per_tx is not None and dearest > limits.max_spend_per_tx + dust:
        raise PolicyError(Reason.SPEND_LIMIT, f"{usd_text(dearest)} in one transaction")


def check_script(script: Script, signer: Address) -> None:
    """Raise PolicyError unless what is sent is what was checked: the calls themselves, or one batch of just those."""
    plain = [(c.call.to, c.call.data, c.call.value) for c in script.calls]
    if script.batch is None:
        sent = [(c.to, c.data, c.value) for c in script.sent]
    else:
        (batch,) = script.sent
        if batch.to != signer or batch.value:
            raise PolicyError(Reason.POLICY_FORBIDS, "a batch goes from the signer to itself")
        try:
            sent = [(c.to, c.data, c.value) for c in batch_account.decode_batch(batch.data)]
        except ValueError as error:
            raise PolicyError(Reason.POLICY_FORBIDS, f"batch: {error}") from error
    if sent != plain:
        raise PolicyError(Reason.POLICY_FORBIDS, "what would be sent is not what was checked")


def _flows(calls: Sequence[Call], grant: Grant, venues: Venues, reserves: Mapping[Address, Reserve]) -> list[_Flow]:
    """Return what each call moves. A repayment of everything moves at most what is left of the plan's approval."""
    approved: dict[Address, int] = {}
    flows = []
    for call in calls:
        flow = _flow(call, grant, venues, reserves, approved)
        if call.to in reserves:
            spender, amount = _ERC20.approve.decode_inputs(call.data)
            if address(spender) == venues.market.pool:
                approved[call.to] = amount
        elif call.to == venues.market.pool:
            move = aave_v3_calls.decode_call(call.data)
            if move.function in ("supply", "repay") and move.asset in approved:
                approved[move.asset] = max(0, approved[move.asset] - move.amount)
        flows.append(flow)
    return flows


def _flow(
    call: Call, grant: Grant, venues: Venues, reserves: Mapping[Address, Reserve], approved: Mapping[Address, int]
) -> _Flow:
    if call.value:
        raise PolicyError(Reason.POLICY_FORBIDS, f"{call.purpose}: sends native currency")
    try:
        if call.to == venues.market.pool:
            return _market_flow(call, grant, reserves, approved)
        if venues.uniswap and call.to == venues.uniswap.router:
            return _swap_flow(call, grant, reserves)
        if call.to in reserves:
            return _check_approval(call, grant, venues)
    except ValueError as error:
        raise PolicyError(Reason.POLICY_FORBIDS, f"{call.purpose}: {error}") from error
    raise PolicyError(Reason.POLICY_FORBIDS, f"{call.purpose}: {call.to} is not on the list")


def _market_flow(
    call: Call, grant: Grant, reserves: Mapping[Address, Reserve], approved: Mapping[Address, int]
) -> _Flow:
    move = aave_v3_calls.decode_call(call.data)
    if move.asset not in reserves:
        raise ValueError(f"{move.asset} is not an asset of the position")
    if move.beneficiary not in (grant.owner, None):
        raise ValueError(f"{move.beneficiary} is not the owner")
    if move.takes_out and grant.signer != grant.owner:
        raise ValueError("a guardian never takes anything out")
    if move.function == "setUserUseReserveAsCollateral" and reserves[move.asset].ltv:
        raise ValueError(f"{reserves[move.asset].symbol} counts for loans: it stays collateral")
    if move.function in ("withdraw", "borrow", "setUserUseReserveAsCollateral"):
        return _Flow()
    amount = move.amount
    if amount == UINT256_MAX and move.function == "repay":
        amount = approved.get(move.asset, amount)  # with no approval of this plan it is beyond any limit
    return _Flow(paid=_value_up(amount, reserves[move.asset]))


def _swap_flow(call: Call, grant: Grant, reserves: Mapping[Address, Reserve]) -> _Flow:
    swap, recipient, deadline = uniswap_v3.decode_swap(call.data)
    if recipient != grant.owner or grant.signer != grant.owner:
        raise ValueError("a swap is the owner's own, to the owner")
    if deadline > grant.deadline:
        raise ValueError(f"deadline {deadline} is later than {grant.deadline}")
    given, got = _reserve(swap.route.tokens[0], reserves), _reserve(swap.route.tokens[-1], reserves)
    # either side comes with one smallest unit of slack: amounts are whole units, and of a dear asset one is no dust
    sold, bought = _value_down(max(0, swap.sold - 1), given), _value_up(swap.bought, got)
    _check_slippage(swap, sold, bought + _value_up(1, got), grant.may_lose(given, got))
    return _Flow(sold=_value_up(swap.sold, given), bought=bought)


def _check_slippage(swap: Swap, sold: int, bought: int, bound: Bps) -> None:
    if not swap.sold or not swap.bought:
        raise ValueError("a swap of nothing")
    if sold * BPS > bought * (BPS + bound):
        detail = f"gives up to {usd_text(sold)} for {usd_text(bought)}: more than max_slippage_bps, now {bound}"
        raise PolicyError(Reason.POLICY_FORBIDS, detail)


def _check_approval(call: Call, grant: Grant, venues: Venues) -> _Flow:
    spender, amount = _ERC20.approve.decode_inputs(call.data)
    spender = address(spender)
    router = venues.uniswap.router if venues.uniswap else None
    if spender == router and grant.signer != grant.owner:
        raise ValueError("a guardian never trades")
    if spender not in (venues.market.pool, router):
        raise ValueError(f"{spender} may not be approved")
    if amount >= UINT256_MAX // 2:
        raise ValueError("an approval without limit")
    return _Flow()


def _reserve(asset: Address, reserves: Mapping[Address, Reserve]) -> Reserve:
    if asset not in reserves:
        raise ValueError(f"{asset} is not an asset of the position")
    return reserves[asset]


def _value_up(amount: int, reserve: Reserve) -> int:
    return mul_div_up(amount, reserve.price.answer, reserve.unit)


def _value_down(amount: int, reserve: Reserve) -> int:
    return mul_div_down(amount, reserve.price.answer, reserve.unit)
