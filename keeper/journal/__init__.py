"""Durable memory: what was seen, decided, signed, sent and mined, on SQLite or PostgreSQL."""

from keeper.journal.decisions import Decision, Decisions, Entry, NewDecision
from keeper.journal.errors import JournalError, NonceTakenError, NoSuchRowError, SchemaTooNewError
from keeper.journal.facts import Facts
from keeper.journal.open import Journal, open_journal
from keeper.journal.transactions import Attempt, NewAttempt, NewTransaction, Transaction, Transactions

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
    "Transaction",
    "Transactions",
    "open_journal",
]
