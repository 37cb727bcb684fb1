"""The queue on a real ledger: two who decide at once, a machine of random steps against a small model, replay."""

import contextlib
import json
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule

from control_plane import ControlPlane
from control_plane.clock import Clock
from control_plane.errors import Conflict, ControlPlaneError
from control_plane.learning.events import GamingSuspected
from control_plane.projections.folding import Folder
from control_plane.proving import HandClock, flags
from control_plane.review.events import AgeAlertRaised, WeekReported
from control_plane.review.projection import REVIEW
from control_plane.review.rules import AlreadyQueued, AlreadyResolved, BadItem, NotWaiting
from control_plane.review.state import HOUR, WEEK
from tests.plane.conftest import ARMS

ROOT = Path(__file__).parents[2]


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def opened(tmp_path: Path, clock: HandClock):
    planes = []

    def open_plane(**told: str) -> ControlPlane:
        planes.append(
            ControlPlane.open(
                tmp_path / "home", catalogue=ARMS, clock=clock, flags=flags(**told), background=False
            )
        )  # fmt: skip
        return planes[-1]

    yield open_plane
    for plane in planes:
        plane.close()


def alerts(plane: ControlPlane, kind: type = AgeAlertRaised) -> int:
    return sum(isinstance(recorded.event, kind) for recorded in plane.ledger.read(limit=10_000))


@pytest.mark.requirement("FG-10-1", "FG-10-3")
def test_status_says_what_waits_and_how_old_it_is(opened, clock: HandClock) -> None:
    review = opened().review
    names = [review.add("guard", f"position {number}") for number in range(12)]
    clock.pass_by(3 * HOUR)
    review.resolve(names[0], "rejected", actor="ana", feedback="false-positive", note="harmless")
    status = review.status()
    assert (status.total, status.pending) == (12, 11)
    assert status.by_status == {"pending": 11, "approved": 0, "rejected": 1}
    assert (status.slo.p95_hours, status.slo.target_hours, status.slo.met) == (3.0, 24.0, True)
    assert [item.id for item in status.sample] == names[1:11]
    assert "pass" in msgspec.to_builtins(status)["slo"]
    (done,) = review.items("rejected")
    assert (done.id, done.actor, done.feedback, done.note, done.age_hours) == (
        names[0],
        "ana",
        "false-positive",
        "harmless",
        3,
    )
    assert len(review.items("all", kind="guard", limit=5)) == 5
    with pytest.raises(BadItem):
        review.items("sideways")
    with pytest.raises(BadItem):
        review.resolve(names[1], "perhaps", actor="ana")


def test_an_item_of_long_ago_cannot_be_queued_again(opened, clock: HandClock) -> None:
    review = opened().review
    for name in ("old", "new"):
        review.add("guard", item=name)
        review.resolve(name, "approved", actor="ana")
        clock.pass_by(6 * WEEK)
    assert [item.id for item in review.items("approved")] == ["new"]
    with pytest.raises(AlreadyQueued):
        review.add("guard", item="old")


@pytest.mark.requirement("FG-10-2", "FG-10-ROLLBACK")
def test_of_several_watchers_one_alerts_and_none_with_the_flag_off(opened, clock: HandClock) -> None:
    first, second, silent = opened(), opened(), opened(OPENCODE_REVIEW_SLO="false")
    first.review.add("guard", item="i1")
    for plane in (first, second, silent):
        plane.folder.catch_up()
    clock.pass_by(25 * HOUR)
    silent.review.watch()
    assert alerts(first) == 0
    for plane in (first, second, first, second):
        plane.review.watch()
    assert alerts(first) == 1
    assert silent.review.status().alerting is False


def test_the_week_is_reported_by_the_watch(opened, clock: HandClock) -> None:
    plane = opened()
    plane.review.add("guard", item="i1")
    plane.review.resolve("i1", "approved", actor="ana", feedback="false-negative")
    clock.pass_by(WEEK)
    plane.review.watch()
    plane.review.watch()
    (reported,) = [r.event for r in plane.ledger.read(limit=1000) if isinstance(r.event, WeekReported)]
    assert [(tally.kind, tally.false_negative) for tally in reported.tallies] == [("guard", 1)]
    assert plane.review.report(1).all.tally.false_negative == 1
    with pytest.raises(BadItem):
        plane.review.report(5)


