"""What feeds said before now is walked back from the newest, kept, and whole again after a restart."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from core_builders import BLOCK
from eth_abi.abi import encode

from keeper.core.units import Address
from keeper.journal import Journal, open_journal
from keeper.snapshot.price_history import PriceHistory
from keeper.venues.codec.abi import load
from keeper.venues.ports import Answer, Discovery, Read

FEED, ONE, TWO = (Address("0x" + f"{i:040x}") for i in (1, 2, 3))
ABI = load("chainlink_feed")
MINUTE = 60
T0 = 1_749_000_000


def phased(phase: int, number: int) -> int:
    return phase << 64 | number


@dataclass
class PaperFeed:
    """A proxy of two aggregators, and how many reads it was asked."""

    rounds: dict[int, tuple[int, int]] = field(default_factory=dict)
    """Round id → when, and the answer in 10^-8."""
    newest_of: dict[Address, int] = field(default_factory=dict)
    phases: dict[int, Address] = field(default_factory=dict)
    reads: int = 0
    decimals: int = 8

    async def discover(self, block: object, discovery: Discovery[object]) -> object:
        try:
            wanted = next(discovery)
            while True:
                self.reads += len(wanted)
                wanted = discovery.send([self._answer(read) for read in wanted])
        except StopIteration as done:
            return done.value

    def _answer(self, read: Read) -> Answer:
        data = read.data
        if data == ABI.decimals.encode():
            return encode(["uint8"], [self.decimals])
        if data == ABI.latestRound.encode():
            return encode(["uint256"], [self.newest_of[read.to]])
        if data == ABI.latestRoundData.encode():
            return self._round(max(self.rounds)) if self.rounds else None
        if data[:4] == ABI.phaseAggregators.selector:
            return encode(["address"], [self.phases.get(int.from_bytes(data[4:], "big"), "0x" + "0" * 40)])
        return self._round(int.from_bytes(data[4:], "big"))

    def _round(self, number: int) -> Answer:
        if number not in self.rounds:
            return None
        at, answer = self.rounds[number]
        return encode(["uint80", "int256", "uint256", "uint256", "uint80"], [number, answer, at, at, number])


def feed(count: int, phase: int = 1) -> PaperFeed:
    """A feed of so many rounds, one a minute, each ten cents above the one before."""
    return PaperFeed({phased(phase, i): (T0 + i * MINUTE, 2_000 * 10**8 + i * 10**7) for i in range(1, count + 1)})


@pytest.fixture
async def journal(tmp_path: Path) -> AsyncIterator[Journal]:
    async with await open_journal(str(tmp_path / "journal.db")) as opened:
        yield opened


async def test_rounds_are_walked_back_to_where_the_window_begins(journal: Journal) -> None:
    """And one further: the price that held then."""
    since = T0 + 500 * MINUTE + 30
    found = await PriceHistory(feed(1_000), journal.prices).of(BLOCK, FEED, since)
    assert [t.at for t in found.ticks] == [T0 + i * MINUTE for i in range(500, 1_001)]
    assert found.ticks[0].price == 2_000 * 10**8 + 500 * 10**7


async def test_what_is_kept_is_not_read_again(journal: Journal) -> None:
    """A minute later there is one new round: a handful of reads finds it."""
    on_chain, since = feed(1_000), T0 + 500 * MINUTE
    first = await PriceHistory(on_chain, journal.prices).of(BLOCK, FEED, since)
    on_chain.rounds[phased(1, 1_001)] = (T0 + 1_001 * MINUTE, 5 * 10**8)
    on_chain.reads = 0
    later = await PriceHistory(on_chain, journal.prices).of(BLOCK, FEED, since)
    assert later.ticks[:-1] == first.ticks
    assert later.ticks[-1].price == 5 * 10**8
    assert on_chain.reads <= 10


async def test_a_gap_of_days_without_the_keeper_is_filled(journal: Journal) -> None:
    """After a restart it is as if it had never been away."""
    on_chain, since = feed(3_000), T0 + 100 * MINUTE
    early = PaperFeed({k: v for k, v in on_chain.rounds.items() if v[0] <= T0 + 200 * MINUTE})
    await PriceHistory(early, journal.prices).of(BLOCK, FEED, since)
    found = await PriceHistory(on_chain, journal.prices).of(BLOCK, FEED, since)
    assert [t.at for t in found.ticks] == [T0 + i * MINUTE for i in range(100, 3_001)]
    again = await PriceHistory(on_chain, journal.prices).of(BLOCK, FEED, since)
    assert again == found


async def test_a_longer_window_walks_on_from_the_oldest(journal: Journal) -> None:
    """What is kept is used; only what is missing before it is read."""
    on_chain = feed(2_000)
    await PriceHistory(on_chain, journal.prices).of(BLOCK, FEED, T0 + 1_900 * MINUTE)
    on_chain.reads = 0
    found = await PriceHistory(on_chain, journal.prices).of(BLOCK, FEED, T0 + 1_800 * MINUTE)
    assert [t.at for t in found.ticks] == [T0 + i * MINUTE for i in range(1_800, 2_001)]
    assert on_chain.reads < 400


async def test_what_a_reorg_took_back_is_gone(journal: Journal) -> None:
    """The same round with another price, at another time, or not there at all."""
    on_chain, since = feed(300), T0 + 200 * MINUTE
    await PriceHistory(on_chain, journal.prices).of(BLOCK, FEED, since)
    on_chain.rounds[phased(1, 299)] = (T0 + 299 * MINUTE + 7, 7 * 10**8)
    on_chain.rounds[phased(1, 300)] = (T0 + 300 * MINUTE, 8 * 10**8)
    for _ in range(2):
        found = await PriceHistory(on_chain, journal.prices).of(BLOCK, FEED, since)
        assert [(t.at, t.price) for t in found.ticks[-2:]] == [
            (T0 + 299 * MINUTE + 7, 7 * 10**8),
            (T0 + 300 * MINUTE, 8 * 10**8),
        ]
    del on_chain.rounds[phased(1, 300)]
    found = await PriceHistory(on_chain, journal.prices).of(BLOCK, FEED, since)
    assert found.ends == T0 + 299 * MINUTE + 7
    assert len(await journal.prices.since(BLOCK.chain_id, FEED, since)) == len(found.ticks)


async def test_the_phase_before_is_walked_into(journal: Journal) -> None:
    """A proxy that was given another aggregator: rounds that it spoke before it was listened to do not count."""
    old, new = feed(100, phase=1), PaperFeed()
    overlap = {phased(2, i): (T0 + (95 + i) * MINUTE + 1, 9 * 10**8 + i) for i in range(1, 51)}
    new.rounds = {**old.rounds, **overlap}
    new.phases, new.newest_of = {1: ONE, 2: TWO}, {ONE: 100}
    found = await PriceHistory(new, journal.prices).of(BLOCK, FEED, T0 + 50 * MINUTE)
    times = [t.at for t in found.ticks]
    assert times == sorted(set(times))
    assert times[0] == T0 + 50 * MINUTE
    assert found.ends == T0 + 145 * MINUTE + 1


async def test_rounds_without_a_price_are_no_prices(journal: Journal) -> None:
    """One that was never finished, one of zero: left out, never a price of nothing."""
    on_chain = feed(100)
    on_chain.rounds[phased(1, 90)] = (0, 5 * 10**8)
    on_chain.rounds[phased(1, 91)] = (T0 + 91 * MINUTE, 0)
    on_chain.rounds[phased(1, 92)] = (T0 + 92 * MINUTE, -4)
    found = await PriceHistory(on_chain, journal.prices).of(BLOCK, FEED, T0 + 80 * MINUTE)
    assert [t.at for t in found.ticks] == [T0 + i * MINUTE for i in range(80, 101) if i not in (90, 91, 92)]


async def test_a_feed_that_is_young_or_silent_is_short(journal: Journal) -> None:
    """It ends where it begins; one that answers nothing has no history."""
    young = await PriceHistory(feed(5), journal.prices).of(BLOCK, FEED, T0 - 10_000)
    assert len(young.ticks) == 5
    silent = await PriceHistory(PaperFeed(), journal.prices).of(BLOCK, FEED, T0)
    assert silent.ticks == ()


async def test_every_feed_is_counted_in_the_same_dollars(journal: Journal) -> None:
    """A feed of 18 decimals, and one that counts its rounds from one without phases."""
    plain = PaperFeed({i: (T0 + i, 3 * 10**18) for i in range(1, 20)}, decimals=18)
    found = await PriceHistory(plain, journal.prices).of(BLOCK, FEED, T0)
    assert {t.price for t in found.ticks} == {3 * 10**8}
    assert len(found.ticks) == 19


async def test_chains_and_feeds_do_not_mix(journal: Journal) -> None:
    """Another chain's feed of the same address is another feed."""
    await PriceHistory(feed(50), journal.prices).of(BLOCK, FEED, T0)
    other = await PriceHistory(feed(10), journal.prices).of(replace(BLOCK, chain_id=1), FEED, T0)
    assert len(other.ticks) == 10
    assert len(await journal.prices.since(BLOCK.chain_id, FEED, T0)) == 50
    await journal.prices.forget_before(BLOCK.chain_id, T0 + 40 * MINUTE)
    assert len(await journal.prices.since(BLOCK.chain_id, FEED, T0)) == 11
