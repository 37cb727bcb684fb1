"""Finds loops without a model: a pure fold over what the worker did, the same on every machine and after a restart.

A call repeats only where its arguments, its result and the workspace after it are what they were; what a person reads
(descriptions, white space, order of keys, identifiers, durations) makes no difference. Waiting has a budget of its own.
"""

from collections import deque
from collections.abc import Hashable
from math import inf
from typing import NamedTuple

from .cycles import Cycles
from .limits import Limits
from .steps import Recorded, Step, Steps
from .trace import Chunk, Seen, TextSaid, Told, ToolEnded
from .words import Monologue, chant, newest

LIMITS = Limits()
# Every so many characters: is what was said last already there? And seldom: all that a chant can be.
_GLANCE_EVERY, _GLANCE, _LOOK_EVERY = 80, 12, 400


class Loop(NamedTuple):
    """`kind` cycle, failures, waiting, wandering, monologue or chant; `times`: how often this streak was told of."""

    kind: str
    period: int
    repeats: int
    times: int
    why: str


class Detector:
    def __init__(self, limits: Limits = LIMITS) -> None:
        self._limits = limits
        self._steps = Steps()
        self._exact, self._coarse = Cycles(limits.longest_period), Cycles(limits.longest_period)
        self._newest: deque[tuple[Step, float | None, int]] = deque(maxlen=limits.window)
        self._stale = 0
        self._monologue = Monologue()
        self._saying, self._looked, self._unlooked, self._asked = "", 0, 0, ""
        self._chanting: float = limits.chants
        # Of each streak that was told of: how often, and up to how many repeats.
        self._told: dict[Hashable, tuple[int, int]] = {}

    def see(self, seen: Seen) -> Loop | None:
        """What this adds up to; a streak is told of once, and again when it goes on all the same."""
        if isinstance(seen, ToolEnded):
            return self._call(seen)
        if isinstance(seen, Chunk):
            return self._chunk(seen.text)
        if isinstance(seen, TextSaid):
            return self._text(seen.text)
        self._person(seen)
        return None

    def recorded(self, told: Recorded, at: float | None) -> Loop | None:
        """A call as the log keeps it; after a restart the same calls lead to the same state."""
        return self._step(self._steps.recorded(told), told.tree, at)

    def _call(self, seen: ToolEnded) -> Loop | None:
        return self._step(self._steps.of(seen), seen.tree, seen.at)

    def _step(self, step: Step, tree: str, at: float | None) -> Loop | None:
        if self._saying or self._monologue.said:
            self._end_message()
            self._monologue.forget()
        coarse = self._steps.coarse(step, tree)
        self._newest.append((step, at, coarse))
        same, alike = self._exact.push(step.exact), self._coarse.push(coarse)
        going, found = self._cycle(self._exact, exact=True) if same else (False, None)
        if alike and not going:
            going, found = self._cycle(self._coarse, exact=False)
        stale = self._wander(step, going=going)
        return found or stale

    def _cycle(self, cycles: Cycles, *, exact: bool) -> tuple[bool, Loop | None]:
        """Whether the shortest period has gone on for too long, and whether that has to be told."""
        limits, known = self._limits, bool(self._told)
        same, long = (limits.same, limits.cycles) if exact else (limits.failures, limits.cycles + 1)
        fewest = limits.again if known else same
        for period, repeats in cycles.grown(fewest, limits.again if known else long):
            unit = [self._newest[at] for at in range(-period, 0)]
            if not exact and not any(step.failing for step, _, _ in unit):
                continue
            kind, least = "cycle" if exact else "failures", same if period == 1 else long
            if any(step.waiting for step, _, _ in unit):
                kind = "waiting"
                least = repeats if self._waited(cycles, period) >= limits.wait_s else limits.waits
            streak = frozenset([step.exact if exact else coarse for step, _, coarse in unit])
            found = self._tell(kind, period, repeats, streak, least)
            if found is not None or repeats >= least:
                return True, found
        return False, None

    def _waited(self, cycles: Cycles, period: int) -> float:
        length = min(cycles.length(period), len(self._newest))
        first, last = self._newest[-length][1], self._newest[-1][1]
        return last - first if first is not None and last is not None else 0.0

    def _tell(self, kind: str, period: int, repeats: int, streak: Hashable, least: int) -> Loop | None:
        limits = self._limits
        times, told = self._told.get(streak, (0, 0))
        if times:
            if repeats <= told:
                # A fresh run of what is known counts from its own beginning.
                told = 0
                self._told[streak] = (times, 0)
            least = told + (limits.waits if kind == "waiting" else limits.again)
        if repeats < least:
            return None
        self._told[streak] = (times + 1, repeats)
        return Loop(kind, period, repeats, times + 1, _why(kind, period, repeats))

    def _wander(self, step: Step, *, going: bool) -> Loop | None:
        """Steps that were all there before, twice, in whatever order."""
        step.times += 1
        if step.times < 3 or step.waiting:
            self._stale = 0
            return None
        self._stale += 1
        if going or self._stale < self._limits.wandering:
            return None
        return self._tell("wandering", 0, self._stale, "wandering", self._limits.wandering)

    def _text(self, text: str) -> Loop | None:
        self._end_message()
        found = chant(text, self._limits.chants) if len(text) >= _LEAST_CHANT else None
        if found is not None:
            return self._tell("chant", 0, found[1], f"chant {found[0][:60]}", self._limits.chants)
        count = self._monologue.add(text)
        if count < self._limits.messages:
            return None
        return self._tell("monologue", 1, count, "monologue", self._limits.messages)

    def _chunk(self, text: str) -> Loop | None:
        self._saying += text
        self._looked += len(text)
        if self._looked < _GLANCE_EVERY:
            return None
        self._unlooked += self._looked
        self._looked = 0
        said = self._saying
        if self._unlooked < _LOOK_EVERY and said.count(said[-_GLANCE:]) < self._chanting:
            return None
        self._unlooked = 0
        # What was found is told; from here on it is looked at seldom.
        self._saying = newest(self._saying)
        found = chant(self._saying, self._limits.chants)
        if found is None:
            return None
        self._chanting = inf
        return self._tell("chant", 0, found[1], f"chant {found[0][:60]}", self._limits.chants)

    def _end_message(self) -> None:
        self._saying, self._looked, self._unlooked, self._chanting = "", 0, 0, self._limits.chants

    def _person(self, told: Told) -> None:
        """A person who says something new begins something new; a nudge, or the same words again, does not."""
        self._end_message()
        words = " ".join(told.text.lower().split())
        if told.own or (words and words == self._asked):
            return
        self._asked = words
        self._exact.forget()
        self._coarse.forget()
        self._monologue.forget()
        self._steps.forget()
        self._newest.clear()
        self._told.clear()
        self._stale = 0


_LEAST_CHANT = 160


def _why(kind: str, period: int, repeats: int) -> str:
    told = {
        "cycle": f"the same {'call' if period == 1 else f'{period} calls'} with the same result {repeats} times, "
        "and nothing in the workspace changed",
        "failures": f"the same failure {repeats} times at the same place, whatever the call's words",
        "waiting": f"waiting for the same answer {repeats} times, longer than its budget",
        "wandering": f"{repeats} calls in a row that had all been made before with the same results",
        "monologue": f"{repeats} messages in a row that say the same and do nothing",
        "chant": f"one message repeats itself {repeats} times",
    }
    return told[kind]
