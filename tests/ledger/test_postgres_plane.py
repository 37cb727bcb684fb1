"""A plane on PostgreSQL: the same promises, with the log in a database that several hosts share."""

import threading
from pathlib import Path

import pytest

from control_plane import Arm, ControlPlane, Task

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
