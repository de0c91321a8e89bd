"""How the journal fails: always loudly, naming what was being done and what the owner can do about it."""

from __future__ import annotations

from sqlalchemy.exc import SQLAlchemyError

REMEDIES = (
    ("locked", "Another program holds the journal: end it, or wait for it, and try again."),
    ("lock timeout", "Another program holds the journal: end it, or wait for it, and try again."),
    ("full", "Make room on the disk that holds the journal."),
    ("no space", "Make room on the disk that holds the journal."),
    ("readonly", "Give this user the right to write the journal's file and its folder."),
    ("read-only", "Give this user the right to write the journal's file and its folder."),
    ("unable to open", "Check that the journal's folder exists and this user may write there."),
    ("not a database", "The file is not a journal: name another one in the settings."),
    ("malformed", "The file is damaged: keep a copy, then restore a backup or name a new file in the settings."),
    ("password", "Check user and password in the journal's URL."),
    ("connect", "Check that the database in the journal's URL is running and reachable."),
    ("serializable", "Store amounts in the journal's JSON as text."),
)
LASTING = (
    "unable to open", "not a database", "readonly", "read-only", "is not a database it can use", "is not installed",
    "password", "does not exist", "url cannot be read", "is a directory", "not a directory", "permission denied",
    "file exists", "name too long",
)  # fmt: skip
"""Signs of what no second try heals: the address is wrong, or this user has no right to it."""
OTHERWISE = "Nothing is signed while the journal cannot be written; see the database's own log."


class JournalError(Exception):
    """The journal could not do ``action``; ``remedy`` is what the owner can do. Nothing was written."""

    def __init__(self, action: str, cause: str, remedy: str) -> None:
        super().__init__(f"The journal could not {action}: {cause}. {remedy}")
        self.action = action
        self.cause = cause
        self.remedy = remedy

    @property
    def is_lasting(self) -> bool:
        """Whether, at opening, no second try would help."""
        return any(sign in self.cause.lower() for sign in LASTING)


class NonceTakenError(JournalError):
    """Another intent already lives at this nonce; signing a second one could spend twice."""

    def __init__(self, chain_id: int, signer: str, nonce: int) -> None:
        super().__init__(
            "add a signed transaction",
            f"nonce {nonce} of {signer} on chain {chain_id} already carries another one",
            "Replace that one, or wait until it is settled.",
        )
        self.chain_id = chain_id
        self.signer = signer
        self.nonce = nonce


class NoSuchRowError(JournalError):
    """What was to be changed is not in the journal."""

    def __init__(self, action: str, row: str) -> None:
        super().__init__(action, f"{row} is not in it", "Was the journal exchanged while the keeper ran?")


class SchemaTooNewError(JournalError):
    """The journal was written by a newer keeper than this one."""

    def __init__(self, found: str, known: str) -> None:
        super().__init__(
            "be opened",
            f"it has schema {found}, this keeper knows up to {known}",
            "Use the newer keeper, or name another journal in the settings.",
        )
        self.found = found
        self.known = known

    @property
    def is_lasting(self) -> bool:
        """Always: this keeper will not grow newer by trying again."""
        return True


class SchemaTooOldError(JournalError):
    """The journal was written by an earlier keeper, and who only looks on brings none up to date."""

    def __init__(self) -> None:
        super().__init__(
            "be looked at",
            "it was written by an earlier version",
            "It is brought up to date when this version's `keeper run` starts; nothing in it is lost.",
        )


def from_database(action: str, failure: SQLAlchemyError | OSError) -> JournalError:
    """Name the cause in one line, without the statement and its parameters, and the remedy that goes with it."""
    cause = str(getattr(failure, "orig", None) or failure).strip().partition("\n")[0].rstrip(".")
    known = (remedy for sign, remedy in REMEDIES if sign in cause.lower())
    return JournalError(action, cause, next(known, OTHERWISE))
