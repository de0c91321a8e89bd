"""What fields that may each be right mean wrongly together.

Works on the file as written, so that one wrong field does not hide these; what cannot be read here is passed over,
for it is reported as a field.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from decimal import ROUND_UP, Decimal
from typing import Any

from pydantic import ValidationError

from keeper.settings.fields import as_address, as_alarm_url, as_journal_url, as_url, is_address, urls_in
from keeper.settings.perp_rules import hedge_rule_faults, least_ratio_of, perp_rule_faults
from keeper.settings.rule_schema import RestoreTable, RuleTable
from keeper.settings.rules import kind_of, rule_faults
from keeper.venues.registry import VENUES, Family, family_of

Raw = Mapping[str, Any]


def contradictions(raw: Raw, env: Mapping[str, str]) -> Iterator[str]:
    """Yield what is wrong between the tables of the owner's file, and with the environment."""
    yield from _node_faults(raw, env)
    for kind in ("signers", "positions", "books", "rules"):
        for name in _repeated(_text(table, "name") for _, table in _tables(raw, kind)):
            yield f"{kind}: the name {name!r} is used twice"
    named = {_text(table, "name") for _, table in _tables(raw, "positions")}
    for i, table in _tables(raw, "books"):
        if _text(table, "name") in named:
            yield f"books[{i}].name: {_text(table, 'name')!r} is the name of a position"
    for address in _repeated(_address(table) for _, table in _tables(raw, "signers")):
        yield f"signers: the address {address} is declared twice; name one signer in both positions"
    yield from _unknown(raw, "positions", "signer", "signers")
    yield from _unknown(raw, "rules", "position", "positions")
    yield from _unknown(raw, "rules", "book", "books")
    yield from _book_faults(raw)
    yield from _rules(raw)


def _node_faults(raw: Raw, env: Mapping[str, str]) -> Iterator[str]:
    named = urls_in(env.get("KEEPER_RPC_URL", ""))
    network = raw.get("network")
    if isinstance(network, dict) and "rpc_url" in network and "nodes" in network:
        yield "network.rpc_url: stands beside [[network.nodes]]; keep one of them, or name this node there as well"
    elif isinstance(network, dict) and not named:
        yield from _unread(network)
    for name in _repeated(_text(table, "name") for _, table in _nodes(network)):
        yield f"network.nodes: the name {name!r} is used twice"


def environment_faults(env: Mapping[str, str]) -> Iterator[str]:
    """Yield what is wrong with variables that come before the file; never what they hold."""
    for variable, as_one in (
        ("KEEPER_RPC_URL", as_url),
        ("KEEPER_JOURNAL_URL", as_journal_url),
        ("KEEPER_ALERT_URLS", as_alarm_url),
    ):
        text = env.get(variable, "")
        several = {"KEEPER_RPC_URL": urls_in(text), "KEEPER_ALERT_URLS": text.split()}.get(variable, [text])
        for value in dict.fromkeys(one for one in several if one):
            try:
                as_one(value)
            except ValueError as fault:
                yield f"{variable} (environment): {fault}"


def _unread(network: Raw) -> Iterator[str]:
    """Yield that nothing would be read from; what is wrong with the tables themselves is reported there."""
    if "rpc_url" not in network and not network.get("nodes"):
        yield "network.rpc_url: is missing; write it here or set KEEPER_RPC_URL"
    listed = [table.get("roles", ["read"]) for _, table in _nodes(network)]
    if listed and not any(isinstance(roles, list) and "read" in roles for roles in listed):
        yield 'network.nodes: none has the role "read": positions could not be watched'


def _nodes(network: Any) -> Iterator[tuple[int, Raw]]:
    return _tables(network, "nodes") if isinstance(network, dict) else iter(())


def _unknown(raw: Raw, kind: str, key: str, among: str) -> Iterator[str]:
    known = {name for _, table in _tables(raw, among) if (name := _text(table, "name"))}
    for i, table in _tables(raw, kind):
        named = _text(table, key)
        if named and named not in known:
            hint = f"known: {', '.join(sorted(known))}" if known else "none is declared"
            yield f"{kind}[{i}].{key}: there is no {among.removesuffix('s')} {named!r}; {hint}"


def _venues(raw: Raw) -> dict[str, str]:
    return {_text(t, "name") or "": _text(t, "venue") or "" for _, t in _tables(raw, "positions")}


