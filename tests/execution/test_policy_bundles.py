"""What a bundle does as a whole is what the gate judges: nothing for others, nothing left in a hand, nothing unseen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
from core_builders import BLOCK, GUARDIAN, NOW, OWNER, at, holding, limits, position
from eth_account import Account

from keeper.core.lending.moves import Approve, Flash, Move, Route, SalePart
from keeper.core.reasons import Reason
from keeper.core.units import Address, Amount, Bps, Usd, Wei
from keeper.execution import policy
from keeper.execution.carriers import Plain
from keeper.execution.encoding import Venues, allow_list, encode_moves
from keeper.execution.permit_signer import PermitSigner
from keeper.execution.policy import Grant, PolicyError
from keeper.execution.signer import KeystoreSigner
from keeper.venues.aave_v3.market import AaveMarket
from keeper.venues.aave_v3.reserves import Listing
from keeper.venues.bundler3 import calls
from keeper.venues.bundler3.calls import ALL, Inner, flash_loan, hand_on, pull, redeem, repay
from keeper.venues.bundler3.lender import Bundler
from keeper.venues.codec.abi import address, load
from keeper.venues.contracts.permit import PermitTerms, encode_permit
from keeper.venues.effects import Call
from keeper.venues.ports import Permit
from keeper.venues.uniswap_v3.exchange import UniswapV3
from keeper.venues.uniswap_v3.pools import UniswapDeployment
from keeper.venues.uniswap_v3.swaps import encode_sale

SYMBOLS = ("WETH", "USDC", "DAI")
WETH, USDC, DAI = (at(s) for s in SYMBOLS)
A_WETH, A_USDC, A_DAI = (Address(address("0x" + f"a{i}" * 20)) for i in range(3))
POOL, ROUTER, MORPHO = (Address(address("0x" + f"b{i}" * 20)) for i in range(3))
BUNDLER, GENERAL, ADAPTER, STRANGER = (Address(address("0x" + f"c{i}" * 20)) for i in range(4))
LISTINGS = tuple(
    Listing(at(s), s, d, at("f"), index=i, a_token=a, debt_token=at("d"))
    for i, (s, d, a) in enumerate(zip(SYMBOLS, (18, 6, 18), (A_WETH, A_USDC, A_DAI), strict=True))
)
LENDER = Bundler("bundler3", BUNDLER, GENERAL, MORPHO, {"AAVE_V3": ADAPTER})
UNISWAP = UniswapDeployment(at("fac"), at("quo"), ROUTER, (500,))
VENUES = Venues(AaveMarket(POOL, at("o"), 10**8, LISTINGS), {"x": UniswapV3("x", UNISWAP)}, {"bundler3": LENDER})
POSITION = position(holding("WETH", 10), holding("USDC", 0, 14_000), holding("DAI"))
AT = LENDER.at(VENUES.market)
SOLD, BOUGHT, DEADLINE = 10**18, 1_995 * 10**6, NOW + 600
ROUTE = Route((WETH, USDC), (500,), "x")
FLASH = Flash("bundler3", ROUTE, Amount(SOLD), Amount(BOUGHT))
APPROVE = Approve(WETH, "bundler3", Amount(SOLD))
ERC20 = load("erc20")


def grant(signer: Address = OWNER, *, may_take: bool = True, **caps: int) -> Grant:
    return Grant(BLOCK.chain_id, OWNER, signer, limits(**caps), Usd(0), DEADLINE, may_take=may_take)  # type: ignore[arg-type]


def check(sent: Sequence[Call], by: Grant | None = None) -> None:
    by = by or grant()
    allowed = allow_list(VENUES, [WETH, USDC, DAI], Plain(by.signer))
    policy.check(sent, BLOCK.chain_id, by, allowed, VENUES.grounds(POSITION))


def encoded(*moves: Move) -> tuple[Call, ...]:
    return encode_moves(moves, VENUES, POSITION, Plain(OWNER), DEADLINE)


def why(sent: Sequence[Call], by: Grant | None = None) -> str:
    with pytest.raises(PolicyError) as refused:
        check(sent, by)
    return refused.value.detail


SALE = Inner(ROUTER, encode_sale(UNISWAP, ROUTE, BOUGHT, ADAPTER, DEADLINE).data)
INNER = [
    hand_on(GENERAL, USDC, ADAPTER, BOUGHT),
    repay(AT, USDC, ALL, OWNER),
    hand_on(ADAPTER, USDC, OWNER, ALL),
    pull(AT, A_WETH, ADAPTER, SOLD),
    redeem(AT, WETH, ROUTER),
    SALE,
    hand_on(ADAPTER, USDC, GENERAL, BOUGHT),
]
SWEEP = hand_on(ADAPTER, USDC, OWNER, ALL)


def bundle(inner: Sequence[Inner] = INNER, after: Sequence[Inner] = (SWEEP,), loan: int = BOUGHT) -> tuple[Call, Call]:
    """The approval, and the bundle with what a test changes in it."""
    (approve,) = encoded(APPROVE)
    return approve, calls.encode_bundle(BUNDLER, [flash_loan(AT, USDC, loan, inner), *after], "bundle")


def put(place: int, *instead: Inner) -> list[Inner]:
    return [*INNER[:place], *instead, *INNER[place + 1 :]]


def permitted(
    amount: int = SOLD,
    *,
    owner: Address = OWNER,
    spender: Address = GENERAL,
    token: Address = A_WETH,
    deadline: int = DEADLINE,
    after: Sequence[Inner] = (SWEEP,),
) -> tuple[Call, ...]:
    """The bundle with a permit in it, and no approval before."""
    said = Inner(
        token, encode_permit(owner, spender, Permit(amount, deadline, 27, bytes(32), bytes(32))), may_fail=True
    )
    return (calls.encode_bundle(BUNDLER, [said, flash_loan(AT, USDC, BOUGHT, INNER), *after], "bundle"),)


def test_a_permit_within_the_bundle_stands_for_the_approval_before_it() -> None:
    """It may fail without a trace: who saw it may have used it first; where it is not there the pull stops all."""
    check(permitted())


def test_the_bundle_of_a_flash_move_passes() -> None:
    """As the one that the attacks below are made of; it counts once against a limit."""
    check(bundle())
    sent = encoded(APPROVE, FLASH)
    check(sent)
    check(sent, grant(per_tx=2_001))  # type: ignore[arg-type]


def test_a_bundle_counts_against_the_limit_of_a_transaction() -> None:
    """All of the collateral that leaves in it, two thousand dollars."""
    with pytest.raises(PolicyError) as refused:
        check(encoded(APPROVE, FLASH), grant(per_tx=1_999))  # type: ignore[arg-type]
    assert refused.value.reason is Reason.SPEND_LIMIT


ATTACKS: dict[str, tuple[Callable[[], tuple[Call, ...]], str]] = {
    "the surplus to a stranger": (lambda: bundle(after=[hand_on(ADAPTER, USDC, STRANGER, ALL)]), "anybody may take it"),
    "the surplus left behind": (lambda: bundle(after=[]), "anybody may take it"),
    "only a part of the surplus": (lambda: bundle(after=[hand_on(ADAPTER, USDC, OWNER, 1)]), "passes on 1"),
    "a stranger's debt repaid": (lambda: bundle(put(1, repay(AT, USDC, ALL, STRANGER))), "is not the owner"),
    "the rest of the repayment to a stranger": (
        lambda: bundle(put(2, hand_on(ADAPTER, USDC, STRANGER, ALL))),
        "anybody may take it",
    ),
    "more left to the lender than it lent": (
        lambda: bundle(put(6, hand_on(ADAPTER, USDC, GENERAL, ALL)), [hand_on(GENERAL, USDC, OWNER, ALL)]),
        "beyond its loan, 0 is its fee at most",
    ),
    "the rest of the repayment left to the lender": (
        lambda: bundle(put(2, hand_on(ADAPTER, USDC, GENERAL, ALL)), [SWEEP, hand_on(GENERAL, USDC, OWNER, ALL)]),
        "beyond its loan",
    ),
    "collateral redeemed to a stranger": (lambda: bundle(put(4, redeem(AT, WETH, STRANGER))), "anybody may take it"),
    "supply pulled to a stranger": (
        lambda: bundle(put(3, pull(AT, A_WETH, STRANGER, SOLD), pull(AT, A_WETH, ADAPTER, SOLD))),
        "anybody may take it",
    ),
    "everything pulled": (lambda: bundle(put(3, pull(AT, A_WETH, ADAPTER, ALL))), "pulls all there is"),
    "more pulled than is approved is more sold": (
        lambda: bundle(put(3, pull(AT, A_WETH, ADAPTER, 2 * SOLD))),
        "more than max_slippage_bps",
    ),
    "less pulled than is approved": (
        lambda: bundle(put(3, pull(AT, A_WETH, ADAPTER, SOLD - 1))),
        "approves 1 of WETH",
    ),
    "the sale's money to a stranger": (
        lambda: bundle(put(5, Inner(ROUTER, encode_sale(UNISWAP, ROUTE, BOUGHT, STRANGER, DEADLINE).data))),
        "passes on",
    ),
    "a sale for too little": (
        lambda: bundle(
            put(5, Inner(ROUTER, encode_sale(UNISWAP, ROUTE, BOUGHT // 2, ADAPTER, DEADLINE).data)), loan=BOUGHT
        ),
        "passes on",
    ),
    "a sale without a deadline": (
        lambda: bundle(
            put(
                5,
                Inner(
                    ROUTER,
                    load("uniswap_v3_swap_router_02").exactInputSingle.encode((WETH, USDC, 500, ADAPTER, 0, BOUGHT, 0)),
                ),
            )
        ),
        "is later than",
    ),
    "a sale of what is not there": (lambda: bundle([*INNER, SALE]), "a swap of nothing"),
    "a step that may fail": (
        lambda: bundle(after=[replace(SWEEP, may_fail=True)]),
        "may fail without a trace",
    ),
    "a step within the loan that may fail": (
        lambda: bundle(put(2, replace(INNER[2], may_fail=True))),
        "may fail without a trace",
    ),
    "an approval by a hand": (
        lambda: bundle(after=[Inner(USDC, ERC20.approve.encode(STRANGER, 1)), SWEEP]),
        "an approval within a bundle",
    ),
    "a permit of somebody else": (lambda: permitted(owner=STRANGER), "is not the owner"),
    "a permit for somebody else": (lambda: permitted(spender=STRANGER), "a permit for"),
    "a permit for more than is pulled": (lambda: permitted(SOLD + 1), "approves 1 of WETH"),
    "a permit without limit": (lambda: permitted(ALL), "without limit"),
    "a permit that outlives the plan": (lambda: permitted(deadline=DEADLINE + 1), "later than"),
    "a permit for the asset itself": (lambda: permitted(token=WETH), "approves"),
    "a permit beside a step that may fail": (
        lambda: permitted(after=[replace(SWEEP, may_fail=True)]),
        "may fail without a trace",
    ),
    "a foreign leaf": (lambda: bundle(after=[SWEEP, Inner(STRANGER, b"\1\2\3\4")]), "is not on the list"),
    "the pool called by the bundler": (
        lambda: bundle(after=[SWEEP, Inner(POOL, load("aave_v3_pool").withdraw.encode(WETH, 1, OWNER))]),
        "is not on the list",
    ),
    "called back by somebody else": (
        lambda: bundle(after=[replace(SWEEP, callback_hash=b"\1" * 32)]),
        "a call back to the bundler",
    ),
    "another asset pulled along": (
        lambda: bundle(after=[pull(AT, A_DAI, STRANGER, 5), SWEEP]),
        "anybody may take it",
    ),
    "money of the wallet pulled along": (
        lambda: bundle(after=[pull(AT, USDC, STRANGER, 5), SWEEP]),
        "anybody may take it",
    ),
    "the adapter approved for the asset itself": (
        lambda: (Call(WETH, ERC20.approve.encode(GENERAL, SOLD), Wei(0), "approve"),),
        "may not be approved",
    ),
    "the router approved for the supply": (
        lambda: (Call(A_WETH, ERC20.approve.encode(ROUTER, SOLD), Wei(0), "approve"),),
        "may not be approved",
    ),
    "an approval that nothing pulls": (lambda: encoded(APPROVE), "that no call pays"),
    "an adapter called alone": (lambda: (Call(GENERAL, SWEEP.data, Wei(0), "alone"),), "is not on the list"),
    "a bundle that comes to nothing": (
        lambda: (calls.encode_bundle(BUNDLER, [SWEEP], "nothing"),),
        "comes to nothing",
    ),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_bundle_that_a_keeper_would_not_send_is_refused(attack: str) -> None:
    """Each differs from the one that passes in one thing."""
    made, expected = ATTACKS[attack]
    assert expected in why(made())


def test_a_loan_that_could_not_be_given_back_is_refused() -> None:
    """The sale has to bring for certain what is owed to the lender."""
    assert "gives back" in why(bundle(put(0, hand_on(GENERAL, USDC, ADAPTER, BOUGHT + 1)), loan=BOUGHT + 1))


def test_a_guardian_sends_no_bundle() -> None:
    """It never takes anything out and never trades."""
    assert "a guardian only pays in" in why(encoded(FLASH), grant(GUARDIAN))


def test_a_rule_that_trades_nothing_sends_no_bundle() -> None:
    """Its actions let nothing out."""
    assert "lets nothing be taken out or sold" in why(encoded(APPROVE, FLASH), grant(may_take=False))


def test_an_approval_for_a_swap_is_not_used_up_by_a_bundle() -> None:
    """What the router may take of the wallet is not what it sells of its own."""
    sent = encoded(Approve(WETH, "x", Amount(SOLD)), APPROVE, FLASH)
    assert "approves" in why(sent)


def test_two_permits_of_one_token_use_up_two_numbers() -> None:
    """Two bundles of one plan: the second is not void by the first."""
    key = KeystoreSigner(Account.from_key("0x" + "11" * 32))
    known = PermitTerms(A_WETH, key.address, b"\7" * 32, 4)
    flash = replace(FLASH, by_permit=True)
    made = encode_moves([flash, flash], VENUES, POSITION, Plain(OWNER), DEADLINE, PermitSigner(key, {A_WETH: known}))
    for number, call in enumerate(made, 4):
        permit = key.sign_permit(replace(known, nonce=number), GENERAL, SOLD, DEADLINE)
        assert encode_permit(OWNER, GENERAL, permit) in call.data


def test_a_sale_by_two_ways_passes_and_each_part_is_judged() -> None:
    """The last part is all that is left; each is held against the oracle by itself."""
    part = SalePart(Route((WETH, USDC), (500,), "x"), Amount(SOLD // 4), Amount(BOUGHT // 4))
    check(encoded(APPROVE, replace(FLASH, beside=part)))
    dear = replace(part, bought=Amount(BOUGHT // 8))
    assert "more than max_slippage_bps" in why(encoded(APPROVE, replace(FLASH, beside=dear)))


def test_a_lender_is_handed_its_loan_and_its_fee_and_what_it_does_not_take_comes_home() -> None:
    """As much as its table says it may ask at the most; what is left where it takes it from goes to the owner."""
    asking = replace(LENDER, most_fee=Bps(5))
    venues = replace(VENUES, lenders={"bundler3": asking})
    fee = BOUGHT * 5 // 10_000
    sold = Amount(SOLD + SOLD // 1_000)

    def sent(fee: int) -> tuple[Call, ...]:
        moves = (replace(APPROVE, amount=sold), replace(FLASH, sold=sold, fee=Amount(fee)))
        return encode_moves(moves, venues, POSITION, Plain(OWNER), DEADLINE)

    allowed = allow_list(venues, [WETH, USDC, DAI], Plain(OWNER))
    policy.check(sent(fee), BLOCK.chain_id, grant(), allowed, venues.grounds(POSITION))
    with pytest.raises(PolicyError, match="beyond its loan"):
        policy.check(sent(fee + 2), BLOCK.chain_id, grant(), allowed, venues.grounds(POSITION))
    assert "beyond its loan" in why(sent(fee)), "whose table names no fee"
