"""Whole runs over the real OpenCode with a scripted model: verdict, exit code, the log, and no process left."""

import json
import queue
import signal
import statistics
import sys
import time

import pytest

from control_plane.opencode.running import Running
from control_plane.opencode.worker import OpenCodeWorker
from control_plane.runner.port import Idle, Resumed, Signal
from control_plane.runner.trace import TextSaid, ToolEnded
from tests.opencode.world import A
from tests.runner.conftest import Bench

LOOPING = "\n".join(['CALL bash {"command": "cat nothing.txt", "description": "look again"}'] * 12)


@pytest.mark.requirement("RUN-05", "RUN-06", "RUN-13", "RUN-17", "RUN-25", "FDB-03", "TEST-03")
def test_a_task_that_completes_is_verified_by_its_own_tests(bench: Bench) -> None:
    assert bench.run(f"{bench.write()}\nSAY done", "--expect", "hello.txt") == 0, bench.output.read_text()
    bench.no_process_left()
    ended = bench.told("run-ended")[-1]
    assert (ended["outcome"], ended["verdict"], ended["iterations"]) == ("completed", "verified", 1)
    assert ended["cost_usd"] > 0
    verdict = bench.log("verdict-reached")[-1]
    assert verdict["passed"] == 1
    assert "hello.txt" in verdict["changed"]
    advice, result = bench.world.events("router.advice-given"), bench.world.events("router.result-recorded")
    assert len(advice) == len(result) == 1
    assert result[0]["success"] is True
    assert bench.log("prompt-sent")[0]["model"] in ("fake/fake-a", "fake/fake-b")
    shown = json.loads(bench.world.cli("run", "--show", ended["run"], "--json"))
    assert [one["event"] for one in shown][-1] == "run-ended"
    assert bench.log("worker-started")[0]["version"] == "1.18.33"


@pytest.mark.long
@pytest.mark.requirement("RUN-18")
def test_a_task_that_loops_is_nudged_and_aborted_at_bounded_cost(bench: Bench) -> None:
    # The check's own output leads the scripted model back into its loop, as a red test leads a real one.
    (bench.project / "red.py").write_text(f"print({LOOPING!r})\nraise SystemExit(1)\n")
    assert bench.run(LOOPING, "--check", f"{sys.executable} red.py") == 3, bench.output.read_text()
    bench.no_process_left()
    assert bench.told("run-ended")[-1]["outcome"] == "stuck"
    found = bench.log("loop-found")
    assert [one["answer"] for one in found] == ["nudge", "review", "abort"]
    assert found[0]["repeats"] == 4
    assert "going round in a loop" in bench.log("prompt-sent")[1]["text"]
    # Twelve calls were planned in each of three turns.
    assert len(bench.log("call-seen")) <= 18


@pytest.mark.long
@pytest.mark.requirement("RUN-20")
@pytest.mark.parametrize(
    ("status", "words"),
    [
        (401, "no key"),
        pytest.param(500, "Internal Server Error", marks=pytest.mark.long),
        pytest.param(429, "Too Many Requests", marks=pytest.mark.long),
    ],
)
def test_a_model_that_errs_ends_with_a_failed_worker(bench: Bench, status: int, words: str) -> None:
    task = f"FAULT fake-a ERR {status} {words}\nFAULT fake-b ERR {status} {words}\nSAY never"
    assert bench.run(task, "--worker-model", A) == 5, bench.output.read_text()
    bench.no_process_left()
    assert bench.log("worker-erred")[-1]["status"] == status
    assert bench.told("run-ended")[-1]["outcome"] == "worker-failed"


