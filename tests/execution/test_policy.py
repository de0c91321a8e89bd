"""The last gate: every call that is not on the list is refused, each for its own reason; what we encode passes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from core_builders import (
    GUARDIAN,
    NOW,
    OWNER,
    above,
    at,
    below,
    holding,
    intent,
    limits,
    loop,
    position,
    quoted,
    rule,
    state,
    terms,
    usd,
    wad,
    wallet,
)
from core_strategies import worlds
from eth_utils.crypto import keccak
from hypothesis import HealthCheck, given, settings

from keeper.core.decide import Hold
from keeper.core.lending import actions
from keeper.core.lending.grounds import grounds
from keeper.core.lending.metrics import CLOSED, HEALTH_FACTOR, PRICE
from keeper.core.lending.moves import Route
from keeper.core.lending.plan import Allowances, Plan, plans
from keeper.core.lending.proposals import Means, PlanTerms
from keeper.core.lending.rules import LendingIntent, Rule
from keeper.core.lending.slippage import Slippage, slippage_of
from keeper.core.reasons import Reason
from keeper.core.rules import Limits
from keeper.core.snapshot import LendingPosition
from keeper.core.units import UINT256_MAX, Address, Bps, Usd, Wei
from keeper.execution import policy
from keeper.execution.carriers import Batch, Carrier, Plain
from keeper.execution.encoding import Script, Venues, allow_list, encode
from keeper.execution.policy import Allowed, Grant, PolicyError
from keeper.venues.aave_v3.market import AaveMarket
from keeper.venues.aave_v3.reserves import Listing
from keeper.venues.codec.abi import load
from keeper.venues.contracts import batch_account
from keeper.venues.ports import Call
from keeper.venues.uniswap_v3.exchange import UniswapV3
from keeper.venues.uniswap_v3.pools import UniswapDeployment
from keeper.venues.uniswap_v3.swaps import path_of

POOL = Address("0x87870Bca3F3fD6335C3F4ce8392D69350B4fA4E2")
ROUTER = Address("0x68b3465833fb72A70ecDF485E0e4C7bD8665Fc45")
STRANGER = Address("0x90F79bf6EB2c4f870365E785982E1f101E93b906")
SYMBOLS = ("WETH", "USDC", "DAI", "WBTC")
WETH, USDC = at("WETH"), at("USDC")
CHAIN, DEADLINE = 31337, NOW + 1800

aave, erc20, router = load("aave_v3_pool"), load("erc20"), load("uniswap_v3_swap_router_02")
listings = tuple(
    Listing(at(s), s, 18, at("f"), index=i, a_token=at(f"a{s}"), debt_token=at("d")) for i, s in enumerate(SYMBOLS)
)
VENUES = Venues(
    AaveMarket(POOL, at("oracle"), 10**8, listings),
    {"exchange": UniswapV3("exchange", UniswapDeployment(at("fac"), at("quo"), ROUTER, (500,)))},
)
POSITION = position(*(holding(s) for s in SYMBOLS))


def grant(signer: Address = OWNER, spent: int = 0, **caps: object) -> Grant:
    return Grant(CHAIN, OWNER, signer, limits(**caps), Usd(spent), DEADLINE, may_take=True)  # type: ignore[arg-type]


def allowed(of: LendingPosition = POSITION, signer: Address = OWNER, venues: Venues = VENUES) -> Allowed:
    return allow_list(venues, grounds(of).assets, Batch(signer, at("batch"), is_delegated=True))


def check(*calls: Call, by: Grant | None = None, chain_id: int = CHAIN, venues: Venues = VENUES) -> None:
    by = by or grant()
    policy.check(calls, chain_id, by, allowed(signer=by.signer, venues=venues), grounds(POSITION))


def reason(*calls: Call, by: Grant | None = None, **more: object) -> Reason:
    with pytest.raises(PolicyError) as refused:
        check(*calls, by=by, **more)  # type: ignore[arg-type]
    assert str(refused.value).startswith(refused.value.reason.short)
    return refused.value.reason


def forbidden(*calls: Call, by: Grant | None = None, **more: object) -> str:
    with pytest.raises(PolicyError) as refused:
        check(*calls, by=by, **more)  # type: ignore[arg-type]
    assert refused.value.reason is Reason.POLICY_FORBIDS
    return refused.value.detail


def call(to: Address, data: bytes, value: int = 0) -> Call:
    return Call(to, data, Wei(value), "by hand")


def supply(amount: int = 10**18, for_whom: Address = OWNER, asset: Address = WETH) -> Call:
    return call(POOL, aave.supply.encode(asset, amount, for_whom, 0))


def withdraw(amount: int = 10**18, to: Address = OWNER, asset: Address = WETH) -> Call:
    return call(POOL, aave.withdraw.encode(asset, amount, to))


def borrow(amount: int = 10**9, for_whom: Address = OWNER, asset: Address = USDC) -> Call:
    return call(POOL, aave.borrow.encode(asset, amount, 2, 0, for_whom))


def repay(amount: int = 10**9, for_whom: Address = OWNER, asset: Address = USDC) -> Call:
    return call(POOL, aave.repay.encode(asset, amount, 2, for_whom))


def repay_with_supply(amount: int = 10**9, asset: Address = USDC) -> Call:
    return call(POOL, aave.repayWithATokens.encode(asset, amount, 2))


def approve(amount: int = 10**9, spender: Address = POOL, asset: Address = USDC) -> Call:
    return call(asset, erc20.approve.encode(spender, amount))


def order(
    sold: int = 10**18,
    bought: int = 1_991 * 10**6,
    to: Address = OWNER,
    path: Sequence[Address] = (WETH, USDC),
) -> bytes:
    route = path_of(Route(tuple(path), (500,) * (len(path) - 1), "exchange"))
    return router.exactOutput.encode((route, to, bought, sold))


def swap(inner: Sequence[bytes] | None = None, deadline: int = DEADLINE, **more: object) -> Call:
    orders = [order(**more)] if inner is None else list(inner)  # type: ignore[arg-type]
    return call(ROUTER, router.multicall.encode(deadline, orders))


PAID = [supply(), withdraw(), borrow(), repay(), repay_with_supply(), swap()]
EVERY = [*PAID, approve(), approve(spender=ROUTER)]


@pytest.mark.parametrize("one", PAID)
def test_what_a_keeper_does_for_its_owner_is_allowed(one: Call) -> None:
    """The list, call by call: the refusals below differ from these in one thing each."""
    check(one)


def test_an_approval_is_for_what_is_paid_and_sold_and_no_more() -> None:
    """To the market for a payment, to the router for a sale; one unit that nothing takes is refused."""
    check(approve(10**9), repay(10**9))
    check(approve(10**18, ROUTER, WETH), swap())
    assert "that no call pays" in forbidden(approve(10**9 + 1), repay(10**9))
    assert "that no call pays" in forbidden(approve(10**18 + 1, ROUTER, WETH), swap())
    assert "that no call pays" in forbidden(approve(10**18, POOL, WETH), swap())
    assert "that no call pays" in forbidden(repay(10**9), approve(10**9))


# --- where to, and what ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("one", EVERY)
def test_another_target_is_refused(one: Call) -> None:
    """The same calldata at an address that is not on the list."""
    assert f"{STRANGER} is not on the list" in forbidden(replace(one, to=STRANGER))


@pytest.mark.parametrize("one", EVERY)
def test_another_chain_is_refused(one: Call) -> None:
    """Whatever the call."""
    assert "chain 1 is not 31337" in forbidden(one, chain_id=1)


@pytest.mark.parametrize("one", EVERY)
def test_native_value_is_refused(one: Call) -> None:
    """No call of a keeper carries ether."""
    assert "native currency" in forbidden(replace(one, value=Wei(1)))


@pytest.mark.parametrize("one", EVERY)
def test_bytes_behind_the_arguments_are_refused(one: Call) -> None:
    """Calldata must be in its plain form: nothing may hide behind what was checked."""
    forbidden(replace(one, data=one.data + b"\x00"))
    forbidden(replace(one, data=one.data + b"\x00" * 32))


@pytest.mark.parametrize("one", EVERY)
def test_calldata_cut_short_is_refused(one: Call) -> None:
    """Down to nothing."""
    for size in (0, 3, 4, len(one.data) - 1):
        forbidden(replace(one, data=one.data[:size]))


@pytest.mark.parametrize("target", [POOL, ROUTER, WETH])
@pytest.mark.parametrize("name", ["transfer(address,uint256)", "setUserEMode(uint8)", "flashLoan()", "anything()"])
def test_a_function_that_is_not_on_the_list_is_refused(target: Address, name: str) -> None:
    """At the very targets that are."""

    data = keccak(text=name)[:4] + bytes.fromhex(OWNER[2:]).rjust(32, b"\0") + (1).to_bytes(32, "big")
    forbidden(call(target, data))


@pytest.mark.parametrize(
    ("target", "data"),
    [
        (POOL, erc20.approve.encode(POOL, 5)),
        (ROUTER, erc20.approve.encode(ROUTER, 5)),
        (WETH, aave.supply.encode(WETH, 5, OWNER, 0)),
        (ROUTER, aave.supply.encode(WETH, 5, OWNER, 0)),
        (POOL, swap().data),
        (ROUTER, order()),
        (ROUTER, router.exactInputSingle.encode((WETH, USDC, 500, OWNER, 10**18, 1, 0))),
        (POOL, aave.liquidationCall.encode(WETH, USDC, STRANGER, 5, False)),
        (POOL, aave.setUserUseReserveAsCollateral.encode(WETH, False)),
    ],
)
def test_a_known_function_at_the_wrong_place_is_refused(target: Address, data: bytes) -> None:
    """Each target has its own list; a swap outside its deadline's multicall is not on any."""
    forbidden(call(target, data))


