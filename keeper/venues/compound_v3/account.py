"""One account in a Comet at one block: which reads it takes, what their answers mean, what its logs say.

The contract's two judges use the index of the last accrual; where no time has passed since, they must say what our
figures say. What is owed is its own accrued balance, and must be ours.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from keeper.core.lending.closing import WHOLE
from keeper.core.lending.figures import moved
from keeper.core.lending.position import Barred, Holding, LendingPosition, Principal, Rates, Room
from keeper.core.prices import Doubt, OraclePrice
from keeper.core.reasons import Reason
from keeper.core.snapshot import BlockRef
from keeper.core.units import UINT256_MAX, USD, WAD, Address, Amount, Wad, mul_div_up
from keeper.venues.codec.abi import address, load
from keeper.venues.compound_v3.events import CometChronicle
from keeper.venues.compound_v3.model import INDEX, YEAR_S, CometModel, Curve, Totals3
from keeper.venues.contracts import multicall3
from keeper.venues.feeds.fixed_price import price_source
from keeper.venues.ports import (
    AT_ONCE,
    Answer,
    Chronicle,
    Codes,
    Probe,
    Read,
    ReadFailedError,
    ScopeOutdatedError,
    Settles,
    feeds_alone,
)

if TYPE_CHECKING:
    from keeper.venues.compound_v3.market import CometListing, CometMarket

_COMET, _ERC20, _FEED = load("compound_v3"), load("erc20"), load("chainlink_feed")
ALL = Amount(UINT256_MAX)
EXTENDED = 16
"""Assets from here on have their bits in the second word."""
_TERMS = (
    _COMET.borrowKink,
    _COMET.borrowPerSecondInterestRateBase,
    _COMET.borrowPerSecondInterestRateSlopeLow,
    _COMET.borrowPerSecondInterestRateSlopeHigh,
    _COMET.baseTokenPriceFeed,
)
"""What an upgrade of the market's implementation may change beside its collaterals."""
_OF_ACCOUNT, _OF_BASE, _OF_COLLATERAL = 8 + len(_TERMS), 3, 5
GAS = 120_000
NOTHING = Rates(Wad(0), Wad(0), Wad(0))


@dataclass(frozen=True, slots=True)
class CometAccount:
    """An owner's account, and the assets that matter to it: the base first."""

    market: CometMarket
    owner: Address
    listings: tuple[CometListing, ...]
    settles: Settles = AT_ONCE

    @property
    def chronicle(self) -> Chronicle:
        """The market's events about the account."""
        return CometChronicle(self.market, self.owner)

    def probe(self, name: str, block: BlockRef) -> Probe[LendingPosition]:
        """Return the reads of the account, of the market, and of each asset."""
        at, owner = self.market.comet, self.owner
        base, *others = self.listings
        reads = [
            multicall3.timestamp().read(self.market.multicall),
            _COMET.userBasic.read(at, owner),
            _COMET.totalsBasic.read(at),
            _COMET.borrowBalanceOf.read(at, owner),
            _COMET.isLiquidatable.read(at, owner, gas=GAS),
            _COMET.isBorrowCollateralized.read(at, owner, gas=GAS),
            _COMET.isSupplyPaused.read(at),
            _COMET.isWithdrawPaused.read(at),
            *(term.read(at) for term in _TERMS),
            _COMET.getPrice.read(at, base.source),
            _ERC20.balanceOf.read(base.asset, at),
            _COMET.balanceOf.read(at, owner),
        ]
        for x in others:
            reads += [
                _COMET.collateralBalanceOf.read(at, owner, x.asset),
                _COMET.getAssetInfo.read(at, x.index),
                _COMET.getPrice.read(at, x.source),
                _COMET.totalsCollateral.read(at, x.asset),
                _ERC20.balanceOf.read(x.asset, at),
            ]
        aged = [x for x in self.listings if x.feed]
        reads += [_FEED.latestRoundData.read(x.feed) for x in aged if x.feed]
        cut = len(reads)

        def decode(answers: Sequence[Answer]) -> LendingPosition:
            rounds = {
                x.asset: _FEED.latestRoundData.decode_or_none(a)
                for x, a in zip(aged, answers[cut - len(aged) : cut], strict=True)
            }
            (now,) = multicall3.timestamp().decode(answers[0])
            money = self.market.money_of(answers[cut:], now)
            if not money:
                what = f"nobody says what {self.market.money} is worth in dollars, which the market's prices are in"
                what += f": name a feed, price_safety.assets.{self.market.money}.feed, in the network file"
                raise ReadFailedError(Doubt(Reason.POSITION_UNREADABLE, what))
            return _position(self, name, block, answers[:cut], rounds, money)

        return Probe((*reads, *self.market.quoted.reads), decode)

    def witness(self, position: LendingPosition) -> tuple[Read, bytes] | None:
        """Return what the account owes, and what it was read to be: the other figures follow from prices."""
        owed = position.holding(self.market.base).borrowed
        return _COMET.borrowBalanceOf.read(self.market.comet, self.owner), owed.to_bytes(32, "big")

    def priced_at(self, there: LendingPosition, here: LendingPosition) -> Codes | None:
        """Return, in the place of each feed, one that answers the holding's price; None where an asset is the money."""
        if self.market.money is not None:
            return None
        return {h.price.source: price_source(h.price.answer) for h in moved(there, here)}

    def plain_feeds(self) -> Mapping[Address, Address]:
        """Return the assets that one feed alone prices."""
        return feeds_alone(self.listings)

    def trust_probe(self, signer: Address) -> Probe[bool | None]:
        """Return whether a signer is allowed: for all of the account in this market."""
        asked = _COMET.hasPermission.read(self.market.comet, self.owner, signer)
        return Probe((asked,), lambda answers: bool(_COMET.hasPermission.decode(answers[0])[0]))


