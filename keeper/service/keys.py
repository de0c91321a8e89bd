"""What only a live keeper holds: the keys that its rules need, a lock for each, and files that nobody else may read."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from keeper.core.units import Address
from keeper.execution.lock import LockDirectoryError, SignerLock, SignerLockedError
from keeper.execution.signer import KeyUnavailableError, TransactionSigner, find_password, open_keystore
from keeper.journal import Journal
from keeper.journal.lease import Lease, LeaseHeldError
from keeper.journal.private import made_private
from keeper.observe.observer import Observer
from keeper.settings import Settings, SettingsError, Signer

if TYPE_CHECKING:
    from keeper.execution.prompted import Terminal

Prompt = Callable[[str], str]
LEASE_S = 2.0
"""How long a start waits for a lease that may just be given back."""


def open_keys(
    settings: Settings, prompt: Prompt | None, terminal: Terminal | None = None
) -> dict[Address, TransactionSigner]:
    """Open the key of every signer that a rule could make sign; at a ``terminal`` each transaction is asked about.

    Raises KeyUnavailableError.
    """
    names, keys = acting(settings), dict[Address, TransactionSigner]()
    for position in settings.positions:
        signer = position.signer
        if position.name not in names:
            continue
        if signer is None:
            raise KeyUnavailableError(
                f"{settings.path}: position {position.name!r} has rules that act but no signer: --live needs "
                "[[signers]] with a keystore"
            )
        if signer.address not in keys:
            keys[signer.address] = _opened(settings, signer, prompt, terminal)
    return keys


def acting(settings: Settings) -> frozenset[str]:
    """Return the positions that a rule could make sign."""
    names = {r.position for r in settings.rules if r.actions}
    names |= {rule.position for rule in settings.perp_rules if rule.actions or rule.rests}
    names |= {r.position for r in settings.panic_rules} | {r.position for r in settings.perp_panic_rules}
    return frozenset(names | {name for rule in settings.book_rules for name in settings.traded_by(rule)})


def _opened(settings: Settings, signer: Signer, prompt: Prompt | None, terminal: Terminal | None) -> TransactionSigner:
    if terminal is None:
        return open_key(settings, signer, prompt)
    inner = open_key(settings, signer, prompt) if signer.has_key else None
    if signer.may_batch or signer.safe:
        what = "batch" if signer.may_batch else "safe"
        raise KeyUnavailableError(
            f"{settings.path}: signer {signer.name!r}: --prompt signs transactions only, not `{what}`"
        )
    from keeper.execution.prompted import Prompted  # noqa: PLC0415 - for who sits at a terminal

    return Prompted(signer.address, terminal, inner)


def open_key(settings: Settings, signer: Signer, prompt: Prompt | None) -> TransactionSigner:
    """Open one signer's key, wherever it is. Raises KeyUnavailableError, which names the file and the place."""
    try:
        return _key_of(signer, prompt)
    except KeyUnavailableError as error:
        raise KeyUnavailableError(f"{settings.path}: {error}") from None


def _key_of(signer: Signer, prompt: Prompt | None) -> TransactionSigner:
    if signer.remote is not None:
        from keeper.execution.remote_signer import RemoteSigner  # noqa: PLC0415 - for who has one

        return RemoteSigner(signer.name, signer.address, signer.remote.url.reveal(), signer.remote.method)
    if signer.kms is not None:
        from keeper.execution.kms import open_kms  # noqa: PLC0415 - likewise

        return open_kms(signer.name, signer.address, signer.kms.id, signer.kms.region)
    if signer.keystore is None:
        what = "has no keystore, and neither `remote` nor `kms_key`"
        raise KeyUnavailableError(f"signer {signer.name!r} {what}: --live cannot sign without one")
    password = find_password(signer.name, signer.password_file, signer.password_credential, prompt)
    return open_keystore(signer.name, signer.address, signer.keystore, password)


def has_credentials() -> bool:
    """Return whether systemd credentials can be read: only where the unit's own process runs."""
    return bool(os.environ.get("CREDENTIALS_DIRECTORY"))


def locked(settings: Settings, address: Address) -> SignerLock:
    """Take a signer's lock. Raises SignerLockedError; SettingsError where there is no place for its file."""
    lock = SignerLock(settings.network.chain_id, address, settings.daemon.state_dir)
    try:
        lock.acquire()
    except LockDirectoryError as error:
        where = f"{settings.path}: daemon.state_dir" if settings.daemon.state_dir else "KEEPER_STATE_DIR (environment)"
        raise SettingsError([f"{where}: {error}"]) from None
    return lock


async def leased(settings: Settings, journal: Journal, address: Address) -> Lease:
    """Take a signer's lease among keepers that share a database. Raises SignerLockedError, JournalError."""
    chain_id = settings.network.chain_id
    lease, until = Lease(journal.store, f"{chain_id}:{address.lower()}"), time.monotonic() + LEASE_S
    while True:
        try:
            await lease.hold()
        except LeaseHeldError:
            if time.monotonic() < until:
                await asyncio.sleep(0.1)  # the server may not have noticed yet that the one before has ended
                continue
            await lease.close()
            raise SignerLockedError(chain_id, address, None, "") from None
        return lease


def report_exposed(settings: Settings, observer: Observer, journal: tuple[str, ...]) -> None:
    """Alarm for each file with keys, passwords or signed bytes that others could use, once they cannot any more."""
    signing = [s for s in settings.signers if s.keystore]
    files = {path for s in signing for path in (s.keystore, s.password_file) if path is not None}
    for said in (*journal, *(word for path in sorted(files) for word in made_private(path))):
        observer.raise_alarm(f"exposed:{said}", "A file of the keeper was open to others", said)
