"""What a fire drill found: each rule that acts, rehearsed where it would fire. Pure, plain data."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from enum import Enum
from typing import Any


class DrillEnding(Enum):
    """What became of one rule's rescue when it was rehearsed."""

    WORKS = "works"
    SHORT = "short"
    """It helps, and does not reach its target."""
    FAILS = "fails"
    UNTRIED = "untried"
    """Nothing could be rehearsed, and nothing is wrong by that."""


@dataclass(frozen=True, slots=True)
class WalletDraw:
    """What a rehearsed plan takes out of a wallet: whose, of which asset, how much of it."""

    payer: str
    asset: str
    amount: int


@dataclass(frozen=True, slots=True)
class Drilled:
    """One rule, rehearsed."""

    position: str
    rule: str
    ending: DrillEnding
    where: str
    """At which prices, in words: ``WETH at 1,742.10``."""
    why: str = ""
    remedy: str = ""
    plan: str = ""
    gas: int = 0
    """Wei its gas takes at the present fee; zero where there is no plan."""
    takes: tuple[WalletDraw, ...] = ()
    """What its plan takes out of the wallet, as if it were the only one that asks."""
    has_signer: bool = True
    """Whether anybody could sign the plan."""

    @property
    def is_well(self) -> bool:
        """Whether its owner need not hear of it."""
        return self.ending in (DrillEnding.WORKS, DrillEnding.UNTRIED)

    @property
    def said(self) -> str:
        """What its owner reads, in a sentence or two."""
        unsigned = "" if self.has_signer else "if there were a signer, "
        match self.ending:
            case DrillEnding.WORKS:
                return f"would work {unsigned}at {self.where}: {self.plan}"
            case DrillEnding.SHORT:
                return f"would fall short {unsigned}at {self.where}, because {self.why}: {self.plan}"
            case DrillEnding.FAILS:
                return f"your rescue would fail at {self.where}, because {self.why}"
            case DrillEnding.UNTRIED:
                return f"not rehearsed: {self.why}"


Rehearsal = Callable[[], Awaitable[Drilled]]
"""One rule's drill, to be held when there is time for it. Raises NodeError, ReadFailedError, JournalError."""


@dataclass(frozen=True, slots=True)
class Drill:
    """One drill of all rules: when (seconds since 1970), at which block, and what each came to."""

    at: int
    block: int
    rules: tuple[Drilled, ...]

    @property
    def failing(self) -> tuple[Drilled, ...]:
        """The rules whose rescue would fail or fall short."""
        return tuple(one for one in self.rules if not one.is_well)

    @property
    def summary(self) -> str:
        """How it went, in a few words."""
        works = sum(one.ending is DrillEnding.WORKS for one in self.rules)
        parts = [f"{works} of {len(self.rules)} rescues would work"] if self.rules else ["no rule that acts"]
        parts += [f"{one.position}/{one.rule} {one.ending.value}" for one in self.failing]
        return "; ".join(parts)


def plain(of: Drill) -> dict[str, Any]:
    """Return a drill as JSON can hold it."""
    rows = [
        asdict(one)
        | {"ending": one.ending.value, "gas": str(one.gas)}
        | {"takes": [[t.payer, t.asset, str(t.amount)] for t in one.takes]}
        for one in of.rules
    ]
    return {"at": of.at, "block": of.block, "rules": rows}


def from_plain(written: Any) -> Drill | None:
    """Return a drill that was written down; None for what is none."""
    if not isinstance(written, Mapping):
        return None
    try:
        return Drill(int(written["at"]), int(written["block"]), tuple(_rules(written["rules"])))
    except (KeyError, TypeError, ValueError):
        return None


def _rules(rows: Iterable[Any]) -> Iterable[Drilled]:
    for row in rows:
        takes = tuple(WalletDraw(payer, asset, int(amount)) for payer, asset, amount in row.get("takes", ()))
        yield Drilled(**{**row, "ending": DrillEnding(row["ending"]), "gas": int(row["gas"]), "takes": takes})


def key_of(network: str, scope: str) -> str:
    """Return the name under which the last drill of a chain is kept."""
    return f"drill:{network}:{scope}"