def test_an_asset_outside_the_position_is_refused() -> None:
    """The market lists it, this account does not use it."""
    link = at("LINK")
    for one in (supply(asset=link), withdraw(asset=link), borrow(asset=link), repay(asset=link)):
        assert "not an asset of the position" in forbidden(one)
    forbidden(approve(asset=link))


def test_a_network_without_uniswap_allows_no_router() -> None:
    """Neither the swap nor the allowance."""
    without = replace(VENUES, exchanges={})
    forbidden(swap(), venues=without)
    forbidden(approve(spender=ROUTER), venues=without)


# --- for whom --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("other", [STRANGER, GUARDIAN, POOL, Address("0x" + "00" * 20)])
def test_another_recipient_is_refused(other: Address) -> None:
    """Supply and repay for the owner's account, withdraw and borrow to it, swap into its wallet: nobody else's."""
    for one in (supply(for_whom=other), withdraw(to=other), borrow(for_whom=other), repay(for_whom=other)):
        assert "is not the owner" in forbidden(one)
    forbidden(swap(to=other))


@pytest.mark.parametrize("one", [withdraw(), borrow(), repay_with_supply()])
def test_a_guardian_takes_nothing_out(one: Call) -> None:
    """Not even to the owner."""
    assert "never takes anything out" in forbidden(one, by=grant(GUARDIAN))


