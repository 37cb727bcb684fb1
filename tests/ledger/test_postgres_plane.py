"""A plane on PostgreSQL: the same promises, with the log in a database that several hosts share."""

import threading
from pathlib import Path

import pytest

from control_plane import Arm, ControlPlane, Task
from control_plane.ledger.postgres_backend import PostgresBackend

ARMS = (Arm("acme/strong", prior=0.7), Arm("acme/cheap"))
FIX = Task(type="code.fix", repo="acme/api")


def test_advice_results_and_replay_work_on_postgres(postgres_url: str, tmp_path: Path) -> None:
    with ControlPlane.open(postgres_url, state_dir=tmp_path, catalogue=ARMS, background=False) as plane:
        for n in range(50):
            plane.record_result(plane.advise(FIX).decision_id, success=n % 2 == 0, cost_usd=0.01)
        plane.flush()
        assert plane.stats().results == 50
        found = plane.replay()
        assert (found.decisions, found.matched) == (50, 50)


@pytest.mark.requirement("LEDGER-76")
def test_a_commit_of_another_process_wakes_the_folds(postgres_url: str, tmp_path: Path) -> None:
    with (
        ControlPlane.open(postgres_url, state_dir=tmp_path, catalogue=ARMS) as here,
        ControlPlane.open(postgres_url, state_dir=tmp_path, catalogue=ARMS, background=False) as there,
    ):
        there.record_result(arm="acme/cheap", success=True)
        there.flush()
        pause = threading.Event()
        for _ in range(500):
            if "acme/cheap" in here.stats().arms:
                break
            pause.wait(0.01)
        assert here.stats().arms["acme/cheap"].successes == 1


def test_what_a_process_commits_itself_is_no_news_to_it(postgres_url: str, tmp_path: Path) -> None:
    with (
        ControlPlane.open(postgres_url, state_dir=tmp_path, catalogue=ARMS, background=False) as here,
        ControlPlane.open(postgres_url, state_dir=tmp_path, catalogue=ARMS, background=False) as there,
    ):
        backend = here._opened.backend
        assert isinstance(backend, PostgresBackend)
        assert backend.changed()
        here.record_result(arm="acme/cheap", success=True)
        here.flush()
        assert not backend.wait_for_change(0.1)
        there.record_result(arm="acme/cheap", success=True)
        there.flush()
        assert backend.wait_for_change(30)


def test_a_plane_that_sleeps_until_others_commit_closes_at_once(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody commits, and the longest sleep would outlast this test."""
    calls, asleep, wait = [], threading.Event(), PostgresBackend.wait_for_change

    def waits(backend: PostgresBackend, timeout: float) -> bool:
        calls.append(timeout)
        if len(calls) > 1:  # the first one has news: what was there before
            asleep.set()
        return wait(backend, timeout)

    monkeypatch.setattr(PostgresBackend, "wait_for_change", waits)
    monkeypatch.setattr("control_plane.watching.LONGEST_S", 3600.0)
    with ControlPlane.open(postgres_url, state_dir=tmp_path, catalogue=ARMS) as plane:
        follower = plane._watch._follower
        assert follower is not None
        assert asleep.wait(30)
    assert not follower._thread.is_alive()
