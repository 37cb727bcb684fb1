"""The rules of memory at their limits: what is kept, what passes, when it is measured again."""

import pytest

from control_plane.memory import rules
from control_plane.memory.events import ItemForgotten, QualityAlertCleared, QualityAlertRaised, QualityMeasured
from control_plane.memory.rules import (
    BELIEVED,
    CHANGED_LEAST,
    FRESH,
    LIVE_PASS,
    LIVE_WARNING,
    LONGEST_NAME,
    LONGEST_TEXT,
    MOST_TAGS,
    PASS,
    WARNING,
    BadItem,
    NotRemembered,
)
from control_plane.memory.state import Measured, MemoryState


def kept(*ats: float, level: str = "pass", items: int = 1, changes: int = 0) -> MemoryState:
    latest = [Measured(at, "bm25", 0.9, 0.9, 0.9, 1.0, level) for at in ats]  # type: ignore[arg-type]
    return MemoryState({f"m-{number}": 1.0 for number in range(items)}, changes, latest)


def measured(level: str, own: bool = False) -> QualityMeasured:
    return QualityMeasured(
        at=9.0, benchmark="b", own=own, retriever="bm25", k=5, queries=10, items=20, map_at_k=0.5, grounded_recall=0.6,
        hit_rate=0.7, live_items=3, live_hit_rate=0.8, level=level,  # type: ignore[arg-type]
    )  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "text", "tags", "source", "fine"),
    [
        ("note", "x" * LONGEST_TEXT, (), "", True), ("note", "x" * (LONGEST_TEXT + 1), (), "", False),
        ("note", "two\nlines\tand tabs", (), "", True), ("note", "bell\a", (), "", False), ("note", " ", (), "", False),
        ("", "x", (), "", False), ("n" * LONGEST_NAME, "x", (), "", True),
        ("n" * (LONGEST_NAME + 1), "x", (), "", False),
        ("a\nb", "x", (), "", False), ("note", "x", ("t",) * MOST_TAGS, "", True),
        ("note", "x", ("t",) * (MOST_TAGS + 1), "", False), ("note", "x", ("",), "", False),
        ("note", "x", (), "s" * LONGEST_NAME, True), ("note", "x", (), "s" * (LONGEST_NAME + 1), False),
    ],
)  # fmt: skip
def test_an_item_is_kept_within_its_limits(
    kind: str, text: str, tags: tuple[str, ...], source: str, fine: bool
) -> None:
    if not fine:
        with pytest.raises(BadItem):
            rules.remember(MemoryState(), kind, text, tags, source, 1.0)
        return
    (event,) = rules.remember(MemoryState(), kind, text, tags, source, 1.0)
    assert (event.item, event.text, event.tags) == (rules.item_id(kind, text), text, tags)  # type: ignore[attr-defined]


def test_what_is_remembered_is_not_remembered_twice_and_only_that_is_forgotten() -> None:
    item = rules.item_id("note", "x")
    memory = MemoryState({item: 1.0})
    assert rules.remember(memory, "note", "x", (), "", 2.0) == []
    assert rules.forget(memory, item, "", 3.0) == [ItemForgotten(at=3.0, item=item, reason="")]
    with pytest.raises(NotRemembered):
        rules.forget(memory, "m-other", "", 3.0)
    with pytest.raises(BadItem):
        rules.forget(memory, item, "r" * (LONGEST_NAME + 1), 3.0)


@pytest.mark.parametrize(
    ("value", "recall", "live", "level"),
    [
        (*PASS, None, "pass"), (*PASS, LIVE_PASS, "pass"), (PASS[0] - 0.01, PASS[1], None, "warning"),
        (PASS[0], PASS[1] - 0.01, None, "warning"), (*PASS, LIVE_PASS - 0.01, "warning"), (*WARNING, None, "warning"),
        (*WARNING, LIVE_WARNING, "warning"), (WARNING[0] - 0.01, WARNING[1], None, "fail"),
        (WARNING[0], WARNING[1] - 0.01, None, "fail"), (*PASS, LIVE_WARNING - 0.01, "fail"),
    ],
)  # fmt: skip
def test_the_worst_figure_decides(value: float, recall: float, live: float | None, level: str) -> None:
    assert rules.level_of(value, recall, live) == level


