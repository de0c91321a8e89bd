"""Morpho's bundler on one chain, as the story knows a lender: a rescue of a plain account in one call.

Borrow, repay, pull what stands for the collateral, redeem it to the exchange, sell all of it there, give the loan back;
what the sale brought beyond goes to the owner. Every hand is swept with "all": nothing stays in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from keeper.core.lending.loan_fees import LoanFee
from keeper.core.lending.moves import ByLoan, Flash, FlashBoost, loans
from keeper.core.lending.position import LendingPosition
from keeper.core.reasons import Reason
from keeper.core.units import Address, Amount, Bps
from keeper.venues.bundler3.calls import ALL, Inner, encode_bundle, flash_loan, hand_on, pull, redeem, repay
from keeper.venues.bundler3.deployment import BundlerDeployment, discover_faults, lent_probe
from keeper.venues.bundler3.effects import Reach, bundle_decoder
from keeper.venues.contracts.flash_fee import NOTHING, fee_probe
from keeper.venues.contracts.permit import encode_permit
from keeper.venues.effects import Call, Decoder
from keeper.venues.ports import Agency, Borrower, Discovery, Exchange, LendingMarket, Permit, Probe


@dataclass(frozen=True, slots=True)
class Bundler:
    """The contracts of one table. ``adapters`` has, by lending market (its table in capitals), who speaks to it."""

    name: str
    bundler: Address
    general_adapter: Address
    lender: Address
    adapters: Mapping[str, Address]
    most_fee: Bps = Bps(0)  # noqa: RUF009 - a number

    @property
    def spender(self) -> Address:
        """The general adapter pulls, for whoever began the bundle and nobody else."""
        return self.general_adapter

    refusals: ClassVar[Mapping[str, Reason]] = {
        "transfer reverted": Reason.LENDER_SHORT,
        "transferFrom reverted": Reason.LENDER_REFUSED,  # there lies just what was lent: it asks for more
        "MissingExpectedReenter": Reason.LENDER_REFUSED,  # it never called back
    }
    paid_by_wallet: ClassVar[tuple[Address, ...]] = ()
    calls_back: ClassVar[bool] = False

    @property
    def hands(self) -> tuple[Address, ...]:
        """The bundler and its adapters."""
        return (self.bundler, self.general_adapter, *self.adapters.values())

    def agent(self, market: LendingMarket) -> Address | None:
        """Return which adapter acts for whoever began the bundle, at a market that lets somebody act."""
        adapter = self.adapters.get(market.name.upper())
        return None if market.agency is None else market.agency.agent(self.general_adapter, self.lender, adapter)

    def serves(self, market: LendingMarket) -> bool:
        """Return whether there is an adapter for the market: its supplies are tokens, or it lets the adapter act."""
        return (market.name.upper() in self.adapters and bool(market.receipts)) or self.agent(market) is not None

    def held_to_raise(self, market: LendingMarket) -> int:
        """Return once, or twice of a market that is the lender itself; 0 where its agent borrows for nobody."""
        agency = market.agency
        if agency is None or self.agent(market) is None or not agency.raises_debt:
            return 0
        return 2 if agency.at == self.lender else 1

    def find_faults(self) -> Discovery[tuple[str, ...]]:
        """Find which adapters are not of this bundler or not of this lender."""
        return (yield from discover_faults(self.bundler, self.general_adapter, self.lender, self.adapters))

    def there_probe(self, assets: Sequence[Address]) -> Probe[dict[Address, Amount]]:
        """Return the probe of what the lender holds: it lends all of it."""
        return lent_probe(self.lender, assets)

    def fee_probe(self, assets: Sequence[Address]) -> Probe[dict[Address, LoanFee]]:
        """Return the probe of what the lender says it asks."""
        return fee_probe(self.lender, assets) if self.most_fee else NOTHING

    def encode(
        self,
        flash: ByLoan,
        market: LendingMarket,
        exchanges: Mapping[str, Exchange],
        borrower: Borrower,
        deadline: int,
        purpose: str,
    ) -> Call:
        """Return the bundle of a flash move. Debt that shrank meanwhile leaves a rest, which goes to the owner too.

        Permits lead, and may fail: who saw one may have used it first, and then the approval is there all the same.
        """
        agency, agent = market.agency, self.agent(market)
        if agency is not None and agent is not None:
            acts, rest = self._by_agent(flash, agency, agent, exchanges, borrower, deadline)
            return encode_bundle(self.bundler, [*_in_trust(acts, agency, borrower), *rest], purpose)
        if isinstance(flash, FlashBoost):
            raise ValueError(f"{self.name} borrows for nobody at {market.name}")  # noqa: TRY004 - not of this market
        at, owner, lent = self.at(market), borrower.position.owner, loans([flash])
        receipts = {asset: token for token, asset in market.receipts.items()}
        lead = [
            _permitted(receipts[asset], owner, at.general_adapter, permit) for asset, permit in borrower.permits.items()
        ]
        # moved from the owner to himself: a liquidator who was first in the block leaves less, and all is undone
        asked = [pull(at, receipts[asset], owner, least) for asset, least in borrower.insists.items()]
        made = [self._loan(loan, at, receipts[loan.route.tokens[0]], exchanges, owner, deadline) for loan in lent]
        made += _not_taken(lent, at, owner)
        whole = [step for asset in flash.left_whole for step in _left(asset, receipts[asset], at, owner)]
        ends = [_ended(receipts[asset], owner, at.general_adapter, permit) for asset, permit in borrower.ends.items()]
        return encode_bundle(self.bundler, (*lead, *asked, *made, *whole, *ends), purpose)

    def _loan(
        self,
        loan: Flash,
        at: BundlerDeployment,
        receipt: Address,
        exchanges: Mapping[str, Exchange],
        owner: Address,
        deadline: int,
    ) -> Inner:
        """Return one loan. Where the lender takes it back from lies what was lent and its fee, and no more."""
        owed = loan.route.tokens[-1]
        inner = (
            hand_on(at.general_adapter, owed, at.market_adapter, loan.bought),
            repay(at, owed, ALL, owner),
            pull(at, receipt, at.market_adapter, loan.sold),
            *_sold(loan, exchanges, at, deadline),
            hand_on(at.market_adapter, owed, at.general_adapter, loan.due),
            hand_on(at.market_adapter, owed, owner, ALL),
        )
        return flash_loan(at, owed, loan.bought, inner)

    def decoders(
        self, market: LendingMarket, exchanges: Iterable[Exchange], account: Address
    ) -> Mapping[Address, Decoder]:
        """Return what bundles for a market do, whoever begins them."""
        del account
        sellers = {to: seller for exchange in exchanges for to, seller in exchange.sellers().items()}
        agency, agent = market.agency, self.agent(market)
        if agency is not None and agent is not None:
            return {self.bundler: bundle_decoder(self._of(agent), Reach({}, sellers, agency.leaves(agent)))}
        return {self.bundler: bundle_decoder(self.at(market), Reach(market.receipts, sellers))}

    def at(self, market: LendingMarket) -> BundlerDeployment:
        """Return the contracts that a bundle for a market goes through. Raises KeyError for one it does not serve."""
        return self._of(self.adapters[market.name.upper()])

    def _of(self, adapter: Address) -> BundlerDeployment:
        return BundlerDeployment(self.bundler, self.general_adapter, self.lender, adapter, self.most_fee)

    def _by_agent(
        self,
        flash: ByLoan,
        agency: Agency,
        agent: Address,
        exchanges: Mapping[str, Exchange],
        borrower: Borrower,
        deadline: int,
    ) -> tuple[list[Inner], list[Inner]]:
        """Return the calls in which an adapter acts for the owner's account, and those that bring home what is left.

        More than is there is neither repaid nor taken out: a liquidator who was first in the block undoes all of it.
        """
        at, position = self._of(agent), borrower.position
        if isinstance(flash, FlashBoost):
            return [_raising(flash, agency, at, exchanges, position, deadline)], []
        lent = loans([flash])
        made = [_acting(loan, agency, at, exchanges, position, deadline) for loan in lent]
        owed = dict.fromkeys(x.route.tokens[-1] for x in lent if x.fee or at.market_adapter == at.general_adapter)
        rest = [hand_on(at.general_adapter, token, position.owner, ALL) for token in owed]
        return made, rest


def _in_trust(acts: Sequence[Inner], agency: Agency, borrower: Borrower) -> Sequence[Inner]:
    """Return what an agent does between the owner's two words about it, where he gave any.

    The word that lets it act may fail: who saw it may have used it first, and then it holds all the same.
    """
    if borrower.words is None:
        return acts
    on, off = (agency.encode_mandate(word) for word in borrower.words)
    return [Inner(*on, may_fail=True), *acts, Inner(*off)]


def _raising(
    boost: FlashBoost,
    agency: Agency,
    at: BundlerDeployment,
    exchanges: Mapping[str, Exchange],
    position: LendingPosition,
    deadline: int,
) -> Inner:
    """Return the loan that buys collateral, which carries the debt that gives the loan back.

    All that the purchase brings is supplied; what is borrowed is the loan to the unit, and goes where it is taken from.
    """
    owed, general, agent = boost.route.tokens[0], at.general_adapter, at.market_adapter
    exchange = exchanges[boost.route.exchange]
    purchase = exchange.encode_sale(boost.route, boost.bought, agent, deadline)
    inner = (
        hand_on(general, owed, exchange.till, boost.sold),
        Inner(purchase.to, purchase.data),
        Inner(agent, agency.encode_supply(position)),
        Inner(agent, agency.encode_borrow(boost.sold, general)),
    )
    return flash_loan(at, owed, boost.sold, inner)


def _acting(
    loan: Flash,
    agency: Agency,
    at: BundlerDeployment,
    exchanges: Mapping[str, Exchange],
    position: LendingPosition,
    deadline: int,
) -> Inner:
    """Return one loan. An agent of its own keeps what the sale brings, and hands the lender what it is owed alone.

    Where there is none the lender is the market itself: whoever has all of a position is trusted with the rest.
    """
    owed, general, agent = loan.route.tokens[-1], at.general_adapter, at.market_adapter
    is_other = agent != general
    inner = [
        *([hand_on(general, owed, agent, loan.bought)] if is_other else []),
        Inner(agent, agency.encode_repay(loan.bought, position)),
        *_released(loan, exchanges, agency, at, deadline),
        *([hand_on(agent, owed, general, loan.due)] if is_other else []),
        *([hand_on(agent, owed, position.owner, ALL)] if is_other else []),
    ]
    return flash_loan(at, owed, loan.bought, inner)


def _released(
    loan: Flash, exchanges: Mapping[str, Exchange], agency: Agency, at: BundlerDeployment, deadline: int
) -> Iterator[Inner]:
    """Yield the sale, part by part: taken out to its exchange, and all of it sold there."""
    for part in loan.parts:
        exchange = exchanges[part.route.exchange]
        sale = exchange.encode_sale(part.route, part.bought, at.market_adapter, deadline)
        yield Inner(at.market_adapter, agency.encode_release(part.route.tokens[0], part.sold, exchange.till))
        yield Inner(sale.to, sale.data)


def _not_taken(lent: Sequence[Flash], at: BundlerDeployment, owner: Address) -> Iterator[Inner]:
    """Yield what brings home of each fee what the lender did not take."""
    for asset in dict.fromkeys(loan.route.tokens[-1] for loan in lent if loan.fee):
        yield hand_on(at.general_adapter, asset, owner, ALL)


def _left(asset: Address, receipt: Address, at: BundlerDeployment, owner: Address) -> tuple[Inner, Inner]:
    """Return what takes out all that is supplied of an asset, to the owner's wallet."""
    return pull(at, receipt, at.market_adapter, ALL), redeem(at, asset, owner)


def _ended(token: Address, owner: Address, spender: Address, permit: Permit) -> Inner:
    """Return what takes an approval back: where it cannot, nothing of the bundle stands."""
    return Inner(token, encode_permit(owner, spender, permit))


def _sold(loan: Flash, exchanges: Mapping[str, Exchange], at: BundlerDeployment, deadline: int) -> Iterator[Inner]:
    """Yield the sale, part by part: redeemed to its exchange, the last with all that is left, and sold there."""
    *before, last = loan.parts
    for part in (*before, last):
        exchange, amount = exchanges[part.route.exchange], ALL if part is last else part.sold
        sale = exchange.encode_sale(part.route, part.bought, at.market_adapter, deadline)
        yield redeem(at, part.route.tokens[0], exchange.till, amount)
        yield Inner(sale.to, sale.data)


def _permitted(token: Address, owner: Address, spender: Address, permit: Permit) -> Inner:
    return Inner(token, encode_permit(owner, spender, permit), may_fail=True)
