"""What is known of every run, event by event."""

from typing import Any

import pytest

from control_plane.ledger.events import Event
from control_plane.runner import events as e
from control_plane.runner.state import (
    KEPT_CALLS,
    KEPT_LINES,
    KEPT_RUNS,
    KEPT_STORIES,
    SHOWN,
    Call,
    Check,
    Happened,
    Notice,
    Run,
    Runs,
    Story,
    Turn,
    fold,
)


def after(*events: Event, state: Runs | None = None) -> Runs:
    state = state or Runs()
    for event in events:
        fold(state, event)
    return state


def begun(run: str = "r", at: float = 1.0) -> e.RunBegun:
    return e.RunBegun(
        at=at, run=run, task="mend it", directory="/repo", model="a", max_iterations=7, inactivity_s=60.0,
        reviewer="bob", tree="t0", pid=12, host="here", resumes="r0",
    )  # fmt: skip


def prompt(text: str = "go on", model: str = "b", iteration: int = 2) -> e.PromptSent:
    return e.PromptSent(at=2.0, run="r", iteration=iteration, source="task", text=text, model=model, decision="d")


def call(number: int = 0) -> e.CallSeen:
    return e.CallSeen(
        at=float(number), run="r", iteration=1, tool="edit", call=f"c{number}", result="same", target="a.py",
        tree="t", failing=True, waiting=False,
    )  # fmt: skip


def ended(outcome: Any = "completed", verdict: str = "verified") -> e.RunEnded:
    return e.RunEnded(
        at=9.0, run="r", outcome=outcome, exit_code=3, reason="done", verdict=verdict, iterations=2, seconds=8.0,
        cost_usd=0.5, tokens_in=10, tokens_out=20,
    )  # fmt: skip


def test_a_run_begins_with_what_was_asked() -> None:
    assert after(begun()).runs == {
        "r": Run(
            "r", "mend it", "/repo", 1.0, model="a", reviewer="bob", max_iterations=7, pid=12, host="here",
            resumes="r0", tree="t0",
        )
    }  # fmt: skip


def test_each_thing_that_happens_stands_in_the_run_and_in_its_story() -> None:
    state = after(
        begun(), e.WorkerStarted(at=1.0, run="r", session="ses"), prompt(), call(1), call(2),
        e.LoopFound(at=3.0, run="r", iteration=2, kind="cycle", period=1, repeats=4, times=1, why="w", answer="nudge"),
        e.Reviewed(at=4.0, run="r", iteration=2, action="continue", reason="not yet"),
        e.Reviewed(at=5.0, run="r", iteration=2, action="", errors=("late", "later")),
        e.WorkerErred(at=6.0, run="r", iteration=2, kind="model", what="503"),
        e.StopAsked(at=7.0, run="r", by="ann"), e.StopAsked(at=8.0, run="r", by="bob"),
    )  # fmt: skip
    run = state.runs["r"]
    assert (run.session, run.iteration, run.model, run.decision) == ("ses", 2, "b", "d")
    assert (run.calls, run.loops, run.reviews, run.stop_asked) == (2, 1, 2, "ann")
    assert run.newest == [Call(f"c{at}", "same", "a.py", "t", True, False, float(at)) for at in (1, 2)]
    assert run.story == Story(
        turns=[Turn(2, 2.0, "task", "go on", "b", "d")],
        loops=[Happened(2, 3.0, "cycle", "w", "nudge")],
        reviews=[Happened(2, 4.0, "continue", "not yet"), Happened(2, 5.0, "no answer", "late; later")],
        troubles=[Happened(2, 6.0, "model", "503")],
    )
    assert after(prompt(model=""), state=state).runs["r"].model == "b"


