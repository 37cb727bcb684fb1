"""Bars of the review queue and of memory: ages and alerts, who wins, what a score means, what a query may be."""

import contextlib
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from control_plane import Arm, ControlPlane
from control_plane.errors import Conflict
from control_plane.memory import measuring, rules
from control_plane.memory.measuring import Query, Scores
from control_plane.memory.rules import Quality
from control_plane.memory.state import Measured, MemoryState
from control_plane.projections.search import Found, Put, TextIndex
from control_plane.proving import HandClock, flags
from control_plane.review.events import AgeAlertRaised
from control_plane.review.rules import queue_item, resolve_item, watch_ages
from control_plane.review.service import Review
from control_plane.review.state import HOUR, Queue, fold
from tests.bars.frame import Bar

Watch = Callable[[Queue, float, float], list]
Score = Callable[[Sequence[Query], Sequence[Sequence[Found]]], Scores]
Judge = Callable[[MemoryState, float], Quality]
Search = Callable[[TextIndex, str], list[str]]


def check_each_crossing_of_the_target_alerts_once(watch: Watch) -> None:
    queue, now, alerts = Queue(), 1_800_000_000.0, []
    for item in ("a", "b"):
        apply(queue, queue_item(queue, item, "guard", "", now))
        for hour in range(30):
            events = watch(queue, 24.0, now + hour * HOUR)
            apply(queue, events)
            alerts += [(item, hour) for event in events if isinstance(event, AgeAlertRaised)]
        now += 30 * HOUR
        apply(queue, resolve_item(queue, item, "approved", None, "ana", "", now))
        apply(queue, watch(queue, 24.0, now))
    assert alerts == [("a", 24), ("b", 24)]


def apply(queue: Queue, events: list) -> None:
    for event in events:
        fold(queue, event)


class Two(NamedTuple):
    """Two planes on one home; the second has not looked since."""

    first: ControlPlane
    second: ControlPlane
    resolve: Callable[[ControlPlane, str], None]

    def close(self) -> None:
        self.first.close()
        self.second.close()


def check_of_two_who_resolve_one_is_refused(two: Two) -> None:
    two.first.review.add("guard", item="i1")
    two.second.folder.catch_up()
    outcomes = []
    for plane in (two.first, two.second):
        try:
            two.resolve(plane, "i1")
            outcomes.append("won")
        except Conflict as fault:
            outcomes.append(fault.code)
    assert outcomes == ["won", "review.already-resolved"]
    assert two.second.review.status().by_status["approved"] == 1


def check_scores_are_those_computed_by_hand(score: Score) -> None:
    for truth, answer, map_at_k, recall, hit in (
        ("ab", "axbyz", (1 + 2 / 3) / 2, 1.0, 1.0),
        ("abcdefg", "abcde", 1.0, 5 / 7, 1.0),
        ("a", "vwxyz", 0.0, 0.0, 0.0),
    ):
        got = score([Query("?", tuple(truth))], [[Found(name, 1.0, "", 0.0, "", ()) for name in answer]])
        for value, expected in zip(
            (got.map_at_k, got.grounded_recall, got.hit_rate), (map_at_k, recall, hit), strict=True
        ):
            assert abs(value - expected) < 1e-6


def check_only_a_fresh_measurement_that_passes_is_a_pass(judge: Judge) -> None:
    day = rules.DAY
    for level, age, expected in (
        ("pass", 0, "pass"),
        ("warning", 0, "warning"),
        ("fail", 0, "fail"),
        ("pass", 8, "unknown"),
    ):
        measured = Measured(0.0, "r", 0.9, 0.9, 0.9, 1.0, level)
        assert judge(MemoryState(measured=[measured]), age * day).level == expected
    assert judge(MemoryState(items={"m": 0.0}), 0.0).level == "unknown"


def check_a_query_is_its_words_and_no_more(search: Search) -> None:
    with contextlib.closing(TextIndex(None)) as index:
        index.write([Put("a", "postgres container"), Put("b", "redis sessions")])
        for words, expected in (
            ("postgres", ["a"]), ('"redis', ["b"]), ("sess*", []), ("text:redis -x", ["b"]),
            ("redis NOT sessions", ["b"]),
            ("", []), ('" OR text:*', []),
        ):  # fmt: skip
            try:
                assert search(index, words) == expected, words
            except sqlite3.Error as fault:
                raise AssertionError(words) from fault


def two_planes(folder: Path, resolve: Callable[[ControlPlane, str], None]) -> Two:
    clock = HandClock()
    planes = [
        ControlPlane.open(folder / "home", catalogue=[Arm("acme/one")], clock=clock, flags=flags(), background=False)
        for _ in range(2)
    ]
    return Two(planes[0], planes[1], resolve)


def resolve(plane: ControlPlane, item: str) -> None:
    plane.review.resolve(item, "approved", actor="ana")


def overwrite(plane: ControlPlane, item: str) -> None:
    """Writes behind whatever came in between."""
    review: Review = plane.review
    events = resolve_item(review._queue, item, "approved", None, "ana", "", plane.ledger.clock.now())
    plane.ledger.append(f"review-{item}", events)


def watch_at_every_look(queue: Queue, target: float, now: float) -> list:
    queue.alerted = False
    return watch_ages(queue, target, now)


def uncorrected(queries: Sequence[Query], answers: Sequence[Sequence[Found]]) -> Scores:
    """AP@K as it comes, divided by all that is relevant."""
    got = measuring.score(queries, answers)
    share = min(len(queries[0].relevant), 5) / len(queries[0].relevant)
    return Scores(got.map_at_k * share, got.grounded_recall, got.hit_rate)


def believe_for_ever(state: MemoryState, now: float) -> Quality:
    return rules.quality(state, min(now, state.measured[-1].at if state.measured else now), metrics=True)


def as_typed(index: TextIndex, words: str) -> list[str]:
    """Hands what was typed to the database."""
    sql = "SELECT places.id FROM texts JOIN places ON places.place = texts.rowid WHERE texts MATCH ? ORDER BY rank"
    return [row[0] for row in index._db.execute(sql, (words,))]


BARS = [
    Bar(
        check_each_crossing_of_the_target_alerts_once,
        real=lambda _: watch_ages,
        null=lambda _: lambda queue, target, now: [],
        planted={"alerts at every look": lambda _: watch_at_every_look},
    ),
    Bar(
        check_of_two_who_resolve_one_is_refused,
        real=lambda folder: two_planes(folder, resolve),
        null=lambda folder: two_planes(folder, lambda plane, item: None),
        planted={"writes without looking": lambda folder: two_planes(folder, overwrite)},
    ),
    Bar(
        check_scores_are_those_computed_by_hand,
        real=lambda _: measuring.score,
        null=lambda _: lambda queries, answers: Scores(1.0, 1.0, 1.0),
        planted={"divides by all that is relevant": lambda _: uncorrected},
    ),
    Bar(
        check_only_a_fresh_measurement_that_passes_is_a_pass,
        real=lambda _: lambda state, now: rules.quality(state, now, metrics=True),
        null=lambda _: lambda state, now: Quality(1.0, 1.0, 1.0, None, "pass", "", now, counts=True),
        planted={"believes for ever": lambda _: believe_for_ever},
    ),
    Bar(
        check_a_query_is_its_words_and_no_more,
        real=lambda _: lambda index, words: [found.id for found in index.search(words, 5)],
        null=lambda _: lambda index, words: [],
        planted={"hands over what was typed": lambda _: as_typed},
    ),
]
