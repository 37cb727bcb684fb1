"""The choice of an arm: pure, exact about its chances, cautious where it must be."""

import math
import random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from control_plane.router.ahead import Ahead
from control_plane.router.board import Board, Candidate, ChoicePolicy
from control_plane.router.cascade import Step
from control_plane.router.choice import SLOTS, compile_table, mix_bits, pick, serves
from control_plane.router.events import ResultRecorded
from control_plane.router.posterior import MEMORY, Beliefs, learn
from control_plane.router.request import Request
from control_plane.router.situation import Boards, look
from control_plane.router.state import RouterState
from control_plane.router.terms import Arm, Arms, Policy

ARMS = [Candidate("cheap"), Candidate("middle"), Candidate("strong")]
POLICY = ChoicePolicy()


def board(arms=ARMS, policy=POLICY, task_type="code.fix", repo=None):
    return Board(arms, policy, task_type, repo)


def beliefs_of(*counts, task_type="code.fix", cost=0.1):
    """Each count is (arm, runs, wins)."""
    beliefs = Beliefs()
    for arm, runs, wins in counts:
        for i in range(runs):
            learn(beliefs, arm, task_type, None, float((i * wins) % runs < wins), cost)
    return beliefs


def success_of(beliefs, arm, **key):
    shown = board(**key)
    shown.refresh(beliefs)
    return shown.beliefs[shown.names.index(arm)].success


results = st.lists(
    st.tuples(
        st.sampled_from(["cheap", "middle", "strong"]),
        st.sampled_from(["code.fix", "code.review"]),
        st.sampled_from([None, "acme/api", "acme/web"]),
        st.sampled_from([None, 0.0, 1.0]),
        st.none() | st.floats(0, 5),
        st.none() | st.floats(0, 500),
    ),
    max_size=60,
)


@given(results, st.sampled_from([None, "cheap", "strong"]), st.booleans())
@settings(max_examples=60, deadline=None)
def test_the_chances_fill_the_line_exactly_and_a_kept_board_compiles_what_a_fresh_one_does(seen, incumbent, loop):
    beliefs, kept = Beliefs(), board(repo="acme/api")
    for arm, task_type, repo, success, cost, time in seen:
        learn(beliefs, arm, task_type, repo, success, cost, time)
        table = compile_table(kept, beliefs, incumbent, loop)
        assert table.edges[-1] == SLOTS
        assert math.fsum(table.chances) == 1.0
    assert compile_table(kept, beliefs, incumbent, loop) == compile_table(
        board(repo="acme/api"), beliefs, incumbent, loop
    )


@given(results, st.sampled_from([None, "acme/api", "acme/web"]))
@settings(max_examples=60, deadline=None)
def test_a_board_that_leans_on_a_wider_one_compiles_what_a_fresh_one_does(seen, repo):
    steps = (Step("cheap", "tests"), Step("strong"))
    for arms in (ARMS, [*ARMS, Candidate("both", steps=steps)]):
        beliefs, anywhere = Beliefs(), Board(arms, POLICY)
        narrow = anywhere if repo is None else anywhere.narrower("code.fix", elsewhere=True)
        kept = narrow.narrower("code.fix", repo)
        for arm, task_type, where, success, cost, time in seen:
            assert compile_table(kept, beliefs) == compile_table(board(arms, repo=repo), beliefs)
            learn(beliefs, arm, task_type, where, success, cost, time)
        for task_type in ("code.fix", "unseen"):
            fresh, unseen = board(arms, task_type=task_type, repo=repo), narrow.narrower(task_type, repo)
            shown = kept if task_type == "code.fix" else unseen
            if repo is None or task_type == "code.fix":
                assert compile_table(shown, beliefs) == compile_table(fresh, beliefs)
        assert kept.lost == board_lost(arms, repo, beliefs)


def board_lost(arms, repo, beliefs):
    fresh = board(arms, repo=repo)
    fresh.refresh(beliefs)
    return fresh.lost


def test_a_restored_snapshot_decides_as_the_original():
    beliefs = beliefs_of(("cheap", 40, 20), ("middle", 7, 6), ("strong", 3, 1))
    restored = msgspec.json.decode(msgspec.json.encode(beliefs), type=Beliefs)
    assert compile_table(board(), restored) == compile_table(board(), beliefs)


