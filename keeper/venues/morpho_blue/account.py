"""One account in one market at one block: which reads it takes, what their answers mean, what its logs say.

The contract keeps totals as of their last update. They are brought to the block by the contract itself: one read is a
call of Multicall3 that accrues the interest first, and then asks. So every rate model is right, and other nodes can be
asked the very same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from keeper.core.lending.figures import moved
from keeper.core.lending.position import Barred, Holding, LendingPosition, Principal, Rates, Room
from keeper.core.prices import Doubt, OraclePrice, Quoted, best
from keeper.core.reasons import Reason
from keeper.core.snapshot import BlockRef
from keeper.core.units import UINT256_MAX, WAD, Address, Amount, Wad
from keeper.venues.codec.abi import load
from keeper.venues.contracts import multicall3
from keeper.venues.feeds.fixed_price import price_source
from keeper.venues.morpho_blue.arithmetic import YEAR_S, Totals, average_rate, curve, incentive
from keeper.venues.morpho_blue.events import MorphoChronicle
from keeper.venues.morpho_blue.model import MorphoModel, Quotation
from keeper.venues.morpho_blue.prices import Age, age_of, age_reads
from keeper.venues.ports import (
    AT_ONCE,
    Answer,
    Chronicle,
    Codes,
    Probe,
    Read,
    ReadFailedError,
    Settles,
    TornReadError,
    feeds_alone,
)

if TYPE_CHECKING:
    from keeper.venues.listings import MarketToken
    from keeper.venues.morpho_blue.market import MorphoMarket

_BLUE, _ORACLE = load("morpho_blue"), load("morpho_blue_oracle")
_IRM = load("morpho_blue_irm")
ALL = Amount(UINT256_MAX)
GAS = 300_000
"""What the one read takes, roughly: accruing is a write."""
_INSIDE = 7


@dataclass(frozen=True, slots=True)
class MorphoAccount:
    """An owner's account in a market."""

    market: MorphoMarket
    owner: Address
    usual_rate: int | None = None
    """Of a second, as it was when the account was found: for a block in which the market was just updated."""
    settles: Settles = AT_ONCE

    @property
    def listings(self) -> tuple[MarketToken, MarketToken]:
        """Collateral and loan: both always matter."""
        return self.market.listings

    @property
    def chronicle(self) -> Chronicle:
        """The contract's events about the account."""
        return MorphoChronicle(self.market, self.owner)

    def probe(self, name: str, block: BlockRef) -> Probe[LendingPosition]:
        """Return the read of the account, the ages of its prices, and what the loan is worth."""
        market = self.market
        feeds = (*market.base_feeds, *market.quote_feeds) or tuple(x.feed for x in market.listings[:1] if x.feed)
        ages = age_reads(feeds)

        def decode(answers: Sequence[Answer]) -> LendingPosition:
            seen = _seen(answers[0], self.usual_rate, len(market.pre_liquidations))
            age = self._age(answers[1 : 1 + len(ages)])
            dollars = best(market.quoted.decode(answers[1 + len(ages) :]), seen.now)
            if dollars is None:
                raise _unreadable(self._without_dollars())
            return self._position(name, block, seen, age, dollars)

        return Probe((self._read(), *ages, *market.quoted.reads), decode)

    def witness(self, position: LendingPosition) -> tuple[Read, bytes] | None:
        """Return the read of the account, and what it answered where the position was read."""
        model = position.model
        return (self._read(), model.answer) if isinstance(model, MorphoModel) and model.answer else None

    def priced_at(self, there: LendingPosition, here: LendingPosition) -> Codes | None:
        """Return, in the oracle's place, one that answers as it would at the position's prices."""
        model = there.model
        if not isinstance(model, MorphoModel):
            return None
        says = price_source(model.oracle_price(there.holdings))
        return {self.market.params.oracle: says} if moved(there, here) else {}

    def plain_feeds(self) -> Mapping[Address, Address]:
        """Return the assets that one feed alone prices."""
        return feeds_alone(self.listings)

    def trust_probe(self, signer: Address) -> Probe[bool | None]:
        """Return whether a signer is authorised: for all of the owner's account, in every market."""
        asked = _BLUE.isAuthorized.read(self.market.blue, self.owner, signer)
        return Probe((asked,), lambda answers: bool(_BLUE.isAuthorized.decode(answers[0])[0]))

    # --- the one read ------------------------------------------------------------------------------------------------

    def _read(self) -> Read:
        of, id_ = self.market, bytes.fromhex(self.market.id[2:])
        inside = (
            multicall3.timestamp().read(of.multicall),
            _BLUE.market.read(of.blue, id_),
            _BLUE.accrueInterest.read(of.blue, of.params.words),
            _BLUE.market.read(of.blue, id_),
            _BLUE.position.read(of.blue, id_, self.owner),
            _ORACLE.price.read(of.params.oracle),
            _IRM.rateAtTarget.read(of.params.irm, id_),
            *(_BLUE.isAuthorized.read(of.blue, self.owner, line.contract) for line in of.pre_liquidations),
        )
        return Read(of.multicall, multicall3.encode(inside), GAS)

    def _position(self, name: str, block: BlockRef, seen: _Seen, age: Age, dollars: Quoted) -> LendingPosition:
        market, params = self.market, self.market.params
        collateral, loan = market.listings
        worth = seen.price * dollars.answer // market.scale
        quotation = Quotation(seen.price, worth, dollars.answer)
        model = MorphoModel(
            params.collateral,
            params.loan,
            int(10**loan.decimals),
            params.lltv,
            quotation,
            seen.after,
            seen.shares,
            seen.rate,
            seen.answer,
        )
        ages = age.updated_at, age.round_id, age.heartbeat_s
        first = OraclePrice(collateral.asset, collateral.symbol, worth, params.oracle, *ages)
        stated = dollars.updated_at, None, dollars.heartbeat_s
        second = OraclePrice(loan.asset, loan.symbol, dollars.answer, params.oracle, *stated)
        holdings = _pledged(collateral, first, seen, params.lltv), _owed(loan, second, seen)
        lines = tuple(
            line.line(params.lltv, is_let=is_let)
            for line, is_let in zip(market.pre_liquidations, seen.let, strict=True)
        )
        figures = model.figures(holdings)
        return LendingPosition(name, "morpho_blue", self.owner, block, holdings, model, figures, second_lines=lines)

    def _age(self, answers: Sequence[Answer]) -> Age:
        collateral, loan = self.market.listings
        beats = [collateral.heartbeat_s] * len(self.market.base_feeds) + [loan.heartbeat_s] * len(
            self.market.quote_feeds
        )
        return age_of(answers, beats or [collateral.heartbeat_s] * len(answers), collateral.heartbeat_s)

    def _without_dollars(self) -> str:
        loan = self.market.listings[1]
        return (
            f"nobody says what {loan.symbol} is worth in dollars, so no limit could be kept: "
            f"name a feed of it in the network file, price_safety.assets.{loan.symbol}.feed"
        )


