"""Who signs: whether the key opens, who else could read it, what its account can pay, whether another keeper has it."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from keeper.cli.doctor_findings import Finding, failing, fine, warning
from keeper.cli.words import short_address
from keeper.core.snapshot import BlockRef, Snapshot
from keeper.core.units import Address, Wei, wei_text
from keeper.execution.lock import LockDirectoryError, SignerLock, SignerLockedError
from keeper.execution.remote_signer import RemoteSigner
from keeper.execution.signer import KeyUnavailableError
from keeper.execution.unsigned import UnsignedError
from keeper.service import keys
from keeper.service.opened import Opened
from keeper.settings import Settings, Signer
from keeper.venues.contracts import batch_account

LEAST_NATIVE = 10**16
"""0.01 of the native token: less may not pay for one deleverage in a crash."""
DEARER = 10
"""Times the present fee that gas costs in a crash, and is asked to be there for."""
Prompt = Callable[[str], str]


def examine_keys(settings: Settings, prompt: Prompt | None) -> Iterator[Finding]:
    """Yield whether each signer's key opens as ``run --live`` will open it, and who else may read its files."""
    for signer in settings.signers:
        yield _key(settings, signer, prompt)
        for path in (signer.keystore, signer.password_file):
            if path is not None:
                yield from _exposed(signer, path)
    if not settings.signers:
        yield warning("signers", "none: this keeper can alert, and rescue nothing", "add [[signers]] with a keystore")


def _key(settings: Settings, signer: Signer, prompt: Prompt | None) -> Finding:
    topic = f"key of {signer.name}"
    if not signer.has_key:
        remedy = "make one: keeper keystore new FILE; or sign each by hand: keeper run --live --prompt"
        return failing(topic, "no `keystore`, `remote` or `kms_key`: cannot sign with --live", remedy)
    if signer.password_credential is not None and not keys.has_credentials():
        return fine(topic, "not tried: its password is a systemd credential, which only the unit sees")
    try:
        keys.open_key(settings, signer, prompt)
    except KeyUnavailableError as error:
        return failing(topic, str(error), "correct what the line names: file, password, key or region")
    if signer.keystore is not None:
        return fine(topic, f"{signer.keystore.name} opens with its password: {short_address(signer.address)}")
    where = "AWS KMS holds it" if signer.kms else "a remote signer is asked"
    return fine(topic, f"{where}: {short_address(signer.address)}; it signs transactions only, no permits")


async def remote(signer: Signer) -> Finding | None:
    """Say whether a remote signer answers, and signs for the account; None where there is none."""
    if signer.remote is None:
        return None
    topic = f"remote signer of {signer.name}"
    asked = RemoteSigner(signer.name, signer.address, signer.remote.url.reveal(), signer.remote.method)
    try:
        accounts = await asked.accounts()
    except UnsignedError as error:
        return failing(topic, error.detail, "start it, and see that this machine may reach it")
    finally:
        await asked.close()
    if signer.address.lower() not in {one.lower() for one in accounts}:
        return failing(topic, f"it does not sign for {signer.address}", "give it that key, or correct `address`")
    return fine(topic, f"answers, and signs for {short_address(signer.address)}")


def _exposed(signer: Signer, path: Path) -> Iterator[Finding]:
    """Yield that others could read or change a file with a key or its password; nothing is changed here."""
    try:
        found = path.stat()
    except OSError:
        return  # that it is not there is said of the key
    open_to = stat.S_IMODE(found.st_mode) & (stat.S_IRWXG | stat.S_IRWXO)
    is_handed_over = any(folder in path.parents for folder in (Path("/run/secrets"), Path("/run/credentials")))
    if stat.S_ISREG(found.st_mode) and open_to and not is_handed_over:
        mode = f"{stat.S_IMODE(found.st_mode):04o}"
        remedy = f"chmod 600 {path}; if others use this machine, make a new key"
        yield failing(f"files of {signer.name}", f"{path.name} is open to others (mode {mode})", remedy)
    elif found.st_uid not in (os.geteuid(), 0):
        yield failing(f"files of {signer.name}", f"{path.name} belongs to another user", f"chown {path} to this user")


def examine_locks(settings: Settings) -> Iterator[Finding]:
    """Yield whether another keeper signs for an account now: this look takes its lock for a moment, and no longer."""
    for signer in settings.signers:
        topic = f"another keeper for {signer.name}"
        lock = SignerLock(settings.network.chain_id, signer.address, settings.daemon.state_dir)
        try:
            lock.acquire()
        except SignerLockedError as error:
            who = f"process {error.pid}" if error.pid is not None else "another process"
            remedy = "none, where it is the one you mean; else stop it"
            yield warning(topic, f"{who} keeps it already: a second `run --live` would refuse to start", remedy)
        except LockDirectoryError as error:
            yield failing(topic, str(error), "name a folder this user may write in [daemon] state_dir")
        else:
            lock.release()
            yield fine(topic, "none is running on this machine")


def gas_money(snapshot: Snapshot, settings: Settings, needed: Mapping[Address, int]) -> Iterator[Finding]:
    """Yield what each account can pay for gas, against the dearest plan that was rehearsed for it."""
    signers = {s.account: s.name for s in settings.signers}
    payers = {s.account: s.address for s in settings.signers}
    for account, wallet in snapshot.wallets.items():
        address = payers.get(account, account)
        topic = f"gas money of {signers.get(account, short_address(account))}"
        least = max(LEAST_NATIVE, needed.get(account, 0))
        wanted = max(least, DEARER * needed.get(account, 0))
        if wallet.native < least:
            text = f"{wei_text(wallet.native)}: less than {wei_text(Wei(least))} may not pay a rescue"
            yield failing(topic, text, f"send native currency to {address}")
        elif wallet.native < wanted:
            text = f"{wei_text(wallet.native)}: enough at the present fee, and not at {DEARER} times of it"
            yield warning(topic, text, f"send native currency to {address}: {wei_text(Wei(wanted))} would do")
        else:
            yield fine(topic, wei_text(wallet.native))


async def account(engine: Opened, settings: Settings, signer: Signer, block: BlockRef) -> Finding:
    """Say how a signer's plans go out: in one transaction or call by call. Raises NodeError."""
    topic, blocks = f"account of {signer.name}", engine.reader.blocks
    code = await blocks.code(block, signer.address)
    delegate = batch_account.delegate_of(code)
    wanted = settings.network.batch_account if signer.may_batch else None
    if wanted and not await blocks.code(block, wanted):
        return failing(topic, f"`batch_account` {wanted} has no code on this chain", "take `batch` out of [[signers]]")
    if wanted and not delegate and not code:
        return fine(topic, f"will delegate to {wanted} with its first batch (EIP-7702)")
    if delegate:
        if delegate == wanted:
            return fine(topic, f"delegates to {delegate}")
        text = f"delegates to {delegate}, which these settings do not name"
        return failing(topic, text, "set `batch = true` if you meant it, or take the delegation back")
    if code:
        text = "is a contract of its own: plans go out call by call"
        return failing(topic, text, "take `batch` out of [[signers]]") if wanted else fine(topic, text)
    if signer.safe:
        return fine(topic, f"acts for the Safe {signer.safe}: a plan is one transaction")
    return fine(topic, "plain: plans go out call by call (`batch = true` makes them one transaction)")
