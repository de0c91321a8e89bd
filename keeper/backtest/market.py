"""The paper venue: a lending market and an exchange whose calls say in plain text what they do.

They are read back into effects by decoders apart from the encoders, so that the gate and the rehearsal meet what they
meet at every venue. Its model rounds as Aave v3.5 and later do (collateral down, debt up, thresholds by the unit).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

import orjson

from keeper.core.lending.moves import (
    Borrow,
    MarketMove,
    Repay,
    RepayWithCollateral,
    Route,
    Supply,
    Swap,
    Unpledge,
    Withdraw,
)
from keeper.core.lending.position import AccountFigures, Holding, LendingPosition
from keeper.core.lending.quotes import Quote, QuoteRequest
from keeper.core.occurrences import Occurrence
from keeper.core.prices import Quoted
from keeper.core.snapshot import BlockRef
from keeper.core.units import BPS, INFINITE, WAD, Address, Amount, Bps, Wad, Wei, mul_div_down, mul_div_nearest
from keeper.venues.codec.abi import address
from keeper.venues.effects import Borrows, Call, Decoder, Effect, Offsets, Pays, Sells, Takes, Unpledges
from keeper.venues.ports import (
    AT_ONCE,
    Discovery,
    LendingAccount,
    LendingMarket,
    Listed,
    PoolReference,
    Pools,
    Probe,
    Read,
    Seller,
    Settles,
)

YEAR_S = 365 * 86_400
BPS_WAD = WAD // BPS
POOL, ROUTER, MULTICALL = (address("0x" + byte * 20) for byte in ("a1", "b2", "ca"))
TABLE, EXCHANGE = "paper", "exchange"
"""The market's and the exchange's tables, as positions and routes name them."""


def asset_of(symbol: str) -> Address:
    """Return the address that stands for an asset on paper."""
    return address("0x" + symbol.encode().hex()[:40].rjust(40, "0"))


@dataclass(frozen=True, slots=True)
class PaperModel:
    """The market's arithmetic. Interest: supplies grow evenly, debts as e^x, from the last change."""

    @property
    def facts(self) -> Mapping[str, object]:
        """Nothing of its own is worth keeping."""
        return {}

    def figures(self, holdings: tuple[Holding, ...]) -> AccountFigures:
        """Return what holdings come to."""
        collateral = debt = by_ltv = by_threshold = 0
        for h in holdings:
            if h.is_collateral:
                value = h.supplied * h.price.answer // h.unit
                collateral += value
                by_ltv += value * h.borrow_factor // BPS_WAD
                by_threshold += value * h.liquidation_factor // BPS_WAD
            if h.borrowed:
                debt += -(-h.borrowed * h.price.answer // h.unit)
        ltv, threshold = (by_ltv // collateral, by_threshold // collateral) if collateral else (0, 0)
        health = mul_div_nearest(by_threshold, WAD, debt) // BPS if debt else INFINITE
        free = max(0, mul_div_down(collateral, ltv, BPS) - debt)
        return AccountFigures(collateral, debt, free, Bps(threshold), Bps(ltv), Wad(health))

    def accrued(self, holding: Holding, seconds: int) -> Holding:
        """Return a holding with the interest of so many seconds."""
        if seconds <= 0 or not (holding.supplied or holding.borrowed):
            return holding
        rates = holding.rates
        x = rates.borrow * seconds // YEAR_S
        owed = WAD + x + x * x // (2 * WAD) + x * x * x // (6 * WAD * WAD)
        return holding.with_balances(
            Amount(holding.supplied + holding.supplied * rates.supply * seconds // (YEAR_S * WAD)),
            Amount(-(-holding.borrowed * owed // WAD)),
        )

    def lets_out(self, figures: AccountFigures) -> bool:
        """Whether collateral may leave."""
        return figures.health_factor >= WAD


MODEL = PaperModel()


@dataclass(frozen=True, slots=True)
class PaperListing:
    """One asset of the market."""

    asset: Address
    symbol: str
    decimals: int
    source: Address
    feed: Address | None
    heartbeat_s: int


def encoded(contract: Address, purpose: str, **what: object) -> Call:
    """Return a call that says what it does."""
    return Call(contract, orjson.dumps(what), Wei(0), purpose)


def _written(amount: int | None) -> str | None:
    return None if amount is None else str(amount)  # amounts are larger than what JSON's numbers hold


@dataclass(frozen=True, slots=True)
class PaperMarket:
    """A lending market that lists a few assets and counts in dollars."""

    listings: Sequence[Listed]
    name: str = TABLE
    governed_by: tuple[Address, ...] = ()
    counts_in: Address | None = None
    agency: None = None

    @property
    def receipts(self) -> Mapping[Address, Address]:
        """Supplies are no tokens."""
        return {}

    def with_feeds(self, feeds: Mapping[Address, Address | None], heartbeats: Mapping[Address, int]) -> LendingMarket:
        """Return it as it is."""
        return self

    def with_dollars(self, quoted: Probe[tuple[Quoted | None, ...]]) -> LendingMarket:
        """Return it as it is: it counts in dollars."""
        return self

    def listing(self, asset: Address) -> Listed:
        """Return one of its assets; KeyError when it does not list it."""
        return {x.asset: x for x in self.listings}[asset]

    def named(self, name: str) -> Listed | None:
        """Return an asset by its symbol or address."""
        return next((x for x in self.listings if name.lower() in (x.symbol.lower(), x.asset.lower())), None)

    def price_probe(self, asset: Address) -> Probe[int]:
        """Nobody asks."""
        return _nothing(asset)

    def dollar_probe(self) -> Probe[Address | None]:
        """Nobody asks."""
        return Probe((), lambda _: None)

    def figures_read(self, owner: Address) -> Read | None:
        """There is no view: positions are few."""
        return None

    def taker_of(self, asset: Address) -> Address:
        """Return who takes what is paid: the pool on paper."""
        return POOL

    def find_account(
        self, owner: Address, spenders: Sequence[Address], named: Sequence[str]
    ) -> Discovery[LendingAccount]:
        """Nobody has to find what is on paper."""
        return _nothing(owner)

    def encode(self, move: MarketMove, position: LendingPosition, signer: Address) -> Call:
        """Return the call of a move."""
        symbol, owner = self.listing(move.asset).symbol, position.owner
        amount = _written(move.amount)
        match move:
            case Supply():
                return encoded(POOL, f"supply {symbol}", do="supply", asset=move.asset, amount=amount, to=owner)
            case Withdraw():
                return encoded(POOL, f"withdraw {symbol}", do="withdraw", asset=move.asset, amount=amount, to=owner)
            case Borrow():
                return encoded(POOL, f"borrow {symbol}", do="borrow", asset=move.asset, amount=amount, to=owner)
            case Repay(_, _, is_all):
                paid = None if is_all and signer == owner else amount
                return encoded(POOL, f"repay {symbol}", do="repay", asset=move.asset, amount=paid, to=owner)
            case RepayWithCollateral():
                return encoded(POOL, f"repay {symbol} with its supply", do="offset", asset=move.asset, amount=amount)
            case Unpledge():
                return encoded(POOL, f"unpledge {symbol}", do="unpledge", asset=move.asset, amount=None)

    def insist(self, asset: Address, least: Amount, owner: Address) -> Call | None:
        """There is no such call."""
        return None

    def decoders(self) -> Mapping[Address, Decoder]:
        """Return what calls to the market do."""
        return {POOL: _of_market}


@dataclass(frozen=True, slots=True)
class PaperAccount:
    """The owner's account in the market."""

    market: LendingMarket
    owner: Address
    settles: Settles = AT_ONCE

    @property
    def listings(self) -> Sequence[Listed]:
        """All of them."""
        return self.market.listings

    @property
    def chronicle(self) -> PaperAccount:
        """Nothing is logged on paper."""
        return self

    def asked(self) -> tuple[dict[str, Any], ...]:
        """Nothing."""
        return ()

    def stated(self, logs: Sequence[dict[str, Any]]) -> tuple[Occurrence, ...]:
        """Nothing."""
        return ()

    def probe(self, name: str, block: BlockRef) -> Probe[LendingPosition]:
        """Nobody asks it: the reader has the account."""
        return _nothing(name)

    def witness(self, position: LendingPosition) -> tuple[Read, bytes] | None:
        """There is one node."""
        return None

    def priced_at(self, there: LendingPosition, here: LendingPosition) -> None:
        """No plan is made ready beforehand."""

    def plain_feeds(self) -> Mapping[Address, Address]:
        """No feed says anything."""
        return {}

    def trust_probe(self, signer: Address) -> Probe[bool | None]:
        """Nobody takes out for another."""
        return Probe((), lambda _: None)


@dataclass(frozen=True, slots=True)
class PaperExchange:
    """Where an asset is changed for another, on paper."""

    name: str = EXCHANGE
    spender: Address = ROUTER

    def find_faults(self) -> Discovery[tuple[str, ...]]:
        """Nobody asks."""
        return _nothing(self)

    def find_pools(self, assets: Sequence[Address], window_s: int) -> Discovery[Pools]:
        """Nobody asks."""
        return _nothing(self)

    def quote_probe(self, asked: Sequence[tuple[QuoteRequest, Route]]) -> Probe[tuple[Quote, ...]]:
        """Nobody asks: the reader has the pools."""
        return _nothing(self)

    def encode(self, swap: Swap, recipient: Address, deadline: int, symbols: tuple[str, str]) -> Call:
        """Return the call of a swap of exact output."""
        what = {"asset": swap.route.tokens[0], "most": str(swap.sold), "bought": swap.route.tokens[-1]}
        return encoded(
            ROUTER, f"sell {symbols[0]} for {symbols[1]}", do="swap", **what, least=str(swap.bought), to=recipient,
            deadline=deadline,
        )  # fmt: skip

    def decoders(self) -> Mapping[Address, Decoder]:
        """Return what calls to it do."""
        return {ROUTER: _of_exchange}

    def encode_sale(self, route: Route, least: int, recipient: Address, deadline: int) -> Call:
        """There are no bundles on paper."""
        return _nothing(route)

    def sellers(self) -> Mapping[Address, Seller]:
        """There are no bundles on paper."""
        return {}

    def routes(self, sell: Address, buy: Address, hubs: Sequence[Address]) -> tuple[Route, ...]:
        """Return the one way."""
        return (Route((sell, buy), (0,), self.name),)

    def reference(
        self, asset: Address, others: Sequence[Address], decimals: Callable[[Address], int]
    ) -> PoolReference | None:
        """There is none: pools stand where the file says."""
        return None


def _nothing(of: object) -> NoReturn:
    raise NotImplementedError(f"nobody asks this on paper: {of}")


def _said(call: Call) -> tuple[dict[str, Any], Address, int | None]:
    try:
        found = orjson.loads(call.data)
        amount = found.get("amount")
        return found, Address(found["asset"]), None if amount is None else int(amount)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{call.purpose}: cannot be read") from error


def _of_market(call: Call) -> tuple[Effect, ...]:
    found, asset, amount = _said(call)
    to = Address(found["to"]) if "to" in found else None
    match found["do"], amount:
        case (("supply" | "repay"), _):
            return (Pays(asset, amount, to, POOL),)
        case "withdraw", _:
            return (Takes(asset, amount, to),)
        case "borrow", int():
            return (Borrows(asset, amount, to),)
        case "offset", int():
            return (Offsets(asset, amount),)
        case "unpledge", None:
            return (Unpledges(asset),)
        case _:
            raise ValueError(f"{call.purpose}: no call of a keeper's")


def _of_exchange(call: Call) -> tuple[Effect, ...]:
    found, asset, _ = _said(call)
    if found["do"] != "swap":
        raise ValueError(f"{call.purpose}: no call of a keeper's")
    most, least, deadline = int(found["most"]), int(found["least"]), int(found["deadline"])
    return (Sells(asset, most, Address(found["bought"]), least, Address(found["to"]), ROUTER, deadline),)
