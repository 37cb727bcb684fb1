"""A plane from opening to closing: one writer or several, followed, snapshotted, and never in the way."""

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from control_plane import ControlPlane, Task
from control_plane.cadence import Cadence
from control_plane.errors import Conflict
from control_plane.flags import read_flags
from control_plane.learning.service import Learning
from tests.plane.conftest import ARMS

FIX = Task(type="code.fix", repo="acme/api")


def until(met, moments: int = 500) -> bool:
    """Look again a few times; the plane's own polls decide when it is time."""
    pause = threading.Event()
    return any(met() or pause.wait(0.01) for _ in range(moments)) or met()


@pytest.mark.requirement("LEDGER-75")
def test_what_another_process_commits_is_folded_here(open_plane, tmp_path: Path):
    here = open_plane(background=True)
    script = (
        "import sys; from control_plane import *\n"
        "with ControlPlane.open(sys.argv[1], catalogue=[Arm('acme/cheap')], background=False) as plane:\n"
        "    plane.record_result(arm='acme/cheap', success=True)\n"
    )
    subprocess.run([sys.executable, "-c", script, str(tmp_path / "home")], check=True, timeout=60)
    assert until(lambda: "acme/cheap" in here.stats().arms)


@pytest.mark.requirement("ROUTER-46")
def test_every_recurring_work_of_a_plane_is_one_schedulers(open_plane):
    plane = open_plane(background=True)
    assert isinstance(plane._watch._cadence, Cadence)
    assert {entry.owner for entry in plane.cadence()} == {"ledger", "projections", "review", "memory", "governance"}
    names = {thread.name for thread in threading.enumerate()}
    assert {"control-plane-watch", "control-plane-committer"} <= names
    plane.close()
    assert not any(name.startswith("control-plane") for name in (thread.name for thread in threading.enumerate()))


def test_an_opening_that_fails_at_its_last_step_leaves_nothing_running(open_plane, monkeypatch: pytest.MonkeyPatch):
    def fail(_: Learning) -> None:
        raise Conflict("somebody else was first")

    with monkeypatch.context() as broken:
        broken.setattr(Learning, "declare_mode", fail)
        with pytest.raises(Conflict):
            open_plane(background=True, flags=read_flags({"OPENCODE_LEARNING_SIGNING_MODE": "off"}, {}))
    assert not [thread.name for thread in threading.enumerate() if thread.name.startswith("control-plane")]
    open_plane().close()


def test_a_plane_opens_from_its_snapshot_and_decides_as_without(open_plane, tmp_path: Path):
    plane = open_plane()
    for n in range(300):
        plane.record_result(plane.advise(FIX).decision_id, success=n % 3 == 0, cost_usd=0.01, latency_ms=900)
    plane.close()
    snapshots = list((tmp_path / "home" / "snapshots").glob("*.snapshot"))
    assert snapshots
    quick = open_plane()
    known = quick.stats()
    quick.close()
    for snapshot in (tmp_path / "home" / "snapshots").iterdir():
        snapshot.unlink()
    slow = open_plane().stats()
    assert (known.arms, known.results, known.tail_penalties) == (slow.arms, slow.results, slow.tail_penalties)


def test_a_home_that_is_left_open_is_flushed_at_the_end_of_its_process(tmp_path: Path):
    script = (
        "import sys; from control_plane import *\n"
        "plane = ControlPlane.open(sys.argv[1], catalogue=[Arm('acme/cheap')])\n"
        "plane.record_result(arm='acme/cheap', success=True)\n"
    )
    subprocess.run([sys.executable, "-c", script, str(tmp_path / "home")], check=True, timeout=60)
    assert not list((tmp_path / "home" / "journal").iterdir())
    with ControlPlane.open(tmp_path / "home", catalogue=ARMS, background=False) as plane:
        assert plane.stats().results == 1


def test_a_failure_to_open_leaves_nothing_running(tmp_path: Path):
    (tmp_path / "home").write_text("a file")
    with pytest.raises(Exception, match="not a folder"):
        ControlPlane.open(tmp_path / "home", catalogue=ARMS)
    assert not any(thread.name.startswith("control-plane") for thread in threading.enumerate())


@pytest.mark.parametrize(
    ("flag", "value"), [("OPENCODE_ROUTER_BUFFERED_STATS", "false"), ("OPENCODE_SYNC_IO_FALLBACK", "true")]
)
@pytest.mark.requirement("LEDGER-65", "LEDGER-66")
def test_unbuffered_each_call_is_in_the_ledger_before_it_returns(open_plane, monkeypatch, flag, value):
    monkeypatch.setenv(flag, value)
    plane = open_plane()
    for n in range(5):
        before = plane.ledger.size()
        plane.record_result(plane.advise(FIX).decision_id, success=True, cost_usd=n)
        assert plane.ledger.size() == before + 2
        assert not plane.ledger.backlog


def test_a_decision_id_outlives_a_rotation_of_the_signing_key(open_plane, tmp_path: Path):
    plane = open_plane()
    advice = plane.advise(FIX)
    plane.close()
    command = [sys.executable, "-m", "control_plane", "ledger", "rotate-key", "--home", str(tmp_path / "home")]
    subprocess.run(command, check=True, timeout=60, capture_output=True)
    again = open_plane()
    again.record_result(advice.decision_id, success=True)
    again.flush()
    assert again.stats().results == 1


def test_a_cadence_list_names_every_poll(open_plane):
    assert {entry.name for entry in open_plane().cadence()} == {
        "follow-others", "witness", "snapshot", "archive", "review-age", "milestones",
        "memory-index", "memory-quality",
    }  # fmt: skip


@pytest.mark.requirement("LEDGER-93")
def test_a_database_that_grows_too_large_is_archived_by_the_planes_own_poll(open_plane, monkeypatch, tmp_path: Path):
    monkeypatch.setenv("CONTROL_PLANE_ARCHIVE_AT_MB", "1")
    monkeypatch.setattr("control_plane.assembly.ARCHIVE_EVERY", 0.2)
    plane = open_plane(background=True)
    for n in range(4000):
        plane.record_result(arm="acme/cheap", task=FIX, success=True, cost_usd=n, model_served="m" * 150)
    plane.flush()
    before = plane.stats()
    assert until(lambda: (tmp_path / "home" / "archive").exists() and not plane.ledger.counters.failing_for)
    assert until(lambda: any(row[3] == "ledger.prefix-archived" for row in plane.ledger.rows(4000)))
    plane.close()
    for snapshot in (tmp_path / "home" / "snapshots").iterdir():
        snapshot.unlink()
    again = open_plane()
    assert again.stats().arms == before.arms


def test_the_interpreter_is_brisk_while_a_plane_is_open_and_as_before_afterwards(open_plane, monkeypatch):
    before = sys.getswitchinterval()
    first, second = open_plane(background=True), open_plane(background=True)
    assert sys.getswitchinterval() == pytest.approx(0.0001, rel=0.05)
    first.close()
    assert sys.getswitchinterval() == pytest.approx(0.0001, rel=0.05)
    second.close()
    assert sys.getswitchinterval() == pytest.approx(before, rel=0.01)
    monkeypatch.setenv("CONTROL_PLANE_SWITCH_INTERVAL_US", "0")
    open_plane(background=True)
    assert sys.getswitchinterval() == pytest.approx(before, rel=0.01)
