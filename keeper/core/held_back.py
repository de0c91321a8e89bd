"""What keeps a fired rule from acting now: pauses, plans under way, cooldowns, failures and limits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from keeper.core.reasons import Reason
from keeper.core.rules import Limits
from keeper.core.units import USD, Address, Usd, Wei

TRIES = 3
"""Plans of a rule that may fail on chain within its cooldown; each costs gas and gains nothing."""
EMERGENCY_TRIES = 12
"""The same while the position is near liquidation."""
LEAST_SPEND = USD
"""A dollar: what is left of a limit below this rescues nobody and still costs gas."""


class Bounded(Protocol):
    """What every kind of rule has: a name, a pause, limits."""

    @property
    def every_s(self) -> int:
        """How often it acts at most, in seconds; zero where only its pause says so."""

    @property
    def name(self) -> str:
        """How the owner calls it."""

    @property
    def cooldown_s(self) -> int:
        """Seconds before it acts again."""

    @property
    def limits(self) -> Limits:
        """What it may spend."""

    @property
    def is_boost(self) -> bool:
        """Whether it adds leverage rather than taking it away."""


@dataclass(frozen=True, slots=True)
class Memory:
    """What earlier cycles left behind, read from the journal."""

    acted_at: dict[tuple[str, str], int] = field(default_factory=dict)
    """(position, rule) → block timestamp when it last reached its target."""
    spent_today: dict[str, Usd] = field(default_factory=dict)
    """Rule → dollars moved within the last 24 hours."""
    failed: dict[tuple[str, str], int] = field(default_factory=dict)
    """(position, rule) → plans that signed something and failed within its cooldown."""
    busy: dict[Address, str] = field(default_factory=dict)
    """Signer → a position whose plan it is carrying out since an earlier block."""
    flying: frozenset[str] = frozenset()
    """Positions and books with a plan under way, whoever signs it."""
    may_sign: bool = True
    acted_on: Mapping[tuple[str, str], Mapping[Address, int]] = field(default_factory=dict)
    """(position, rule) → the prices on which it last acted with success: assets' or perpetual markets' marks."""
    gas_paid: dict[str, Wei] = field(default_factory=dict)
    """Position → what rescues have paid for gas since its danger began, over all plans and restarts."""
    outrun: Mapping[tuple[str, str], int] = field(default_factory=dict)
    """(position, rule) → plans that the price outran within its cooldown."""
    paused: Mapping[tuple[str, str], str] = field(default_factory=dict)
    """(position, rule) → the pause that keeps it from acting, in words."""
    exceeded: tuple[str, ...] = ()
    """Exposure limits that are passed, in words: nothing adds leverage."""
    crossing: Mapping[tuple[str, str], str] = field(default_factory=dict)
    """(position, rule) → the exposure limits that a boost of it would pass, in words."""


def not_now(
    rule: Bounded,
    name: str,
    now: int,
    memory: Memory,
    signers: Sequence[Address],
    *,
    is_emergency: bool,
    is_new: bool = False,
) -> tuple[Reason, str] | None:
    """Return why a fired rule may not act on the position ``name`` at the block's time ``now``.

    Neither an emergency nor a new danger (``is_new``: prices are worse than those it acted on) waits for a cooldown.
    """
    if (pause := memory.paused.get((name, rule.name))) is not None:
        return Reason.PAUSED, pause
    if name in memory.flying:
        return Reason.IN_FLIGHT, ""
    if signers and all(signer in memory.busy for signer in signers):
        other = memory.busy[signers[0]]
        return (Reason.IN_FLIGHT, "") if other == name else (Reason.SIGNER_BUSY, other)
    if not memory.may_sign:
        return Reason.SIGNING_STOPPED, ""
    waited = _cooldown_left(rule, name, now, memory)
    if waited and not is_emergency and not is_new:
        return Reason.COOLDOWN, f"{waited} s left"
    failed = memory.failed.get((name, rule.name), 0)
    if failed >= (EMERGENCY_TRIES if is_emergency else TRIES):
        return Reason.TOO_MANY_FAILURES, f"{failed} within {failures_count_s(rule)} s"
    left = left_today(rule, memory)
    if left is not None and left < LEAST_SPEND:
        return Reason.SPEND_LIMIT, "nothing left of today's limit"
    return None


def failures_count_s(rule: Bounded) -> int:
    """Return how long a failed plan counts: the cooldown, and ten minutes where it is shorter."""
    return max(rule.cooldown_s, 600)


def left_today(rule: Bounded, memory: Memory) -> Usd | None:
    """Return the dollars a rule may still move today; None without a limit."""
    limit = rule.limits.max_spend_per_day
    return None if limit is None else Usd(max(0, limit - memory.spent_today.get(rule.name, 0)))


def _cooldown_left(rule: Bounded, name: str, now: int, memory: Memory) -> int:
    last = memory.acted_at.get((name, rule.name))
    if rule.is_boost:  # and after a rescue: what brought the position up is not undone a minute later
        last = max((at for (position, _), at in memory.acted_at.items() if position == name), default=None)
    own = memory.acted_at.get((name, rule.name))
    paced = 0 if own is None else max(0, own + rule.every_s - now)
    return paced if last is None else max(paced, last + rule.cooldown_s - now, 0)
