"""What an owner hears of signers that are asked: that one lets itself be waited for, and that it signs again."""

from __future__ import annotations

from keeper.core.notices import sentence
from keeper.core.units import duration
from keeper.observe.voice import Voice


class SigningVoice:
    """One trouble for each account, however many transactions wait."""

    def __init__(self, voice: Voice) -> None:
        self._voice = voice

    def unsigned(self, address: str, purpose: str, seconds: float) -> None:
        """Report what was not signed in so long: nothing else waits for it, and a rescue would."""
        key, title = _key(address), "A transaction waits for its signature"
        self._voice.line("warning", key, "unsigned", account=address, purpose=purpose, seconds=round(seconds))
        body = sentence(
            f"{purpose}: {address} was asked {duration(seconds)} ago and has not signed",
            "Other accounts and alerts go on; a rescue of this one waits as long",
            "Answer at the keeper's terminal, or look at the signer that is asked",
        )
        self._voice.raise_alarm(key, title, body, name="transactions are signed again")

    def signed_at_last(self, address: str) -> None:
        """Report that an account's signer signs."""
        if self._voice.settled([_key(address)]):
            self._voice.alert("All clear: transactions are signed again", f"The signer of {address} answers.")


def _key(address: str) -> str:
    return f"unsigned:{address}"