def test_the_recorded_chance_is_how_often_an_arm_is_chosen():
    table = compile_table(board(), beliefs_of(("cheap", 4, 2), ("middle", 4, 2)))
    draws = 40_000
    counts = [0, 0, 0]
    for i in range(draws):
        arm, chance = pick(table, mix_bits(99, i))
        assert chance == table.chance(arm)
        counts[arm] += 1
    for arm, count in enumerate(counts):
        chance = table.chance(arm)
        assert abs(count / draws - chance) < 5 * math.sqrt(chance * (1 - chance) / draws) + 1e-9


def test_every_slot_belongs_to_the_arm_whose_edge_follows_it():
    table = compile_table(board(), Beliefs())
    assert pick(table, 0)[0] == table.arms[0]
    assert pick(table, table.edges[0])[0] == table.arms[1]
    assert pick(table, SLOTS - 1)[0] == table.arms[-1]


def test_the_bits_of_a_seed_never_change():
    assert [mix_bits(0, i) for i in range(2)] == [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4]


def test_when_nothing_is_known_all_arms_have_the_same_chance():
    table = compile_table(board(), Beliefs())
    assert max(table.chances) - min(table.chances) < 1e-8


def test_no_arm_ever_starves():
    beliefs = beliefs_of(("cheap", 500, 5), ("middle", 500, 10), ("strong", 500, 400))
    assert min(compile_table(board(), beliefs).chance(arm) for arm in range(3)) > 0.99 * POLICY.floor / 3 > 0.0


def test_a_table_that_serves_many_draws_does_not_spend_them_on_one_doubtful_arm():
    """The strong arm's only run failed: one more tells much, a whole table full of them would be waste."""
    beliefs = beliefs_of(("cheap", 1990, 1200), ("middle", 9, 0), ("strong", 1, 0), cost=0.01)
    table = compile_table(board(), beliefs)
    draws = serves(2000)
    assert draws == 32
    assert table.best == 0
    for arm, runs in ((1, 9), (2, 1)):
        assert table.chance(arm) * draws <= 1.0 + POLICY.news * runs + 0.02
    assert table.chance(2) * draws > 1.0


def test_in_a_tool_loop_nothing_is_explored():
    beliefs = beliefs_of(("cheap", 9, 4), ("middle", 2, 0))
    table = compile_table(board(), beliefs, in_tool_loop=True)
    assert table.arms == (table.best,) == (0,)
    assert table.chances == (1.0,)
    assert {pick(table, mix_bits(1, i)) for i in range(100)} == {(table.best, 1.0)}


def test_in_a_tool_loop_a_proven_arm_goes_before_one_that_has_hardly_run():
    beliefs = beliefs_of(("cheap", 300, 138), ("strong", 1, 0))
    assert compile_table(board(), beliefs).best == 2
    assert compile_table(board(), beliefs, in_tool_loop=True).arms == (0,)


def test_in_a_tool_loop_an_incumbent_stays_unless_clearly_beaten():
    close = beliefs_of(("cheap", 60, 30), ("strong", 60, 33))
    assert compile_table(board(), close, "cheap", in_tool_loop=True).arms == (0,)
    far = beliefs_of(("cheap", 300, 60), ("strong", 300, 270))
    assert compile_table(board(), far, "cheap", in_tool_loop=True).arms == (2,)


def test_a_gain_below_margin_and_switch_cost_does_not_move_an_incumbent():
    sure = beliefs_of(("cheap", 1500, 750), ("strong", 1500, 900))
    gain = 2.0 * (success_of(sure, "strong") - success_of(sure, "cheap"))
    for toll, stays in ((gain * 0.5, False), (gain * 1.1, True)):
        policy = ChoicePolicy(margin_usd=0.0, switch_cost_usd=toll)
        table = compile_table(board(policy=policy), sure, "cheap")
        assert (table.chance(0) > 0.89) is stays


def test_an_incumbent_that_is_no_candidate_is_ignored():
    beliefs = beliefs_of(("cheap", 30, 20))
    assert compile_table(board(), beliefs, "gone") == compile_table(board(), beliefs)


def test_the_only_arm_is_certain():
    table = compile_table(board([Candidate("only")]), Beliefs())
    assert pick(table, 123) == (0, 1.0)


def test_a_hundred_arms_without_costs_get_a_whole_line():
    arms = [Candidate(f"arm-{i}") for i in range(100)]
    beliefs = Beliefs()
    for i in range(100):
        learn(beliefs, f"arm-{i}", "code.fix", None, float(i % 3 == 0), 0.0, 0.0)
    table = compile_table(board(arms), beliefs)
    assert table.edges[-1] == SLOTS
    assert len(table.arms) == 100