@dataclass(frozen=True, slots=True)
class _Seen:
    """What the one read answered."""

    now: int
    after: Totals
    shares: int
    collateral: int
    price: int
    rate: int
    answer: bytes
    let: tuple[bool, ...] = ()
    """By pre-liquidation contract: whether the owner let it act."""


def _seen(answer: Answer, usual: int | None, lines: int) -> _Seen:
    """Return what the read says. Raises ReadFailedError where a figure is missing or interest was not accrued."""
    if answer is None:
        raise _unreadable("Multicall3 did not answer for Morpho")
    try:
        inside = multicall3.decode(answer, _INSIDE + lines)
    except multicall3.BadAnswerError as error:
        raise _unreadable(f"Multicall3 answered nonsense for Morpho ({error})") from None
    (now,) = multicall3.timestamp().decode(inside[0])
    before, after = (Totals(*_BLUE.market.decode(inside[i])) for i in (1, 3))
    _, shares, collateral = _BLUE.position.decode(inside[4])
    if after.updated > now:
        raise TornReadError
    if after.updated != now:
        raise _unreadable("the market's rate model does not answer: no interest accrues")
    if inside[5] is None:
        raise ReadFailedError(Doubt(Reason.PRICE_NOT_POSITIVE, "the market's oracle has no price"))
    (price,) = _ORACLE.price.decode(inside[5])
    at_target = _IRM.rateAtTarget.decode_or_none(inside[6])
    found = curve(at_target[0], after) if at_target else average_rate(before, after)
    rate = usual if found is None else found
    if rate is None:
        raise _unreadable("the market's rate model does not say what a debt costs")
    let = tuple(bool((_BLUE.isAuthorized.decode_or_none(said) or (0,))[0]) for said in inside[_INSIDE:])
    return _Seen(now, after, shares, collateral, price, rate, answer, let)


def _unreadable(what: str) -> ReadFailedError:
    return ReadFailedError(Doubt(Reason.POSITION_UNREADABLE, what))


def _pledged(listing: MarketToken, price: OraclePrice, seen: _Seen, lltv: Wad) -> Holding:
    why = Barred(Reason.RESERVE_UNAVAILABLE, f"{listing.symbol} is this market's collateral, which is not lent")
    return Holding(
        asset=listing.asset,
        symbol=listing.symbol,
        decimals=listing.decimals,
        price=price,
        supplied=Amount(seen.collateral),
        borrowed=Amount(0),
        is_collateral=True,
        liquidation_factor=lltv,
        borrow_factor=lltv,
        penalty=Wad(incentive(lltv) - WAD),
        room=Room(ALL, ALL, why, why),
        principal=Principal(seen.collateral, 0),
        rates=Rates(Wad(0), Wad(0), Wad(0)),
    )


def _owed(listing: MarketToken, price: OraclePrice, seen: _Seen) -> Holding:
    why = Barred(Reason.RESERVE_UNAVAILABLE, f"{listing.symbol} is lent in this market, and secures nothing there")
    owed, used = seen.after.owed(seen.shares), seen.after.utilisation
    yearly = seen.rate * YEAR_S
    return Holding(
        asset=listing.asset,
        symbol=listing.symbol,
        decimals=listing.decimals,
        price=price,
        supplied=Amount(0),
        borrowed=owed,
        is_collateral=False,
        liquidation_factor=Wad(0),
        borrow_factor=Wad(0),
        penalty=Wad(0),
        room=Room(why, why, seen.after.liquidity, ALL),
        principal=Principal(0, seen.shares),
        rates=Rates(Wad(yearly * used // WAD * (WAD - seen.after.fee) // WAD), Wad(yearly), used),
    )
