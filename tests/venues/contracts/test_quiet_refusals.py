"""A refusal that is no revert is read from its event, and of nothing else."""

from __future__ import annotations

import pytest

from keeper.venues.contracts.refusals import FAILURE, WORDS, refusal

TOKEN, OTHER = "0x" + "aa" * 20, "0x" + "bb" * 20


def said(error: int, *, at: str = TOKEN, topic: str = FAILURE, words: int = 3) -> dict[str, object]:
    data = "0x" + "".join(f"{n:064x}" for n in (error, 5, 17)[:words])
    return {"address": at, "topics": [topic], "data": data}


@pytest.mark.parametrize("error", range(1, len(WORDS)))
def test_each_error_is_said_in_words_and_numbers(error: int) -> None:
    """Whoever looks it up finds the number."""
    found = refusal([said(error)], TOKEN.upper().replace("0X", "0x"))
    assert found is not None
    assert WORDS[error] in found
    assert f"error {error}, info 5, detail 17" in found


def test_an_error_that_nobody_knows_is_a_refusal_too() -> None:
    """A newer version has more of them."""
    assert "an unknown error (error 99" in str(refusal([said(99)]))


@pytest.mark.parametrize(
    "logs",
    [
        None,
        [],
        [said(0)],
        [said(3, at=OTHER)],
        [said(3, topic="0x" + "11" * 32)],
        [said(3, words=2)],
        [{}],
        [None],
        "x",
    ],
)
def test_what_refuses_nothing_is_none(logs: object) -> None:
    """No logs, no error, another contract, another event, another shape."""
    assert refusal(logs, TOKEN) is None


def test_of_a_rehearsal_any_contract_counts() -> None:
    """Within a batch another contract was called than the one the transaction is sent to."""
    assert refusal([said(3, at=OTHER)]) is not None
