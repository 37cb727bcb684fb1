"""A secret stays out of what a traceback or a log shows of its holder."""

import pytest

from control_plane.opencode.port import OpenCode
from control_plane.router.identity import Identity
from control_plane.runner.notifying import Notifier
from control_plane.runner.reviewing import Reviewer

HOLDERS = [
    Identity(b"the-secret", "p1", 1, "d"),
    Notifier("the-secret"),
    OpenCode("http://127.0.0.1:1", password="the-secret"),
    Reviewer("http://127.0.0.1:1", "model", "the-secret"),
]


@pytest.mark.parametrize("holder", HOLDERS, ids=[type(one).__name__ for one in HOLDERS])
def test_a_secret_stays_out_of_the_repr(holder: object) -> None:
    assert "the-secret" not in repr(holder) + str(holder) + f"{holder}"
