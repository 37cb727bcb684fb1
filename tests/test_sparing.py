"""Many of a kind are told by their count, whatever the clock does, and kinds without end need no memory without end."""

from control_plane.sparing import MOST, Sparing


def test_the_first_is_told_at_once_and_the_next_ones_by_their_count() -> None:
    sparing = Sparing[str]()
    assert [sparing.due("a", 100.0 + n / 10) for n in range(10)] == [1] + [0] * 9
    assert sparing.due("b", 100.5) == 1
    assert sparing.due("a", 101.0) == 10
    assert sparing.due("a", 101.5) == 0
    assert sparing.rest() == [("a", 1)]
    assert sparing.rest() == []


def test_a_clock_that_was_set_back_silences_nothing() -> None:
    sparing = Sparing[str]()
    assert sparing.due("a", 7200.0) == 1
    assert sparing.due("a", 3600.0) == 1


def test_kinds_without_end_are_not_all_remembered() -> None:
    sparing = Sparing[int]()
    assert all(sparing.due(n, 1.0) == 1 for n in range(3 * MOST))
    assert len(sparing._told) <= MOST
