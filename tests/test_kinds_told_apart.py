"""Where the kinds of positions are told apart: in their own packages, and in a list of places, each with its reason."""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[1] / "keeper"
OWN = ("core/lending/", "core/perp/", "core/book/", "venues/", "backtest/")
"""A kind's arithmetic, its venues, and the back-test, which plays loans."""
KINDS = {
    *("LendingPosition", "PerpPosition", "BookPosition"),
    *("LendingAssessment", "PerpAssessment", "BookAssessment"),
    *("LendingIntent", "PerpIntent", "BookIntent"),
    *("Prepared", "PerpPrepared", "Outcome", "PerpOutcome"),
}
SUM = "a sum over all kinds, with an arm for each and none forgotten"
NARROWS = "its own kind, or one that could not be read or judged: the type is narrowed, nothing is chosen"
HEDGES = "a book trades through a perpetual position that is not its own: a hedge may open one, a rule may not"
SHOWS = "words and figures for people, an arm for each kind"
ALLOWED = {
    "core/exposure.py": (3, SUM),
    "core/risk/met.py": (1, "a shock meets each kind by its own arithmetic"),
    "core/risk/report.py": (2, SUM),
    "core/snapshot.py": (2, "the two lists of a snapshot by kind, from which everybody else takes"),
    "core/starter.py": (1, "what is proposed to a newcomer is another arithmetic for each kind"),
    "engine/agreement.py": (2, "a loan's figures are confirmed by one read, a perpetual's by reading it whole"),
    "engine/cases.py": (1, "the one place where a position becomes a case of its kind"),
    "engine/rows.py": (11, "the one place that knows each kind's report"),
    "engine/lending/assess.py": (1, NARROWS),
    "engine/lending/case.py": (1, NARROWS),
    "engine/lending/drill.py": (1, NARROWS),
    "engine/lending/plan.py": (1, NARROWS),
    "engine/lending/recheck.py": (1, NARROWS),
    "engine/perp/book_case.py": (2, NARROWS),
    "engine/perp/case.py": (3, NARROWS),
    "engine/perp/drill.py": (2, NARROWS),
    "engine/perp/departure.py": (1, HEDGES),
    "engine/perp/make_up.py": (3, NARROWS),
    "engine/perp/notices.py": (3, SHOWS),
    "engine/perp/prepare.py": (1, HEDGES),
    "engine/perp/recheck.py": (2, "a book's hedge is looked at again by its book, a position by its rules"),
    "engine/perp/preflight.py": (1, HEDGES),
    "engine/perp/unwind.py": (1, NARROWS),
    "snapshot/second_reader.py": (2, "of a perpetual every block's figures decide; a loan's only near a rule"),
    "service/standing.py": (2, SHOWS),
    "service/view.py": (3, SHOWS),
    "cli/doctor_market.py": (1, "whom a guardian could rob: a question about loans"),
    "cli/doctor_rules.py": (3, SHOWS),
    "cli/init_found.py": (2, SHOWS),
    "cli/keeping.py": (2, "an exit code: a loan's rule may rest though its promise was kept in part"),
}
"""File → how often, and why it stays."""


def told_apart() -> Counter[str]:
    """How often each file asks of which kind something is."""
    found = Counter[str]()
    for path in sorted(ROOT.rglob("*.py")):
        name = path.relative_to(ROOT).as_posix()
        if name.startswith(OWN):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "isinstance":
                asked = {each.id for each in ast.walk(node.args[1]) if isinstance(each, ast.Name)}
                found[name] += bool(asked & KINDS)
            elif isinstance(node, ast.MatchClass):
                found[name] += ast.unparse(node.cls) in KINDS
    return +found


def test_kinds_are_told_apart_where_the_list_says_and_nowhere_else() -> None:
    """A new place has to be argued for here; one that is gone leaves the list. A port or an attribute is better."""
    assert dict(told_apart()) == {name: count for name, (count, _) in ALLOWED.items()}


def test_each_place_has_its_reason() -> None:
    """Few, and the sum of them does not grow."""
    assert all(why for _, why in ALLOWED.values())
    assert sum(count for count, _ in ALLOWED.values()) <= MOST


MOST = 62
