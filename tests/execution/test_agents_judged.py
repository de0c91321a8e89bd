"""Who may act for all of an owner's account is let for one plan, by the owner alone, and no more at its end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from core_builders import BLOCK, GUARDIAN, NOW, at, limits
from eth_account import Account
from eth_account.messages import encode_typed_data
from morpho_builders import BLUE, a_market, a_position

from keeper.core.lending.moves import Approve, Flash, Move, Route
from keeper.core.units import Address, Amount, Usd, Wei
from keeper.execution import policy
from keeper.execution.carriers import Plain
from keeper.execution.encoding import Venues, allow_list, encode_moves
from keeper.execution.leftovers import entrusted
from keeper.execution.permit_signer import NoPermitError, PermitSigner
from keeper.execution.policy import Grant, PolicyError
from keeper.execution.signer import KeystoreSigner
from keeper.venues.bundler3 import calls
from keeper.venues.bundler3.calls import ALL, Inner, flash_loan, hand_on
from keeper.venues.bundler3.lender import Bundler
from keeper.venues.codec.abi import address, load
from keeper.venues.contracts.owners_words import OwnersWords
from keeper.venues.effects import Call, Entrusts
from keeper.venues.morpho_blue.agency import DOMAIN, TYPE_HASH, MorphoAgency
from keeper.venues.ports import Mandate
from keeper.venues.uniswap_v3.exchange import UniswapV3
from keeper.venues.uniswap_v3.pools import UniswapDeployment
from keeper.venues.uniswap_v3.swaps import encode_sale

KEY = KeystoreSigner(Account.from_key("0x" + "11" * 32))
ME = KEY.address
WETH, USDC = (Address(address(at(s))) for s in ("WETH", "USDC"))
MARKET = replace(a_market(WETH, USDC), blue=Address(address(BLUE)))
AGENCY = MARKET.agency
BUNDLER, GENERAL, ROUTER, STRANGER = (Address(address("0x" + f"c{i}" * 20)) for i in range(4))
UNISWAP = UniswapDeployment(at("fac"), at("quo"), ROUTER, (500,))
VENUES = Venues(
    MARKET,
    {"x": UniswapV3("x", UNISWAP)},
    {"bundler3": Bundler("bundler3", BUNDLER, GENERAL, MARKET.blue, {})},
)
POSITION = a_position(MARKET, ME, BLOCK)
SOLD, BOUGHT, DEADLINE = 10**18, 1_995 * 10**6, NOW + 600
FLASH = Flash("bundler3", Route((WETH, USDC), (500,), "x"), Amount(SOLD), Amount(BOUGHT))
LET, END = Approve(WETH, "bundler3", Amount(SOLD)), Approve(WETH, "bundler3", Amount(0))
TERMS = OwnersWords(ME, 7, b"\7" * 32, TYPE_HASH)
SIGNER = PermitSigner(KEY, {}, TERMS)


def grant(signer: Address = ME, *, may_take: bool = True) -> Grant:
    return Grant(BLOCK.chain_id, ME, signer, limits(), Usd(0), DEADLINE, may_take=may_take)  # type: ignore[arg-type]


def encoded(*moves: Move, by: PermitSigner | None = None) -> tuple[Call, ...]:
    return encode_moves(moves, VENUES, POSITION, Plain(ME), DEADLINE, by)


def check(sent: Sequence[Call], by: Grant | None = None) -> None:
    allowed = allow_list(VENUES, [WETH, USDC], Plain(ME))
    policy.check(sent, BLOCK.chain_id, by or grant(), allowed, VENUES.grounds(POSITION))


def why(sent: Sequence[Call], by: Grant | None = None) -> str:
    with pytest.raises(PolicyError) as found:
        check(sent, by)
    return str(found.value)


def words(*, on: bool = True, off: bool = True, about: Address = GENERAL, owner: Address = ME) -> Call:
    """A bundle like ours, with these words in it and no other."""
    agency = AGENCY
    said = [Mandate(owner, about, is_on, 7 + i, DEADLINE, 27, b"\1" * 32, b"\2" * 32) for i, is_on in enumerate((1, 0))]
    first, last = (Inner(*agency.encode_mandate(replace(word, is_on=bool(word.is_on)))) for word in said)
    at_ = VENUES.lenders["bundler3"]._of(GENERAL)  # type: ignore[attr-defined]
    sale = encode_sale(UNISWAP, FLASH.route, BOUGHT, GENERAL, DEADLINE)
    acts = (
        Inner(GENERAL, agency.encode_repay(BOUGHT, POSITION)),
        Inner(GENERAL, agency.encode_release(WETH, SOLD, ROUTER)),
        Inner(sale.to, sale.data),
    )
    inner = [*([first] if on else []), flash_loan(at_, USDC, BOUGHT, acts), *([last] if off else [])]
    return calls.encode_bundle(BUNDLER, [*inner, hand_on(GENERAL, USDC, ME, ALL)], "all in one")


def test_what_a_keeper_makes_passes() -> None:
    """By two words in one call, and by the owner's own calls around it."""
    check(encoded(replace(FLASH, by_permit=True), by=SIGNER))
    check(encoded(LET, FLASH, END))
    check([words()])


