"""Durable memory: what was seen, decided, signed, sent and mined, on SQLite or PostgreSQL."""

from keeper.journal.decisions import Decision, Decisions, Entry, NewDecision
from keeper.journal.errors import JournalError, NonceTakenError, NoSuchRowError, SchemaTooNewError, SchemaTooOldError
from keeper.journal.facts import Facts
from keeper.journal.open import Journal, open_as_it_is, open_journal
from keeper.journal.signed import Attempt, NewAttempt, NewTransaction, Transaction
from keeper.journal.transactions import Transactions

__all__ = [
    "Attempt",
    "Decision",
    "Decisions",
    "Entry",
    "Facts",
    "Journal",
    "JournalError",
    "NewAttempt",
    "NewDecision",
    "NewTransaction",
    "NoSuchRowError",
    "NonceTakenError",
    "SchemaTooNewError",
    "SchemaTooOldError",
    "Transaction",
    "Transactions",
    "open_as_it_is",
    "open_journal",
]
