"""A node that refuses bytes says why: each cause has its own next step, at once, or its own reason to stop."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from fake_chain import GWEI, Seen
from test_lane import Rig, guidance, rig  # noqa: F401 - a fixture

from keeper.core.reasons import Reason
from keeper.execution.answers import GAS_MOST_TIMES, MOST_ANSWERS, SILENT_SAME
from keeper.execution.course import SendFailedError
from keeper.execution.recheck import Drop


def said_most(rig: Rig) -> int:  # noqa: F811
    """Return how often the same bytes were handed over at most."""
    return max(Counter(seen.hash for seen in rig.chain.log).values())


async def fails(rig: Rig, **limits: Any) -> SendFailedError:  # noqa: F811
    with pytest.raises(SendFailedError) as failed:
        await rig.lane.send([rig.out()], guidance(**limits))
    return failed.value


# --- tip -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words",
    [
        "transaction gas price below minimum: gas tip cap {tip}, minimum needed 25000000000",
        "tip below the minimum needed 25 gwei",
        "transaction underpriced: tip needed 25000000000, tip permitted {tip}",
    ],
)
async def test_a_tip_too_low_is_raised_at_once_to_what_is_wanted(rig: Rig, words: str) -> None:  # noqa: F811
    """One refusal, one answer; not an eighth more every 48 seconds."""
    rig.chain.refuses = lambda seen: words.format(tip=seen.tip) if seen.tip < 25 * GWEI else None
    rig.clock.at = [(3, rig.chain.mine)]
    await rig.lane.send([rig.out()], guidance(ceiling=90 * GWEI))
    assert [seen.tip for seen in rig.chain.log][-1] == 25 * GWEI
    assert len(rig.chain.log) == 2
    assert rig.clock.now < 12


async def test_a_tip_that_nobody_names_is_doubled_until_it_is_taken(rig: Rig) -> None:  # noqa: F811
    """Bounded by the steps of one flight, and by the ceiling."""
    rig.chain.refuses = lambda seen: "transaction underpriced" if seen.tip < 25 * GWEI else None
    rig.clock.at = [(3, rig.chain.mine)]
    await rig.lane.send([rig.out()], guidance(ceiling=90 * GWEI))
    assert len(rig.chain.log) <= 7


async def test_a_tip_beyond_the_ceiling_ends_the_plan_with_its_reason(rig: Rig) -> None:  # noqa: F811
    """Nothing is said over and over, no node has anything, and the row is given up."""
    rig.chain.refuses = lambda seen: "tip below the minimum needed 250 gwei"
    failed = await fails(rig, ceiling=90 * GWEI)
    assert failed.reason is Reason.FEE_LIMIT
    assert "250 gwei" in failed.detail
    assert len(rig.chain.log) == 1
    assert await rig.states() == ["expired"]


async def test_a_fee_cap_below_the_base_fee_follows_it_at_once(rig: Rig) -> None:  # noqa: F811
    """The base fee rose while the plan was on its way."""
    wanted = 60 * GWEI
    text = f"max fee per gas less than block base fee: address 0xab, maxFeePerGas: 1 baseFee: {wanted}"
    rig.chain.refuses = lambda seen: text if seen.max_fee < wanted else None
    rig.clock.at = [(3, rig.chain.mine)]
    await rig.lane.send([rig.out()], guidance(ceiling=90 * GWEI))
    assert rig.chain.log[-1].max_fee >= wanted
    assert len(rig.chain.log) == 2


async def test_a_refusal_that_comes_late_is_answered_by_more_only_while_the_plan_is_right(rig: Rig) -> None:  # noqa: F811
    """The base fee rose above what was taken, and the price came back: cancelled, and no more is bid for a sale."""
    asked = list[bool]()
    wanted = 60 * GWEI
    text = f"max fee per gas less than block base fee: address 0xab, maxFeePerGas: 1 baseFee: {wanted}"

    async def look(has_begun: bool) -> Drop:
        asked.append(has_begun)
        return Drop(Reason.HEALTHY)

    rig.chain.refuses = lambda seen: text if len(rig.chain.log) > 1 and seen.max_fee < wanted else None
    rig.clock.at = [(30, rig.chain.mine)]
    with pytest.raises(SendFailedError) as failed:
        await rig.lane.send([rig.out()], guidance(ceiling=90 * GWEI, reconsider=look))
    assert failed.value.reason is Reason.NO_LONGER_NEEDED
    assert asked
    assert {seen.data for seen in rig.chain.log[2:]} == {"0x"}


# --- a stranger at our nonce -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("cap", "tip"), [(60, 2), (20, 5), (85, 1), (12, 9)])
@pytest.mark.parametrize("ceiling", [95, None])
async def test_a_foreign_transaction_is_outbid_on_both_fees(
    rig: Rig,  # noqa: F811
    cap: int,
    tip: int,
    ceiling: int | None,
) -> None:
    """Our cap sufficed and our tip did not: refused 36 times. Now within a few steps, and at one go."""
    rig.chain.tip = GWEI // 20

    def taken(seen: Seen) -> str | None:
        is_above = seen.max_fee * 10 >= cap * GWEI * 11 and seen.tip * 10 >= tip * GWEI * 11
        return None if is_above else "replacement transaction underpriced"

    rig.chain.refuses = taken
    rig.clock.at = [(3, rig.chain.mine)]
    (receipt,) = await rig.lane.send([rig.out()], guidance(ceiling=None if ceiling is None else ceiling * GWEI))
    assert receipt.succeeded
    assert len(rig.chain.log) <= MOST_ANSWERS
    assert said_most(rig) == 1
    assert rig.clock.now < 12


async def test_a_foreign_transaction_that_offers_too_much_ends_the_plan_with_its_reason(rig: Rig) -> None:  # noqa: F811
    """Bidding stops at the ceiling: OUTBID says what the owner can do."""
    rig.chain.refuses = lambda _: "replacement transaction underpriced"
    failed = await fails(rig, ceiling=50 * GWEI)
    assert failed.reason is Reason.OUTBID
    assert max(seen.max_fee for seen in rig.chain.log) <= 50 * GWEI
    assert len(rig.chain.log) <= MOST_ANSWERS + 1
    assert said_most(rig) == 1


# --- gas -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("words", ["intrinsic gas too low", "intrinsic gas too low: gas {gas}, minimum needed 190000"])
@pytest.mark.parametrize("estimate", [0, 185_000])
async def test_a_gas_limit_too_low_is_estimated_anew_and_raised(rig: Rig, words: str, estimate: int) -> None:  # noqa: F811
    """A rollup charges its parent chain's part as gas: 28 identical refusals were the answer before."""
    rig.chain.gas_needed = estimate
    rig.chain.refuses = lambda seen: words.format(gas=seen.gas) if seen.gas < 190_000 else None
    rig.clock.at = [(3, rig.chain.mine)]
    await rig.lane.send([rig.out(gas=100_000)], guidance())
    assert len(rig.chain.log) <= 3
    assert said_most(rig) == 1
    (row,) = await rig.journal.transactions.of_decision(rig.decision)
    assert row.gas_limit == rig.chain.log[-1].gas