@pytest.mark.parametrize("prior", [0.0, 1.0])
def test_a_certain_prior_breaks_nothing(prior):
    table = compile_table(board([Candidate("a", prior=prior), Candidate("b", prior=prior)]), Beliefs())
    assert math.fsum(table.chances) == 1.0


def test_a_result_without_outcome_teaches_only_cost_and_time():
    beliefs, shown = Beliefs(), board()
    learn(beliefs, "cheap", "code.fix", None, None, 0.4, 12.0)
    shown.refresh(beliefs)
    row = shown.beliefs[0]
    assert (row.success, row.runs, row.time) == (0.5 + 0.5 * POLICY.hope, POLICY.prior_runs, 12.0)
    guess, weight = POLICY.price_guess * POLICY.success_value_usd, POLICY.price_runs
    assert row.cost == (0.4 + weight * guess) / (1.0 + weight)


def test_hope_raises_a_doubtful_prior_more_than_a_sure_one():
    shown_arms = [Candidate("doubtful", prior=0.2), Candidate("sure", prior=0.95)]
    shown = board(shown_arms)
    shown.refresh(Beliefs())
    raised = [row.success - arm.prior for row, arm in zip(shown.beliefs, shown_arms, strict=True)]
    assert raised == pytest.approx([0.8 * POLICY.hope, 0.05 * POLICY.hope])


def test_one_dear_call_does_not_condemn_an_arm():
    beliefs, other = Beliefs(), Beliefs()
    learn(beliefs, "cheap", "code.fix", None, 1.0, 1.0)
    for _ in range(400):
        learn(other, "cheap", "code.fix", None, 1.0, 1.0)
    costs = [compile_table(board(), seen).beliefs[0].cost for seen in (beliefs, other)]
    assert costs[0] < 0.6
    assert costs[1] > 0.99


def test_a_result_that_is_taken_back_leaves_no_trace_in_the_sums():
    beliefs, other = beliefs_of(("cheap", 6, 4)), beliefs_of(("cheap", 6, 4))
    learn(beliefs, "cheap", "code.fix", None, 1.0, 0.5)
    learn(beliefs, "cheap", "code.fix", None, 1.0, 0.5, weight=-1.0)
    assert success_of(beliefs, "cheap") == success_of(other, "cheap")


def test_a_dearer_arm_must_earn_its_price():
    beliefs = Beliefs()
    for i in range(200):
        learn(beliefs, "cheap", "code.fix", None, float(i % 10 < 6), 0.02)
        learn(beliefs, "strong", "code.fix", None, float(i % 10 < 7), 0.90)
    assert board().names[compile_table(board(), beliefs).best] == "cheap"
    valuable = ChoicePolicy(success_value_usd=20.0)
    assert board().names[compile_table(board(policy=valuable), beliefs).best] == "strong"


def test_slow_arms_pay_when_time_is_worth_money():
    beliefs = Beliefs()
    for i in range(100):
        learn(beliefs, "cheap", "code.fix", None, float(i % 2), 0.0, 5.0)
        learn(beliefs, "strong", "code.fix", None, float(i % 10 < 6), 0.0, 300.0)
    two = [ARMS[0], ARMS[2]]
    assert compile_table(board(two), beliefs).best == 1
    assert compile_table(board(two, policy=ChoicePolicy(time_value_usd_per_s=0.001)), beliefs).best == 0


def test_a_new_task_type_starts_from_what_others_saw_and_outgrows_it():
    beliefs = beliefs_of(("strong", 400, 360), task_type="code.review")
    borrowed = success_of(beliefs, "strong")
    assert 0.6 < borrowed < 0.9
    for _ in range(200):
        learn(beliefs, "strong", "code.fix", None, 0.0)
    assert success_of(beliefs, "strong") < 0.12
    assert success_of(beliefs, "strong", task_type="code.review") > 0.85


def test_a_new_repo_starts_from_its_task_type():
    beliefs = Beliefs()
    for i in range(300):
        learn(beliefs, "cheap", "code.fix", "acme/api", float(i % 10 < 8))
    assert 0.7 < success_of(beliefs, "cheap", repo="acme/web") < success_of(beliefs, "cheap", repo="acme/api") < 0.81


