"""All that a risk report rests on, as plain data: positions, prices, how they moved. Who has it recomputes the report.

Amounts are whole numbers as text, times unix seconds, prices 10^-8 dollars or the market's own money.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from keeper.core.block import BlockRef
from keeper.core.lending.position import (
    AccountFigures,
    Barred,
    Holding,
    LendingPosition,
    Money,
    Principal,
    Rates,
    Room,
    SecondLine,
)
from keeper.core.lending.seizure import WHOLE, CloseRule
from keeper.core.perp.position import PerpPosition
from keeper.core.prices import OraclePrice
from keeper.core.reasons import Reason
from keeper.core.risk.forecast import FORECASTERS, Forecaster
from keeper.core.risk.loan_report import Sold
from keeper.core.risk.market import Market, Source, market
from keeper.core.risk.perp_inputs import perp_of, plain_perp
from keeper.core.risk.put_terms import HeldPut
from keeper.core.risk.said import Document
from keeper.core.risk.series import series
from keeper.core.risk.shock_terms import Shock, plain_shock, shock_of
from keeper.core.units import BPS, INFINITE, WAD, Address, Amount, Bps, Usd, Wad, Wei, mul_div_up

VERSION = 3
READ = (1, 2, VERSION)
"""Version 1 knew loans of one chain alone; before version 3 several prices were counted by a closed form alone."""
BY_PATHS = 3
"""The first version whose figures of several prices are held by paths."""
_SHUT = Barred(Reason.NOTHING_HELPS, "a report moves nothing")


class BadInputsError(ValueError):
    """A document that a report cannot be made of."""


@dataclass(frozen=True, slots=True)
class LinearModel:
    """A loan's health as every protocol counts it, its roundings left out: weighted collateral over debt."""

    @property
    def facts(self) -> Mapping[str, object]:
        """Nothing of a protocol's own."""
        return {}

    @property
    def mode(self) -> Hashable:
        """One alone."""
        return None

    def figures(self, holdings: tuple[Holding, ...]) -> AccountFigures:
        """Return what holdings come to."""
        secured = [(h.supplied * h.price.answer // h.unit, h) for h in holdings if h.is_collateral]
        collateral = sum(value for value, _ in secured)
        weighted = sum(value * h.liquidation_factor for value, h in secured)
        debt = sum(mul_div_up(h.borrowed, h.price.answer, h.unit) for h in holdings)
        threshold = Bps(weighted * BPS // (collateral * WAD)) if collateral else Bps(0)
        return AccountFigures(collateral, debt, 0, threshold, Bps(0), Wad(weighted // debt) if debt else INFINITE)

    def accrued(self, holding: Holding, seconds: int) -> Holding:
        """Return a holding as it is: a report counts interest by itself."""
        return holding

    def lets_out(self, figures: AccountFigures) -> bool:
        """Whether health stays above one."""
        return figures.health_factor >= WAD


LINEAR = LinearModel()


@dataclass(frozen=True, slots=True)
class BookInputs:
    """A book: the positions that belong to it, and what its wallets hold by underlying, dollars."""

    members: tuple[str, ...]
    wallets: tuple[tuple[str, int], ...] = ()
    doubt: str = ""
    """Why what it is exposed to is not known; empty where it is."""


@dataclass(frozen=True, slots=True)
class Inputs:
    """What a document says."""

    block: BlockRef
    positions: tuple[LendingPosition, ...]
    market: Market
    horizons_s: tuple[int, ...]
    paths: int
    seed: int
    closes: Mapping[str, CloseRule] = field(default_factory=dict)
    """By position: how much of a debt one liquidation may pay back."""
    perps: tuple[PerpPosition, ...] = ()
    books: Mapping[str, BookInputs] = field(default_factory=dict)
    sales: Mapping[str, Mapping[Address, Sold]] = field(default_factory=dict)
    """By loan: what pools gave for its collateral, asked at about its size."""
    forecaster: str = "usual"
    puts: tuple[HeldPut, ...] = ()
    """What the owner holds elsewhere."""
    capital_bps: int | None = None
    """What tying up the owner's own costs; None in a report that compares nothing."""
    shocks: tuple[Shock, ...] = ()
    """The owner's own."""


def document_of(
    block: BlockRef,
    positions: Sequence[LendingPosition],
    sources: Mapping[str, Source],
    drivers: Mapping[Address, str],
    horizons_s: Sequence[int],
    paths: int,
    seed: int,
    closes: Mapping[str, CloseRule] | None = None,
    *,
    perps: Sequence[PerpPosition] = (),
    books: Mapping[str, BookInputs] | None = None,
    sales: Mapping[str, Mapping[Address, Sold]] | None = None,
    forecaster: str = "usual",
    puts: Sequence[HeldPut] = (),
    capital_cost_bps: int | None = None,
    shocks: Sequence[Shock] = (),
) -> Document:
    """Return everything a report rests on, as JSON holds it."""
    sold = sales or {}
    return {
        "version": VERSION,
        "block": {"chain_id": block.chain_id, "number": block.number, "hash": block.hash, "time": block.timestamp},
        "horizons_s": list(horizons_s),
        "paths": paths,
        "seed": seed,
        "forecaster": forecaster,
        "positions": [
            _position(p) | _closes((closes or {}).get(p.name, WHOLE)) | _sales(sold.get(p.name, {})) for p in positions
        ],
        "perps": [plain_perp(p) for p in perps],
        "books": {
            name: {"members": list(b.members), "wallets": [[u, str(usd)] for u, usd in b.wallets], "doubt": b.doubt}
            for name, b in (books or {}).items()
        },
        "drivers": dict(drivers),
        "sources": {
            name: {"origin": s.origin, "quiet_s": s.quiet_s, "prices": [[t.at, str(t.price)] for t in s.history.ticks]}
            for name, s in sources.items()
        },
        **({} if capital_cost_bps is None else {"capital_cost_bps": capital_cost_bps}),
        **({"puts": [_plain_put(p) for p in puts]} if puts else {}),
        **({"shocks": [plain_shock(x) for x in shocks]} if shocks else {}),
    }


def _plain_put(p: HeldPut) -> Document:
    terms = {"name": p.name, "of": p.of, "underlying": p.underlying}
    return terms | {"strike": str(p.strike), "expiry": p.expiry, "size": str(p.size)}


def _put(given: Any) -> HeldPut:
    name, of, on = (str(given[key]) for key in ("name", "of", "underlying"))
    strike, expiry, size = (int(given[key]) for key in ("strike", "expiry", "size"))
    if min(strike, size) <= 0:
        raise BadInputsError(f"has a put {name!r} without a strike or a size")
    return HeldPut(name, of, on, Usd(strike), expiry, Wad(size))


def _sales(of: Mapping[Address, Sold]) -> Document:
    return {"sales": {asset: [str(s.given), str(s.brought)] for asset, s in of.items()}} if of else {}


def inputs_of(document: object, forecaster: Callable[[str], Forecaster] | None = None) -> Inputs:
    """Return what a document says. Raises BadInputsError where it is none of ours, or was damaged.

    ``forecaster`` finds one by its name where there are others than those that come with the keeper.
    """
    try:
        return _inputs(document, forecaster or forecast_named)
    except BadInputsError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
        raise BadInputsError(f"is no risk report of this keeper's: {type(error).__name__} {error}") from None


def _inputs(given: Any, forecaster: Callable[[str], Forecaster]) -> Inputs:
    if given["version"] not in READ:
        raise BadInputsError(f"is of version {given['version']!r}; this keeper reads versions {READ}")
    at = given["block"]
    block = BlockRef(int(at["chain_id"]), int(at["number"]), str(at["hash"]), "0x", int(at["time"]), Wei(0))
    sources = {str(name): _source(s) for name, s in given["sources"].items()}
    drivers = {Address(str(asset)): str(driver) for asset, driver in given["drivers"].items()}
    horizons_s = tuple(int(h) for h in given["horizons_s"])
    if not horizons_s or min(horizons_s) <= 0:
        raise BadInputsError('names a horizon that is no time; write one like "24h"')
    return Inputs(
        block,
        tuple(_loan(p, block) for p in given["positions"]),
        replace(
            market(sources, drivers, block.timestamp, forecaster(str(given.get("forecaster", "usual")))),
            is_by_paths=given["version"] >= BY_PATHS,
        ),
        horizons_s,
        int(given["paths"]),
        int(given["seed"]),
        {str(p["name"]): _rule(p["closes"]) for p in given["positions"] if "closes" in p},
        tuple(perp_of(p, block) for p in given.get("perps", ())),
        {str(name): _book(b) for name, b in given.get("books", {}).items()},
        {str(p["name"]): _sold(p["sales"]) for p in given["positions"] if "sales" in p},
        str(given.get("forecaster", "usual")),
        tuple(_put(p) for p in given.get("puts", ())),
        int(given["capital_cost_bps"]) if "capital_cost_bps" in given else None,
        tuple(shock_of(x) for x in given.get("shocks", ())),
    )


def forecast_named(name: str) -> Forecaster:
    """Return the forecaster that inputs name. Raises BadInputsError: one of an owner's own is not in a file."""
    if name not in FORECASTERS:
        raise BadInputsError(
            f"was made by a forecaster of its owner's own, {name!r}: recompute it where that is installed, or measure "
            f"with one of {', '.join(FORECASTERS)}"
        )
    return FORECASTERS[name]


def _book(given: Any) -> BookInputs:
    wallets = tuple((str(underlying), int(usd)) for underlying, usd in given["wallets"])
    return BookInputs(tuple(str(m) for m in given["members"]), wallets, str(given["doubt"]))


def _sold(given: Any) -> dict[Address, Sold]:
    return {Address(str(a)): Sold(Usd(int(of[0])), Usd(int(of[1]))) for a, of in given.items()}


def _closes(of: CloseRule) -> Document:
    all_at_once = [[[asset, str(share)] for asset, share in of.discounts]] if of.discounts else []
    return {"closes": [of.usual, str(of.all_at), str(of.all_under), *all_at_once]}


def _rule(given: Any) -> CloseRule:
    discounts = tuple((Address(str(a)), Wad(int(share))) for a, share in (given[3] if len(given) > 3 else ()))
    return CloseRule(Bps(int(given[0])), Wad(int(given[1])), Usd(int(given[2])), discounts)


def _source(given: Any) -> Source:
    history = series((int(at), int(price)) for at, price in given["prices"])
    return Source(history, int(given["quiet_s"]), str(given["origin"]))


def _position(p: LendingPosition) -> Document:
    return {
        "name": p.name,
        "venue": p.venue,
        "chain_id": p.block.chain_id,
        "owner": p.owner,
        "health_factor": str(p.reported.health_factor),
        "money": [str(p.money.dollars), str(p.money.unit)],
        **({"second_lines": [_line(line) for line in p.second_lines]} if p.second_lines else {}),
        "holdings": [
            {
                "asset": h.asset,
                "symbol": h.symbol,
                "decimals": h.decimals,
                "price": str(h.price.answer),
                "supplied": str(h.supplied),
                "borrowed": str(h.borrowed),
                "is_collateral": h.is_collateral,
                "liquidation_factor": str(h.liquidation_factor),
                "penalty": str(h.penalty),
                "supply_rate": str(h.rates.supply),
                "borrow_rate": str(h.rates.borrow),
            }
            for h in p.held
        ],
    }


def _line(of: SecondLine) -> Document:
    ends = [[str(x) for x in pair] for pair in (of.share, of.penalty)]
    return {
        "contract": of.contract,
        "begins_at": str(of.begins_at),
        "ends": ends,
        "is_let": of.is_let,
        "is_known": of.is_known,
    }


def _line_of(given: Any) -> SecondLine:
    share, penalty = ((Wad(int(pair[0])), Wad(int(pair[1]))) for pair in given["ends"])
    contract, begins = Address(str(given["contract"])), Wad(int(given["begins_at"]))
    return SecondLine(
        contract, begins, share, penalty, is_let=bool(given["is_let"]), is_known=bool(given.get("is_known", True))
    )


def _loan(given: Any, block: BlockRef) -> LendingPosition:
    money = Money(int(given["money"][0]), int(given["money"][1]))
    if min(money.dollars, money.unit) <= 0:
        raise ValueError(f"{given['name']} counts in a money that cannot be")
    block = replace(block, chain_id=int(given.get("chain_id", block.chain_id)))
    holdings = tuple(_holding(h, money) for h in given["holdings"])
    figures = LINEAR.figures(holdings)
    name, venue, owner = str(given["name"]), str(given["venue"]), Address(str(given["owner"]))
    lines = tuple(_line_of(line) for line in given.get("second_lines", ()))
    closes = _rule(given["closes"]) if "closes" in given else None
    return LendingPosition(name, venue, owner, block, holdings, LINEAR, figures, money, lines, closes)


def _holding(given: Any, money: Money) -> Holding:
    asset, symbol = Address(str(given["asset"])), str(given["symbol"])
    supplied, borrowed = Amount(int(given["supplied"])), Amount(int(given["borrowed"]))
    if min(supplied, borrowed, int(given["decimals"])) < 0 or int(given["price"]) <= 0:
        raise ValueError(f"{symbol} has an amount or a price that cannot be")
    return Holding(
        asset=asset,
        symbol=symbol,
        decimals=int(given["decimals"]),
        price=OraclePrice(asset, symbol, int(given["price"]), asset, None, None, 0),
        supplied=supplied,
        borrowed=borrowed,
        is_collateral=bool(given["is_collateral"]),
        liquidation_factor=Wad(int(given["liquidation_factor"])),
        borrow_factor=Wad(0),
        penalty=Wad(int(given["penalty"])),
        room=Room(_SHUT, _SHUT, _SHUT, _SHUT),
        principal=Principal(supplied, borrowed),
        rates=Rates(Wad(int(given["supply_rate"])), Wad(int(given["borrow_rate"])), Wad(0)),
        money=money,
    )