@pytest.mark.parametrize("one", [withdraw(), borrow(), swap()])
def test_a_rule_that_allows_no_trade_takes_nothing_out(one: Call) -> None:
    """One that only tops up or repays moves money one way, whatever a plan says."""
    check(one)
    assert "lets nothing be taken out" in forbidden(one, by=replace(grant(), may_take=False))
    check(supply(), repay(), repay_with_supply(), by=replace(grant(), may_take=False))


def test_a_guardian_never_trades() -> None:
    """No swap, and no allowance for the router."""
    forbidden(swap(), by=grant(GUARDIAN))
    forbidden(swap(to=GUARDIAN), by=grant(GUARDIAN))
    forbidden(approve(spender=ROUTER), by=grant(GUARDIAN))
    assert "never trades" in forbidden(approve(10**18, ROUTER, WETH), swap(), by=grant(GUARDIAN))


@pytest.mark.parametrize("calls", [[supply()], [repay()], [approve(), repay()]])
def test_a_guardian_supplies_and_repays(calls: list[Call]) -> None:
    """That is what it is for."""
    check(*calls, by=grant(GUARDIAN))


# --- allowances ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("amount", [UINT256_MAX, UINT256_MAX - 1, UINT256_MAX // 2])
@pytest.mark.parametrize("spender", [POOL, ROUTER])
def test_an_unlimited_approval_is_refused(amount: int, spender: Address) -> None:
    """Nor one so large that it is the same."""
    assert "without limit" in forbidden(approve(amount, spender))