async def test_a_gas_limit_is_raised_within_a_bound(rig: Rig) -> None:  # noqa: F811
    """A node that always wants more ends the plan."""
    rig.chain.refuses = lambda seen: f"intrinsic gas too low: gas {seen.gas}, minimum needed {seen.gas * 2}"
    failed = await fails(rig)
    assert failed.reason is Reason.GAS_REFUSED
    assert max(seen.gas for seen in rig.chain.log) <= GAS_MOST_TIMES * 100_000
    assert said_most(rig) == 1


@pytest.mark.parametrize("words", ["exceeds block gas limit", "transaction gas limit too high (cap: 16777216, tx: 9)"])
async def test_a_gas_limit_too_high_stops_at_once(rig: Rig, words: str) -> None:  # noqa: F811
    """It says so once."""
    rig.chain.refuses = lambda _: words
    assert (await fails(rig)).reason is Reason.GAS_REFUSED
    assert len(rig.chain.log) == 1


# --- money -----------------------------------------------------------------------------------------------------------


async def test_funds_short_by_an_amount_are_answered_with_a_lower_cap(rig: Rig) -> None:  # noqa: F811
    """The balance covers the gas and not what a rollup charges on top; no later bid goes above the balance either."""
    rig.chain.balance, extra = 22 * GWEI * 100_000, 4 * GWEI * 100_000

    def poor(seen: Seen) -> str | None:
        over = seen.max_fee * seen.gas + extra - rig.chain.balance
        cost = seen.max_fee * seen.gas + extra
        text = "insufficient funds for gas * price + value: balance {}, tx cost {}, overshot {}"
        return text.format(rig.chain.balance, cost, over) if over > 0 else None

    rig.chain.refuses = poor
    rig.clock.at = [(3, rig.chain.mine)]
    await rig.lane.send([rig.out()], guidance())
    assert len(rig.chain.log) == 2
    assert rig.chain.log[-1].max_fee * 100_000 + extra <= rig.chain.balance


async def test_funds_that_cannot_suffice_end_the_plan_with_its_reason(rig: Rig) -> None:  # noqa: F811
    """Below the base fee there is no lower cap."""
    rig.chain.refuses = lambda _: "insufficient funds for gas * price + value: have 5 want 900000000000000000000"
    failed = await fails(rig)
    assert failed.reason is Reason.NO_GAS_MONEY
    assert len(rig.chain.log) == 1


async def test_no_bid_goes_above_the_balance(rig: Rig) -> None:  # noqa: F811
    """A rise of the base fee is followed as far as the money goes."""
    rig.chain.balance = 40 * GWEI * 100_000

    def boom() -> None:
        rig.chain.base_fee = 35 * GWEI

    rig.clock.at = [(3, boom), (60, rig.chain.mine)]
    await rig.lane.send([rig.out()], guidance())
    assert max(seen.max_fee for seen in rig.chain.log) * 100_000 <= rig.chain.balance


