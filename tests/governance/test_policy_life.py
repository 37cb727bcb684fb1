"""A policy moves from draft to enforce through its gates, and back; each step is a signed event."""

import contextlib
import copy
import threading

import msgspec
import pytest

from control_plane import ControlPlane, Policy
from control_plane.errors import BadInput, BadSignature, ControlPlaneError
from control_plane.governance.acts import check_act
from control_plane.governance.audit import audit
from control_plane.governance.events import (
    ArtifactRecorded,
    PolicyAdvanced,
    PolicyPaused,
    PolicyRefused,
    PolicyRolledBack,
)
from control_plane.governance.projection import POLICIES
from control_plane.governance.rules import OutOfOrder, StepPaused, StepRefused
from control_plane.projections.folding import Folder
from control_plane.proving.facts import CHANGES
from control_plane.proving.gates import ACTOR, ARMS, NAME, OTHER, WHY, Site, site
from tests.governance.policies import BY, STAGES, climb, fresh, word, written


@pytest.mark.requirement("GOV-12", "FG-RISK-2", "FG-07-2")
def test_a_policy_goes_through_every_stage_and_back():
    with site() as at:
        seen = ["draft"]
        while seen[-1] != "enforce":
            climb(at, STAGES[len(seen)])
            seen.append(at.plane.policies.show(NAME).stage)
        assert tuple(seen) == STAGES
        assert at.plane.policies.show(NAME).in_force
        while seen[-1] != "draft":
            at.rollback()
            seen.append(at.plane.policies.show(NAME).stage)
        assert tuple(seen[5:]) == STAGES[::-1]
        with pytest.raises(OutOfOrder):
            at.rollback()


@pytest.mark.requirement("GOV-14", "FG-12-1", "FG-12-2", "FG-07-2")
def test_each_step_is_signed_by_who_made_it_and_names_actor_reason_and_artifacts():
    with site() as at:
        climb(at, "enforce")
        at.rollback()
        steps = written(at, PolicyAdvanced, PolicyRolledBack)
        assert [(step.before, step.after) for step in steps][-1] == ("enforce", "canary")
        assert all((step.actor, step.reason) == (ACTOR, WHY) for step in steps)
        held = {event.digest for event in written(at, ArtifactRecorded)}
        assert {step.simulation for step in steps[:-1]} <= held
        assert {step.evaluation for step in steps[1:-1]} <= held
        origin, own = at.keys.own.verifier.name, [at.keys.own.verifier]
        for step in steps:
            check_act(step, origin, own)
            with pytest.raises(BadSignature):
                check_act(msgspec.structs.replace(step, actor="somebody else"), origin, own)
        found = at.audit()
        assert found.ok
        assert (found.advances, found.linked, found.waived) == (5, 5, 0)


def test_the_audit_names_a_forged_step_and_a_lost_artifact():
    with site() as at:
        climb(at, "evaluated")
        events = [found.event for found in at.plane.ledger.read(0, 1_000)]
        with at.opened() as opened:
            keyring = opened.keyring()
        forged = [
            msgspec.structs.replace(event, actor="mallory") if isinstance(event, PolicyAdvanced) else event
            for event in events
        ]
        assert len(audit(forged, keyring).problems) == 2
        lost = [event for event in events if not isinstance(event, ArtifactRecorded)]
        assert "careful went to evaluated without its evaluation" in audit(lost, keyring).problems


@pytest.mark.requirement("GOV-13")
def test_a_new_revision_begins_as_a_draft_and_what_is_in_force_is_not_replaced():
    with site() as at:
        climb(at, "shadow")
        at.propose(note="second")
        shown = at.plane.policies.show(NAME)
        assert (shown.policy_revision, shown.stage, shown.simulation) == (2, "draft", "")
        with pytest.raises(OutOfOrder, match="says exactly this"):
            at.propose(note="second")
        climb(at, "canary")
        with pytest.raises(OutOfOrder, match="at canary"):
            at.propose(note="third")


