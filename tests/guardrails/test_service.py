"""Decisions as events: what holds, what would hold, labels, promotion, demotion, and the same again from the log."""

import json
import random
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest

from control_plane import ControlPlane
from control_plane.guardrails import events as e
from control_plane.guardrails import outside
from control_plane.guardrails.deciding import Modes, decide
from control_plane.guardrails.errors import NoSuchHit, PromotionRefused
from control_plane.guardrails.matching import matcher_of
from control_plane.guardrails.replaying import bytes_of, digest_of, read
from control_plane.guardrails.rulefile import RuleSet
from control_plane.guardrails.service import Guard
from control_plane.guardrails.sessionfile import session_file
from control_plane.guardrails.terms import Decision, Label, Mode
from control_plane.proving import HandClock
from tests.guardrails.conftest import DB, enforced, write_rules
from tests.guardrails.ground import RULES


def decided(plane: ControlPlane) -> list[e.Decided]:
    plane.ledger.flush()
    return [event for event in events(plane) if isinstance(event, e.Decided)]


def events(plane: ControlPlane) -> list:
    return [event for _, event in read(plane.ledger)]


@pytest.mark.requirement("GUARD-02", "ROLLOUT-02")
def test_shadow_lets_through_and_records_what_it_would_have_done(plane, write):
    answer = write()
    assert (answer.live, answer.would) == (Decision.ALLOW, Decision.BLOCK)
    (event,) = decided(plane)
    assert (event.live, event.would, event.rules, event.decision) == (
        Decision.ALLOW, Decision.BLOCK, answer.rules, answer.decision,
    )  # fmt: skip
    assert [(hit.rule, hit.mode, hit.path) for hit in event.hits] == [("database-verification", Mode.SHADOW, DB)]


@pytest.mark.requirement("GUARD-04", "GUARD-28")
def test_markers_tell_the_model_what_happened_and_a_block_names_rule_cure_and_way_out(write):
    assert write().message.startswith("[BLOCK-SHADOW] database-verification")
    assert write("src/api/users.ts").message.startswith("[WARN] api-review")
    assert write("docs/guide.md").message.startswith("[SUGGEST] docs-style")
    blocked = write(OPENCODE_ENFORCEMENT_MODE="enforce")
    assert blocked.live is Decision.BLOCK
    for part in (
        "[BLOCK] database-verification", DB, "use the skill database-verification first",
        f"control-plane guard label {blocked.decision} FP --rule database-verification",
        "control-plane guard off --for 1h",
    ):  # fmt: skip
        assert part in blocked.message


@pytest.mark.requirement("ROLLOUT-16", "ROLLOUT-17", "GUARD-01")
def test_one_family_is_enforced_while_the_rest_stays_in_shadow(write):
    told = {"OPENCODE_ENFORCEMENT_MODE": "enforce", "OPENCODE_ENFORCE_FAMILIES": "secrets"}
    assert write(**told).live is Decision.ALLOW
    assert write(".env", **told).live is Decision.BLOCK


@pytest.mark.requirement("GUARD-01")
def test_a_scope_is_enforced_while_its_neighbour_stays_in_shadow(guard, write):
    rules = json.loads(json.dumps(RULES))
    rules["skills"]["database-verification"]["fileTriggers"]["pathPatterns"].append("lib/**")
    write_rules(Path(guard.project), rules)
    for number in range(59):
        answer = write(session=f"b{number}")
        guard.ledger.flush()
        guard.label(answer.decision, Label.TP)
    guard.promote("database", scope="src/db")
    assert write("src/db/x.ts").live is Decision.BLOCK
    assert write("lib/x.ts").live is Decision.ALLOW


@pytest.mark.requirement("GUARD-44", "GUARD-09", "GUARD-05")
def test_promotion_is_refused_with_58_clean_labels_and_granted_with_59(plane, guard, write):
    for number in range(59):
        if number == 58:
            with pytest.raises(PromotionRefused) as refused:
                guard.promote("database", actor="ann")
            assert "58 true and 0 false" in refused.value.why
            assert "59 labels" in refused.value.cure
            assert write().live is Decision.ALLOW
        answer = write(session=f"s{number}")
        guard.ledger.flush()
        guard.label(answer.decision, Label.TP, actor="ann")
    granted = guard.promote("database", actor="ann")
    assert granted.bound <= 0.05
    assert write().live is Decision.BLOCK
    assert write(".env").live is Decision.ALLOW
    told = events(plane)
    assert [type(one) for one in told if isinstance(one, e.PromotionDenied | e.ModeChanged)] == [
        e.PromotionDenied, e.ModeChanged,
    ]  # fmt: skip


@pytest.mark.requirement("GUARD-10", "ROLLOUT-18")
def test_a_false_positive_too_many_demotes_within_one_decision(guard, write):
    enforced(guard, write)
    blocked = write()
    assert blocked.live is Decision.BLOCK
    guard.ledger.flush()
    changed = guard.label(blocked.decision, Label.FP, actor="ann")
    assert [type(event) for event in changed] == [e.HitLabelled, e.ModeChanged]
    assert write().live is Decision.ALLOW
    assert guard.state().changes[-1].cause == "demotion"


