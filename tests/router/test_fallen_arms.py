"""An arm that fell: asked now and then, the less the longer, and what it was again after a few results."""

from control_plane.router.board import Board, Candidate, ChoicePolicy
from control_plane.router.choice import compile_table
from control_plane.router.posterior import Beliefs, learn


def fallen(before: float, since: float) -> Beliefs:
    """An arm that was good for 320 runs, then bad for 96; the other one is steady at 75 %."""
    beliefs = Beliefs()
    for n in range(320):
        learn(beliefs, "fallen", "t", None, float((n + 1) * before // 1 > n * before // 1))
        learn(beliefs, "steady", "t", None, float(n % 4 != 0))
    for n in range(96):
        learn(beliefs, "fallen", "t", None, float((n + 1) * since // 1 > n * since // 1))
    return beliefs


def asked(beliefs: Beliefs, **told: bool | str) -> float:
    board = Board([Candidate("fallen"), Candidate("steady")], ChoicePolicy(), "t")
    return compile_table(board, beliefs, **told).chance(0)


def test_an_arm_that_fell_is_asked_now_and_then_and_the_less_the_longer_it_is_away() -> None:
    beliefs = fallen(0.95, 0.4)
    soon = asked(beliefs)
    assert 0.02 < soon < 0.15
    assert 0.0 < asked(beliefs, incumbent="steady") < soon
    assert asked(beliefs, in_tool_loop=True) == 0.0
    for n in range(4000):
        learn(beliefs, "steady", "t", None, float(n % 4 != 0))
    assert 0.0 < asked(beliefs) < 0.1 * soon + 0.005


def test_an_arm_that_fell_but_was_never_the_better_one_is_left_alone() -> None:
    assert asked(fallen(0.7, 0.2)) < 0.001


def test_an_arm_that_has_its_quality_back_is_what_it_was_after_a_few_results() -> None:
    beliefs, before = fallen(0.95, 0.4), 0.0
    for success in (1.0, 1.0, 0.0, *[1.0] * 14):
        before = asked(beliefs)
        learn(beliefs, "fallen", "t", None, success)
        if asked(beliefs) > 0.9:
            break
    assert before > 0.1, "it is asked oftener as its results get better"
    assert asked(beliefs) > 0.9
    ill = fallen(0.95, 0.4)
    for n in range(600):
        learn(ill, "fallen", "t", None, float(n % 5 < 2))
    assert asked(ill) < 0.05, "as bad as when it fell"


def test_an_arm_that_nobody_has_tried_is_not_held_back_for_one_that_is_known_to_be_bad() -> None:
    beliefs = Beliefs()
    for n in range(1000):
        learn(beliefs, "bad", "t", None, float(n % 5 == 0))
    board = Board([Candidate("bad"), Candidate("new", prior=0.9)], ChoicePolicy(), "t")
    assert compile_table(board, beliefs).chance(1) > 0.9