@pytest.mark.long
@pytest.mark.requirement("RUN-24")
@pytest.mark.parametrize("number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.long)])
def test_a_signal_ends_a_run_in_good_order(bench: Bench, number: signal.Signals) -> None:
    bench.start("SLOW 400 0.3")
    bench.until("words")
    assert bench.process is not None
    bench.process.send_signal(number)
    assert bench.wait() == 3, bench.output.read_text()
    bench.no_process_left()
    assert bench.log("run-ended")[-1]["outcome"] == "aborted"
    assert number.name in bench.log("run-ended")[-1]["reason"]


@pytest.mark.long
@pytest.mark.requirement("RUN-27")
def test_after_sigkill_nothing_is_left_and_the_run_goes_on_in_its_session(bench: Bench) -> None:
    bench.start("SLOW 400 0.3")
    bench.until("words")
    assert bench.process is not None
    bench.process.kill()
    bench.process.wait(10)
    bench.no_process_left()
    known = json.loads(bench.world.cli("run", "--list", "--json"))
    assert [one["outcome"] for one in known] == ["lost"]
    session = bench.log("worker-started")[0]["session"]
    assert bench.run(f"{bench.write()}\nSAY done", "--resume", known[0]["run"]) == 0, bench.output.read_text()
    bench.no_process_left()
    assert bench.log("worker-started")[-1]["session"] == session
    assert bench.log("prompt-sent")[-1]["source"] == "resume"


@pytest.mark.long
@pytest.mark.requirement("RUN-22")
def test_a_server_that_dies_in_mid_turn_ends_the_run(bench: Bench) -> None:
    bench.start("SLOW 400 0.3")
    bench.until("words")
    (pid,) = {one["pid"] for one in bench.told("worker-started")}
    import os

    os.kill(pid, signal.SIGKILL)
    assert bench.wait() == 5, bench.output.read_text()
    bench.no_process_left()
    assert "died" in bench.log("run-ended")[-1]["reason"]


@pytest.mark.long
@pytest.mark.requirement("RUN-19")
def test_a_worker_that_stalls_is_ended(bench: Bench) -> None:
    task = "FAULT fake-a HANG\nFAULT fake-b HANG"
    assert bench.run(task, "--max-iterations", "1", quiet_s=8.0) == 4, bench.output.read_text()
    bench.no_process_left()
    assert "stall" in [one["kind"] for one in bench.log("worker-erred")]


@pytest.mark.long
@pytest.mark.requirement("RUN-23")
def test_a_cut_stream_is_resumed_and_nothing_is_missed(bench: Bench) -> None:
    came: queue.SimpleQueue[Signal] = queue.SimpleQueue()
    worker = OpenCodeWorker(bench.project, bench.world.env, binary=bench.world.binary)
    try:
        worker.start(came.put)
        worker.ask('CALL bash {"command": "sleep 3; echo woke"}\nSLOW 4 0.2', A)
        stream = worker._stream
        assert stream is not None
        stream.close()
        seen: list[Signal] = []
        while not any(isinstance(one, Idle) for one in seen) or not any(isinstance(one, TextSaid) for one in seen):
            seen.append(came.get(timeout=100))
        assert [one.times for one in seen if isinstance(one, Resumed)] == [1]
        calls = [one for one in seen if isinstance(one, ToolEnded)]
        assert [(one.tool, one.output.strip()) for one in calls] == [("bash", "woke")]
    finally:
        worker.close()
    bench.no_process_left()


@pytest.mark.long
@pytest.mark.requirement("RUN-34")
def test_the_worker_is_started_within_four_seconds_of_the_command(bench: Bench) -> None:
    took, alone = [], []
    for _ in range(5):
        alone.append(alone_s(bench))
        began = time.time()
        assert bench.run(f"{bench.write()}\nSAY done") == 0
        took.append(round(bench.told("worker-started")[-1]["at"] - began, 2))
    print(f"\nfrom the command to the worker's session: {took} s; OpenCode and a first session alone: {alone} s")
    assert statistics.median(took) <= 4.0, (took, alone)


def alone_s(bench: Bench) -> float:
    """What OpenCode takes by itself, from its own command to a session in it."""
    began = time.monotonic()
    with Running(bench.world.binary, bench.project, bench.world.env) as running:
        running.port.create_session("alone")
        return round(time.monotonic() - began, 2)
