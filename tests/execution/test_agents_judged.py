"""Who may act for all of an owner's account is let for one plan, by the owner alone, and no more at its end."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import pytest
from core_builders import BLOCK, GUARDIAN, NOW, at, limits
from eth_account import Account
from eth_account.messages import encode_typed_data
from morpho_builders import BLUE, a_market, a_position

from keeper.core.lending.moves import Approve, Borrow, Flash, FlashBoost, Move, Route, raised
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


# --- boosts: a debt is raised in the owner's name ---------------------------------------------------------------------

BOOST = FlashBoost("bundler3", Route((USDC, WETH), (500,), "x"), Amount(2_005 * 10**6), Amount(10**18), Amount(0))
RAISES = {USDC: 2_005 * 10**6}


def boosted(
    *,
    borrowed: int = BOOST.sold,
    to: Address = GENERAL,
    bought_for: Address = GENERAL,
    supplies: bool = True,
    owner: Address = ME,
    least: int = BOOST.bought,
    after: Sequence[Inner] = (),
    within: Sequence[Inner] = (),
) -> list[Call]:
    """A boost like ours between the owner's own calls, with what a test changes in it."""
    at_ = VENUES.lenders["bundler3"]._of(GENERAL)  # type: ignore[attr-defined]
    purchase = encode_sale(UNISWAP, BOOST.route, least, bought_for, DEADLINE)
    supply = Inner(GENERAL, AGENCY.encode_supply(replace(POSITION, owner=owner)))
    acts = (
        hand_on(GENERAL, USDC, ROUTER, BOOST.sold),
        Inner(purchase.to, purchase.data),
        *([supply] if supplies else []),
        Inner(GENERAL, AGENCY.encode_borrow(borrowed, to)),
        *within,
    )
    bundle = calls.encode_bundle(BUNDLER, [flash_loan(at_, USDC, BOOST.sold, acts), *after], "a boost")
    let, end = encoded(LET, END)
    return [let, bundle, end]


def raising(most: Mapping[Address, int] = RAISES) -> Grant:
    return replace(grant(), most_owed=most)


def test_a_boost_as_a_keeper_makes_it_passes_by_words_and_by_own_calls() -> None:
    """It counts as one movement: what is sold, and nothing for the debt that gives the loan back."""
    check(encoded(replace(BOOST, by_permit=True), by=SIGNER), raising())
    check(encoded(LET, BOOST, END), raising())
    check(boosted(), raising())
    check(boosted(), replace(raising(), limits=limits(per_tx=2_006)))
    assert "in one transaction" in why(boosted(), replace(raising(), limits=limits(per_tx=2_004)))


BOOST_ATTACKS: dict[str, tuple[Callable[[], list[Call]], str]] = {
    "the borrowed money to a stranger": (lambda: boosted(to=STRANGER), "gives back"),
    "the borrowed money to the owner's wallet": (lambda: boosted(to=ME), "gives back"),
    "more borrowed than the loan, left in the hand": (lambda: boosted(borrowed=BOOST.sold + 1), "its loans take back"),
    "more borrowed than the loan, the rest to a stranger": (
        lambda: boosted(borrowed=BOOST.sold + 1, within=[hand_on(GENERAL, USDC, STRANGER, 1)]),
        "its loans take back",
    ),
    "more borrowed than the loan, the rest to the owner": (
        lambda: boosted(borrowed=BOOST.sold + 1, within=[hand_on(GENERAL, USDC, ME, 1)]),
        "its loans take back",
    ),
    "a second debt for a stranger": (
        lambda: boosted(within=[Inner(GENERAL, AGENCY.encode_borrow(10**6, STRANGER))]),
        "its loans take back",
    ),
    "less borrowed than the loan": (lambda: boosted(borrowed=BOOST.sold - 1), "gives back"),
    "the purchase to a stranger": (lambda: boosted(bought_for=STRANGER), "nothing for certain"),
    "collateral left in the hand": (lambda: boosted(supplies=False), "anybody may take it"),
    "collateral supplied for a stranger": (lambda: boosted(owner=STRANGER), "is not the owner"),
    "a purchase that may bring nothing": (lambda: boosted(least=0), "swap of nothing|nothing for certain"),
    "a purchase dearer than the bound": (lambda: boosted(least=BOOST.bought * 97 // 100), "max_slippage_bps"),
}


@pytest.mark.parametrize("name", BOOST_ATTACKS)
def test_a_boost_that_strays_is_refused(name: str) -> None:
    """Whom the money goes to, how much is owed, what is left, what it may cost: leaf by leaf, before a signature."""
    made, words_ = BOOST_ATTACKS[name]
    assert re.search(words_, why(made(), raising()))


@pytest.mark.parametrize("most", [{}, {USDC: BOOST.sold - 1}, {WETH: 10**20}])
def test_nothing_is_borrowed_that_the_plan_does_not_borrow(most: dict[Address, int]) -> None:
    """A rescue borrows nothing, whatever its bundle would bring; a boost no more than it was planned for."""
    assert "the plan" in why(boosted(), raising(most))
    assert "lets nothing be taken out" in why(boosted(), replace(raising(), may_take=False))


def test_what_the_plan_borrows_is_the_debt_that_its_moves_raise() -> None:
    """Loans that are given back within a rescue are no debt of the owner's."""
    assert raised([LET, BOOST, END]) == RAISES
    assert raised([FLASH]) == {}
    assert raised([Borrow(USDC, Amount(5)), BOOST]) == {USDC: BOOST.sold + 5}


@pytest.mark.parametrize(
    ("function", "said", "refusal"),
    [
        ("morphoBorrow", (2**256 - 1, 0, 0, GENERAL), "without an amount"),
        ("morphoBorrow", (0, 10**6, 0, GENERAL), "by shares"),
        ("morphoBorrow", (10**6, 0, 1, GENERAL), "by shares"),
        ("morphoSupplyCollateral", (10**18, ME, b""), "a part of the collateral"),
        ("morphoSupplyCollateral", (2**256 - 1, ME, b"\1"), "a callback"),
    ],
)
def test_an_agent_borrows_and_supplies_in_one_form_alone(function: str, said: tuple[object, ...], refusal: str) -> None:
    """By shares, in parts or with a callback nothing is borrowed or supplied; nor in another market."""
    adapter, params = load("bundler3_general_adapter"), MARKET.params.words
    stray = Inner(GENERAL, getattr(adapter, function).encode(params, *said))
    assert refusal in why(boosted(within=[stray]), raising())
    other = Inner(GENERAL, getattr(adapter, function).encode((*params[:4], 1), *said))
    assert "another market" in why(boosted(within=[other]), raising())


def test_a_lender_that_is_the_market_must_have_a_boost_twice() -> None:
    """Its loan is out while it lends the owner the same again; whoever acts for nobody raises no debt."""
    assert VENUES.lenders["bundler3"].held_to_raise(MARKET) == 2
    assert Bundler("bundler3", BUNDLER, GENERAL, STRANGER, {}).held_to_raise(MARKET) == 0