def test_stages_are_not_skipped_and_one_canary_runs_at_a_time():
    with site() as at:
        with pytest.raises(OutOfOrder):
            at.advance("enforce", **fresh(at))
        climb(at, "canary")
        at.propose(OTHER)
        climb(at, "shadow", OTHER)
        with pytest.raises(OutOfOrder, match="careful is the canary"):
            at.advance("canary", OTHER, **fresh(at, OTHER))
        at.plane.policies.advance(NAME, to="canary", share=0.5, **fresh(at), **BY)
        assert at.plane.policies.show(NAME).share == 0.5
        for share in (0.0, 1.0, -1.0, float("nan")):
            with pytest.raises(BadInput):
                at.plane.policies.advance(NAME, to="canary", share=share, **fresh(at), **BY)


@pytest.mark.parametrize(("actor", "reason"), [("", "x"), ("x", ""), ("a\nb", "x"), ("x", "y" * 501), (" ", "x")])
def test_a_step_without_a_name_or_a_reason_is_refused(actor: str, reason: str):
    with site() as at, pytest.raises(BadInput):
        at.plane.policies.advance(NAME, actor=actor, reason=reason, **fresh(at))


@pytest.mark.requirement("GOV-22", "GOV-23")
@pytest.mark.parametrize("fact", CHANGES)
@pytest.mark.parametrize("kind", ["simulation", "evaluation"])
def test_an_artifact_is_stale_once_a_single_bound_fact_changes(kind: str, fact: str):
    prefix = {"simulation": "policy_sim", "evaluation": "eval"}[kind]
    with site() as at:
        artifact = at.attempts(kind).good()
        assert at.plane.policies.judge(NAME, **{kind: artifact})[kind].ok
        CHANGES[fact].make(at)
        assert at.plane.policies.judge(NAME, **{kind: artifact})[kind].verdict == f"{prefix}_{CHANGES[fact].verdict}"


def test_what_changes_nothing_that_was_simulated_leaves_an_artifact_fresh():
    with site() as at:
        artifact = at.attempts("simulation").good()
        for _ in range(1_000):
            at.plane.record_result(arm="acme/one", success=True)
        at.plane.flush()
        at.propose(OTHER)
        assert word(lambda: at.advance("simulated")) == "missing_policy_sim_gate"
        at.clock.pass_by(23 * 3600.0)
        with ControlPlane.open(at.home, catalogue=ARMS, clock=at.clock, background=False):
            pass
        assert word(lambda: at.advance("simulated", simulation=artifact)) == "ok"


@pytest.mark.requirement("GOV-27")
def test_an_inconclusive_result_pauses_and_a_better_one_goes_on():
    with site() as at:
        climb(at, "simulated")
        attempts = at.attempts("evaluation")
        doubtful = attempts.signed(attempts.report(low=-0.1, delta=0.1, high=0.3))
        for _ in range(2):
            with pytest.raises(StepPaused) as paused:
                at.advance("evaluated", simulation=fresh(at)["simulation"], evaluation=doubtful)
            assert (paused.value.code, paused.value.verdict) == ("policy.paused", "eval_inconclusive")
        (event,) = written(at, PolicyPaused)
        assert (event.stage, event.verdict) == ("simulated", "eval_inconclusive")
        assert at.plane.policies.show(NAME).paused
        climb(at, "evaluated")
        assert not at.plane.policies.show(NAME).paused


@pytest.mark.requirement("GOV-26", "FG-07-1")
@pytest.mark.parametrize(
    ("kind", "field", "verdict"),
    [
        ("simulation", "acceptance_ratio", "missing_policy_sim_acceptance_ratio"),
        ("simulation", "risk", "missing_policy_sim_risk"),
        ("evaluation", "delta", "missing_eval_delta"),
        ("evaluation", "low", "missing_eval_delta"),
        ("evaluation", "high", "missing_eval_delta"),
        ("evaluation", "samples", "missing_eval_delta"),
    ],
)
def test_a_missing_metric_fails(kind: str, field: str, verdict: str):
    with site() as at:
        attempts = at.attempts(kind)
        for offer in (attempts.without("", verdict, field).offer, attempts.signed(attempts.report(**{field: None}))):
            assert at.plane.policies.judge(NAME, **{kind: offer})[kind].verdict == verdict


