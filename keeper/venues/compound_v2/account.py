"""One account of the Compound v2 family at one block: which reads it takes, what their answers mean.

The comptroller's view of an account is as of the last touch of each token, and too kind. One read is a call of
Multicall3 that accrues every token that matters first, and asks then: what it says is what a liquidator's call finds.
What the comptroller says is left or missing must be ours, to the unit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from keeper.core.lending.closing import CloseRule
from keeper.core.lending.position import Barred, Holding, LendingPosition, Principal, Rates, Room
from keeper.core.prices import Doubt, OraclePrice
from keeper.core.reasons import Reason
from keeper.core.snapshot import BlockRef
from keeper.core.units import BPS, UINT256_MAX, WAD, Address, Amount, Bps, Usd, Wad, mul_div_up
from keeper.venues.codec.abi import Function, address, load
from keeper.venues.compound_v2.events import V2Chronicle
from keeper.venues.compound_v2.model import V2Model, V2Terms, truncated
from keeper.venues.contracts import multicall3
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
)

if TYPE_CHECKING:
    from keeper.venues.compound_v2.market import V2Listing, V2Market

_COMPTROLLER, _TOKEN = load("compound_v2_comptroller"), load("compound_v2_token")
_ORACLE, _FEED = load("compound_v2_oracle"), load("chainlink_feed")
ALL = Amount(UINT256_MAX)
BY_BORROWING, BY_LIQUIDATION = 0, 1
MINT, REDEEM, BORROW, REPAY = range(4)
ENTER = 7
_OF_ACCOUNT, _OF_ASSET = 7, 23
YEAR_S = 365 * 86_400
GAS_OF_ASSET, GAS = 500_000, 300_000


@dataclass(frozen=True, slots=True)
class V2Account:
    """An owner's account, and the assets that matter to it."""

    market: V2Market
    owner: Address
    listings: tuple[V2Listing, ...]
    settles: Settles = AT_ONCE

    @property
    def chronicle(self) -> Chronicle:
        """The tokens' events about the account."""
        return V2Chronicle(self.listings, self.owner)

    def probe(self, name: str, block: BlockRef) -> Probe[LendingPosition]:
        """Return the read of the account, and the ages of its prices."""
        aged = [x for x in self.listings if x.feed]
        ages = tuple(_FEED.latestRoundData.read(x.feed) for x in aged if x.feed)

        def decode(answers: Sequence[Answer]) -> LendingPosition:
            rounds = {x.asset: _FEED.latestRoundData.decode_or_none(a) for x, a in zip(aged, answers[1:], strict=True)}
            return _position(self, name, block, self._inside(answers[0]), rounds)

        return Probe((self._read(), *ages), decode)

    def witness(self, position: LendingPosition) -> tuple[Read, bytes] | None:
        """Return nothing that one call of another node could be held against: it is asked the figures themselves."""
        return None

    def priced_at(self, there: LendingPosition, here: LendingPosition) -> Codes | None:
        """Return nothing known: one oracle answers for every asset, so its code stands for no single price."""
        same = {h.asset: h.price.answer for h in here.holdings}
        return {} if all(same.get(h.asset) == h.price.answer for h in there.holdings) else None

    def plain_feeds(self) -> Mapping[Address, Address]:
        """Return nothing: between a feed and a price stands the oracle."""
        return {}

    def trust_probe(self, signer: Address) -> Probe[bool | None]:
        """Return whether a signer may borrow and redeem for the owner; None where the family's member has no such."""
        asked = _COMPTROLLER.approvedDelegates.read(self.market.comptroller, self.owner, signer)

        def decode(answers: Sequence[Answer]) -> bool | None:
            found = _COMPTROLLER.approvedDelegates.decode_or_none(answers[0])
            return bool(found[0]) if found else None

        return Probe((asked,), decode)

    def _read(self) -> Read:
        of, owner = self.market, self.owner
        reads = [_TOKEN.accrueInterest.read(x.token) for x in self.listings]
        reads += [
            multicall3.timestamp().read(of.multicall),
            _COMPTROLLER.getAssetsIn.read(of.comptroller, owner),
            _COMPTROLLER.getAccountLiquidity.read(of.comptroller, owner),
            _COMPTROLLER.getBorrowingPower.read(of.comptroller, owner),
            _COMPTROLLER.liquidationIncentiveMantissa.read(of.comptroller),
            _COMPTROLLER.treasuryPercent.read(of.comptroller),
            _COMPTROLLER.closeFactorMantissa.read(of.comptroller),
        ]
        for x in self.listings:
            reads += [
                _TOKEN.getAccountSnapshot.read(x.token, owner),
                _ORACLE.getUnderlyingPrice.read(of.oracle, x.token),
                _COMPTROLLER.markets.read(of.comptroller, x.token),
                _COMPTROLLER.getEffectiveLtvFactor.read(of.comptroller, owner, x.token, BY_BORROWING),
                _COMPTROLLER.getEffectiveLtvFactor.read(of.comptroller, owner, x.token, BY_LIQUIDATION),
                _COMPTROLLER.getEffectiveLiquidationIncentive.read(of.comptroller, owner, x.token),
                _TOKEN.getCash.read(x.token),
                _TOKEN.totalBorrows.read(x.token),
                _TOKEN.totalReserves.read(x.token),
                _TOKEN.totalSupply.read(x.token),
                _TOKEN.borrowRatePerBlock.read(x.token),
                _TOKEN.supplyRatePerBlock.read(x.token),
                _COMPTROLLER.supplyCaps.read(of.comptroller, x.token),
                *(_COMPTROLLER.actionPaused.read(of.comptroller, x.token, a) for a in (MINT, REDEEM, BORROW, REPAY)),
                *(f.read(x.token) for f in _BY_SECOND),
                *(f.read(of.comptroller, x.token) for f in _GUARDIAN_S),
                _TOKEN.borrowIndex.read(x.token),
                _COMPTROLLER.actionPaused.read(of.comptroller, x.token, ENTER),
            ]
        return Read(of.multicall, multicall3.encode(tuple(reads)), GAS + GAS_OF_ASSET * len(self.listings))

    def _inside(self, answer: Answer) -> Sequence[Answer]:
        count = len(self.listings)
        if answer is None:
            raise _unreadable("Multicall3 did not answer for the comptroller")
        try:
            found = multicall3.decode(answer, count + _OF_ACCOUNT + count * _OF_ASSET)
        except multicall3.BadAnswerError as error:
            raise _unreadable(f"Multicall3 answered nonsense for the comptroller ({error})") from None
        for x, accrued in zip(self.listings, found, strict=False):
            code = _TOKEN.accrueInterest.decode_or_none(accrued)
            if code is None or code[0]:
                raise _unreadable(f"no interest accrues for {x.symbol}")
        return found[count:]


