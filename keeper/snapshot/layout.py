"""Everything that is read of some positions at one block: laid out once, then asked for block by block."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from keeper.core.perp.position import PerpPosition
from keeper.core.prices import Doubt, SecondPrice, Sequencer
from keeper.core.reasons import Reason
from keeper.core.snapshot import BlockRef, LendingPosition, Listed, Otherwise, Unreadable, Wallet
from keeper.core.units import Address
from keeper.settings.model import Network, Position
from keeper.snapshot.discovery import Known
from keeper.snapshot.slots import Sheet
from keeper.venues.aave_v3 import market as aave_v3
from keeper.venues.aave_v3.market import FeedRound, Market
from keeper.venues.contracts import erc20
from keeper.venues.exchanges import uniswap_v3
from keeper.venues.feeds import chainlink
from keeper.venues.ports import Answer, PricesMovedError, Probe, Read, ReadFailedError, ScopeOutdatedError


@dataclass(frozen=True, slots=True)
class Seen:
    """What a page's answers tell."""

    positions: dict[str, LendingPosition | PerpPosition | Unreadable]
    wallets: dict[Address, Wallet]
    seconds: dict[Address, SecondPrice]
    sequencer: Sequencer | None
    native_price: int
    assets: dict[Address, Listed]
    also: dict[object, Answer]
    prices: dict[str, int]
    """What the oracle says of the assets that were asked for by symbol, in lower case; zero when it does not know."""
    outdated: set[str]
    """Positions that use what was not read: they must be discovered again. The empty name is new money in a wallet."""
    moved: set[str]
    """Those of them of which nothing is outdated but the prices their venue was asked with: asking again will do."""
    otherwise: Mapping[str, Otherwise] = field(default_factory=dict)
    """Positions of which another node tells otherwise."""


