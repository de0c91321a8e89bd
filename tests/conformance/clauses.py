"""Which clause of the README is run for whom, and why one is not: every place of the table is one or the other."""

from __future__ import annotations

from dataclasses import dataclass

from core_builders import GUARDIAN
from readings import READINGS
from subjects import SUBJECTS

from keeper.venues.registry import EXCHANGES, LENDERS, VENUES

EFFECTS = {
    "round trip": "test_what_is_encoded_is_read_back_as_what_it_does",
    "a guardian's round trip": "test_a_guardian_s_calls_are_read_back_as_well",
    "one form": "test_no_byte_can_be_another_unseen",
    "nothing behind, nothing missing": "test_calldata_is_whole_and_nothing_more",
    "unknown bytes": "test_unknown_bytes_are_refused",
    "another contract": "test_another_function_or_contract_is_refused",
    "functions by hand": "test_of_a_contract_s_functions_only_those_named_here_are_read",
    "recipient never another": "test_the_recipient_is_never_another",
    "a guardian only pays in": "test_whoever_is_not_the_owner_only_pays_in",
    "what is spent": "test_what_is_spent_is_seen",
}
"""Clause → its test in ``test_effects``."""
READS = {
    "pinned": "test_a_position_is_of_the_block_it_was_read_at",
    "the venue's own figures": "test_our_figures_are_the_venue_s_own",
    "read twice": "test_reading_twice_is_reading_once",
    "a missing answer": "test_a_missing_answer_is_never_a_healthier_position",
    "no answer": "test_no_answer_at_all_is_a_failure",
    "zeros and ones": "test_an_answer_of_nothing_but_zeros_or_ones_fails_as_a_reading",
    "another shape": "test_an_answer_of_another_shape_fails_as_a_reading",
}
"""Clause → its test in ``test_readings``."""
SEEN = "seen on the contract"
CLAUSES = (*EFFECTS, *READS, SEEN)

POSITIONS = (*VENUES, "toy_bank")
WHO = tuple(dict.fromkeys((*POSITIONS, *EXCHANGES, *LENDERS, *(of.name for of in SUBJECTS))))
"""Every line of the registry, the carriers (a batch, a Safe), tokens and savings, and the tests' own venue."""


@dataclass(frozen=True, slots=True)
class OnChain:
    """The test in which what calls are read as is held against what the contract does."""

    file: str
    test: str
    call_by_call: bool = True
    """Each call by itself, or a whole plan: then what it promised is what the contract shows afterwards."""


_MARKET = OnChain("test_effects_seen", "test_what_calls_to_the_market_and_the_exchange_do_is_what_they_are_read_as")
SEEN_IN = {
    "aave_v3": _MARKET,
    "uniswap_v3": _MARKET,
    "token": _MARKET,
    "perp_v2": OnChain("test_effects_seen", "test_what_calls_to_perp_v2_do_is_what_they_are_read_as"),
    "gmx_v2": OnChain("test_gmx_effects_seen", "test_what_calls_to_gmx_v2_do_is_what_they_are_read_as"),
    "morpho_blue": OnChain("test_morpho_blue", "test_it_is_sold_out_of_danger", call_by_call=False),
    "compound_v3": OnChain(
        "test_compound_v3", "test_it_is_sold_out_of_danger_above_the_borrow_limit", call_by_call=False
    ),
    "compound_v2": OnChain("test_compound_v2", "test_it_is_sold_out_of_danger_in_rounds", call_by_call=False),
    "compound_v2 by value": OnChain(
        "test_compound_v2", "test_a_debt_in_the_own_currency_is_repaid_by_value", call_by_call=False
    ),
    "toy_bank": OnChain("test_toy_bank", "test_it_is_sold_out_of_danger", call_by_call=False),
    "bundler3": OnChain("test_flash", "test_one_transaction_restores_a_position_at_any_health", call_by_call=False),
    "bundler3 by an agent": OnChain(
        "test_morpho_flash", "test_one_transaction_restores_a_market_at_any_health", call_by_call=False
    ),
    "bundler3 by an agent of its own": OnChain(
        "test_compound_flash", "test_one_transaction_restores_it_at_any_health", call_by_call=False
    ),
    "uniswap_v4": OnChain("test_uniswap_v4", "test_a_sale_goes_to_the_pool_that_asks_less", call_by_call=False),
    "safe": OnChain("test_safe", "test_a_safe_is_restored_by_one_transaction_at_any_health", call_by_call=False),
    "balancer_v3": OnChain("test_safe", "test_a_safe_is_restored_by_one_transaction_at_any_health", call_by_call=False),
    "savings": OnChain("test_savings", "test_a_debt_is_repaid_out_of_a_vault", call_by_call=False),
    "batch": OnChain("test_savings", "test_a_debt_is_repaid_out_of_a_vault", call_by_call=False),
}
"""On the local world: real contracts, or a stand-in that answers as recordings do (Compound v3, the bundler)."""

_OWN_MONEY = "what it moves is the sender's own: another signer has no call to make of it"
_BUNDLES = ("bundler3", "bundler3 by an agent", "bundler3 by an agent of its own")
_ALONE = ("uniswap_v4", *_BUNDLES, "balancer_v3", "safe", "gmx_v2")
EMPTY = {
    ("token", "recipient never another"): "an approval names no recipient; whom it is for is the decoder's own list",
    ("token", "what is spent"): "an approval spends nothing by itself: what takes it is the payment that is counted",
    ("savings", "what is spent"): "what is drawn is the signer's own still: the payment that follows is counted",
}
"""What a clause would ask of nothing, though calls are drawn for it."""
NOT_RUN = EMPTY | {
    **{(who, clause): "it holds no position: there is nothing to be read"
       for who in WHO if who not in POSITIONS for clause in READS},
    **{(who, "a guardian's round trip"): _OWN_MONEY for who in _ALONE},
    ("gmx_v2", "a guardian's round trip"): "nobody pays in for another there: orders are made by their own account",
    ("safe", "a guardian's round trip"): "a Safe is the owner: a signer who acts for it is not another",
}  # fmt: skip
"""Who and which clause → why it is not run."""


def runs(who: str, clause: str) -> bool:
    """Whether a clause is run for a subject."""
    if clause == SEEN:
        return who in SEEN_IN
    if clause in READS:
        return who in {of.venue for of in READINGS}
    found = next((of for of in SUBJECTS if of.name == who), None)
    if found is None or (who, clause) in EMPTY:
        return False
    return clause != "a guardian's round trip" or not found.made(GUARDIAN).is_empty
