"""What was not signed: by whom it was asked, and why not. Nothing of it was sent."""

from __future__ import annotations

from keeper.core.reasons import Reason
from keeper.execution.course import SendFailedError


class UnsignedError(SendFailedError):
    """A signer that is asked for each transaction did not sign one. ``reason`` says why."""


def away(detail: str) -> UnsignedError:
    """Return that it did not answer, or could not be reached."""
    return UnsignedError(Reason.SIGNER_AWAY, detail)


def refused(detail: str) -> UnsignedError:
    """Return that it will not sign."""
    return UnsignedError(Reason.SIGNER_REFUSED, detail)


def otherwise(detail: str) -> UnsignedError:
    """Return that it answered with something else than was asked for."""
    return UnsignedError(Reason.SIGNED_OTHERWISE, detail)