@pytest.mark.parametrize("spender", [STRANGER, OWNER, WETH, Address("0x" + "00" * 20)])
def test_an_approval_to_a_stranger_is_refused(spender: Address) -> None:
    """The market and the router, nobody else."""
    assert "may not be approved" in forbidden(approve(spender=spender))


def test_taking_an_allowance_back_is_allowed() -> None:
    """Zero, to either."""
    check(approve(0), approve(0, ROUTER))


# --- swaps -----------------------------------------------------------------------------------------------------------


def test_a_swap_is_allowed_up_to_the_slippage_and_not_beyond() -> None:
    """50 basis points of what is bought, at the oracle's prices; the last unit counts."""
    fair = 10**18
    bought = 2_000 * 10**6 * 10_000 // 10_050 + 1
    check(swap(sold=fair, bought=bought))
    assert "max_slippage_bps" in forbidden(swap(sold=fair, bought=bought - 10))
    assert "max_slippage_bps" in forbidden(swap(sold=10**18, bought=1_900 * 10**6))


def test_the_slippage_is_the_rules_own() -> None:
    """A rule that allows 500 basis points lets pass what one of 50 does not."""
    check(swap(bought=1_910 * 10**6), by=grant(slippage=500))
    forbidden(swap(bought=1_910 * 10**6))


def test_near_liquidation_the_gate_lets_pass_what_the_bound_of_now_allows_and_no_more() -> None:
    """300 basis points from the oracle's price, whatever the pool asks; past that nothing is signed."""
    wide = Slippage(Bps(50), Bps(300), Bps(300), {})
    check(swap(bought=1_945 * 10**6), by=replace(grant(), may_lose=wide.between(POSITION)))
    assert "max_slippage_bps" in forbidden(
        swap(bought=1_940 * 10**6), by=replace(grant(), may_lose=wide.between(POSITION))
    )


@pytest.mark.parametrize(("sold", "bought"), [(0, 10**6), (10**18, 0), (0, 0)])
def test_a_swap_of_nothing_is_refused(sold: int, bought: int) -> None:
    """It is never meant."""
    assert "a swap of nothing" in forbidden(swap(sold=sold, bought=bought))


def test_a_late_deadline_is_refused() -> None:
    """One second later than granted."""
    check(swap(deadline=DEADLINE))
    assert "is later than" in forbidden(swap(deadline=DEADLINE + 1))
    forbidden(swap(deadline=UINT256_MAX))


@pytest.mark.parametrize("path", [(STRANGER, USDC), (WETH, STRANGER), (STRANGER, WETH, STRANGER)])
def test_a_path_that_ends_in_an_unknown_token_is_refused(path: Sequence[Address]) -> None:
    """What is given and what is received are assets of the position."""
    assert "not an asset of the position" in forbidden(swap(path=path))