# --- what nothing helps against --------------------------------------------------------------------------------------


async def test_a_type_that_is_not_taken_stops_at_once(rig: Rig) -> None:  # noqa: F811
    """With the remedy in its reason."""
    rig.chain.refuses = lambda _: "transaction type not supported"
    failed = await fails(rig)
    assert failed.reason is Reason.TYPE_REFUSED
    assert len(rig.chain.log) == 1


async def test_words_nobody_knows_are_not_listened_to_for_ever(rig: Rig) -> None:  # noqa: F811
    """A few times the same, then the plan ends; what it signed still counts, for it may have been taken."""
    rig.chain.refuses = lambda _: "computer says no"
    failed = await fails(rig)
    assert failed.reason is Reason.SENDING_FAILED
    assert "computer says no" in failed.detail
    assert len(rig.chain.log) == SILENT_SAME
    assert await rig.states() == ["signed"]


async def test_bytes_a_node_has_already_are_as_good_as_taken(rig: Rig) -> None:  # noqa: F811
    """Whatever the client calls it."""
    rig.chain.refuses = lambda seen: "AlreadyKnown" if len(rig.chain.log) > 1 else None
    rig.clock.at = [(14, rig.chain.mine)]
    await rig.lane.send([rig.out()], guidance())
    assert await rig.states() == ["mined"]


async def test_a_refusal_of_one_call_of_a_burst_is_answered_for_that_call(rig: Rig) -> None:  # noqa: F811
    """The others stay as they are: nothing is said twice for it."""
    rig.chain.refuses = lambda seen: "intrinsic gas too low" if seen.nonce == 1 and seen.gas < 150_000 else None
    rig.clock.at = [(3, rig.chain.mine)]
    receipts = await rig.lane.send([rig.out("01"), rig.out("02"), rig.out("03")], guidance())
    assert len(receipts) == 3
    assert Counter(seen.nonce for seen in rig.chain.log) == {0: 1, 1: 2, 2: 1}


# --- a delegated account ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words",
    [
        "in-flight transaction limit reached for delegated accounts",
        "gapped-nonce tx from delegated accounts",
        "DelegatorHasPendingTx",
    ],
)
async def test_a_delegated_account_sends_one_after_another(rig: Rig, words: str) -> None:  # noqa: F811
    """The next goes out as soon as the one before is mined; nothing is refused again, in the next plan either."""

    def one_at_a_time(seen: Seen) -> str | None:
        others = [key for key in rig.chain.pool if key != (seen.sender, seen.nonce)]
        return words if others or seen.nonce != rig.chain.nonces.get(seen.sender, 0) else None

    rig.chain.refuses = one_at_a_time
    rig.clock.at = [(t, rig.chain.mine) for t in range(2, 60, 2)]
    receipts = await rig.lane.send([rig.out("01"), rig.out("02"), rig.out("03")], guidance())
    assert [r.succeeded for r in receipts] == [True] * 3
    assert len(rig.chain.log) == 3 + 2
    await rig.lane.send([rig.out("04"), rig.out("05")], guidance())
    assert len(rig.chain.log) == 3 + 2 + 2


async def test_a_delegated_account_is_known_before_anything_is_refused(rig: Rig) -> None:  # noqa: F811
    """Its code says so: the first burst already goes one after another, and not one of it is refused."""
    rig.chain.code = "0xef0100" + "ab" * 20
    refused = list[str]()

    def one_at_a_time(seen: Seen) -> str | None:
        if [key for key in rig.chain.pool if key != (seen.sender, seen.nonce)]:
            refused.append(seen.hash)
            return "in-flight transaction limit reached for delegated accounts"
        return None

    rig.chain.refuses = one_at_a_time
    rig.clock.at = [(t, rig.chain.mine) for t in range(2, 60, 2)]
    receipts = await rig.lane.send([rig.out("01"), rig.out("02"), rig.out("03")], guidance())
    assert [r.succeeded for r in receipts] == [True] * 3
    assert refused == []
    assert len(rig.chain.log) == 3


async def test_an_accounts_code_is_asked_for_once_a_nonce(rig: Rig) -> None:  # noqa: F811
    """A delegation uses up a nonce, so nothing can have changed; a node that does not say changes nothing."""
    asked = list[str]()
    plain = rig.chain._eth_getCode
    rig.chain._eth_getCode = lambda *at: asked.append("") or plain()  # type: ignore[method-assign, func-returns-value]
    delegation = rig.lane.delegation
    for nonce in (0, 0, 1, 1):
        await delegation.learn(nonce)
    assert len(asked) == 2
    rig.chain.code = "0xef0100" + "ab" * 20
    await delegation.learn(2)
    assert delegation.contract is not None
    rig.chain.is_away = True
    await delegation.learn(3)
    assert delegation.contract is not None
    rig.chain.is_away, rig.chain.code = False, "0x6001"
    await delegation.learn(3)
    assert delegation.contract is None