def test_what_flags_enforce_is_demoted_too(guard, write):
    told = {"OPENCODE_ENFORCEMENT_MODE": "enforce"}
    blocked = write(**told)
    guard.ledger.flush()
    guard.label(blocked.decision, Label.FP, actor="ann")
    assert write(**told).live is Decision.ALLOW
    assert write(".env", **told).live is Decision.BLOCK


@pytest.mark.requirement("GUARD-29")
def test_one_call_labels_a_block_a_false_positive(guard, write):
    blocked = write(OPENCODE_ENFORCEMENT_MODE="enforce")
    guard.label(blocked.decision, Label.FP)
    assert guard.state().hits[f"{blocked.decision}\ndatabase-verification"].label is Label.FP
    with pytest.raises(NoSuchHit):
        guard.label("nobody", Label.FP)


@pytest.mark.requirement("GUARD-43")
def test_the_same_log_and_rules_give_the_same_bytes(plane, guard, write):
    """Every decision again, of its event and of the state before it alone."""
    enforced(guard, write)
    for path in (DB, ".env", "src/api/users.ts", "docs/a.md", "src/app.ts", "src/db/x.test.ts"):
        write(path)
        write(path, OPENCODE_ENFORCEMENT_MODE="enforce", OPENCODE_ENFORCE_FAMILIES="secrets")
        write(path, SKIP_DB_VERIFICATION="1")
    guard.check("Skill", {"skill": "database-verification"}, session="t")
    guard.finished("Skill", {"skill": "database-verification"}, session="t")
    guard.ledger.flush()
    write(session="t", OPENCODE_ENFORCEMENT_MODE="enforce")
    write(content="// @skip-validation", session="u", OPENCODE_ENFORCEMENT_MODE="enforce")
    plane.ledger.flush()
    again = guard.replay()
    assert (again.decisions, again.same) == (59 + 18 + 3, 59 + 18 + 3)
    assert again.digest == guard.replay().digest
    assert again.digest == digest_of(map(bytes_of, decided(plane)))


@pytest.mark.requirement("GUARD-43")
def test_what_two_processes_decide_side_by_side_replays_as_well(plane, home, clock, project):
    """Two planes, two threads each, while rules, labels, modes and skills change under them."""

    def work(guard: Guard, seed: int) -> None:
        draw = random.Random(seed)
        for number in range(40):
            session, turn = f"s{draw.randrange(3)}", draw.random()
            if turn < 0.7:
                path = draw.choice([DB, ".env", "docs/a.md", f"src/db/{number}.ts"])
                told = {"file_path": path, "content": draw.choice(["x", "// @skip-validation"])}
                answer = guard.check("Write", told, session=session, environment=draw.choice(SURROUNDINGS))
                if answer.live is Decision.BLOCK:
                    guard.ledger.flush()
                    guard.label(answer.decision, Label.FP, rule=answer.hits[0].rule)
            elif turn < 0.8:
                guard.finished("Skill", {"skill": "database-verification"}, session=session)
            elif turn < 0.9:
                guard.prompt("a prisma migration", session=session)
            elif turn < 0.95:
                more = {f"z{number % 2}-rule": {"fileTriggers": {"pathPatterns": ["z/**"]}}}
                write_rules(project, {"skills": {**RULES["skills"], **more}})
            else:
                guard.matcher()
                guard.set_mode("database", draw.choice([Mode.SHADOW, Mode.OFF]))

    with ControlPlane.open(home, clock=clock, background=False) as other, ThreadPoolExecutor(4) as threads:
        guards = (plane.guard, plane.guard, other.guard, other.guard)
        for done in [threads.submit(work, guard, seed) for seed, guard in enumerate(guards)]:
            done.result(120)
        other.flush()
    again = plane.guard.replay()
    assert again.decisions > 80
    assert (again.same, again.differing) == (again.decisions, ())


SURROUNDINGS = ({}, {"OPENCODE_ENFORCEMENT_MODE": "enforce"}, {"SKIP_DB_VERIFICATION": "1"})


def test_a_replay_sees_a_decision_that_does_not_follow(plane, guard, write):
    write()
    event = decided(plane)[0]
    forged = msgspec.structs.replace(event, decision="forged", live=Decision.BLOCK)
    plane.ledger.record(forged)
    plane.ledger.flush()
    again = guard.replay()
    assert (again.decisions, again.same, again.differing) == (2, 1, ("forged",))


@pytest.mark.requirement("GUARD-03", "ROLLOUT-04")
def test_the_session_file_stays_readable(guard, write, project):
    write(session="ses/1")
    guard.finished("Write", {"file_path": str(project / DB)}, session="ses/1")
    guard.absorb()
    told = json.loads(session_file(str(project), "ses/1").read_text())
    assert set(told) == {"editedFiles", "appliedSkills", "violations", "payloadSamples"}
    assert told["editedFiles"] == [DB]
    assert told["violations"][0]["rule"] == "database-verification"
    assert "content" not in json.dumps(told)