def test_a_path_may_lead_through_a_token_in_between() -> None:
    """Only the ends are the owner's; the bound is on what goes in and comes out."""
    check(swap(path=(WETH, STRANGER, USDC)))


@pytest.mark.parametrize("count", [0, 2])
def test_a_multicall_holds_one_swap(count: int) -> None:
    """Not none, not two."""
    assert f"{count} calls in one multicall" in forbidden(swap([order()] * count))


def test_what_is_inside_the_multicall_is_checked() -> None:
    """Another function, bytes behind it, a path that is none."""
    forbidden(swap([erc20.approve.encode(STRANGER, 5)]))
    forbidden(swap([order() + b"\0"]))
    forbidden(swap([router.exactOutput.encode((b"\x01" * 42, OWNER, 10**6, 10**18))]))


# --- limits ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("one", [repay(1_000 * 10**6), supply(5 * 10**17), swap(sold=5 * 10**17, bought=996 * 10**6)])
def test_a_transaction_moves_at_most_its_limit(one: Call) -> None:
    """A thousand dollars each: allowed at a thousand, refused at 999, whatever goes before it."""
    check(supply(1), one, by=grant(per_tx="1000"))
    assert reason(one, by=grant(per_tx="999")) is Reason.SPEND_LIMIT
    assert reason(supply(1), one, by=grant(per_tx="999")) is Reason.SPEND_LIMIT


@pytest.mark.parametrize("one", [repay(1_000 * 10**6), supply(5 * 10**17), swap(sold=5 * 10**17, bought=996 * 10**6)])
def test_a_day_moves_at_most_its_limit(one: Call) -> None:
    """What was spent today counts, and so does every call of the plan."""
    check(one, one, by=grant(per_day="2000"))
    assert reason(one, one, by=grant(per_day="1999")) is Reason.SPEND_LIMIT
    check(one, by=grant(per_day="2000", spent=usd(1_000)))
    assert reason(one, by=grant(per_day="2000", spent=usd(1_001))) is Reason.SPEND_LIMIT


def test_what_a_swap_brought_in_pays_for_what_follows() -> None:
    """Sold and repaid is one movement of money, not two."""
    both = (swap(), repay(1_991 * 10**6))
    check(*both, by=grant(per_day="2000"))
    assert reason(*both, by=grant(per_day="1999")) is Reason.SPEND_LIMIT
    assert reason(*both, repay(20 * 10**6), by=grant(per_day="2001")) is Reason.SPEND_LIMIT


def test_a_repayment_of_everything_counts_with_what_was_approved_for_it() -> None:
    """2^256 - 1 takes at most the allowance."""
    all_of_it = repay(UINT256_MAX)
    check(approve(1_000 * 10**6), all_of_it, by=grant(per_day="1000"))
    assert reason(approve(1_001 * 10**6), all_of_it, by=grant(per_day="1000")) is Reason.SPEND_LIMIT


def test_what_earlier_payments_took_of_an_approval_is_not_counted_twice() -> None:
    """A sale in rounds ends in a repayment of everything: that takes what is left of the allowance."""
    rounds = (approve(1_000 * 10**6), repay(600 * 10**6), repay(UINT256_MAX))
    check(*rounds, by=grant(per_day="1000"))
    assert reason(*rounds, by=grant(per_day="999")) is Reason.SPEND_LIMIT


def test_a_repayment_of_everything_without_an_approval_is_beyond_any_limit() -> None:
    """An allowance of another day has no bound that could be read here."""
    assert reason(repay(UINT256_MAX), by=grant(per_day="1000")) is Reason.SPEND_LIMIT


def test_a_repayment_of_everything_with_the_supply_counts_in_full() -> None:
    """It needs no allowance, so it has no bound but its amount: without one it is beyond any limit."""
    assert reason(repay_with_supply(UINT256_MAX), by=grant(per_day="1000")) is Reason.SPEND_LIMIT


