"""Scripted faults on a real plane whose clock is set by hand: who is left, how soon, and how soon they are back."""

import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from control_plane import Arm, ControlPlane, Task
from control_plane.proving import HandClock, flags
from control_plane.router.entries import PROBE

BEST, STEADY, SPARE = "acme/best", "other/steady", "third/spare"
CATALOGUE = [Arm(BEST, prior=0.8), Arm(STEADY, prior=0.7), Arm(SPARE, prior=0.6)]
SUCCESS = {BEST: 0.95, STEADY: 0.75, SPARE: 0.6}
TASK = Task(type="code.fix", repo="acme/api")
PAUSE_S = 1.0


class Outcome(NamedTuple):
    """What a call comes to; an error and a success exclude each other."""

    success: bool | None = None
    error: str | None = None
    seconds: float = 0.5
    retry_after_s: float | None = None

    @property
    def answered(self) -> bool:
        return self.error is None


class Call(NamedTuple):
    at: float
    arm: str
    probe: bool
    outcome: Outcome
    anyone_able: bool


Fault = Callable[[random.Random], Outcome]


class Scene:
    """Traffic, one call after another, each with its result folded before the next; faults are planted by arm."""

    def __init__(self, plane: ControlPlane, clock: HandClock) -> None:
        self.plane, self.clock, self.calls = plane, clock, list[Call]()
        self.faults: dict[str, Fault] = {}
        self._chance = random.Random(11)

    def call(self) -> Call:
        advice = self.plane.advise(TASK)
        came = self._outcome(advice.arm)
        call = Call(self.clock.now(), advice.arm, advice.strategy == PROBE, came, self.anyone_able())
        self.clock.pass_by(came.seconds)
        self.plane.record_result(
            advice.decision_id,
            success=came.success, error=came.error, latency_ms=came.seconds * 1e3, retry_after_s=came.retry_after_s,
        )  # fmt: skip
        self.plane.flush()
        self.plane.folder.catch_up()
        self.clock.pass_by(PAUSE_S)
        self.calls.append(call)
        return call

    def go_on(self, calls: int) -> list[Call]:
        return [self.call() for _ in range(calls)]

    def until(self, met: Callable[[list[Call]], bool], most: int) -> tuple[int, float]:
        """Decisions and seconds until `met` by the calls from here on; `most` when it never is."""
        first, began = len(self.calls), self.clock.now()
        for count in range(1, most + 1):
            self.call()
            if met(self.calls[first:]):
                return count, self.clock.now() - began
        return most + 1, self.clock.now() - began

    def anyone_able(self) -> bool:
        return any(arm not in self.faults or self.faults[arm](random.Random(0)).answered for arm in SUCCESS)

    def _outcome(self, arm: str) -> Outcome:
        if arm in self.faults:
            return self.faults[arm](self._chance)
        return Outcome(success=self._chance.random() < SUCCESS[arm])


def left(arm: str) -> Callable[[list[Call]], bool]:
    """Ten decisions in a row, probes aside, went elsewhere."""
    return lambda calls: len(calls) >= 10 and not any(call.arm == arm and not call.probe for call in calls[-10:])


def back(arm: str) -> Callable[[list[Call]], bool]:
    """It is the usual choice again: most of the latest ten decisions."""
    return lambda calls: len(calls) >= 10 and sum(call.arm == arm for call in calls[-10:]) > 5


def share(arm: str, calls: list[Call]) -> float:
    return sum(call.arm == arm for call in calls) / len(calls)


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    """A plane that has learned for a while which arm is best."""
    clock, told = HandClock(), flags(OPENCODE_REPLAY_SEED="scenes")
    with ControlPlane.open(tmp_path / "home", catalogue=CATALOGUE, clock=clock, flags=told, background=False) as plane:
        scene = Scene(plane, clock)
        scene.go_on(200)
        assert share(BEST, scene.calls[-50:]) > 0.8
        yield scene
        # Whoever fails while another arm is able is left within a few calls; a probe may fail, that is what it is for.
        fell = [call.anyone_able and not call.outcome.answered and not call.probe for call in scene.calls]
        assert not any(all(fell[start : start + 6]) for start in range(len(fell) - 5))
        assert all(call.arm in SUCCESS for call in scene.calls)


def failing(error: str, seconds: float = 0.1, retry_after_s: float | None = None) -> Fault:
    return lambda _: Outcome(error=error, seconds=seconds, retry_after_s=retry_after_s)


def demoted(scene: Scene, most: int) -> tuple[int, float]:
    """Decisions and seconds until the last one that still chose the best arm, and was no probe."""
    first, began = len(scene.calls), scene.clock.now()
    scene.until(left(BEST), most)
    chosen = [number for number, call in enumerate(scene.calls[first:], 1) if call.arm == BEST and not call.probe]
    return (chosen[-1], scene.calls[first + chosen[-1] - 1].at - began) if chosen else (0, 0.0)


def tell(what: str, took: tuple[int, float]) -> None:
    print(f"{what}: {took[0]} decisions, {took[1]:.0f} s")


