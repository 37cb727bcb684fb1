"""A result is put together from pieces that were encoded before; the log holds what encoding the event would give."""

import itertools

import msgspec
import pytest

from control_plane import Task
from control_plane.router.events import ResultRecorded

TASKS = (
    Task(type="code.fix", repo="acme/api"),
    Task(type='with "quotes" and \\', repo="é/ü"),
    Task(type="plain", session="a session"),
)
TOLD = (
    {},
    {"success": True},
    {"success": False, "latency_ms": 12.5, "cost_usd": 0.1},
    {"error": "timeout", "retry_after_s": 3, "ttft_ms": 1e-7},
    {"success": True, "verified": False, "tokens_in": 20_000, "tokens_out": 7, "model_served": 'odd "name"'},
)


@pytest.mark.parametrize("decided", [True, False], ids=["of a decision", "of an arm"])
def test_the_stored_state_is_the_encoded_event(plane, decided):
    for task, told in itertools.product(TASKS, TOLD):
        advice = plane.advise(task)
        if decided:
            plane.record_result(advice.decision_id, **told)
        else:
            plane.record_result(arm=advice.arm, task=task, **told)
    plane.flush()
    rows = [row for row in plane.ledger.rows(0) if row[3] == ResultRecorded.TOPIC]
    assert len(rows) == len(TASKS) * len(TOLD)
    for (*_, topic, state), (task, told) in zip(rows, itertools.product(TASKS, TOLD), strict=True):
        event = plane.ledger.catalogue.decode(topic, state)
        # Whole numbers of tokens are written as such, and read as any number.
        assert bytes(state) == msgspec.json.encode(msgspec.structs.replace(event, **told))
        assert (event.task_type, event.repo) == (task.type, task.repo)
        assert {name: getattr(event, name) for name in told} == told
        assert (event.decision is not None) == decided


def test_a_later_step_says_which(plane):
    advice = plane.advise(Task(type="any", override="cheap-then-strong"))
    plane.record_result(advice.decision_id, step=1, success=True)
    plane.flush()
    (*_, topic, state) = plane.ledger.rows(0)[-1]
    event = plane.ledger.catalogue.decode(topic, state)
    assert event.step == 1
    assert bytes(state) == msgspec.json.encode(event)
