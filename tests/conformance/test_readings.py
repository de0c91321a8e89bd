"""What every venue's reads must pass before a rule looks at a position."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from readings import READINGS, Reading, agrees, changed, elsewhere, safety

from keeper.venues.ports import ReadFailedError
from keeper.venues.registry import VENUES

every = pytest.mark.parametrize("of", READINGS, ids=str)
some = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))


def test_no_venue_is_left_out() -> None:
    """Each line of the registry has its reading here, and so has the tests' own venue."""
    assert {of.venue for of in READINGS} == {*VENUES, "toy_bank"}


@every
def test_a_position_is_of_the_block_it_was_read_at(of: Reading) -> None:
    """Whatever block that is, and by the same reads."""
    assert of.read().block == of.block
    other = elsewhere(of.block)
    assert of.probe(other).reads == of.probe(of.block).reads
    assert of.probe(other).decode(of.answers).block == other


@every
def test_our_figures_are_the_venue_s_own(of: Reading) -> None:
    """To the last digit, on what a chain answered."""
    assert agrees(of.read())


@every
def test_reading_twice_is_reading_once(of: Reading) -> None:
    """Decoding keeps nothing: the same answers are the same position."""
    assert of.read() == of.read()


@every
def test_a_missing_answer_is_never_a_healthier_position(of: Reading) -> None:
    """It is a failure, figures that disagree, or the same position: what was missing was not needed."""
    truth, failed = of.read(), 0
    for place in range(len(of.answers)):
        try:
            found = of.read(changed(of, place, None))
        except ReadFailedError:
            failed += 1
            continue
        assert not agrees(found) or safety(found) <= safety(truth), of.probe(of.block).reads[place]
    assert failed, "nothing that is read is needed"


@every
def test_no_answer_at_all_is_a_failure(of: Reading) -> None:
    """Unknown is not zero, and not nothing either."""
    with pytest.raises(ReadFailedError):
        of.read(tuple(None for _ in of.answers))
    with pytest.raises(ReadFailedError):
        of.read(tuple(b"" for _ in of.answers))


@every
@pytest.mark.parametrize("byte", [b"\x00", b"\xff"], ids=["zeros", "ones"])
def test_an_answer_of_nothing_but_zeros_or_ones_fails_as_a_reading(of: Reading, byte: bytes) -> None:
    """Wherever it stands: a price of zero, a size of the whole range. A typed failure, or a position."""
    for place, answer in enumerate(of.answers):
        with contextlib.suppress(ReadFailedError):
            of.read(changed(of, place, byte * len(answer or bytes(32))))


@every
@some
@given(st.data())
def test_an_answer_of_another_shape_fails_as_a_reading(of: Reading, data: st.DataObject) -> None:
    """One position that cannot be read is a typed failure of that one: nothing else is thrown, whatever is answered."""
    place = data.draw(st.integers(0, len(of.answers) - 1))
    answer = data.draw(st.binary(max_size=96) | st.binary(min_size=32, max_size=32) | _shortened(of, place))
    try:
        of.read(changed(of, place, answer))
    except ReadFailedError:
        return


def _shortened(of: Reading, place: int) -> st.SearchStrategy[bytes]:
    whole = of.answers[place] or b""
    return st.integers(0, len(whole)).map(lambda size: whole[:size])
