"""What a back-test rests on, as one plain document: whoever has it computes the same. Checked when it is read."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from typing import Any

import orjson
from pydantic import ValidationError

from keeper.backtest.course import OracleTerms
from keeper.backtest.declared import GWEI, keeper_terms
from keeper.backtest.depth import Depth
from keeper.backtest.life import Plot
from keeper.backtest.market import PaperListing, PaperMarket
from keeper.backtest.paper_calls import asset_of
from keeper.backtest.paper_model import PaperModel
from keeper.backtest.scene import PaperFees
from keeper.backtest.standing import PaperStanding
from keeper.core.family import Family
from keeper.core.lending import figures as lending
from keeper.core.lending.kind import LENDING
from keeper.core.lending.position import Holding, Principal, Rates, Room
from keeper.core.lending.seizure import CloseRule
from keeper.core.perp.kind import PERP
from keeper.core.prices import OraclePrice
from keeper.core.risk.series import BadHistoryError, Bar, bars
from keeper.core.rules import Rule
from keeper.core.units import USD, WAD, Address, Amount, Bps, Usd, Wad, Wei, scaled
from keeper.settings.model import Position, Signer
from keeper.settings.rule_kinds import FORMS
from keeper.settings.rule_schema import RuleTable
from keeper.settings.rules import build_rule, rule_faults
from keeper.venues.codec.abi import address
from keeper.venues.registry import family_of

Data = dict[str, Any]
FORMAT = "keeper backtest 1"
OWNER = address("0x" + "11" * 20)
NAME = "position"
ALL = Amount(2**120)
MOST_ASSETS = 12


class BadBacktestError(ValueError):
    """A document that is no back-test, and what to do about it."""


@dataclass(frozen=True, slots=True)
class KeptWay:
    """One way to keep the account: its rules, and what a service takes of each sale (millionths)."""

    name: str
    rules: tuple[Rule[Any], ...]
    service_ppm: int = 0


@dataclass(frozen=True, slots=True)
class Understood:
    """A document, understood."""

    files: Mapping[str, tuple[Bar, ...]]
    oracle: OracleTerms
    block_s: int
    warm_up_s: int
    ways: tuple[KeptWay, ...]
    of: Data
    family: Family = Family.LENDING

    @property
    def without_bars(self) -> Understood:
        """The same once the courses are made: nobody reads the raw rows again."""
        prices = {symbol: {**of, "bars": None} for symbol, of in self.of["prices"].items()}
        return replace(self, files=dict.fromkeys(self.files, ()), of={**self.of, "prices": prices})

    @property
    def is_whole(self) -> bool:
        """Whether it is played to the end of the files; documents of before end at the oracle's last answer."""
        return bool(self.of["terms"].get("whole", False))

    @property
    def assets(self) -> tuple[Address, ...]:
        """By column of the course."""
        return tuple(asset_of(symbol) for symbol in self.files)


def digest(of: object) -> str:
    """Return the digest of a part of a document."""
    return hashlib.sha256(orjson.dumps(of, option=orjson.OPT_SORT_KEYS)).hexdigest()


def understood(document: Data) -> Understood:
    """Return a document as it is meant. Raises BadBacktestError."""
    if document.get("format") != FORMAT:
        raise BadBacktestError(f"is no back-test of this keeper ({FORMAT}); write one with `keeper backtest --json`")
    try:
        files = {symbol: _bars(of) for symbol, of in document["prices"].items()}
        terms = document["terms"]
        oracle = OracleTerms(Bps(int(terms["deviation_bps"])), int(terms["heartbeat_s"]), int(terms["lag_blocks"]))
        family = family_of(str(terms["venue"])) or Family.LENDING
        ways = tuple(_way(of, family, str(terms["venue"])) for of in document["ways"])
        return Understood(files, oracle, int(terms["block_s"]), int(terms["warm_up_s"]), ways, document, family)
    except BadHistoryError as error:
        raise BadBacktestError(f"prices: {error}") from None
    except (KeyError, TypeError, ValueError, AttributeError, InvalidOperation) as error:
        if isinstance(error, BadBacktestError):
            raise
        raise BadBacktestError(f"is no whole back-test: {type(error).__name__} {error}") from None


def _bars(of: Data) -> tuple[Bar, ...]:
    if of["bars"] is None:
        raise BadBacktestError("its prices are not in it; give the same file again with --prices")
    if digest(of["bars"]) != of["digest"]:
        raise BadBacktestError("its prices are not those it was made of: the digest differs")
    return bars(of["bars"], int(of["seconds"]))


def _way(of: Data, family: Family, venue: str) -> KeptWay:
    rules = tuple(rule_of(raw, family, venue) for raw in of["rules"])
    return KeptWay(str(of["name"]), rules, int(of.get("service_ppm", 0)))


def rule_of(raw: Mapping[str, Any], family: Family = Family.LENDING, venue: str = "") -> Rule[Any]:
    """Return a rule as settings write it, about the account. Raises BadBacktestError with every fault."""
    try:
        table = RuleTable.model_validate({**raw, "position": NAME})
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()[:3])
        raise BadBacktestError(f"rule {raw.get('name')}: {faults}") from None
    if faults := "; ".join(rule_faults(table, FORMS[family], venue)):
        raise BadBacktestError(f"rule {table.name}: {faults}")
    return build_rule(table, PERP if family is Family.PERP else LENDING)


def standing_of(read: Understood, prices: Mapping[str, int], at: int) -> PaperStanding:
    """Return the account as it begins, at the prices of then. Raises BadBacktestError."""
    try:
        return _standing_of(read, prices, at)
    except (KeyError, TypeError, ArithmeticError, AttributeError) as error:
        raise BadBacktestError(f"its account is not whole: {type(error).__name__} {error}") from None


