"""What every venue's calls must pass before the gate may judge them: see README.md, point by point."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields, replace

import pytest
from clauses import NOT_RUN
from core_builders import GUARDIAN, limits
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from morpho_builders import BLUE
from subjects import (
    BANK,
    BUNDLER,
    COMET,
    DAI,
    DEADLINE,
    DOLLAR,
    MARKET,
    MARKET_OF,
    ME,
    PERP,
    POOL,
    ROUTER,
    SAVED_AT,
    SHARES,
    STRANGER,
    SUBJECTS,
    VAULT,
    WETH,
    Made,
    Subject,
)
from toy_bank.abi import BANK as TOY_ABI
from venus_builders import COMPTROLLER, V_DOLLAR, V_ETHER, V_OWN

from keeper.core.reasons import Reason
from keeper.core.units import Address, Bps, Usd, Wei, mul_div_down
from keeper.execution import policy
from keeper.execution.policy import Grant, PolicyError
from keeper.venues.codec.abi import load
from keeper.venues.effects import Approves, Bundles, Call, Carries, Effect, Leaf, Nested, Pays, Pulls, Releases, Sells

ABIS = (
    "erc20",
    "erc4626",
    "pool_receipt",
    "aave_v3_pool",
    "morpho_blue",
    "compound_v3",
    "compound_v2_comptroller",
    "compound_v2_token",
    "compound_v2_native",
    "uniswap_v3_swap_router_02",
    "simple_7702_account",
    "perp_v2_vault",
    "perp_v2_clearing_house",
    "gmx_v2_exchange_router",
    "bundler3",
    "bundler3_general_adapter",
    "bundler3_aave_v3_adapter",
    "bundler3_compound_v3_adapter",
    "safe",
    "safe_multi_send",
    "balancer_v3_vault",
)
FUNCTIONS = {
    POOL: {"supply", "repay", "withdraw", "borrow", "repayWithATokens", "setUserUseReserveAsCollateral"},
    **{x.a_token: {"transfer"} for x in MARKET_OF.listings},
    BLUE: {"supplyCollateral", "repay", "withdrawCollateral", "borrow", "setAuthorization"},
    COMET.comet: {"supplyTo", "withdrawTo", "allow"},
    COMPTROLLER: {"enterMarkets"},
    V_OWN: {"mint", "repayBorrow", "repayBorrowBehalf"},
    **{
        token: {"mint", "mintBehalf", "redeem", "redeemUnderlying", "borrow", "repayBorrow", "repayBorrowBehalf"}
        for token in (V_ETHER, V_DOLLAR)
    },
    SHARES: {"withdraw"},
    SAVED_AT: {"withdraw"},
    BANK: {"supply", "repay", "withdraw", "borrow"},
    ROUTER: {"multicall"},
    ME: {"executeBatch"},
    BUNDLER: {"multicall"},
    PERP.vault: {"deposit", "depositFor", "withdraw"},
    PERP.clearing_house: {"openPosition", "closePosition"},
    MARKET.deployment.exchange_router: {"multicall", "updateOrder", "cancelOrder", "claimFundingFees"},
    VAULT: {"unlock", "sendTo", "settle"},
}
OF_A_SAFE = {ME: {"execTransaction"}, **{token: {"approve", "transfer"} for token in (WETH, DOLLAR, DAI)}}
"""What a keeper calls, by contract; of a token it is ``approve``."""
A_TOKENS = {x.a_token for x in MARKET_OF.listings}
some = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
every_venue = pytest.mark.parametrize("of", SUBJECTS, ids=str)
ONE_WORD = 36
"""Bytes of a call with one argument."""
PRICE_SLACK = 10**9
"""Parts in 10^18 of a price by which a bound in dollars tells it only."""


def read(of: Subject, call: Call) -> tuple[Effect, ...]:
    return of.allowed[call.to](call)


def grant(signer: Address = ME, *, spend: int | None = None) -> Grant:
    """A rule that may do all that rules may, at any price, and spend so much."""
    most = limits(slippage=9_999)
    most = most if spend is None else replace(most, max_spend_per_day=Usd(spend))
    lose = lambda *_: Bps(10**80)  # noqa: E731 - whatever the swap
    return Grant(31337, ME, signer, most, Usd(0), DEADLINE, lose, may_take=True, may_open=True, most_fee=Wei(10**18))


def refusal(of: Subject, call: Call, by: Grant) -> PolicyError | None:
    """Why the gate refuses a call by itself; None where it lets it through."""
    try:
        policy.check([call], 31337, by, of.allowed, of.grounds)
    except PolicyError as error:
        return error
    return None


def same(told: Sequence[Effect], wanted: Sequence[Effect]) -> bool:
    """Whether effects are those that were named; a price that was told in dollars by its first digits."""
    return len(told) == len(wanted) and all(_same(a, b) for a, b in zip(told, wanted, strict=True))


def _same(told: Effect, wanted: Effect) -> bool:
    price, other = getattr(told, "worst_price", None), getattr(wanted, "worst_price", None)
    if price is None or other is None or price == other:
        return told == wanted
    is_near = abs(price - other) <= mul_div_down(other, PRICE_SLACK, 10**18)
    return is_near and replace(told, worst_price=other) == wanted  # type: ignore[call-arg,type-var]


# --- 1 ---------------------------------------------------------------------------------------------------------------


@every_venue
@some
@given(data=st.data())
def test_what_is_encoded_is_read_back_as_what_it_does(of: Subject, data: st.DataObject) -> None:
    """Every move of every venue, by hand against decoder against encoder."""
    made = data.draw(of.made(ME))
    assert same(read(of, made.call), made.effects)


@every_venue
@some
@given(data=st.data())
def test_a_guardian_s_calls_are_read_back_as_well(of: Subject, data: st.DataObject) -> None:
    """What another signer than the owner can make names the owner."""
    if of.made(GUARDIAN).is_empty:
        pytest.skip(NOT_RUN[of.name, "a guardian's round trip"])
    made = data.draw(of.made(GUARDIAN))
    assert same(read(of, made.call), made.effects)


# --- 2, 3, 4 ---------------------------------------------------------------------------------------------------------


@every_venue
@some
@given(data=st.data())
def test_no_byte_can_be_another_unseen(of: Subject, data: st.DataObject) -> None:
    """Refused, or other effects: nothing hides in flags, padding, offsets or lengths."""
    made = data.draw(of.made(ME))
    place = data.draw(st.integers(0, len(made.call.data) - 1).filter(lambda i: i not in made.free))
    changed = bytearray(made.call.data)
    changed[place] ^= data.draw(st.integers(1, 255))
    try:
        told = read(of, replace(made.call, data=bytes(changed)))
    except ValueError:
        return
    assert told != read(of, made.call)


@every_venue
@some
@given(data=st.data())
def test_calldata_is_whole_and_nothing_more(of: Subject, data: st.DataObject) -> None:
    """Cut anywhere, or with anything behind it."""
    call = data.draw(of.made(ME)).call
    cut = data.draw(st.integers(0, len(call.data) - 1))
    behind = data.draw(st.binary(min_size=1, max_size=64))
    for bad in (call.data[:cut], call.data + behind, call.data + bytes(32)):
        with pytest.raises(ValueError, match=r"."):
            read(of, replace(call, data=bad))


@every_venue
@some
@given(data=st.data())
def test_unknown_bytes_are_refused(of: Subject, data: st.DataObject) -> None:
    """At random, and behind a selector that is known."""
    call, noise = data.draw(of.made(ME)).call, data.draw(st.binary(max_size=400))
    for bad in (noise, call.data[:4] + noise):
        is_an_amount = len(bad) == len(call.data) == ONE_WORD  # of a call of one amount any word is one
        if bad != call.data and not is_an_amount:
            with pytest.raises(ValueError, match=r"."):
                read(of, replace(call, data=bad))


@every_venue
@given(data=st.data())
def test_another_function_or_contract_is_refused(of: Subject, data: st.DataObject) -> None:
    """Each contract has its own list; what is on another's is not on it."""
    made = data.draw(of.made(ME))
    for to in {*of.allowed, STRANGER} - {made.call.to}:
        moved = replace(made.call, to=to)
        is_alike = any({to, made.call.to} <= kind for kind in (set(of.grounds.assets), A_TOKENS, {V_ETHER, V_DOLLAR}))
        assert is_alike or refusal(of, moved, grant()) is not None


