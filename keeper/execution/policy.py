"""The last gate before a signature: one for all venues. It reads what would be sent into effects and judges them alone.

It trusts the planner in nothing: the decoders on its allow-list are written apart from the encoders, what calls other
calls is opened down to the last leaf, and what cannot be read is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import assert_never

from keeper.core.grounds import Grounds, Held
from keeper.core.reasons import Reason
from keeper.core.rules import Limits
from keeper.core.units import (
    BPS,
    NATIVE,
    UINT256_MAX,
    Address,
    Bps,
    Usd,
    Wei,
    mul_div_down,
    mul_div_up,
    usd_text,
    wei_text,
)
from keeper.execution.bundles import summed
from keeper.execution.spends import Outlay
from keeper.venues.effects import (
    Approves,
    Borrows,
    Bundles,
    Call,
    Cancels,
    Carries,
    Changes,
    Claims,
    Closes,
    Decoder,
    Draws,
    Entrusts,
    GivesBack,
    Insists,
    Leaf,
    Lends,
    Lent,
    Nested,
    Offsets,
    Opens,
    Orders,
    Ours,
    Pays,
    Permits,
    Pledges,
    Returns,
    Sells,
    Takes,
    Unpledges,
    UsesUp,
)

NO_FEE = Wei(0)
MOST_DEPTH = 3
"""Calls in calls that are opened."""
WITHOUT_LIMIT = UINT256_MAX // 2
"""An allowance from here on is one without limit, whatever its number."""

Allowed = Mapping[Address, Decoder]
"""The allow-list: every contract that may be called, and what calls to it do."""


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
    """Latest time a trade may still be executed, unix seconds."""
    may_lose: Callable[[Address, Address], Bps] | None = None
    """What a sale of one asset for another may lose against the oracle's price now; None: the rule's usual."""
    may_take: bool = False
    """Whether anything may leave the position, be borrowed or sold: where the rule allows no trade, nothing is."""
    most_owed: Mapping[Address, int] | None = None
    """By asset: what the plan borrows in the owner's name, all in all; None: no plan that was looked at says so."""
    may_open: bool = False
    """Whether a perpetual position may be made larger: a hedge may."""
    most_fee: Wei = NO_FEE
    """Most native currency one order may carry for a venue's keepers."""

    def loss(self, sold: Address, bought: Address) -> Bps:
        """Return what a sale may lose, from the oracle's price."""
        return self.limits.max_slippage if self.may_lose is None else self.may_lose(sold, bought)


def check(calls: Sequence[Call], chain_id: int, grant: Grant, allowed: Allowed, grounds: Grounds) -> None:
    """Raise PolicyError unless all that the calls do is allowed, and within the limits. Each call is a transaction."""
    if chain_id != grant.chain_id:
        raise PolicyError(Reason.POLICY_FORBIDS, f"chain {chain_id} is not {grant.chain_id}")
    purse, spends, count = Outlay(grounds, grant.owner), list[int](), 0
    for call in calls:
        spent = 0
        for leaf_call, leaf in opened(call, allowed):
            count += 1
            try:
                _may(leaf, grant, grounds)
                spent += purse.spend(leaf)
            except ValueError as error:
                raise PolicyError(Reason.POLICY_FORBIDS, f"{leaf_call.purpose}: {error}") from error
        if owed := purse.owing():
            raise PolicyError(Reason.POLICY_FORBIDS, f"{call.purpose}: of a loan {owed}")
        spends.append(spent)
    for asset, spender, left in purse.left_standing():
        detail = f"approves {left} of {grounds.asset(asset).symbol} to {spender} that no call pays"
        raise PolicyError(Reason.POLICY_FORBIDS, detail)
    for asset, amount in purse.borrowed.items():
        if grant.most_owed is not None and amount > grant.most_owed.get(asset, 0):
            detail = f"borrows {amount} of {grounds.asset(asset).symbol}, the plan {grant.most_owed.get(asset, 0)}"
            raise PolicyError(Reason.POLICY_FORBIDS, detail)
    for agent in purse.entrusted:
        detail = f"lets {agent} act for all of the owner's account, and does not take that back"
        raise PolicyError(Reason.POLICY_FORBIDS, detail)
    _check_limits(spends, grant, dust=count + 1)  # rounding up adds at most one base unit a leaf


