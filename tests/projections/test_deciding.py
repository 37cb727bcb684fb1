"""Whoever decides on what is known is not overtaken by those who decide without a pause."""

import threading
from contextlib import ExitStack
from pathlib import Path

import msgspec
import pytest

from control_plane.clock import Clock
from control_plane.errors import Conflict
from control_plane.ledger.journal import Journal
from control_plane.ledger.ledger import Ledger
from control_plane.ledger.turnstile import Turns
from control_plane.projections import deciding
from control_plane.projections.folding import Folder, Projection
from tests.ledger.small import CATALOGUE, Noted, begin, opened

STREAM = "count"


class Count(msgspec.Struct):
    value: int = 0


def fold(count: Count, event: Noted) -> None:
    count.value = int(event.text)


COUNT = Projection("count", 1, Count, fold, (Noted,))


def increment(ledger: Ledger, folder: Folder) -> int:
    def seen() -> deciding.Decision[int]:
        value = folder.state(COUNT).value
        return deciding.Decision(value, [Noted(at=1.0, text=str(value + 1))], value + 1)

    return deciding.write(ledger, folder, STREAM, seen)


def deciders(home: Path, stack: ExitStack, count: int) -> list[tuple[Ledger, Folder]]:
    begun, found = begin(home), []
    for number in range(count):
        held = stack.enter_context(opened(begun))
        journal = Journal(begun.journal if not number else home / f"journal-{number}")
        ledger = Ledger(held.backend, journal, CATALOGUE, Clock(), turns=Turns(begun.deciding))
        stack.callback(ledger.close)
        folder = Folder(ledger, [COUNT])
        folder.follow()
        found.append((ledger, folder))
    return found


@pytest.mark.requirement("LEDGER-74")
def test_two_that_decide_without_a_pause_both_get_on_and_none_counts_twice(tmp_path: Path):
    told: list[int] = []
    with ExitStack() as stack:
        threads = [
            threading.Thread(target=lambda p=pair: told.extend(increment(*p) for _ in range(60)))
            for pair in deciders(tmp_path / "home", stack, 2)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(told) == list(range(1, 121))


def test_while_one_holds_the_turn_another_waits_and_the_holder_may_take_it_again(tmp_path: Path):
    first, second = Turns(tmp_path / "deciding"), Turns(tmp_path / "deciding")
    order: list[str] = []

    def other() -> None:
        with second.taken():
            order.append("second")

    thread = threading.Thread(target=other)
    with first.taken(), first.taken():
        thread.start()
        thread.join(0.05)
        order.append("first")
    thread.join()
    assert order == ["first", "second"]


def test_who_is_overtaken_each_time_is_told(tmp_path: Path):
    with ExitStack() as stack:
        ((ledger, folder),) = deciders(tmp_path / "home", stack, 1)

        def stale() -> deciding.Decision[None]:
            return deciding.Decision(0, [Noted(at=1.0, text="1")], None)

        increment(ledger, folder)
        with pytest.raises(Conflict):
            deciding.write(ledger, folder, STREAM, stale)
