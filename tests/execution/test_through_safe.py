"""A Safe as the carrier of plans: what is sent, what it uses up, and what the gate makes of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from core_builders import OWNER, at, holding, limits, position
from eth_account import Account
from eth_utils.crypto import keccak

from keeper.core.grounds import Grounds
from keeper.core.lending.grounds import grounds
from keeper.core.units import Address, Bps, Usd, Wei
from keeper.execution import policy
from keeper.execution.policy import Grant, PolicyError
from keeper.execution.sealing import sealed_calls
from keeper.execution.through_safe import ThroughSafe, nonces_used, signer_of
from keeper.venues.balancer_v3.calls import encode_loan, encode_return, encode_unlock
from keeper.venues.balancer_v3.effects import NO_FEE, vault_decoder
from keeper.venues.codec.abi import address, load
from keeper.venues.contracts.effects import token_decoders
from keeper.venues.contracts.safe import Safe, encode_back, encode_by_owner, transaction_hash
from keeper.venues.effects import Approves, Call, UsesUp

KEY, OTHER = Account.create(), Account.create()
SAFE = Safe(address(OWNER), address(KEY.address), address("0x" + "c1" * 20), 31337)
VAULT, POOL = address("0x" + "c2" * 20), address("0x" + "c3" * 20)
WETH, USDC = address(at("WETH")), address(at("USDC"))
ERC20, EXEC, MANY = load("erc20"), load("safe").execTransaction, load("safe_multi_send").multiSend
NOBODY = "0x" + "00" * 20


def approve(amount: int = 5) -> Call:
    return Call(WETH, ERC20.approve.encode(POOL, amount), Wei(0), "approve")


def allowed(carrier: ThroughSafe, most_fee: Bps = NO_FEE) -> policy.Allowed:
    return {
        **token_decoders([WETH, USDC], [POOL], [VAULT]),
        VAULT: vault_decoder(VAULT, SAFE.address, most_fee),
        **carrier.decoders(),
    }


def sign(digest: bytes) -> bytes:
    return bytes(KEY.unsafe_sign_hash(digest).signature)


def read(carrier: ThroughSafe, call: Call) -> list[object]:
    return [leaf for _, leaf in policy.opened(call, allowed(carrier))]


def refused(carrier: ThroughSafe, call: Call) -> str:
    with pytest.raises(PolicyError) as error:
        read(carrier, call)
    return error.value.detail


def by_hand(to: Address, data: bytes, operation: int = 0, **other: object) -> Call:
    """A transaction of the Safe as somebody else might make it."""
    head = {"gas": 0, "base": 0, "price": 0, "token": NOBODY, "receiver": NOBODY, "signature": SAFE.by_sender} | other
    fields = [head[k] for k in ("gas", "base", "price", "token", "receiver", "signature")]
    return Call(SAFE.address, EXEC.encode(to, 0, data, operation, *fields), Wei(0), "by hand")


# --- what is sent ----------------------------------------------------------------------------------------------------


def test_a_plan_is_one_transaction_of_the_safe_read_to_the_last_leaf() -> None:
    """Sent by its owner: no signature of the Safe's is in it, and none stays valid anywhere."""
    carrier = ThroughSafe(SAFE, 7)
    (sent,) = carrier.carry([approve(5), approve(0)], "all")
    assert read(carrier, sent) == [Approves(WETH, POOL, 5), Approves(WETH, POOL, 0)]
    assert not carrier.waits([sent])
    assert carrier.codes([sent]) == {}
    (use,) = carrier.uses([sent])
    assert use is not None
    assert (use.nonce, use.exposes) == (7, None)


def test_call_by_call_each_is_a_transaction_of_its_own() -> None:
    """Where the owner limits what one transaction may move."""
    carrier = ThroughSafe(SAFE, 7).one_by_one
    sent = carrier.carry([approve(5), approve(0)], "all")
    assert [use.nonce for use in carrier.uses(sent) if use] == [7, 8]
    assert nonces_used(SAFE, sent) == 2


def test_what_was_shown_is_used_up_by_whatever_goes_out_next() -> None:
    """A plan that is called back for nothing carries transactions of nothing; they are signed, and move nothing."""
    carrier = ThroughSafe(SAFE, 7, exposed=8)
    sent = carrier.carry([approve()], "all")
    (done,) = sealed_calls(sent, carrier, allowed(carrier), sign)
    assert read(carrier, done) == [Approves(WETH, POOL, 5), UsesUp(SAFE.address)]
    assert nonces_used(SAFE, sent) == 2
    assert not carrier.waits([done])


