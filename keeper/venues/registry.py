"""The venues, exchanges and lenders there are: one line each. What one is beside that is in ``venues/<key>``.

A package has a module ``find`` with ``find_market`` (lending), ``find_account`` (perpetuals), ``exchange`` or
``lender``, and ``find_owned`` or ``owned_by_logs`` where an owner has several positions that settings must name.
It is loaded when it is used: a keeper of one venue does not load the others. Nobody outside knows one by name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from importlib import import_module
from types import ModuleType

from keeper.core.family import Family
from keeper.core.lending.seizure import WHOLE, CloseRule
from keeper.core.perp.margin_rules import MarginRules
from keeper.core.perp.position import FACTOR, Factor, MarginBasis
from keeper.core.units import BPS, USD, WAD, Address, Bps, Usd, Wad
from keeper.venues.codec.hashes import keccak
from keeper.venues.ports import (
    Discovery,
    Exchange,
    Lender,
    LendingMarket,
    Owned,
    OwnedByLogs,
    PerpAccount,
    Site,
    VenueTable,
    Wanted,
)


class Form(Enum):
    """What a key of a venue's table holds."""

    ADDRESS = "an address"
    MARKETS = "addresses by name"
    TOKENS = "lists of addresses by name"
    FEE_TIERS = "millionths"
    BLOCK = "the number of a block"
    BPS = "basis points"


@dataclass(frozen=True, slots=True)
class Key:
    """One key of a venue's table in the network file. ``usual`` is what numbers are where the file gives none."""

    name: str
    form: Form = Form.ADDRESS
    is_needed: bool = True
    usual: tuple[int, ...] = ()


def _addresses(*names: str) -> tuple[Key, ...]:
    return tuple(Key(name) for name in names)


@dataclass(frozen=True, slots=True)
class Venue:
    """One venue: the keys its positions may and must name, and the keys of its table in the network file."""

    key: str
    family: Family
    keys: tuple[Key, ...]
    may_name: tuple[str, ...] = ()
    must_name: tuple[str, ...] = ()
    has_parts: bool = False
    """Whether its table is of many isolated markets, of which a position names its own by id."""
    is_screened: bool = False
    """Whether a fleet of its accounts can be judged by their figures alone (``LendingMarket.figures_read``)."""
    keeps_orders: bool = False
    """Whether an order can rest with it."""
    takes_gifts: bool = True
    """Whether a guardian can pay into an account of somebody else."""
    price_errors: tuple[str, ...] = ()
    """Its custom errors that say that the price moved too far for what was asked."""
    price_words: tuple[str, ...] = ()
    """Its words for the same."""
    changed_errors: tuple[str, ...] = ()
    """Its custom errors that say that the position has no longer what was asked for."""
    changed_words: tuple[str, ...] = ()
    """Its words for the same."""
    insists: tuple[str, ...] = ()
    """The functions that a batch leads with (``LendingMarket.insist``)."""
    mandates: tuple[str, ...] = ()
    """The functions that use up a word of the owner's about who acts for the account (``Agency.encode_mandate``)."""
    mandate_words: tuple[str, ...] = ()
    """Its words where nobody may act, for the word that let somebody was used up before."""
    closes: CloseRule = WHOLE
    """How much of a debt one liquidation may pay back."""
    absorbs: bool = False
    """Whether a liquidation takes all collateral over at once, and keeps of each what is its penalty."""
    frees_to_limit: bool = False
    """Whether collateral leaves only down to the borrow limit: past it, and above liquidation, nothing does."""
    margins: MarginRules | None = None
    """Of a perpetual venue: what its markets ask as a rule; each one's own is read from the chain."""
    package: str = ""
    """Where it is, where that is not ``keeper.venues.<key>``."""

    @property
    def finder(self) -> ModuleType:
        """The module that finds its markets or accounts."""
        return import_module(f"{self.package or f'keeper.venues.{self.key}'}.find")


@dataclass(frozen=True, slots=True)
class ExchangeVenue:
    """One kind of exchange: the keys of its table, what it calls a trade, and how it refuses one for its price."""

    key: str
    keys: tuple[Key, ...]
    trades: tuple[str, ...]
    """The functions that trade."""
    price_errors: tuple[str, ...] = ()
    price_words: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LenderVenue:
    """One kind of lender for the time of one transaction: the keys of its table, and how it refuses for a price."""

    key: str
    keys: tuple[Key, ...]
    price_words: tuple[str, ...] = ()


