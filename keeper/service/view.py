"""What a keeper sees and is about to do, whole, as plain data: for the page, the terminal view and ``--json``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from typing import Any

from keeper.chain.nodes import Nodes, NodeStatus
from keeper.core.book.rules import BookAssessment
from keeper.core.lending.position import Beside
from keeper.core.lending.risk_metrics import LIQUIDATION_PROBABILITY
from keeper.core.lending.rules import LendingAssessment
from keeper.core.metrics import Subject, Target
from keeper.core.perp.risk_metrics import probability_of
from keeper.core.perp.rules import PerpAssessment
from keeper.core.prices import Doubt
from keeper.core.rules import Assessment, Unjudged, Verdict
from keeper.core.snapshot import Snapshot, Wallet
from keeper.core.trail import NOTHING
from keeper.core.units import DAY_S, INFINITE, decimal_of
from keeper.engine import report, rows
from keeper.engine.perp import book_report
from keeper.engine.perp.assess import carry_of
from keeper.engine.report import Data
from keeper.engine.result import AnyAssessment, Result
from keeper.service.opened import Opened

MOST_SHOWN = 64
"""Positions that a view shows, those of least health first; how many more there are is in it."""


def view_of(engine: Opened, snapshot: Snapshot, results: Sequence[Result]) -> Data:
    """Return what was seen and decided at a block."""
    shown = _most_pressing(results)
    block, network = snapshot.block, engine.reader.network
    return {
        "mode": engine.terms.mode,
        "network": network.name,
        "chain_id": network.chain_id,
        "block_time_s": network.block_time_s,
        "block": {"number": block.number, "hash": block.hash, "timestamp": block.timestamp},
        "base_fee_gwei": decimal_of(block.base_fee, 9, 4),
        "may_sign": engine.state.may_sign,
        "subjects": [_subject(engine, snapshot, one) for one in shown],
        "more": len(results) - len(shown),
        "prices": list(_prices(snapshot, shown)),
        "wallets": wallets(engine, snapshot),
        "nodes": [asdict(node) for node in nodes(engine)],
        "flaws": list(engine.reader.known.flaws),
        "under_way": sorted(engine.state.in_flight.names()),
        "alarms": engine.observer.alarms[-10:],
    }


def figures(results: Sequence[Result]) -> dict[str, int]:
    """Return each subject's figure, Wad: health factor, margin ratio, delta; nothing where it is endless or unknown."""
    found = {one.name: _figure(one.assessed) for one in _most_pressing(results)}
    return {name: value for name, value in found.items() if value is not None and value < INFINITE}


def wallets(engine: Opened, snapshot: Snapshot) -> list[Data]:
    """Return what those who pay have."""
    return [
        {
            "address": w.address,
            "native_wei": str(w.native),
            "tokens": {a: str(amount) for a, amount in w.tokens.items()},
            "holds": held_tokens(engine, w),
        }
        for w in snapshot.wallets.values()
    ]


def held_tokens(engine: Opened, wallet: Wallet) -> list[Data]:
    """Return the tokens a wallet has some of, by symbol."""
    listed = engine.reader.known.listings
    return [
        {"symbol": listed[asset].symbol, "amount": decimal_of(amount, listed[asset].decimals)}
        for asset, amount in wallet.tokens.items()
        if amount and asset in listed
    ]


def nodes(engine: Opened) -> list[NodeStatus]:
    """Return how each node is doing."""
    node = engine.reader.blocks.node
    return node.status() if isinstance(node, Nodes) else []


# --- one position or book --------------------------------------------------------------------------------------------