def test_the_last_verdict_stands_with_its_witnesses() -> None:
    changed = tuple(f"f{number}" for number in range(KEPT_LINES + 2))
    verdict = e.VerdictReached(
        at=5.0, run="r", iteration=3, verdict="failed", reason="x" * (SHOWN + 5), tree="t1", command=("make",),
        exit_code=2, passed=1, failed=2, skipped=3, changed=changed, missing=("out",),
    )  # fmt: skip
    run = after(begun(), verdict).runs["r"]
    assert run.verdict == "failed"
    assert run.story.check == Check(
        3, 5.0, "failed", "x" * SHOWN, "t1", ("make",), 2, 1, 2, 3, changed[:KEPT_LINES], KEPT_LINES + 2, ("out",)
    )


def test_the_end_says_how_it_came_out_and_keeps_an_earlier_verdict() -> None:
    run = after(begun(), ended()).runs["r"]
    assert (run.outcome, run.exit_code, run.reason, run.verdict, run.ended) == (
        "completed", 3, "done", "verified", 9.0,
    )  # fmt: skip
    assert (run.cost_usd, run.tokens_in, run.tokens_out) == (0.5, 10, 20)
    assert after(begun(), ended(), ended(verdict="")).runs["r"].verdict == "verified"


@pytest.mark.parametrize(
    ("outcome", "calls"), [("completed", 0), ("stuck", 0), ("max-iterations", 0), ("lost", 1), ("aborted", 1)]
)
def test_only_what_may_be_resumed_keeps_its_calls(outcome: str, calls: int) -> None:
    assert len(after(begun(), call(), ended(outcome)).runs["r"].newest) == calls


def test_what_is_long_is_cut_and_the_newest_is_kept() -> None:
    calls = [call(number) for number in range(KEPT_CALLS + 3)]
    prompts = [prompt("x" * (SHOWN + 1), iteration=number) for number in range(KEPT_LINES + 2)]
    run = after(begun(), *calls, *prompts).runs["r"]
    assert (run.calls, len(run.newest), run.newest[0].call) == (KEPT_CALLS + 3, KEPT_CALLS, "c3")
    assert [turn.iteration for turn in run.story.turns] == list(range(2, KEPT_LINES + 2))
    assert {turn.text for turn in run.story.turns} == {"x" * SHOWN}


def test_of_older_runs_the_outcome_stays_and_of_the_oldest_nothing() -> None:
    state = Runs()
    for number in range(KEPT_STORIES):
        after(
            begun(f"r{number}"), e.WorkerErred(at=1.0, run=f"r{number}", iteration=1, kind="k", what="w"), state=state
        )
    assert all(run.story.troubles for run in state.runs.values())
    after(begun("one more"), state=state)
    assert [name for name, run in state.runs.items() if not run.story.troubles] == ["r0", "one more"]
    after(*(begun(f"n{number}") for number in range(KEPT_RUNS - KEPT_STORIES - 1)), state=state)
    assert (len(state.runs), "r0" in state.runs) == (KEPT_RUNS, True)
    after(begun("last"), state=state)
    assert (len(state.runs), "r0" in state.runs, "r1" in state.runs) == (KEPT_RUNS, False, True)


def test_what_is_told_of_a_run_that_is_forgotten_changes_nothing() -> None:
    assert after(call(), ended()) == Runs()


def test_a_notification_is_owed_until_it_is_delivered_or_dead() -> None:
    def queued(notice: str) -> e.NoticeQueued:
        return e.NoticeQueued(at=1.0, run="r", notice=notice, url="host", body="{}")

    state = after(queued("a"), queued("b"), e.NoticeDelivered(at=2.0, run="r", notice="a", tries=1, status=200))
    after(e.NoticeDelivered(at=2.0, run="r", notice="never", tries=1, status=200), state=state)
    assert state.owed == {"b": Notice("r", "host", "{}", 1.0)}
    dead = e.NoticeDead(at=3.0, run="r", notice="b", tries=5, why="refused")
    after(dead, e.NoticeDead(at=3.0, run="r", notice="never", tries=5, why="refused"), state=state)
    assert state.owed == {"b": Notice("r", "host", "{}", 1.0, True, "refused")}
