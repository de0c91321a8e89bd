"""Several loans in one call, and what a call insists on: judged as a whole, each part as if it were alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from eth_account import Account
from test_policy_bundles import (
    A_WETH,
    ADAPTER,
    AT,
    BOUGHT,
    BUNDLER,
    DAI,
    DEADLINE,
    FLASH,
    GENERAL,
    INNER,
    OWNER,
    POSITION,
    SALE,
    SOLD,
    STRANGER,
    SWEEP,
    UNISWAP,
    USDC,
    VENUES,
    WETH,
    check,
    grant,
    why,
)

from keeper.core.lending.moves import Route, loans
from keeper.core.units import Address, Amount
from keeper.execution.carriers import Plain
from keeper.execution.encoding import encode_moves
from keeper.execution.permit_signer import PermitSigner
from keeper.execution.signer import KeystoreSigner
from keeper.venues.bundler3 import calls
from keeper.venues.bundler3.calls import ALL, Inner, flash_loan, hand_on, pull, redeem, repay
from keeper.venues.contracts.permit import PermitTerms, encode_permit
from keeper.venues.effects import Call
from keeper.venues.ports import Permit
from keeper.venues.uniswap_v3.swaps import encode_sale

DAI_BOUGHT = 996 * 10**18
TO_DAI = Route((WETH, DAI), (500,), "x")
SECOND = replace(FLASH, route=TO_DAI, sold=Amount(SOLD // 2), bought=Amount(DAI_BOUGHT), by_permit=True)
BOTH = replace(FLASH, by_permit=True).before(SECOND)


def second(*, receiver: Address = ADAPTER, owner: Address = OWNER) -> Inner:
    """The second loan, with what a test changes in it."""
    sale = encode_sale(UNISWAP, TO_DAI, DAI_BOUGHT, receiver, DEADLINE)
    inner = [
        hand_on(GENERAL, DAI, ADAPTER, DAI_BOUGHT),
        repay(AT, DAI, ALL, owner),
        pull(AT, A_WETH, ADAPTER, SOLD // 2),
        redeem(AT, WETH, SALE.to),
        Inner(sale.to, sale.data),
        hand_on(ADAPTER, DAI, GENERAL, DAI_BOUGHT),
    ]
    return flash_loan(AT, DAI, DAI_BOUGHT, inner)


REST = hand_on(ADAPTER, DAI, OWNER, ALL)


def bundle(*more: Inner, amount: int = SOLD + SOLD // 2, lead: Sequence[Inner] = ()) -> tuple[Call, ...]:
    said = Inner(
        A_WETH, encode_permit(OWNER, GENERAL, Permit(amount, DEADLINE, 27, bytes(32), bytes(32))), may_fail=True
    )
    first = flash_loan(AT, USDC, BOUGHT, INNER)
    return (calls.encode_bundle(BUNDLER, [said, *lead, first, *more], "bundle"),)


def test_two_loans_in_one_call_share_one_permit_for_the_sum() -> None:
    """Two permits of one token in one call would be undone by whoever uses both beforehand."""
    key = KeystoreSigner(Account.from_key("0x" + "11" * 32))
    known = PermitTerms(A_WETH, key.address, b"\7" * 32, 4)
    (call,) = encode_moves([BOTH], VENUES, POSITION, Plain(OWNER), DEADLINE, PermitSigner(key, {A_WETH: known}))
    permit = key.sign_permit(known, GENERAL, SOLD + SOLD // 2, DEADLINE)
    assert encode_permit(OWNER, GENERAL, permit) in call.data
    assert call.data.count(bytes.fromhex("d505accf")) == 1
    check((call,))


def test_each_loan_of_one_call_is_seen_by_itself() -> None:
    """What looks at loans one by one sees both."""
    assert [loan.route for loan in loans([BOTH])] == [FLASH.route, TO_DAI]
    assert all(not loan.then for loan in loans([BOTH]))


ATTACKS = {
    "the second rest left behind": (lambda: bundle(second(), SWEEP), "anybody may take it"),
    "the second sale's money to a stranger": (lambda: bundle(second(receiver=STRANGER), SWEEP, REST), "passes on"),
    "the second repays a stranger's debt": (lambda: bundle(second(owner=STRANGER), SWEEP, REST), "is not the owner"),
    "the permit is for more than both": (
        lambda: bundle(second(), SWEEP, REST, amount=2 * SOLD),
        "that no call pays",
    ),
    "what is insisted on goes to a stranger": (
        lambda: bundle(second(), SWEEP, REST, lead=[pull(AT, A_WETH, STRANGER, 5)], amount=SOLD + SOLD // 2 + 5),
        "anybody may take it",
    ),
    "what is insisted on is all there is": (
        lambda: bundle(second(), SWEEP, REST, lead=[pull(AT, A_WETH, OWNER, ALL)]),
        "pulls all there is",
    ),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_several_loans_that_a_keeper_would_not_send_are_refused(attack: str) -> None:
    """Each differs in one thing from the call that passes."""
    check(bundle(second(), SWEEP, REST))
    made, expected = ATTACKS[attack]
    assert expected in why(made())


def test_what_is_insisted_on_moves_from_the_owner_to_himself() -> None:
    """Covered by the permit, and nothing of it is spent."""
    lead = [pull(AT, A_WETH, OWNER, 9 * SOLD)]
    check(bundle(second(), SWEEP, REST, lead=lead, amount=10 * SOLD + SOLD // 2))
    check(
        bundle(second(), SWEEP, REST, lead=lead, amount=10 * SOLD + SOLD // 2),
        grant(per_tx=3_002),  # type: ignore[arg-type]
    )


def everything(*ends: Inner, receiver: Address = OWNER, puller: Address = ADAPTER) -> tuple[Call, ...]:
    """One loan, then all that is left of the supply to the owner, and what takes the rest of the permit back."""
    first = flash_loan(AT, USDC, BOUGHT, INNER)
    rest = (pull(AT, A_WETH, puller, ALL), redeem(AT, WETH, receiver))
    return (calls.encode_bundle(BUNDLER, [said(10 * SOLD), first, SWEEP, *rest, *ends], "leave"),)


def said(amount: int, *, may_fail: bool = True) -> Inner:
    words = encode_permit(OWNER, GENERAL, Permit(amount, DEADLINE, 27, bytes(32), bytes(32)))
    return Inner(A_WETH, words, may_fail=may_fail)


END = said(0, may_fail=False)
LEFT_ATTACKS = {
    "the rest of the permit stays": (everything, "that no call pays"),
    "taking it back may fail": (lambda: everything(said(0)), "may fail without a trace"),
    "what is left goes to a stranger": (lambda: everything(END, receiver=STRANGER), "anybody may take it"),
    "what is left is pulled to a stranger": (lambda: everything(END, puller=STRANGER), "anybody may take it"),
    "another permit after it was taken back": (
        lambda: everything(END, said(5, may_fail=False)),
        "that no call pays",
    ),
}


def test_a_market_is_left_by_one_call_whose_permit_ends_with_it() -> None:
    """Encoded as planned: two permits of the token in a row, the second for nothing and not one that may fail."""
    check(everything(END))
    key = KeystoreSigner(Account.from_key("0x" + "11" * 32))
    known = PermitTerms(A_WETH, key.address, b"\7" * 32, 4)
    leaving = replace(FLASH, by_permit=True).leaving([WETH])
    (call,) = encode_moves([leaving], VENUES, POSITION, Plain(OWNER), DEADLINE, PermitSigner(key, {A_WETH: known}))
    end = key.sign_permit(replace(known, nonce=5), GENERAL, 0, DEADLINE)
    assert encode_permit(OWNER, GENERAL, end) in call.data
    check((call,))


@pytest.mark.parametrize("attack", LEFT_ATTACKS)
def test_a_call_that_leaves_a_market_otherwise_is_refused(attack: str) -> None:
    """Each differs in one thing from the one that passes."""
    made, expected = LEFT_ATTACKS[attack]
    assert expected in why(made())
