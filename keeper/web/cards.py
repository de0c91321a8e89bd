"""One position or book in a few words: its figure, how far off danger is, what would be done now and why not.

Made of a view's plain data, for the page and ``keeper watch`` alike. Unknown is said, and never shown as healthy.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from keeper.core.words import money, short

Data = Mapping[str, Any]
CALM, WATCH, ALARM, UNKNOWN = "calm", "watch", "alarm", "unknown"
"""How urgently it is to be looked at."""
FIRST = (ALARM, UNKNOWN, WATCH, CALM)
"""What is shown first."""
MEASURES = {"loan": "health_factor", "perp": "margin_ratio", "book": "delta"}
"""By what is there: the measure whose bounds and targets are drawn beside the figure."""
ALERTS, COOLDOWN = "alert_only", "cooldown"
"""Reasons of holds: the first is none, for the rule was made to warn, and warns."""
EMPTY, NOTHING = "no_position", ("empty", "nothing is open here")
NEAR = 0.1
"""A figure nearer to a trigger than this share of it is worth a look."""


@dataclass(frozen=True, slots=True)
class Card:
    """What is shown of one of them. Texts are plain: who shows them escapes them."""

    name: str
    venue: str
    tone: str
    figure: str
    label: str
    measure: str
    far: str
    """What ``distance`` is to: ``liquidated when``, or a book's band."""
    distance: str
    probability: str
    worth: tuple[tuple[str, str], ...]
    now: tuple[str, ...]
    """What it does or would do; the first line is the answer."""
    why: tuple[str, ...]
    """Why not, what it waits for, and what can be done about it."""
    rules: tuple[Data, ...]
    doubts: tuple[str, ...]
    plan: Data | None
    rehearsal: Data | None


def cards_of(view: Data | None) -> list[tuple[Data, Card]]:
    """Return the subjects of a view with their cards: what is most urgent first, else in the settings' order."""
    made = [(subject, card(subject, view["mode"])) for subject in view["subjects"]] if view else []
    return sorted(made, key=lambda one: FIRST.index(one[1].tone))


def card(of: Data, mode: str) -> Card:
    """Return the card of a subject of a view."""
    seen = of["seen"]
    is_known = bool(seen.get("readable"))
    what = _kind(seen)
    is_empty = seen.get("reason") == EMPTY  # it was read, and nothing is there: not the same as unknown
    figure, label = _figure(seen, what) if is_known else NOTHING if is_empty else ("unknown", "could not be read")
    doubts = tuple(f"{d['detail']} ({d['reason']})" for d in seen.get("doubts", ()))
    rules = tuple(_rule(r, of["aims"]) for r in seen.get("rules", ()))
    return Card(
        name=of["name"],
        venue=seen.get("venue") or ("book" if what == "book" else ""),
        tone=WATCH if is_empty else _tone(of, is_known=is_known, has_doubts=bool(doubts), rules=rules),
        figure=figure,
        label=label,
        measure=MEASURES[what],
        far="band" if what == "book" else "liquidated when",
        distance=_distance(seen, what) if is_known else "nothing to liquidate" if is_empty else "unknown",
        probability="–" if is_empty else _probability(of["probability"]),
        worth=_worth(seen, what) if is_known else (),
        now=_now(of, mode, rules),
        why=_why(seen, of["now"], mode, rules),
        rules=rules,
        doubts=doubts,
        plan=of["now"]["plan"],
        rehearsal=of["now"]["rehearsal"],
    )


def _kind(seen: Data) -> str:
    return "book" if "delta" in seen else "perp" if "legs" in seen else "loan"


def _figure(seen: Data, what: str) -> tuple[str, str]:
    if what == "book":
        return f"{short(seen['delta'], 3)} {seen['underlying']}", "delta"
    if what == "perp":
        return percent(seen["figures"]["margin_ratio"]), "margin ratio"
    health = seen["figures"]["health_factor"]
    return ("∞", "no debt") if health is None else (short(health, 3), "health factor")