def check_sent(sent: Sequence[Call], planned: Sequence[Call], allowed: Allowed) -> None:
    """Raise PolicyError unless what is sent comes to just the calls that were planned, alone or in one transaction."""

    def leaves(calls: Sequence[Call]) -> list[tuple[Address, bytes, Wei]]:
        return [(leaf.to, leaf.data, leaf.value) for call in calls for leaf in leaf_calls(call, allowed)]

    if leaves(sent) != leaves(planned):
        raise PolicyError(Reason.POLICY_FORBIDS, "what would be sent is not what was planned")


def opened(call: Call, allowed: Allowed) -> Iterator[tuple[Call, Leaf]]:
    """Yield what a call does down to its last leaf, each with the call that does it. Raises PolicyError."""
    for leaf, effects in _leaves(call, allowed, 0):
        for effect in effects:
            yield leaf, effect


def leaf_calls(call: Call, allowed: Allowed) -> Iterator[Call]:
    """Yield the calls that are made in the end. Raises PolicyError for what cannot be opened."""
    for leaf, _ in _leaves(call, allowed, 0):
        yield leaf


def calls_within(call: Call, allowed: Allowed, depth: int = 0) -> Iterator[Call]:
    """Yield the calls that a call makes, at every depth, in the order they are made. Raises ValueError, KeyError."""
    for effect in allowed[call.to](call) if depth <= MOST_DEPTH else ():
        if isinstance(effect, Nested):
            yield effect.call
            yield from calls_within(effect.call, allowed, depth + 1)


def _leaves(call: Call, allowed: Allowed, depth: int) -> Iterator[tuple[Call, tuple[Leaf, ...]]]:
    if depth > MOST_DEPTH:
        raise PolicyError(Reason.POLICY_FORBIDS, f"{call.purpose}: calls within calls, more than {MOST_DEPTH} deep")
    if call.to not in allowed:
        raise PolicyError(Reason.POLICY_FORBIDS, f"{call.purpose}: {call.to} is not on the list")
    try:
        effects = allowed[call.to](call)
    except ValueError as error:
        raise PolicyError(Reason.POLICY_FORBIDS, f"{call.purpose}: {error}") from error
    nested = [effect.call for effect in effects if isinstance(effect, Nested)]
    own = tuple(effect for effect in effects if not isinstance(effect, Nested))
    carried = sum(effect.amount for effect in own if isinstance(effect, Carries))
    carried += sum(effect.amount or 0 for effect in own if isinstance(effect, Pays) and effect.asset == NATIVE)
    if call.value != carried:
        what = f"carries {wei_text(call.value)} of native currency, for {wei_text(carried)} that it uses"
        raise PolicyError(Reason.POLICY_FORBIDS, f"{call.purpose}: {what}")
    if (nested and own) or not effects:
        raise PolicyError(Reason.POLICY_FORBIDS, f"{call.purpose}: a call that does nothing, or more than to call")
    if own:
        yield call, own
    for inner in nested:
        yield from _leaves(inner, allowed, depth + 1)


def _check_limits(spends: Sequence[int], grant: Grant, dust: int) -> None:
    limits, total = grant.limits, sum(spends)
    if limits.max_spend_per_day is not None and total + grant.spent_today > limits.max_spend_per_day + dust:
        left = limits.max_spend_per_day - grant.spent_today
        raise PolicyError(Reason.SPEND_LIMIT, f"{usd_text(total)} asked, {usd_text(left)} left today")
    if limits.max_spend_per_tx is not None and max(spends, default=0) > limits.max_spend_per_tx + dust:
        raise PolicyError(Reason.SPEND_LIMIT, f"{usd_text(max(spends))} in one transaction")


# --- one effect ------------------------------------------------------------------------------------------------------


