"""Each rule of which node to believe, by name. No node is asked."""

from __future__ import annotations

from math import inf

import pytest

from keeper.chain.health import (
    Handed,
    by_preference,
    counting,
    dispute,
    far_ahead,
    healthy,
    is_credible,
    liars,
    moved_on,
    next_head,
    standing,
    state,
    unlinked,
)
from keeper.chain.record import ASIDE_S, Aside, Head, Record, SeenChain


def block(number: int, branch: str = "a", after: int | None = None) -> Head:
    """Block of a branch that left branch "a" after a number."""
    left = number - 1 if after is None else after

    def named(n: int) -> str:
        return f"{branch}{n}" if n > left else f"a{n}"

    return Head(number, named(number), named(number - 1), number * 12)


def node(name: str, *heads: Head) -> Record:
    record = Record(name)
    for head in heads:
        record = record.saw(head)
    return record


def handed(head: Head, *before: Head) -> Handed:
    record = node("", *before, head)
    return Handed(head, record.history)


def chosen(was: Handed | None, *records: Record) -> tuple[str, int] | None:
    found = next_head(was, records)
    return None if found is None or found.head is None else (found.head.hash, found.head.number)


# --- leaving and coming back -----------------------------------------------------------------------------------------


def test_three_failures_in_a_row_leave_a_node_for_a_minute() -> None:
    """And its chain is to be checked when it is back."""
    record = node("n", block(1)).on_our_chain()
    record = record.failed(0).failed(1)
    assert not record.is_aside(1)
    record = record.failed(2)
    assert record.aside is Aside.FAILING
    assert record.is_aside(2 + ASIDE_S - 0.1)
    assert not record.is_aside(2 + ASIDE_S)
    assert not record.is_chain_checked


def test_an_answer_ends_the_row() -> None:
    """Two failures, an answer, two failures: never left."""
    record = node("n").failed(0).failed(1).answered(0.1).failed(2).failed(3)
    assert not record.is_aside(3)


def test_a_node_that_fails_again_after_its_minute_is_left_at_once() -> None:
    """It has to answer first to have three failures free again."""
    record = node("n").failed(0).failed(0).failed(0).failed(ASIDE_S)
    assert record.is_aside(ASIDE_S + 1)


def test_a_late_answer_ends_having_been_left_for_failing_but_not_for_lying() -> None:
    """The one is about silence, the other about what was said."""
    failing = node("n").failed(0).failed(0).failed(0)
    assert not failing.answered(0.1).is_aside(1)
    assert node("n").left(Aside.LYING, 0).answered(0.1).is_aside(1)


def test_another_chain_is_left_until_it_is_ours_again() -> None:
    """No minute ends it, and nothing said meanwhile."""
    record = node("n").left(Aside.WRONG_CHAIN, 0)
    assert record.aside_until == inf
    assert record.left(Aside.LYING, 1).aside is Aside.WRONG_CHAIN
    assert not record.on_our_chain().is_aside(0)


def test_one_stale_answer_is_a_failure_and_three_are_a_lie() -> None:
    """A node behind a load balancer may be stale once; an answer that proves its block begins anew."""
    once = node("n", block(5)).was_stale(0)
    assert (once.failures, once.is_aside(0), once.head) == (1, False, block(5))
    assert not once.answered(0.1).was_stale(0).was_proven().answered(0.1).was_stale(0).is_aside(0)
    twice = once.answered(0.1).was_stale(0)  # heads answered between do not clear it
    assert twice.answered(0.1).was_stale(0).aside is Aside.LYING


def test_what_a_liar_said_is_forgotten() -> None:
    """It is heard anew after its minute, without what it said before."""
    assert node("n", block(5)).left(Aside.LYING, 0).head is None


