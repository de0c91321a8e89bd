"""What ``keeper init`` does: find an owner's positions on a chain, and write settings to begin with. Needs no key."""

from __future__ import annotations

import os
import sys
import tempfile
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from keeper import resources
from keeper.chain.client import Node
from keeper.cli.common import Exit, fail, out, say
from keeper.cli.guard import guarded
from keeper.cli.init_found import data, lines, moves, seen, starter
from keeper.cli.words import as_json_text
from keeper.core.account import OwnersOfSafe
from keeper.core.family import Family
from keeper.core.reasons import Reason
from keeper.core.snapshot import Unreadable
from keeper.core.units import Address
from keeper.service import app
from keeper.service.census import Census, Found
from keeper.service.names import resolved
from keeper.settings import Settings, load
from keeper.settings.draft import Draft, Drafted, quoted
from keeper.settings.fields import as_account, as_address, as_url, is_name, urls_in
from keeper.snapshot.price_history import PriceHistory
from keeper.venues.codec.quantities import quantity
from keeper.venues.contracts.safe import owned_probe
from keeper.venues.registry import VENUES

ENVIRONMENT = "KEEPER_RPC_URL"
Data = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Wish:
    """What was asked for on the command line."""

    owner: str
    rpc_url: str
    """Empty where it is in the environment, which is not written down."""
    network: str
    signer: str
    file: Path
    is_forced: bool
    as_json: bool


def init(wish: Wish) -> Exit:
    """Find, show and write. FAILED where something could not be read: the file is written all the same."""
    owner, signer = _account("OWNER", wish.owner), _signer(wish.signer)
    if wish.file.exists() and not wish.is_forced:
        fail(Exit.BAD_SETTINGS, f"{wish.file}: is there already; --force writes over it, --out FILE writes elsewhere")
    if not wish.file.parent.is_dir():
        fail(Exit.BAD_SETTINGS, f"--out: there is no folder {wish.file.parent}")
    url = _node_url(wish)
    if wish.rpc_url:
        os.environ.pop(ENVIRONMENT, None)  # what is said now comes before what was set some time
    os.environ.pop("KEEPER_JOURNAL_URL", None)  # nothing is remembered of a first look

    async def work() -> Exit:
        network = wish.network or await _shipped(url)
        return await _found_and_written(wish, owner, signer, network)

    return guarded(work)


async def _found_and_written(wish: Wish, owner: str, signer: Address | None, network: str) -> Exit:
    with tempfile.TemporaryDirectory(prefix="keeper-init-") as folder:
        settings = await resolved(load(_placeholder(Path(folder), network, owner, wish.rpc_url)))
        address = settings.positions[0].owner
        async with app.opened(settings, is_live=False, is_look=True) as engine:
            await engine.reader.blocks.check_chain()
            history = PriceHistory(engine.reader.blocks, engine.journal.prices)
            looking = Census(engine.reader.blocks, settings.network, history, _progress)
            block, found = await looking.of(address)
            owned = await engine.reader.read(block, owned_probe(address))
    readable = [one for one in found if not isinstance(one.seen, Unreadable)]
    drafted = tuple(Drafted(one.position, seen(one), starter(one), moves(one)) for one in readable)
    if drafted:
        safe = address if owned is not None and _acts_for(signer, owned, settings, drafted) else None
        is_own = signer == address or safe is not None
        _write(
            wish.file,
            Draft(_beside(wish.file, network), wish.rpc_url, block.number, owner, signer, is_own, drafted, safe).text(),
        )
        load(wish.file)  # what is written here must be readable there: a defect otherwise
    _show(wish, settings, block.number, found, drafted)
    if owned is not None and not wish.as_json:
        out().print(_of_safe(signer, owned), soft_wrap=True)
    return Exit.FINE if len(readable) == len(found) else Exit.FAILED