# The time-outs are slow calls, too: they stay in the window of its tail, half an hour long.
@pytest.mark.requirement("ROUTER-105", "ROUTER-111")
@pytest.mark.parametrize(
    ("error", "seconds", "back_within_s"), [("connection", 0.1, 600), ("server", 0.1, 600), ("timeout", 5.0, 1900)]
)
def test_an_outage_of_the_best_arm(scene: Scene, error: str, seconds: float, back_within_s: float) -> None:
    scene.faults[BEST] = failing(error, seconds)
    tell(f"{error}: left", took := demoted(scene, 100))
    assert took[0] <= 5
    while_down = scene.go_on(200)
    assert all(call.probe for call in while_down if call.arm == BEST)
    assert 1 <= sum(call.probe for call in while_down) <= 10
    scene.faults.clear()
    tell(f"{error}: back", took := scene.until(back(BEST), 1500))
    assert took[1] <= back_within_s


@pytest.mark.requirement("ROUTER-106", "ROUTER-111")
def test_a_tail_ten_times_longer(scene: Scene) -> None:
    def slow(chance: random.Random) -> Outcome:
        return Outcome(success=chance.random() < SUCCESS[BEST], seconds=5.0 if chance.random() > 0.7 else 0.5)

    scene.faults[BEST] = slow
    tell("slow tail: left", took := demoted(scene, 200))
    assert took[0] <= 50
    assert share(BEST, scene.go_on(100)) <= 0.1
    scene.faults.clear()
    tell("slow tail: back", took := scene.until(back(BEST), 1500))
    assert took[1] <= 1900


@pytest.mark.requirement("ROUTER-107", "ROUTER-111")
def test_a_silent_drop_in_quality(scene: Scene) -> None:
    scene.faults[BEST] = lambda chance: Outcome(success=chance.random() < 0.4 * SUCCESS[BEST])
    tell("silent drop: left", took := demoted(scene, 400))
    assert took[0] <= 100
    assert share(BEST, scene.go_on(200)) <= 0.15
    scene.faults.clear()
    tell("silent drop: back", took := scene.until(back(BEST), 1500))
    assert took[0] <= 1000


def test_the_best_arm_is_the_best_again_after_everything_was_down(scene: Scene) -> None:
    scene.faults = {arm: failing("server") for arm in SUCCESS}
    scene.go_on(200)
    scene.faults.clear()
    tell("everything down: the best is back", took := scene.until(back(BEST), 1500))
    assert took[0] <= 400
    contenders = scene.plane.explain(scene.plane.advise(TASK).decision_id).contenders
    believed = {one.arm: one.success for one in contenders}
    assert believed[BEST] > 0.85, "an outage says little of the work"


@pytest.mark.requirement("ROUTER-108", "ROUTER-111")
def test_everything_is_down(scene: Scene) -> None:
    scene.faults = {arm: failing("server") for arm in SUCCESS}
    served = scene.go_on(150)
    assert {call.arm for call in served} == set(SUCCESS)
    del scene.faults[SPARE]
    tell("everything down: the first that is back answers", took := scene.until(answers, 100))
    assert took[0] <= 10
    assert sum(call.outcome.answered for call in scene.go_on(100)) >= 95


def answers(calls: list[Call]) -> bool:
    return calls[-1].outcome.answered


@pytest.mark.requirement("ROUTER-109", "ROUTER-111")
def test_a_flapping_arm(scene: Scene) -> None:
    began = scene.clock.now()

    def flapping(chance: random.Random) -> Outcome:
        ill = int((scene.clock.now() - began) // 20.0) % 2 == 0
        return Outcome(error="server", seconds=0.1) if ill else Outcome(success=chance.random() < SUCCESS[BEST])

    scene.faults[BEST] = flapping
    calls = scene.go_on(400)
    failed = sum(not call.outcome.answered for call in calls)
    print(f"flapping: {failed} of {len(calls)} calls failed, {share(BEST, calls):.0%} went to it")
    assert failed <= 0.05 * len(calls)
    scene.faults.clear()
    tell("flapping: back", took := scene.until(back(BEST), 1500))
    assert took[1] <= 600


@pytest.mark.requirement("ROUTER-110", "ROUTER-111")
@pytest.mark.parametrize("wait_s", [30.0, 120.0])
def test_a_rate_limit_with_retry_after(scene: Scene, wait_s: float) -> None:
    scene.faults[BEST] = failing("rate_limit", retry_after_s=wait_s)
    scene.until(lambda calls: calls[-1].arm == BEST, 20)
    told = scene.clock.now() - PAUSE_S
    scene.faults.clear()
    tell(f"retry after {wait_s:.0f} s: asked again", scene.until(lambda calls: calls[-1].arm == BEST, 200))
    again = scene.calls[-1]
    assert again.probe
    assert wait_s <= again.at - told <= wait_s + 2 * PAUSE_S
    tell(f"retry after {wait_s:.0f} s: back", took := scene.until(back(BEST), 100))
    assert took[0] <= 20
