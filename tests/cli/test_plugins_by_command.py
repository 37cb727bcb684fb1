"""Plugins on the command line: seen, quarantined, released."""

import pytest

from control_plane.ledger.home import Home
from tests.cli.conftest import Run


@pytest.mark.requirement("GOV-34")
def test_a_plugin_goes_into_quarantine_and_out_again(home: Home, run: Run) -> None:
    assert run("plugins", "list").out == "no plugin was seen yet\n"
    assert run("plugins", "observe", "guard", "--json").json()["state"] == "healthy"
    seen = run("plugins", "observe", "guard", "--crashes", "3", "--error", "exit 1", "--json").json()
    assert (seen["state"], seen["reason"], seen["last_error"]) == ("quarantine", "crash-loop", "exit 1")
    lines = run("plugins", "list").out.splitlines()
    assert lines[1].split() == ["guard", "quarantine", "crash-loop", "3", "exit", "1"]
    assert lines[-1] == "1 quarantine"
    assert run("plugins", "list", "--json").json()["states"]["quarantine"] == 1
    assert run("plugins", "release", "guard", "--actor", "ana", "--reason", "mended").code == 0
    assert run("plugins", "release", "guard", "--actor", "ana", "--reason", "mended").code == 2


@pytest.mark.parametrize(
    ("words", "state", "reason"),
    [
        (["--not-discovered"], "degraded", "not-discovered"),
        (["--not-configured", "--not-discovered"], "unknown", "not-discovered"),
        (["--no-heartbeat"], "degraded", "missing-heartbeat"),
        (["--dependency-broken"], "quarantine", "dependency-break"),
        (["--policy-violation"], "quarantine", "policy-violation"),
    ],
)
def test_what_was_seen_is_told_by_options(home: Home, run: Run, words: list[str], state: str, reason: str) -> None:
    seen = run("plugins", "observe", "guard", *words, "--json").json()
    assert (seen["state"], seen["reason"]) == (state, reason)


def test_a_bad_name_is_refused(home: Home, run: Run) -> None:
    refused = run("plugins", "observe", "a b", "--json")
    assert (refused.code, refused.error()["code"]) == (2, "input.invalid")
