"""Clause by clause and venue by venue: each place of the table is run, or has its reason. No gap, and no old excuse."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
import test_effects
import test_readings
from clauses import CLAUSES, EFFECTS, NOT_RUN, READS, SEEN, SEEN_IN, WHO, runs
from core_builders import GUARDIAN
from hypothesis import Phase, find, settings
from readings import READINGS
from subjects import ME, SUBJECTS, Made, Subject
from test_effects import dollars, grant, leaves_of, refusal

from keeper.venues.effects import Approves, Sells
from keeper.venues.registry import EXCHANGES, LENDERS, VENUES

WORLD = Path(__file__).parents[1] / "world"
seldom = settings(max_examples=400, database=None, derandomize=True, phases=[Phase.generate], deadline=None)


@pytest.mark.parametrize("who", WHO)
def test_every_clause_is_run_or_has_its_reason(who: str) -> None:
    """Whoever adds a venue meets every clause; whoever adds a clause, every venue."""
    for clause in CLAUSES:
        why = NOT_RUN.get((who, clause))
        if runs(who, clause):
            assert why is None, f"{who}, {clause}: it is run, and its excuse is left over"
        else:
            assert why, f"{who}, {clause}: nothing runs it, and nothing says why"


def test_the_table_speaks_of_nobody_else() -> None:
    """A reason for what is not there hides nothing, and misleads."""
    assert {(who, clause) for who, clause in NOT_RUN} <= {(who, clause) for who in WHO for clause in CLAUSES}
    assert set(SEEN_IN) <= set(WHO)


def test_every_line_of_the_registry_is_a_subject() -> None:
    """Positions, exchanges and lenders: what is called is judged by effects."""
    assert {*VENUES, *EXCHANGES, *LENDERS} <= {of.name for of in SUBJECTS}
    assert set(VENUES) <= {of.venue for of in READINGS}


@pytest.mark.parametrize("clause", [*EFFECTS, *READS])
def test_the_clause_s_test_is_run_for_all(clause: str) -> None:
    """By its marks: for all subjects, and not for some."""
    module, name, all_of = (
        (test_effects, EFFECTS[clause], SUBJECTS) if clause in EFFECTS else (test_readings, READS[clause], READINGS)
    )
    marks = [m for m in getattr(module, name).pytestmark if m.name == "parametrize" and m.args[0] == "of"]
    assert [tuple(m.args[1]) for m in marks] == [tuple(all_of)]


@pytest.mark.parametrize("who", SEEN_IN)
def test_what_is_seen_on_the_contract_is_a_test_that_is_there(who: str) -> None:
    """By its file and name, and it runs on the local world."""
    of = SEEN_IN[who]
    tree = ast.parse((WORLD / f"{of.file}.py").read_text(encoding="utf-8"))
    assert of.test in {n.name for n in tree.body if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)}, SEEN


# --- no clause is empty -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("of", SUBJECTS, ids=str)
def test_some_of_its_calls_pass_the_gate(of: Subject) -> None:
    """Else "recipient never another" and "a guardian only pays in" would be asked of nothing."""
    find(of.made(ME), lambda made: _counts(of, made), settings=seldom)


def _counts(of: Subject, made: Made) -> bool:
    """Whether the gate lets a call through that is no approval alone, or the subject makes nothing else."""
    if refusal(of, made.call, grant()):
        return False
    return of.name == "token" or not all(isinstance(leaf, Approves) for leaf in leaves_of(of, made.call))


@pytest.mark.parametrize("of", [of for of in SUBJECTS if (of.name, "what is spent") not in NOT_RUN], ids=str)
def test_some_of_its_calls_spend(of: Subject) -> None:
    """Else "what is spent is seen" would be asked of nothing."""
    find(of.made(ME), lambda made: _spends(of, made), settings=seldom)


def _spends(of: Subject, made: Made) -> bool:
    if refusal(of, made.call, grant()):
        return False
    leaves = list(leaves_of(of, made.call))
    brought = sum(of.grounds.assets[leaf.bought].value_up(leaf.least) for leaf in leaves if isinstance(leaf, Sells))
    return sum(dollars(of, leaf) for leaf in leaves) - brought > 10**6


SELLS_ALONE = {"uniswap_v3"}
"""Of what a guardian can encode there nothing pays in: a sale of his own money is none of a keeper's."""


@pytest.mark.parametrize(
    "of", [of for of in SUBJECTS if of.name not in SELLS_ALONE and not of.made(GUARDIAN).is_empty], ids=str
)
def test_some_of_a_guardian_s_calls_pass_the_gate(of: Subject) -> None:
    """Whoever may pay in for an owner is let to."""
    find(of.made(GUARDIAN), lambda made: refusal(of, made.call, grant(GUARDIAN)) is None, settings=seldom)
