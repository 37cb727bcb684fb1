"""What no signature covers: the indexes of the file, and what the database says of its archive."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from control_plane.errors import LedgerDamaged
from control_plane.ledger.archive import archive_prefix
from control_plane.ledger.audit import verify
from control_plane.ledger.home import Home
from tests.ledger import small
from tests.ledger.tampering import tampered

SIZE = 1500


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return small.grown(tmp_path / "home", SIZE)


@pytest.fixture
def archived(home: Home) -> Home:
    for before in (600, 1100):
        with small.opened(home) as held:
            archive_prefix(held, before)
    return home


def empty_index(home: Home, name: str) -> None:
    """A b-tree without entries where the index was; nothing else is touched."""
    with closing(sqlite3.connect(home.database)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        (page,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (name,)).fetchone()
        (width,) = connection.execute("PRAGMA page_size").fetchone()
    with home.database.open("r+b") as file:
        file.seek((page - 1) * width)
        file.write(b"\x0a\0\0\0\0" + width.to_bytes(2) + b"\0")


@pytest.mark.parametrize("index", ["sqlite_autoindex_stored_events_1", "stored_events_of_the_ledger"])
def test_an_index_that_hides_events_is_named_and_reindexed(tmp_path: Path, index: str) -> None:
    home = small.begin(tmp_path / "home")
    # So few that the index is one page.
    small.grow(home, 60)
    assert verify(home).ok
    empty_index(home, index)
    verdict = verify(home)
    assert (verdict.ok, verdict.first_bad, verdict.reason, verdict.events) == (False, None, "changed", 61)
    assert "missing from index" in verdict.detail
    assert "REINDEX" in verdict.detail
    with closing(sqlite3.connect(home.database)) as connection:
        connection.execute("REINDEX")
    assert verify(home).ok


def test_who_is_sent_to_verify_because_the_beginning_is_hidden_finds_it_named_there(home: Home) -> None:
    empty_index(home, "stored_events_of_the_ledger")
    with pytest.raises(LedgerDamaged, match="ledger verify"), small.opened(home):
        pass
    assert not verify(home).ok


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ("UPDATE archived_runs SET first_version = first_version + 1", "`archived_runs`"),
        ("UPDATE archived_runs SET last_version = last_version + 1000", "`archived_runs`"),
        ("UPDATE archived_runs SET last_version = 4611686018427387904", "`archived_runs`"),
        ("UPDATE archived_runs SET first_position = first_position + 1000", "`archived_runs`"),
        ("UPDATE archived_runs SET stream = 'x' || stream", "`archived_runs`"),
        ("UPDATE archived_runs SET last_version = 'x'", "`archived_runs`"),
        ("DELETE FROM archived_runs", "`archived_runs`"),
        ("UPDATE archives SET root = 'x' || root", "`archives`"),
        ("DELETE FROM archives", "`archives`"),
    ],
)
@pytest.mark.parametrize("row", ["first", "last"])
def test_every_change_of_what_is_said_of_the_archive_is_named(
    archived: Home, change: str, named: str, row: str
) -> None:
    assert verify(archived).ok
    column = "first_position" if "runs" in change else "through"
    table = "archived_runs" if "runs" in change else "archives"
    chosen = f"(SELECT {'MIN' if row == 'first' else 'MAX'}({column}) FROM {table})"
    verdict = tampered(archived, f"{change} WHERE {column} = {chosen}")
    assert not verdict.ok
    if verdict.first_bad is None:
        assert named in verdict.detail
        assert "the events themselves are intact" in verdict.detail
    else:
        # Without the end of its last archive the database lacks the events in it.
        assert change == "DELETE FROM archives"


def test_a_run_too_many_is_named(archived: Home) -> None:
    verdict = tampered(archived, "INSERT INTO archived_runs VALUES ('later', 1, 9, 5000)")
    assert (verdict.ok, verdict.first_bad) == (False, None)
    assert "`archived_runs` is wrong from position 1,025 on" in verdict.detail


def test_an_archive_that_the_log_never_made_is_named(archived: Home) -> None:
    verdict = tampered(archived, "INSERT INTO archives VALUES (256, 'root')")
    assert (verdict.ok, verdict.first_bad) == (False, None)
    assert "`archives`" in verdict.detail