@pytest.mark.requirement("FG-07-1")
def test_the_thresholds_stand_where_they_are_said_to():
    with site() as at:
        simulations, evaluations = at.attempts("simulation"), at.attempts("evaluation")
        for accepted, said in ((900, "ok"), (899, "policy_sim_acceptance_ratio_below_threshold")):
            counts = {"total": 1_000, "accepted": accepted, "rejected": 1_000 - accepted}
            offer = simulations.signed(simulations.report(**counts, acceptance_ratio=accepted / 1_000))
            assert at.plane.policies.judge(NAME, simulation=offer)["simulation"].verdict == said
        for low, delta, said in ((0.0, 0.0, "ok"), (-0.01, -0.001, "eval_delta_below_threshold")):
            offer = evaluations.signed(evaluations.report(low=low, delta=delta, high=0.1))
            assert at.plane.policies.judge(NAME, evaluation=offer)["evaluation"].verdict == said


def test_refusals_and_steps_are_counted_with_their_reasons():
    with site() as at:
        assert word(lambda: at.advance("simulated")) == "missing_policy_sim_gate"
        assert word(lambda: at.advance("simulated", simulation="00" * 32)) == "missing_policy_sim_artifact"
        climb(at, "simulated")
        found = at.plane.policies.ratios()
        assert (found["accepted"], found["rejected"]) == (1, 2)
        assert found["reasons"] == {"missing_policy_sim_gate": 1, "missing_policy_sim_artifact": 1}
        assert [event.verdict for event in written(at, PolicyRefused)] == list(found["reasons"])


def test_a_recorded_artifact_counts_for_the_steps_to_come_and_another_policys_is_not_recorded():
    with site() as at:
        for artifact in fresh(at).values():
            at.plane.policies.record(artifact)
        assert word(lambda: at.advance("simulated")) == "ok"
        attempts = at.attempts("simulation")
        for bad in (b"noise", attempts.signed(attempts.report(policy_hash="0" * 64))):
            with pytest.raises(StepRefused):
                at.plane.policies.record(bad)
        with pytest.raises(ControlPlaneError):
            at.plane.policies.record(attempts.signed(attempts.report(policy="nobody")))


