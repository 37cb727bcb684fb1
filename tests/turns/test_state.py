"""What is known of turns, sessions and spending, event by event."""

from control_plane.ledger.events import Event
from control_plane.turns.events import (
    AutoSwitched,
    HistoryImported,
    LimitReached,
    Limits,
    LimitsSet,
    PastStep,
    SamplesSwitched,
    StepTaken,
    TurnBegun,
    TurnEnded,
    TurnJudged,
    TurnMoved,
    TurnUnadvised,
    Usage,
)
from control_plane.turns.state import DAY_S, DAYS, SESSIONS, TURNS, Session, Spent, Tally, Turns, day_of, fold

A, B, C = "acme/a", "acme/b", "acme/c"
USAGE = Usage(cost_usd=0.5, tokens_in=100, tokens_out=10, cache_read=1000, cache_write=7, quota=2)


def after(*events: Event, state: Turns | None = None) -> Turns:
    state = state or Turns()
    for event in events:
        fold(state, event)
    return state


def begun(turn: str = "t", session: str = "s", used: str = A, picked: str = "auto", parent: str = "") -> TurnBegun:
    return TurnBegun(
        at=1.0, turn=turn, session=session, task_type="fix", picked=picked, used=used, advised=A, decision="d1",
        directory="/repo", reason="cheaper", parent=parent or None,
    )  # fmt: skip


def step(turn: str = "t", session: str = "s", at: float = 1.0, error: str | None = None) -> StepTaken:
    return StepTaken(at=at, turn=turn, session=session, message="m", model=A, usage=USAGE, error=error)


def moved(to: str | None = B, attempt: int = 1, failed: str = A) -> TurnMoved:
    return TurnMoved(
        at=2.0, turn="t", session="s", failed=failed, error="503", to=to, decision="d2" if to else None, attempt=attempt
    )


def ended(model: str = A, error: str | None = None, turn: str = "t", effects: bool = False) -> TurnEnded:
    return TurnEnded(at=3.0, turn=turn, session="s", model=model, usage=USAGE, error=error, effects=effects)


def judged(verdict: str, turn: str = "t") -> TurnJudged:
    return TurnJudged(at=4.0, turn=turn, session="s", verdict=verdict, source="tests")


def test_a_turn_under_auto_from_its_begin_to_its_verdict() -> None:
    state = after(begun(parent="p"), step(), step(), ended(effects=True), judged("good"))
    turn = state.turns["t"]
    assert (turn.session, turn.task_type, turn.picked, turn.used, turn.advised) == ("s", "fix", "auto", A, A)
    assert (turn.decision, turn.repo, turn.reason, turn.moves, turn.steps) == ("d1", "/repo", "cheaper", 0, 2)
    assert (turn.ended, turn.usage, turn.error, turn.effects, turn.verdict) == (True, USAGE, None, True, "good")
    assert state.sessions["s"] == Session(
        turn="t", held=A, failed=None, spent_usd=1.0, requests=4, context=1117, warned="", parent="p"
    )
    assert state.tallies == {"fix": {A: Tally(turns=1, auto=1, won=1.0, lost=0.0)}}
    assert state.days == {"0": Spent(usd=1.0, requests=4)}
    assert (state.begun, state.ended, state.known, state.moved, state.steps) == (1, 1, 1, 0, 2)


def test_a_turn_by_hand_is_counted_and_holds_no_model() -> None:
    state = after(begun(picked="hand"), step(), ended(model=B))
    assert state.sessions["s"].held is None
    assert state.sessions["s"].context == 1117
    assert state.tallies["fix"] == {A: Tally(turns=0, auto=0), B: Tally(turns=1, auto=0)}
    assert (state.turns["t"].used, state.turns["t"].decision) == (B, None)


def test_a_session_remembers_its_parent_and_the_context_of_the_model_it_holds() -> None:
    state = after(begun(parent="p"), step(), begun("t2"))
    assert (state.sessions["s"].parent, state.sessions["s"].turn, state.sessions["s"].context) == ("p", "t2", 1117)
    after(begun("t3", used=B), state=state)
    assert (state.sessions["s"].held, state.sessions["s"].context) == (B, 0)
    after(step("t3"), step("t3", error="503"), begun("t4", used=C, picked="hand"), state=state)
    assert (state.sessions["s"].held, state.sessions["s"].context) == (B, 1117)


def test_a_failed_step_is_paid_and_leaves_the_context_alone() -> None:
    state = after(begun(), step(error="503"))
    session = state.sessions["s"]
    assert (session.spent_usd, session.requests, session.context, state.steps) == (0.5, 2, 0, 1)


def test_a_turn_that_moves_is_another_models() -> None:
    state = after(begun(), step(), moved(to=B, attempt=1), moved(to=C, attempt=2, failed=B))
    turn, session = state.turns["t"], state.sessions["s"]
    assert (turn.used, turn.moves, turn.decision, state.moved) == (C, 2, "d2", 2)
    assert (session.held, session.failed, session.context) == (C, None, 0)
    assert state.tallies["fix"] == {name: Tally(turns=1, auto=1) for name in (A, B, C)}


def test_a_turn_that_cannot_move_names_what_failed() -> None:
    state = after(begun(), step(), moved(to=None))
    assert (state.sessions["s"].failed, state.sessions["s"].held, state.sessions["s"].context) == (A, A, 1117)
    assert (state.moved, state.turns["t"].moves) == (0, 0)
    # The next turn begins anew.
    assert after(begun("t2"), state=state).sessions["s"].failed is None