def test_a_result_counts_once_when_there_is_but_one_type_and_repo():
    beliefs = Beliefs()
    for i in range(20):
        learn(beliefs, "cheap", "code.fix", "acme/api", float(i % 2))
    shown = board(repo="acme/api")
    shown.refresh(beliefs)
    assert shown.beliefs[0].runs == POLICY.prior_runs + 20


def test_each_task_type_learns_its_own_best_arm():
    truth = {"code.fix": (0.8, 0.4, 0.4), "code.review": (0.4, 0.8, 0.4), "docs": (0.4, 0.4, 0.8)}
    beliefs, rng = Beliefs(), random.Random(5)
    boards = {task_type: board(task_type=task_type) for task_type in truth}
    late = {task_type: [0, 0, 0] for task_type in truth}
    for turn in range(1500):
        task_type = ("code.fix", "code.review", "docs")[turn % 3]
        arm, _ = pick(compile_table(boards[task_type], beliefs), mix_bits(7, turn))
        learn(beliefs, ARMS[arm].name, task_type, None, float(rng.random() < truth[task_type][arm]), 0.1)
        late[task_type][arm] += turn >= 900
    for best, counts in enumerate(late.values()):
        assert counts[best] > 0.8 * sum(counts)


def test_a_drop_of_the_best_arm_is_noticed():
    beliefs, rng, shown, turns = Beliefs(), random.Random(11), board(), 0
    rates = [0.3, 0.6, 0.85]
    played = []
    for turn in range(2000):
        if turn == 1500:
            rates[2] = 0.2
        arm, _ = pick(compile_table(shown, beliefs), mix_bits(3, turn))
        learn(beliefs, ARMS[arm].name, "code.fix", None, float(rng.random() < rates[arm]), 0.1)
        played.append(arm)
    turns = next(i for i in range(1500, 2000) if played[i : i + 20].count(2) < 5) - 1500
    assert turns < 100


def test_what_is_remembered_stays_bounded():
    beliefs = Beliefs()
    for i in range(20_000):
        learn(beliefs, "cheap", "code.fix", "acme/api", float(i % 2), 0.1, 1.0)
    assert beliefs.arms["cheap"].total.runs <= MEMORY + 32


def test_in_a_tool_loop_an_arm_that_never_ran_is_not_tried():
    poor = beliefs_of(("cheap", 20, 4))
    assert compile_table(board(), poor, in_tool_loop=True).arms == (0,)


def test_boards_do_not_mix_catalogues_that_use_the_same_names():
    kept, request = Boards(), Request("code.fix", None, None, False, False, None, None, (), (), None, None, None)
    for prior in (0.2, 0.9, 0.2):
        arms = Arms([Arm("cheap", prior=prior), Arm("strong")])
        seen = look(RouterState(), request, arms, Policy(hope=0.0), 0.0, kept)
        assert seen.beliefs[0].success == prior


@given(results, results, st.sampled_from([None, "acme/api"]))
@settings(max_examples=60, deadline=None)
def test_a_board_that_is_turned_to_a_state_ahead_shows_what_a_fresh_one_does(before, behind, repo):
    cascade = Arm.cascade("both", [("cheap", "tests"), ("strong", None)])
    arms = (Arm("cheap"), Arm("middle"), Arm("strong"), cascade)
    state = RouterState(arms={arm.name: arm for arm in arms})
    candidates = [Candidate(arm.name, arm.prior, steps=tuple(Step(*step) for step in arm.steps)) for arm in arms]
    kept = Board(candidates, POLICY).narrower("code.fix", elsewhere=True).narrower("code.fix", repo)
    for arm, task_type, where, success, cost, time in before:
        learn(state.beliefs, arm, task_type, where, success, cost, time)
    for ahead in (Ahead(state, "code.fix", 1), Ahead(state, "code.fix", 1)):
        for arm, _, where, success, cost, _ in behind:
            name = "both" if arm == "middle" else arm
            event = ResultRecorded(at=1.0, arm=name, task_type="code.fix", repo=where, success=success, cost_usd=cost)
            fresh = Board(candidates, POLICY, "code.fix", repo)
            ahead.learn(event)
            assert compile_table(kept, ahead.state.beliefs) == compile_table(fresh, ahead.state.beliefs)
        assert compile_table(kept, state.beliefs) == compile_table(board(candidates, repo=repo), state.beliefs)