# --- what we encode --------------------------------------------------------------------------------------------------

BATCH = Batch(OWNER, at("batch"), is_delegated=True)
CLOSE = {"target": CLOSED, "trigger": below(PRICE, 10**12, "WETH")}
BOOST = rule(actions=(actions.LEVERAGE_UP,), to="1.90", trigger=above(HEALTH_FACTOR, wad("2.4")))
MANY = position(holding("WETH", 10), holding("WBTC", "0.1"), holding("USDC", 2_000, 9_000), holding("DAI", 0, 9_000))
SCENES: list[tuple[LendingPosition, Rule, str | None]] = [
    (loop(), rule(), None),
    (loop(), rule(**CLOSE), None),  # type: ignore[arg-type]
    (loop(dollars="6000"), BOOST, None),
    (loop(dollars="16000"), rule(limits=limits(per_tx="777.77")), None),
    (MANY, rule(), "1234.5678"),
    (MANY, rule(**CLOSE), None),  # type: ignore[arg-type]
    (MANY, rule(limits=limits(per_tx="500", slippage=10)), "5000"),
]


@pytest.mark.parametrize("signer", [OWNER, GUARDIAN])
@pytest.mark.parametrize(("of", "by", "left"), SCENES)
def test_everything_we_encode_passes(of: LendingPosition, by: Rule, left: str | None, signer: Address) -> None:
    """Every plan of every kind, for owner and guardian, within the very limits it was made with."""
    budget = None if left is None else usd(left)
    wanted = intent(of, by, budget)
    now = state(wanted, wallet(WETH=3, USDC=20_000, DAI=4_000, WBTC="0.01"))
    on = quoted(wanted, now, terms(signer_is_owner=signer == OWNER))
    ways = plans(wanted, now, on, {})
    if signer == GUARDIAN and by is BOOST:
        assert isinstance(ways, Hold)
        return
    assert not isinstance(ways, Hold)
    day = replace(by.limits, max_spend_per_day=budget)
    for plan in ways:
        calls = encode(plan, VENUES, Plain(signer), DEADLINE).calls
        granted = granted_by(wanted, signer, day)
        policy.check([c.call for c in calls], CHAIN, granted, allowed(of, signer), grounds(of))
        assert_spends_agree(plan, [c.call for c in calls], granted)


def granted_by(wanted: LendingIntent, signer: Address, day: Limits) -> Grant:
    bounds = slippage_of(wanted.rule, wanted.assessment).between(wanted.assessment.position)
    takes = any(action.trades for action in wanted.rule.actions)
    return Grant(CHAIN, OWNER, signer, day, Usd(0), DEADLINE, bounds, may_take=takes)


def assert_spends_agree(plan: Plan, calls: Sequence[Call], by: Grant) -> None:
    """The policy reads the same dollars from the calldata as the plan counted: a limit just below it refuses."""
    dust = len(calls) + 2
    tight = replace(by, limits=replace(by.limits, max_spend_per_day=Usd(plan.spend - dust * 2)))
    with pytest.raises(PolicyError) as refused:
        check(*calls, by=tight)
    assert refused.value.reason is Reason.SPEND_LIMIT


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(worlds())
def test_no_plan_is_ever_refused_by_the_gate(world: tuple[LendingIntent, Means, PlanTerms, Allowances]) -> None:
    """For any account, wallet, limits and pools: what the planner promises within the limits, the gate finds so."""
    wanted, now, on, allowances = world
    ways = plans(wanted, now, on, allowances)
    if isinstance(ways, Hold):
        return
    signer = OWNER if on.signer_is_owner else GUARDIAN
    day = replace(wanted.rule.limits, max_spend_per_day=wanted.left_today)
    of = wanted.assessment.position
    granted, on_the_list = granted_by(wanted, signer, day), allowed(of, signer)
    for plan in ways:
        both: tuple[Carrier, ...] = (Plain(signer), replace(BATCH, account=signer))
        for carrier in both:
            script = encode(plan, VENUES, carrier, DEADLINE)
            once = (
                None if carrier.is_atomic else day.max_spend_per_tx
            )  # a batch is used where all of it is within the limit
            by = replace(granted, limits=replace(day, max_spend_per_tx=once))
            policy.check(script.sent, CHAIN, by, on_the_list, grounds(of))
            policy.check_sent(script.sent, script.meant, on_the_list)


