"""Everything that is read of some positions at one block: laid out once, then asked for block by block."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from keeper.core.account import SafeState
from keeper.core.family import Family
from keeper.core.lending.loan_fees import LoanFee
from keeper.core.perp.position import PerpPosition
from keeper.core.prices import Backing, Doubt, Quoted, SecondPrice, Sequencer, best
from keeper.core.reasons import Reason
from keeper.core.snapshot import BlockRef, LendingPosition, Otherwise, Saving, Unreadable, Wallet, perps_of
from keeper.core.snapshot import PricedAsset as Priced
from keeper.core.units import Address, Amount
from keeper.settings.model import Network, Position
from keeper.snapshot.discovery import Known
from keeper.snapshot.price_port import by_perpetuals, by_pools, origins
from keeper.snapshot.safes import safes_of
from keeper.snapshot.slots import Sheet, Slot
from keeper.venues.contracts import erc20
from keeper.venues.contracts.safe import state_probe
from keeper.venues.feeds import rounds
from keeper.venues.ports import (
    Answer,
    Lender,
    Listed,
    PricesMovedError,
    Probe,
    Read,
    ReadFailedError,
    Saver,
    ScopeOutdatedError,
)


@dataclass(frozen=True, slots=True)
class PageSeen:
    """What a page's answers say."""

    positions: dict[str, LendingPosition | PerpPosition | Unreadable]
    wallets: dict[Address, Wallet]
    seconds: dict[Address, SecondPrice]
    backings: dict[Address, Backing]
    lendable: dict[str, dict[Address, Amount]]
    loan_fees: dict[str, dict[Address, LoanFee]]
    safes: dict[Address, SafeState | None]
    sequencer: Sequencer | None
    native_price: int
    assets: dict[Address, Priced]
    also: dict[object, Answer]
    prices: dict[str, int]
    """What the oracle says of the assets that were asked for by symbol, in lower case; zero when it does not know."""
    outdated: set[str]
    """Positions that use what was not read: they must be discovered again. The empty name is new money in a wallet."""
    moved: set[str]
    """Those of them of which nothing is outdated but the prices their venue was asked with: asking again will do."""
    otherwise: Mapping[str, Otherwise] = field(default_factory=dict)
    """Positions of which another node says otherwise."""


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
        lenders: Iterable[Lender] = (),
    ) -> None:
        self.known = known
        self.positions = tuple(positions)
        self._also = also
        self._network = network
        sheet, used = Sheet(), _used(known, positions)
        lent = [p.name for p in self.positions if p.name in known.accounts]
        self._accounts = {name: sheet.add(known.accounts[name].probe(name, block)) for name in lent}
        perps = {p.name: known.perp_accounts[p.name] for p in positions if p.name in known.perp_accounts}
        self._perps = {name: (account, sheet.add(account.probe(name, block))) for name, account in perps.items()}
        collaterals = [account.collateral for account in perps.values()]
        everything = list(dict.fromkeys([*known.listings, *collaterals]))
        spenders = dict.fromkeys([*(p.spender for p in positions), *signers, *wallets])
        payers = {p.spender: p.sender for p in positions}
        self._wallets = {
            s: sheet.add(erc20.wallet_probe(s, everything, network.multicall3, payers.get(s), network.native_kept))
            for s in spenders
        }
        self._safes = {safe.address: sheet.add(state_probe(safe)) for safe in safes_of(network, positions)}
        self._savings = {s: self._saved(sheet, s) for s in spenders}
        lends = [x for x in lenders if self._safes or not x.calls_back]
        self._lendable = {x.name: sheet.add(x.there_probe(list(used))) for x in lends}
        self._loan_fees = {x.name: sheet.add(x.fee_probe(list(used))) for x in lends if x.most_fee}
        self._averages = [
            (sheet.add(r.probe(network.twap_window_s)), sheet.add(_price(known, r.quote)))
            for r in known.references
            if r.asset in used
        ]
        self._seconds = [sheet.add(p) for p in _second_feeds(network, used.values())]
        self._backed = [
            (
                backed,
                sheet.add(backed.source.probe()) if backed.source else None,
                self._stated_of(sheet, backed.by) if backed.by else [],
            )
            for asset, backed in known.backed.items()
            if asset in used
        ]
        self._sequencer = (
            sheet.add(rounds.sequencer_probe(network.sequencer_feed, network.sequencer_grace_s))
            if network.sequencer_feed
            else None
        )
        self._native = self._stated_of(sheet, network.wrapped_native)
        pool = known.native_pool
        self._native_pool = (pool.quote, sheet.add(pool.probe(network.twap_window_s))) if pool else None
        listed = known.listings.values() if wallets else ()
        self._listed = {x.asset: (x, self._stated_of(sheet, x.asset)) for x in listed}
        self._also_slots = {read: sheet.places((read,))[0] for read in also}
        self._prices = {s.lower(): sheet.add(p) for s in symbols if (p := _named_price(known, s)) is not None}
        self.reads = tuple(sheet.reads)
        self.at = {name: slot.places for name, slot in self._accounts.items()}
        self.at |= {name: slot.places for name, (_, slot) in self._perps.items()}
        """Where the answers that make up each position are."""

    def told_by(
        self, block: BlockRef, answers: Sequence[Answer]
    ) -> dict[str, LendingPosition | PerpPosition | Unreadable]:
        """Return each position as another node's answers show it; without those that they do not show."""
        try:
            return self.decode(block, answers).positions
        except (ReadFailedError, ValueError, ArithmeticError, LookupError):
            return {}  # whatever it is, it is no position

    def fits(self, block: BlockRef, known: Known, positions: Sequence[Position], also: tuple[Read, ...]) -> bool:
        """Whether this is the page of these positions at a block."""
        if self.known is not known or self._also != also or self.positions != tuple(positions):
            return False
        return all(of.probe(name, block).reads == slot.probe.reads for name, (of, slot) in self._perps.items())

    def decode(self, block: BlockRef, answers: Sequence[Answer]) -> PageSeen:
        """Return what the answers say, each position by itself. Raises ReadFailedError for what all depend on."""
        moved = set[str]()
        read = {p.name: self._found(p, block, answers, moved) for p in self.positions}
        wallets = {s: Wallet(s, *slot.decode(answers), self._there(s, answers)) for s, slot in self._wallets.items()}
        prices = [s.decode(answers) for s in self._seconds]
        prices += [average.decode(answers)(quote.decode(answers)) for average, quote in self._averages]
        return PageSeen(
            positions={p.name: read[p.name] or _changing(p) for p in self.positions},
            wallets=wallets,
            seconds={p.asset: p for p in prices},
            backings={b.asset: b for b in self._backings(block, answers)},
            lendable={name: slot.decode(answers) for name, slot in self._lendable.items()},
            loan_fees={name: slot.decode(answers) for name, slot in self._loan_fees.items()},
            safes={account: slot.decode(answers) for account, slot in self._safes.items()},
            sequencer=self._sequencer.decode(answers) if self._sequencer else None,
            native_price=self._native_price(block, answers, read.values()),
            assets={asset: self._priced(block, x, quoted, answers) for asset, (x, quoted) in self._listed.items()},
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
        answers: Sequence[Answer],
        moved: set[str],
    ) -> LendingPosition | PerpPosition | Unreadable | None:
        """Return a position, why it cannot be read, or None when it must be discovered again."""
        name = position.name
        if name in self.known.lost:
            return Unreadable(name, position.owner, self.known.lost[name].doubt)
        try:
            if name in self._perps:
                account, slot = self._perps[name]
                return account.probe(name, block).decode([answers[place] for place in slot.places])
            return self._accounts[name].decode(answers).at(block)
        except PricesMovedError:
            moved.add(name)
            return None
        except ScopeOutdatedError:
            return None
        except ReadFailedError as error:
            return Unreadable(name, position.owner, error.doubt)

    def _saved(self, sheet: Sheet, spender: Address) -> list[tuple[Saver, Slot[Amount]]]:
        names = [p.name for p in self.positions if p.spender == spender]
        savers = {token: saver for name in names for token, saver in self.known.savers.get(name, {}).items()}
        return [(saver, sheet.add(saver.probe(spender))) for saver in savers.values()]

    def _there(self, spender: Address, answers: Sequence[Answer]) -> tuple[Saving, ...]:
        """Return what redeeming each saving of a spender gives now."""
        found = [(saver, slot.decode(answers)) for saver, slot in self._savings[spender]]
        return tuple(Saving(saver.token, saver.asset, there) for saver, there in found if there)

    def _has_new_money(self, wallets: Mapping[Address, Wallet]) -> bool:
        """Whether a wallet holds a reserve that was not looked at for its position."""
        accounts, funded = self.known.accounts, {spender for spender, wallet in wallets.items() if wallet.tokens}
        return any(
            (wallets[p.spender].tokens.keys() & _assets(accounts[p.name].market.listings))
            - _assets(accounts[p.name].listings)
            for p in self.positions
            if p.spender in funded and p.name in accounts
        )

    # --- prices of what is held beside positions -------------------------------------------------------------------

    def _stated_of(self, sheet: Sheet, asset: Address) -> list[Slot[Quoted | None]]:
        return [sheet.add(probe) for probe in origins(self._network, self.known, asset)]

    def _native_price(self, block: BlockRef, answers: Sequence[Answer], read: Collection[object]) -> int:
        """Return the price of one whole native token, zero where nobody knows it."""
        quoted = [slot.decode(answers) for slot in self._native]
        perps = perps_of(read)
        quoted += by_perpetuals(perps, self.known.native_symbol, self._network.default_heartbeat_s)
        if self._native_pool is not None:
            quote, average = self._native_pool
            quoted += by_pools(perps, quote, average.decode(answers), block.timestamp)
        found = best(quoted, block.timestamp)
        return found.answer if found else 0

    def _backings(self, block: BlockRef, answers: Sequence[Answer]) -> Iterator[Backing]:
        for backed, rate, quoted in self._backed:
            found = best([slot.decode(answers) for slot in quoted], block.timestamp)
            yield backed.backing(rate.decode(answers) if rate else None, found.answer if found else 0)

    @staticmethod
    def _priced(
        block: BlockRef, listed: Listed, quoted: list[Slot[Quoted | None]], answers: Sequence[Answer]
    ) -> Priced:
        found = best([slot.decode(answers) for slot in quoted], block.timestamp)
        return Priced(listed.symbol, listed.decimals, found.answer if found else 0)