def _may(leaf: Leaf, grant: Grant, grounds: Grounds) -> None:  # noqa: C901, PLR0912 - one case for each effect
    """Raise ValueError for what may not be done, whatever it moves."""
    match leaf:
        case Approves(asset, _, amount, until):
            grounds.asset(asset)
            _refuse((until or 0) > grant.deadline, f"an approval until {until}, later than {grant.deadline}")
            _refuse(amount >= WITHOUT_LIMIT, "an approval without limit")
        case Carries(amount):
            _refuse(amount > grant.most_fee, f"carries {wei_text(amount)}, allowed {wei_text(grant.most_fee)}")
        case Bundles():
            found = summed(leaf, grant.owner)
            for permit in found.permitted:
                _check_permit(permit, grant, grounds)
            for word in found.entrusted:
                _check_trust(word, grant)
            for part in found.leaves:
                _may(part, grant, grounds)
        case UsesUp(account):
            _refuse(account != grant.signer, "a nonce of somebody else's account")
        case Draws():
            _check_savings(leaf, grant, grounds)
        case Entrusts():
            _check_trust(leaf, grant)
        case Lends() | GivesBack() | Returns():
            _check_loan(leaf, grant, grounds)
        case Pays() | Offsets() | Takes() | Borrows() | Pledges() | Unpledges() | Sells() | Insists():
            _check_owner(leaf, grant)
            _check_money(leaf, grant, grounds)
        case Opens() | Closes() | Orders() | Changes() | Cancels() | Claims():
            _check_owner(leaf, grant)
            _check_position(leaf, grant, grounds)
        case _:
            assert_never(leaf)


def _check_permit(permit: Permits, grant: Grant, grounds: Grounds) -> None:
    """An approval by signature is one like any other; and no word of the owner's outlives the plan."""
    _may(Approves(permit.asset, permit.spender, permit.amount), grant, grounds)
    _refuse(permit.deadline > grant.deadline, f"a permit until {permit.deadline}, later than {grant.deadline}")


def _check_trust(word: Entrusts, grant: Grant) -> None:
    """Whoever is let act may take everything: none but the owner says so, and only where a rule takes something out.

    That it is taken back before the plan ends is seen over the whole of it.
    """
    who = grant.signer if word.beneficiary is None else word.beneficiary
    _refuse(grant.signer != grant.owner, "a guardian only pays in: it lets nobody act for the owner")
    _refuse(who != grant.owner, f"a word of {who}, who is not the owner")
    _refuse(word.is_on and not grant.may_take, "the rule lets nothing be taken out or sold")
    deadline = word.deadline or 0
    _refuse(deadline > grant.deadline, f"a word of the owner's until {deadline}, later than {grant.deadline}")


def _check_savings(draws: Draws, grant: Grant, grounds: Grounds) -> None:
    """A signer, be it a guardian, takes out what is its own, for its own wallet: what it is for is judged by itself."""
    grounds.asset(draws.asset)
    who = {grant.signer if draws.holder is None else draws.holder, draws.receiver}
    _refuse(who != {grant.signer}, "savings of somebody else, or for somebody else")


def _check_owner(leaf: Ours, grant: Grant) -> None:
    """Where a call names nobody it is for whoever sends it."""
    is_guardian, who = grant.signer != grant.owner, grant.signer if leaf.beneficiary is None else leaf.beneficiary
    what = "a guardian only pays in: it never takes anything out and never trades"
    _refuse(is_guardian and not isinstance(leaf, Pays), what)
    _refuse(who != grant.owner, f"{who} is not the owner")


def _check_loan(leaf: Lent, grant: Grant, grounds: Grounds) -> None:
    """Money leaves the account for the lender: no guardian's key does that, and no rule that may take nothing out."""
    grounds.asset(leaf.asset)
    _refuse(grant.signer != grant.owner, "a guardian only pays in: it never takes a loan")
    _refuse(not grant.may_take, "the rule lets nothing be taken out or sold")
    _refuse(isinstance(leaf, Lends) and leaf.receiver != grant.owner, "a loan to somebody who is not the owner")


Money = Pays | Offsets | Takes | Borrows | Pledges | Unpledges | Sells | Insists