def _unreadable(what: str) -> ReadFailedError:
    return ReadFailedError(Doubt(Reason.POSITION_UNREADABLE, what))


def _position(
    of: V2Account,
    name: str,
    block: BlockRef,
    answers: Sequence[Answer],
    rounds: dict[Address, tuple[int, ...] | None],
) -> LendingPosition:
    entered = {address(a) for a in _COMPTROLLER.getAssetsIn.decode(answers[1])[0]}
    if entered - {x.token for x in of.listings}:
        raise ScopeOutdatedError
    incentive = _COMPTROLLER.liquidationIncentiveMantissa.decode_or_none(answers[4])
    fee = _COMPTROLLER.treasuryPercent.decode_or_none(answers[5])
    holdings, terms = list[Holding](), dict[Address, V2Terms]()
    for i, x in enumerate(of.listings):
        begin = _OF_ACCOUNT + i * _OF_ASSET
        mine = answers[begin : begin + _OF_ASSET]
        held, known = _asset(of, x, mine, x.token in entered, rounds, (incentive or (WAD,))[0], bool(fee and fee[0]))
        holdings.append(held)
        terms[x.asset] = known
    model, found = V2Model(terms), tuple(holdings)
    _agree(model.liquidity(found), _COMPTROLLER.getAccountLiquidity.decode(answers[2]), "liquidity")
    power = _COMPTROLLER.getBorrowingPower.decode_or_none(answers[3])
    if power is not None:
        _agree(model.liquidity(found, by_borrow_limit=True), power, "borrowing power")
    part = _COMPTROLLER.closeFactorMantissa.decode_or_none(answers[6])
    closes = CloseRule(Bps(min(BPS, mul_div_up(part[0], BPS, WAD))), Wad(0), Usd(0)) if part else None
    return LendingPosition(name, "compound_v2", of.owner, block, found, model, model.figures(found), closes=closes)


def _agree(ours: tuple[int, int], theirs: Sequence[int], what: str) -> None:
    if theirs[0]:
        raise _unreadable(f"the comptroller does not judge the account: error {theirs[0]}")
    if ours != tuple(theirs[1:]):
        raise ReadFailedError(Doubt(Reason.FIGURES_DISAGREE, f"{what}: ours {ours}, the comptroller's {theirs[1:]}"))


