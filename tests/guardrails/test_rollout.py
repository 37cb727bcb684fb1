"""The rollout out of the log: figures, tuning replayed over history, reports, phases, and the weekly proposals."""

import functools
import json
from pathlib import Path

import pytest

from control_plane import Task
from control_plane.guardrails import events as e
from control_plane.guardrails import reporting, tuning
from control_plane.guardrails.errors import BadTuning
from control_plane.guardrails.measures import ArmWeek, Kpis, families, kpis, rules_of
from control_plane.guardrails.proposals import proposals
from control_plane.guardrails.replaying import read
from control_plane.guardrails.report import as_json, as_markdown
from control_plane.guardrails.reports import KINDS, modes_of
from control_plane.guardrails.rollout import phases
from control_plane.guardrails.state import State
from control_plane.guardrails.statistics import labels_needed, upper_bound
from control_plane.guardrails.stopping import stop
from control_plane.guardrails.terms import Decision, Label, Mode
from control_plane.guardrails.tuning import Change, candidates, rehearse, tune
from tests.guardrails.conftest import DB, Write
from tests.guardrails.ground import RULES

DAY = 86400.0


def labelled(guard, write: Write, label: Label, *paths: str) -> None:
    for path in paths:
        answer = write(path, session=f"of {path}")
        guard.ledger.flush()
        guard.label(answer.decision, label, rule=answer.hits[0].rule, actor="ann")


FALSE = ("src/db/generated/a.ts", "src/db/generated/b.ts", "src/db/generated/deep/c.ts")
TRUE = (DB, "src/db/pool.ts")


@pytest.mark.requirement("GUARD-06", "ROLLOUT-05", "ROLLOUT-10")
def test_the_figures_follow_from_decisions_and_labels(guard, write):
    labelled(guard, write, Label.FP, *FALSE[:1])
    labelled(guard, write, Label.TP, *TRUE)
    write("src/app.ts", session="quiet")
    write(session="loud", OPENCODE_ENFORCEMENT_MODE="enforce", OPENCODE_ENFORCE_FAMILIES="database")
    write(".env", session="loud", OPENCODE_ENFORCEMENT_MODE="enforce")
    guard.ledger.flush()
    found = kpis(guard.state())
    assert (found.decisions, found.sessions, found.blocks, found.would_blocks) == (6, 5, 2, 5)
    assert (found.true, found.false, found.false_positive_rate, found.block_hit_rate) == (2, 1, 1 / 3, 2 / 5)
    assert found.stop_check_pass_rate is None
    assert rules_of(guard.state())[0].rule == "database-verification"
    listed = {one.family: one for one in families(guard.state(), modes_of(guard, guard.state()))}
    assert (listed["database"].true, listed["database"].false) == (2, 1)
    assert listed["database"].bound == pytest.approx(upper_bound(1, 3))


@pytest.mark.requirement("ROLLOUT-11")
def test_candidates_take_false_hits_together_and_no_true_one(guard, write):
    labelled(guard, write, Label.FP, *FALSE)
    labelled(guard, write, Label.TP, *TRUE)
    assert candidates(guard.state()) == (Change(rule="database-verification", exclude=("src/db/generated/**",)),)
    labelled(guard, write, Label.TP, "src/db/generated/d.ts")
    globs = {glob for change in candidates(guard.state()) for glob in change.exclude}
    assert "src/db/generated/**" not in globs
    assert globs == set(FALSE)


@pytest.mark.requirement("GUARD-08", "ROLLOUT-13", "ROLLOUT-14", "ROLLOUT-15")
def test_a_change_is_replayed_over_history_before_it_applies(guard, plane, write, project):
    labelled(guard, write, Label.FP, *FALSE)
    labelled(guard, write, Label.TP, *TRUE)
    before = (project / ".claude/skills/skill-rules.json").read_text()
    greedy = Change(rule="database-verification", exclude=("src/db/**",))
    with pytest.raises(BadTuning) as refused:
        tune(guard, greedy, apply=True)
    assert "of 2 true hits 0 would be left" in refused.value.why
    assert (project / ".claude/skills/skill-rules.json").read_text() == before
    good = Change(rule="database-verification", exclude=("src/db/generated/**",))
    seen = tune(guard, good, apply=True, actor="ann")
    assert (seen.decisions, seen.false_before, seen.false_after, seen.true_before, seen.true_after) == (5, 3, 0, 2, 2)
    assert write(FALSE[0]).would is Decision.ALLOW
    assert write().would is Decision.BLOCK
    rule = json.loads((project / ".claude/skills/skill-rules.json").read_text())["skills"]["database-verification"]
    assert rule["fileTriggers"]["pathExclusions"][-1] == "src/db/generated/**"
    assert rule["blockMessage"] == RULES["skills"]["database-verification"]["blockMessage"]
    plane.flush()
    (event,) = [event for _, event in read(plane.ledger) if isinstance(event, e.RulesTuned)]
    assert (event.applied, event.false_before, event.false_after, event.actor) == (True, 3, 0, "ann")
    # What was tuned away no longer counts against the family.
    assert kpis(guard.state()).false == 3
    assert {one.family: one.false for one in families(guard.state(), {})}["database"] == 0


