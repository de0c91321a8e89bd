"""What an owner should know of settings that are right: what will not happen with them."""

from __future__ import annotations

from collections.abc import Iterator

from keeper.settings.model import Settings

LONG_S = 600
"""A crash takes minutes: who looks less often than this comes late."""


def notes(of: Settings) -> list[str]:
    """Return what is worth knowing, most important first."""
    return [*_rules(of), *_signers(of), *_times(of), *_alarms(of)]


def _rules(of: Settings) -> Iterator[str]:
    if not (of.rules or of.perp_rules or of.book_rules):
        yield "There are no rules: nothing is ever done, and no alarm raised about a position. Write [[rules]]."
        return
    positions = {p.name: p for p in of.positions}
    for rule in of.rules:
        position, trades = positions[rule.position], [a.key for a in rule.actions if a.trades]
        others = [a for a in rule.actions if a.by_anybody]
        if trades and others and position.signer and position.spender != position.owner:
            yield f"Rule {rule.name!r}: {' and '.join(trades)} is never done, because a guardian signs."


def _signers(of: Settings) -> Iterator[str]:
    acting = _acting(of)
    for position in of.positions:
        if position.name not in acting:
            continue
        if position.signer is None:
            yield f"Position {position.name!r} has rules that act and no signer: dry runs only; --live needs one."
        elif position.signer.keystore is None:
            yield f"Signer {position.signer.name!r} has no keystore: dry runs only. --live needs one."
    used = {p.signer.name for p in of.positions if p.signer}
    used |= {s.name for s in of.signers for book in of.books if s.address in book.wallets}
    for signer in of.signers:
        if signer.name not in used:
            yield f"Signer {signer.name!r} signs for no position: name it in one (`signer`), or take it out."
        if signer.may_batch and of.network.batch_account is None:
            yield f"Signer {signer.name!r}: `batch` does nothing, because the network file has no batch_account."


def _acting(of: Settings) -> set[str]:
    acting = {r.position for r in of.rules if r.actions}
    return acting | {rule.position for rule in of.perp_rules if rule.actions or rule.rests}


def _times(of: Settings) -> Iterator[str]:
    for key, seconds in (("interval", of.daemon.interval_s), ("poll", of.daemon.poll_s)):
        if seconds is not None and seconds > LONG_S:
            yield f"Positions are looked at every {seconds / 60:,.0f} min only (daemon.{key}): a crash is over by then."


def _alarms(of: Settings) -> Iterator[str]:
    if not of.alerts.urls:
        yield "No alarms are configured: only the log and the journal will say ([alerts] urls)."
