"""A caller that is faster than commits: choices see the results that wait in the journal, and replay all the same."""

import random
import threading
from pathlib import Path

import pytest

from control_plane import Arm, ControlPlane, Task
from control_plane.proving import flags
from control_plane.router.ahead import CALM, MOST, STRIDE, YOUNG
from control_plane.router.events import AdviceGiven

ARMS = [Arm("cheap"), Arm("middle"), Arm("strong"), Arm.cascade("both", (("cheap", "tests"), ("strong", None)))]
RATE = {"cheap": 0.3, "middle": 0.5, "strong": 0.9, "both": 0.85}
TASK = Task(type="code.fix", repo="acme/api")


@pytest.fixture
def stuck(open_plane, monkeypatch: pytest.MonkeyPatch):
    """A plane whose commits wait until they are let through."""
    plane, through = open_plane(catalogue=ARMS), threading.Event()
    insert = plane.ledger._opened.insert

    def slow(*told: object) -> int:
        assert through.wait(60)
        return insert(*told)

    monkeypatch.setattr(plane.ledger._opened, "insert", slow)
    yield plane, through
    through.set()


def live(plane: ControlPlane, chance: random.Random, calls: int, tasks: tuple[Task, ...] = (TASK,)) -> list[str]:
    """Decisions with their results, some of them twice, some corrected, some of them errors."""
    taken = []
    for _ in range(calls):
        advice = plane.advise(chance.choice(tasks))
        taken.append(advice.arm)
        if advice.plan[0].verifier is not None:
            refused = chance.random() < 0.5
            plane.record_result(advice.decision_id, success=None if refused else True, verified=not refused)
            if not refused:
                continue
            plane.record_result(advice.decision_id, step=1, success=chance.random() < 0.7, cost_usd=0.2)
            continue
        error = "server" if chance.random() < 0.05 else None
        success = None if error else chance.random() < RATE[advice.arm]
        plane.record_result(advice.decision_id, success=success, error=error, cost_usd=chance.random() / 9)
        if chance.random() < 0.1:
            plane.record_result(advice.decision_id, success=not success, cost_usd=0.1)
        if chance.random() < 0.1:
            plane.record_result(arm="middle", task=chance.choice(tasks), success=chance.random() < 0.5)
    return taken


def looked_ahead(plane: ControlPlane, after: int = 0) -> list[int]:
    found = [fact.event for fact in plane.ledger.read(after, 100_000)]
    return [event.ahead for event in found if isinstance(event, AdviceGiven)]


@pytest.mark.requirement("ROUTER-86")
def test_a_choice_learns_from_results_that_no_commit_has_taken_yet(stuck) -> None:
    plane, through = stuck
    taken = live(plane, random.Random(1), 200)
    assert taken[-40:].count("strong") + taken[-40:].count("both") > 30
    assert plane.folder.position == plane.advise(TASK).ledger_position
    last = plane.advise(TASK).decision_id
    through.set()
    plane.flush()
    assert max(looked_ahead(plane)) > 150
    parity = plane.replay()
    assert (parity.parity, parity.mismatches) == (1.0, [])
    explained = {one.arm: one.success for one in plane.explain(last).contenders}
    assert explained["both"] > 0.65 > explained["cheap"]


@pytest.mark.requirement("ROUTER-86")
def test_decisions_that_looked_ahead_replay_beside_other_threads_and_processes(open_plane, tmp_path: Path) -> None:
    tasks = (
        TASK,
        Task(type="code.fix", repo="other/one"),
        Task(type="docs"),
        Task(type="docs", candidates=("cheap", "middle")),
    )
    planes = [open_plane(catalogue=ARMS) for _ in range(2)]
    threads = [
        threading.Thread(target=live, args=(plane, random.Random(number), 150, tasks))
        for number, plane in enumerate(planes * 2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for plane in planes:
        plane.flush()
    assert sum(ahead > 0 for ahead in looked_ahead(planes[0])) > 20
    parity = planes[0].replay()
    assert (parity.decisions, parity.parity, parity.mismatches) == (600, 1.0, [])


def test_who_has_seen_much_looks_ahead_only_where_commits_bring_much_at_once(stuck) -> None:
    plane, through = stuck
    through.set()

    def burst(calls: int) -> list[int]:
        """How far decisions looked ahead, all of which were made within one commit."""
        through.clear()
        before = plane.folder.position
        for number in range(calls):
            plane.record_result(plane.advise(TASK).decision_id, success=number % 8 != 0)
        through.set()
        plane.flush()
        return looked_ahead(plane, before)

    for number in range(YOUNG):
        plane.record_result(arm="strong", task=TASK, success=number % 9 != 0)
    plane.flush()
    for _ in range(3):
        assert not any(burst(20))
    assert not any(burst(STRIDE + 10)), "nobody could know that it would be so many"
    assert set(burst(2 * STRIDE + 10)) <= {0, STRIDE, 2 * STRIDE}
    assert STRIDE in burst(2 * STRIDE + 10)
    for _ in range(2 * CALM):
        burst(25)
    assert not any(burst(STRIDE + 10)), "it has been calm for long"
    assert plane.replay().parity == 1.0


def test_what_waits_in_memory_has_a_bound(stuck) -> None:
    plane, through = stuck
    plane.advise(TASK)
    for _ in range(MOST + 100):
        plane.record_result(arm="strong", task=TASK, success=True)
    assert sum(len(waiting.results) for waiting in plane._router._waiting.values()) <= MOST
    live(plane, random.Random(3), 50)
    through.set()
    plane.flush()
    live(plane, random.Random(4), 50)
    plane.flush()
    assert plane.replay().parity == 1.0


@pytest.mark.parametrize("told", ["false"])
def test_without_invalidation_nobody_looks_ahead(open_plane, told: str) -> None:
    plane = open_plane(catalogue=ARMS, flags=flags(OPENCODE_LEARNING_INVALIDATION=told))
    live(plane, random.Random(5), 60)
    plane.flush()
    assert not any(looked_ahead(plane))
