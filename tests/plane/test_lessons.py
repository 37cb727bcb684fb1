"""A lesson reaches the very next decision, in its words and in whom it chooses, and replays as it was."""

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from control_plane import Arm, ControlPlane, Policy, Task
from control_plane.flags import read_flags
from control_plane.learning.signing import sign

KEY = Ed25519PrivateKey.generate()
FIX = Task(type="code.fix", repo="acme/api")
ARMS = (Arm("a", prior=0.7), Arm("b", prior=0.6))


def record(clock, number: int, **told) -> bytes:
    facts = {
        "kind": "anti-pattern", "pattern": "type_suppression", "severity": "critical", "task_type": "code.fix",
        "session": f"s{number}", "trace_id": f"t{number}", "ts": clock.now(), "arm": "a",
    }  # fmt: skip
    return sign(facts | told, KEY)


def taught(open_plane, clock, **options) -> ControlPlane:
    plane = open_plane(catalogue=ARMS, policy=Policy(floor=0.0, levels=1), **options)
    if not plane.learning.keys():
        plane.learning.admit("agent", KEY.public_key().public_bytes_raw())
    for _ in range(30):
        plane.record_result(arm="a", task=FIX, success=True, cost_usd=0.01)
    plane.flush()
    return plane


@pytest.mark.requirement("ROUTER-44", "FG-03-1", "GOV-11")
def test_a_lesson_reaches_the_very_next_decision(open_plane, clock):
    plane = taught(open_plane, clock)
    before = plane.advise(FIX)
    assert plane.advise(FIX).cached
    assert (before.arm, before.warnings, before.should_pause) == ("a", (), False)
    for number in range(3):
        plane.learn(record(clock, number))
    after = plane.advise(FIX)
    assert not after.cached
    assert after.risk_score > 15
    assert after.should_pause
    assert any("type_suppression was seen 3 times" in warning for warning in after.warnings)
    assert any("learned against it" in reason for one in _all(plane) for reason in one.reasons)
    assert any(row[3] == "learning.advice-invalidated" for row in plane.ledger.rows())
    untouched = plane.advise(Task(type="docs.write"))
    assert (untouched.warnings, untouched.risk_score) == ((), 0.0)


def _all(plane: ControlPlane) -> list:
    return [plane.advise(Task(type="code.fix", repo="acme/api", override="a"))]


def test_what_a_task_tells_makes_the_lesson_sharper(open_plane, clock):
    plane = taught(open_plane, clock)
    plane.learn(record(clock, 1, pattern="repeated_mistake", severity="high", error_type="TypeError"))
    same = plane.advise(Task(type="code.fix", error_type="TypeError"))
    other = plane.advise(Task(type="code.fix", error_type="OSError"))
    assert same.risk_score > plane.advise(Task(type="code.fix")).risk_score > other.risk_score == 0.0


def test_enough_bad_experience_moves_the_choice_and_replays(open_plane, clock):
    plane = taught(open_plane, clock)
    for number in range(40):
        clock.time += 1.0
        plane.record_result(plane.advise(Task(type="code.fix", session=f"w{number}")).decision_id, success=True)
    for number in range(12):
        plane.learn(record(clock, number))
    for _ in range(40):
        plane.record_result(plane.advise(FIX).decision_id, success=True)
    costs = {one.arm: one.adjustment for one in plane.explain(plane.advise(FIX).decision_id).contenders}
    assert costs["a"] < -0.4
    assert costs["b"] == 0.0
    found = plane.replay()
    assert found.decisions > 80
    assert found.parity == 1.0


def test_without_invalidation_kept_advice_only_ages(open_plane, clock):
    plane = taught(open_plane, clock, flags=read_flags({"OPENCODE_LEARNING_INVALIDATION": "false"}, {}))
    plane.advise(FIX)
    plane.learn(record(clock, 1))
    assert plane.advise(FIX).cached
    assert plane.advise(FIX).warnings == ()
    clock.time += 10.0
    assert plane.advise(FIX).warnings