def _distance(seen: Data, what: str) -> str:
    if what == "book":
        return f"±{short(seen['band'], 2)} around {short(seen['target'], 2)}"
    if what == "perp":
        off = seen["figures"]["liquidation_distance"]
        return "never" if off is None else f"{_moving(seen)} {percent(off, 1)}"
    least = seen["liquidates"]["least_move"]
    if seen["figures"]["health_factor"] is None or least is None:
        return "never"
    return f"{least['symbol']} {least['when']} by {percent(least['move'], 1)}"


def _moving(seen: Data) -> str:
    """Return which move liquidates a perpetual position: of its one market, or of all of them against it."""
    held = [leg for leg in seen["legs"] if leg["side"] != "none"]
    if len(held) != 1:
        return "all move against it by"
    return f"{held[0]['market']} {'rises' if held[0]['side'] == 'short' else 'falls'} by"


def _probability(of: Data | None) -> str:
    if of is None:
        return "not measured"
    if of["share"] is None:
        return f"unknown: {of['why']}"
    share = float(of["share"])
    shown = (
        "below 0.01\u202f%"
        if share < 0.0001
        else f"{share * 100:.2f}\u202f%"
        if share < 0.1
        else f"{share * 100:.0f}\u202f%"
    )
    return f"{shown} within {of['horizon_s'] // 3600} h"


def _worth(seen: Data, what: str) -> tuple[tuple[str, str], ...]:
    if what == "book":
        held = tuple((p["holder"], f"{short(p['delta'], 3)} {p['underlying']}") for p in seen["parts"])
        return (*held, ("carry a day", seen["carry"]["per_day"])) if seen.get("carry") else held
    of = seen["figures"]
    if what == "perp":
        sized = [leg for leg in seen["legs"] if leg["side"] != "none"]
        legs = tuple((f"{x['side']} {x['market']}", short(x["size"].removeprefix("-"), 3)) for x in sized)
        return (*legs, ("equity", money(of["equity_usd"])), ("notional", money(of["notional_usd"])))
    return tuple((key, money(of[f"{key}_usd"])) for key in ("collateral", "debt", "equity"))


def _rule(verdict: Data, aims: list[Data]) -> Data:
    """Return a rule with how far it is from firing, in words. A view of an earlier version has fewer of them."""
    aim = next((a for a in aims if a["rule"] == verdict["rule"]), {})
    acts = bool(aim.get("actions"))
    words, bound, measured = verdict["measure"].replace("_", " "), trimmed(verdict["bound"]), verdict["measured"]
    when = aim.get("when") or f"{words} {verdict['side']} {bound}"
    fires = "fires" if acts or "actions" not in aim else "warns"
    return {
        **verdict,
        **aim,
        "state": "sees nothing" if verdict["doubt"] else fires if verdict["fired"] else "rests",
        "acts": acts,
        "when": when,
        "bound_words": aim.get("bound_words") or bound,
        "now": aim.get("measured_words") or ("–" if measured is None else short(measured, 4)),
        "says": aim.get("says") or f"{when}: {measured}",
        "wants": aim.get("target_words") or aim.get("target"),
    }


def _tone(of: Data, *, is_known: bool, has_doubts: bool, rules: tuple[Data, ...]) -> str:
    if not is_known:
        return UNKNOWN
    decision = of["now"]["decision"]
    if decision["kind"] == "act" or (decision["kind"] == "hold" and any(r["fired"] for r in rules)):
        return WATCH if _only_warns(rules) else ALARM
    if has_doubts or of["is_under_way"] or any(r["doubt"] for r in rules) or any(_is_near(r) for r in rules):
        return WATCH
    return CALM


def _only_warns(rules: tuple[Data, ...]) -> bool:
    """Return whether nothing but warnings fires, and a rule that acts is there, sees, and rests."""
    return all(r["state"] != "fires" for r in rules) and any(r["acts"] and r["state"] == "rests" for r in rules)


def _is_near(rule: Data) -> bool:
    if rule["measured"] is None or rule["side"] not in ("below", "above", "outside"):
        return False
    measured, bound = abs(float(rule["measured"])), abs(float(rule["bound"]))
    return bound > 0 and abs(measured - bound) <= NEAR * bound