def test_a_folder_that_is_no_project_of_ours_is_left_alone(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with ControlPlane.open(tmp_path.parent / f"{tmp_path.name}-home", background=False) as plane:
        plane.guard.check("Write", {"file_path": "a"}, session="s")
        plane.guard.finished("Write", {"file_path": "a"}, session="s")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.requirement("GUARD-12")
def test_only_a_young_decision_says_that_a_session_is_protected(guard, write, clock):
    assert not guard.protected("s")
    write()
    guard.ledger.flush()
    assert guard.protected("s")
    clock.pass_by(601)
    assert not guard.protected("s")


@pytest.mark.requirement("GUARD-26", "GUARD-27")
def test_what_a_person_switched_off_is_signed_when_the_plane_returns(home, write, plane, monkeypatch):
    monkeypatch.setattr(outside, "now", plane.ledger.clock.now)
    told = {"OPENCODE_ENFORCEMENT_MODE": "enforce"}
    outside.switch_off(str(home), 3600, "ann")
    assert write(**told).skip == "switched off by a person"
    plane.close()
    clock = HandClock(plane.ledger.clock.now() + 10)
    with ControlPlane.open(home, clock=clock, background=False) as again:
        assert again.guard.check("Write", {"file_path": DB}, session="s", environment=told).live is Decision.ALLOW
        assert again.guard.state().off_until == pytest.approx(clock.now() + 3590)
        signed = [one for one in events(again) if isinstance(one, e.SwitchedOff)]
        assert [one.actor for one in signed] == ["ann"]
        clock.pass_by(3600)
        assert again.guard.check("Write", {"file_path": DB}, session="s", environment=told).live is Decision.BLOCK


def test_broken_rules_keep_the_last_good_version_and_alert(guard, write, project):
    good = write().rules
    (project / ".claude/skills/skill-rules.json").write_text("{")
    answer = write(OPENCODE_ENFORCEMENT_MODE="enforce")
    assert (answer.live, answer.rules) == (Decision.BLOCK, good)
    assert write().alert
    (project / ".claude/skills/skill-rules.json").unlink()
    assert write(OPENCODE_ENFORCEMENT_MODE="enforce").live is Decision.BLOCK
    write_rules(project, RULES)
    write()
    assert write().alert == ""


def test_a_project_without_rules_raises_no_alert(guard, write, project):
    (project / ".claude/skills/skill-rules.json").unlink()
    assert [write().alert for _ in range(3)] == ["", "", ""]
    assert write().live is Decision.ALLOW


def test_a_marker_that_the_agent_wrote_is_no_skip(guard, write, project):
    told = {"OPENCODE_ENFORCEMENT_MODE": "enforce"}
    assert write(content="// @skip-validation", **told).live is Decision.BLOCK
    guard.ledger.flush()
    (project / DB).write_text("// @skip-validation")
    assert write(**told).live is Decision.BLOCK


def test_a_stop_switch_that_lies_in_the_future_does_not_hold(home, tmp_path):
    home.mkdir(parents=True)
    (home / outside.OFF).write_text(json.dumps({"began": outside.now(), "until": outside.now() + 9e9}))
    assert outside.switched_off(str(home), outside.now()) is None


@pytest.mark.requirement("GUARD-46")
def test_a_catastrophic_pattern_takes_no_time(write, project):
    rules = {"skills": {"evil-regex": {
        "type": "guardrail", "enforcement": "block",
        "fileTriggers": {"pathPatterns": ["**"], "contentPatterns": ["^(a+)+$", "(.*,){30}P", "(x|x)*y"]}}}}  # fmt: skip
    write_rules(project, rules)
    text = "a" * 100_000 + "!"
    assert write(content=text).would is Decision.ALLOW
    assert write(content="aaa").would is Decision.BLOCK


def test_modes_are_a_pure_function(guard: Guard, write) -> None:
    write()
    state = guard.state()
    matcher = matcher_of(RuleSet(state.rules, state.versions[state.rules]))
    seen = e.Observation(event="PreToolUse", session="s", targets=(e.Target(DB),))
    verdicts = {decide(matcher, Modes(told=Mode.ENFORCE), guard.past("s"), seen, 1.0) for _ in range(3)}
    assert len(verdicts) == 1


def test_session_files_are_written_by_many_callers_at_once_and_nothing_is_lost(guard, write, project):
    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(lambda number: write(f"src/db/{number}.ts") and guard.save_sessions() is None, range(40)))
    told = json.loads(session_file(str(project), "s").read_text())
    assert {one["path"] for one in told["violations"]} == {f"src/db/{number}.ts" for number in range(40)}


def test_where_session_files_cannot_be_written_checks_go_on_and_the_log_says_so_once(plane, guard, write, project):
    (project / ".opencode/cache").write_text("a file in the folder's place")
    for _ in range(3):
        assert write().would is Decision.BLOCK
        guard.absorb()
    plane.ledger.flush()
    told = [event for event in events(plane) if isinstance(event, e.HookFailed)]
    assert [(one.event, one.went_on) for one in told] == [("session-file", True)]
