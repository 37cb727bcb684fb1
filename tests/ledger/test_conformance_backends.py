"""What every backend promises, on SQLite and on PostgreSQL with the same words."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import ClassVar

import pytest
from eventsourcing.persistence import IntegrityError

from control_plane.clock import Clock
from control_plane.errors import LedgerDamaged
from control_plane.ledger import facts
from control_plane.ledger.backend import Backend, Row
from control_plane.ledger.events import Catalogue, Event
from control_plane.ledger.home import Home, home_of
from control_plane.ledger.leaf import leaf_bytes
from control_plane.ledger.merkle import Frontier, leaf_hash
from control_plane.ledger.notes import Checkpoint, Note
from control_plane.ledger.opening import Opened, create_home
from control_plane.ledger.postgres_backend import PostgresBackend
from control_plane.ledger.proofs import TileTree, root_from_inclusion


class Seen(Event, frozen=True, kw_only=True):
    TOPIC: ClassVar[str] = "test.seen"
    what: int


CATALOGUE = Catalogue([*facts.EVENTS, Seen])


@pytest.fixture(params=["sqlite", "postgres"])
def home(request: pytest.FixtureRequest, tmp_path: Path) -> Home:
    postgres = request.param == "postgres"
    made = home_of(request.getfixturevalue("postgres_url") if postgres else tmp_path / "home", tmp_path / "state")
    create_home(made, CATALOGUE, Clock())
    return made


@pytest.fixture
def another(home: Home) -> Iterator[Callable[[], Opened]]:
    opened: list[Opened] = []

    def open_it() -> Opened:
        opened.append(Opened(home, CATALOGUE, Clock()))
        return opened[-1]

    yield open_it
    for each in opened:
        each.close()


@pytest.fixture
def opened(another: Callable[[], Opened]) -> Opened:
    return another()


@pytest.fixture
def backend(opened: Opened) -> Backend:
    return opened.backend


def run(backend: Backend, stream: str, first: int, count: int) -> int:
    states = [b'{"what":%d}' % version for version in range(first, first + count)]
    return backend.insert(stream, first, ["test.seen"] * count, states)


def checked_head(opened: Opened) -> Checkpoint:
    """The signed head, after the tree was computed again from nothing but the rows."""
    with opened.backend.tree() as store:
        note = Note.parse(store.last_note() or "")
    head = note.checkpoint()
    note.signed_by(opened.keyring().valid_at(head.size))
    rows = [Row(*row) for row in opened.backend.rows(0, head.size)]
    assert [row.position for row in rows] == list(range(1, head.size + 1))
    frontier, _ = Frontier().extend([leaf_hash(leaf_bytes(*row[1:])) for row in rows])
    assert frontier.root() == head.root
    return head


@pytest.mark.requirement("LEDGER-29", "LEDGER-30", "LEDGER-98")
def test_positions_are_contiguous_and_every_commit_signs_one_head(opened: Opened) -> None:
    sizes = []
    for first, count in ((1, 1), (2, 255), (257, 1), (258, 700), (958, 1)):
        assert run(opened.backend, "a", first, count) == first + 1
        sizes.append(checked_head(opened).size)
    assert sizes == [2, 257, 258, 958, 959]


def test_what_is_stored_comes_back_byte_for_byte(backend: Backend) -> None:
    states = [b"", b"\x00\xff\n\\x", "{'é': '\N{SNOWMAN}'}".encode(), b"'); DROP TABLE stored_events; --"]
    topics = ["test.seen", "t", "test.é", "test." + "x" * 200]
    first = backend.insert("a stream, with: ünïcode", 7, topics, states)
    rows = [Row(*row) for row in backend.rows(first - 1, 100)]
    assert rows == [Row(first + n, "a stream, with: ünïcode", 7 + n, topics[n], states[n]) for n in range(len(states))]
    assert all(type(row.state) is bytes for row in rows)
    assert backend.row_of("a stream, with: ünïcode", 8) == rows[1]
    assert backend.row_of("a stream, with: ünïcode", 11) is None


def test_a_version_that_is_there_is_refused_and_leaves_nothing_behind(opened: Opened) -> None:
    run(opened.backend, "a", 1, 3)
    before = checked_head(opened)
    for first, count in ((3, 1), (2, 5), (3, 2)):
        with pytest.raises(IntegrityError):
            run(opened.backend, "a", first, count)
    assert checked_head(opened) == before
    assert run(opened.backend, "a", 4, 1) == before.size + 1
    checked_head(opened)


def test_rows_come_in_order_and_in_portions(backend: Backend) -> None:
    run(backend, "a", 1, 10)
    assert [Row(*row).position for row in backend.rows(0, 4)] == [1, 2, 3, 4]
    assert [Row(*row).position for row in backend.rows(8, 100)] == [9, 10, 11]
    assert backend.rows(11, 5) == []
    assert backend.size() == 11
    assert (backend.stored_upto("a"), backend.stored_upto("nobody")) == (10, 0)


def test_the_ledgers_own_events_are_found_among_many(backend: Backend) -> None:
    run(backend, "a", 1, 500)
    backend.insert("ledger", 2, ["ledger.prefix-archived"], [b"{}"])
    backend.insert("b", 1, ["ledgers.of-somebody-else"], [b"{}"])
    assert [row.topic for row in backend.own_rows()] == ["ledger.created", "ledger.prefix-archived"]


def test_a_change_of_another_writer_is_noticed_once(another: Callable[[], Opened], backend: Backend) -> None:
    backend.changed()
    assert not backend.changed()
    writer = another().backend
    for version in (1, 2):
        run(writer, "a", version, 1)
        assert noticed(backend)
        assert not backend.changed()


def noticed(backend: Backend) -> bool:
    """SQLite shows a commit at once; PostgreSQL tells of it within a moment."""
    return backend.wait_for_change(30) if isinstance(backend, PostgresBackend) else backend.changed()


@pytest.mark.requirement("LEDGER-29")
def test_the_tree_proves_an_event_while_others_write(another: Callable[[], Opened], opened: Opened) -> None:
    run(opened.backend, "a", 1, 300)
    with opened.backend.tree() as store:
        before = store.last_note() or ""
        run(another().backend, "b", 1, 300)
        head = Note.parse(before).checkpoint()
        tree = TileTree(head.size, store.tile)
        path = tree.inclusion(100)
        assert store.last_note() == before
    row = Row(*opened.backend.rows(100, 1)[0])
    assert root_from_inclusion(leaf_hash(leaf_bytes(*row[1:])), 100, head.size, path) == head.root


@pytest.mark.requirement("LEDGER-32")
def test_threads_and_connections_write_at_once_without_breaking_the_tree(
    another: Callable[[], Opened], opened: Opened
) -> None:
    backends = [another().backend for _ in range(3)]
    start = threading.Barrier(6)

    def write(number: int) -> None:
        start.wait()
        for version in range(1, 11):
            run(backends[number % 3], f"writer {number}", version, 1)

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(write, range(6)))
    assert checked_head(opened).size == 61


def test_a_log_that_was_cut_is_not_written_on(opened: Opened, home: Home) -> None:
    """One row less than was signed: the next writer says so instead of building on it."""
    run(opened.backend, "a", 1, 3)
    delete_last_row(home)
    with pytest.raises(LedgerDamaged, match="ends at position 3, its signed checkpoint at 4"):
        run(opened.backend, "a", 4, 1)


def delete_last_row(home: Home) -> None:
    if home.address is None:
        import sqlite3

        with closing(sqlite3.connect(home.database, isolation_level=None)) as connection:
            connection.execute("DELETE FROM stored_events WHERE rowid = (SELECT MAX(rowid) FROM stored_events)")
        return
    import psycopg

    table = f'"{home.address.schema}".stored_events'
    with psycopg.connect(home.address.url, autocommit=True) as postgres:
        postgres.execute(f"DELETE FROM {table} WHERE notification_id = (SELECT max(notification_id) FROM {table})")
