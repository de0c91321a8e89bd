"""What is written well and still can never work: found from the settings alone, before any node is asked.

`keeper check` refuses it. A running keeper only says it, for what else the file asks for is still worth doing.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations

from keeper.core.actions import Action
from keeper.core.book.rules import underlying_of
from keeper.core.family import Family
from keeper.core.held_back import LEAST_SPEND, Bounded
from keeper.core.lending.metrics import HEALTH_FACTOR, MOST_HEALTH, LendingTrigger, likely_health
from keeper.core.lending.rules import Rule
from keeper.core.metrics import P, Trigger
from keeper.core.perp.rules import PerpRule
from keeper.core.scales import Beyond
from keeper.core.units import decimal_of, usd_text
from keeper.settings.faults import in_one_line
from keeper.settings.fields import is_address
from keeper.settings.model import Position, Settings
from keeper.venues.registry import EXCHANGES, VENUES

LEAST_FEE = 10**7
"""0.01 gwei, what the least offer adds to the base fee."""
NATIVE = {"ETH": "WETH", "BTC": "WBTC", "POL": "WPOL", "MATIC": "WPOL", "AVAX": "WAVAX", "BNB": "WBNB"}
"""Coins that no lending market lists by that name, and what it lists in their place."""


def futile(of: Settings) -> list[str]:
    """Return what can never work, each with the file, the place and the remedy."""
    found = [*_rules(of), *_perp_rules(of), *_book_rules(of), *_positions(of), *_daemon(of)]
    return [in_one_line(f"{of.path}: {line}") for line in found]


def _rules(of: Settings) -> Iterator[str]:
    positions = {p.name: p for p in of.positions}
    for rule in of.rules:
        for line in (
            *_never_allowed(rule, positions[rule.position], of),
            *_out_of_reach(rule.trigger),
            *_senseless_target(rule, of),
            *_unknown_asset(rule.trigger, of),
            *_limits(rule),
        ):
            yield f"rule {rule.name!r}: {line}"


def _perp_rules(of: Settings) -> Iterator[str]:
    positions = {p.name: p for p in of.positions}
    for rule in of.perp_rules:
        for line in (
            *_never_allowed_perp(rule, positions[rule.position]),
            *_out_of_reach(rule.trigger),
            *_unknown_market(rule, positions[rule.position], of),
            *_limits(rule),
        ):
            yield f"rule {rule.name!r}: {line}"
    yield from _crossed(of)


def _book_rules(of: Settings) -> Iterator[str]:
    positions = {p.name: p for p in of.positions}
    for rule in of.book_rules:
        book = next(b for b in of.books if b.name == rule.position)
        hedges = [positions[name] for name in book.hedges]
        unknown = _unknown_underlying(underlying_of(rule), hedges, of) if underlying_of(rule) else None
        yield from (f"rule {rule.name!r}: {line}" for line in (unknown, *_out_of_reach(rule.trigger)) if line)
        if rule.actions and all(_is_guarded(hedge) for hedge in hedges):
            yield f"rule {rule.name!r}: a guardian cannot trade, and no hedge of {book.name!r} has its owner as signer"
        yield from (f"rule {rule.name!r}: {line}" for line in _limits(rule))


# --- who may do what -------------------------------------------------------------------------------------------------


def _is_guarded(position: Position) -> bool:
    return position.signer is not None and position.spender != position.owner


def _never_allowed(rule: Rule, position: Position, of: Settings) -> Iterator[str]:
    acting = rule.actions
    trades = tuple(a for a in acting if a.trades)
    if _is_guarded(position) and acting and not any(a.by_anybody for a in acting):
        yield (
            f"a guardian may only top up and repay, so {_words(acting)} is never done; let the owner of "
            f"{position.name!r} sign, or allow top_up or repay"
        )
    elif trades and trades == acting and not of.network.exchanges:
        known = " or ".join(f"[{key}]" for key in EXCHANGES)
        yield f"{_words(trades)} needs an exchange, and the network file has no {known}; allow top_up or repay"


def _never_allowed_perp(rule: PerpRule, position: Position) -> Iterator[str]:
    acting, allowed = rule.actions, VENUES[position.venue].takes_gifts
    if _is_guarded(position) and acting and not (allowed and any(a.by_anybody for a in acting)):
        can = "may only add margin" if allowed else f"can do nothing on {position.venue}"
        yield f"a guardian {can}, so {_words(acting)} is never done; let the owner of {position.name!r} sign"


# --- bounds that are never reached, or always ------------------------------------------------------------------------


def _out_of_reach(trigger: Trigger[P]) -> Iterator[str]:
    odd = trigger.metric.odd
    if odd:
        yield from filter(None, dict.fromkeys(odd(trigger.side, bound) for bound in trigger.ends))


def _senseless_target(rule: Rule, of: Settings) -> Iterator[str]:
    if rule.target is None or rule.target.metric is not HEALTH_FACTOR:
        return
    goal = rule.target.value
    if goal < of.safety.health_floor:
        yield (
            f"no plan may end below safety.health_factor_floor ({_ratio(of.safety.health_floor)}), so the target of "
            f"{_ratio(goal)} is never reached; raise the target"
        )
    elif goal > MOST_HEALTH and not rule.is_boost:
        yield f'the target of {_ratio(goal)} would repay almost everything; {likely_health(goal)}, or "close"'


def _limits(rule: Bounded) -> Iterator[str]:
    limits = rule.limits
    for key, limit in (
        ("max_spend_per_tx_usd", limits.max_spend_per_tx),
        ("max_spend_per_day_usd", limits.max_spend_per_day),
    ):
        if limit is not None and limit < LEAST_SPEND:
            yield f"limits.{key} of {usd_text(limit)} leaves nothing to act with; write dollars, at least 1"
    if limits.max_fee is not None and limits.max_fee <= LEAST_FEE:
        yield "limits.max_fee_gwei is at most 0.01: no transaction is ever mined for that; write gwei, like 200"


def _crossed(of: Settings) -> Iterator[str]:
    """Yield pairs of rules of one position that look at one figure from two sides, and between which none lies."""
    for position in of.positions:
        own = [r for r in of.perp_rules if r.position == position.name]
        for one, other in combinations(own, 2):
            if not _is_one_figure(one.trigger, other.trigger):
                continue
            sides = [_side(rule.trigger, position) for rule in (one, other)]
            if None in sides or sides[0] is sides[1]:
                continue
            low, high = (one, other) if sides[0] is Beyond.DOWN_TO else (other, one)
            if low.trigger.bound >= high.trigger.bound:
                yield _crossing(*((low, high) if position.is_long else (high, low)), position)


def _crossing(first: PerpRule, second: PerpRule, position: Position) -> str:
    side, kind = ("below", "long") if position.is_long else ("above", "short")
    keys = first.trigger.metric.key, second.trigger.metric.key
    return (
        f"rules {first.name!r} and {second.name!r}: one of them always fires; the {keys[0]} of a {kind} lies {side} "
        f"its {keys[1]}"
    )


def _is_one_figure(one: Trigger[P], other: Trigger[P]) -> bool:
    return one.metric.measure is other.metric.measure


def _side(trigger: Trigger[P], position: Position) -> Beyond | None:
    """Return the side a trigger fires on where it fires at its bound; None where the position does not say."""
    if trigger.metric.is_turned is None or position.is_long is None:
        return None
    return trigger.side if position.is_long else trigger.side.mirrored


# --- names that the network does not know ----------------------------------------------------------------------------


def _unknown_asset(trigger: LendingTrigger, of: Settings) -> Iterator[str]:
    asset = trigger.of.symbol
    if asset is None or is_address(asset):
        return
    known, listed = of.network.assets, NATIVE.get(asset.upper())
    if listed and (
        asset.lower() not in known or listed.lower() in known
    ):  # a perpetual's underlying is named there too
        yield f"no lending market lists {asset!r}; did you mean {listed!r}?"
    elif asset.lower() not in known and (close := _close(asset, [name.upper() for name in known])):
        yield f"{asset!r} is not known to the network file; did you mean {close!r}?"


def _unknown_market(rule: PerpRule, position: Position, of: Settings) -> Iterator[str]:
    market = rule.trigger.of.symbol
    table = of.network.perp(position.venue, position.table)
    if market is None or table is None or "market" in VENUES[position.venue].must_name:
        return
    if table.markets and market not in table.markets:
        yield f"there is no market {market!r}{_known(market, table.markets)}"


def _unknown_underlying(underlying: str, hedges: Sequence[Position], of: Settings) -> str | None:
    """Return that no hedge of a book trades what its rule is about; nothing where markets are named by address."""
    known = set[str]()
    for hedge in hedges:
        if hedge.market and is_address(hedge.market):
            return None
        table = of.network.perp(hedge.venue, hedge.table)
        listed = table.markets if table else {}
        known |= {hedge.market.upper()} if hedge.market else set(listed)
    if not known or underlying in known:
        return None
    return f"no hedge of the book trades {underlying!r}{_known(underlying, known)}"


def _positions(of: Settings) -> Iterator[str]:
    for position in of.positions:
        where = f"position {position.name!r}"
        if is_address(position.owner) and int(position.owner, 16) == 0:
            yield f"{where}: `owner` is the zero address, which holds nothing; write your own"
        yield from (f"{where}: {fault}" for fault in _nowhere(position, of))
    for signer in of.signers:
        if is_address(signer.address) and int(signer.address, 16) == 0:
            yield f"signer {signer.name!r}: `address` is the zero address, which nobody signs for; write your own"


def _nowhere(position: Position, of: Settings) -> Iterator[str]:
    """Yield that the network file does not have the venue of a position, or its market."""
    file, market = f"the network file of {of.network.name}", position.market
    if position.family is Family.LENDING:
        listed = {table.name for table in of.network.markets if table.venue == position.venue}
        if not listed:
            yield f"{file} has no [{position.venue}]; it cannot be read"
        elif of.network.market_of(position) is None and market is not None:
            yield f"there is no market {market!r}{_known(market, listed)}"
        elif of.network.market_of(position) is None:
            yield f"{file} has several markets of {position.venue}; write `market`, one of {', '.join(sorted(listed))}"
        return
    venue, places = of.network.perp(position.venue, position.table), of.network.tables_of(position.venue)
    if venue is None and places and position.table is not None:
        yield f"there is no table {position.table!r}{_known(position.table, {table.name for table in places})}"
    elif venue is None and places:
        names = ", ".join(sorted(table.name for table in places))
        yield f"{file} has several tables of {position.venue}; write `table`, one of {names}"
    elif venue is None:
        yield f"{file} has no [{position.venue}]; it cannot be read"
    elif market and not is_address(market) and market.upper() not in venue.markets:
        yield f"there is no market {market!r}{_known(market, venue.markets)}"


# --- times -----------------------------------------------------------------------------------------------------------


def _daemon(of: Settings) -> Iterator[str]:
    block_s, daemon = of.network.block_time_s, of.daemon
    if of.swap_deadline_s <= block_s:
        yield f"safety.swap_deadline: {of.swap_deadline_s} s is over before the next block; no sale would ever succeed"
    if daemon.confirm_s < block_s:
        yield f"daemon.confirm: {daemon.confirm_s:g} s is shorter than a block: every transaction would count as stuck"
    if daemon.rpc_timeout_s < 0.05:
        yield f'daemon.rpc_timeout: {daemon.rpc_timeout_s:g} s is too short for any node; write seconds, like "10s"'
    if of.max_fee is not None and of.max_fee <= LEAST_FEE:
        yield "safety.max_fee_gwei is at most 0.01: no transaction is ever mined for that; write gwei, like 500"


# --- words -----------------------------------------------------------------------------------------------------------


def _words(actions: Sequence[Action]) -> str:
    return " or ".join(a.key for a in actions)


def _ratio(value: int) -> str:
    return decimal_of(value, 18).rstrip("0").rstrip(".")


def _close(name: str, known: Iterable[str]) -> str | None:
    return next(iter(difflib.get_close_matches(name.upper(), list(known), n=1, cutoff=0.7)), None)


def _known(name: str, known: Iterable[str]) -> str:
    listed = sorted(known)
    if close := _close(name, listed):
        return f"; did you mean {close!r}?"
    return f"; known: {', '.join(listed)}" if listed else ""