def test_a_rescue_that_is_called_back_uses_up_what_was_shown_by_itself() -> None:
    """Its own inner half takes nonce n + 1: nothing is added, however often one reverted."""
    carrier = ThroughSafe(SAFE, 7, exposed=8)
    sent = carrier.carry([encode_unlock(VAULT, carrier.call_back([approve()]), "borrow")], "all")
    (use,) = carrier.uses(sent)
    assert use is not None
    assert (use.nonce, use.exposes) == (7, 8)
    assert nonces_used(SAFE, sent) == 2


@pytest.mark.parametrize(("nonce", "exposed", "uses"), [(7, 6, 1), (7, 7, 1), (7, 8, 2), (7, 10, 4)])
def test_a_cancellation_uses_up_every_nonce_that_was_shown(nonce: int, exposed: int, uses: int) -> None:
    """And nothing else: in one transaction, so that there is no moment between the first and the last."""
    carrier = ThroughSafe(SAFE, nonce, exposed)
    call = carrier.take_back("cancel")
    assert nonces_used(SAFE, [call]) == uses
    (done,) = sealed_calls([call], carrier, carrier.decoders(), sign)
    assert set(read(carrier, done)) == {UsesUp(SAFE.address)}


def test_a_signature_is_put_in_its_place_and_is_the_owners_at_its_nonce() -> None:
    """Of the same length, so that what was rehearsed is what is sent."""
    carrier = ThroughSafe(SAFE, 7)
    sent = carrier.carry([encode_unlock(VAULT, carrier.call_back([approve()]), "borrow")], "all")
    (done,) = sealed_calls(sent, carrier, allowed(carrier), sign)
    assert len(done.data) == len(sent[0].data)
    (inner,) = [c for c in policy.calls_within(done, allowed(carrier)) if c.to == SAFE.address]
    *_, signature = EXEC.decode_inputs(inner.data)
    assert signer_of(transaction_hash(SAFE, inner.data, 8), signature[:65]) == SAFE.owner
    assert read(carrier, done) == [Approves(WETH, POOL, 5)]


# --- what the gate refuses -------------------------------------------------------------------------------------------


def sealed_at(nonce: int, signer: Callable[[bytes], bytes] = sign) -> Call:
    """A call back that is signed for a nonce."""
    back = encode_back(SAFE, [approve()])
    signed = signer(transaction_hash(SAFE, back, nonce)) + bytes(32)
    data = EXEC.encode(*EXEC.decode_inputs(back)[:-1], signed)
    return encode_by_owner(SAFE, [encode_unlock(VAULT, data, "borrow")], "all")


def test_a_signature_for_another_nonce_or_by_somebody_else_is_refused() -> None:
    """The nonces that this plan may use are those from n + 1 on."""
    carrier = ThroughSafe(SAFE, 7)
    assert read(carrier, sealed_at(8)) == [Approves(WETH, POOL, 5)]
    assert "another nonce" in refused(carrier, sealed_at(7))
    assert "another nonce" in refused(carrier, sealed_at(40))
    stranger = lambda digest: bytes(OTHER.unsafe_sign_hash(digest).signature)  # noqa: E731 - one use
    assert "by somebody else" in refused(carrier, sealed_at(8, stranger))


CHANGES = {
    "enableModule": "enableModule(address)",
    "setGuard": "setGuard(address)",
    "addOwner": "addOwnerWithThreshold(address,uint256)",
    "setFallbackHandler": "setFallbackHandler(address)",
    "approveHash": "approveHash(bytes32)",
}


@pytest.mark.parametrize("what", CHANGES)
def test_a_safe_is_never_changed(what: str) -> None:
    """No owner, module, guard or handler, and no hash that would be approved for later."""
    call = by_hand(SAFE.address, keccak(text=CHANGES[what])[:4] + bytes(64))
    assert "is not one a keeper calls" in refused(ThroughSafe(SAFE, 7), call)


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ({"price": 1}, "refund for gas"),
        ({"gas": 1}, "refund for gas"),
        ({"base": 1}, "refund for gas"),
        ({"token": WETH}, "refund to somebody"),
        ({"receiver": OTHER.address}, "refund to somebody"),
        ({"signature": b"\1" * 65}, "signature of that form"),
        ({"signature": SAFE.by_sender * 2}, "signature of that form"),
    ],
)
def test_nobody_is_refunded_and_one_signature_in_a_known_form_is_all(other: dict[str, object], words: str) -> None:
    """gasPrice, safeTxGas, baseGas, gasToken and refundReceiver are zero."""
    assert words in refused(ThroughSafe(SAFE, 7), by_hand(WETH, approve().data, **other))


