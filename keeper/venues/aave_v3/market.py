"""Aave v3 and its forks: what an account has in a market, and the calls that change it.

A market is found from its PoolAddressesProvider alone. Versions 3.0 to 3.7 differ in e-mode (one category per
reserve, then bitmaps) and in rounding (see ``model.identified``); nothing here asks for a version.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from keeper.core import names
from keeper.core.lending.moves import MarketMove
from keeper.core.lending.position import LendingPosition
from keeper.core.prices import Doubt, Quoted
from keeper.core.reasons import Reason
from keeper.core.units import USD, Address, Amount
from keeper.venues.aave_v3.account import AaveAccount
from keeper.venues.aave_v3.calls import encode_insist, encode_move
from keeper.venues.aave_v3.effects import a_token_decoder, pool_decoder
from keeper.venues.aave_v3.position import NOBODY, account_read, discover_scope
from keeper.venues.aave_v3.reserves import AaveReserves, Listing
from keeper.venues.codec.abi import address, load
from keeper.venues.contracts.erc20 import symbol_of
from keeper.venues.effects import Decoder
from keeper.venues.listings import fed
from keeper.venues.ports import Answer, Call, Discovery, LendingAccount, Probe, Read, ReadFailedError

_PROVIDER = load("aave_v3_addresses_provider")
_POOL = load("aave_v3_pool")
_ORACLE = load("aave_v3_oracle")
_TOKEN = load("aave_v3_token")
DOLLAR_WITHIN = 33
"""A reserve counts as a dollar within 1/33 of it."""
_ERC20 = load("erc20")


@dataclass(frozen=True, slots=True)
class AaveMarket(AaveReserves):
    """An Aave v3 market as found from its addresses provider."""

    def taker_of(self, asset: Address) -> Address:
        """Return who takes what is paid: the pool, whatever it is."""
        return self.pool

    @property
    def receipts(self) -> Mapping[Address, Address]:
        """aTokens."""
        return {x.a_token: x.asset for x in self.listings}

    def with_feeds(self, feeds: Mapping[Address, Address | None], heartbeats: Mapping[Address, int]) -> AaveMarket:
        """Return the market with the feed behind each reserve's price, and how old it may get."""
        return replace(self, listings=fed(self.listings, feeds, heartbeats))

    @property
    def counts_in(self) -> Address | None:
        """Dollars."""
        return None

    def with_dollars(self, quoted: Probe[tuple[Quoted | None, ...]]) -> AaveMarket:
        """Return it as it is: it counts in dollars."""
        return self

    def price_probe(self, asset: Address) -> Probe[int]:
        """Return the probe of an asset's oracle price in dollars of 10^-8, zero when the oracle does not know it."""

        def decode(answers: Sequence[Answer]) -> int:
            found = _ORACLE.getAssetPrice.decode_or_none(answers[0])
            return int(found[0]) if found else 0

        return Probe((_ORACLE.getAssetPrice.read(self.oracle, asset),), decode)

    def dollar_probe(self) -> Probe[Address | None]:
        """Return the probe of the reserve that is worth a dollar and of which most is supplied."""
        return dollar_probe(self)

    def figures_read(self, owner: Address) -> Read | None:
        """Return the read of an account's figures."""
        return account_read(self, owner)

    def find_account(
        self, owner: Address, spenders: Sequence[Address], named: Sequence[str]
    ) -> Discovery[LendingAccount]:
        """Find the reserves an account uses, a spender's wallet holds, or a rule names."""
        return AaveAccount(self, (yield from discover_scope(self, owner, spenders, named)))

    def encode(self, move: MarketMove, position: LendingPosition, signer: Address) -> Call:
        """Return the call of a move, for the owner's account."""
        return encode_move(self.pool, self.listing(move.asset).symbol, move, position.owner, signer)

    def insist(self, asset: Address, least: Amount, owner: Address) -> Call | None:
        """Return the call that goes through only while the owner has so much of a supply."""
        listing = self.listing(asset)
        return encode_insist(listing.a_token, listing.symbol, least, owner)

    def decoders(self) -> Mapping[Address, Decoder]:
        """Return the pool and the aTokens, and what calls to each do."""
        return {**{x.a_token: a_token_decoder(x.asset) for x in self.listings}, self.pool: pool_decoder(self.pool)}


