"""The control loop, turn by turn, with a worker that plays what it is given; the ledger is a real one."""

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from control_plane import Arm, ControlPlane
from control_plane.errors import BadInput
from control_plane.runner.asking import Asked
from control_plane.runner.errors import RunIsOver, UnknownRun
from control_plane.runner.events import PromptSent, RunBegun, RunEnded, TextSeen
from control_plane.runner.loop import Control
from control_plane.runner.port import Died, Erred, Idle, Resumed, Retrying
from control_plane.runner.reviewing import Reviewer
from control_plane.runner.state import KEPT_STORIES
from control_plane.runner.trace import Chunk, TextSaid
from tests.runner.scripted import ScriptedWorker, Turn, answering, call, review, same

GREEN = """import unittest
class T(unittest.TestCase):
    def test_one(self):
        assert open('a.txt').read() == 'fine'
"""
CHECK = ((sys.executable, "-m", "unittest", "-q"),)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "test_a.py").write_text(GREEN)
    return folder


@pytest.fixture
def plane(tmp_path: Path) -> Iterator[ControlPlane]:
    arms = [Arm("one", model="fake/one"), Arm("two", model="fake/two")]
    with ControlPlane.open(tmp_path / "home", catalogue=arms, background=False) as plane:
        yield plane


def run(plane: ControlPlane, project: Path, worker: ScriptedWorker, **more: Any) -> RunEnded:
    reviewer, resumes = more.pop("reviewer", None), more.pop("resumes", None)
    asked = Asked(task="write a.txt", directory=str(project), **({"checks": CHECK, "inactivity_s": 20.0} | more))
    return Control(plane.runs, "r1", asked, worker, reviewer=reviewer, resumes=resumes).run()


def log(plane: ControlPlane, topic: str) -> list[dict[str, Any]]:
    return events(plane, f"runner.{topic}")


def events(plane: ControlPlane, topic: str) -> list[dict[str, Any]]:
    """What lies in the ledger, with what was recorded a moment ago."""
    plane.flush()
    return [json.loads(told) for _, _, _, kind, told in plane.ledger.rows(0, 4096) if kind == topic]


def writes(project: Path, text: str = "fine") -> Turn:
    return [lambda: (project / "a.txt").write_text(text), call("write", "ok", failed=False), Idle()]  # type: ignore[list-item, return-value]


@pytest.mark.requirement("RUN-02", "RUN-09", "RUN-26", "VER-01", "VER-02", "VER-03", "TEST-02", "TEST-SC-3")
def test_a_task_that_is_done_is_verified_by_its_own_tests(plane: ControlPlane, project: Path) -> None:
    worker = ScriptedWorker(
        [TextSaid("All done, every test passed!"), Idle()], writes(project), connected=("fake/one",)
    )
    ended = run(plane, project, worker, expect=("a.txt",))
    assert (ended.outcome, ended.exit_code, ended.verdict, ended.iterations) == ("completed", 0, "verified", 2)
    first, second = log(plane, "verdict-reached")
    assert first["verdict"] == "failed"
    assert first["missing"] == ["a.txt"]
    assert second["changed"] == ["a.txt"]
    assert second["passed"] == 1
    assert second["tree"] == log(plane, "call-seen")[-1]["tree"]
    assert "This is not finished" in worker.asked[1][0]
    assert worker.closed
    assert worker.asked[0][1] == "fake/one"
    decision = log(plane, "prompt-sent")[-1]["decision"]
    assert plane.explain(decision).arm == "one"
    result = events(plane, "router.result-recorded")[-1]
    assert (result["decision"], result["success"]) == (decision, True)
    told = plane.runs.told("r1")
    assert (told.decision, told.line.state, told.line.iteration) == (decision, "completed", 2)
    assert [turn.source for turn in told.story.turns] == ["task", "checks"]
    assert told.story.check is not None
    assert (told.story.check.passed, told.story.check.changed) == (1, ("a.txt",))


def test_a_run_is_stopped_from_another_process(plane: ControlPlane, project: Path) -> None:
    book = plane.runs

    def somebody_asks() -> None:
        book.heed("r1", control.stop)
        book.ask_to_stop("r1", "ann")
        book.ask_to_stop("r1", "bob")
        assert book.told("r1").line.state == "stopping"
        book.heed("r1", control.stop)

    worker = ScriptedWorker([somebody_asks])
    control = Control(book, "r1", Asked(task="x", directory=str(project), checks=CHECK), worker)
    ended = control.run()
    assert (ended.outcome, ended.exit_code, ended.reason) == ("aborted", 3, "stopped by ann")
    assert worker.closed
    assert len(log(plane, "stop-asked")) == 1
    with pytest.raises(RunIsOver, match="aborted"):
        book.ask_to_stop("r1", "ann")
    with pytest.raises(UnknownRun, match="no run"):
        book.ask_to_stop("r0", "ann")


