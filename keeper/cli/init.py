"""What ``keeper init`` does: find an owner's positions on a chain, and write settings to begin with. Needs no key."""

from __future__ import annotations

import os
import tempfile
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from keeper import resources
from keeper.chain.client import Node
from keeper.cli.common import Exit, fail, out
from keeper.cli.guard import guarded
from keeper.cli.words import as_json_text
from keeper.core.account import OwnersOfSafe
from keeper.core.family import Family
from keeper.core.lending.position import LendingPosition
from keeper.core.notices import printable
from keeper.core.perp import margin as perps
from keeper.core.perp.position import PerpPosition
from keeper.core.reasons import Reason
from keeper.core.snapshot import Unreadable
from keeper.core.starter import starter_of
from keeper.core.units import Address, decimal_of, ratio_text
from keeper.service import app
from keeper.service.census import Found, census
from keeper.service.names import resolved
from keeper.settings import Settings, load
from keeper.settings.draft import Draft, Drafted, quoted, shown
from keeper.settings.fields import as_account, as_address, is_name, urls_in
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
    if not wish.rpc_url and not os.environ.get(ENVIRONMENT):
        fail(Exit.BAD_SETTINGS, f"--rpc: your node's address is missing: --rpc https://…, or set {ENVIRONMENT}")

    if wish.rpc_url:
        os.environ.pop(ENVIRONMENT, None)  # what is said now comes before what was set some time
    os.environ.pop("KEEPER_JOURNAL_URL", None)  # nothing is remembered of a first look

    async def work() -> Exit:
        network = wish.network or await _shipped(wish.rpc_url or urls_in(os.environ[ENVIRONMENT])[0])
        return await _found_and_written(wish, owner, signer, network)

    return guarded(work)


async def _found_and_written(wish: Wish, owner: str, signer: Address | None, network: str) -> Exit:
    with tempfile.TemporaryDirectory(prefix="keeper-init-") as folder:
        settings = await resolved(load(_placeholder(Path(folder), network, owner, wish.rpc_url)))
        address = settings.positions[0].owner
        async with app.opened(settings, is_live=False, is_look=True) as engine:
            await engine.reader.blocks.check_chain()
            block, found = await census(engine.reader.blocks, settings.network, address)
            owned = await engine.reader.read(block, owned_probe(address))
    readable = [one for one in found if not isinstance(one.seen, Unreadable)]
    drafted = tuple(Drafted(one.position, _seen(one), starter_of(_read(one))) for one in readable)
    if drafted:
        safe = address if owned is not None and _acts_for(signer, owned, settings, drafted) else None
        is_own = signer == address or safe is not None
        wish.file.write_text(
            Draft(_beside(wish.file, network), wish.rpc_url, block.number, owner, signer, is_own, drafted, safe).text(),
            encoding="utf-8",
        )
        load(wish.file)  # what is written here must be readable there: a defect otherwise
    _show(wish, settings, block.number, found, drafted)
    if owned is not None and not wish.as_json:
        out().print(_of_safe(signer, owned), soft_wrap=True)
    return Exit.FINE if len(readable) == len(found) else Exit.FAILED


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
        data = {"network": settings.network.name, "block": block, "file": file, "positions": [_data(f) for f in found]}
        as_json_text(console, data)
        return
    console.print(f"{settings.network.name}, block {block}")
    for one in found:
        console.print(f"  {one.position.name}: {_seen(one)}", soft_wrap=True)
        for line in _lines(one):
            console.print(f"    {line}", soft_wrap=True, markup=False)
    if not drafted:
        where = ", ".join(t.name for t in settings.network.tables if t.venue in VENUES)
        console.print(f"Nothing was found at {where}. Is it another account, or another chain? Nothing was written.")
        return
    console.print(f"\nWritten: {wish.file}. Read it, and change what does not suit you. Then:", soft_wrap=True)
    config = "" if wish.file == Path("keeper.toml") else f" -c {wish.file}"
    for command in ("check", "doctor", "run"):
        console.print(f"  keeper {command}{config}")


def _lines(one: Found) -> list[str]:
    """Return what could rest with the market as a second line, while no keeper runs; to let it is the owner's act."""
    seen = one.seen
    of = [line for line in seen.second_lines if line.is_known] if isinstance(seen, LendingPosition) else []
    what = {True: "is let act", False: "is not let act: that would be an act of your own"}
    return [
        f"second line {x.contract}: sells a part below health {ratio_text(x.begins_at)}, with or without a keeper; it "
        + what[x.is_let]
        for x in of
    ]


def _data(one: Found) -> Data:
    is_read = not isinstance(one.seen, Unreadable)
    starter = starter_of(_read(one)) if is_read else None
    position = one.position
    return {
        "name": position.name,
        "venue": position.venue,
        "market": position.market,
        "collateral": position.collateral,
        "side": None if position.is_long is None else "long" if position.is_long else "short",
        "seen": _seen(one),
        "readable": is_read,
        "warn_at_distance": shown(starter.warn) if starter else None,
        "rescue_below": shown(starter.act) if starter else None,
        "restore": shown(starter.restore) if starter else None,
    }


def _read(one: Found) -> LendingPosition | PerpPosition:
    assert not isinstance(one.seen, Unreadable)  # noqa: S101 - asked for what was read only
    return one.seen


def _seen(one: Found) -> str:
    """Return a position in one line; symbols are a token's own words, so they are made printable."""
    seen = one.seen
    if isinstance(seen, Unreadable):
        return printable(f"could not be read: {seen.doubt.detail}")
    if isinstance(seen, PerpPosition):
        legs = [f"{decimal_of(leg.size, len(str(leg.size_unit)) - 1, 4)} {leg.symbol}" for leg in seen.held]
        ratio = ratio_text(perps.margin_ratio(seen))
        return printable(f"margin ratio {ratio}: {', '.join(legs)}" if legs else "margin only, nothing open")
    supplied = [f"{decimal_of(h.supplied, h.decimals, 4)} {h.symbol}" for h in seen.held if h.supplied]
    owed = [f"{decimal_of(h.borrowed, h.decimals, 4)} {h.symbol}" for h in seen.held if h.borrowed]
    health = f"health factor {ratio_text(seen.reported.health_factor)}"
    return printable(f"{health}: supplied {', '.join(supplied) or 'nothing'}; owed {', '.join(owed) or 'nothing'}")


# --- what was given --------------------------------------------------------------------------------------------------


def _account(field: str, given: str) -> str:
    try:
        return as_account(given)
    except ValueError as error:
        fail(Exit.BAD_SETTINGS, f"{field}: {error}")


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
