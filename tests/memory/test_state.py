"""What the memory knows of itself, event by event."""

from control_plane.memory.events import (
    ItemForgotten,
    ItemRemembered,
    QualityAlertCleared,
    QualityAlertRaised,
    QualityMeasured,
)
from control_plane.memory.state import KEPT, Measured, MemoryState, fold


def remembered(item: str, at: float) -> ItemRemembered:
    return ItemRemembered(at=at, item=item, kind="note", text="words")


def measured(at: float, own: bool = False) -> QualityMeasured:
    return QualityMeasured(
        at=at, benchmark="b", own=own, retriever="bm25", k=5, queries=10, items=20, map_at_k=0.5, grounded_recall=0.6,
        hit_rate=0.7, live_items=3, live_hit_rate=None, level="pass",
    )  # fmt: skip


def test_items_come_and_go_and_each_change_counts_until_it_is_measured() -> None:
    memory = MemoryState()
    assert (memory.changes, memory.version, memory.items, memory.measured) == (0, 0, {}, [])
    fold(memory, remembered("a", 1.0))
    fold(memory, remembered("b", 2.0))
    fold(memory, ItemForgotten(at=3.0, item="a"))
    fold(memory, ItemForgotten(at=3.0, item="never"))
    assert (memory.items, memory.changes, memory.version) == ({"b": 2.0}, 4, 0)
    fold(memory, measured(4.0, own=True))
    assert (memory.changes, memory.version, memory.measured) == (4, 1, [])
    fold(memory, measured(5.0))
    assert (memory.changes, memory.version) == (0, 2)
    assert memory.measured == [Measured(5.0, "bm25", 0.5, 0.6, 0.7, None, "pass")]


def test_alerts_are_versions_of_the_quality_and_no_measurement() -> None:
    memory = MemoryState()
    fold(
        memory,
        QualityAlertRaised(at=1.0, level="fail", before="pass", map_at_k=0.1, grounded_recall=0.1, live_hit_rate=None),
    )
    fold(memory, QualityAlertCleared(at=2.0, before="fail"))
    assert (memory.version, memory.changes, memory.measured) == (2, 0, [])


def test_the_latest_measurements_are_kept() -> None:
    memory = MemoryState()
    for at in range(KEPT + 5):
        fold(memory, measured(float(at)))
    assert [one.at for one in memory.measured] == [float(at) for at in range(5, KEPT + 5)]
