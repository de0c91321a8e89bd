"""From the words of ``keeper backtest`` to the document of a perpetual position."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from keeper.cli.backtest_given import Given
from keeper.cli.common import Exit, fail
from keeper.cli.option_words import MOST_RATE, number, pair
from keeper.core.perp.candidates import ADD_MARGIN, REDUCE
from keeper.core.perp.margin_rules import MarginRules
from keeper.core.perp.position import FACTOR
from keeper.core.units import decimal_of
from keeper.venues.registry import VENUES

LOANS_OWN = "1.25:1.60"
"""What ``--fixed`` says where nobody says anything: health factors, which no margin ratio is."""
NEARER, FARTHER = 2, 3
"""Times the maintenance margin at which fixed thresholds act, and to which they get."""
PPM = 10**6


def rules_of(venue: str) -> MarginRules:
    """Return what a venue asks; ends with what is wrong where it has no perpetual positions."""
    rules = VENUES[venue].margins
    if rules is None:
        fail(Exit.BAD_SETTINGS, f"--venue {venue}: its positions cannot be played")
    return rules


def perp_of(given: Given, venue: str, prices: Mapping[str, object], signer: str) -> dict[str, Any]:
    """Return the position as the document has it. Ends with what is wrong on the line."""
    rules = rules_of(venue)
    if len(prices) != 1:
        fail(Exit.BAD_SETTINGS, f"--prices: a perpetual position hangs on one price; {', '.join(prices)} are several")
    if given.collateral or given.debt or given.health is not None:
        fail(Exit.BAD_SETTINGS, f"--collateral, --debt, --health: are of a loan; {venue} has --size and --margin")
    if given.side not in ("long", "short"):
        fail(Exit.BAD_SETTINGS, f"--side {given.side}: write long or short")
    if given.wallet and any("=" in word and not word.upper().startswith("USDC=") for word in given.wallet):
        fail(Exit.BAD_SETTINGS, f"--wallet {given.wallet[0]}: margin is paid in USDC here; write USDC=AMOUNT")
    size, margin = (number(f"--{name}", word) for name, word in (("size", given.size), ("margin", given.margin)))
    if not Decimal(size) or not Decimal(margin):
        fail(Exit.BAD_SETTINGS, f"--size {size}, --margin {margin}: a position has both, above zero")
    usual = decimal_of(rules.maintenance * 10**18 // FACTOR, 18)
    return {
        "side": given.side,
        "size": size,
        "margin": margin,
        "wallet": number("--wallet", (given.wallet or ["0"])[0].rpartition("=")[2]),
        "native": number("--native", given.native),
        "signer": signer,
        "funding": _signed_rate(given.funding),
        "fee": _share("--position-fee", given.position_fee or str(Decimal(rules.fee_ppm) / PPM)),
        "maintenance": _share("--maintenance", given.maintenance or usual),
        "fills_after": given.fill_after,
    }


def perp_ways(given: Given, perp: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return no keeper, fixed thresholds of the margin ratio, and the probability of liquidation."""
    least = Decimal(perp["maintenance"])
    usual = f"{least * NEARER:f}:{least * FARTHER:f}"
    at, to = pair("--fixed", usual if given.fixed == LOANS_OWN else given.fixed)
    probability, goal = pair("--adaptive", given.adaptive)
    looks = {"liquidation_probability_above": {"probability": probability, "horizon": "24h"}}
    return [
        {"name": "no keeper", "rules": []},
        {"name": "fixed thresholds", "rules": [_rule("fixed", {"margin_ratio_below": at}, {"margin_ratio": to})]},
        {"name": "adaptive", "rules": [_rule("adaptive", looks, {"liquidation_probability": goal})]},
    ]


def _rule(name: str, when: object, restore: object) -> dict[str, Any]:
    actions = [ADD_MARGIN.key, REDUCE.key]
    limits = {"max_slippage_bps": 150}
    return {"name": name, "when": when, "restore": restore, "actions": actions, "cooldown": "10m", "limits": limits}


def _share(option: str, word: str) -> str:
    found = number(option, word)
    if not 0 <= Decimal(found) < 1:
        fail(Exit.BAD_SETTINGS, f"{option} {word}: is a share between 0 and 1; write 5 % as 0.05")
    return found


def _signed_rate(word: str) -> str:
    try:
        found = Decimal(word)
    except InvalidOperation:
        fail(Exit.BAD_SETTINGS, f"--funding {word!r}: is no number")
    if not found.is_finite() or abs(found) > MOST_RATE:
        fail(Exit.BAD_SETTINGS, f"--funding {word}: is no rate of a year; write 10 % as 0.10, what you get as -0.10")
    return str(found)
