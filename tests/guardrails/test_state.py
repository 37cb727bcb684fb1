"""What the guardrails know of sessions, hits, labels and checks, event by event."""

from typing import Any

import pytest

from control_plane.guardrails import events as e
from control_plane.guardrails.state import (
    MOST_HITS,
    MOST_PATHS,
    MOST_SESSIONS,
    MOST_VERSIONS,
    Hit,
    State,
    StopScope,
    fold,
    hit_key,
)
from control_plane.guardrails.terms import Decision, Label, Mode
from control_plane.ledger.events import Event

SHADOWED = e.Hit("keys", "secrets", "a.env", Mode.SHADOW, Decision.BLOCK, Decision.ALLOW)
ENFORCED = e.Hit("keys", "secrets", "b.env", Mode.ENFORCE, Decision.BLOCK, Decision.BLOCK)
HINT = e.Hit("style", "words", "c.md", Mode.SHADOW, Decision.ALLOW, Decision.ALLOW)


def after(*events: Event, state: State | None = None) -> State:
    state = state or State()
    for event in events:
        fold(state, event)
    return state


def decided(
    *hits: e.Hit, at: float = 1.0, decision: str = "d", session: str = "s", skip: str = "", **seen: Any
) -> e.Decided:
    live = Decision.BLOCK if any(hit.live is Decision.BLOCK for hit in hits) else Decision.ALLOW
    would = Decision.BLOCK if any(hit.would is Decision.BLOCK for hit in hits) else Decision.ALLOW
    observed = e.Observation(event="PreToolUse", session=session, **seen)
    return e.Decided(
        at=at, decision=decision, rules="v1", position=1, told=None, families=(), seen=observed, hits=hits, live=live,
        would=would, skip=skip,
    )  # fmt: skip


def test_what_would_block_and_what_does_are_counted_apart() -> None:
    state = after(decided(SHADOWED), decided(ENFORCED, SHADOWED, decision="e", at=2.0), decided(decision="f", at=3.0))
    session = state.sessions["s"]
    assert (session.decisions, session.blocks, session.would_blocks) == (3, 1, 2)
    assert (session.began, session.last) == (1.0, 3.0)
    assert session.violations == ["keys a.env", "keys b.env"]
    counts = state.counts
    assert (counts.decisions, counts.blocks, counts.would_blocks, counts.sessions) == (3, 1, 2, 1)
    assert state.per_rule == {"keys": {"hits": 3, "would": 3, "live": 1}}


def test_the_spans_begin_with_the_first_and_end_with_the_last() -> None:
    state = after(decided(at=5.0))
    assert (state.first_decision, state.last_decision, state.first_shadow, state.first_enforced) == (5.0, 5.0, 0, 0)
    after(decided(skip="no rule matches", at=6.0), decided(SHADOWED, at=7.0), decided(ENFORCED, at=8.0), state=state)
    after(decided(ENFORCED, at=4.0), state=state)
    assert (state.first_decision, state.last_decision, state.first_shadow, state.first_enforced) == (5.0, 8.0, 6.0, 8.0)
    assert (state.sessions["s"].began, state.sessions["s"].last) == (5.0, 8.0)
    assert after(decided(SHADOWED, at=7.0)).first_shadow == 7.0


def test_a_marker_that_the_session_wrote_itself_is_never_trusted() -> None:
    own = e.Target("a.py", adds=("skip",), markers=("skip", "old"))
    state = after(decided(targets=(own,)), decided(targets=(e.Target("b.py", markers=("skip",)),), decision="e"))
    past = state.sessions["s"].past()
    assert past.forged == {"a.py\nskip"}
    assert past.trusted == {"a.py\nold", "b.py\nskip"}
    assert past.skills == frozenset()


def test_a_hit_that_changes_nothing_is_counted_and_not_asked_about() -> None:
    state = after(decided(HINT))
    assert (state.hits, state.per_rule) == ({}, {"style": {"hits": 1, "would": 0, "live": 0}})
    assert state.sessions["s"].violations == []


def test_the_last_label_of_a_hit_counts() -> None:
    def labelled(label: Label, actor: str, decision: str = "d") -> e.HitLabelled:
        return e.HitLabelled(at=2.0, decision=decision, rule="keys", label=label, actor=actor)

    state = after(decided(SHADOWED), labelled(Label.TP, "ann"), labelled(Label.FP, "bob"))
    after(labelled(Label.TP, "ann", "lost"), state=state)
    assert state.hits == {
        hit_key("d", "keys"): Hit(
            "keys", "secrets", "a.env", Decision.BLOCK, Decision.ALLOW, "s", 1.0, "v1", Label.FP, "bob"
        )
    }


def test_what_nobody_labelled_is_let_go_and_what_somebody_did_stays() -> None:
    state = after(decided(SHADOWED, decision="labelled"))
    after(e.HitLabelled(at=2.0, decision="labelled", rule="keys", label=Label.TP, actor="ann"), state=state)
    after(*(decided(SHADOWED, decision=f"d{number}") for number in range(MOST_HITS - 1)), state=state)
    assert len(state.hits) == MOST_HITS
    after(decided(SHADOWED, decision="one more"), state=state)
    assert len(state.hits) == MOST_HITS + 1 - MOST_HITS // 10
    assert {hit_key("labelled", "keys"), hit_key("one more", "keys"), hit_key(f"d{MOST_HITS // 10}", "keys")} <= set(
        state.hits
    )
    assert hit_key(f"d{MOST_HITS // 10 - 1}", "keys") not in state.hits