def _write(file: Path, text: str) -> None:
    """Write for its owner alone: a node's address may carry a key."""
    try:
        handle = os.open(file, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as opened:
            opened.write(text)
    except OSError as error:
        fail(
            Exit.FAILED,
            f"{file}: cannot be written: {str(error.strerror or error).lower()}; --out FILE writes elsewhere",
        )


def _acts_for(signer: Address | None, owned: OwnersOfSafe, settings: Settings, drafted: Sequence[Drafted]) -> bool:
    """Return whether a signer may act for the Safe that owns all of this."""
    are_loans = all(VENUES[one.position.venue].family is Family.LENDING for one in drafted)
    return signer in owned.owners and owned.threshold == 1 and are_loans and settings.network.multi_send is not None


def _of_safe(signer: Address | None, owned: OwnersOfSafe) -> str:
    """Return in words that the owner is a Safe, and what that asks for."""
    asks = "one signature suffices" if owned.threshold == 1 else f"it asks for {owned.threshold} signatures"
    said = f"The owner is a Safe of {len(owned.owners)} owners: {asks}."
    if owned.threshold > 1:
        return f"{said} To have more than alarms, {Reason.SAFE_THRESHOLD.remedy}."
    if signer in owned.owners:
        return said
    return f"{said} Name one of its owners by --signer, so that it is kept whole: {', '.join(owned.owners[:5])}."


def _show(wish: Wish, settings: Settings, block: int, found: Sequence[Found], drafted: Sequence[Drafted]) -> None:
    console = out()
    if wish.as_json:
        file = str(wish.file) if drafted else None
        listed = {"network": settings.network.name, "block": block, "file": file, "positions": [data(f) for f in found]}
        as_json_text(console, listed)
        return
    console.print(f"{settings.network.name}, block {block}")
    for one in found:
        console.print(f"  {one.position.name}: {seen(one)}", soft_wrap=True)
        for line in lines(one):
            console.print(f"    {line}", soft_wrap=True, markup=False)
    if not drafted:
        where = ", ".join(t.name for t in settings.network.tables if t.venue in VENUES)
        console.print(f"Nothing was found at {where}. Is it another account, or another chain? Nothing was written.")
        return
    console.print(f"\nWritten: {wish.file}. Read it, and change what does not suit you. Then:", soft_wrap=True)
    config = "" if wish.file == Path("keeper.toml") else f" -c {wish.file}"
    for command in ("check", "doctor", "run"):
        console.print(f"  keeper {command}{config}")


def _progress(text: str) -> None:
    """Say how far it is, where somebody looks on: a venue's events and the past of prices may take a minute."""
    if sys.stderr.isatty():
        say(text, colour="bright_black")


# --- what was given --------------------------------------------------------------------------------------------------


def _account(field: str, given: str) -> str:
    try:
        return as_account(given)
    except ValueError as error:
        fail(Exit.BAD_SETTINGS, f"{field}: {error}")


def _node_url(wish: Wish) -> str:
    """Return the node's address, the first where the environment holds several; it is never shown."""
    source, found = (
        ("--rpc", [wish.rpc_url]) if wish.rpc_url else (ENVIRONMENT, urls_in(os.environ.get(ENVIRONMENT, "")))
    )
    if not found:
        fail(Exit.BAD_SETTINGS, f"--rpc: your node's address is missing: --rpc https://…, or set {ENVIRONMENT}")
    try:
        return as_url(found[0])
    except ValueError as error:
        fail(Exit.BAD_SETTINGS, f"{source}: {error}")


def _signer(given: str) -> Address | None:
    if not given:
        return None
    if is_name(given):
        fail(Exit.BAD_SETTINGS, f"--signer: {given}: write the address of the key")
    try:
        return as_address(given)
    except ValueError as error:
        fail(Exit.BAD_SETTINGS, f"--signer: {error}")


async def _shipped(rpc_url: str) -> str:
    """Return the network that ships for the chain a node is on, the one with most venues. Raises NodeError."""
    node = Node(rpc_url, timeout_s=10, allowed=frozenset({"eth_chainId"}), name="the node")
    try:
        chain = quantity(await node.request("eth_chainId"))
    except ValueError as error:
        fail(Exit.FAILED, f"--rpc: the node says no chain id ({error}): is it an Ethereum node's address?")
    finally:
        await node.close()
    files = {path.stem: tomllib.loads(path.read_text()) for path in resources.folder("networks").glob("*.toml")}
    fitting = {name: file for name, file in files.items() if file["chain_id"] == chain}
    if not fitting:
        known = ", ".join(f"{name} ({file['chain_id']})" for name, file in sorted(files.items()))
        fail(
            Exit.BAD_SETTINGS,
            f"--network: the node is on chain {chain}, for which no network file ships ({known}); write one like "
            "those and name it: --network FILE",
        )
    return max(sorted(fitting), key=lambda name: sum(isinstance(v, dict) for v in fitting[name].values()))


def _beside(file: Path, network: str) -> str:
    """Return a network as the file can name it: paths in it begin at the file."""
    own = Path(network).expanduser()
    if not own.is_file() or own.is_absolute():
        return network
    return network if file.parent.resolve() == Path.cwd() else str(own.resolve())


def _placeholder(folder: Path, network: str, owner: str, rpc_url: str) -> Path:
    """Write settings of the owner alone: what they name is not looked at, only whose it is and where."""
    own = Path(network).expanduser()
    file, venue = (str(own.resolve()) if own.is_file() else network), next(iter(VENUES))
    lines = [
        f"[network]\nfile = {quoted(file)}",
        f"rpc_url = {quoted(rpc_url)}" if rpc_url else "",
        f'[[positions]]\nname = "owner"\nvenue = {quoted(venue)}\nowner = {quoted(owner)}\n',
    ]
    path = folder / "keeper.toml"
    path.write_text("\n".join(lines), encoding="utf-8")
    return path