def test_of_two_processes_that_take_the_same_step_one_takes_it():
    with site() as at, ControlPlane.open(at.home, catalogue=ARMS, clock=at.clock, background=False) as other:
        offers, said, together = fresh(at), [], threading.Barrier(2)

        def step(plane: ControlPlane) -> None:
            together.wait(20.0)
            try:
                plane.policies.advance(NAME, to="simulated", **offers, **BY)
                said.append("ok")
            except OutOfOrder:
                said.append("late")

        threads = [threading.Thread(target=step, args=(plane,)) for plane in (at.plane, other)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(said) == ["late", "ok"]
        assert len(written(at, PolicyAdvanced)) == 1


def test_what_somebody_else_wrote_in_between_is_decided_on_anew():
    """The step was allowed on what was seen, and is refused on what was written meanwhile."""
    with site() as at, ControlPlane.open(at.home, catalogue=ARMS, clock=at.clock, background=False) as other:
        offers, append, interfered = fresh(at), at.plane.ledger.append, []

        def slow(stream, events, *, expected=None):
            if not interfered:
                interfered.append(other.flips.flip("OPENCODE_TAIL_SLO", "false", **BY))
            return append(stream, events, expected=expected)

        at.plane.ledger.turn = contextlib.nullcontext  # as on two hosts, which do not take turns
        at.plane.ledger.append = slow  # the moment between look and write, made long
        assert word(lambda: at.advance("simulated", **offers)) == "policy_sim_stale_flags"


@pytest.mark.requirement("GOV-15")
@pytest.mark.parametrize(("mode", "farthest"), [("off", "evaluated"), ("shadow", "shadow")])
def test_the_environments_brake_stands_above_every_policy_and_flip(monkeypatch, mode: str, farthest: str):
    with site() as at:
        climb(at, "enforce")
        assert at.plane.flags.enforcement_mode == "enforce"
        monkeypatch.setenv("OPENCODE_ENFORCEMENT_MODE", mode)
        with ControlPlane.open(at.home, catalogue=ARMS, clock=at.clock, background=False) as braked:
            assert braked.flags.enforcement_mode == mode
            assert braked.policies.in_force() is None
            braked.policies.propose(f'name = "{OTHER}"', **BY)
            there = Site(at.home, at.clock, braked, at.keys)
            climb(there, farthest, OTHER)
            assert word(lambda: braked.policies.advance(OTHER, **fresh(there, OTHER), **BY)) == "braked"
            braked.policies.rollback(NAME, **BY)
        monkeypatch.delenv("OPENCODE_ENFORCEMENT_MODE")
        assert at.plane.policies.show(NAME).stage == "canary"


@pytest.mark.requirement("FG-12-2")
def test_what_is_enforced_decides_and_its_flags_hold_until_it_is_rolled_back():
    text = 'name = "bold"\n[router]\nsuccess_value_usd = 9.0\n[flags]\nOPENCODE_TAIL_SLO = "false"\n'
    with site() as at:
        at.plane.policies.propose(text, **BY)
        at.plane.flips.flip("OPENCODE_TAIL_SLO", "true", **BY)
        climb(at, "enforce", OTHER)
        assert not at.plane.flags.tail_slo
        (flip,) = [one for one in at.plane.flips.made() if one.policy == OTHER]
        assert flip.simulation == at.plane.policies.show(OTHER).simulation != ""
        with ControlPlane.open(at.home, catalogue=ARMS, clock=at.clock, background=False) as plane:
            declared = Policy(success_value_usd=9.0, tail_slo=False).hash
            assert plane.advise(task()).policy_hash == declared
        with ControlPlane.open(at.home, catalogue=ARMS, policy=Policy(), clock=at.clock, background=False) as plane:
            assert plane.advise(task()).policy_hash != declared
        at.rollback(OTHER)
        assert at.plane.flips.held() == {"OPENCODE_TAIL_SLO": "true"}
        at.rollback(OTHER)
        with ControlPlane.open(at.home, catalogue=ARMS, clock=at.clock, background=False) as plane:
            assert plane.advise(task()).policy_hash == Policy().hash


def test_a_canary_decides_for_its_share_of_the_processes():
    with site() as at:
        climb(at, "canary")
        chosen = [at.plane.policies.in_force(number / 100) for number in range(100)]
        assert sum(document is not None for document in chosen) == 10


def test_policies_are_undone_in_the_reverse_order():
    with site() as at:
        climb(at, "enforce")
        at.propose(OTHER)
        climb(at, "enforce", OTHER)
        assert at.plane.policies.in_force().name == OTHER
        with pytest.raises(OutOfOrder, match="roll bold back first"):
            at.rollback()
        at.rollback(OTHER)
        assert at.plane.policies.in_force().name == NAME
        at.rollback()


def test_the_log_alone_gives_the_same_state():
    with site() as at:
        climb(at, "enforce")
        at.rollback()
        at.propose(OTHER)
        word(lambda: at.advance("simulated", OTHER))
        again = Folder(at.plane.ledger, (POLICIES,))
        again.catch_up()
        assert again.state(POLICIES) == at.plane.folder.state(POLICIES)
        stored = msgspec.msgpack.encode(copy.deepcopy(again.state(POLICIES)))
        assert msgspec.msgpack.decode(stored, type=POLICIES.state) == again.state(POLICIES)
        assert again.faults == 0


def task():
    from control_plane import Task

    return Task(type="code.fix")
