"""One account in the bank: which reads it takes, what their answers mean, and what its logs say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from eth_utils.crypto import keccak

from keeper.core.lending.figures import moved
from keeper.core.lending.position import Barred, Holding, LendingPosition, Principal, Rates, Room
from keeper.core.occurrences import Occurrence, What
from keeper.core.prices import Doubt, OraclePrice
from keeper.core.reasons import Reason
from keeper.core.snapshot import BlockRef
from keeper.core.units import UINT256_MAX, WAD, Address, Amount, Wad
from keeper.venues.codec.abi import load
from keeper.venues.feeds.fixed_price import price_source
from keeper.venues.ports import AT_ONCE, Answer, Codes, Probe, Read, ReadFailedError, Settles, feeds_alone
from toy_bank.abi import BANK
from toy_bank.model import FACTOR, THRESHOLD, ToyModel

if TYPE_CHECKING:
    from keeper.venues.listings import MarketToken
    from toy_bank.market import ToyMarket

_ERC20, _FEED = load("erc20"), load("chainlink_feed")
ALL = Amount(UINT256_MAX)
NO_RATES = Rates(Wad(0), Wad(0), Wad(0))
LIQUIDATED = "0x" + keccak(text="Liquidated(address,uint256,uint256)").hex()
CHANGED = "0x" + keccak(text="Changed(address,string,uint256)").hex()


@dataclass(frozen=True, slots=True)
class ToyAccount:
    """An owner's account in the bank."""

    market: ToyMarket
    owner: Address
    settles: Settles = AT_ONCE

    @property
    def listings(self) -> tuple[MarketToken, ...]:
        """Both assets."""
        return self.market.listings

    def probe(self, name: str, block: BlockRef) -> Probe[LendingPosition]:
        """Return the reads of the account, of what the bank has, and of both prices."""
        reads = [self._account_read(), *(_ERC20.balanceOf.read(x.asset, self.market.bank) for x in self.listings)]
        reads += [_FEED.latestAnswer.read(x.source) for x in self.listings]
        reads += [_FEED.latestRoundData.read(x.feed or x.source) for x in self.listings]

        def decode(answers: Sequence[Answer]) -> LendingPosition:
            supplied, owed, health = BANK.account.decode(answers[0])
            cash = [_ERC20.balanceOf.decode(a)[0] for a in answers[1:3]]
            prices = [_price(x, a, r) for x, a, r in zip(self.listings, answers[3:5], answers[5:7], strict=True)]
            first, second = self.listings
            holdings = (
                _holding(first, prices[0], Amount(supplied), Amount(0), _pledged(cash[0])),
                _holding(second, prices[1], Amount(0), Amount(owed), _owed(cash[1])),
            )
            model = ToyModel()
            figures = model.figures(holdings)
            if figures.health_factor != health:
                detail = f"ours {figures.health_factor}, the bank's {health}"
                raise ReadFailedError(Doubt(Reason.FIGURES_DISAGREE, detail))
            return LendingPosition(name, "toy_bank", self.owner, block, holdings, model, figures)

        return Probe(tuple(reads), decode)

    def witness(self, position: LendingPosition) -> tuple[Read, bytes] | None:
        """Return the account's own read and answer."""
        held, owed = position.holdings
        words = (held.supplied, owed.borrowed, position.reported.health_factor)
        return self._account_read(), b"".join(int(word).to_bytes(32, "big") for word in words)

    def priced_at(self, there: LendingPosition, here: LendingPosition) -> Codes | None:
        """Return, in the place of each price, one that answers the holding's."""
        return {h.price.source: price_source(h.price.answer) for h in moved(there, here)}

    def plain_feeds(self) -> Mapping[Address, Address]:
        """Return the assets that one feed alone prices."""
        return feeds_alone(self.listings)

    def trust_probe(self, signer: Address) -> Probe[bool | None]:
        """Return nothing: nobody takes out for another."""
        return Probe((), lambda _: None)

    @property
    def chronicle(self) -> ToyChronicle:
        """The bank's events about the account."""
        return ToyChronicle(self.market, self.owner)

    def _account_read(self) -> Read:
        return BANK.account.read(self.market.bank, self.owner)


@dataclass(frozen=True, slots=True)
class ToyChronicle:
    """What the bank's events say of an account."""

    market: ToyMarket
    owner: Address

    def asked(self) -> tuple[dict[str, Any], ...]:
        """Return what to ask eth_getLogs for."""
        who = "0x" + self.owner[2:].lower().rjust(64, "0")
        return ({"address": self.market.bank, "topics": [[LIQUIDATED, CHANGED], who]},)

    def stated(self, logs: Sequence[dict[str, Any]]) -> tuple[Occurrence, ...]:
        """Return what happened, the oldest first."""
        ordered = sorted(logs, key=lambda log: (int(log["blockNumber"], 16), int(log["logIndex"], 16)))
        return tuple(_occurrence(log) for log in ordered)


def _occurrence(log: dict[str, Any]) -> Occurrence:
    place = int(log["blockNumber"], 16), str(log["transactionHash"])
    if log["topics"][0] == LIQUIDATED:
        return Occurrence(What.LIQUIDATED, "everything was taken", *place)
    data = bytes.fromhex(log["data"][2:])
    length = int.from_bytes(data[64:96], "big")
    return Occurrence(What(data[96 : 96 + length].decode()), "an amount was moved", *place)


def _price(listing: MarketToken, answer: Answer, rounds: Answer) -> OraclePrice:
    (price,) = _FEED.latestAnswer.decode(answer)
    stated = _FEED.latestRoundData.decode_or_none(rounds)
    age = (stated[3], stated[0]) if stated else (None, None)
    return OraclePrice(listing.asset, listing.symbol, price, listing.source, *age, listing.heartbeat_s)


def _holding(listing: MarketToken, price: OraclePrice, supplied: Amount, borrowed: Amount, room: Room) -> Holding:
    is_collateral = not isinstance(room.supply, Barred)
    return Holding(
        asset=listing.asset,
        symbol=listing.symbol,
        decimals=listing.decimals,
        price=price,
        supplied=supplied,
        borrowed=borrowed,
        is_collateral=is_collateral,
        liquidation_factor=THRESHOLD if is_collateral else Wad(0),
        borrow_factor=FACTOR if is_collateral else Wad(0),
        penalty=Wad(WAD * 20 // 80 if is_collateral else 0),  # whoever liquidates takes all
        room=room,
        principal=Principal(supplied, borrowed),
        rates=NO_RATES,
    )


def _pledged(cash: int) -> Room:
    why = Barred(Reason.RESERVE_UNAVAILABLE, "the bank does not lend its collateral")
    return Room(ALL, Amount(cash), why, why)


def _owed(cash: int) -> Room:
    why = Barred(Reason.RESERVE_UNAVAILABLE, "the bank takes no supply of what it lends")
    return Room(why, why, Amount(cash), ALL)