class Page:
    """The reads of some positions, and where each answer is."""

    def __init__(
        self,
        network: Network,
        known: Known,
        positions: Sequence[Position],
        block: BlockRef,
        signers: Iterable[Address] = (),
        wallets: Sequence[Address] = (),
        also: tuple[Read, ...] = (),
        symbols: Iterable[str] = (),
    ) -> None:
        self.known = known
        self.positions = tuple(positions)
        self._also = also
        sheet, market, used = Sheet(), known.market, _used(known, positions)
        self._feeds = {a: sheet.add(chainlink.round_probe(x.feed)) for a, x in used.items() if x.feed}
        self._places = {
            p.name: sheet.places(aave_v3.position_reads(market, known.scopes[p.name]))
            for p in self.positions
            if p.name in known.scopes
        }
        seats = {p.name: known.seats[p.name] for p in positions if p.name in known.seats}
        self._seats = {name: (seat, sheet.add(seat.probe(name, block))) for name, seat in seats.items()}
        collaterals = [seat.collateral for seat in seats.values()]
        everything = list(dict.fromkeys([*(x.asset for x in market.listings), *collaterals]))
        spenders = dict.fromkeys([*(p.spender for p in positions), *signers, *wallets])
        self._wallets = {s: sheet.add(erc20.wallet_probe(s, everything, network.multicall3)) for s in spenders}
        self._averages = [
            (sheet.add(uniswap_v3.average_probe(r, network.twap_window_s)), sheet.add(_price(market, r.quote)))
            for r in known.references
            if r.asset in used
        ]
        self._seconds = [sheet.add(p) for p in _second_feeds(network, used.values())]
        self._sequencer = (
            sheet.add(chainlink.sequencer_probe(network.sequencer_feed, network.sequencer_grace_s))
            if network.sequencer_feed
            else None
        )
        self._native = sheet.add(_price(market, network.wrapped_native))
        self._listed = {x: sheet.add(_price(market, x.asset)) for x in market.listings} if wallets else {}
        self._also_slots = {read: sheet.places((read,))[0] for read in also}
        named = {s.lower(): market.named(s) for s in symbols}
        self._prices = {s: sheet.add(_price(market, x.asset)) for s, x in named.items() if x}
        self.reads = tuple(sheet.reads)
        self.at = self._places | {name: slot.places for name, (_, slot) in self._seats.items()}
        """Where the answers that make up each position are."""

    def told_by(
        self, block: BlockRef, answers: Sequence[Answer]
    ) -> dict[str, LendingPosition | PerpPosition | Unreadable]:
        """Return each position as another node's answers tell it; without those that cannot be told from them."""
        try:
            return self.decode(block, answers).positions
        except (ReadFailedError, ValueError, ArithmeticError, LookupError):
            return {}  # whatever it is, it is no position

    def fits(self, block: BlockRef, known: Known, positions: Sequence[Position], also: tuple[Read, ...]) -> bool:
        """Whether this is the page of these positions at a block."""
        if self.known is not known or self._also != also or self.positions != tuple(positions):
            return False
        return all(seat.probe(name, block).reads == slot.probe.reads for name, (seat, slot) in self._seats.items())

    def decode(self, block: BlockRef, answers: Sequence[Answer]) -> Seen:
        """Return what the answers tell, each position by itself. Raises ReadFailedError for what all depend on."""
        rounds = dict[Address, FeedRound]()
        for asset, feed in self._feeds.items():
            found = feed.decode(answers)
            if found:
                rounds[asset] = FeedRound(found.round_id, found.updated_at)
        moved = set[str]()
        read = {p.name: self._found(p, block, rounds, answers, moved) for p in self.positions}
        wallets = {s: Wallet(s, *slot.decode(answers)) for s, slot in self._wallets.items()}
        prices = [s.decode(answers) for s in self._seconds]
        prices += [average.decode(answers)(quote.decode(answers)) for average, quote in self._averages]
        return Seen(
            positions={p.name: read[p.name] or _changing(p) for p in self.positions},
            wallets=wallets,
            seconds={p.asset: p for p in prices},
            sequencer=self._sequencer.decode(answers) if self._sequencer else None,
            native_price=self._native.decode(answers),
            assets={x.asset: Listed(x.symbol, x.decimals, slot.decode(answers)) for x, slot in self._listed.items()},
            also={read: answers[place] for read, place in self._also_slots.items()},
            prices={symbol: slot.decode(answers) for symbol, slot in self._prices.items()},
            outdated={name for name, position in read.items() if position is None}
            | ({""} if self._has_new_money(wallets) else set()),
            moved=moved,
        )

    def _found(
        self,
        position: Position,
        block: BlockRef,
        rounds: Mapping[Address, FeedRound],
        answers: Sequence[Answer],
        moved: set[str],
    ) -> LendingPosition | PerpPosition | Unreadable | None:
        """Return a position, why it cannot be read, or None when it must be discovered again."""
        name = position.name
        if name in self.known.lost:
            return Unreadable(name, position.owner, self.known.lost[name].doubt)
        try:
            if name in self._seats:
                seat, slot = self._seats[name]
                return seat.probe(name, block).decode([answers[place] for place in slot.places])
            market, scope = self.known.market, self.known.scopes[name]
            mine = [answers[place] for place in self._places[name]]
            return aave_v3.decode_position(market, scope, name, block, rounds, mine)
        except PricesMovedError:
            moved.add(name)
            return None
        except ScopeOutdatedError:
            return None
        except ReadFailedError as error:
            return Unreadable(name, position.owner, error.doubt)

    def _has_new_money(self, wallets: Mapping[Address, Wallet]) -> bool:
        """Whether a wallet holds a reserve that was not looked at for its position."""
        listed, scopes = {x.asset for x in self.known.market.listings}, self.known.scopes
        return any(
            (wallets[p.spender].tokens.keys() & listed) - {x.asset for x in scopes[p.name].listings}
            for p in self.positions
            if p.name in scopes and wallets[p.spender].tokens
        )


def _used(known: Known, positions: Sequence[Position]) -> dict[Address, aave_v3.Listing]:
    return {x.asset: x for p in positions if p.name in known.scopes for x in known.scopes[p.name].listings}


def _changing(position: Position) -> Unreadable:
    what = "prices or the position changed while it was" if position.is_perp else "reserves changed while they were"
    doubt = Doubt(Reason.POSITION_UNREADABLE, f"the account's {what} read")
    return Unreadable(position.name, position.owner, doubt)


def _second_feeds(network: Network, listings: Iterable[aave_v3.Listing]) -> list[Probe[SecondPrice]]:
    named = [(x.asset, network.asset(x.symbol, x.asset).second_feed) for x in listings]
    return [chainlink.second_feed_probe(asset, feed) for asset, feed in named if feed]


def _price(market: Market, asset: Address) -> Probe[int]:
    """Return the probe of an asset's oracle price in base units, zero when the oracle does not know it."""
    read, function = aave_v3.price_read(market, asset)

    def decode(answers: Sequence[Answer]) -> int:
        found = function.decode_or_none(answers[0])
        return int(found[0]) if found else 0

    return Probe((read,), decode)
