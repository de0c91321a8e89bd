"""Fee limits that the owner fixed: what each could cost when gas is dearer than that. Without one the stake decides."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from keeper.core.book.rules import BookRule
from keeper.core.lending.rules import Rule
from keeper.core.perp.rules import PerpRule
from keeper.core.units import Wei, decimal_of, gwei_text
from keeper.settings.model import Settings

AT_ONCE_GAS, CALL_BY_CALL_GAS = 700_000, 2_500_000
"""What a sale of several rounds takes, in one transaction and call by call (measured)."""
USUAL_LOSS = "5,000 to 10,000 dollars of every 100,000 dollars of debt"


@dataclass(frozen=True, slots=True)
class FixedCap:
    """One limit: where it is written, and the highest fee per gas it allows."""

    where: str
    most: Wei

    def __str__(self) -> str:
        at_once, by_call = (decimal_of(self.most * gas, 18, 3) for gas in (AT_ONCE_GAS, CALL_BY_CALL_GAS))
        return (
            f"{self.where}: max_fee_gwei is fixed at {gwei_text(self.most)}. While gas is dearer nothing is sent, "
            f"whatever is at stake: a liquidation takes about {USUAL_LOSS}. At that fee a rescue costs about {at_once} "
            f"of the native coin in one transaction, {by_call} call by call. Left out, the limit follows the stake."
        )


def fixed_caps(settings: Settings) -> tuple[FixedCap, ...]:
    """Return every fixed limit that could keep a rescue back."""
    return tuple(_caps(settings))


def _caps(settings: Settings) -> Iterator[FixedCap]:
    if settings.max_fee is not None:
        yield FixedCap("[safety]", settings.max_fee)
    rules: tuple[Rule | PerpRule | BookRule, ...] = (*settings.rules, *settings.perp_rules, *settings.book_rules)
    for rule in rules:
        if rule.limits.max_fee is not None and not rule.is_boost:
            yield FixedCap(f"rule {rule.name}", rule.limits.max_fee)
