"""From the moves of a plan to calls: who is called, with what, for how many dollars."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from keeper.core.grounds import Grounds
from keeper.core.lending.grounds import grounds
from keeper.core.lending.moves import (
    MARKET,
    Approve,
    ByLoan,
    Flash,
    FlashBoost,
    MarketMove,
    Move,
    Redeem,
    Spender,
    Swap,
    borrowing,
    loans,
)
from keeper.core.lending.plan import Plan
from keeper.core.lending.position import LendingPosition
from keeper.core.lending.proposals import Step
from keeper.core.units import NATIVE, Address, Amount, Usd
from keeper.execution.carriers import Carrier, Use
from keeper.execution.insisting import insist, insisted_on
from keeper.execution.permit_signer import NoPermitError, PermitSigner
from keeper.venues.contracts import erc20
from keeper.venues.contracts.effects import either, token_decoders
from keeper.venues.effects import Call, Decoder
from keeper.venues.ports import Borrower, Exchange, Lender, LendingMarket, Mandate, Permit, Probe, Saver

MORE = 1_000
"""A part of so many more than is supplied now may be taken where all is: interest until it is mined."""


@dataclass(frozen=True, slots=True)
class Venues:
    """Where calls may go: the market, and exchanges and lenders that the network has, by name."""

    market: LendingMarket
    exchanges: Mapping[str, Exchange]
    lenders: Mapping[str, Lender] = field(default_factory=dict)
    """Those that can speak to the market."""
    savers: Mapping[Address, Saver] = field(default_factory=dict)
    """Where the signer's savings are, by the token that stands for them."""

    def spenders(self, asset: Address) -> tuple[Address, ...]:
        """Return who takes what is paid in or sold of an asset, and is approved for it."""
        return self.market.taker_of(asset), *(at.spender for at in self.exchanges.values())

    def approved(self, asset: Address, spender: Spender) -> tuple[Address, Address]:
        """Return the token that an approval is of, and who gets it. Raises ValueError for one that there is not.

        Lenders take what stands for a supply, all others the asset.
        """
        if spender not in self.lenders:
            return asset, self.market.taker_of(asset) if spender == MARKET else self.exchange(spender).spender
        found = [token for token, of in self.market.receipts.items() if of == asset]
        if not found:
            raise ValueError(f"a supply of {asset} is no token")
        taker = self.lenders[spender].spender
        if taker is None:
            raise ValueError(f"{spender} takes nothing that stands for a supply")
        return found[0], taker

    def agents(self) -> Mapping[str, Address]:
        """Return by lender who acts for all of the owner's account, where supplies are no tokens."""
        found = {name: lender.agent(self.market) for name, lender in self.lenders.items()}
        return {name: agent for name, agent in found.items() if agent is not None}

    def allowance_probe(self, owner: Address, asset: Address, spender: Spender) -> Probe[Amount]:
        """Return the probe of what a spender may take now; of one that acts for all of the account, 1 or 0."""
        agent, agency = self.agents().get(spender), self.market.agency
        if agent is not None and agency is not None:
            return agency.standing_probe(owner, agent)
        token, taker = self.approved(asset, spender)
        return erc20.allowance_probe(owner, token, taker)

    def grounds(self, position: LendingPosition) -> Grounds:
        """Return what the gate knows of a position; what stands for a supply is worth what was supplied."""
        known = grounds(position)
        receipts = self.market.receipts.items() if self.lenders else ()
        tokens = {token: known.assets[asset] for token, asset in receipts if asset in known.assets}
        return replace(known, assets={**tokens, **known.assets})

    def hands(self, moves: Iterable[Move]) -> frozenset[Address]:
        """Return the contracts that hold money while calls of these moves run, and not afterwards."""
        lent = borrowing(moves)
        lenders = [at for loan in lent for at in self.lenders[loan.lender].hands]
        ways = [part.route.exchange for loan in lent for part in loan.parts]
        return frozenset([*lenders, *(self.exchange(way).till for way in ways)])

    def exchange(self, name: str) -> Exchange:
        """Return the exchange of a route. Raises ValueError for one that the network has not."""
        if name not in self.exchanges:
            raise ValueError(f"a swap was planned at {name!r}, which is no exchange of this network")
        return self.exchanges[name]


@dataclass(frozen=True, slots=True)
class PlannedCall:
    """A step with its calldata."""

    call: Call
    step: Step


@dataclass(frozen=True, slots=True)
class Script:
    """The calls of a plan, and what is really sent: the same, one batch of all, or transactions of a Safe."""

    calls: tuple[PlannedCall, ...]
    sent: tuple[Call, ...]
    carrier: Carrier
    before: tuple[Call, ...] = ()
    """What leads a transaction of all: calls that move nothing, and revert where the position is not what it was."""
    hands: frozenset[Address] = frozenset()
    """Contracts that hold money while a call runs, and must be left as they were."""
    uses: tuple[Use | None, ...] = ()
    """By what is sent: which nonces of the account's own it uses up."""

    @property
    def meant(self) -> tuple[Call, ...]:
        """Every call that may be made, in order."""
        return (*self.before, *(planned.call for planned in self.calls))

    @property
    def sender(self) -> Address:
        """Who sends it."""
        return self.carrier.sender

    @property
    def codes(self) -> Mapping[Address, bytes]:
        """The code that accounts have while it is rehearsed."""
        return self.carrier.codes(self.sent)