RESOLVER = """
import sys
from control_plane import ControlPlane
from control_plane.errors import ControlPlaneError
with ControlPlane.open(sys.argv[1], background=False) as plane:
    print("ready", flush=True)
    sys.stdin.readline()
    for number in range(20):
        try:
            plane.review.resolve(f"i{number}", "approved", actor=sys.argv[2])
            print("won", flush=True)
        except ControlPlaneError as fault:
            print(fault.code, flush=True)
"""


def test_of_two_processes_that_resolve_the_same_items_one_wins_each(opened, tmp_path: Path) -> None:
    plane = opened()
    for number in range(20):
        plane.review.add("guard", item=f"i{number}")
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", RESOLVER, str(tmp_path / "home"), name],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT,
        )
        for name in ("ana", "ben")
    ]  # fmt: skip
    assert [racer.stdout.readline().strip() for racer in racers] == ["ready", "ready"]
    for racer in racers:
        racer.stdin.write("go\n")
        racer.stdin.flush()
    said = [racer.communicate(timeout=60)[0].split() for racer in racers]
    for one, other in zip(*said, strict=True):
        assert {one, other} == {"won", "review.already-resolved"}
    plane.folder.catch_up()
    assert plane.review.status().by_status["approved"] == 20


def test_of_two_threads_that_stand_at_the_same_version_one_is_refused(opened, monkeypatch) -> None:
    """Both have decided before either writes: the loser looks again, and finds it done."""
    first, second = opened(), opened()
    first.review.add("guard", item="i1")
    both, outcomes = threading.Barrier(2), []

    def held(plane: ControlPlane):
        append, calls = plane.ledger.append, []

        def late(stream, events, *, expected=None):
            if not calls:
                calls.append(stream)
                both.wait(timeout=30)
            return append(stream, events, expected=expected)

        return late

    def resolve(plane: ControlPlane) -> None:
        try:
            plane.review.resolve("i1", "approved", actor="ana")
            outcomes.append("won")
        except Conflict as fault:
            outcomes.append(fault.code)

    for plane in (first, second):
        # As on two hosts, which do not take turns.
        monkeypatch.setattr(plane.ledger, "turn", contextlib.nullcontext)
        monkeypatch.setattr(plane.ledger, "append", held(plane))
    threads = [threading.Thread(target=resolve, args=(plane,)) for plane in (first, second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["review.already-resolved", "won"]


class QueueMachine(RuleBasedStateMachine):
    """Random steps through the way in, beside a model that is a dict and two numbers."""

    items = Bundle("items")

    def __init__(self) -> None:
        super().__init__()
        self.folder, self.clock = tempfile.TemporaryDirectory(), HandClock()
        self.plane = ControlPlane.open(
            Path(self.folder.name) / "home", catalogue=ARMS, clock=self.clock, background=False, flags=flags()
        )
        self.waiting: dict[str, float] = {}
        self.done: dict[str, tuple[str, str | None]] = {}
        self.crossings, self.over = 0, False

    @rule(target=items, name=st.sampled_from([f"i{n}" for n in range(12)]), kind=st.sampled_from(["guard", "eval"]))
    def add(self, name: str, kind: str) -> str:
        try:
            self.plane.review.add(kind, item=name)
        except AlreadyQueued:
            assert name in self.waiting or name in self.done
        else:
            assert name not in self.waiting
            assert name not in self.done
            self.waiting[name] = self.clock.now()
        return name

    @rule(
        name=items,
        verdict=st.sampled_from(["approved", "rejected"]),
        feedback=st.sampled_from([None, "true-positive", "false-positive", "false-negative"]),
    )
    def resolve(self, name: str, verdict: str, feedback: str | None) -> None:
        try:
            self.plane.review.resolve(name, verdict, actor="ana", feedback=feedback)
        except AlreadyResolved:
            assert name in self.done
        else:
            del self.waiting[name]
            self.done[name] = (verdict, feedback)

    @rule(name=items, feedback=st.sampled_from(["true-positive", "false-positive", "false-negative"]))
    def judge(self, name: str, feedback: str) -> None:
        try:
            self.plane.review.feedback(name, feedback, actor="ben")
        except NotWaiting:
            assert name in self.waiting
        else:
            self.done[name] = (self.done[name][0], feedback)

    @rule(hours=st.integers(1, 30))
    def time_passes_and_somebody_looks(self, hours: int) -> None:
        self.clock.pass_by(hours * HOUR)
        self.plane.review.watch()
        ages = sorted(self.clock.now() - since for since in self.waiting.values())
        over = bool(ages) and ages[-(-95 * len(ages) // 100) - 1] >= 24 * HOUR
        self.crossings += over and not self.over
        self.over = over

    @rule()
    def it_is_closed_and_opened_again(self) -> None:
        self.plane.close()
        self.plane = ControlPlane.open(
            Path(self.folder.name) / "home", catalogue=ARMS, clock=self.clock, background=False, flags=flags()
        )

    @invariant()
    def the_queue_is_that_of_the_model(self) -> None:
        review = self.plane.review
        assert {item.id: item.created for item in review.items("pending")} == self.waiting
        resolved = [item for item in review.items("all") if item.status != "pending"]
        assert {item.id: (item.status, item.feedback) for item in resolved} == self.done
        assert alerts(self.plane) == self.crossings

    def teardown(self) -> None:
        replayed = Folder(self.plane.ledger, (REVIEW,))
        replayed.catch_up()
        assert replayed.faults == 0
        assert msgspec.to_builtins(replayed.state(REVIEW)) == msgspec.to_builtins(self.plane.folder.state(REVIEW))
        self.plane.close()
        self.folder.cleanup()


QUICK = settings(
    max_examples=12, stateful_step_count=25, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
)


@pytest.mark.requirement("GOV-59")
def test_the_queue_agrees_with_a_small_model() -> None:
    from hypothesis.stateful import run_state_machine_as_test

    run_state_machine_as_test(QueueMachine, settings=QUICK)


@pytest.mark.long
@pytest.mark.requirement("GOV-59")
def test_the_queue_agrees_with_a_small_model_at_length() -> None:
    from hypothesis.stateful import run_state_machine_as_test

    run_state_machine_as_test(QueueMachine, settings=settings(QUICK, max_examples=300, stateful_step_count=50))


@pytest.mark.requirement("GOV-60")
def test_errors_are_coded_and_write_nothing(opened) -> None:
    plane = opened()
    before = plane.ledger.size()
    for attempt in (
        lambda: plane.review.resolve("ghost", "approved", actor="ana"),
        lambda: plane.review.feedback("ghost", "true-positive", actor="ana"),
        lambda: plane.review.add(""),
    ):
        with pytest.raises(ControlPlaneError) as refused:
            attempt()
        assert refused.value.code.startswith("review.")
        assert refused.value.cure or refused.value.why
    assert plane.ledger.size() == before


@pytest.mark.requirement("GOV-28")
def test_what_the_command_line_says_is_what_the_library_says(opened, clock: HandClock, tmp_path: Path, capsys) -> None:
    from control_plane.cli import main

    home, clock.time = str(tmp_path / "home"), Clock().now()
    opened().review.add("guard", "position 7", item="i1")
    for words in (
        ["resolve", "i1", "--approve", "--feedback", "false-positive", "--actor", "ana"],
        ["report", "--weeks-ago", "0"],
    ):
        assert main(["review", *words, "--home", home]) == 0
    assert "| guard |" in capsys.readouterr().out
    assert main(["review", "resolve", "i1", "--approve", "--home", home, "--json"]) in (1, 2)
    assert json.loads(capsys.readouterr().err.splitlines()[-1])["error"]["code"] == "review.already-resolved"
    assert main(["review", "resolve", "i1", "--home", home]) == 2


def test_a_suspicion_of_learning_waits_for_somebody_to_look(opened) -> None:
    plane = opened()
    at = plane.ledger.clock.now()
    plane.ledger.append(
        "learning-suspicions",
        [
            GamingSuspected(at=at, key_id="ab" * 32, verdict="review", signs=("identical-successes",)),
            GamingSuspected(at=at, key_id="cd" * 32, verdict="block", signs=("trivial-fixes",)),
        ],
    )
    (item,) = plane.review.items()
    assert (item.kind, item.evidence) == ("learning", f"key {'ab' * 32}: identical-successes")
    plane.review.resolve(item.id, "rejected", actor="ana")
    plane.review.feedback(item.id, "false-positive", actor="ana")
    assert plane.review.items() == []