def _used(known: Known, positions: Sequence[Position]) -> dict[Address, Listed]:
    return {x.asset: x for p in positions if p.name in known.accounts for x in known.accounts[p.name].listings}


def _assets(listed: Sequence[Listed]) -> set[Address]:
    return {x.asset for x in listed}


def _changing(position: Position) -> Unreadable:
    is_perp = position.family is Family.PERP
    what = "prices or the position changed while it was" if is_perp else "reserves changed while they were"
    doubt = Doubt(Reason.POSITION_UNREADABLE, f"the account's {what} read")
    return Unreadable(position.name, position.owner, doubt)


def _second_feeds(network: Network, listings: Iterable[Listed]) -> list[Probe[SecondPrice]]:
    named = [(x.asset, network.asset(x.symbol, x.asset).second_feed) for x in listings]
    return [rounds.second_feed_probe(asset, feed) for asset, feed in named if feed]


def _price(known: Known, asset: Address) -> Probe[int]:
    """Return the probe of an asset's price by the oracle of the first market that lists it; zero where none does."""
    market = known.lists(asset)
    return market.price_probe(asset) if market else Probe((), lambda _: 0)


def _named_price(known: Known, symbol: str) -> Probe[int] | None:
    """Return the probe of the price of what a symbol means; None where no market, or more than one, has it."""
    found = [(market, x) for market in known.markets.values() if (x := market.named(symbol)) is not None]
    return found[0][0].price_probe(found[0][1].asset) if len(found) == 1 else None
