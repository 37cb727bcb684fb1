"""Lengths of time as people write them: seven forms, and a coded refusal of anything else."""

import pytest

from control_plane.durations import seconds_of
from control_plane.errors import BadInput

FORMS = {"90": 90, "90s": 90, "30m": 1800, "1.5h": 5400, "7d": 604_800, "2w": 1_209_600}
WRONG = ("", "s", "h1", "1y", "-1h", "0", "0m", "nan", "infd", "1e300w", "1 h 5", "²h")


@pytest.mark.parametrize(("told", "seconds"), FORMS.items())
def test_a_length_of_time_is_read(told: str, seconds: float) -> None:
    assert seconds_of(told) == seconds


@pytest.mark.parametrize("told", WRONG)
def test_what_is_none_is_refused(told: str) -> None:
    with pytest.raises(BadInput):
        seconds_of(told)


def test_what_is_longer_than_allowed_is_refused() -> None:
    assert seconds_of("24h", 86_400.0) == 86_400.0
    with pytest.raises(BadInput, match="too long"):
        seconds_of("25h", 86_400.0)
