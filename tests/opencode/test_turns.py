"""The rules of a turn without an OpenCode: caution, limits, failover, verdicts."""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from control_plane import Arm, ControlPlane, Policy
from control_plane.errors import BadInput
from control_plane.turns.caution import permitted, shortfall
from control_plane.turns.events import Limits, Usage
from control_plane.turns.rules import Price as Priced
from control_plane.turns.rules import UnknownTurn, over, toll
from control_plane.turns.service import TurnBook
from control_plane.turns.state import Session, Spent, Tally
from control_plane.turns.terms import Asked, Ended, Failed, Step

A, B, C = "acme/a", "acme/b", "acme/c"
ARMS = [Arm(A, price_in=3, price_out=15), Arm(B, price_in=1, price_out=5), Arm(C, price_in=0.1, price_out=0.5)]


@pytest.fixture
def plane(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ControlPlane]:
    monkeypatch.chdir(tmp_path)
    with ControlPlane.open(tmp_path / "home", catalogue=ARMS, background=False) as plane:
        plane.turns.switch(on=True, actor="ann", incumbent=A)
        yield plane


def ask(turns: TurnBook, name: str, session: str = "s", **more: str) -> str:
    told = {"asked": A, "picked": "auto", "connected": (A, B, C)} | more
    return turns.begin(Asked(name, session, **told)).model  # type: ignore[arg-type]


@pytest.mark.requirement("OPENCODE-24")
@pytest.mark.parametrize("truth", [{A: 0.8, B: 0.5, C: 0.2}, {A: 0.7, B: 0.69, C: 0.72}, {A: 0.3, B: 0.9, C: 0.0}])
def test_success_stays_within_two_points_of_the_incumbent(truth: dict[str, float]) -> None:
    """Whoever chooses as boldly as caution permits, over 2,000 turns: in 40 runs the mean loss is below two points."""
    losses = []
    for seed in range(40):
        draw, tallies = random.Random(seed), {A: Tally(), B: Tally(), C: Tally()}
        expected = 0.0
        for _ in range(2000):
            allowed = permitted(tallies, (A, B, C), A)
            # The boldest: whoever is permitted and cheapest.
            model = min(allowed, key=lambda name: {A: 3, B: 1, C: 0.1}[name])
            row, won = tallies[model], draw.random() < truth[model]
            row.turns, row.auto = row.turns + 1, row.auto + 1
            row.won, row.lost = row.won + won, row.lost + (not won)
            expected += truth[A] - truth[model]
        losses.append(expected / 2000)
    assert sum(loss <= 0.02 for loss in losses) >= 38, losses


def test_a_careless_rule_would_be_seen() -> None:
    """The check above can fail: without caution the cheapest loses as much as it is worse."""
    tallies = {A: Tally(auto=100, won=80, lost=20), C: Tally(auto=100, won=20, lost=80)}
    assert shortfall(tallies, C, A) > 0.5
    assert permitted(tallies, (A, C), A) == (A,)
    assert C in permitted({A: Tally(auto=100, won=20, lost=80), C: Tally(auto=100, won=90, lost=10)}, (A, C), A)


@pytest.mark.requirement("OPENCODE-25")
def test_an_explicit_policy_is_obeyed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    bold = Policy(success_value_usd=0.001)
    with ControlPlane.open(tmp_path / "home", catalogue=ARMS, policy=bold, background=False) as plane:
        assert not plane.turns.cautious
        plane.turns.switch(on=True, actor="ann", incumbent=A)
        assert {ask(plane.turns, f"t{n}", f"s{n}") for n in range(20)} != {A}


def test_the_default_policy_stays_with_the_incumbent_until_others_are_known(plane: ControlPlane) -> None:
    assert plane.turns.cautious
    assert {ask(plane.turns, f"t{n}", f"s{n}") for n in range(20)} == {A}


@pytest.mark.requirement("OPENCODE-27")
def test_a_turn_moves_at_most_twice(plane: ControlPlane) -> None:
    turns = plane.turns
    model = ask(turns, "t")
    went = []
    for _ in range(3):
        moved = turns.fail(Failed("t", "s", model, "rate_limit", connected=(A, B, C)))
        went.append(moved.model)
        model = moved.model or model
    assert None not in went[:2]
    assert went[2] is None
    assert "twice" in moved.reason or "2 times" in moved.reason


