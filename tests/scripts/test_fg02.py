"""The proof of FG-02 passes on the real system, and fails when a decision touches a file."""

import json
from pathlib import Path

import pytest

from control_plane import ControlPlane, Task
from control_plane.proving import arms
from control_plane.proving.touching import Touches
from tests.scripts.proofs import failed, load, run, shown

SCRIPT = "scripts/perf/fg02_hotpath_io.py"


@pytest.mark.long
@pytest.mark.requirement("FG-02-1", "FG-02-2", "FG-02-3", "FG-02-VERIFY", "FG-02-PASS", "FG-02-ROLLBACK", "ROUTER-64")
def test_a_slow_disk_is_not_noticed_by_decisions(tmp_path: Path) -> None:
    evidence = shown(SCRIPT, "fg-02", tmp_path, "--quick")
    assert evidence.after.figures["slow_disk_by"] == "a preloaded library"
    assert evidence.before.p50 >= 200.0
    assert [criterion.limit for criterion in evidence.criteria if criterion.bar == "the seed's"] == [5.0]
    probes = {name: value for name, value in evidence.after.figures.items() if "_ms_of_" in name}
    assert len(probes) == 2 * 2 * 3
    assert probes["after_p99_ms_of_record_result"] < 5.0
    assert probes["before_p50_ms_of_record_result"] > 200.0
    listed = json.loads((tmp_path / ".opencode" / "metrics" / evidence.artifacts[0].path).read_text())
    assert any(line.startswith("control-plane-committer: sqlite3.Connection.commit") for line in listed)


@pytest.mark.long
@pytest.mark.requirement("ROUTER-71", "ROUTER-72", "ROUTER-73")
def test_a_slow_disk_costs_decisions_nothing(tmp_path: Path) -> None:
    bars = {criterion.name: criterion.limit for criterion in shown(SCRIPT, "fg-02", tmp_path, seconds=300).criteria}
    assert bars["ms of `advise` on the slow disk, p99"] == 0.05


@pytest.mark.long
def test_a_decision_that_notes_something_in_a_file_fails_the_proof(tmp_path: Path) -> None:
    assert load(SCRIPT).main(["--quick", "--metrics", str(tmp_path)], fault="note") == 1
    assert {"calls of `advise` that touch a file", "ms of `advise` on the slow disk, p99"} <= failed(tmp_path)


@pytest.mark.requirement("ROUTER-65")
def test_no_decision_reaches_a_file(tmp_path: Path) -> None:
    with ControlPlane.open(tmp_path / "home", catalogue=arms(100)) as plane:
        given = []

        def decide() -> None:
            for number in range(50):
                task = Task(type=f"kind-{number % 5}", repo=f"acme/{number % 3}", session="s", attempt=1 + number % 2)
                given.append(plane.advise(task).decision_id)

        def settle() -> None:
            for number, decision in enumerate(given):
                plane.record_result(decision, error="server" if number % 7 else None, success=None, latency_ms=9.0)

        assert Touches().during(decide) == ()
        assert Touches().during(settle) == ()
        plane.flush()
        assert Touches().during(decide) == ()


@pytest.mark.parametrize("touch", ["open", "stat", "write", "connect"])
def test_a_touch_is_seen(tmp_path: Path, touch: str) -> None:
    import os
    import sqlite3

    handle = os.open(tmp_path / "file", os.O_RDWR | os.O_CREAT)
    acts = {
        "open": lambda: (tmp_path / "file").open().close(),
        "stat": lambda: os.stat(tmp_path),
        "write": lambda: os.write(handle, b"x"),
        "connect": lambda: sqlite3.connect(":memory:").close(),
    }
    assert Touches().during(acts[touch]) != ()
    os.close(handle)


def test_bad_usage_exits_with_two(tmp_path: Path) -> None:
    assert run(SCRIPT, "--sideways", folder=tmp_path).returncode == 2
