"""States in step with the log: each event once, in order, whoever wrote it."""

import threading
from pathlib import Path

import msgspec
import pytest

from control_plane.clock import Clock
from control_plane.errors import LedgerDamaged
from control_plane.ledger.backend import Row
from control_plane.ledger.journal import Journal
from control_plane.ledger.ledger import Ledger
from control_plane.projections.folding import SLICE, Folder, Projection
from tests.ledger.small import CATALOGUE, Noted, begin, opened


class Heard(msgspec.Struct):
    texts: list[str] = []


def hear(heard: Heard, event: Noted) -> None:
    heard.texts.append(event.text)


HEARD = Projection("heard", 1, Heard, hear, (Noted,))


class Paper:
    """A log on paper: what it holds can be chosen freely, which a real ledger forbids."""

    catalogue = CATALOGUE

    def __init__(self, positions: list[int]) -> None:
        self.rows_held = [Row(n, "s", n, Noted.TOPIC, CATALOGUE.encode(Noted(at=1.0, text=str(n)))) for n in positions]
        self.listener = None

    def rows(self, after: int = 0, limit: int = 4096) -> list[Row]:
        return [row for row in self.rows_held if row.position > after][:limit]

    def listen(self, listener) -> None:
        self.listener = listener


def texts(folder: Folder) -> list[str]:
    return folder.state(HEARD).texts


def test_what_was_committed_before_is_folded_at_once():
    folder = Folder(Paper(list(range(1, 201))), [HEARD])
    folder.follow()
    assert texts(folder) == [str(n) for n in range(1, 201)]
    assert folder.position == 200


@pytest.mark.requirement("LEDGER-74")
def test_a_commit_wakes_the_folds_of_its_own_process(tmp_path: Path):
    home = begin(tmp_path / "home")
    with opened(home) as held:
        ledger = Ledger(held.backend, Journal(home.journal), CATALOGUE, Clock())
        folder = Folder(ledger, [HEARD])
        folder.follow()
        ledger.record(Noted(at=1.0, text="by the journal"))
        ledger.flush()
        ledger.append("notes", [Noted(at=2.0, text="directly")])
        assert texts(folder) == ["by the journal", "directly"]
        ledger.close()


@pytest.mark.requirement("LEDGER-73")
@pytest.mark.parametrize("positions", [[1, 2, 4], [2, 3], [1, 1, 2], [1, 3, 2]])
def test_a_jump_in_the_positions_is_refused(positions):
    with pytest.raises(LedgerDamaged, match="log goes on"):
        Folder(Paper(positions), [HEARD]).catch_up()


def test_a_gap_before_a_commit_is_read_from_the_database():
    paper = Paper(list(range(1, 11)))
    folder = Folder(paper, [HEARD])
    paper.rows_held, later = paper.rows_held[:3], paper.rows_held
    folder.follow()
    paper.rows_held = later
    paper.listener(later[7:])
    assert texts(folder) == [str(n) for n in range(1, 11)]


def test_an_overlap_is_folded_once():
    paper = Paper(list(range(1, 11)))
    folder = Folder(paper, [HEARD])
    folder.follow()
    paper.listener(paper.rows_held[4:])
    assert len(texts(folder)) == 10


def test_two_committers_at_once_fold_each_event_once():
    paper = Paper(list(range(1, 2001)))
    folder = Folder(paper, [HEARD])
    halves = [paper.rows_held[:1000], paper.rows_held[1000:]]
    threads = [threading.Thread(target=folder.on_commit, args=(half,)) for half in halves]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert texts(folder) == [str(n) for n in range(1, 2001)]


def test_who_holds_the_states_still_sees_the_position_that_they_belong_to():
    folder = Folder(Paper(list(range(1, 1001))), [HEARD])
    seen, done = [], threading.Event()

    def look() -> None:
        while not done.is_set():
            with folder.still():
                seen.append((folder.position, len(texts(folder))))

    looker = threading.Thread(target=look)
    looker.start()
    folder.catch_up()
    done.set()
    looker.join()
    assert all(position == count for position, count in seen)
    assert all(position % SLICE == 0 or position == 1000 for position, _ in seen)


def test_a_fact_that_no_fold_can_take_is_counted_and_the_next_one_is_read():
    def stumble(heard: Heard, event: Noted) -> None:
        if event.text == "3":
            raise ValueError(event.text)
        hear(heard, event)

    folder = Folder(Paper([1, 2, 3, 4]), [Projection("heard", 1, Heard, stumble, (Noted,))])
    folder.catch_up()
    assert folder.faults == 1
    assert folder.position == 4
    assert "router.noted" in folder.last_fault


@pytest.mark.requirement("LEDGER-71")
def test_the_same_events_always_lead_to_the_same_state():
    states = []
    for _ in range(2):
        folder = Folder(Paper(list(range(1, 300))), [HEARD])
        folder.catch_up()
        states.append(msgspec.msgpack.encode(folder.state(HEARD)))
    assert states[0] == states[1]
