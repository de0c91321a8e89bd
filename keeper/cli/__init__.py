"""Commands: they read the words on the line, call the program, and print. No decisions are made here."""

from keeper.cli.main import main

__all__ = ["main"]
