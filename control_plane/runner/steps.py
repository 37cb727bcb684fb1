"""Calls as the detector compares them: each different one is held once, and has a number for what it is exactly
and another for what it comes to; what is dear to compute is computed when two calls agree so far."""

from collections.abc import Callable
from functools import cached_property
from hashlib import blake2b
from itertools import count
from typing import NamedTuple

import msgspec

from .normal import call_of, failed, failure_of, result_of, target_of, waits
from .trace import ToolEnded

_RAW = msgspec.json.Encoder(enc_hook=repr).encode
_HELD, _SHORT = 1024, 64


class Step:
    """`exact`: the same call, the same result, the same workspace after it. `coarse`: or the same failure there."""

    __slots__ = ("__dict__", "_seen", "call", "coarse", "exact", "times")

    def __init__(self, seen: ToolEnded, call: bytes) -> None:
        self._seen, self.call = seen, call
        self.exact, self.coarse, self.times = 0, 0, 0

    @cached_property
    def failing(self) -> bool:
        return failed(self._seen.failed, self._seen.output)

    @cached_property
    def waiting(self) -> bool:
        return waits(self._seen.tool, self._seen.args, self._seen.output)

    @cached_property
    def result(self) -> str:
        return failure_of(self._seen.output) if self.failing else result_of(self._seen.output)

    @cached_property
    def target(self) -> str:
        return target_of(self._seen.tool, self._seen.args)


class Recorded(NamedTuple):
    """What of a call is kept in the log, and suffices to compare it with others."""

    call: str
    result: str
    target: str
    tree: str
    failing: bool
    waiting: bool


def recorded(seen: ToolEnded) -> Recorded:
    step = Step(seen, call_of(seen.tool, seen.args))
    return Recorded(
        _digest(step.call), _digest(step.result.encode()) if step.result else "", _digest(step.target.encode()),
        seen.tree, step.failing, step.waiting,
    )  # fmt: skip


def _digest(raw: bytes) -> str:
    return blake2b(raw, digest_size=12).hexdigest()


class Steps:
    """Which step a call is; numbers begin anew when too many different ones were seen."""

    def __init__(self) -> None:
        self._raw: dict[tuple[str, bytes, str | bytes, str, bool | None], Step] = {}
        self._calls: dict[tuple[bytes, str], list[Step]] = {}
        self._failures: dict[tuple[str, str], list[Step]] = {}
        self._next = count(1).__next__
        self._call_of: Callable[[str, dict[str, object]], bytes] = call_of

    def of(self, seen: ToolEnded) -> Step:
        output = seen.output
        key = (
            seen.tool, _RAW(seen.args), output if len(output) < _SHORT else blake2b(output.encode()).digest(),
            seen.tree, seen.failed,
        )  # fmt: skip
        found = self._raw.get(key)
        if found is None:
            if len(self._raw) >= _HELD:
                self.forget()
            found = self._raw[key] = self._alike(Step(seen, self._call_of(seen.tool, seen.args)), seen.tree)
        return found

    def recorded(self, told: "Recorded") -> Step:
        """A call out of the log: digests stand for what it said."""
        key = ("", told.call.encode(), told.result, told.tree, told.failing)
        found = self._raw.get(key)
        if found is None:
            step = Step(ToolEnded("", tree=told.tree), told.call.encode())
            step.__dict__.update(failing=told.failing, waiting=told.waiting, result=told.result, target=told.target)
            found = self._raw[key] = self._alike(step, told.tree)
        return found

    def coarse(self, step: Step, tree: str) -> int:
        """Failures at one place share a number; all else is what it is."""
        if step.coarse:
            return step.coarse
        step.coarse = step.exact
        if step.failing:
            known = self._failures.setdefault((step.target, tree), [])
            step.coarse = next((one.coarse for one in known if one.result and one.result == step.result), -step.exact)
            known.append(step)
        return step.coarse

    def _alike(self, step: Step, tree: str) -> Step:
        known = self._calls.setdefault((step.call, tree), [])
        for one in known:
            if one.result == step.result:
                return one
        step.exact = self._next()
        known.append(step)
        return step

    def forget(self) -> None:
        self._raw.clear()
        self._calls.clear()
        self._failures.clear()