def test_the_safe_lends_its_storage_to_nobody_but_the_known_contract() -> None:
    """Neither by the transaction itself nor by one of the calls within it."""
    carrier, data = ThroughSafe(SAFE, 7), MANY.encode(bytes.fromhex("00") + bytes.fromhex(WETH[2:]) + bytes(64))
    assert "in the Safe's own storage" in refused(carrier, by_hand(address("0x" + "dd" * 20), data, 1))
    inside = MANY.encode(b"\x01" + bytes.fromhex(WETH[2:]) + bytes(64))
    assert "in the Safe's own storage" in refused(carrier, by_hand(SAFE.multi_send, inside, 1))
    assert "is not on the list" in refused(carrier, by_hand(SAFE.multi_send, data, 0))


# --- a loan whose steps are the account's own calls ------------------------------------------------------------------


def gate(*inner: Call, may_take: bool = True, signer: str | None = None, most_fee: Bps = NO_FEE) -> str | None:
    carrier = ThroughSafe(SAFE, 7)
    (sent,) = carrier.carry([encode_unlock(VAULT, carrier.call_back(inner), "borrow")], "all")
    grant = Grant(31337, SAFE.address, Address(signer or SAFE.address), limits(), Usd(0), 0, may_take=may_take)
    try:
        policy.check([sent], 31337, grant, allowed(carrier, most_fee), known())
    except PolicyError as error:
        return error.detail
    return None


def known() -> Grounds:
    found = grounds(position(*(holding(symbol) for symbol in ("WETH", "USDC"))))
    return replace(found, assets={address(a): priced for a, priced in found.assets.items()})


def test_what_is_lent_goes_back_all_of_it_and_nothing_more() -> None:
    """To the lender, who counts it: anything else is refused before it is signed."""
    lent, (paid, counted) = encode_loan(VAULT, USDC, 100, SAFE.address), encode_return(VAULT, USDC, 100)
    assert gate(lent, paid, counted) is None
    assert "has not gone back" in (gate(lent) or "")
    assert "for nothing" in (gate(lent, paid) or "") or "has not gone back" in (gate(lent, paid) or "")
    assert "more of" in (gate(paid, counted) or ""), "nothing was lent"
    assert "got another amount" in (gate(lent, encode_return(VAULT, USDC, 99)[0], counted) or "")
    more = encode_return(VAULT, USDC, 101)
    assert "more of" in (gate(lent, *more) or "")


def test_a_fee_goes_back_too_no_more_than_its_bound_and_once() -> None:
    """Five in a hundred at the most: six are refused, and so is the fee of a loan that was paid already."""
    lent, five = encode_loan(VAULT, USDC, 100, SAFE.address), Bps(500)
    for fee in (0, 3, 5):
        assert gate(lent, *encode_return(VAULT, USDC, 100 + fee), most_fee=five) is None
    assert "more of" in (gate(lent, *encode_return(VAULT, USDC, 106), most_fee=five) or "")
    twice = (*encode_return(VAULT, USDC, 104), *encode_return(VAULT, USDC, 2))
    assert "more of" in (gate(lent, *twice, most_fee=five) or "")
    assert "has not gone back" in (gate(lent, *encode_return(VAULT, USDC, 99), most_fee=five) or "")


def test_a_loan_is_for_the_owner_and_only_where_the_rule_takes_something_out() -> None:
    """No guardian's key takes one, and nobody else gets it."""
    lent, back = encode_loan(VAULT, USDC, 100, SAFE.address), encode_return(VAULT, USDC, 100)
    assert "nothing be taken out" in (gate(lent, *back, may_take=False) or "")
    assert "guardian" in (gate(lent, *back, signer=OTHER.address) or "")
    stranger = encode_loan(VAULT, USDC, 100, Address(OTHER.address))
    assert "not the owner" in (gate(stranger, *back) or "")


def test_money_goes_back_to_nobody_but_a_lender() -> None:
    """A token's transfer to anybody else is no repayment of a loan."""
    lent = encode_loan(VAULT, USDC, 100, SAFE.address)
    away = Call(USDC, ERC20.transfer.encode(OTHER.address, 100), Wei(0), "away")
    assert "lends nothing" in (gate(lent, away) or "")