def test_trying_changes_nothing(guard, write, project):
    labelled(guard, write, Label.FP, *FALSE)
    before = (project / ".claude/skills/skill-rules.json").read_text()
    seen = rehearse(guard.ledger, guard.state(), Change(rule="database-verification", exclude=("src/db/generated/**",)))
    assert (seen.hits_before, seen.hits_after, seen.good) == (3, 0, True)
    tune(guard, seen.change, apply=False)
    assert (project / ".claude/skills/skill-rules.json").read_text() == before
    with pytest.raises(BadTuning):
        tune(guard, Change(rule="nobody"), apply=False)
    with pytest.raises(BadTuning):
        tuning._write(Path(guard.project), Change(rule="nobody"))


@pytest.mark.requirement(
    "GUARD-15",
    "GUARD-07",
    "GUARD-11",
    "ROLLOUT-06",
    "ROLLOUT-07",
    "ROLLOUT-08",
    "ROLLOUT-12",
    "ROLLOUT-19",
    "ROLLOUT-23",
)
@pytest.mark.parametrize("kind", KINDS)
def test_every_report_is_markdown_and_json(guard, plane, write, kind):
    labelled(guard, write, Label.FP, *FALSE)
    labelled(guard, write, Label.TP, *TRUE)
    report = reporting.make(guard, kind)
    markdown, told = reporting.write(guard, report)
    assert markdown.read_text().startswith(f"# {report.title}\n")
    assert markdown.read_text() == as_markdown(report)
    read_back = json.loads(told.read_text())
    assert (read_back["kind"], read_back["figures"]["false"], read_back["figures"]["true"]) == (kind, 3.0, 2.0)
    assert told.read_text() == as_json(report)
    plane.flush()
    written = [event for _, event in read(plane.ledger) if isinstance(event, e.ReportWritten)]
    assert [event.kind for event in written] == [kind]
    assert guard.state().reports[kind] > 0


def test_the_burn_in_report_names_noisy_rules_and_candidates(guard, write):
    labelled(guard, write, Label.FP, *FALSE)
    labelled(guard, write, Label.TP, *TRUE)
    text = as_markdown(reporting.make(guard, "burn-in"))
    assert "database-verification: exclude src/db/generated/** | 5 | 3 | 0 | 2 | 2" in text
    with pytest.raises(BadTuning):
        reporting.make(guard, "nothing")


def test_a_cell_cannot_break_its_table(guard, write):
    write("src/db/a|b.ts")
    guard.ledger.flush()
    assert "src/db/a\\|b.ts" in as_markdown(reporting.make(guard, "labels"))


def promote_the_others(guard, write) -> None:
    for path in (*(f"s{n}/.env" for n in range(59)), *(f"web/src/{n}.tsx" for n in range(59))):
        answer = write(path, content="makeStyles(", session="more")
        guard.ledger.flush()
        guard.label(answer.decision, Label.TP, rule=answer.hits[0].rule)
    guard.promote("secrets")
    guard.promote("frontend")


def status_of(guard) -> list[str]:
    return [phase.status for phase in phases(guard.state(), guard.now())]


def write_reports(guard, *kinds: str) -> None:
    for kind in kinds:
        reporting.write(guard, reporting.make(guard, kind))


def execute_a_stop_check(guard, project) -> None:
    guard.set_stop("", "execute")
    (project / "ruff").write_text("#!/bin/sh\nexit 0\n")
    (project / "ruff").chmod(0o755)
    stop(guard, "s", {"PATH": f"{project}:/bin"}, edited=["a.py"])
    guard.ledger.flush()