@every_venue
def test_of_a_contract_s_functions_only_those_named_here_are_read(of: Subject) -> None:
    """Of all that the contracts' ABI files know. Written down by hand: a longer list is a decision."""
    for to, decode in of.allowed.items():
        read_by_it = set[str]()
        for function in (f for abi in (*map(load, ABIS), TOY_ABI) for f in vars(abi)["_functions"].values()):
            try:
                decode(Call(to, function.selector, Wei(0), "nothing behind it"))
            except ValueError as error:
                if "not one a keeper calls" not in str(error):
                    read_by_it.add(function.name)
        its_own = OF_A_SAFE if VAULT in of.allowed else {}
        assert read_by_it == its_own.get(to, FUNCTIONS.get(to, {"approve"}))


# --- 5, 6, 7 ---------------------------------------------------------------------------------------------------------


@every_venue
@some
@given(data=st.data())
def test_the_recipient_is_never_another(of: Subject, data: st.DataObject) -> None:
    """The owner's address in the calldata is another's: refused. Nobody is named: then another may not send it."""
    made = data.draw(of.made(ME))
    if why := NOT_RUN.get((of.name, "recipient never another")):
        pytest.skip(why)
    if refusal(of, made.call, grant()):
        return  # more than there is of it; other tests say so
    owner = bytes.fromhex(ME[2:])
    if owner in made.call.data:
        stolen = made.call.data.replace(owner, bytes.fromhex(STRANGER[2:]))
        assert refusal(of, replace(made.call, data=stolen), grant()) is not None
    elif not all(isinstance(leaf, Approves) for leaf in leaves_of(of, made.call)):
        assert refusal(of, made.call, grant(GUARDIAN)) is not None


