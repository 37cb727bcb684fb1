"""Cascades among the choices: what all their ways are worth, and what is learned of their steps and verifiers."""

import itertools
import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from control_plane.router.board import Candidate
from control_plane.router.cascade import Step, StepBelief, StepResult, compose, hidden_success, learn_cascade
from control_plane.router.choice import compile_table
from control_plane.router.posterior import Beliefs, VerifierBook, learn
from tests.router.test_choice import ARMS, beliefs_of, board, success_of


def by_enumeration(steps, verifiers):
    """Every way a cascade can go: each step good or bad, accepted or not."""
    success = cost = 0.0
    for good in itertools.product([True, False], repeat=len(steps)):
        for accepted in itertools.product([True, False], repeat=len(steps) - 1):
            chance = math.prod(s.success if g else 1 - s.success for s, g in zip(steps, good, strict=True))
            for g, a, v in zip(good, accepted, verifiers, strict=False):
                rate = v.sensitivity if g else v.false_alarm
                chance *= rate if a else 1 - rate
            last = accepted.index(True) if True in accepted else len(steps) - 1
            success += chance * good[last]
            cost += chance * sum(s.cost for s in steps[: last + 1])
    return success, cost


@given(
    st.lists(st.tuples(st.floats(0, 1), st.floats(0, 3)), min_size=1, max_size=4),
    st.floats(0, 1),
    st.floats(0, 1),
)
@settings(max_examples=60, deadline=None)
def test_a_cascade_is_worth_what_all_its_ways_are_worth(parts, tpr, fpr):
    verifier = VerifierBook(good=1.0, good_accepted=tpr, bad=1.0, bad_accepted=fpr)
    steps = [StepBelief(p, c, 0.0, 10.0) for p, c in parts]
    verifiers = [verifier] * (len(steps) - 1) + [None]
    composed = compose(steps, verifiers, [1.0] * len(steps))
    assert (composed.success, composed.cost) == pytest.approx(by_enumeration(steps, verifiers), abs=1e-9)


def test_later_steps_keep_only_a_share_of_their_success():
    steps = [StepBelief(0.5, 0.1, 1.0, 9.0), StepBelief(0.8, 1.0, 2.0, 4.0)]
    verifier = VerifierBook(good=1.0, good_accepted=1.0, bad=1.0, bad_accepted=0.0)
    composed = compose(steps, [verifier, None], [1.0, 0.5])
    assert composed == StepBelief(0.5 + 0.5 * 0.4, 0.6, 2.0, 4.0)


def test_bayes_says_what_refused_work_was_worth():
    verifier = VerifierBook(good=100.0, good_accepted=95.0, bad=100.0, bad_accepted=20.0)
    assert hidden_success(0.5, verifier, False) == pytest.approx(0.05 / (0.05 + 0.80))
    assert hidden_success(0.5, verifier, True) == pytest.approx(0.95 / (0.95 + 0.20))


def cascade_run(rng, told):
    """One run of cheap (.6) → verifier (.8/.6) → strong; refused work is `told` to be good or bad, or stays hidden."""
    good = rng.random() < 0.6
    if rng.random() < (0.8 if good else 0.4):
        return [StepResult(True, float(good), 0.1, 1.0)]
    return [StepResult(False, float(good) if told else None, 0.1, 1.0), StepResult(None, 1.0, 1.0, 5.0)]


def learned_from_cascades(told):
    beliefs, rng = Beliefs(), random.Random(2)
    steps = (Step("cheap", "tests"), Step("strong"))
    for _ in range(3000):
        learn(beliefs, "cheap", "code.fix", None, float(rng.random() < 0.6), 0.1, 1.0)
        learn_cascade(beliefs, "both", steps, "code.fix", None, cascade_run(rng, told))
    total = beliefs.arms["cheap"].total
    return total.wins / total.runs, beliefs.verifier("tests")


def test_rates_of_a_verifier_are_learned_where_the_truth_comes_out():
    chance, verifier = learned_from_cascades(told=True)
    assert (chance, verifier.sensitivity, verifier.false_alarm) == pytest.approx((0.6, 0.8, 0.4), abs=0.04)


def test_what_a_verifier_lets_through_is_learned_even_where_refused_work_stays_unjudged():
    chance, verifier = learned_from_cascades(told=False)
    assert chance == pytest.approx(0.6, abs=0.06)
    assert chance * verifier.sensitivity == pytest.approx(0.48, abs=0.06)
    assert (1 - chance) * verifier.false_alarm == pytest.approx(0.16, abs=0.04)


def test_a_cascade_that_never_ran_starts_from_its_steps_and_then_from_its_own_results():
    both = Candidate("both", steps=(Step("cheap", "tests"), Step("strong")))
    beliefs = beliefs_of(("cheap", 300, 180), ("strong", 300, 240))
    before = success_of(beliefs, "both", arms=[*ARMS, both])
    assert before > 0.6
    for _ in range(300):
        learn_cascade(beliefs, "both", both.steps, "code.fix", None, [StepResult(True, 0.0, 0.1)])
    assert success_of(beliefs, "both", arms=[*ARMS, both]) < 0.2


def test_cascades_share_their_verifier_and_may_use_arms_that_are_no_candidates():
    first = Candidate("one", steps=(Step("cheap", "tests"), Step("hidden")))
    second = Candidate("two", steps=(Step("middle", "tests"), Step("hidden")))
    beliefs = Beliefs()
    shown = board([Candidate("cheap"), Candidate("middle"), first, second])
    before = compile_table(shown, beliefs).beliefs[3]
    for _ in range(50):
        learn_cascade(beliefs, "one", first.steps, "code.fix", None, [StepResult(True, 0.0, 0.1)])
    table = compile_table(shown, beliefs)
    assert table.names == ("cheap", "middle", "one", "two")
    assert table.beliefs[3].success < before.success


def test_what_one_cascade_shows_of_its_last_arm_counts_for_all_that_end_in_it():
    first = Candidate("one", steps=(Step("cheap", "tests"), Step("strong")))
    second = Candidate("two", steps=(Step("middle", "tests"), Step("strong")))
    third = Candidate("three", steps=(Step("middle", "tests"), Step("other")))
    shown, beliefs = board([*ARMS, Candidate("other"), first, second, third]), beliefs_of(("cheap", 50, 20))
    for _ in range(50):
        refused = [StepResult(False, None, 0.1), StepResult(None, 1.0, 0.1)]
        learn_cascade(beliefs, "one", first.steps, "code.fix", None, refused)
    table = compile_table(shown, beliefs)
    two, three = table.beliefs[table.names.index("two")], table.beliefs[table.names.index("three")]
    assert two.success > three.success + 0.05