@pytest.mark.parametrize(
    ("before", "now", "alert"),
    [
        (None, "pass", None), (None, "warning", "raised"), ("pass", "fail", "raised"), ("warning", "fail", "raised"),
        ("fail", "fail", None), ("fail", "warning", None), ("fail", "pass", "cleared"), ("warning", "pass", "cleared"),
    ],
)  # fmt: skip
def test_what_gets_worse_is_told_and_what_is_well_again(before: str | None, now: str, alert: str | None) -> None:
    memory = kept(1.0, level=before) if before else kept()
    events = rules.measured(memory, measured(now))
    assert events[0] == measured(now)
    if alert is None:
        assert len(events) == 1
    elif alert == "raised":
        assert events[1:] == [
            QualityAlertRaised(
                at=9.0, level=now, before=before or "pass", map_at_k=0.5, grounded_recall=0.6, live_hit_rate=0.8  # type: ignore[arg-type]
            )
        ]  # fmt: skip
    else:
        assert events[1:] == [QualityAlertCleared(at=9.0, before=before)]  # type: ignore[arg-type]
    assert rules.measured(memory, measured(now, own=True)) == [measured(now, own=True)]


@pytest.mark.parametrize(
    ("memory", "now", "due"),
    [
        (kept(items=0), 1.0, False), (kept(), 1.0, True), (kept(1.0), 0.9 + FRESH, False),
        (kept(1.0), 1.0 + FRESH, True),
        (kept(1.0, changes=CHANGED_LEAST - 1), 2.0, False), (kept(1.0, changes=CHANGED_LEAST), 2.0, True),
        (kept(1.0, items=1000, changes=99), 2.0, False), (kept(1.0, items=1000, changes=100), 2.0, True),
        (kept(1.0, items=0, changes=CHANGED_LEAST), 2.0 + FRESH, False),
    ],
)  # fmt: skip
def test_when_it_is_measured_again(memory: MemoryState, now: float, due: bool) -> None:
    assert rules.due(memory, now) is due


def test_unknown_is_not_a_pass() -> None:
    known = rules.quality(kept(1.0), 1.0 + BELIEVED, metrics=True)
    assert (known.level, known.value, known.measured_at, known.counts, known.reason) == ("pass", 0.9, 1.0, True, "")
    old = rules.quality(kept(1.0), 1.1 + BELIEVED, metrics=True)
    assert (old.level, old.reason, old.measured_at, old.counts) == (
        "unknown", "not measured in the last week", 1.0, True,
    )  # fmt: skip
    never = rules.quality(kept(items=0), 1.0, metrics=True)
    assert (never.level, never.measured_at, never.counts) == ("unknown", None, False)
    assert rules.quality(kept(), 1.0, metrics=True).counts
    assert rules.quality(kept(1.0, items=0), 2.0, metrics=True).counts
    off = rules.quality(kept(1.0), 2.0, metrics=False)
    assert (off.level, off.counts, off.reason) == ("unknown", False, "not measured: OPENCODE_RETRIEVAL_METRICS=false")


@pytest.mark.parametrize(
    ("value", "recall", "live", "words"),
    [
        (*PASS, LIVE_PASS, ""), (*PASS, None, ""), (0.6, PASS[1], None, "MAP 0.60 is below 0.70"),
        (PASS[0], 0.7, None, "grounded recall 0.70 is below 0.75"),
        (*PASS, 0.5, "50% of live items are found by their own words"),
    ],
)  # fmt: skip
def test_the_reason_names_each_figure_that_is_too_low(
    value: float, recall: float, live: float | None, words: str
) -> None:
    memory = MemoryState({"m": 1.0}, 0, [Measured(1.0, "bm25", value, recall, 0.9, live, "pass")])
    assert rules.quality(memory, 2.0, metrics=True).reason == words