@every_venue
@some
@given(data=st.data())
def test_whoever_is_not_the_owner_only_pays_in(of: Subject, data: st.DataObject) -> None:
    """Whatever an owner may do, the same bytes from another signer are payments for the owner or nothing."""
    made = data.draw(of.made(ME))
    if refusal(of, made.call, grant(GUARDIAN)) is None:
        leaves = list(leaves_of(of, made.call))
        paid = [leaf for leaf in leaves if isinstance(leaf, Pays)]
        said_last = {(leaf.asset, leaf.spender): leaf for leaf in leaves if isinstance(leaf, Approves)}
        stand = [leaf for leaf in leaves if not isinstance(leaf, Approves) or leaf in said_last.values()]
        assert all(isinstance(leaf, Pays | Carries) or is_for(leaf, paid) for leaf in stand)
        assert all(leaf.beneficiary == ME for leaf in leaves if isinstance(leaf, Pays))


def leaves_of(of: Subject, call: Call) -> Iterator[Leaf]:
    yield from (leaf for _, leaf in policy.opened(call, of.allowed))


def is_for(leaf: Leaf, paid: Sequence[Pays]) -> bool:
    """An approval of nothing takes one back; another is of no more than is paid."""
    if not isinstance(leaf, Approves):
        return False
    taken = [one.amount for one in paid if (one.asset, one.through) == (leaf.asset, leaf.spender)]
    return not leaf.amount or None in taken or leaf.amount <= sum(amount or 0 for amount in taken)


@every_venue
@some
@given(data=st.data())
def test_what_is_spent_is_seen(of: Subject, data: st.DataObject) -> None:
    """With nothing to spend, what pays or trades more than a cent is refused. What a sale brings in pays once more."""
    if why := NOT_RUN.get((of.name, "what is spent")):
        pytest.skip(why)
    made = data.draw(of.made(ME))
    if refusal(of, made.call, grant()) is not None:
        return
    leaves = list(leaves_of(of, made.call))
    brought = sum(of.grounds.assets[leaf.bought].value_up(leaf.least) for leaf in leaves if isinstance(leaf, Sells))
    spent = sum(dollars(of, leaf) for leaf in leaves) - brought
    refused = refusal(of, made.call, grant(spend=0))
    if spent > 10**6:
        assert refused is not None
        assert refused.reason is Reason.SPEND_LIMIT


def dollars(of: Subject, leaf: Leaf) -> int:
    """What a leaf spends, counted apart from the gate; sizes and all that is owed are left to its own tests."""
    match leaf:
        case Pays(asset, amount) if amount is not None:
            return of.grounds.assets[asset].value_down(amount)
        case Sells(asset, most):
            return of.grounds.assets[asset].value_down(most)
        case Bundles(flows):
            pulled = [flow for flow in flows if isinstance(flow, Pulls | Releases)]
            return sum(of.grounds.assets[pull.asset].value_down(pull.amount or 0) for pull in pulled)
        case _:
            return 0


@pytest.mark.slow
def test_every_effect_is_made_by_some_venue() -> None:
    """An effect that nobody makes is judged by no test; one that nobody reads is no effect."""
    seen = set[str]()
    for of in SUBJECTS:

        @settings(max_examples=300, deadline=None, database=None, derandomize=True)  # drawn alike each time
        @given(of.made(ME))
        def gathered(made: Made) -> None:
            seen.update(type(effect).__name__ for effect in made.effects)

        gathered()
    known = {kind.__name__ for kind in (*Leaf.__args__, Nested)}
    assert seen == known
    assert all(fields(kind) for kind in Leaf.__args__)