def test_a_node_alone_is_never_left() -> None:
    """There is nobody else to ask; one on another chain is nobody."""
    failing, foreign = node("n").failed(0).failed(0).failed(0), node("f").left(Aside.WRONG_CHAIN, 0)
    assert counting([failing], 1) == [failing]
    assert counting([failing, foreign], 1) == [failing]


def test_when_all_are_failing_all_count() -> None:
    """A network of ours that was down for a moment must not cost a minute."""
    a, b = (node(n).failed(0).failed(0).failed(0) for n in "ab")
    assert counting([a, b], 1) == [a, b]


def test_when_every_node_is_set_aside_those_that_answer_count() -> None:
    """The last one standing is believed for want of another, and the owner hears of it; one on another chain never."""
    failing, liar = node("a").failed(0).failed(0).failed(0), node("b").left(Aside.LYING, 0)
    foreign = node("c").left(Aside.WRONG_CHAIN, 0)
    assert counting([failing, liar, foreign], 1) == standing([failing, liar, foreign], 1) == [liar]
    assert counting([failing, foreign], 1) == [failing]
    assert counting([foreign], 1) == []
    assert standing([failing, liar, node("d")], 1) == []


def test_a_liar_that_goes_silent_still_is_a_liar() -> None:
    """Failing three times does not clear it."""
    record = node("n").left(Aside.LYING, 0).failed(1).failed(1).failed(1)
    assert record.answered(0.1).aside is Aside.LYING


# --- heads that cannot be --------------------------------------------------------------------------------------------


def test_a_head_further_ahead_than_time_allows_is_not_credible() -> None:
    """Some slack, and four times the usual pace; going back is another question."""
    assert is_credible(164, 100, 0, 12)
    assert not is_credible(165, 100, 0, 12)
    assert is_credible(100 + 64 + 400, 100, 1200, 12)
    assert not is_credible(10**6, 100, 3600, 12)
    assert is_credible(5, 100, 0, 12)


def test_a_head_far_ahead_is_believed_when_another_node_bears_it_out() -> None:
    """A machine that was asleep for an hour finds both nodes there."""
    a, b, behind = node("a", block(900)), node("b", block(900)), node("c", block(100))
    assert far_ahead([a, behind], block(100), 0, 12) == [a]
    assert far_ahead([a, b, behind], block(100), 0, 12) == []


def test_only_a_chain_that_moves_at_its_pace_is_followed_downwards() -> None:
    """A node that catches up goes faster, one that hangs does not go at all."""
    then = {"hangs": 100, "moves": 100, "catches up": 100, "ahead": 100}
    records = [node("hangs", block(100)), node("moves", block(104)), node("catches up", block(5000))]
    found = moved_on([*records, node("ahead", block(10**6 + 1))], then, block(10**6), 60, 12)
    assert [r.name for r in found] == ["moves"]


# --- lagging ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("lag", "is_healthy"), [(0, True), (3, True), (4, False)])
def test_a_node_too_far_behind_the_agreed_head_is_not_healthy(lag: int, is_healthy: bool) -> None:
    """Only while it is; it is still asked for its head."""
    good, slow = node("a", block(100)), node("b", block(100 - lag))
    assert (slow in healthy([good, slow], 0, block(100), 3)) is is_healthy
    assert slow in counting([good, slow], 0)


def test_a_node_that_never_named_a_head_is_not_healthy() -> None:
    """Once another one did."""
    good, new = node("a", block(100)), node("b")
    assert healthy([good, new], 0, block(100), 3) == [good]
    assert healthy([good, new], 0, None, 3) == [good, new]


def test_a_node_alone_lags_behind_nobody() -> None:
    """Its head is the head there is."""
    alone = node("a", block(90))
    assert healthy([alone], 0, block(100), 3) == [alone]


def test_a_node_far_ahead_is_asked_about_the_block_of_the_others() -> None:
    """Are they behind, or is it on another history? Not asked when that is known."""
    ahead, behind = node("a", block(110)), node("b", block(100))
    assert unlinked([ahead, behind], None, 3) == [(ahead, 100)]
    assert unlinked([ahead.stated(100, "a100"), behind], None, 3) == []
    assert unlinked([ahead.stated(100, "b100"), behind], None, 3) == []
    assert unlinked([ahead, node("b", block(108))], None, 3) == []