def _asset(
    of: V2Account,
    x: V2Listing,
    answers: Sequence[Answer],
    is_entered: bool,
    rounds: dict[Address, tuple[int, ...] | None],
    incentive: int,
    has_fee: bool,
) -> tuple[Holding, V2Terms]:
    error, tokens, owed, exchange = _TOKEN.getAccountSnapshot.decode(answers[0])
    price = (_ORACLE.getUnderlyingPrice.decode_or_none(answers[1]) or (0,))[0]
    is_listed, factor = _COMPTROLLER.markets.decode(answers[2])
    if error or not exchange:
        raise _unreadable(f"{x.symbol} does not say what the account has")
    if not price and (tokens or owed):
        raise ReadFailedError(Doubt(Reason.PRICE_NOT_POSITIVE, f"the oracle has no price for {x.symbol}"))
    by_borrowing, by_liquidation, own = (_optional(f, a) for f, a in zip(_FACTORS, answers[3:6], strict=True))
    cash, lent, reserves, total = (f.word(a) for f, a in zip(_TOTALS, answers[6:10], strict=True))
    rate, earns = _rates(of, answers)
    said = [_optional(_COMPTROLLER.actionPaused, a) for a in answers[13:17]]
    minting, borrowing = (_optional(f, a) for f, a in zip(_GUARDIAN_S, answers[19:21], strict=True))
    paused = [bool(said[MINT] or minting), bool(said[REDEEM]), bool(said[BORROW] or borrowing), bool(said[REPAY])]
    answer = price * 10**x.decimals // 10**28
    stated = rounds.get(x.asset)
    updated, round_id = (stated[3], stated[0]) if stated else (None, None)
    there = cash + lent - reserves
    used = Wad(min(WAD, lent * WAD // there) if there > 0 else 0)
    cap, supplied = _optional(_COMPTROLLER.supplyCaps, answers[12]), truncated(total, exchange)
    if not cap and said[MINT] is None:
        cap = None  # who pauses by its guardian alone means by a cap of zero that there is none
    room = _room(x, is_entered and is_listed, paused, cash, cap, supplied, has_fee)
    may_enter = is_listed and not (is_entered or paused[MINT] or _optional(_COMPTROLLER.actionPaused, answers[22]))
    holding = Holding(
        asset=x.asset,
        symbol=x.symbol,
        decimals=x.decimals,
        price=OraclePrice(x.asset, x.symbol, answer, x.source, updated, round_id, x.heartbeat_s),
        supplied=Amount(truncated(tokens, exchange)),
        borrowed=Amount(owed),
        is_collateral=is_entered,
        liquidation_factor=Wad(factor if by_liquidation is None else by_liquidation),
        borrow_factor=Wad(factor if by_borrowing is None else by_borrowing),
        penalty=Wad(max(0, (own or incentive) - WAD)),
        room=replace(room, pledged=_left(cap, supplied)) if may_enter else room,
        principal=Principal(tokens, mul_div_up(owed, WAD, _TOKEN.borrowIndex.word(answers[21])), within=1),
        rates=Rates(Wad(earns), Wad(rate), used),
    )
    return holding, V2Terms(price, answer, exchange)


_FACTORS = (
    _COMPTROLLER.getEffectiveLtvFactor,
    _COMPTROLLER.getEffectiveLtvFactor,
    _COMPTROLLER.getEffectiveLiquidationIncentive,
)
_TOTALS = (
    _TOKEN.getCash,
    _TOKEN.totalBorrows,
    _TOKEN.totalReserves,
    _TOKEN.totalSupply,
)
_BY_BLOCK = (_TOKEN.borrowRatePerBlock, _TOKEN.supplyRatePerBlock)
_BY_SECOND = (_TOKEN.borrowRatePerTimestamp, _TOKEN.supplyRatePerTimestamp)
"""Moonwell and Benqi count in seconds, and their tokens have no other."""
_GUARDIAN_S = (_COMPTROLLER.mintGuardianPaused, _COMPTROLLER.borrowGuardianPaused)
"""Pauses of members that cannot pause redeeming or repaying."""


def _rates(of: V2Account, answers: Sequence[Answer]) -> tuple[int, int]:
    """Return what borrowing costs and lending earns in a year. Raises ReadFailedError where nobody says."""
    by_second = [f.decode_or_none(a) for f, a in zip(_BY_SECOND, answers[17:19], strict=True)]
    if by_second[0] and by_second[1]:
        return by_second[0][0] * YEAR_S, by_second[1][0] * YEAR_S
    costs, earns = (f.word(a) for f, a in zip(_BY_BLOCK, answers[10:12], strict=True))
    return costs * of.market.blocks_per_year, earns * of.market.blocks_per_year


def _optional(function: Function, answer: Answer) -> int | None:
    """Return what a member of the family that has the function says; None where it has not."""
    found = function.decode_or_none(answer)
    return int(found[0]) if found else None


def _left(cap: int | None, supplied: int) -> Amount:
    """Return how much its cap still lets in."""
    return ALL if cap is None else Amount(max(0, cap - supplied))


def _room(
    x: V2Listing, secures: bool, paused: Sequence[bool], cash: int, cap: int | None, supplied: int, has_fee: bool
) -> Room:
    shut = Barred(Reason.RESERVE_UNAVAILABLE, f"{x.symbol} is paused")
    outside = Barred(Reason.RESERVE_UNAVAILABLE, f"{x.symbol} was not entered as collateral: enterMarkets comes first")
    full, fee = Barred(Reason.CAP_REACHED, x.symbol), Barred(Reason.RESERVE_UNAVAILABLE, "what is redeemed pays a fee")
    left = _left(cap, supplied)
    if x.is_native:
        unsold = Barred(
            Reason.RESERVE_UNAVAILABLE, f"{x.symbol} is the chain's own currency, which no pool takes as it is"
        )
        paid_in = shut if paused[MINT] else outside if not secures else left or full
        return Room(paid_in, unsold, unsold, shut if paused[REPAY] else ALL)
    return Room(
        shut if paused[MINT] else outside if not secures else left or full,
        shut if paused[REDEEM] else fee if has_fee else Amount(cash),
        shut if paused[BORROW] else Amount(cash),
        shut if paused[REPAY] else ALL,
    )
