"""What ``keeper check`` prints of settings that are fine."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console

from keeper.cli.words import Data, as_json_text
from keeper.core.actions import ALERT, Action
from keeper.core.units import decimal_of
from keeper.settings import Settings, notes
from keeper.settings.caps import fixed_caps


def settings(console: Console, of: Settings, *, as_json: bool) -> None:
    """Print what the settings say, without secrets."""
    data: Data = {
        "network": of.network.name,
        "chain_id": of.network.chain_id,
        "positions": [
            {"name": p.name, "owner": p.owner, "signer": p.signer.name if p.signer else None} for p in of.positions
        ],
        "names": [{"field": n.field, "name": n.name, "address": n.address} for n in of.names],
        "rules": [
            {"name": r.name, "position": r.position, "actions": _actions(r.actions), "target": str(r.target)}
            for r in of.rules
        ]
        + [
            {"name": p.name, "position": p.position, "actions": _actions(p.actions), "target": str(p.target)}
            for p in of.perp_rules
        ]
        + [
            {"name": h.name, "book": h.position, "actions": _actions(h.actions), "target": str(h.target)}
            for h in of.book_rules
        ],
        "books": [{"name": b.name, "positions": list(b.positions), "hedge": list(b.hedges)} for b in of.books],
        "nodes": [{"name": n.name, "roles": sorted(role.value for role in n.roles)} for n in of.nodes],
        "alerts": len(of.alerts.urls),
        "fixed_fee_limits": [{"where": c.where, "max_fee_gwei": decimal_of(c.most, 9)} for c in fixed_caps(of)],
        "notes": notes(of),
    }
    if as_json:
        as_json_text(console, data)
        return
    console.print(f"{of.path}: fine. {of.network.name} (chain {of.network.chain_id})")
    for p in of.positions:
        named = [r.name for r in of.rules if r.position == p.name]
        named += [r.name for r in of.perp_rules if r.position == p.name]
        rules = ", ".join(named) or "none: only watched"
        role = "nobody" if p.signer is None else "the owner" if p.spender == p.owner else "a guardian"
        console.print(f"{p.name}: {p.owner}, {role} signs", soft_wrap=True)
        console.print(f"  rules: {rules}", soft_wrap=True)
    names(console, of)
    for book in of.books:
        hedging = ", ".join(r.name for r in of.book_rules if r.position == book.name) or "none: only watched"
        members = ", ".join(dict.fromkeys((*book.positions, *book.hedges)))
        console.print(f"book {book.name}: {members}; rules: {hedging}", soft_wrap=True)
    nodes = "; ".join(f"{n.name} ({', '.join(sorted(r.value for r in n.roles))})" for n in of.nodes)
    console.print(f"nodes: {nodes}", soft_wrap=True)
    for cap in fixed_caps(of):
        console.print(str(cap), style="yellow", soft_wrap=True, markup=False)
    for note in notes(of):
        console.print(note, style="yellow", soft_wrap=True)


def names(console: Console, of: Settings) -> None:
    """Print whose the accounts are that are written as names of ENS."""
    for named in of.names:
        whose = named.address or "nobody yet: it is looked up when the keeper first starts"
        console.print(f"{named.field}: {named.name} is {whose}", soft_wrap=True)


def _actions(of: Sequence[Action]) -> list[str]:
    return [action.key for action in of] or [ALERT]