VENUES: Mapping[str, Venue] = {
    venue.key: venue
    for venue in (
        Venue(
            "aave_v3",
            Family.LENDING,
            _addresses("pool_addresses_provider"),
            may_name=("market",),
            is_screened=True,
            price_errors=("HealthFactorLowerThanLiquidationThreshold",),
            price_words=("HEALTH_FACTOR_LOWER_THAN_LIQUIDATION_THRESHOLD",),
            changed_errors=("NoDebtOfSelectedType", "NotEnoughAvailableUserBalance"),
            changed_words=("NO_DEBT_OF_SELECTED_TYPE", "NOT_ENOUGH_AVAILABLE_USER_BALANCE"),
            insists=("transfer(address,uint256)",),
            closes=CloseRule(Bps(BPS // 2), Wad(95 * WAD // 100), Usd(2_000 * USD)),
        ),
        Venue(
            "morpho_blue",
            Family.LENDING,
            (
                *_addresses("morpho"),
                Key("since", Form.BLOCK, is_needed=False, usual=(0,)),
                Key("pre_liquidation_factory", is_needed=False),
                Key("pre_liquidations", Form.MARKETS, is_needed=False),
            ),
            must_name=("market",),
            has_parts=True,
            price_words=("insufficient collateral",),
            mandates=("setAuthorizationWithSig((address,address,bool,uint256,uint256),(uint8,bytes32,bytes32))",),
            mandate_words=("unauthorized",),
        ),
        Venue(
            "compound_v3",
            Family.LENDING,
            (*_addresses("comet"), Key("money", is_needed=False)),
            may_name=("market",),
            price_errors=("NotCollateralized",),
            absorbs=True,
            frees_to_limit=True,
        ),
        Venue(
            "compound_v2",
            Family.LENDING,
            (*_addresses("comptroller"), Key("blocks_per_year", Form.BLOCK, is_needed=False, usual=(10_512_000,))),
            may_name=("market",),
            price_words=("math error",),
            closes=CloseRule(Bps(BPS // 2), Wad(0), Usd(0)),
            frees_to_limit=True,
        ),
        Venue(
            "perp_v2",
            Family.PERP,
            (*_addresses("clearing_house"), Key("markets", Form.MARKETS)),
            may_name=("market",),
            # imRatio, mmRatio and liquidationPenaltyRatio of ClearingHouseConfig, the exchange's fee of a trade
            margins=MarginRules(
                MarginBasis.NOTIONAL, Factor(FACTOR // 10), Factor(FACTOR // 16), Factor(FACTOR // 40), fee_ppm=1000
            ),
        ),
        Venue(
            "gmx_v2",
            Family.PERP,
            (
                *_addresses("data_store", "reader", "exchange_router", "router", "order_vault", "event_emitter"),
                Key("referral_storage"),
                Key("order_handler", is_needed=False),
                Key("markets", Form.MARKETS),
                Key("tokens", Form.TOKENS),
            ),
            must_name=("market", "collateral", "side"),
            keeps_orders=True,
            takes_gifts=False,
            # MIN_COLLATERAL_FACTOR_FOR_LIQUIDATION, MIN_COLLATERAL_USD, POSITION_FEE_FACTOR, REQUEST_EXPIRATION_TIME
            margins=MarginRules(
                MarginBasis.ENTRY,
                Factor(FACTOR // 200),
                Factor(FACTOR // 200),
                None,
                fee_ppm=600,
                least_usd=1,
                cancel_after_s=300,
                counts_closing=True,
            ),
        ),
    )
}
"""Where positions are."""

EXCHANGES: Mapping[str, ExchangeVenue] = {
    exchange.key: exchange
    for exchange in (
        ExchangeVenue(
            "uniswap_v3",
            (
                *_addresses("factory", "quoter_v2", "swap_router_02"),
                Key("fee_tiers", Form.FEE_TIERS, usual=(100, 500, 3000, 10_000)),
            ),
            trades=(
                "exactOutput((bytes,address,uint256,uint256))",
                "exactInput((bytes,address,uint256,uint256))",
                "exactInputSingle((address,address,uint24,address,uint256,uint256,uint160))",
            ),
            # more than was allowed, or approved; less than was asked for
            price_words=("Too much requested", "STF", "Too little received"),
        ),
        ExchangeVenue(
            "uniswap_v4",
            (
                *_addresses("pool_manager", "quoter", "universal_router"),
                Key("permit2", is_needed=False),
                Key("fee_tiers", Form.FEE_TIERS, usual=(100, 500, 3000, 10_000)),
            ),
            trades=("execute(bytes,bytes[],uint256)",),
            # less than was asked for, more than was allowed
            price_errors=("V4TooLittleReceived", "V4TooMuchRequested"),
        ),
    )
}
"""Where assets are changed for others."""

MOST_FEE = Key("most_fee_bps", Form.BPS, is_needed=False, usual=(0,))
"""The most of a loan that its owner has it cost. With nothing, the lender is taken to lend for nothing."""
LENDERS: Mapping[str, LenderVenue] = {
    lender.key: lender
    for lender in (
        LenderVenue(
            "bundler3",
            (*_addresses("bundler", "general_adapter", "lender"), Key("adapters", Form.MARKETS), MOST_FEE),
            # too little was sold to give the loan back
            price_words=("transferFrom reverted",),
        ),
        LenderVenue("balancer_v3", (*_addresses("vault"), MOST_FEE)),
    )
}
"""Who lends within one transaction."""

_ALL: tuple[Venue | ExchangeVenue, ...] = (*VENUES.values(), *EXCHANGES.values())
PRICE_ERRORS = tuple(name for at in _ALL for name in at.price_errors)
PRICE_WORDS = tuple(text for at in (*_ALL, *LENDERS.values()) for text in at.price_words)
CHANGED_ERRORS = tuple(name for at in VENUES.values() for name in at.changed_errors)
CHANGED_WORDS = tuple(text for at in VENUES.values() for text in at.changed_words)
_INSISTS = tuple(keccak(text=function)[:4] for at in VENUES.values() for function in at.insists)
_MANDATES = tuple(keccak(text=function)[:4] for at in VENUES.values() for function in at.mandates)
ALLOWANCE_ERRORS = ("ERC20InsufficientAllowance", "InsufficientAllowance", "AllowanceExpired")
"""What tokens, and who keeps approvals for them, say where an approval is missing, too small, or at its end."""
ALLOWANCE_WORDS = ("ERC20: insufficient allowance", "ERC20: transfer amount exceeds allowance")
MANDATE_WORDS = tuple(text for at in VENUES.values() for text in at.mandate_words)
_TRADES = tuple(keccak(text=function)[:4] for at in EXCHANGES.values() for function in at.trades)


def keys_of(venue: str) -> tuple[Key, ...]:
    """Return the keys of a table of the network file. Raises KeyError for a venue that there is not."""
    known: Mapping[str, Venue | ExchangeVenue | LenderVenue] = {**VENUES, **EXCHANGES, **LENDERS}
    return known[venue].keys


def family_of(venue: str) -> Family | None:
    """Return what kind of position a venue has; None for a venue that there is not."""
    return VENUES[venue].family if venue in VENUES else None


def is_trade(calldata: bytes) -> bool:
    """Return whether calldata holds a trade at an exchange, alone or inside a batch."""
    return any(selector in calldata for selector in _TRADES)


def insists(calldata: bytes) -> bool:
    """Return whether a call of a batch is one that only looks whether the position is still what it was."""
    return calldata[:4] in _INSISTS


def has_mandate(calldata: bytes) -> bool:
    """Return whether words of the owner's about who acts for the account are within a call."""
    return any(selector in calldata for selector in _MANDATES)


def find_market(site: Site, table: VenueTable) -> Discovery[LendingMarket]:
    """Find a lending market. Raises ReadFailedError when there is none at its addresses."""
    found: LendingMarket = yield from VENUES[table.venue].finder.find_market(site, table)
    return found


def find_account(site: Site, wanted: Wanted) -> Discovery[PerpAccount]:
    """Find the account of a perpetual position. Raises ReadFailedError when there is no such venue or market."""
    found: PerpAccount = yield from VENUES[wanted.venue].finder.find_account(site, wanted)
    return found


def find_owned(site: Site, table: VenueTable, owner: Address) -> Discovery[tuple[Owned, ...]]:
    """Find what an owner has at a venue: one position, unless the venue's package says which there are.

    Raises ReadFailedError.
    """
    finder = VENUES[table.venue].finder
    if not hasattr(finder, "find_owned"):
        return (Owned(table.name, None if table.name == table.venue else table.name),)
    found: tuple[Owned, ...] = yield from finder.find_owned(site, table, owner)
    return found


def owned_by_logs(table: VenueTable, owner: Address) -> OwnedByLogs | None:
    """Return how an owner's positions are found by events; None where ``find_owned`` knows them all."""
    finder = VENUES[table.venue].finder
    found: OwnedByLogs | None = finder.owned_by_logs(table, owner) if hasattr(finder, "owned_by_logs") else None
    return found


def exchange_of(table: VenueTable) -> Exchange:
    """Return the exchange of a table."""
    found: Exchange = import_module(f"keeper.venues.{table.venue}.find").exchange(table)
    return found


def lender_of(table: VenueTable) -> Lender:
    """Return the lender of a table."""
    found: Lender = import_module(f"keeper.venues.{table.venue}.find").lender(table)
    return found