def _book_faults(raw: Raw) -> Iterator[str]:
    """Yield what a book names that is not there, or is of the wrong kind."""
    venues, hedging = _venues(raw), dict[str, str]()
    signers = {_text(table, "name") for _, table in _tables(raw, "signers")}
    for i, table in _tables(raw, "books"):
        members, unwind = table.get("positions"), table.get("unwind")
        members = members if isinstance(members, list) else []
        for key, names in (("positions", members), ("hedge", _hedges(table)), ("unwind", [unwind])):
            for name in names:
                if isinstance(name, str) and name not in venues:
                    yield f"books[{i}].{key}: there is no position {name!r}; known: {', '.join(sorted(venues))}"
        yield from _hedge_faults(i, table, venues, hedging)
        yield from _counted_twice(raw, i, table, members)
        if isinstance(unwind, str) and family_of(venues.get(unwind, "")) is Family.PERP:
            yield f"books[{i}].unwind: {unwind!r} is a perpetual; what is unwound is a lending position"
        elif isinstance(unwind, str) and unwind in venues and unwind not in members:
            yield f"books[{i}].unwind: {unwind!r} is not among the book's positions; add it there"
        wallets = table.get("wallets")
        for wallet in wallets if isinstance(wallets, list) else []:
            if isinstance(wallet, str) and wallet not in signers and not is_address(wallet):
                yield f"books[{i}].wallets: {wallet!r} is neither a signer's name nor an address"


def _hedge_faults(i: int, table: Raw, venues: Mapping[str, str], hedging: dict[str, str]) -> Iterator[str]:
    """Yield hedges that are none, or are another book's; ``hedging`` is whose they are so far."""
    for name in _hedges(table):
        if family_of(venues.get(name, "")) is Family.LENDING:
            yield f"books[{i}].hedge: {name!r} is a lending position; a hedge is a perpetual"
        if name in hedging:
            yield f"books[{i}].hedge: {name!r} hedges {hedging[name]!r} already; two books would trade to and fro"
        hedging.setdefault(name, _text(table, "name") or "")


def _counted_twice(raw: Raw, i: int, book: Raw, members: list[Any]) -> Iterator[str]:
    """Yield members that are one account under two names: what it holds would count twice."""
    listed = {_text(table, "name"): table for _, table in _tables(raw, "positions")}
    seen = dict[tuple[str, ...], str]()
    for name in dict.fromkeys(n for n in (*members, *_hedges(book)) if isinstance(n, str) and n in listed):
        account = _account(listed[name])
        if account in seen:
            yield f"books[{i}]: {seen[account]!r} and {name!r} are one account, which would count twice; name it once"
        seen.setdefault(account, name)


def _account(position: Raw) -> tuple[str, ...]:
    """Return what a position is read from: an owner's account, and of it one position where margin is isolated."""
    venue = _text(position, "venue") or ""
    keys = _isolated(venue)
    owner = _address(position, "owner") or _text(position, "name") or ""
    return (venue, owner, *((_text(position, key) or "").lower() for key in keys))


def _isolated(venue: str) -> tuple[str, ...]:
    """Return the keys that make two positions of one owner two accounts."""
    known = VENUES.get(venue)
    if known is None:
        return ()
    return (*known.may_name, *known.must_name) if known.family is Family.LENDING else known.must_name


def _hedges(book: Raw) -> list[str]:
    named = book.get("hedge")
    listed = [named] if isinstance(named, str) else named if isinstance(named, list) else []
    return list(dict.fromkeys(name for name in listed if isinstance(name, str)))


def _rules(raw: Raw) -> Iterator[str]:
    sound, venues = list[RuleTable](), _venues(raw)
    for i, table in _tables(raw, "rules"):
        try:
            rule = RuleTable.model_validate(table)
        except ValidationError:
            continue
        kind = kind_of(rule, venues)
        judge = {"lending": rule_faults, "book": hedge_rule_faults}.get(kind)
        faults = list(judge(rule) if judge else perp_rule_faults(rule, venues.get(rule.about, "")))
        for fault in faults:
            field, _, what = fault.partition(": ")
            yield f"rules[{i}].{field} (in {rule.name!r}): {what}"
        if not faults and kind == "book":
            faults = [*_in_its_book(raw, i, rule), *_nowhere_in_its_book(raw, i, rule)]
            yield from faults
        if not faults and kind == "perp":
            faults = list(_in_its_market(raw, i, rule))
            yield from faults
        if not faults:
            sound.append(rule)
    yield from _endless([rule for rule in sound if kind_of(rule, venues) == "lending"])
    yield from _against_each_other(raw, [r for r in sound if kind_of(r, venues) == "book"], sound)


def _in_its_book(raw: Raw, i: int, rule: RuleTable) -> Iterator[str]:
    book = next((b for _, b in _tables(raw, "books") if _text(b, "name") == rule.book), {})
    if book and "unwind" in rule.actions and "unwind" not in book:
        yield f'rules[{i}].actions (in {rule.name!r}): "unwind" needs to know what: name it in the book, unwind = "…"'


def _in_its_market(raw: Raw, i: int, rule: RuleTable) -> Iterator[str]:
    """Yield that a rule looks at a market its position does not have: it would measure nothing, and never fire."""
    of = next((p for _, p in _tables(raw, "positions") if _text(p, "name") == rule.position), {})
    named, market = rule.when.market, _named_market(of)
    if named and market and named.upper() != market:
        yield f"rules[{i}].when.market (in {rule.name!r}): {named} is not the market of {rule.position!r}, {market} is"


