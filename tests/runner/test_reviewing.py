"""A reviewer that cannot even be asked: refused beforehand, or one fault among others, and never the end of a run."""

import threading

import pytest

from control_plane.clock import Clock
from control_plane.errors import BadInput
from control_plane.runner.reviewing import Reviewer, ask_aside

QUESTION = ("task", (), (), {})


@pytest.mark.parametrize("url", ["ftp://host", "http://", "host:80", "http://host:port", "http://host:99999"])
def test_an_address_that_is_none_is_refused_beforehand(url: str) -> None:
    with pytest.raises(BadInput):
        Reviewer(url, "model")


@pytest.mark.timeout(30)
@pytest.mark.parametrize("key", ["two\nlines", "ключ"])
def test_a_key_that_no_header_can_hold_is_a_fault_with_a_name(key: str) -> None:
    reviewer = Reviewer("http://127.0.0.1:9", "model", key, pauses_s=())
    review, tries, errors = ask_aside(reviewer, Clock(), threading.Event(), QUESTION) or (None, 0, ())
    assert (review, tries) == (None, 1)
    assert errors[0].startswith("invalid: ")


@pytest.mark.timeout(30)
def test_a_defect_is_no_answer_and_no_end() -> None:
    review, _, errors = ask_aside(Reviewer("http://127.0.0.1:9", "model"), Clock(), threading.Event(), ()) or (0, 0, ())
    assert (review, errors) == (None, ("defect: TypeError",))