def allow_list(venues: Venues, assets: Collection[Address], carrier: Carrier) -> Mapping[Address, Decoder]:
    """Return the contracts that a plan about these assets may call, and what calls to each do."""
    found = {**venues.market.decoders(), **carrier.decoders()}
    for exchange in venues.exchanges.values():
        found |= exchange.decoders()
    for lender in venues.lenders.values():
        found |= lender.decoders(venues.market, venues.exchanges.values(), carrier.account)
    takers = [lender.spender for lender in venues.lenders.values() if lender.spender is not None]
    receipts = [token for token, of in venues.market.receipts.items() if of in assets] if takers else []
    for token, approvals in token_decoders(receipts, takers).items():
        insists = found.get(token)  # what insists on a supply is a call of its token as well
        found[token] = approvals if insists is None else either(insists, approvals)
    for saver in venues.savers.values():
        found[saver.teller] = either(saver.decoder(), found.get(saver.teller))
    lent_by = [at for lender in venues.lenders.values() for at in lender.paid_by_wallet]
    agency = venues.market.agency
    if agency is not None and (agents := tuple(venues.agents().values())):
        found[agency.at] = agency.decoder(agents)
    for asset in (a for a in assets if a != NATIVE):
        found |= token_decoders([asset], venues.spenders(asset), lent_by)
    return found


def encode(
    plan: Plan,
    venues: Venues,
    carrier: Carrier,
    deadline: int,
    *,
    insists: bool = True,
    permits: PermitSigner | None = None,
) -> Script:
    """Return the calls of a plan, as its account's carrier takes them; swaps are void after ``deadline``.

    One transaction of all ``insists`` on the collateral being there. Call by call the position is looked at before each
    round. Raises NoPermitError where a permit is wanted and there can be none.
    """
    position, moves = plan.intent.assessment.position, [step.move for step in plan.steps]
    each = encode_each(moves, venues, position, carrier, deadline, permits, insists=insists)
    plain = tuple(call for made in each for call in made)
    calls = tuple(call for made, step in zip(each, plan.steps, strict=True) for call in _planned(made, step))
    before = insist(moves, position, venues.market) if insists and carrier.is_atomic else ()
    sent = carrier.carry((*before, *plain), plan.label)
    return Script(calls, sent, carrier, before, venues.hands(moves), carrier.uses(sent))


def _planned(made: Sequence[Call], step: Step) -> Iterator[PlannedCall]:
    """Yield the calls of one step: what goes before the last only approves what that takes."""
    *before, last = made
    for call in before:
        assert isinstance(step.move, Swap)  # noqa: S101 - nothing else is more than one call
        approve = Approve(step.move.route.tokens[0], step.move.route.exchange, step.move.sold)
        yield PlannedCall(call, Step(approve, Usd(0), step.health_after))
    yield PlannedCall(last, step)


def encode_moves(
    moves: Sequence[Move],
    venues: Venues,
    position: LendingPosition,
    carrier: Carrier,
    deadline: int,
    permits: PermitSigner | None = None,
) -> tuple[Call, ...]:
    """Return the calls of moves for a position."""
    each = encode_each(moves, venues, position, carrier, deadline, permits)
    return tuple(call for made in each for call in made)


def encode_each(
    moves: Sequence[Move],
    venues: Venues,
    position: LendingPosition,
    carrier: Carrier,
    deadline: int,
    permits: PermitSigner | None = None,
    *,
    insists: bool = False,
) -> tuple[tuple[Call, ...], ...]:
    """Return by move its calls; loans of one call may insist on the collateral still being there."""
    turns = [None if permits is None else permits.past(_permitted(moves[:i], move)) for i, move in enumerate(moves)]
    return tuple(
        _calls(move, venues, position, carrier, deadline, turn, insists=insists)
        for move, turn in zip(moves, turns, strict=True)
    )


def _permitted(before: Sequence[Move], move: Move) -> int:
    """Return how many permits of what a move takes out go before it: each call uses up one number of its token."""
    if isinstance(move, FlashBoost):
        return sum(loan.by_permit for loan in borrowing(before))
    if not isinstance(move, Flash):
        return 0
    sold = move.route.tokens[0]
    taken = sum(any(loan.by_permit and loan.route.tokens[0] == sold for loan in loans([m])) for m in before)
    return taken + sum(isinstance(m, Flash) and sold in m.left_whole for m in before)


def _calls(
    move: Move,
    venues: Venues,
    position: LendingPosition,
    carrier: Carrier,
    deadline: int,
    permits: PermitSigner | None,
    *,
    insists: bool,
) -> tuple[Call, ...]:
    market = venues.market
    if isinstance(move, Swap):
        symbols = (market.listing(move.route.tokens[0]).symbol, market.listing(move.route.tokens[-1]).symbol)
        return venues.exchange(move.route.exchange).encode(move, position.owner, deadline, symbols)
    if isinstance(move, Flash):
        return (_flash(move, venues, position, carrier, deadline, permits, insists=insists),)
    if isinstance(move, FlashBoost):
        return (_boost(move, venues, position, carrier, deadline, permits),)
    return (_call(move, venues, position, carrier),)