def _check_money(leaf: Money, grant: Grant, grounds: Grounds) -> None:
    asset, only_in = grounds.asset(leaf.asset), isinstance(leaf, Pays | Offsets | Insists | Pledges)
    _refuse(not grant.may_take and not only_in, "the rule lets nothing be taken out or sold")
    if isinstance(leaf, Sells):
        _check_sale(leaf, grant, grounds)
    elif isinstance(leaf, Unpledges):
        _refuse(asset.secures, f"{asset.symbol} counts for loans: it stays collateral")


def _check_position(leaf: Opens | Closes | Orders | Changes | Cancels | Claims, grant: Grant, grounds: Grounds) -> None:
    match leaf:
        case Opens() | Closes():
            _check_trade(leaf, grant, grounds)
        case Orders():
            _refuse(leaf.opens, "an order that would make the position larger")
            _check_side(leaf, grounds)
        case Changes(order, size):
            _check_change(order, size, grounds)
        case Cancels(order):
            grounds.order(order)
        case Claims():
            pass  # it only brings in
        case _:
            assert_never(leaf)


def _check_sale(sale: Sells, grant: Grant, grounds: Grounds) -> None:
    _refuse(sale.deadline > grant.deadline, f"deadline {sale.deadline} is later than {grant.deadline}")
    given, got = grounds.asset(sale.asset), grounds.asset(sale.bought)
    _refuse(not sale.most or not sale.least, "a swap of nothing")
    # either side comes with one smallest unit of slack: amounts are whole units, and of a dear asset one is no dust
    sold = given.value_down(max(0, sale.most - 1))
    bought, bound = got.value_up(sale.least) + got.value_up(1), grant.loss(sale.asset, sale.bought)
    what = f"gives up to {usd_text(sold)} for {usd_text(bought)}: more than max_slippage_bps, now {bound}"
    _refuse(sold * BPS > bought * (BPS + bound), what)


def _check_trade(trade: Opens | Closes, grant: Grant, grounds: Grounds) -> None:
    held = grounds.held(trade.market)
    if isinstance(trade, Opens):
        _refuse(not grant.may_open, "would make the position larger")
        _refuse(bool(held.size) and trade.is_long != (held.size > 0), "would turn the position round")
    else:
        _check_side(trade, grounds)
    if trade.deadline is not None:
        _refuse(trade.deadline > grant.deadline, f"deadline {trade.deadline} is later than {grant.deadline}")
    _refuse(trade.worst_price is None, "a trade without a bound on its price")
    buys = trade.is_long if isinstance(trade, Opens) else not trade.is_long
    _check_price(trade.worst_price or 0, held, grant.limits.max_slippage, buys=buys)


def _check_side(closing: Closes | Orders, grounds: Grounds) -> None:
    """Raise ValueError unless there is so much to close on that side."""
    held = grounds.held(closing.market)
    _refuse(not held.size, "would make the position larger: there is none to close")
    _refuse(closing.is_long != (held.size > 0), "would make the position larger: it closes the other side")
    _refuse((closing.size or 0) > abs(held.size), "closes more than there is")


def _check_price(worst: int, held: Held, slippage: Bps, *, buys: bool) -> None:
    """Raise ValueError for a bound worse than the slippage allows, measured from the index price."""
    index = held.index_price
    if buys:
        bad = worst > mul_div_up(index, BPS + slippage, BPS) + 1
    else:
        bad = worst < mul_div_down(index, BPS - slippage, BPS) - 1
    away = abs(worst - index) * BPS // max(1, index)
    what = f"may trade {away} bps from the index price of {held.priced.symbol}: more than max_slippage_bps"
    _refuse(bad, what)


def _check_change(key: str, size: int, grounds: Grounds) -> None:
    order = grounds.order(key)
    held = grounds.held(order.market)
    _refuse(not order.closes, f"an order of the kind {order.kind} is nothing to change")
    _refuse(size > abs(held.size), "would close more than there is")


def _refuse(is_so: bool, what: str) -> None:
    if is_so:
        raise ValueError(what)
