"""What fields that may each be right mean wrongly together.

Works on the file as written, so that one wrong field does not hide these; what cannot be read here is passed over,
for it is reported as a field.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from keeper.core.family import Family
from keeper.core.rules import ORDERED
from keeper.settings.fields import as_alarm_url, as_heartbeat_url, as_journal_url, as_url, is_address, urls_in
from keeper.settings.raw import Raw, address, hedges_of, tables, text, venues_of
from keeper.settings.several_rules import faults_of_rules
from keeper.venues.registry import VENUES, family_of


def contradictions(raw: Raw, env: Mapping[str, str]) -> Iterator[str]:
    """Yield what is wrong between the tables of the owner's file, and with the environment."""
    yield from _node_faults(raw, env)
    for kind in ("signers", "positions", "books", "rules", "puts", "shocks"):
        for name in _repeated(text(table, "name") for _, table in tables(raw, kind)):
            yield f"{kind}: the name {name!r} is used twice"
    for i, table in tables(raw, "rules"):
        if text(table, "name") == ORDERED:
            yield f"rules[{i}].name: {ORDERED!r} is how an order of yours is called; choose another"
    named = {text(table, "name") for _, table in tables(raw, "positions")}
    for i, table in tables(raw, "books"):
        if text(table, "name") in named:
            yield f"books[{i}].name: {text(table, 'name')!r} is the name of a position"
    for twice in _repeated(address(table) for _, table in tables(raw, "signers")):
        yield f"signers: the address {twice} is declared twice; name one signer in both positions"
    yield from _unknown(raw, "positions", "signer", "signers")
    yield from _unknown(raw, "rules", "position", "positions")
    yield from _unknown(raw, "rules", "book", "books")
    yield from _book_faults(raw)
    known = named | {text(table, "name") for _, table in tables(raw, "books")}
    for i, table in tables(raw, "puts"):
        if (of := text(table, "protects")) is not None and of not in known:
            yield f"puts[{i}].protects: there is no position or book {of!r}; name one of yours"
    yield from faults_of_rules(raw)


def _node_faults(raw: Raw, env: Mapping[str, str]) -> Iterator[str]:
    named = urls_in(env.get("KEEPER_RPC_URL", ""))
    network = raw.get("network")
    if isinstance(network, dict) and "rpc_url" in network and "nodes" in network:
        yield "network.rpc_url: stands beside [[network.nodes]]; keep one of them, or name this node there as well"
    elif isinstance(network, dict) and not named:
        yield from _unread(network)
    for name in _repeated(text(table, "name") for _, table in _nodes(network)):
        yield f"network.nodes: the name {name!r} is used twice"


def environment_faults(env: Mapping[str, str]) -> Iterator[str]:
    """Yield what is wrong with variables that come before the file; never what they hold."""
    for variable, as_one in (
        ("KEEPER_RPC_URL", as_url),
        ("KEEPER_JOURNAL_URL", as_journal_url),
        ("KEEPER_ALERT_URLS", as_alarm_url),
        ("KEEPER_HEARTBEAT_URL", as_heartbeat_url),
    ):
        given = env.get(variable, "")
        several = {"KEEPER_RPC_URL": urls_in(given), "KEEPER_ALERT_URLS": given.split()}.get(variable, [given])
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
    return tables(network, "nodes") if isinstance(network, dict) else iter(())


def _unknown(raw: Raw, kind: str, key: str, among: str) -> Iterator[str]:
    known = {name for _, table in tables(raw, among) if (name := text(table, "name"))}
    for i, table in tables(raw, kind):
        named = text(table, key)
        if named and named not in known:
            hint = f"known: {', '.join(sorted(known))}" if known else "none is declared"
            yield f"{kind}[{i}].{key}: there is no {among.removesuffix('s')} {named!r}; {hint}"


def _book_faults(raw: Raw) -> Iterator[str]:
    """Yield what a book names that is not there, or is of the wrong kind."""
    venues, hedging = venues_of(raw), dict[str, str]()
    signers = {text(table, "name") for _, table in tables(raw, "signers")}
    for i, table in tables(raw, "books"):
        members, unwind = table.get("positions"), table.get("unwind")
        members = members if isinstance(members, list) else []
        for key, names in (("positions", members), ("hedge", hedges_of(table)), ("unwind", [unwind])):
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
    for name in hedges_of(table):
        if family_of(venues.get(name, "")) is Family.LENDING:
            yield f"books[{i}].hedge: {name!r} is a lending position; a hedge is a perpetual"
        if name in hedging:
            yield f"books[{i}].hedge: {name!r} hedges {hedging[name]!r} already; two books would trade to and fro"
        hedging.setdefault(name, text(table, "name") or "")


def _counted_twice(raw: Raw, i: int, book: Raw, members: list[Any]) -> Iterator[str]:
    """Yield members that are one account under two names: what it holds would count twice."""
    listed = {text(table, "name"): table for _, table in tables(raw, "positions")}
    seen = dict[tuple[str, ...], str]()
    for name in dict.fromkeys(n for n in (*members, *hedges_of(book)) if isinstance(n, str) and n in listed):
        account = _account(listed[name])
        if account in seen:
            yield f"books[{i}]: {seen[account]!r} and {name!r} are one account, which would count twice; name it once"
        seen.setdefault(account, name)


def _account(position: Raw) -> tuple[str, ...]:
    """Return what a position is read from: an owner's account, and of it one position where margin is isolated."""
    venue = text(position, "venue") or ""
    keys = _isolated(venue)
    owner = address(position, "owner") or text(position, "name") or ""
    return (venue, text(position, "table") or "", owner, *((text(position, key) or "").lower() for key in keys))


def _isolated(venue: str) -> tuple[str, ...]:
    """Return the keys that make two positions of one owner two accounts."""
    known = VENUES.get(venue)
    if known is None:
        return ()
    return (*known.may_name, *known.must_name) if known.family is Family.LENDING else known.must_name


def _repeated(values: Iterator[str | None]) -> list[str]:
    seen = Counter(value for value in values if value)
    return sorted(value for value, times in seen.items() if times > 1)
