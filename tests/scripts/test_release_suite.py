"""The suite is run from nothing as often as asked; one red or slow run, or other code, is no pass."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import suite
from suite import ABOUT, FILE, LIMIT_S

GREEN = {"seconds": 400, "exit": 0, "passed": 9, "failed": []}
# Green at first, red from the third run on: it counts in a file beside the clones.
RUN = '#!/bin/sh\necho . >> "{0}"\nif [ $(wc -l < "{0}") -lt 3 ]; then echo "== 7 passed in 1s =="; exit 0; fi\n'
RED = 'echo "FAILED tests/test_it.py::test_it - it"\necho "== 1 failed, 6 passed in 1s =="\nexit 1\n'


@pytest.fixture
def ground(tmp_path: Path) -> Path:
    """A project of which the suite is not steady."""
    project = tmp_path / "project"
    for name in (*ABOUT, ".ci/run"):
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text("")
    (project / ".ci" / "run").write_text(RUN.format(tmp_path / "count") + RED)
    (project / ".ci" / "run").chmod(0o755)
    who = ["-c", "user.name=a", "-c", "user.email=a@b"]
    for words in (["init", "-q"], ["add", "-A"], [*who, "commit", "-qm", "It begins"]):
        subprocess.run(["git", "-C", str(project), *words], check=True)
    return project


def test_a_test_that_fails_once_in_three_runs_is_named(ground: Path, tmp_path: Path) -> None:
    every = list(suite.runs(ground, 3, tmp_path))
    assert [(one["exit"], one["passed"], one["failed"]) for one in every] == [
        (0, 7, []), (0, 7, []), (1, 6, ["tests/test_it.py::test_it"]),
    ]  # fmt: skip
    assert [path.name for path in tmp_path.glob("suite-*")] == ["suite-3.log"]
    assert "FAILED tests/test_it.py" in (tmp_path / "suite-3.log").read_text()
    (row,) = judged(ground, every)
    assert (row.state, "2 of 3 runs green" in row.seen, "tests/test_it.py::test_it" in row.seen) == (
        "fails",
        True,
        True,
    )


@pytest.mark.requirement("SHIP-48")
@pytest.mark.parametrize(
    ("every", "state"),
    [
        ([GREEN] * 5, "holds"),
        ([GREEN] * 4, "not run"),
        ([], "not run"),
        ([GREEN] * 5 + [GREEN | {"seconds": LIMIT_S}], "fails"),
        ([GREEN] * 5 + [GREEN | {"exit": 2}], "fails"),
        ([GREEN] * 5 + [GREEN | {"passed": 0}], "fails"),
    ],
    ids=["five", "four", "none", "slow", "red", "without a test"],
)
def test_fewer_than_five_green_runs_or_a_slow_one_are_no_pass(
    ground: Path, every: list[dict[str, Any]], state: str
) -> None:
    assert [row.state for row in judged(ground, every)] == [state]


def test_without_a_report_or_with_other_code_nothing_is_passed(ground: Path) -> None:
    assert [row.state for row in suite.suite(ground, ground)] == ["not run"]
    (row,) = judged(ground, [GREEN] * 5, state="another")
    assert (row.state, row.seen.startswith("the code has changed since")) == ("not run", True)


def judged(ground: Path, every: list[dict[str, Any]], state: str | None = None) -> list[suite.Row]:
    told = {"state": state or suite.state(ground), "processors": 2, "runs": every}
    (ground / FILE).write_text(json.dumps(told))
    return suite.suite(ground, ground)