def _position(
    of: CometAccount,
    name: str,
    block: BlockRef,
    answers: Sequence[Answer],
    rounds: dict[Address, tuple[int, ...] | None],
    money: int,
) -> LendingPosition:
    market, (base, *others) = of.market, of.listings
    (now,) = multicall3.timestamp().decode(answers[0])
    principal, _, _, low, high = _COMET.userBasic.decode(answers[1])
    ((supply_index, borrow_index, _, _, supplied, lent, accrued_at, _),) = _COMET.totalsBasic.decode(answers[2])
    if (low | high << EXTENDED) & ~sum(1 << x.index for x in others if x.index is not None):
        raise ScopeOutdatedError
    *curve, feed = (f.decode(a)[0] for f, a in zip(_TERMS, answers[8:_OF_ACCOUNT], strict=True))
    if Curve(*curve) != market.curve or address(feed) != base.source:
        raise ScopeOutdatedError  # another implementation: what is known of the market died with the old one
    totals, debt = Totals3(supply_index, borrow_index, supplied, lent, accrued_at), max(0, -principal)
    rate = market.curve.rate(totals.utilisation)
    index = totals.borrow_index_at(now, rate)
    owed = debt * index // INDEX
    _agree(owed, _COMET.borrowBalanceOf.word(answers[3]), "the debt")
    shut = [bool(_COMET.isSupplyPaused.decode(a)[0]) for a in answers[6:8]]
    used = Wad(totals.utilisation)
    price, cash, lent_by = answers[_OF_ACCOUNT : _OF_ACCOUNT + _OF_BASE]
    prices = [(base, _raw(base, price))]
    base_price = _price(base, prices[0][1], money, rounds)
    own = _base(market, base, base_price, owed, debt, rate, used, cash, shut)
    lent_now = _COMET.balanceOf.word(lent_by)
    _agree(bool(lent_now) and principal <= 0, False, "what is lent beside a debt")
    holdings = [replace(own, supplied=Amount(lent_now), principal=Principal(max(0, principal), debt))]
    for i, x in enumerate(others):
        begin = _OF_ACCOUNT + _OF_BASE + i * _OF_COLLATERAL
        mine = answers[begin : begin + _OF_COLLATERAL]
        prices.append((x, _raw(x, mine[2])))
        holdings.append(_collateral(x, _price(x, prices[-1][1], money, rounds), mine, shut))
    raw = tuple((x.asset, price, price * money // USD) for x, price in prices)
    model = CometModel(market.base, raw, money, debt, index, rate)
    found = _with_penalties(holdings, model)
    figures = model.figures(found)
    if accrued_at == now:
        collateralized = _COMET.isBorrowCollateralized
        _agree(figures.health_factor < WAD, bool(_COMET.isLiquidatable.decode(answers[4])[0]), "liquidation")
        _agree(figures.available_borrows >= 0, bool(collateralized.decode(answers[5])[0]), "the borrow limit")
    discounts = tuple((h.asset, h.penalty) for h in holdings if h.is_collateral)
    closes = replace(WHOLE, discounts=discounts)
    return LendingPosition(name, "compound_v3", of.owner, block, found, model, figures, closes=closes)


def _agree(ours: int, theirs: int, what: str) -> None:
    if ours != theirs:
        raise ReadFailedError(Doubt(Reason.FIGURES_DISAGREE, f"{what}: ours {ours}, the market's {theirs}"))


def _raw(listing: CometListing, answer: Answer) -> int:
    if answer is None:
        raise ReadFailedError(Doubt(Reason.PRICE_NOT_POSITIVE, f"the market has no price for {listing.symbol}"))
    return _COMET.getPrice.word(answer)


def _price(listing: CometListing, raw: int, money: int, rounds: dict[Address, tuple[int, ...] | None]) -> OraclePrice:
    stated = rounds.get(listing.asset)
    updated, round_id = (stated[3], stated[0]) if stated else (None, None)
    answer = raw * money // USD
    return OraclePrice(listing.asset, listing.symbol, answer, listing.source, updated, round_id, listing.heartbeat_s)


def _base(
    market: CometMarket,
    listing: CometListing,
    price: OraclePrice,
    owed: int,
    principal: int,
    rate: int,
    used: Wad,
    cash: Answer,
    shut: Sequence[bool],
) -> Holding:
    why = Barred(Reason.RESERVE_UNAVAILABLE, f"{listing.symbol} is lent in this market, and secures nothing there")
    paused = Barred(Reason.RESERVE_UNAVAILABLE, f"{market.name} is paused")
    return Holding(
        asset=listing.asset,
        symbol=listing.symbol,
        decimals=listing.decimals,
        price=price,
        supplied=Amount(0),
        borrowed=Amount(owed),
        is_collateral=False,
        liquidation_factor=Wad(0),
        borrow_factor=Wad(0),
        penalty=Wad(0),
        room=Room(
            why, why, paused if shut[1] else Amount(_ERC20.balanceOf.decode(cash)[0]), paused if shut[0] else ALL
        ),
        principal=Principal(0, principal),
        rates=Rates(Wad(0), Wad(rate * YEAR_S), used),
        least_debt=market.least_debt,
    )


def _collateral(listing: CometListing, price: OraclePrice, answers: Sequence[Answer], shut: Sequence[bool]) -> Holding:
    supplied = _COMET.collateralBalanceOf.word(answers[0])
    ((_, asset, source, _, borrow, liquidate, liquidation, cap),) = _COMET.getAssetInfo.decode(answers[1])
    if (address(asset), address(source)) != (listing.asset, listing.source):
        raise ScopeOutdatedError
    total, _ = _COMET.totalsCollateral.decode(answers[3])
    why = Barred(Reason.RESERVE_UNAVAILABLE, f"{listing.symbol} is collateral in this market, which is not lent")
    paused = Barred(Reason.RESERVE_UNAVAILABLE, listing.symbol)
    full = Barred(Reason.CAP_REACHED, listing.symbol)
    room = Amount(max(0, cap - total)) if cap > total else full
    return Holding(
        asset=listing.asset,
        symbol=listing.symbol,
        decimals=listing.decimals,
        price=price,
        supplied=Amount(supplied),
        borrowed=Amount(0),
        is_collateral=True,
        liquidation_factor=Wad(liquidate),
        borrow_factor=Wad(borrow),
        penalty=Wad(max(0, WAD - liquidation)),
        room=Room(paused if shut[0] else room, paused if shut[1] else ALL, why, why),
        principal=Principal(supplied, 0),
        rates=NOTHING,
    )


def _with_penalties(holdings: Sequence[Holding], model: CometModel) -> tuple[Holding, ...]:
    """Return them with what an absorption costs as a share of the *debt*: it takes the discount of all collateral."""
    worth = sum(h.usd_down(h.supplied) for h in holdings)
    owed = sum(h.usd_up(h.borrowed) for h in holdings)
    if not owed:
        return tuple(holdings)
    return tuple(replace(h, penalty=Wad(mul_div_up(h.penalty, max(worth, owed), owed))) for h in holdings)