@pytest.mark.requirement("GUARD-14", "ROLLOUT-01", "ROLLOUT-09", "ROLLOUT-16", "ROLLOUT-17", "ROLLOUT-20", "ROLLOUT-26")
def test_the_eight_phases_go_on_as_their_evidence_comes_into_the_log(guard, write, clock, project, monkeypatch):
    assert status_of(guard) == ["in progress"] + ["pending"] * 7 or status_of(guard)[0] == "pending"
    guard.matcher()
    report = functools.partial(write_reports, guard)
    report("baseline")
    assert status_of(guard)[:2] == ["done", "in progress"]
    (project / "pyproject.toml").write_text("[tool.ruff]\n")
    labelled(guard, write, Label.FP, *FALSE)
    stop(guard, "s", {}, edited=["a.py"])
    report("labels", "progress")
    assert status_of(guard)[1:3] == ["done", "in progress"]
    clock.pass_by(1.5 * DAY)
    labelled(guard, write, Label.TP, *(f"src/db/{n}.ts" for n in range(59)))
    report("burn-in")
    assert status_of(guard)[2:4] == ["done", "in progress"]
    tune(guard, Change(rule="database-verification", exclude=("src/db/generated/**",)), apply=True)
    clock.pass_by(60)
    report("tuning")
    assert status_of(guard)[3] == "in progress", "the burn-in was not run again"
    clock.pass_by(60)
    report("burn-in")
    assert status_of(guard)[3:5] == ["done", "in progress"]
    guard.promote("database")
    assert write().live is Decision.BLOCK
    assert write(".env").live is Decision.ALLOW
    guard.ledger.flush()
    report("expansion")
    assert status_of(guard)[4] == "in progress", "other families are still in shadow"
    promote_the_others(guard, write)
    assert status_of(guard)[4] == "done"
    execute_a_stop_check(guard, project)
    report("execute", "playbook")
    assert status_of(guard)[5:] == ["done", "done", "in progress"]
    report("weekly")
    assert status_of(guard) == ["done"] * 8
    clock.pass_by(8 * DAY)
    assert status_of(guard)[7] == "in progress", "a week without a report"


@pytest.mark.requirement("GUARD-16", "ROLLOUT-26", "ROLLOUT-27", "ROLLOUT-28")
def test_the_weekly_report_proposes_with_the_figures_behind_it(guard, plane, write):
    for number in range(40):
        for arm, cost in (("acme/one", 0.02),):
            plane.record_result(arm=arm, task=Task(type="code.fix"), success=number % 10 != 0, cost_usd=cost)
    labelled(guard, write, Label.FP, *FALSE)
    plane.flush()
    text = as_markdown(reporting.make(guard, "weekly"))
    for words in (
        "| model tiers |",
        "| concurrency |",
        "| guardrails | tune database-verification |",
        "| stop checks |",
    ):
        assert words in text
    assert "acme/one: 36 of 40 succeeded, $0.0200 each" in text


def arm(name: str, successes: int, failures: int, cost: float, **more: int) -> ArmWeek:
    results = successes + failures
    return ArmWeek(
        arm=name, results=results, successes=successes, failures=failures, cost_usd=cost * results,
        rate_limited=more.get("rate_limited", 0), timed_out=more.get("timed_out", 0),
    )  # fmt: skip


def changes(*arms: ArmWeek, week: Kpis | None = None, state: State | None = None) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for one in proposals(week or kpis(State()), (), (), arms, state or State()):
        assert one.figures
        found.setdefault(one.area, []).append(one.change)
    return found


@pytest.mark.requirement("ROLLOUT-27")
def test_tiers_and_concurrency_are_proposed_only_where_the_figures_bear_it():
    assert changes()["model tiers"] == ["leave them"]
    assert changes(arm("dear", 95, 5, 0.5), arm("cheap", 94, 6, 0.1))["model tiers"] == ["prefer cheap to dear"]
    assert changes(arm("dear", 95, 5, 0.5), arm("cheap", 80, 20, 0.1))["model tiers"] == ["leave them"]
    assert changes(arm("dear", 9, 0, 0.5), arm("cheap", 9, 0, 0.1))["model tiers"] == ["leave them"]
    assert changes(arm("weak", 5, 45, 0.1))["model tiers"] == ["a stronger tier than weak"]
    assert changes(arm("a", 90, 10, 0.1, rate_limited=10))["concurrency"] == ["half as many sessions at once on a"]
    assert changes(arm("a", 100, 0, 0.1))["concurrency"] == ["a bears a quarter more"]
    assert changes(arm("a", 5, 5, 0.1, rate_limited=5))["concurrency"] == ["leave it"]


def test_the_bound_is_the_exact_one():
    assert upper_bound(0, 58) > 0.05 >= upper_bound(0, 59)
    assert upper_bound(0, 2) == pytest.approx(1 - 0.05**0.5)
    assert [labels_needed(false, 0.05) for false in range(3)] == [59, 93, 124]
    assert upper_bound(3, 3) == 1.0


def test_modes_come_from_the_log_when_flags_say_nothing(guard, write):
    guard.matcher()
    assert set(modes_of(guard, guard.state()).values()) == {Mode.SHADOW}
