"""Many processes on one log: nothing is missed, nothing is seen twice, and the tree holds at the end."""

from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from control_plane.clock import Clock
from control_plane.ledger import facts
from control_plane.ledger.events import Catalogue
from control_plane.ledger.opening import Opened, open_home
from tests.ledger.processes import Process, race
from tests.ledger.test_conformance_backends import checked_head

CATALOGUE = Catalogue(facts.EVENTS)
WRITERS, READERS = 4, 4
# For each reader whether its positions were contiguous, and what it saw.
Told = list[tuple[bool, list[str]]]

SHARED = """
from typing import ClassVar
from control_plane.clock import Clock
from control_plane.ledger import facts
from control_plane.ledger.backend import Row
from control_plane.ledger.events import Catalogue, Event
from control_plane.ledger.journal import Journal
from control_plane.ledger.ledger import Ledger
from control_plane.ledger.opening import Opened
from control_plane.ledger.home import home_of

class Seen(Event, frozen=True, kw_only=True):
    TOPIC: ClassVar[str] = "test.seen"
    who: str
    what: int

CATALOGUE = Catalogue([*facts.EVENTS, Seen])
opened = Opened(home_of(sys.argv[1], sys.argv[2]), CATALOGUE, Clock())
"""
# Even numbers go the hot road, odd ones the direct one, both at once from two threads.
WRITES = (
    SHARED
    + """
import threading
name, count = sys.argv[3], int(sys.argv[4])
journal = Journal(opened.home.journal, segments=4, segment_bytes=1 << 18)
ledger = Ledger(opened.backend, journal, CATALOGUE, Clock())
def hot():
    for what in range(0, count, 2):
        ledger.record(Seen(at=1.0, who=name, what=what))
def direct():
    for what in range(1, count, 20):
        ledger.append(name, [Seen(at=1.0, who=name, what=n) for n in range(what, min(what + 20, count), 2)])
ready()
threads = [threading.Thread(target=road) for road in (hot, direct)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
ledger.flush()
ledger.close()
answer(count)
"""
)
# Follows by position until it has seen as many events as there will be; every row is told as it came.
READS = (
    SHARED
    + """
expected = int(sys.argv[3])
postgres = hasattr(opened.backend, "wait_for_change")
ready()
position, seen, positions = 0, [], []
while len(seen) < expected:
    rows = [Row(*row) for row in opened.backend.rows(position, 200)]
    for row in rows:
        positions.append(row.position)
        event = CATALOGUE.decode(row.topic, row.state)
        if isinstance(event, Seen):
            seen.append(f"{event.who}:{event.what}")
    if rows:
        position = rows[-1].position
    elif postgres and not opened.backend.wait_for_change(60):
        break
answer([positions == list(range(1, len(positions) + 1)), seen])
opened.close()
"""
)


def follow_while_writing(
    url: str, state: Path, each: int, readers: int = READERS
) -> tuple[list[str], list[tuple[bool, list[str]]]]:
    """What was written, and what the readers tell."""
    opened = open_home(url, state, CATALOGUE, Clock())
    try:
        written = [f"writer {n}:{what}" for n in range(WRITERS) for what in range(each)]
        writers = [Process(WRITES, url, state, f"writer {n}", each) for n in range(WRITERS)]
        following = [Process(READS, url, state, len(written)) for _ in range(readers)]
        answers = race(*following, *writers)
        opened.check()
        checked_head(opened)
        assert opened.backend.size() == 1 + len(written)
        return written, [(contiguous, seen) for contiguous, seen in answers[:readers]]
    finally:
        opened.close()


def check_nothing_missed_or_twice(written: list[str], told: Told) -> None:
    for contiguous, seen in told:
        times = Counter(seen)
        assert [name for name in written if name not in times] == []
        assert [name for name, count in times.items() if count > 1] == []
        assert contiguous
        assert seen == told[0][1]


@pytest.mark.requirement("LEDGER-136", "LEDGER-137")
def test_four_writing_and_four_following_processes_miss_nothing_and_see_nothing_twice(
    postgres_url: str, tmp_path: Path
) -> None:
    check_nothing_missed_or_twice(*follow_while_writing(postgres_url, tmp_path, 500))


@pytest.mark.long
@pytest.mark.timeout(1200)
def test_the_same_with_a_hundred_thousand_events(postgres_url: str, tmp_path: Path) -> None:
    check_nothing_missed_or_twice(*follow_while_writing(postgres_url, tmp_path, 25_000))


FAULTS: dict[str, Callable[[list[str]], tuple[bool, list[str]]]] = {
    "one missed": lambda seen: (True, seen[:-1]),
    "one twice": lambda seen: (True, [*seen, seen[0]]),
    "another order": lambda seen: (True, seen[::-1]),
    "a gap": lambda seen: (False, seen),
    "nothing at all": lambda _: (True, []),
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_the_check_sees_each_fault(fault: Callable[[list[str]], tuple[bool, list[str]]]) -> None:
    written = ["a:0", "a:1", "b:0"]
    good: Told = [(True, list(written)), (True, list(written))]
    check_nothing_missed_or_twice(written, good)
    with pytest.raises(AssertionError):
        check_nothing_missed_or_twice(written, [*good, fault(written)])


@pytest.mark.requirement("LEDGER-32")
def test_four_writing_processes_share_one_sqlite_home(tmp_path: Path) -> None:
    check_nothing_missed_or_twice(*follow_while_writing(str(tmp_path / "home"), tmp_path, 500, readers=1))


def test_an_opened_home_and_its_copy_agree_on_the_head(postgres_url: str, tmp_path: Path) -> None:
    with closing(open_home(postgres_url, tmp_path, CATALOGUE, Clock())) as opened:
        opened.backend.insert("a", 1, ["test.seen"] * 300, [b"{}"] * 300)
        with closing(Opened(opened.home, CATALOGUE, Clock())) as again:
            assert checked_head(again) == checked_head(opened)
            assert again.root_at(200) == opened.root_at(200) != opened.root_at(201)
