"""What the commands that decide, record and explain say to people."""

from pathlib import Path

import pytest

from tests.cli.conftest import Run

CATALOGUE = """
[[arms]]
name = "a/first"
price_in = 1.0
price_out = 4.0

[[arms]]
name = "b/second"
"""


@pytest.fixture
def home(tmp_path: Path, project: Path) -> Path:
    (project / "control-plane.toml").write_text(CATALOGUE)
    return tmp_path / "home"


def advised(run: Run, home: Path, *words: str) -> str:
    decision: str = run("advise", "--home", str(home), "--task-type", "code.fix", "--json", *words).json()[
        "decision_id"
    ]
    return decision


def test_an_arm_without_results_has_no_runs_and_a_price_that_nobody_stated_is_marked(run: Run, home: Path) -> None:
    told = run("explain", "--home", str(home), advised(run, home))
    first, second = [line.split() for line in told.out.splitlines() if "a/first" in line or "b/second" in line][:2]
    assert {"a/first", "b/second"} <= {*first, *second}
    assert "prior" in first
    assert "prior" in second
    assert "18" not in first
    (guessed,) = [line for line in (first, second) if "b/second" in line]
    assert "−0.1600?" in guessed
    assert "price unknown, taken as $0.16" in told.out


def test_what_is_not_certain_is_not_a_hundred_per_cent(run: Run, home: Path) -> None:
    for _ in range(12):
        decision = advised(run, home, "--override", "a/first")
        run("record", "--home", str(home), "--decision", decision, "--success", "--cost-usd", "0.01")
        decision = advised(run, home, "--override", "b/second")
        run("record", "--home", str(home), "--decision", decision, "--failure", "--cost-usd", "0.5")
    told = run("explain", "--home", str(home), advised(run, home))
    assert "> 99.9%" in told.out
    assert "100.0%" not in told.out


def test_a_limit_that_nobody_meets_is_said_to_people(run: Run, home: Path) -> None:
    told = run("advise", "--home", str(home), "--task-type", "code.fix", "--budget-usd", "0.0001")
    assert told.code == 0
    assert "pause" in told.out
    assert "no arm fits the budget of $0.0001; the nearest is a/first: costs about $0.028" in told.out