def _nowhere_in_its_book(raw: Raw, i: int, rule: RuleTable) -> Iterator[str]:
    """Yield that a rule holds an underlying which none of its book's hedges trades, where their markets are named."""
    outside = rule.when.delta_outside
    book = next((b for _, b in _tables(raw, "books") if _text(b, "name") == rule.book), {})
    listed = {_text(p, "name"): p for _, p in _tables(raw, "positions")}
    markets = [_named_market(listed.get(name, {})) for name in _hedges(book)]
    if outside is None or "hedge" not in rule.actions or not markets or not all(markets):
        return
    if outside.underlying.upper() not in markets:
        known = ", ".join(dict.fromkeys(m for m in markets if m))
        field = f"rules[{i}].when.delta_outside.underlying (in {rule.name!r})"
        yield f"{field}: {outside.underlying} is traded by no hedge of the book {rule.book!r}; they have {known}"


def _named_market(position: Raw) -> str | None:
    """Return the one market of a position by name; None where it is given by address, or may be any."""
    market = _text(position, "market")
    venue = VENUES.get(_text(position, "venue") or "")
    is_one = venue is not None and "market" in venue.must_name and market is not None and not is_address(market)
    return market.upper() if is_one and market else None


def _against_each_other(raw: Raw, of_books: list[RuleTable], rules: list[RuleTable]) -> Iterator[str]:
    """Yield pairs of rules of which one would undo what the other did, paying each time."""
    acting = [r for r in of_books if _acts(r)]
    hedges = {_text(book, "name"): _hedges(book) for _, book in _tables(raw, "books")}
    for k, rule in enumerate(acting):
        for other in acting[:k]:
            ours, theirs = rule.when.delta_outside, other.when.delta_outside
            if other.book == rule.book and ours and theirs and ours.underlying.upper() == theirs.underlying.upper():
                what = f"the {ours.underlying} of the book {rule.book!r}"
                yield f"rules: {other.name!r} and {rule.name!r} both hold {what}; keep one"
        for other in rules:
            limit, least = _ratio_below(other), least_ratio_of(rule)
            reduces = {"reduce", "close"} & set(other.actions)
            if limit is not None and limit > least and reduces and other.position in hedges.get(rule.book, []):
                yield (
                    f"rules: {rule.name!r} may take the margin ratio of {other.position!r} down to {least}, where "
                    f"{other.name!r} closes it again; let min_margin_ratio be above {limit}"
                )


def _ratio_below(rule: RuleTable) -> Decimal | None:
    """Return the margin ratio below which a rule fires; that of a leverage is its inverse, rounded up."""
    leverage = rule.when.figure("leverage_above")
    if leverage is None or leverage <= 0:
        return rule.when.figure("margin_ratio_below")
    return (1 / leverage).quantize(Decimal("0.0001"), ROUND_UP)


def _endless(rules: list[RuleTable]) -> Iterator[str]:
    """Yield pairs in which a boost ends where a rescue begins: they would trade to and fro, paying each time."""
    of = dict[str | None, list[RuleTable]]()
    for rule in rules:
        of.setdefault(rule.position, []).append(rule)
    boosts = [rule for rule in rules if "leverage_up" in rule.actions]
    for boost, rescue in ((one, other) for one in boosts for other in of[one.position]):
        trigger = rescue.when.figure("health_factor_below")
        assert isinstance(boost.restore, RestoreTable)  # noqa: S101 - a sound boost restores a health factor
        goal = boost.restore.figure("health_factor")
        if trigger and goal and goal < trigger and _acts(rescue):
            yield (
                f"rules: {boost.name!r} lowers the health factor to {goal}, where {rescue.name!r} raises it again: "
                f"they would never rest; let it end at {trigger} or above"
            )
        begins = boost.when.figure("health_factor_above")
        end = rescue.restore.figure("health_factor") if isinstance(rescue.restore, RestoreTable) else None
        if rescue is not boost and begins and end and end >= begins:
            yield (
                f"rules: {rescue.name!r} raises the health factor to {end}, where {boost.name!r} lowers it again: "
                f"let the boost begin above {end}"
            )


def _acts(rule: RuleTable) -> bool:
    return any(action != "alert" for action in rule.actions)


def _tables(raw: Raw, kind: str) -> Iterator[tuple[int, Raw]]:
    listed = raw.get(kind)
    for i, table in enumerate(listed if isinstance(listed, list) else []):
        if isinstance(table, dict):
            yield i, table


def _text(table: Raw, key: str) -> str | None:
    value = table.get(key)
    return value if isinstance(value, str) else None


def _address(table: Raw, key: str = "address") -> str | None:
    try:
        return as_address(table.get(key))
    except ValueError:
        return None


def _repeated(values: Iterator[str | None]) -> list[str]:
    seen = Counter(value for value in values if value)
    return sorted(value for value, times in seen.items() if times > 1)
