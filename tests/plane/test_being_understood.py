"""What is handed in wrongly is said in words, and what is handed out can be used as it is."""

import pytest

from control_plane import Arm, Task
from control_plane.errors import BadInput

FIX = Task(type="code.fix")


@pytest.mark.parametrize(
    "task", ["x", None, {"type": "x"}, Task(type="x", tokens_in=1.5), Task(type="x", tokens_in=-1)], ids=range(5)
)
def test_what_is_no_task_is_refused_in_words(plane, task):
    before = plane.ledger.size()
    with pytest.raises(BadInput) as refused:
        plane.advise(task)
    assert "Task(type=" in refused.value.cure or "tokens_in" in refused.value.what
    plane.flush()
    assert plane.ledger.size() == before


def test_an_amount_of_tokens_that_nobody_has_is_refused(plane):
    with pytest.raises(BadInput, match="tokens_in"):
        plane.advise(Task(type="x", tokens_in=10**300))


def test_the_model_of_a_cascade_is_that_of_its_first_step(open_plane):
    arms = [
        Arm("a", model="acme/small"),
        Arm("b", model="acme/large"),
        Arm.cascade("both", [("a", "tests"), ("b", None)]),
    ]
    plane = open_plane(catalogue=arms)
    advice = plane.advise(Task(type="code.fix", override="both"))
    assert (advice.arm, advice.model) == ("both", "acme/small")
    assert [step.model for step in advice.plan] == ["acme/small", "acme/large"]
    assert plane.explain(advice.decision_id).model == "acme/small"


def test_stats_count_what_was_just_recorded(plane):
    plane.record_result(plane.advise(FIX).decision_id, success=True)
    found = plane.stats()
    assert (found.decisions, found.results) == (1, 1)


def test_the_last_decision_is_explained_by_that_name(plane):
    plane.advise(FIX)
    decision = plane.advise(FIX).decision_id
    assert plane.explain("last").decision == decision
