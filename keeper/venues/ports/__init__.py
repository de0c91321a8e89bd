"""What a venue is: calls out, answers in, calldata out. No venue touches the network. By topic, a module each."""

from keeper.venues.effects import Call
from keeper.venues.ports.accounts import AT_ONCE, Account, AtOnce, ByKeepers, Chronicle, Codes, Settles
from keeper.venues.ports.agency import Agency, Mandate, MandateTerms
from keeper.venues.ports.exchanges import Exchange, PoolReference, Pools, Seller
from keeper.venues.ports.lenders import Borrower, Lender, Permit
from keeper.venues.ports.lending import LendingAccount, LendingMarket
from keeper.venues.ports.perps import OrderBook, OrderOutcome, OrderTrial, PerpAccount
from keeper.venues.ports.reads import (
    Answer,
    Discovery,
    PricesMovedError,
    Probe,
    Read,
    ReadFailedError,
    ScopeOutdatedError,
    TornReadError,
    joined,
)
from keeper.venues.ports.savings import Saver
from keeper.venues.ports.site import (
    Feeds,
    IndexFeed,
    Listed,
    Owned,
    OwnedByLogs,
    PriceFeed,
    Site,
    VenueTable,
    Wanted,
    feeds_alone,
    priced_by,
)

__all__ = [
    "AT_ONCE",
    "Account",
    "Agency",
    "Answer",
    "AtOnce",
    "Borrower",
    "ByKeepers",
    "Call",
    "Chronicle",
    "Codes",
    "Discovery",
    "Exchange",
    "Feeds",
    "IndexFeed",
    "Lender",
    "LendingAccount",
    "LendingMarket",
    "Listed",
    "Mandate",
    "MandateTerms",
    "OrderBook",
    "OrderOutcome",
    "OrderTrial",
    "Owned",
    "OwnedByLogs",
    "Permit",
    "PerpAccount",
    "PoolReference",
    "Pools",
    "PriceFeed",
    "PricesMovedError",
    "Probe",
    "Read",
    "ReadFailedError",
    "Saver",
    "ScopeOutdatedError",
    "Seller",
    "Settles",
    "Site",
    "TornReadError",
    "VenueTable",
    "Wanted",
    "feeds_alone",
    "joined",
    "priced_by",
]
