"""A settings file to begin with, as text: positions that were found, each with rules fitted to it, and why."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from keeper.core.actions import Action
from keeper.core.family import Family
from keeper.core.lending.actions import DELEVERAGE, REPAY, TOP_UP
from keeper.core.lending.metrics import HEALTH_FACTOR
from keeper.core.perp.candidates import ADD_MARGIN, REDUCE
from keeper.core.perp.metrics import MARGIN_RATIO
from keeper.core.starter import Starter
from keeper.core.units import Address, decimal_of
from keeper.settings.model import Position


def _keys(*actions: Action) -> tuple[str, ...]:
    return tuple(action.key for action in actions)


ACTIONS = {Family.LENDING: _keys(TOP_UP, REPAY, DELEVERAGE), Family.PERP: _keys(ADD_MARGIN, REDUCE)}
OF_A_GUARDIAN = {Family.LENDING: _keys(TOP_UP, REPAY), Family.PERP: _keys(ADD_MARGIN)}
"""What another account than the owner may do."""
MEASURE = {Family.LENDING: HEALTH_FACTOR.key, Family.PERP: MARGIN_RATIO.key}
HEAD = """# Written by `keeper init` from what it found at block {block}. Every other key, explained: keeper example
#
# Nothing is sent before `keeper run --live`, and that needs a signer with a keystore (below). Then:
#   keeper check     the settings, and the files they name
#   keeper doctor    is everything there that a rescue will need
#   keeper explain   what would be done about a position now, and why
#   keeper run       dry run: plans are rehearsed, nothing is sent
"""


@dataclass(frozen=True, slots=True)
class Drafted:
    """A position for the file: what was seen of it in one line, and the bounds of its rules, None for none."""

    position: Position
    seen: str
    starter: Starter | None
    moves: str = ""
    """How its prices move, and so what the bounds are fitted to: a line."""


@dataclass(frozen=True, slots=True)
class Draft:
    """All that goes into the file. ``rpc_url`` is empty where it is in the environment and stays there."""

    network: str
    rpc_url: str
    block: int
    owner: str
    """As its owner wrote it: an address, or a name."""
    signer: Address | None
    signs_as_owner: bool
    positions: tuple[Drafted, ...]
    safe: Address | None = None
    """The owner, where it is a Safe that the signer acts for."""

    def text(self) -> str:
        """Return the file."""
        parts = [HEAD.format(block=self.block), *self._network(), *self._signer()]
        for each in self.positions:
            parts += [*self._position(each), *self._rules(each)]
        parts += [
            "[alerts]",
            "# Where alarms go, by Apprise addresses: without one only the log and the journal say.",
            "urls = []",
        ]
        return "\n".join(parts) + "\n"

    def _network(self) -> Iterator[str]:
        yield "[network]"
        yield f"file = {quoted(self.network)}"
        if self.rpc_url:
            yield f"rpc_url = {quoted(self.rpc_url)}"
        else:
            yield "# the node's address is in KEEPER_RPC_URL: keep it set"
        yield ""

    def _signer(self) -> Iterator[str]:
        lines = [
            "[[signers]]",
            'name = "me"',
            f"address = {quoted(self.signer or self.owner)}",
            *([f"safe = {quoted(self.safe)}  # the signer is one of its owners, and acts for it"] if self.safe else []),
            'keystore = "keystore.json"  # `keeper keystore new keystore.json` makes one; never a key in this file',
            'password_file = "password"  # or leave it out and be asked',
        ]
        if self.signer is None:
            yield "# Who signs, for `keeper run --live`: the owner, or another account that holds rescue funds only."
            yield from (f"# {line}" for line in lines)
        else:
            yield from lines
        yield ""

    def _position(self, of: Drafted) -> Iterator[str]:
        position = of.position
        yield f"# {of.seen}"
        yield "[[positions]]"
        yield f"name = {quoted(position.name)}"
        yield f"venue = {quoted(position.venue)}"
        yield f"owner = {quoted(self.owner)}"
        for key, value in (("market", position.market), ("collateral", position.collateral)):
            if value is not None:
                yield f"{key} = {quoted(value)}"
        if position.is_long is not None:
            yield f"side = {quoted('long' if position.is_long else 'short')}"
        yield 'signer = "me"' if self.signer else '# signer = "me"'
        yield ""

    def _rules(self, of: Drafted) -> Iterator[str]:
        if of.starter is None:
            yield "# Nothing here can be liquidated now, so no rule is proposed."
            yield ""
            return
        name, family, bounds = of.position.name, of.position.family, of.starter
        if of.moves:
            yield f"# {of.moves}"
        yield "# Alerts at the start, once a day while it lasts, and whenever it gets worse."
        yield from _rule(f"{name}-warning", name, f'liquidation_distance_below = "{shown(bounds.warn)}"')
        yield 'actions = ["alert"]'
        yield 'cooldown = "1d"'
        yield ""
        if bounds.fires_now:
            yield "# The position is past this bound already: with `keeper run --live` the rescue begins at once."
        yield from _rule(f"{name}-rescue", name, f'{MEASURE[family]}_below = "{shown(bounds.act)}"')
        yield f'restore = {{ {MEASURE[family]} = "{shown(bounds.restore)}" }}'
        yield f"actions = {_listed(self._actions(family))}"
        yield ""

    def _actions(self, family: Family) -> Sequence[str]:
        return ACTIONS[family] if self.signer is None or self.signs_as_owner else OF_A_GUARDIAN[family]


def _rule(name: str, position: str, when: str) -> Iterator[str]:
    yield "[[rules]]"
    yield f"name = {quoted(name)}"
    yield f"position = {quoted(position)}"
    yield f"when = {{ {when} }}"


def _listed(words: Sequence[str]) -> str:
    return f"[{', '.join(quoted(word) for word in words)}]"


def quoted(text: str) -> str:
    """Return a TOML string: what comes from a node or a command line may hold anything."""
    safe = "".join(
        c if c.isprintable() and c not in '"\\' else f"\\u{ord(c):04x}" if ord(c) < 0x10000 else "?" for c in text
    )
    return f'"{safe}"'


def shown(wad: int) -> str:
    """Return a bound as it is written: two decimals, three where it needs them."""
    text = decimal_of(wad, 18, 3)
    return text.removesuffix("0")
