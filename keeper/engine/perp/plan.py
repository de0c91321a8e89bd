"""From an intent to plans: what the venue would give now is asked, then the ways are worked out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from keeper.chain.simulation import price_at
from keeper.core.book.hedging import hedge_plans
from keeper.core.book.rules import BookIntent
from keeper.core.book.trades import HedgeTrade, hedge_trades
from keeper.core.decide import Hold
from keeper.core.perp.candidates import perp_plans, quotes_wanted
from keeper.core.perp.moves import TradeQuote
from keeper.core.perp.plan import PerpPlan, PerpTerms
from keeper.core.perp.position import PerpPosition
from keeper.core.perp.rules import PerpIntent
from keeper.core.snapshot import BlockRef, Snapshot
from keeper.core.units import Address, Wei
from keeper.engine.engine import Engine
from keeper.venues.contracts import erc20
from keeper.venues.ports import Answer, ByKeepers, PerpAccount, Probe


async def find_perp_plans(engine: Engine, snapshot: Snapshot, intent: PerpIntent) -> tuple[PerpPlan, ...] | Hold:
    """Return the plans worth rehearsing, best first. One read, for quotes and the allowance. Raises NodeError."""
    return perp_plans(intent, await perp_terms(engine, snapshot, intent.perp, quotes_wanted(intent)))


async def find_hedge_plans(
    engine: Engine, snapshot: Snapshot, intent: BookIntent, hedges: Sequence[PerpPosition]
) -> tuple[PerpPlan, ...] | Hold:
    """Return the trades worth rehearsing, over some hedges of the book, cheapest first. Raises NodeError."""
    found = hedge_trades(intent, hedges)
    terms = {
        trade.perp.name: await perp_terms(engine, snapshot, trade.perp, {trade.leg.market: trade.first})
        for trade in found
        if isinstance(trade, HedgeTrade)
    }
    return hedge_plans(intent, found, terms, engine.perps.rules)


async def perp_terms(
    engine: Engine, snapshot: Snapshot, position: PerpPosition, wanted: Mapping[Address, int]
) -> PerpTerms:
    """Return what plans are weighed with; ``wanted``: the size changes to be quoted. One read. Raises NodeError."""
    watch, block = engine.reader, snapshot.block
    account, signer = watch.perp_account(position.name), watch.positions[position.name].spender
    quotes = [(market, account.quote_probe(position, market, change)) for market, change in wanted.items() if change]
    allowance = erc20.allowance_probe(signer, account.collateral, account.spender)
    answers = await watch.answers(block, [r for _, p in quotes for r in p.reads] + list(allowance.reads))
    found, rest = _decoded(quotes, answers)
    gas_price = await gas_price_for(engine, block)
    return PerpTerms(
        safety=engine.terms.safety,
        wallet=snapshot.wallets[signer],
        quotes=found,
        allowance=allowance.decode(rest),
        fee_per_gas=gas_price,
        execution_fee=fee_of(account, gas_price),
        native_price=max(1, snapshot.native_price),
        toll=(await engine.fees.toll()).typical(gas_price),
    )


async def gas_price_for(engine: Engine, block: BlockRef) -> Wei:
    """Return the gas price that costs and execution fees are reckoned at: what we may come to pay, from above.

    Room for the base fee to double and for some higher offers: an order that brings too little for the price its own
    transaction pays is refused (GMX InsufficientExecutionFee); what it brings too much comes back. Raises NodeError.
    """
    market = await engine.fees.market(block.base_fee)
    return Wei(min(market.most, 2 * (block.base_fee + market.tip)))


def market_price(block: BlockRef, reckoned: Wei) -> Wei:
    """Return what a transaction would pay for gas in the next block, of a price reckoned from above: its half."""
    return max(price_at(block.base_fee), Wei(reckoned // 2))


def fee_of(account: PerpAccount, gas_price: Wei) -> Wei:
    """Return what one order pays the venue's keepers; zero where trades are done at once."""
    return account.execution_fee(gas_price) if isinstance(account.settles, ByKeepers) else Wei(0)


def _decoded(
    quotes: Sequence[tuple[Address, Probe[TradeQuote | None]]], answers: Sequence[Answer]
) -> tuple[dict[Address, TradeQuote], Sequence[Answer]]:
    found, at = dict[Address, TradeQuote](), 0
    for market, probe in quotes:
        quote = probe.decode(answers[at : at + len(probe.reads)])
        at += len(probe.reads)
        if quote is not None:
            found[market] = quote
    return found, answers[at:]
