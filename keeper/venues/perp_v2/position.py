"""Perpetual Protocol v2: a cross-margin account at one block, as a taker.

Dollars, sizes and prices have 18 decimals; the account's value is rounded down to the collateral's unit by the
contract. Accounts that provide liquidity or hold a second collateral of any worth are refused, not guessed; a little of
one, which anybody may deposit for others, counts as nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice

from keeper.core.perp.margin import equity, notional
from keeper.core.perp.position import FACTOR, Factor, MarginBasis, PerpFigures, PerpLeg, PerpPosition
from keeper.core.prices import Doubt, OraclePrice
from keeper.core.reasons import Reason
from keeper.core.snapshot import BlockRef
from keeper.core.units import USD, WAD, Address, Amount, mul_div_down, mul_div_up
from keeper.venues.codec.abi import address, load
from keeper.venues.perp_v2 import marks
from keeper.venues.perp_v2.markets import Q96, RATIO, PerpV2Deployment, PerpV2Market, PerpV2Scope
from keeper.venues.ports import Answer, Probe, Read, ReadFailedError, ScopeOutdatedError

_HOUSE = load("perp_v2_clearing_house")
_VAULT = load("perp_v2_vault")
_BALANCE = load("perp_v2_account_balance")
_EXCHANGE = load("perp_v2_exchange")
_BOOK = load("perp_v2_order_book")
_CONFIG = load("perp_v2_config")
_BASE = load("perp_v2_base_token")
_FEED = load("perp_v2_price_feed")
_CHAINLINK = load("chainlink_feed")

_MARKS = 11
"""Where the reads for ``marks`` begin."""
DUST = 10
"""A smaller size counts as none (AccountBalance ``_DUST``)."""
DAYS = 365
LITTLE = 100
"""A second collateral is a little up to this part of the account's worth, or up to a dollar."""


def position_probe(deployment: PerpV2Deployment, scope: PerpV2Scope, name: str, block: BlockRef) -> Probe[PerpPosition]:
    """Return the probe of an account.

    Decoding raises ReadFailedError when a figure is missing or the account has what is not reckoned here (liquidity,
    a second collateral), ScopeOutdatedError when it is in a market that was not read.
    """
    account = _account_reads(deployment, scope.owner)
    reads = account + [read for m in scope.markets for read in _market_reads(deployment, scope.owner, m)]
    per_market = (len(reads) - len(account)) // max(1, len(scope.markets))

    def decode(answers: Sequence[Answer]) -> PerpPosition:
        given = iter(answers)
        found = _account(deployment, scope, list(islice(given, len(account))))
        legs = tuple(_leg(m, list(islice(given, per_market)), found.most_funding) for m in scope.markets)
        position = PerpPosition(
            name=name,
            venue="perp_v2",
            owner=scope.owner,
            block=block,
            is_cross=True,
            usd_unit=WAD,
            legs=legs,
            collateral=deployment.collateral,
            collateral_symbol=deployment.collateral_symbol,
            collateral_decimals=deployment.collateral_decimals,
            collateral_price=WAD,
            margin=found.margin,
            indexed_margin=0,
            free_margin=found.free,
            basis=MarginBasis.NOTIONAL,
            initial=found.initial,
            maintenance=found.maintenance,
            least_requirement=0,
            reported=found.figures,
            equity_step=deployment.unit,
            penalty=found.penalty,
        )
        return _without_gifts(position, found.others) if found.others else position

    return Probe(tuple(reads), decode)


def worth_read(deployment: PerpV2Deployment, owner: Address) -> Read:
    """Return the read of what an account is worth."""
    return _HOUSE.getAccountValue.read(deployment.clearing_house, owner)