def test_a_run_whose_process_is_gone_is_ended_when_somebody_stops_it(plane: ControlPlane, project: Path) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait(60)
    begun = RunBegun(run="r9", at=1.0, task="x", directory=str(project), max_iterations=1, inactivity_s=1.0,
                     pid=gone.pid, host=socket.gethostname())  # fmt: skip
    plane.runs.write("r9", begun)
    assert plane.runs.shown()[0].state == "gone"
    plane.runs.ask_to_stop("r9", "ann")
    assert plane.runs.shown()[0].state == "lost"


def test_only_the_newest_runs_keep_their_stories(plane: ControlPlane) -> None:
    for number in range(KEPT_STORIES + 2):
        name = f"r{number:03}"
        begun = RunBegun(run=name, at=1.0, task="x", directory="/", max_iterations=1, inactivity_s=1.0)
        said = [TextSeen(run=name, at=1.0, iteration=1, text="-")]
        sent = [PromptSent(run=name, at=1.0 + n, iteration=n, source="task", text="y" * 999) for n in range(60)]
        plane.runs.write(name, begun, *said, *(sent if number in (0, KEPT_STORIES + 1) else sent[:1]))
    assert [len(plane.runs.told(f"r{n:03}").story.turns) for n in (0, 1, 2, KEPT_STORIES + 1)] == [0, 0, 1, 40]
    newest = plane.runs.told(f"r{KEPT_STORIES + 1:03}")
    assert newest.line.iteration == 59
    assert len(newest.story.turns[0].text) == 400


@pytest.mark.requirement("RUN-03", "RUN-04", "RUN-10", "FDB-02", "TEST-SC-2")
def test_a_loop_is_nudged_and_then_ended(plane: ControlPlane, project: Path) -> None:
    worker = ScriptedWorker(same(50))
    ended = run(plane, project, worker)
    assert (ended.outcome, ended.exit_code) == ("stuck", 3)
    assert [one["answer"] for one in log(plane, "loop-found")] == ["nudge", "review", "abort"]
    assert len(worker.asked) == 3
    assert "going round in a loop" in worker.asked[1][0]
    assert ended.iterations == 3


def test_the_budget_of_calls_and_iterations_holds(plane: ControlPlane, project: Path) -> None:
    many: Turn = [call(f"make {n}", f"said {n}", failed=False) for n in range(40)]
    assert run(plane, project, ScriptedWorker([*many, Idle()]), most_calls=10).exit_code == 4
    ended = run(plane, project, ScriptedWorker([TextSaid("hm"), Idle()]), max_iterations=2)
    assert (ended.outcome, ended.exit_code, ended.iterations) == ("max-iterations", 4, 2)


@pytest.mark.requirement("RUN-07", "FDB-01", "RUN-21", "ERR-02", "ERR-03", "ERR-SC-2", "ERR-SC-3")
def test_a_reviewer_guides_and_one_that_fails_is_done_without(plane: ControlPlane, project: Path) -> None:
    def asked(server: Any) -> Reviewer:
        return Reviewer(server.url + "/v1", "judge", patience_s=0.5, pauses_s=(0.0, 0.0, 0.0))

    with answering(review("continue", "not yet", "Use fewer words."), review("complete", "done")) as server:
        worker = ScriptedWorker([*writes(project)])
        assert run(plane, project, worker, reviewer=asked(server)).outcome == "completed"
        assert worker.asked[1][0] == "Use fewer words."
        told = json.loads(json.loads(server.came[1][1])["messages"][1]["content"])
        assert told["earlier"] == ["continue: not yet"]
        assert any(line.startswith("[Tool: bash(") for line in told["output"].splitlines())
    with answering(review("stuck", "no way")) as server:
        assert run(plane, project, ScriptedWorker(writes(project)), reviewer=asked(server)).exit_code == 3
    faults = {
        "html": (200, "text/html", "<html>"), "status": (500, "application/json", "{}"),
        "invalid": (200, "application/json", '{"choices": [{"message": {"content": "sure"}}]}'),
        "empty": (200, "application/json", '{"choices": [{"message": {"content": ""}}]}'),
    }  # fmt: skip
    for kind, answer in faults.items():
        with answering(answer) as server:
            ended = run(plane, project, ScriptedWorker(writes(project)), reviewer=asked(server))
            assert (ended.outcome, ended.verdict) == ("completed", "verified"), kind
            assert len(server.came) == 3
            assert [one.split(":")[0] for one in log(plane, "reviewed")[-1]["errors"]] == [kind] * 3
    with answering(hangs=True) as server:
        assert run(plane, project, ScriptedWorker(writes(project)), reviewer=asked(server)).exit_code == 0
        assert log(plane, "reviewed")[-1]["errors"][0].startswith("slow")
    assert run(plane, project, ScriptedWorker(writes(project)), reviewer=asked(server)).exit_code == 0
    assert log(plane, "reviewed")[-1]["errors"][0].startswith("away")


