"""Accounts written as names of ENS: looked up once, remembered in the journal, and never followed to another address.

Whoever holds a name may point it elsewhere, and names are stolen and run out. So a name only introduces an account: the
first start looks it up, on the chain of the settings, at one block, at every node that reads; from then on the address
in the journal counts, and a record that says otherwise is an alarm. A node that is away keeps nobody from a start whose
names are known.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from keeper.chain.blocks import Blocks
from keeper.chain.client import Node
from keeper.chain.errors import NodeError
from keeper.chain.member import Member, methods_of
from keeper.chain.nodes import Nodes
from keeper.chain.pace import RequestPace
from keeper.chain.record import Role
from keeper.core.snapshot import BlockRef
from keeper.core.units import Address
from keeper.journal import Journal, JournalError
from keeper.service.journal_file import remembered
from keeper.settings import Settings, SettingsError, load
from keeper.settings.fields import as_address
from keeper.settings.model import NamedAccount, NodeSettings
from keeper.venues.contracts import ens
from keeper.venues.ports import ReadFailedError

INSTEAD: Final = "or write the address itself"
NOBODY: Final = "nobody"
NO_ENS: Final = "no ENS is there"


class NameNotLookedUpError(Exception):
    """Nodes were away, or of two minds: nothing is known of a name. To be tried again."""


@dataclass(frozen=True, slots=True)
class NameRecord:
    """What the chain says of a name now, beside what is remembered."""

    named: NamedAccount
    found: Address | None

    @property
    def is_same(self) -> bool:
        """Whether the name still points where it pointed when it was looked up."""
        return self.found == self.named.address

    def __str__(self) -> str:
        if self.is_same:
            return f"{self.named.name} is {self.named.address}, and the record says the same"
        now = f"to {self.found}" if self.found else "to nobody"
        return (
            f"{self.named.name} was {self.named.address} when it was looked up, and points {now} now. The keeper goes "
            f"on with {self.named.address}. If you moved it, write the new address as {self.named.field}; if you did "
            "not, somebody else controls the name"
        )


async def as_remembered(settings: Settings) -> Settings:
    """Return the settings with the addresses that are remembered; no node is asked, and no journal is made."""
    if not settings.has_unknown_names or not _has_journal(settings):
        return settings
    try:
        async with await remembered(settings) as journal:
            known = {named.name: await _remembered(journal, settings, named) for named in settings.names}
    except (JournalError, SettingsError):
        return settings  # what is wrong with it is said by who looks at the journal
    return _with(settings, known)


async def resolved(settings: Settings) -> Settings:
    """Return the settings with an address for each name: the remembered one, else as every node says now.

    Raises SettingsError for a name that points to nobody,
    or a chain without a registry; NameNotLookedUpError, JournalError where a second try may help.
    """
    if not settings.has_unknown_names:
        return settings
    async with await remembered(settings) as journal:
        known = {n.name: await _remembered(journal, settings, n) for n in settings.names}
        missing = [n for n in settings.names if known[n.name] is None]
        if missing:
            found = await _first_look(settings, missing)
            for name, address in found.items():
                await journal.facts.set(_key(settings, name), address)
            known |= found
    return _with(settings, known)


def _has_journal(settings: Settings) -> bool:
    scheme, _, path = settings.journal_url.reveal().partition(":///")
    return scheme != "sqlite" or Path(path).exists()


def _with(settings: Settings, known: Mapping[str, Address | None]) -> Settings:
    return load(settings.path, names={name: address for name, address in known.items() if address is not None})


async def records(blocks: Blocks, block: BlockRef, settings: Settings) -> list[NameRecord]:
    """Return what the chain says of each name of the settings at a block. Raises NodeError, ReadFailedError."""
    registry = settings.network.ens_registry
    if registry is None:
        return []
    once = {named.name: named for named in settings.names if named.address is not None}
    return [NameRecord(named, await _found(blocks, block, registry, name)) for name, named in once.items()]


def _key(settings: Settings, name: str) -> str:
    return f"ens:{settings.network.chain_id}:{name}"


async def _remembered(journal: Journal, settings: Settings, named: NamedAccount) -> Address | None:
    value = await journal.facts.get(_key(settings, named.name))
    return None if value is None else as_address(value)


async def _first_look(settings: Settings, missing: Sequence[NamedAccount]) -> dict[str, Address]:
    registry = settings.network.ens_registry
    if registry is None:
        why = f"cannot be looked up: {settings.network.name} has no ENS (no `ens_registry` in its file); {INSTEAD[3:]}"
        raise SettingsError([_fault(settings, named, why) for named in missing])
    nodes = [_alone(settings, node) for node in settings.nodes if Role.READ in node.roles]
    try:
        return await _looked_up(settings, nodes, registry, missing)
    except NodeError as error:
        names = ", ".join(named.name for named in missing)
        raise NameNotLookedUpError(
            f"{settings.path}: {missing[0].field}: {names}: every node that reads has to say whose it is, and one does "
            f"not: {error}; try again, {INSTEAD}"
        ) from None
    finally:
        for node in nodes:
            await node.close()


async def _looked_up(
    settings: Settings, nodes: Sequence[Nodes], registry: Address, missing: Sequence[NamedAccount]
) -> dict[str, Address]:
    """Ask each node by itself, all at one block: the newest that all of them have."""
    network = settings.network
    each = [Blocks(node, network.chain_id, network.multicall3) for node in nodes]
    for blocks in each:
        await blocks.check_chain()
    block = await each[0].block_at(min([(await blocks.head()).number for blocks in each]))
    found, faults = dict[str, Address](), list[str]()
    for named in missing:
        said = {blocks.node.name: await _said(blocks, block, registry, named.name) for blocks in each}
        if len(set(said.values())) > 1:
            each_says = ", ".join(f"{node} says {what}" for node, what in said.items())
            raise NameNotLookedUpError(_fault(settings, named, f"is undecided: {each_says}; {INSTEAD}"))
        (what,) = set(said.values())
        if what == NO_ENS:
            faults.append(_fault(settings, named, f"finds no ENS at {registry}: correct `ens_registry`, {INSTEAD}"))
        elif what == NOBODY:
            faults.append(_fault(settings, named, f"points to no address on this chain: set its record, {INSTEAD}"))
        else:
            found[named.name] = as_address(what)
    if faults:
        raise SettingsError(faults)
    return found


async def _said(blocks: Blocks, block: BlockRef, registry: Address, name: str) -> str:
    """Return what a node says of a name: an address, or why there is none. Raises NodeError."""
    try:
        return await _found(blocks, block, registry, name) or NOBODY
    except ReadFailedError:
        return NO_ENS


async def _found(blocks: Blocks, block: BlockRef, registry: Address, name: str) -> Address | None:
    """Return the address of a name as every node that is asked has it at a block. Raises NodeError, ReadFailedError."""
    resolver = await blocks.confirmed(block, ens.resolver_probe(registry, name))
    if resolver is None:
        return None
    try:
        return await blocks.confirmed(block, ens.address_probe(resolver, name))
    except ReadFailedError:
        return None  # a resolver that knows no addresses


def _fault(settings: Settings, named: NamedAccount, why: str) -> str:
    return f"{settings.path}: {named.field}: {named.name} {why}"


def _alone(settings: Settings, node: NodeSettings) -> Nodes:
    """Return a node by itself, that reads, for a look before anything else is there."""
    roles = frozenset({Role.READ})
    connection = Node(
        node.url.reveal(),
        timeout_s=settings.daemon.rpc_timeout_s,
        allowed=methods_of(roles, node.send_method, is_live=False),
        name=node.name,
        pace=RequestPace(node.requests_per_second),
    )
    member = Member(connection, settings.network.chain_id, time.monotonic, _silent, roles)
    return Nodes([member], block_time_s=settings.network.block_time_s)


def _silent(*_: object) -> None:
    """Report nothing: what goes wrong here ends the command, with its reason."""