def test_a_plan_that_does_not_take_it_back_is_refused() -> None:
    """Whether it was let by a call or by a word."""
    assert "does not take that back" in why(encoded(LET, FLASH))
    assert "beyond the bundle" in why([words(off=False)])


def test_nobody_else_is_let_act() -> None:
    """Neither another agent, nor for another's account."""
    own = AGENCY.encode(STRANGER, is_on=True)
    assert "as an agent" in why([own, AGENCY.encode(STRANGER, is_on=False)])
    assert "a word about" in why([words(about=STRANGER)])
    assert "not the owner" in why([words(owner=STRANGER)])


def test_a_word_that_ends_it_may_not_fail_unseen() -> None:
    """Then it would stand, and nobody know."""
    made = encoded(replace(FLASH, by_permit=True), by=SIGNER)[0]
    (inner,) = load("bundler3").multicall.decode_inputs(made.data)
    assert [c[3] for c in inner] == [True, False, False, False]  # that which lets may: it was used already then
    loose = [Inner(Address(c[0]), c[1], c[2], c[3] or i == 2, c[4]) for i, c in enumerate(inner)]
    assert "may fail without a trace" in why([calls.encode_bundle(BUNDLER, loose, "loose")])


def test_a_guardian_lets_nobody_act_and_no_rule_that_takes_nothing_out_does() -> None:
    """What the key or the rule may not do it may let nobody do."""
    assert "guardian" in why(encoded(LET, END), grant(GUARDIAN))
    assert "lets nothing be taken out" in why(encoded(LET, END), grant(may_take=False))
    check(encoded(END), grant(may_take=False))


def test_no_word_outlives_the_plan() -> None:
    """Its deadline is the plan's."""
    late = encode_moves([replace(FLASH, by_permit=True)], VENUES, POSITION, Plain(ME), DEADLINE + 1, SIGNER)
    assert "later than" in why(late)


def test_the_words_are_what_wallets_sign() -> None:
    """Against eth-account's own typed data: the same hash, number after number."""
    domain = {"chainId": 31337, "verifyingContract": MARKET.blue}
    types = {
        "Authorization": [
            {"name": "authorizer", "type": "address"},
            {"name": "authorized", "type": "address"},
            {"name": "isAuthorized", "type": "bool"},
            {"name": "nonce", "type": "uint256"},
            {"name": "deadline", "type": "uint256"},
        ]
    }
    own = replace(TERMS, separator=_separator(31337))
    on, off = PermitSigner(KEY, {}, own).words(GENERAL, DEADLINE)
    for word, is_on, number in ((on, True, 7), (off, False, 8)):
        said = {
            "authorizer": ME,
            "authorized": GENERAL,
            "isAuthorized": is_on,
            "nonce": number,
            "deadline": DEADLINE,
        }
        signed = Account.sign_message(encode_typed_data(domain, types, said), "0x" + "11" * 32)
        assert (word.v, word.r + word.s) == (signed.v, bytes(signed.signature)[:64])


def _separator(chain_id: int) -> bytes:
    probe = AGENCY.terms_probe(ME, chain_id)
    from eth_utils.crypto import keccak  # noqa: PLC0415 - here alone

    own = keccak(DOMAIN + chain_id.to_bytes(32, "big") + bytes(12) + bytes.fromhex(MARKET.blue[2:]))
    found = probe.decode([own, (7).to_bytes(32, "big")])
    assert isinstance(found, OwnersWords)
    assert probe.decode([b"\1" * 32, (7).to_bytes(32, "big")]) is None  # another contract's domain
    return found.separator


def test_only_the_owner_s_own_key_says_a_word() -> None:
    """And nobody where there is no key."""
    with pytest.raises(ValueError, match="cannot be signed"):
        KEY.sign_mandate(replace(TERMS, owner=STRANGER), Mandate(STRANGER, GENERAL, True, 7, DEADLINE))
    with pytest.raises(NoPermitError):
        encoded(replace(FLASH, by_permit=True))
    with pytest.raises(NoPermitError):
        PermitSigner(KEY, {}, None).words(GENERAL, DEADLINE)


def test_an_adapter_of_another_morpho_serves_no_market() -> None:
    """It acts where it was made for, and nowhere else."""
    assert MorphoAgency(MARKET).agent(GENERAL, STRANGER, None) is None
    other = Bundler("bundler3", BUNDLER, GENERAL, STRANGER, {})
    assert (other.serves(MARKET), VENUES.lenders["bundler3"].serves(MARKET)) == (False, True)
    assert VENUES.agents() == {"bundler3": GENERAL}


def test_what_was_let_and_not_ended_is_found_in_the_journal() -> None:
    """Rows that were mined say who may act still."""
    allowed = allow_list(VENUES, [WETH, USDC], Plain(ME))
    let, end = encoded(LET, END)
    assert allowed[let.to](let) == (Entrusts(GENERAL, True),)
    assert entrusted([_row(let)], allowed) == {GENERAL}
    assert entrusted([_row(let), _row(end)], allowed) == frozenset()
    assert entrusted([_row(let, "reverted")], allowed) == frozenset()


def _row(call: Call, state: str = "mined") -> object:
    class Row:
        to, data, value, id = call.to, "0x" + call.data.hex(), Wei(0), 1

    Row.state = state  # type: ignore[attr-defined]
    return Row()