def test_a_worker_that_stalls_is_asked_once_more_and_then_ended(plane: ControlPlane, project: Path) -> None:
    ended = run(plane, project, ScriptedWorker([]), inactivity_s=0.3)
    assert (ended.outcome, ended.exit_code, ended.iterations) == ("stuck", 3, 2)


def test_a_model_that_fails_is_left_for_another_and_then_the_worker_failed(plane: ControlPlane, project: Path) -> None:
    worker = ScriptedWorker([Erred("model", "rate limited", 429)], connected=("fake/one", "fake/two"))
    ended = run(plane, project, worker)
    assert (ended.outcome, ended.exit_code) == ("worker-failed", 5)
    assert {model for _, model in worker.asked} == {"fake/one", "fake/two"}
    kinds = [one.get("error") for one in events(plane, "router.result-recorded")]
    assert kinds.count("rate_limit") == 2
    pinned = ScriptedWorker([Erred("model", "no key", 401)], connected=("fake/one",))
    assert run(plane, project, pinned, model="fake/two").exit_code == 5
    assert len(pinned.asked) == 1
    tired = ScriptedWorker([Retrying(n, "overloaded", 500) for n in range(1, 9)])
    assert "overloaded" in run(plane, project, tired).reason


def test_a_server_that_dies_and_a_stream_that_was_cut(plane: ControlPlane, project: Path) -> None:
    ended = run(plane, project, ScriptedWorker([Chunk("so"), Died("killed")]))
    assert (ended.outcome, ended.exit_code) == ("worker-failed", 5)
    ended = run(plane, project, ScriptedWorker([Resumed(1), *writes(project)]))
    assert ended.exit_code == 0
    assert [one["kind"] for one in log(plane, "worker-erred")] == ["died", "stream"]


def test_a_run_that_is_stopped_says_so(plane: ControlPlane, project: Path) -> None:
    worker = ScriptedWorker()
    asked = Asked(task="x", directory=str(project))
    control = Control(plane.runs, "r2", asked, worker)
    worker.turns = [[lambda: control.stop("ended by SIGTERM")]]
    ended = control.run()
    assert (ended.outcome, ended.exit_code, ended.reason) == ("aborted", 3, "ended by SIGTERM")
    assert worker.closed


@pytest.mark.requirement("AUD-06")
def test_a_lost_run_is_ended_once_and_goes_on_with_what_was_seen(plane: ControlPlane, project: Path) -> None:
    worker = ScriptedWorker(same(3), [])
    asked = Asked(task="x", directory=str(project), inactivity_s=20.0, checks=CHECK)
    control = Control(plane.runs, "r3", asked, worker)
    worker.turns = [[*same(3)[:-1], lambda: control.stop("gone")]]
    control.run()
    known = plane.runs.run("r3")
    assert known is not None
    assert len(known.newest) == 3
    # The fourth of the same calls is found after the restart as it would have been before it.
    again = ScriptedWorker([call()], [TextSaid("I stop here"), Idle()], writes(project))
    ended = run(plane, project, again, resumes=known)
    assert again.resumed == "ses_scripted"
    assert [one["repeats"] for one in log(plane, "loop-found")] == [4]
    assert ended.outcome == "completed"
    assert plane.runs.end_lost() == []


@pytest.mark.requirement("ERR-01", "ERR-SC-1")
@pytest.mark.parametrize(
    ("wrong", "words"),
    [({"task": " "}, "no task"), ({"max_iterations": 0}, "nothing to do"), ({"inactivity_s": 0}, "at once"),
     ({"directory": "/nowhere/at/all"}, "no folder")],
)  # fmt: skip
def test_what_cannot_be_a_run_is_refused(project: Path, wrong: dict[str, Any], words: str) -> None:
    with pytest.raises(BadInput, match=words) as fault:
        Asked(**({"task": "x", "directory": str(project)} | wrong))
    assert fault.value.cure


@pytest.mark.long
@pytest.mark.requirement("RUN-35")
def test_an_event_costs_little(plane: ControlPlane, project: Path) -> None:
    for n in range(300):
        (project / f"m{n}.py").write_text(f"x = {n}\n")
    many: Turn = [call(f"make {n}", f"said {n}", failed=False) for n in range(400)]
    # What it works itself: whatever else this machine does meanwhile is not the runner's.
    began = time.process_time()
    ended = run(plane, project, ScriptedWorker([*many, Idle()]), checks=(), most_calls=1000)
    assert ended.outcome == "completed"
    each = (time.process_time() - began) * 1000 / len(many)
    assert each <= 20, each
