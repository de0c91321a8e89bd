"""Migrations of the journal's schema, run by `keeper.journal.migrate`."""