def _standing_of(read: Understood, prices: Mapping[str, int], at: int) -> PaperStanding:
    account, holdings = read.of["account"], list[Holding]()
    for symbol, of in list(read.of["assets"].items())[:MOST_ASSETS]:
        price = prices.get(symbol) or scaled(Decimal(of["price"]), USD)
        decimals = int(of["decimals"])
        supplied, owed = (
            scaled(Decimal(account[side].get(symbol, "0")), 10**decimals) for side in ("collateral", "debt")
        )
        holdings.append(_holding(symbol, of, price, at, Amount(supplied), Amount(owed)))
    wallet = {
        asset_of(s): scaled(Decimal(a), 10 ** int(read.of["assets"][s]["decimals"]))
        for s, a in account["wallet"].items()
    }
    native = scaled(Decimal(account["native"]), WAD)
    model = PaperModel(bool(read.of["terms"].get("frees_to_limit", False)))
    standing = PaperStanding(at, tuple(holdings), wallet, native, model=model)
    if account.get("health") is not None:
        standing = _at_health(standing, scaled(Decimal(account["health"]), WAD))
    if not any(h.borrowed for h in standing.holdings):
        raise BadBacktestError("the account owes nothing: nothing can be liquidated; say --debt or --health")
    if standing.health < WAD:
        raise BadBacktestError(f"the account is liquidated as it begins: health {standing.health / WAD:.4f}")
    return standing


def _at_health(s: PaperStanding, health: int) -> PaperStanding:
    """Return the account with so much of its one debt that it begins at a health factor."""
    if health <= WAD:
        raise BadBacktestError("an account that begins at a health of 1 or less is liquidated at once")
    owed = next(h for h in reversed(s.holdings) if not h.is_collateral or not h.supplied)
    figures = lending.figures(s.account)
    able = figures.collateral_value * figures.average_threshold * WAD // (10_000 * health)
    debt = Amount(able * owed.unit // owed.price.answer)
    changed = tuple(_owing(h, debt) if h.asset == owed.asset else h for h in s.holdings)
    return replace(s, holdings=changed)


def _owing(h: Holding, debt: Amount) -> Holding:
    return replace(h, borrowed=debt, principal=Principal(h.principal.supply, debt))


def _holding(symbol: str, of: Data, price: int, at: int, supplied: Amount, owed: Amount) -> Holding:
    asset, threshold = asset_of(symbol), Decimal(of["threshold"])
    return Holding(
        asset=asset,
        symbol=symbol,
        decimals=int(of["decimals"]),
        price=OraclePrice(asset, symbol, price, asset, at, 1, int(of.get("heartbeat_s", 86_400))),
        supplied=supplied,
        borrowed=owed,
        is_collateral=threshold > 0,
        liquidation_factor=Wad(scaled(threshold, WAD)),
        borrow_factor=Wad(scaled(Decimal(of["ltv"]), WAD)),
        penalty=Wad(scaled(Decimal(of["bonus"]), WAD)),
        room=Room(ALL, ALL, ALL, ALL),
        principal=Principal(supplied, owed),
        rates=Rates(Wad(scaled(Decimal(of["supply_rate"]), WAD)), Wad(scaled(Decimal(of["borrow_rate"]), WAD)), Wad(0)),
    )


def fees_of(read: Understood) -> PaperFees:
    """Return what gas costs by time."""
    gas: Sequence[Sequence[Any]] = read.of["gas"]
    return PaperFees(
        Wei(scaled(Decimal(read.of["terms"]["base_fee_gwei"]), GWEI)),
        tuple(int(at) for at, _ in gas),
        tuple(Wei(scaled(Decimal(fee), GWEI)) for _, fee in gas),
    )


def place_of(venue: str, signed_by: str) -> Position:
    """Return the account as settings would have it: signed by its owner, or by a guardian."""
    signer = OWNER if signed_by == "owner" else address("0x" + "22" * 20)
    return Position(NAME, venue, OWNER, Signer("signer", signer, None, None, None, may_batch=True))


def plot_of(read: Understood, way: KeptWay, standing: PaperStanding) -> Plot:
    """Return what is played for one way."""
    of, terms = read.of, read.of["terms"]
    listings = [
        PaperListing(h.asset, h.symbol, h.decimals, h.asset, h.asset, h.price.heartbeat_s) for h in standing.holdings
    ]
    closes = CloseRule(
        Bps(int(terms["close_bps"])), Wad(scaled(Decimal(terms["close_all_at"]), WAD)),
        Usd(scaled(Decimal(terms["close_all_under_usd"]), USD)),
        tuple((h.asset, h.penalty) for h in standing.holdings if h.is_collateral) if terms.get("absorbs") else (),
    )  # fmt: skip
    lends = scaled(Decimal(terms.get("lends_usd") or "0"), USD)
    return Plot(
        position=place_of(str(terms["venue"]), of["account"]["signer"]),
        market=PaperMarket(tuple(listings), lends=lends > 0),
        standing=standing,
        assets=read.assets,
        rules=way.rules,
        terms=keeper_terms(terms),
        depth=Depth(Usd(scaled(Decimal(terms["depth_usd"]), USD)), int(terms["pool_fee_ppm"])).dearer(way.service_ppm),
        fees=fees_of(read),
        closes=closes,
        native=asset_of(terms["native"]) if terms["native"] in read.files else None,
        native_price=scaled(Decimal(terms["native_price"]), USD),
        heartbeat_s=read.oracle.heartbeat_s,
        measure_s=int(terms["measure_s"]),
        native_symbol=str(terms["native"]),
        lends_usd=lends,
    )