def test_a_node_that_skipped_the_block_handed_out_is_asked_about_it() -> None:
    """Its head is higher, but does it follow? Alone it is not asked: it would say so of itself."""
    skipped, follows = node("a", block(103)), node("b", block(100), block(101))
    assert unlinked([skipped, follows], block(100), 3) == [(skipped, 100)]
    assert unlinked([skipped], block(100), 3) == []


# --- whom to prefer --------------------------------------------------------------------------------------------------


def test_the_highest_head_is_preferred_then_reliability_then_latency() -> None:
    """Freshness first."""
    slow, quick = node("slow", block(9)).answered(0.5), node("quick", block(9)).answered(0.1)
    failed, high = node("failed", block(9)).answered(0.01).failed(0), node("high", block(10)).answered(1)
    ranked = [r.name for r in by_preference([slow, failed, quick, high])]
    assert ranked == ["high", "quick", "slow", "failed"]


def test_the_error_rate_counts_before_latency() -> None:
    """A quick node that answers every other time costs more than it saves."""
    flaky = node("flaky", block(9)).answered(0.01).failed(0).answered(0.01).failed(0).answered(0.01)
    assert by_preference([flaky, node("steady", block(9)).answered(0.3)])[0].name == "steady"


def test_the_node_in_use_stays_while_it_is_about_as_good() -> None:
    """Each switch costs a request."""
    a, b = node("a", block(9)).answered(0.10), node("b", block(9)).answered(0.11)
    assert by_preference([a, b], "b")[0] is b
    assert by_preference([a, b.failed(0)], "b")[0] is a
    assert by_preference([a, node("b", block(9)).answered(0.9)], "b")[0] is a
    assert by_preference([node("a", block(10)), b], "b")[0].name == "a"


# --- heads -----------------------------------------------------------------------------------------------------------


def test_the_highest_of_heads_that_nobody_disputes_is_handed_out() -> None:
    """Nodes are a block apart all the time."""
    assert chosen(None, node("a", block(100)), node("b", block(99))) == ("a100", 100)
    assert chosen(handed(block(100)), node("a", block(101)), node("b", block(100))) == ("a101", 101)


def test_a_lower_head_is_never_handed_out() -> None:
    """Not by the one node left, and not by all."""
    assert chosen(handed(block(100)), node("b", block(99))) is None
    assert chosen(handed(block(100)), node("a", block(99)), node("b", block(99))) is None


def test_the_same_head_may_be_handed_out_again() -> None:
    """It is no step back."""
    assert chosen(handed(block(100)), node("a", block(100)), node("b", block(98))) == ("a100", 100)


def test_another_hash_at_the_same_number_from_one_of_two_is_not_believed() -> None:
    """One says so, one does not: what was handed out stays."""
    stayed, other = node("a", block(100)), node("b", block(100, "b"))
    assert chosen(handed(block(100)), stayed, other) == ("a100", 100)


def test_a_higher_head_on_another_history_from_one_of_two_is_not_believed() -> None:
    """Being first with a block proves nothing."""
    stayed, other = node("a", block(100)), node("b", block(101, "b", after=98))
    assert chosen(handed(block(100)), stayed, other) == ("a100", 100)


def test_a_reorg_that_all_healthy_nodes_saw_is_believed() -> None:
    """Also when the head is lower for it."""
    a, b = (node(n, block(99, "b")) for n in "ab")
    assert chosen(handed(block(100), block(99)), a, b) == ("b99", 99)


def test_a_reorg_that_most_healthy_nodes_saw_is_believed() -> None:
    """Two of three."""
    a, b, stayed = node("a", block(100, "b")), node("b", block(100, "b")), node("c", block(100))
    assert chosen(handed(block(100)), a, b, stayed) == ("b100", 100)