def free_margin(position: PerpPosition) -> Amount:
    """Return what may be withdrawn by the contract's rule, in collateral units, rounded down.

    ``Vault._getFreeCollateralByRatio``: the smaller of collateral and worth, less the initial margin of what is owed:
    quote of the longs net of the shorts', and base of the shorts at the mark price.
    """
    collateral = position.margin - sum(leg.funding_owed for leg in position.legs)
    quote = sum(-leg.entry_notional if leg.size >= 0 else leg.entry_notional for leg in position.legs)
    shorts = sum(notional(leg) for leg in position.legs if leg.size < 0)
    longs = sum(notional(leg) for leg in position.legs if leg.size > 0)
    debt = max(0, -quote) + shorts
    worth = collateral + quote + longs - shorts
    free = min(collateral, worth) - mul_div_down(debt, position.initial, FACTOR)
    return Amount(max(0, free) // position.equity_step)


# --- the account -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Account:
    margin: int
    free: Amount
    figures: PerpFigures
    initial: Factor
    maintenance: Factor
    most_funding: int
    penalty: Factor
    others: int
    """Kinds of collateral beside the settlement token."""


def _account_reads(deployment: PerpV2Deployment, owner: Address) -> list[Read]:
    return [
        _VAULT.getBalance.read(deployment.vault, owner),
        _BALANCE.getPnlAndPendingFee.read(deployment.account_balance, owner),
        _VAULT.getFreeCollateral.read(deployment.vault, owner),
        _VAULT.getCollateralTokens.read(deployment.vault, owner),
        _BALANCE.getBaseTokens.read(deployment.account_balance, owner),
        _HOUSE.getAccountValue.read(deployment.clearing_house, owner),
        _BALANCE.getMarginRequirementForLiquidation.read(deployment.account_balance, owner),
        _CONFIG.getImRatio.read(deployment.config),
        _CONFIG.getMmRatio.read(deployment.config),
        _CONFIG.getMaxFundingRate.read(deployment.config),
        _CONFIG.getLiquidationPenaltyRatio.read(deployment.config),
    ]


_ACCOUNT = (
    _VAULT.getBalance,
    _BALANCE.getPnlAndPendingFee,
    _VAULT.getFreeCollateral,
    _VAULT.getCollateralTokens,
    _BALANCE.getBaseTokens,
    _HOUSE.getAccountValue,
    _BALANCE.getMarginRequirementForLiquidation,
    _CONFIG.getImRatio,
    _CONFIG.getMmRatio,
    _CONFIG.getMaxFundingRate,
    _CONFIG.getLiquidationPenaltyRatio,
)


def _account(deployment: PerpV2Deployment, scope: PerpV2Scope, answers: Sequence[Answer]) -> _Account:
    found = tuple(f.decode(a) for f, a in zip(_ACCOUNT, answers, strict=True))
    (balance,), (realized, _, _), (free,), (others,), (tokens,), (value,), (needed,), *shares = found
    (initial,), (kept,), (most,), (penalty,) = shares
    if not {address(t) for t in tokens} <= {m.base_token for m in scope.markets}:
        raise ScopeOutdatedError
    return _Account(
        margin=balance * deployment.unit + realized,
        free=Amount(free),
        figures=PerpFigures(value, needed),
        initial=Factor(initial * (FACTOR // RATIO)),
        maintenance=Factor(kept * (FACTOR // RATIO)),
        most_funding=most,
        penalty=Factor(penalty * (FACTOR // RATIO)),
        others=len(others),
    )


def _without_gifts(position: PerpPosition, others: int) -> PerpPosition:
    """Return the account as if it held the settlement token alone. ReadFailedError where the rest is of any worth.

    ``Vault.depositFor`` lets anybody put a wei of another collateral into an account: that must blind nobody.
    """
    stated, own = position.reported, equity(position)
    if not 0 <= stated.equity - own <= max(WAD, stated.equity // LITTLE):
        raise _refused(f"the account holds {others} collaterals beside {position.collateral_symbol}")
    return replace(position, reported=replace(stated, equity=own), gifts=stated.equity - own)


def _refused(detail: str) -> ReadFailedError:
    return ReadFailedError(Doubt(Reason.POSITION_UNREADABLE, detail))


# --- a market --------------------------------------------------------------------------------------------------------


def _market_reads(deployment: PerpV2Deployment, owner: Address, market: PerpV2Market) -> list[Read]:
    """The first three are the account's; the rest is shared by all accounts in the market, the last for ``marks``."""
    base, interval = market.base_token, deployment.twap_interval_s
    return [
        _BALANCE.getAccountInfo.read(deployment.account_balance, owner, base),
        _EXCHANGE.getPendingFundingPayment.read(deployment.exchange, owner, base),
        _BOOK.getOpenOrderIds.read(deployment.order_book, owner, base),
        _BASE.isOpen.read(base),
        _BALANCE.getMarkPrice.read(deployment.account_balance, base),
        _BASE.getIndexPrice.read(base, 0),
        _BASE.getIndexPrice.read(base, interval),
        _EXCHANGE.getSqrtMarketTwapX96.read(deployment.exchange, base, interval),
        _BASE.getClosedPrice.read(base),
        _CHAINLINK.latestRoundData.read(market.named_feed)
        if market.named_feed
        else _FEED.getLatestOrCachedPrice.read(market.feed or market.prices),
        _FEED.isToUseUniswapV3PriceFeed.read(market.prices),
        *marks.reads(deployment, market),
    ]


def _leg(market: PerpV2Market, answers: Sequence[Answer], most_funding: int) -> PerpLeg:
    ((size, open_notional, _),) = _BALANCE.getAccountInfo.decode(answers[0])
    (funding,) = _EXCHANGE.getPendingFundingPayment.decode(answers[1])
    (orders,) = _BOOK.getOpenOrderIds.decode(answers[2])
    (is_open,), (index,) = _BASE.isOpen.decode(answers[3]), _BASE.getIndexPrice.decode(answers[5])
    if orders:
        raise _refused(f"the account provides liquidity to {market.symbol} ({len(orders)} orders)")
    if is_open:
        (mark,) = _BALANCE.getMarkPrice.decode(answers[4])
    else:  # a paused market counts at the index it was paused at, a closed one at its closing price
        closed = _BASE.getClosedPrice.decode_or_none(answers[8])
        mark = closed[0] if closed else index
    held = size if abs(size) >= DUST else 0
    rule = marks.rule(answers[_MARKS:]) if is_open and market.feed is not None else None
    if held and (mark <= 0 or index <= 0):
        raise ReadFailedError(Doubt(Reason.PRICE_NOT_POSITIVE, f"{market.symbol}: mark {mark}, index {index}"))
    return PerpLeg(
        market=market.base_token,
        symbol=market.symbol,
        size=held,
        size_unit=WAD,
        entry_notional=open_notional if held < 0 else -open_notional,
        mark_price=mark,
        index_price=index,
        price_scale=WAD,
        funding_owed=funding,
        borrowing_owed=0,
        closing_cost=0,
        funding_rate=_funding_rate(held, mark, answers, most_funding) if is_open and mark > 0 else 0,
        oracle=_oracle(market, index, answers),
        mark_rule=rule if rule is not None and _follows_feed(answers) and rule.mark(index) == mark else None,
    )


def _follows_feed(answers: Sequence[Answer]) -> bool:
    """Return whether the index is Chainlink's answer as it is, and no pool's in its place."""
    return _FEED.isToUseUniswapV3PriceFeed.decode_or_none(answers[10]) == (False,)


def _funding_rate(size: int, mark: int, answers: Sequence[Answer], most: int) -> int:
    """Return what a side pays a year of its notional, from above.

    ``Exchange._getDeltaTwapX96``: market average less index average, a day, at most ``most`` of the index.
    """
    (index,), (root,) = _BASE.getIndexPrice.decode(answers[6]), _EXCHANGE.getSqrtMarketTwapX96.decode(answers[7])
    market = mul_div_down(mul_div_down(root, root, Q96), WAD, Q96)
    bound = mul_div_down(index, most, RATIO)
    premium = max(-bound, min(bound, market - index)) * (-1 if size < 0 else 1)
    if premium >= 0:
        return mul_div_up(premium, WAD * DAYS, mark)
    return -mul_div_down(-premium, WAD * DAYS, mark)


def _oracle(market: PerpV2Market, index: int, answers: Sequence[Answer]) -> OraclePrice:
    """Return the index price with its age, which is unknown where it is not Chainlink's and no feed was named."""
    if market.named_feed:
        stated = _CHAINLINK.latestRoundData.decode_or_none(answers[9])
        updated_at = stated[3] if stated else None
    else:
        latest = _FEED.getLatestOrCachedPrice.decode_or_none(answers[9]) if market.feed else None
        uniswap = _FEED.isToUseUniswapV3PriceFeed.decode_or_none(answers[10])
        updated_at = latest[1] if latest and uniswap == (False,) else None
    return OraclePrice(
        asset=market.base_token,
        symbol=market.symbol,
        answer=index * USD // WAD,
        source=market.named_feed or market.source,
        updated_at=updated_at,
        round_id=None,
        heartbeat_s=market.heartbeat_s,
    )