# --- discovery -------------------------------------------------------------------------------------------------------


def discover_market(provider: Address, name: str = "aave_v3") -> Discovery[AaveMarket]:
    """Find pool, oracle and every listed reserve. Raises ReadFailedError when the address is no addresses provider."""
    answers = yield (
        _PROVIDER.getPool.read(provider),
        _PROVIDER.getPriceOracle.read(provider),
        _PROVIDER.getPoolConfigurator.read(provider),
    )
    pool, oracle = (
        address(f.decode(a)[0]) for f, a in zip((_PROVIDER.getPool, _PROVIDER.getPriceOracle), answers[:2], strict=True)
    )
    configurator = _PROVIDER.getPoolConfigurator.decode_or_none(answers[2])
    governed_by = (provider, oracle, *((address(configurator[0]),) if configurator else ()))
    answers = yield (_POOL.getReservesList.read(pool), _ORACLE.BASE_CURRENCY_UNIT.read(oracle))
    assets = [address(a) for a in _POOL.getReservesList.decode(answers[0])[0]]
    (base_unit,) = _ORACLE.BASE_CURRENCY_UNIT.decode(answers[1])
    if base_unit != USD:
        raise ReadFailedError(Doubt(Reason.POSITION_UNREADABLE, f"the market counts in 1/{base_unit}, not in dollars"))
    answers = yield tuple(
        read
        for asset in assets
        for read in (
            _POOL.getReserveData.read(pool, asset),
            _ORACLE.getSourceOfAsset.read(oracle, asset),
            _ERC20.symbol.read(asset),
        )
    )
    listings = _told_apart([_listing(asset, answers[3 * i : 3 * i + 3]) for i, asset in enumerate(assets)])
    return AaveMarket(pool, oracle, base_unit, listings, governed_by, name)


def _told_apart(listings: Sequence[Listing]) -> tuple[Listing, ...]:
    """Return reserves with names of their own: of several of one symbol each is called by its address as well."""
    several = {asset for assets in names.shared(listings).values() for asset in assets}
    return tuple(replace(x, symbol=names.apart(x.symbol, x.asset)) if x.asset in several else x for x in listings)


def dollar_probe(market: AaveReserves) -> Probe[Address | None]:
    """Return the probe of the reserve that is worth a dollar and of which most is supplied: where trades meet."""
    reads = [_ORACLE.getAssetPrice.read(market.oracle, x.asset) for x in market.listings]
    reads += [_TOKEN.totalSupply.read(x.a_token) for x in market.listings]

    def decode(answers: Sequence[Answer]) -> Address | None:
        count, best, deepest = len(market.listings), None, 0
        for i, listing in enumerate(market.listings):
            price = _ORACLE.getAssetPrice.decode_or_none(answers[i])
            supply = _TOKEN.totalSupply.decode_or_none(answers[count + i])
            if price and supply and abs(price[0] - USD) * DOLLAR_WITHIN <= USD:
                depth = supply[0] * USD // 10**listing.decimals
                if depth > deepest:
                    best, deepest = listing.asset, depth
        return best

    return Probe(tuple(reads), decode)


def _listing(asset: Address, answers: Sequence[Answer]) -> Listing:
    """Return a reserve's constants. Its bit is its id, which is not its place in the list once one was dropped."""
    ((config,), _, _, _, _, _, _, index, a_token, stable, debt_token, *_) = _POOL.getReserveData.decode(answers[0])[0]
    (source,) = _ORACLE.getSourceOfAsset.decode(answers[1])
    return Listing(
        index=index,
        asset=asset,
        symbol=symbol_of(answers[2], asset),
        decimals=config >> 48 & 0xFF,
        a_token=address(a_token),
        debt_token=address(debt_token),
        stable_token=None if address(stable) == NOBODY else address(stable),
        source=address(source),
    )