def _now(of: Data, mode: str, rules: tuple[Data, ...]) -> tuple[str, ...]:
    decision, plan = of["now"]["decision"], of["now"]["plan"]
    lines = ["A plan is on its way; its transactions are below."] if of["is_under_way"] else []
    if decision["kind"] == "act" and plan is not None:
        part = " (a part: all that the limits allow)" if plan["is_partial"] else ""
        does = "Does" if mode == "live" else "Would do"
        lines.append(f"{does}: {plan['label']}{part}, for {decision['rule']}.")
        lines.append(f"To get to {decision['target']}; costs {money(plan['cost_usd']['total'])}.")
    elif decision["kind"] == "act":
        lines.append(f"Rule {decision['rule']} fires: wants {decision['target']}.")
    elif decision["reason"] == ALERTS:
        held = [o for o in of["now"]["others"] if o["kind"] == "hold" and o["reason"] not in ("healthy", ALERTS)]
        lines += [f"{_held(o, mode)}." for o in held]  # what would help comes before what only warns
        lines += [f"Warns ({r['rule']}): {r['says']}." for r in rules if r["state"] == "warns"]
        lines += _next(rules)
    elif decision["reason"] == "healthy":
        lines += ["Rests: no rule asks for anything.", *_next(rules)]
    else:
        lines.append(f"{_held({**decision, 'detail': ''}, mode)}.")
    return tuple(lines)


def _held(hold: Data, mode: str) -> str:
    """Return a hold in words; where nothing is sent nothing was acted on, and it says so."""
    whose = f" ({hold['rule']})" if hold["rule"] else ""
    is_rehearsed = mode != "live" and hold["reason"] == COOLDOWN
    text = "was rehearsed a short while ago, and is again after its cooldown" if is_rehearsed else hold["text"]
    return f"Holds{whose}: {text}{': ' if hold['detail'] else ''}{hold['detail']}"


def _next(rules: tuple[Data, ...]) -> list[str]:
    """Return what rules that rest would do, and when; those that act first."""
    resting = sorted((r for r in rules if r["state"] == "rests"), key=lambda r: not r["acts"])
    return [_would(r) for r in resting[:3]]


def _would(rule: Data) -> str:
    does = ", ".join(action.replace("_", " ") for action in rule.get("actions") or ()) or "alert"
    goal = f" → {rule['wants']}" if rule["wants"] else ""
    return f"{rule['rule']} at {rule['when']}: {does}{goal}"


def _why(seen: Data, now: Data, mode: str, rules: tuple[Data, ...]) -> tuple[str, ...]:
    decision, lines = now["decision"], list[str]()
    reason = decision.get("reason")
    if decision["kind"] == "hold" and reason not in ("healthy", ALERTS):
        lines += [begun(decision[key]) for key in ("detail", "remedy") if decision[key]]
    elif reason == ALERTS and not any(r["acts"] for r in rules):
        lines.append("No rule of it acts: the keeper only warns.")
    for one in decision.get("forbidden", ()):
        lines.append(f"Not allowed now: {one['action']}: {one['detail']} ({one['reason']})")
    says = {r["rule"]: r["says"] for r in rules}
    for other in now["others"] if reason != ALERTS else ():
        if other["kind"] == "hold" and other["reason"] == ALERTS:
            lines.append(f"Warns ({other['rule']}): {says.get(other['rule']) or other['detail']}")
        elif other["kind"] == "hold" and other["reason"] != "healthy":
            lines.append(_held(other, mode))
    said = (None if seen.get("readable") else seen.get("detail")), seen.get("naked")
    lines += [begun(line) for line in said if line]
    return tuple(dict.fromkeys(lines))


def begun(text: str) -> str:
    """Return a sentence with a capital, as sentences begin."""
    return text[:1].upper() + text[1:]


def percent(value: str | None, places: int = 2) -> str:
    """Return a ratio for people, in percent."""
    return "∞" if value is None else f"{float(value) * 100:.{places}f}\u202f%"


def trimmed(value: str) -> str:
    """Return a decimal text without needless zeros."""
    return value.rstrip("0").rstrip(".") if "." in value else value


def age(seconds: float | None) -> str:
    """Return how long ago something was."""
    if seconds is None:
        return "never"
    whole = max(0, int(seconds))
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if whole >= 2 * size:
            return f"{whole // size} {unit}"
    return f"{whole} s"