# --- what is sent is what was planned --------------------------------------------------------------------------------


def script(batch: Batch | None = None, signer: Address = OWNER) -> Script:
    wanted = intent(loop())
    now = state(wanted, wallet(USDC=20_000))
    (plan, *_) = plans(wanted, now, terms(), {})  # type: ignore[misc]
    return encode(plan, VENUES, batch or Plain(signer), DEADLINE)


def check_sent(made: Script) -> None:
    check(*made.sent)
    policy.check_sent(made.sent, made.meant, allowed())


@pytest.mark.parametrize("batch", [None, BATCH])
def test_the_calls_themselves_or_one_batch_of_them_are_sent(batch: Batch | None) -> None:
    """Either way, each is judged as it is sent."""
    made = script(batch)
    check_sent(made)
    assert len(made.sent) == (1 if batch else len(made.calls))


@pytest.mark.parametrize("batch", [None, BATCH])
def test_anything_else_than_the_planned_calls_is_refused(batch: Batch | None) -> None:
    """One less among the planned, another order of them."""
    made = script(batch)
    for other in (made.calls[1:], tuple(reversed(made.calls))):
        with pytest.raises(PolicyError, match="not what was planned"):
            check_sent(replace(made, calls=other))


def test_a_batch_goes_from_the_signer_to_itself() -> None:
    """Not to another account, and with no value."""
    (one,) = script(BATCH).sent
    assert "is not on the list" in forbidden(replace(one, to=STRANGER))
    assert "is not on the list" in forbidden(one, by=grant(GUARDIAN))
    assert "native currency" in forbidden(replace(one, value=Wei(1)))


def test_a_batch_is_decoded_and_not_believed() -> None:
    """Bytes behind it, another function, nothing in it."""
    (one,) = script(BATCH).sent
    for data in (one.data + b"\0", one.data[:-1], b"", supply().data, batched().data):
        forbidden(replace(one, data=data))


def batched(*calls: Call) -> Call:
    return batch_account.encode_batch(OWNER, calls, "by hand")


@pytest.mark.parametrize("deep", [1, 2, 3])
def test_a_batch_is_opened_to_the_last_leaf(deep: int) -> None:
    """However deep what is forbidden lies: a stranger's contract, a stranger's account, money of the native kind."""
    for bad in (call(STRANGER, b""), withdraw(to=STRANGER), replace(repay(), value=Wei(1)), approve(spender=STRANGER)):
        fine, one = batched(repay()), batched(repay(), bad)
        for _ in range(deep - 1):
            fine, one = batched(fine), batched(one)
        check(fine)
        forbidden(one)


def test_calls_are_not_opened_without_end() -> None:
    """Whoever nests deeper has something to hide."""
    one = repay()
    for _ in range(policy.MOST_DEPTH + 1):
        one = batched(one)
    assert "deep" in forbidden(one)


def test_a_batch_is_one_transaction_to_the_limit() -> None:
    """Two payments of a thousand dollars each, in one."""
    two = (repay(1_000 * 10**6), repay(1_000 * 10**6))
    check(*two, by=grant(per_tx="1000"))
    assert reason(batched(*two), by=grant(per_tx="1000")) is Reason.SPEND_LIMIT
    check(batched(*two), by=grant(per_tx="2000"))
