"""Bars of learning: only what an admitted agent signed comes in, once; advice follows from it and fades."""

from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

from control_plane.learning import rules
from control_plane.learning.keys import key_id
from control_plane.learning.patterns import DAY
from control_plane.learning.reasons import Reason
from control_plane.learning.risk import NOTHING, Lesson, lesson
from control_plane.learning.state import LearningState, fold
from control_plane.proving.forging import FALSIFICATIONS, Forge
from tests.bars.frame import Bar
from tests.learning.test_advice import NOW, accepted

Lets = Callable[[Forge, object], bool]
Tells = Callable[[LearningState, str, float], Lesson]
STRICT = "require-valid-signature"


def check_only_signed_records_come_in_and_once(lets_in: Lets) -> None:
    forge = Forge(6, NOW)
    for name in [*FALSIFICATIONS] * 3:
        assert not lets_in(forge, forge.falsified(name)), name
    for _ in range(50):
        line = forge.valid()
        assert lets_in(forge, line), "what is true comes in"
        assert not lets_in(forge, line), "and once"


class Gate:
    """What strict ingestion asks, without a ledger; a fault is planted in one of its questions."""

    def __init__(self, fault: str = "") -> None:
        self._fault = fault
        self._state, self._batch = LearningState(), set[tuple[str, bytes]]()

    def __call__(self, forge: Forge, line: object) -> bool:
        mode: Any = self._fault if self._fault in rules.MODES else STRICT
        checked = rules.check(line, self._keys(forge), mode)
        if isinstance(checked, Reason):
            return False
        if self._fault == "forgets":
            self._batch.clear()
        return not isinstance(rules.judge(self._state, checked, forge.now, self._batch), Reason)

    def _keys(self, forge: Forge) -> dict[str, rules.Known]:
        found = {}
        for key in (
            forge.honest,
            forge.second,
            forge.fallen,
            *([forge.stranger] if self._fault == "knows all" else ()),
        ):
            name = key_id(key.public_key().public_bytes_raw())
            fallen = key is forge.fallen and self._fault != "forgives"
            found[name] = rules.Known(name, key.public_key(), fallen)
        return found


def check_advice_follows_from_experience(tells: Tells) -> None:
    """More experience, more risk; nothing known, nothing said; what is old counts less; others' tasks not at all."""
    state = LearningState()
    assert tells(state, "code.fix", NOW) == NOTHING
    risks = []
    for _ in range(4):
        fold(state, accepted("inefficient_solution", arm="acme/one"))
        risks.append(tells(state, "code.fix", NOW).risk_score)
    assert risks == sorted(set(risks))
    now = tells(state, "code.fix", NOW)
    assert now.should_pause
    assert now.warnings
    assert now.arm_penalties.keys() == {"acme/one"}
    later = tells(state, "code.fix", NOW + 60 * DAY)
    assert 0.0 < later.risk_score < 0.5 * now.risk_score
    assert tells(state, "code.other", NOW) == NOTHING
    assert tells(state, "code.fix", NOW) == now, "the same question, the same answer"


def constant(folder: Path) -> Tells:
    """Says the same whatever was learned."""
    risk = int(sha256(folder.name.encode()).hexdigest(), 16) % 10 + 6.0
    return lambda state, task_type, now: Lesson(("careful",), risk_score=risk, should_pause=True)


def of_all_tasks(state: LearningState, task_type: str, now: float) -> Lesson:
    return lesson(state, next(iter(state.tasks), task_type), now)


BARS = [
    Bar(
        check_only_signed_records_come_in_and_once,
        real=lambda _: Gate(),
        null=lambda _: lambda forge, line: False,
        planted={
            "lets everything in": lambda _: lambda forge, line: True,
            "does not verify": lambda _: Gate("require-signed"),
            "lets unsigned in": lambda _: Gate("allow-unsigned"),
            "forgets what came in": lambda _: Gate("forgets"),
            "forgives a revoked key": lambda _: Gate("forgives"),
            "knows a stranger": lambda _: Gate("knows all"),
        },
    ),
    Bar(
        check_advice_follows_from_experience,
        real=lambda _: lesson,
        null=lambda _: lambda state, task_type, now: NOTHING,
        planted={
            "says the same always": constant,
            "never fades": lambda _: lambda state, task_type, now: lesson(state, task_type, NOW),
            "mixes up tasks": lambda _: of_all_tasks,
        },
    ),
]