def test_a_move_of_a_turn_that_is_forgotten_counts_for_its_session() -> None:
    state = after(moved(to=B))
    assert (state.sessions["s"].held, state.moved, state.tallies) == (B, 1, {})


def test_the_end_says_which_model_it_was_and_whether_it_failed() -> None:
    state = after(begun(), ended(model=B, error="503"))
    turn = state.turns["t"]
    assert (turn.used, turn.decision, turn.error) == (B, None, "503")
    assert (state.sessions["s"].held, state.sessions["s"].failed) == (B, B)
    assert state.tallies["fix"] == {A: Tally(turns=0, auto=0), B: Tally(turns=1, auto=1)}
    # Once: a second end, or that of an unknown turn, is no news.
    after(ended(model=C), ended(turn="lost"), state=state)
    assert (state.ended, state.turns["t"].used, list(state.turns)) == (1, B, ["t"])


def test_who_cancels_blames_no_model() -> None:
    assert after(begun(), ended(error="cancelled")).sessions["s"].failed is None
    assert after(begun(), ended()).sessions["s"].failed is None


def test_the_last_verdict_counts_and_a_revert_counts_half() -> None:
    state = after(begun(), ended(), judged("bad"))
    assert (state.tallies["fix"][A], state.sessions["s"].failed) == (Tally(turns=1, auto=1, lost=1.0), A)
    after(judged("bad"), state=state)
    assert state.tallies["fix"][A].lost == 1.0
    after(judged("reverted"), state=state)
    assert (state.tallies["fix"][A].lost, state.sessions["s"].failed, state.known) == (0.5, None, 1)
    after(judged("good"), state=state)
    assert (state.tallies["fix"][A].won, state.tallies["fix"][A].lost) == (1.0, 0.0)
    after(judged("bad"), judged("bad", "lost"), state=state)
    assert (state.tallies["fix"][A].won, state.tallies["fix"][A].lost, state.known) == (0.0, 1.0, 1)


def test_a_verdict_on_an_earlier_turn_says_nothing_of_the_one_that_runs() -> None:
    state = after(begun(), ended(), begun("t2"), judged("bad"))
    assert state.sessions["s"].failed is None


def test_what_somebody_decided() -> None:
    state = after(
        AutoSwitched(at=1.0, on=True, actor="ann", incumbent=A), SamplesSwitched(at=1.0, on=True, actor="ann")
    )
    assert (state.auto, state.incumbent, state.samples) == (True, A, True)
    limits = Limits(day_usd=3.0)
    after(
        AutoSwitched(at=2.0, on=False, actor="ann"), SamplesSwitched(at=2.0, on=False, actor="ann"),
        LimitsSet(at=2.0, limits=limits, actor="ann"), state=state,
    )  # fmt: skip
    assert (state.auto, state.incumbent, state.samples, state.limits) == (False, A, False, limits)


def test_a_limit_that_is_near_or_reached_is_told_once_a_session() -> None:
    near = LimitReached(at=1.0, session="s", limit="session_usd", spent=0.8, most=1.0)
    state = after(near)
    assert state.sessions["s"].warned == "session_usd"
    after(LimitReached(at=1.0, session="s", limit="session_usd", spent=1.0, most=1.0, stopped=True), state=state)
    assert state.sessions["s"].warned == "stopped"


def test_history_is_counted_and_its_newest_message_kept() -> None:
    def past(*messages: str) -> HistoryImported:
        steps = tuple(PastStep(message, "t", "s", A, 1.0, USAGE) for message in messages)
        return HistoryImported(at=1.0, source="opencode", steps=steps)

    state = after(past("m2", "m3"), past("m1"), past())
    assert (state.imported, state.imported_until) == (3, {"opencode": "m3"})


def test_days_are_those_of_utc() -> None:
    assert [day_of(at) for at in (0, DAY_S - 1, DAY_S, 10 * DAY_S + 1)] == ["0", "0", "1", "10"]


def test_the_oldest_turns_and_sessions_and_days_are_forgotten_first() -> None:
    state = after(*(begun(f"t{number}", f"s{number}") for number in range(TURNS)))
    assert len(state.turns) == TURNS
    assert len(state.sessions) == SESSIONS
    after(begun("one more", f"s{TURNS - SESSIONS}"), state=state)
    assert list(state.turns)[0 :: TURNS - 1] == ["t1", "one more"]
    # Used again: another session is the oldest now.
    after(begun("and one", "new"), state=state)
    assert f"s{TURNS - SESSIONS}" in state.sessions
    assert f"s{TURNS - SESSIONS + 1}" not in state.sessions
    assert len(state.sessions) == SESSIONS
    after(*(step(at=day * DAY_S) for day in range(DAYS + 1)), state=state)
    assert (len(state.days), next(iter(state.days))) == (DAYS, "1")


def test_a_turn_that_went_on_alone_is_counted_once_with_its_reason() -> None:
    alone = TurnUnadvised(at=1.0, turn="t", session="s", reason="no answer within 40 ms")
    state = after(begun(), alone, alone, TurnUnadvised(at=1.0, turn="nobody", session="s", reason="?"))
    assert (state.unadvised, state.turns["t"].unadvised) == (1, "no answer within 40 ms")