def test_the_session_that_was_used_last_is_forgotten_last() -> None:
    state = after(*(decided(session=f"s{number}") for number in range(MOST_SESSIONS)))
    after(decided(session="s0"), state=state)
    assert len(state.sessions) == MOST_SESSIONS
    after(decided(session="new"), state=state)
    assert len(state.sessions) == MOST_SESSIONS
    assert "s0" in state.sessions
    assert "s1" not in state.sessions
    assert state.counts.sessions == MOST_SESSIONS + 1


def test_lists_of_paths_hold_each_once_and_the_newest() -> None:
    state = after(e.ToolFinished(at=1.0, session="s", tool="edit", edited=("a", "b", "a"), skill="tdd"))
    after(e.ToolFinished(at=1.0, session="s", tool="edit", edited=("a",)), state=state)
    assert (state.sessions["s"].edited, state.sessions["s"].skills) == (["a", "b"], ["tdd"])
    many = tuple(f"p{number}" for number in range(MOST_PATHS))
    after(e.ToolFinished(at=1.0, session="s", tool="edit", edited=many), state=state)
    assert state.sessions["s"].edited == list(many)


def test_rules_replace_each_other_and_the_latest_versions_are_kept() -> None:
    refused = e.RulesRefused(at=1.0, source="rules.json", digest="0", reason="no rule", kept="")
    state = after(refused)
    assert (state.alert, state.counts.refused_rules, state.rules) == ("rules.json: no rule", 1, "")
    for number in range(MOST_VERSIONS):
        after(e.RulesLoaded(at=2.0, version=f"v{number}", source="rules.json", rules=()), state=state)
    assert (state.alert, state.rules, len(state.versions)) == ("", f"v{MOST_VERSIONS - 1}", MOST_VERSIONS)
    after(e.RulesLoaded(at=2.0, version="v0", source="rules.json", rules=()), state=state)
    assert (state.rules, len(state.versions), list(state.versions)[-1]) == ("v0", MOST_VERSIONS, "v0")
    after(e.RulesLoaded(at=2.0, version="new", source="rules.json", rules=()), state=state)
    assert (len(state.versions), "v1" in state.versions, "v0" in state.versions) == (MOST_VERSIONS, False, True)


def test_the_latest_changes_of_modes_and_tunings_are_kept() -> None:
    state = State()
    for number in range(102):
        change = e.ModeChanged(
            at=float(number), family="secrets", scope="", mode=Mode.ENFORCE, cause="asked", actor="ann"
        )
        tuned = e.RulesTuned(
            at=float(number), rule="keys", before="v1", after="v2", applied=True, decisions=9, false_before=4,
            false_after=1, true_before=3, true_after=2, actor="ann",
        )  # fmt: skip
        after(change, tuned, state=state)
    assert list(state.modes.values()) == [Mode.ENFORCE]
    assert [change.at for change in state.changes] == [float(at) for at in range(2, 102)]
    assert [tuning.at for tuning in state.tunings] == [float(at) for at in range(2, 102)]
    last = state.tunings[-1]
    assert (last.rule, last.before, last.after, last.applied) == ("keys", "v1", "v2", True)
    assert (last.false_before, last.false_after, last.true_before, last.true_after) == (4, 1, 3, 2)


@pytest.mark.parametrize(
    ("outcome", "passed", "failed", "timed_out"), [("passed", 1, 0, 0), ("failed", 0, 1, 0), ("timed-out", 0, 0, 1)]
)
def test_checks_are_counted_by_their_outcome_and_the_red_ones_named(
    outcome: str, passed: int, failed: int, timed_out: int
) -> None:
    check = e.StopChecked(
        at=3.0, plan="p", session="s", root=".", command=("make", "test"), kind="test", outcome=outcome, exit_code=1,
        seconds=1.0, output_bytes=0, output_digest="",
    )  # fmt: skip
    state = after(check, check)
    counts = state.counts
    assert (counts.stop_passed, counts.stop_failed, counts.stop_timed_out) == (2 * passed, 2 * failed, 2 * timed_out)
    assert state.failed == ([] if passed else ["make test"])
    assert state.first_executed == 3.0


def test_plans_name_the_programs_and_answers_the_round() -> None:
    plan = e.StopPlanned(at=2.0, plan="p", session="s", mode="plan", commands=(("npm", "test"), ("npm", "x")), roots=())
    state = after(plan, plan, e.StopAnswered(at=3.0, session="s", cause="red", blocked=True, round=2))
    assert (state.counts.plans, state.first_plan, state.managers) == (2, 2.0, ["npm"])
    assert state.sessions["s"].rounds == {"red": 2}
    changed = e.StopModeChanged(at=4.0, scope="web", mode="execute", actor="ann", max_commands=3, timeout_s=9.0)
    assert after(changed, state=state).stop == {"web": StopScope("execute", 3, 9.0, None)}


def test_off_lasts_until_it_is_over_or_somebody_ends_it() -> None:
    off = e.SwitchedOff(at=1.0, began=1.0, until=100.0, actor="ann")
    state = after(off)
    assert state.off_until == 100.0
    assert after(e.SwitchedOn(at=50.0, actor="ann"), state=state).off_until == 50.0
    assert after(e.SwitchedOn(at=60.0, actor="ann"), state=state).off_until == 50.0


def test_failures_and_reports_are_remembered() -> None:
    failed = e.HookFailed(at=1.0, session="s", event="PreToolUse", tool="edit", reason="late", went_on=True)
    state = after(failed, failed, e.ReportWritten(at=5.0, kind="weekly", digest="0"))
    assert (state.counts.failures, state.reports) == (2, {"weekly": 5.0})
    assert state.sessions == {}


def test_what_the_fold_does_not_know_changes_nothing() -> None:
    denied = e.PromotionDenied(at=1.0, family="f", scope="", actor="ann", clean=1, false=1, bound=0.5, target=0.05)
    assert after(denied) == State()
