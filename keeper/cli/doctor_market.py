"""What a block shows of positions, prices and who lends: read, fresh, and trusted by whom."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from keeper.cli.doctor_findings import Finding, failing, fine, warning
from keeper.cli.words import short_address
from keeper.core.lending.metrics import HEALTH_FACTOR
from keeper.core.lending.position import SecondLine
from keeper.core.metrics import Trigger
from keeper.core.perp.position import PerpPosition
from keeper.core.prices import Doubt, OraclePrice, price_doubts
from keeper.core.reasons import Reason
from keeper.core.snapshot import LendingPosition, Snapshot, Unreadable
from keeper.core.units import ratio_text
from keeper.service.opened import Opened
from keeper.settings import Settings

KNOWN_LATER = (Reason.PRICE_DEVIATES, Reason.PRICE_AGE_UNKNOWN)
"""Doubts that may be a passing thing, or the owner's choice."""


def examine_market(engine: Opened, settings: Settings, snapshot: Snapshot) -> Iterator[Finding]:
    """Yield each position and price source, and what speaks against trading on this chain now."""
    for flaw in engine.reader.known.flaws:
        yield failing("market", flaw, "correct the address in the network file")
    for position in snapshot.positions:
        yield _position(position)
    yield from _feeds(engine, snapshot)
    doubts = engine.chain_doubts(snapshot)
    yield from (failing("chain", doubt.detail, doubt.reason.remedy) for doubt in doubts)
    if snapshot.sequencer is not None and not doubts:
        yield fine("sequencer", "up")
    yield from _lenders(settings, snapshot)


def _position(of: LendingPosition | PerpPosition | Unreadable) -> Finding:
    topic = f"position {of.name}"
    if isinstance(of, Unreadable):
        return failing(topic, of.doubt.detail, of.doubt.reason.remedy)
    if of.is_empty:
        return failing(topic, "has nothing in this market", "check `owner`, `market` and the network file")
    return fine(topic, "read")


def _feeds(engine: Opened, snapshot: Snapshot) -> Iterator[Finding]:
    """Yield what speaks against the price of anything that is held; once that all are fresh."""
    prices = dict[object, OraclePrice]()
    for position in snapshot.positions:
        if not isinstance(position, Unreadable):
            prices |= {price.asset: price for price in position.hangs_on}
    now, bound = snapshot.block.timestamp, engine.reader.network.max_deviation
    found = [
        (p, doubt) for p in prices.values() for doubt in price_doubts(p, snapshot.seconds.get(p.asset), bound, now)
    ]
    yield from (_doubted(price, doubt) for price, doubt in found)
    if prices and not found:
        yield fine("prices", f"{len(prices)} sources, all fresh")


def _doubted(price: OraclePrice, doubt: Doubt) -> Finding:
    told = warning if doubt.reason in KNOWN_LATER else failing
    return told(f"price of {price.symbol}", f"{doubt.reason.short}: {doubt.detail}", doubt.reason.remedy)


def _lenders(settings: Settings, snapshot: Snapshot) -> Iterator[Finding]:
    """Yield where lenders for the time of one transaction have less than what is owed: rounds take their place."""
    acting = {rule.position for rule in settings.rules if any(action.trades for action in rule.actions)}
    loans = [p for p in snapshot.loans if p.name in acting]
    for name, there in snapshot.lendable.items():
        for loan in loans:
            short = [h.symbol for h in loan.held if h.borrowed > there.get(h.asset, h.borrowed)]
            if short:
                text = f"has less {', '.join(short)} than {loan.name} owes: rounds would take its place"
                yield warning(f"lender {name}", text, "nothing to do; smaller loans still go through it")


def examine_second_lines(settings: Settings, snapshot: Snapshot) -> Iterator[Finding]:
    """Say of each contract that sells before liquidation whether the owner let it, and whether it comes first."""
    for loan in snapshot.loans:
        named = [rule for rule in settings.rules if rule.position == loan.name and rule.actions]
        for line in loan.second_lines:
            topic, health = f"second line of {loan.name}", ratio_text(line.begins_at)
            if not line.is_known:
                text = f"{line.contract} was not made by the protocol's factory: nobody knows what it does"
                told = failing if line.is_let else warning
                yield told(topic, text, "take its authorisation back" if line.is_let else "let it never act")
            elif not line.is_let:
                text = f"{line.contract} may not act: it would sell a part below health {health}, also without a keeper"
                yield warning(topic, text, "to let it act is yours to say, at the protocol itself; a keeper never does")
            elif named and not any(_before(rule.trigger, line) for rule in named):
                text = f"{line.contract} sells below health {health}, above every rule's trigger: it comes first"
                yield warning(topic, text, "raise `when.health_factor_below` above it, or take its authorisation back")
            else:
                yield fine(topic, f"{line.contract} sells a part below health {health}, also without a keeper")


def _before(trigger: Trigger[Any], line: SecondLine) -> bool:
    """Return whether a rule acts above where a second line begins, as far as its trigger is about health."""
    return trigger.metric.key != HEALTH_FACTOR.key or trigger.bound > line.begins_at


async def examine_agents(engine: Opened, snapshot: Snapshot) -> list[Finding]:
    """Say of each lender that acts for a whole account whether it may at this moment. Raises NodeError."""
    found = list[Finding]()
    for loan in snapshot.loans:
        market = engine.reader.account(loan.name).market
        for lender in engine.reader.lenders.values():
            agent, agency = lender.agent(market), market.agency
            if agent is None or agency is None:
                continue
            topic = f"{lender.name} for {loan.name}"
            if await engine.reader.read(snapshot.block, agency.standing_probe(loan.owner, agent)):
                text = f"{agent} may act for all of the account, in every market: plans need that for one transaction"
                found.append(warning(topic, text, "take it back where you do not use it yourself"))
            else:
                text = "may not act: a plan lets it for one transaction, and takes that back in the same"
                found.append(fine(topic, text))
    return found


async def examine_trust(engine: Opened, snapshot: Snapshot) -> list[Finding]:
    """Say of each guardian whether the venue would let him take out as well. Raises NodeError."""
    found = list[Finding]()
    for position in snapshot.positions:
        signer = engine.reader.positions[position.name].spender
        if not isinstance(position, LendingPosition) or signer == position.owner:
            continue
        may = await engine.reader.read(snapshot.block, engine.reader.account(position.name).trust_probe(signer))
        topic = f"authorisation of {short_address(signer)} for {position.name}"
        if may:
            text = "is there, for all of the owner's account: a guardian here only pays in"
            found.append(warning(topic, text, "revoke it"))
        elif may is not None:
            found.append(fine(topic, "none, and none is needed: a guardian pays in, which anybody may"))
    return found