def test_a_node_alone_decides_about_a_reorg_itself() -> None:
    """There is nobody to contradict it."""
    assert chosen(handed(block(100), block(99)), node("a", block(99, "b"))) == ("b99", 99)


def test_two_that_disagree_from_the_start_are_followed_by_nobody() -> None:
    """Neither is more credible than the other."""
    a, b = node("a", block(100)), node("b", block(100, "b"))
    assert chosen(None, a, b) is None
    assert dispute([a, b]) == (a, b)
    assert liars([a, b]) == []


def test_of_three_the_one_that_both_others_contradict_lies() -> None:
    """And the others' head is handed out."""
    a, b, liar = node("a", block(100)), node("b", block(100)), node("c", block(101, "x", after=90))
    assert liars([a, b, liar]) == [liar]
    assert chosen(None, a, b) == ("a100", 100)


def test_knowing_nothing_in_common_is_no_contradiction() -> None:
    """A node that skipped blocks is not accused."""
    assert dispute([node("a", block(100)), node("b", block(50))]) is None


# --- histories -------------------------------------------------------------------------------------------------------


def test_a_history_grows_with_each_child() -> None:
    """And knows the parent of the first."""
    assert dict(node("n", block(5), block(6)).history.hashes) == {4: "a4", 5: "a5", 6: "a6"}


def test_a_reorg_begins_a_history_anew() -> None:
    """What the node said of the old one is not held against it."""
    record = node("n", block(5), block(6), block(6, "b", after=4))
    assert dict(record.history.hashes) == {5: "b5", 6: "b6"}
    assert not record.history.contradicts(node("m", block(6, "b", after=4)).history)


def test_a_gap_begins_a_history_anew() -> None:
    """Between two heads that do not touch anything may have happened."""
    assert dict(node("n", block(5), block(9)).history.hashes) == {8: "a8", 9: "a9"}


def test_a_history_is_bounded() -> None:
    """A month of blocks is not kept."""
    assert len(node("n", *(block(n) for n in range(1, 500))).history.hashes) <= 66


def test_a_block_asked_for_is_remembered_until_the_next_head() -> None:
    """One false word about an old block must not stand against a node for an hour."""
    known = {4: "a4", 5: "a5", 6: "a6", 7: "a7"}
    record = node("n", block(5), block(6))
    assert dict(record.stated(3, "x3").saw(block(7)).history.hashes) == known
    assert dict(record.stated(5, "x5").saw(block(7)).history.hashes) == {6: "a6", 7: "a7"}
    assert dict(record.stated(5, "a5").saw(block(7)).history.hashes) == known


def test_a_block_asked_for_joins_the_history() -> None:
    """So that one question settles whether two nodes are on one chain."""
    assert SeenChain({9: "a9"}).with_block(4, "a4").shares(SeenChain({4: "a4"}))


def test_a_node_has_a_block_when_it_came_so_far_on_that_history() -> None:
    """Pinned reads go nowhere else."""
    record = node("n", block(9), block(10))
    assert record.has(10, "a10")
    assert record.has(3, None)
    assert not record.has(11, None)
    assert not record.has(10, "b10")


# --- what the owner is shown -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("record", "said"),
    [
        (node("n", block(100)), "fine"),
        (node("n", block(90)), "lags 10 blocks"),
        (node("n"), "not heard of yet"),
        (node("n", block(100)).failed(0), "failed 1 times in a row"),
        (node("n", block(100)).left(Aside.LYING, 0), "set aside: lying"),
        (node("n", block(100)).left(Aside.WRONG_CHAIN, 0), "wrong chain"),
    ],
)
def test_a_state_in_words(record: Record, said: str) -> None:
    """As `keeper status` shows it."""
    assert state(record, 1, block(100), 3) == said