def test_a_callers_fault_or_effects_keep_the_turn_where_it_is(plane: ControlPlane) -> None:
    turns = plane.turns
    model = ask(turns, "t")
    assert turns.fail(Failed("t", "s", model, "caller", connected=(A, B))).model is None
    ask(turns, "u", "r")
    assert turns.fail(Failed("u", "r", model, "server", connected=(A, B), effects=True)).model is None
    ask(turns, "v", "q", picked="hand")
    assert "picked by hand" in turns.fail(Failed("v", "q", A, "server", connected=(A, B))).reason


@pytest.mark.requirement("OPENCODE-21")
def test_a_revert_is_weak_evidence_and_gives_way_to_what_a_person_said(plane: ControlPlane) -> None:
    turns = plane.turns
    for n in range(2):
        ask(turns, f"t{n}", f"s{n}")
        turns.end(Ended(f"t{n}", f"s{n}", A, Usage(cost_usd=0.1, latency_ms=5), steps=1))
    turns.judge("reverted", "revert", turn="t0")
    row = turns.state.tallies["general"][A]
    assert (row.won, row.lost) == (0.0, 0.5)
    turns.judge("good", "person", turn="t0")
    assert (row.won, row.lost) == (1.0, 0.0)
    turns.judge("reverted", "revert", turn="t0")
    assert (row.won, row.lost) == (1.0, 0.0)
    # The router hears of a success, and of no failure by the revert.
    told = [event.event for event in map(plane.ledger.decoded, plane.ledger.rows(0, 1000))]
    outcomes = [getattr(event, "success", None) for event in told if event.TOPIC == "router.result-recorded"]
    assert outcomes.count(True) == 1
    assert outcomes.count(False) == 0


def test_an_unknown_turn_cannot_be_judged_and_a_verdict_is_one_of_three(plane: ControlPlane) -> None:
    with pytest.raises(UnknownTurn):
        plane.turns.judge("good", "person", session="nobody")
    with pytest.raises(BadInput):
        plane.turns.judge("fine", "person", session="nobody")


def test_a_session_keeps_its_model_unless_the_gain_pays_for_reading_the_context_again(plane: ControlPlane) -> None:
    turns = plane.turns
    assert ask(turns, "t0") == A
    turns.steps([Step("t0", "s", "m", A, Usage(tokens_in=500_000))])
    turns.end(Ended("t0", "s", A, Usage(tokens_in=500_000), steps=1))
    plane.flush()
    plane.folder.catch_up()
    assert turns.state.sessions["s"].context == 500_000
    assert turns.state.tallies["general"][A].turns == turns.state.begun == 1
    assert toll(500_000, Priced(1e-6, 0), Priced(3e-6, 0)) == pytest.approx(0.35)
    assert toll(500_000, Priced(1e-7, 0), Priced(3e-6, 0)) == 0.0
    assert [ask(turns, f"u{n}") for n in range(10)] == [A] * 10


def test_a_step_that_would_cross_a_limit_is_told_from_one_that_fits() -> None:
    limits, session = Limits(session_usd=1.0, day_requests=10), Session(spent_usd=0.9, requests=3)
    assert over(limits, session, Spent(5.0, 9), 0.05, 1) is None
    assert over(limits, session, Spent(5.0, 9), 0.2, 0) == ("session_usd", 0.9, 1.0)
    assert over(limits, session, Spent(5.0, 10), 0.0, 1) == ("day_requests", 10, 10)


@pytest.mark.requirement("OPENCODE-29")
def test_four_fifths_of_a_limit_are_warned_of_once(plane: ControlPlane) -> None:
    turns = plane.turns
    turns.limit(Limits(session_usd=1.0), "ann")
    ask(turns, "t")
    for n, warned in enumerate(("", "session_usd: 0.9 of 1 spent", "session_usd: 0.95 of 1 spent")):
        turns.steps([Step("t", "s", f"m{n}", A, Usage(cost_usd=(0.5, 0.4, 0.05)[n]))])
        plane.flush()
        plane.folder.catch_up()
        assert turns.room("s").warn == warned
        plane.flush()
        plane.folder.catch_up()
    topics = [row[3] for row in plane.ledger.rows(0, 1000)]
    assert topics.count("turns.limit-reached") == 1