def _subject(engine: Opened, snapshot: Snapshot, of: Result) -> Data:
    assessed = of.assessed
    seen = rows.seen(assessed)
    if isinstance(assessed, BookAssessment):
        carry = None if assessed.exposure.doubts else carry_of(snapshot, assessed)
        seen = book_report.book(assessed, carry) | {"rules": [report.verdict(v) for v in assessed.verdicts]}
    return {
        "name": of.name,
        "kind": of.family.value,
        "seen": seen,
        "now": rows.row(of, None),
        "aims": [] if isinstance(assessed, Unjudged) else [_aim(v) for v in assessed.verdicts],
        "probability": _probability(engine, assessed),
        "is_under_way": of.name in engine.state.in_flight.names(),
    }


def _aim(of: Verdict[Any]) -> Data:
    """Return where a rule fires and where it wants to get to, each with what it measures, and in words."""
    trigger, target = of.rule.trigger, of.rule.target
    metric, scale = trigger.metric, trigger.metric.unit.decimals
    is_known = of.measured is not None and of.measured < INFINITE
    return {
        "rule": of.rule.name,
        "measure": metric.key,
        "side": trigger.side.value,
        "bound": decimal_of(trigger.bound, scale, 6),
        "bound_words": metric.shown(trigger.bound),
        "when": f"{trigger.subject} {trigger.side.value} {metric.shown(trigger.bound)}",
        "measured_words": metric.shown(of.measured) if of.measured is not None and is_known else None,
        "says": trigger.text(of.measured) if is_known else None,
        "target": str(target) if target else None,
        "target_words": _wanted(target) if target else None,
        "target_measure": target.metric.key if target else None,
        "target_value": decimal_of(target.value, target.metric.unit.decimals, 6) if target else None,
        "actions": [action.key for action in of.rule.actions],
    }


def _wanted(target: Target[Any]) -> str:
    return (
        str(target)
        if target.is_close or target.of.symbol
        else f"{target.metric.words} {target.metric.shown(target.value)}"
    )


def _probability(engine: Opened, of: AnyAssessment | Unjudged) -> Data | None:
    """Return how probable liquidation is within a day; why it is not known; None for what is not measured so."""
    market = engine.state.market
    if market is None:
        return None
    if isinstance(of, LendingAssessment):
        position = replace(of.position, beside=Beside({}, {}, market))
        found = LIQUIDATION_PROBABILITY.measure(position, NOTHING, Subject(window_s=DAY_S))
    elif isinstance(of, PerpAssessment):
        found = probability_of(replace(of.position, market=market), DAY_S)
    else:
        return None
    if isinstance(found, Doubt):
        return {"share": None, "horizon_s": DAY_S, "why": found.detail}
    return None if found is None else {"share": decimal_of(found, 18, 6), "horizon_s": DAY_S, "why": None}


def _figure(of: AnyAssessment | Unjudged) -> int | None:
    return None if isinstance(of, Unjudged) else of.headline


def _most_pressing(results: Sequence[Result]) -> list[Result]:
    """Return the results to show in the settings' order: all, or of many those for which most is to be done."""
    if len(results) <= MOST_SHOWN:
        return list(results)
    ranked = sorted(range(len(results)), key=lambda i: _rank(results[i]))
    return [results[i] for i in sorted(ranked[:MOST_SHOWN])]


def _rank(of: Result) -> tuple[bool, bool, int]:
    figure = _figure(of.assessed)
    return of.is_healthy, isinstance(of.assessed, Assessment), INFINITE if figure is None else abs(figure)


def _prices(snapshot: Snapshot, shown: Sequence[Result]) -> Iterator[Data]:
    """Yield every price that a shown position hangs on, with its source and how old it may get."""
    judged = [one.assessed.position for one in shown if not isinstance(one.assessed, Unjudged)]
    for price in {price.asset: price for position in judged for price in position.hangs_on}.values():
        second = snapshot.seconds.get(price.asset)
        yield {
            "symbol": price.symbol,
            "asset": price.asset,
            "price": decimal_of(price.answer, 8),
            "source": price.source,
            "updated_at": price.updated_at,
            "heartbeat_s": price.heartbeat_s,
            "second": second and {"origin": second.origin, "answers": [decimal_of(a, 8) for a in second.answers]},
        }
