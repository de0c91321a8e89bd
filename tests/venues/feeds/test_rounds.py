"""Feeds: found behind adapters, read with their age, and never trusted when silent."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from eth_abi.abi import encode

from keeper.core.units import Address
from keeper.venues.codec.abi import address, load
from keeper.venues.feeds import rounds
from keeper.venues.ports import Answer, Discovery, Read

FEED_ABI = load("chainlink_feed")
A, B, C, D = (address("0x" + f"{i}{i}" * 20) for i in range(1, 5))
ROUND = encode(["uint80", "int256", "uint256", "uint256", "uint80"], [9, 2000 * 10**8, 1_000, 1_234, 9])
NAMES = (
    "BASE_TO_USD_AGGREGATOR",
    "ASSET_TO_USD_AGGREGATOR",
    "BASE_TO_PEG",
    "ASSET_TO_PEG",
    "PEG_TO_BASE",
    "ETH_TO_BASE",
)


def latest(answer: int, started: int, updated: int) -> bytes:
    return encode(["uint80", "int256", "uint256", "uint256", "uint80"], [9, answer, started, updated, 9])


class FakeChain:
    """Contracts by address: what each function answers; all else reverts."""

    def __init__(self, contracts: Mapping[Address, Mapping[str, bytes]]) -> None:
        self._answers = {
            (at, getattr(FEED_ABI, name).selector): answer
            for at, functions in contracts.items()
            for name, answer in functions.items()
        }
        self.rounds = 0

    def answer(self, read: Read) -> Answer:
        return self._answers.get((read.to, read.data[:4]))

    def run(self, discovery: Discovery[dict[Address, Address]]) -> dict[Address, Address]:
        try:
            wanted = next(discovery)
            while True:
                self.rounds += 1
                wanted = discovery.send([self.answer(r) for r in wanted])
        except StopIteration as done:
            found: dict[Address, Address] = done.value
            return found


def behind(feed: Address) -> bytes:
    return encode(["address"], [feed])


def test_a_feed_that_tells_its_age_is_itself() -> None:
    """One round of questions."""
    chain = FakeChain({A: {"latestRoundData": ROUND}})
    assert chain.run(rounds.discover_feeds([A])) == {A: A}
    assert chain.rounds == 1


@pytest.mark.parametrize("name", NAMES)
def test_an_adapter_leads_to_the_feed_behind_it(name: str) -> None:
    """By any of the names that Aave's adapters use."""
    chain = FakeChain({A: {name: behind(B)}, B: {"latestRoundData": ROUND}})
    assert chain.run(rounds.discover_feeds([A])) == {A: B}


def test_adapters_upon_adapters_are_followed() -> None:
    """Two deep; beyond three there is an end."""
    deep = {
        A: {"BASE_TO_USD_AGGREGATOR": behind(B)},
        B: {"ASSET_TO_USD_AGGREGATOR": behind(C)},
        C: {"latestRoundData": ROUND},
    }
    assert FakeChain(deep).run(rounds.discover_feeds([A])) == {A: C}
    deeper = {**deep, C: {"BASE_TO_PEG": behind(D)}, D: {"latestRoundData": ROUND}}
    assert FakeChain(deeper).run(rounds.discover_feeds([A])) == {}


def test_a_circle_of_adapters_ends() -> None:
    """Nothing found, and no endless questions."""
    chain = FakeChain({A: {"BASE_TO_PEG": behind(B)}, B: {"BASE_TO_PEG": behind(A)}})
    assert chain.run(rounds.discover_feeds([A])) == {}
    assert chain.rounds == 3


def test_each_source_finds_its_own() -> None:
    """A feed, an adapter, and one that nobody knows: its age stays unknown."""
    chain = FakeChain({A: {"latestRoundData": ROUND}, B: {"PEG_TO_BASE": behind(C)}, C: {"latestRoundData": ROUND}})
    assert chain.run(rounds.discover_feeds([A, B, D])) == {A: A, B: C}


def test_no_sources_ask_nothing() -> None:
    """Not even one round."""
    chain = FakeChain({})
    assert chain.run(rounds.discover_feeds([])) == {}
    assert chain.rounds == 0


def test_a_round_tells_when_it_was_updated() -> None:
    """updatedAt, not startedAt."""
    found = rounds.round_probe(A).decode([latest(5, 1_000, 1_234)])
    assert found is not None
    assert (found.round_id, found.answer, found.updated_at) == (9, 5, 1_234)


@pytest.mark.parametrize("answer", [None, b"", b"\x01" * 31])
def test_a_silent_feed_has_no_round(answer: Answer) -> None:
    """None, which is a doubt; never an age of zero."""
    assert rounds.round_probe(A).decode([answer]) is None


def word(number: int) -> bytes:
    return number.to_bytes(32, "big")


@pytest.mark.parametrize(
    ("answer", "decimals", "scaled"),
    [(2000 * 10**8, 8, 2000 * 10**8), (2000 * 10**18, 18, 2000 * 10**8), (2000 * 10**6, 6, 2000 * 10**8), (-5, 8, -5)],
)
def test_a_second_feed_is_scaled_to_eight_decimals(answer: int, decimals: int, scaled: int) -> None:
    """Whatever its own; a negative answer stays one and will agree with nothing."""
    found = rounds.second_feed_probe(A, B).decode([latest(answer, 0, 1), word(decimals)])
    assert found.answers == (scaled,)
    assert found.asset == A


@pytest.mark.parametrize("silent", [0, 1])
def test_a_second_feed_that_is_silent_answers_nothing(silent: int) -> None:
    """Which is a doubt where a second feed was configured."""
    heard: list[Answer] = [latest(5, 0, 1), word(8)]
    heard[silent] = None
    assert rounds.second_feed_probe(A, B).decode(heard).answers == ()


@pytest.mark.parametrize(
    ("answer", "is_up"),
    [(latest(0, 1_000, 1_000), True), (latest(1, 1_000, 1_000), False), (latest(0, 0, 0), False), (None, False)],
)
def test_a_sequencer_is_up_only_when_its_feed_says_so(answer: Answer, is_up: bool) -> None:
    """Zero is up. A feed that was never started, or is silent, counts as down."""
    found = rounds.sequencer_probe(A, 3600).decode([answer])
    assert found.is_up is is_up
    assert found.grace_s == 3600


def test_the_sequencers_time_is_when_its_status_began() -> None:
    """startedAt: what the grace counts from."""
    assert rounds.sequencer_probe(A, 3600).decode([latest(0, 1_000, 2_000)]).since == 1_000