def _call(move: Approve | Redeem | MarketMove, venues: Venues, position: LendingPosition, carrier: Carrier) -> Call:
    market = venues.market
    if isinstance(move, Approve) and (agent := venues.agents().get(move.spender)) is not None:
        assert market.agency is not None  # noqa: S101 - it named the agent
        return market.agency.encode(agent, is_on=move.amount > 0)
    if isinstance(move, Approve):
        symbol = market.listing(move.asset).symbol
        token, taker = venues.approved(move.asset, move.spender)
        is_supply = move.spender in venues.lenders
        whom = "the market" if move.spender == MARKET else "the lender's adapter" if is_supply else "the exchange"
        return erc20.encode_approve(token, f"supplied {symbol}" if is_supply else symbol, taker, move.amount, whom)
    if isinstance(move, Redeem):
        return venues.savers[move.token].encode(move.amount, carrier.account)
    return market.encode(move, position, carrier.account)


def _flash(
    move: Flash,
    venues: Venues,
    position: LendingPosition,
    carrier: Carrier,
    deadline: int,
    permits: PermitSigner | None,
    *,
    insists: bool,
) -> Call:
    """Return the one call of a flash move. Raises ValueError for a lender that the network has not."""
    lent = loans([move])
    _check_known(lent, venues)
    given, owed = (" and ".join(_symbols(lent, i, venues.market)) for i in (0, -1))
    purpose = f"repay {owed} with {given} in one call"
    agent = venues.agents().get(move.lender)
    least = insisted_on(lent, position) if move.by_permit and insists and agent is None else {}
    taken = Counter[Address](least)
    for loan in lent:
        taken[loan.route.tokens[0]] += loan.sold
    for asset in move.left_whole:  # what it comes to when it is mined: interest, from above
        taken[asset] = position.holding(asset).supplied * (MORE + 1) // MORE + least.get(asset, 0)
    by_permits = move.by_permit and agent is None
    signed = _permits(taken, move.lender, venues, deadline, permits) if by_permits else {}
    nothing = dict.fromkeys(move.left_whole, 0)
    ends = _permits(nothing, move.lender, venues, deadline, permits and permits.past(permits.used + 1))
    words = _words(agent, deadline, permits) if move.by_permit and agent is not None else None
    borrower = Borrower(position, carrier.account, carrier.call_back, signed, ends, least, words)
    return venues.lenders[move.lender].encode(move, venues.market, venues.exchanges, borrower, deadline, purpose)


def _boost(
    move: FlashBoost,
    venues: Venues,
    position: LendingPosition,
    carrier: Carrier,
    deadline: int,
    permits: PermitSigner | None,
) -> Call:
    """Return the one call of a boost. Raises ValueError where nobody acts for the owner's account."""
    _check_known((move,), venues)
    agent, market = venues.agents().get(move.lender), venues.market
    if agent is None:
        raise ValueError(f"a boost was planned with {move.lender!r}, which borrows for nobody at this market")
    given, got = (market.listing(move.route.tokens[i]).symbol for i in (0, -1))
    words = _words(agent, deadline, permits) if move.by_permit else None
    borrower = Borrower(position, carrier.account, carrier.call_back, words=words)
    purpose = f"borrow {given} to supply {got} in one call"
    return venues.lenders[move.lender].encode(move, market, venues.exchanges, borrower, deadline, purpose)


def _check_known(lent: Sequence[ByLoan], venues: Venues) -> None:
    """Raise ValueError for a lender or an exchange that the network has not."""
    for loan in lent:
        if loan.lender not in venues.lenders:
            raise ValueError(f"a loan was planned of {loan.lender!r}, which does not lend for this market")
        for part in loan.parts:
            venues.exchange(part.route.exchange)


def _symbols(lent: Sequence[Flash], end: int, market: LendingMarket) -> tuple[str, ...]:
    return tuple(dict.fromkeys(market.listing(loan.route.tokens[end]).symbol for loan in lent))


def _words(agent: Address, deadline: int, permits: PermitSigner | None) -> tuple[Mandate, Mandate]:
    if permits is None:
        raise NoPermitError("nobody is there to sign that a lender may act")
    return permits.words(agent, deadline)


def _permits(
    taken: Mapping[Address, int], lender: str, venues: Venues, deadline: int, permits: PermitSigner | None
) -> Mapping[Address, Permit]:
    """Return one permit for each collateral, for all that one call takes of it, and what is insisted on."""
    if permits is None and taken:
        raise NoPermitError("nobody is there to sign a permit")
    found = dict[Address, Permit]()
    for asset, amount in taken.items():
        token, taker = venues.approved(asset, lender)
        assert permits is not None  # noqa: S101 - see above
        found[asset] = permits.of(token, taker, amount, deadline)
    return found
