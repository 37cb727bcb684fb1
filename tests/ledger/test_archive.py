"""What is archived has left the database and is still there for everybody who reads."""

import datetime
import gzip
import os
import shutil
import signal
import subprocess
import sys
import zlib
from contextlib import closing
from pathlib import Path

import pytest
from eventsourcing.persistence import IntegrityError

from control_plane.errors import ArchiveRefused, BadInput, LedgerDamaged
from control_plane.ledger.archive import archive_due, archive_prefix
from control_plane.ledger.audit import verify
from control_plane.ledger.backend import Row
from control_plane.ledger.evidence import RawRow
from control_plane.ledger.export import export_jsonl, prove
from control_plane.ledger.home import Home
from control_plane.ledger.sqlite_backend import SQLiteBackend
from control_plane.ledger.sqlite_evidence import SQLiteEvidence
from tests.ledger import small

SIZE = 1500


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return small.grown(tmp_path / "home", SIZE)


def all_rows(home: Home, step: int = 100) -> list[Row]:
    with small.opened(home) as held:
        rows: list[Row] = []
        while found := held.backend.rows(len(rows), step):
            rows += found
    return rows


def archived(home: Home, before: int) -> None:
    with small.opened(home) as held:
        archive_prefix(held, before)


def live(home: Home) -> list[int]:
    with small.tampering(home) as connection:
        return [position for (position,) in connection.execute("SELECT rowid FROM stored_events ORDER BY rowid")]


@pytest.mark.requirement("LEDGER-90", "LEDGER-91", "LEDGER-92")
def test_an_archived_prefix_leaves_the_table_and_stays_readable(home: Home) -> None:
    before = all_rows(home)
    with small.opened(home) as held:
        result = archive_prefix(held, 1100)
        lines: list[bytes] = []
        export_jsonl(held, lines.append)
        proofs = [prove(held, position) for position in (1, 2, 256, 257, 1024, 1025, SIZE, SIZE + 1)]
    assert (result.through, result.moved, result.compacted) == (1024, 1024, True)
    # The beginning of the ledger stays at hand: it names the keys.
    assert live(home) == [1, *range(1025, SIZE + 2)]
    assert all_rows(home)[:SIZE] == before
    assert all_rows(home, step=7)[:SIZE] == before
    assert b"".join(lines).count(b"\n") == SIZE + 1
    assert all(proof.startswith("c2sp.org/tlog-proof@v1\n") for proof in proofs)
    verdict = verify(home)
    assert (verdict.ok, verdict.events) == (True, SIZE + 1), verdict.detail


def test_an_auditor_reads_an_archived_row_as_it_was_in_the_table(home: Home) -> None:
    def rows() -> dict[int, RawRow]:
        with closing(SQLiteEvidence(home.database, home.archive)) as evidence:
            return {row.position: row for row in evidence.everything()}

    before = rows()
    archived(home, 1100)
    after = rows()
    assert len(before) == SIZE
    assert {position: after[position] for position in before} == before


@pytest.mark.requirement("LEDGER-91")
def test_bundles_have_the_paths_and_content_of_tlog_tiles(home: Home) -> None:
    rows = all_rows(home)
    archived(home, SIZE)
    entries = home.archive / "tile" / "entries"
    assert sorted(path.name for path in entries.iterdir()) == [f"{number:03}.gz" for number in range(5)]
    bundle = gzip.decompress((entries / "004.gz").read_bytes())
    at = 0
    for row in rows[1024:1280]:
        length = int.from_bytes(bundle[at : at + 2], "big")
        assert bundle[at + 2 : at + 2 + length].endswith(row[4])
        at += 2 + length
    assert at == len(bundle)


@pytest.mark.requirement("LEDGER-90")
def test_a_date_ends_the_prefix_at_the_first_event_that_is_not_older(home: Home) -> None:
    # The clock of the first event is the machine's, those of the others count from one.
    small.grow(home, 300, at=-1000.0)
    with small.opened(home) as held, pytest.raises(BadInput, match="time zone"):
        archive_prefix(held, datetime.datetime(2020, 1, 1))  # noqa: DTZ001
    limit = datetime.datetime.fromtimestamp(900, datetime.UTC)
    with small.opened(home) as held:
        assert archive_prefix(held, limit).through == 0
        assert archive_prefix(held, 300).through == 256
        # Later events with an earlier clock do not let younger ones before them slip in.
        assert archive_prefix(held, limit).through == 768
    assert verify(home).ok


def test_archiving_goes_on_where_it_stopped_and_does_nothing_twice(home: Home) -> None:
    before = all_rows(home)
    with small.opened(home) as held:
        assert archive_prefix(held, 257).moved == 256
        assert archive_prefix(held, 257).moved == 0
        assert archive_prefix(held, 100).moved == 0
        assert archive_prefix(held, 1281).moved == 1024
        with pytest.raises(BadInput):
            archive_prefix(held, 0)
    small.grow(home, 700)
    archived(home, 1 << 60)
    assert all_rows(home)[:SIZE] == before
    assert verify(home).ok


@pytest.mark.requirement("LEDGER-92")
def test_what_was_archived_cannot_be_stored_again(home: Home) -> None:
    with small.opened(home) as held:
        upto = {f"journal-{n}": held.backend.stored_upto(f"journal-{n}") for n in range(3)}
    small.grow(home, 600, streams=1)
    archived(home, 1281)
    with small.opened(home) as held:
        backend = held.backend
        assert backend.stored_upto("journal-1") == upto["journal-1"]
        assert backend.stored_upto("nobody") == 0
        for stream, version in (("journal-1", 1), ("journal-1", 100), ("journal-0", 64)):
            with pytest.raises(IntegrityError):
                backend.insert(stream, version, ["router.noted"], [b"{}"])
        with pytest.raises(IntegrityError):
            backend.insert("journal-2", upto["journal-2"] - 5, ["router.noted"] * 20, [b"{}"] * 20)
        backend.insert("journal-1", upto["journal-1"] + 1, ["router.noted"], [b"{}"])
    assert verify(home).ok


def test_a_stream_that_is_archived_as_a_whole_still_ends_where_it_ended(home: Home) -> None:
    with small.opened(home) as held:
        held.backend.insert("once", 5, ["router.noted"] * 3, [b"{}"] * 3)
    small.grow(home, 600)
    archived(home, 2049)
    with small.opened(home) as held:
        assert held.backend.stored_upto("once") == 7
        assert held.backend.row_of("once", 6) == (SIZE + 2, "once", 6, "router.noted", b"{}")
        assert [held.backend.row_of("once", version) for version in (4, 8)] == [None, None]


def test_an_archived_event_is_found_by_its_stream_and_version(home: Home) -> None:
    rows = all_rows(home)
    archived(home, SIZE)
    with small.opened(home) as held:
        for row in (rows[1], rows[300], rows[1279], rows[1280]):
            assert held.backend.row_of(row[1], row[2]) == row
        assert held.backend.row_of("journal-0", 10_000) is None
        assert held.backend.row_of("nobody", 1) is None


def test_the_database_shrinks(tmp_path: Path) -> None:
    home = small.begin(tmp_path / "home")
    small.grow(home, 20_000, batch=2000)
    before = home.database.stat().st_size
    archived(home, 18_000)
    bundles = sum(path.stat().st_size for path in home.archive.rglob("*.gz"))
    assert home.database.stat().st_size < before / 2
    assert bundles < before / 5


@pytest.mark.requirement("LEDGER-93")
def test_a_database_that_grew_too_large_is_due_and_then_no_longer(home: Home) -> None:
    with small.opened(home) as held:
        assert archive_due(held) is None
        assert isinstance(held.backend, SQLiteBackend)
        limit = held.backend.live_bytes()
        before = archive_due(held, limit)
        assert before == SIZE // 2
        archive_prefix(held, before)
        assert archive_due(held, limit) is None


@pytest.mark.requirement("LEDGER-90")
def test_a_ledger_that_does_not_verify_is_not_archived(home: Home) -> None:
    with small.tampering(home) as connection:
        connection.execute("UPDATE stored_events SET state = x'7b7d' WHERE rowid = 1400")
    with small.opened(home) as held, pytest.raises(LedgerDamaged, match="1400"):
        archive_prefix(held, 300)
    assert len(live(home)) == SIZE
    assert not home.archive.exists()


def leaf_in_bundle(home: Home, position: int, change: bytes) -> None:
    """Change the end of one leaf in a bundle and pack it again, as somebody with the file would."""
    path = home.archive / "tile" / "entries" / f"{(position - 1) // 256:03}.gz"
    bundle, at = bytearray(gzip.decompress(path.read_bytes())), 0
    for _ in range((position - 1) % 256 + 1):
        at += 2 + int.from_bytes(bundle[at : at + 2], "big")
    bundle[at - len(change) : at] = change
    path.write_bytes(gzip.compress(bytes(bundle)))


@pytest.mark.requirement("LEDGER-92", "LEDGER-105")
@pytest.mark.parametrize("position", [1, 2, 256, 257, 1000, 1024])
def test_a_tampered_bundle_is_named_by_position(home: Home, position: int) -> None:
    archived(home, 1025)
    leaf_in_bundle(home, position, b"!")
    verdict = verify(home)
    assert (verdict.ok, verdict.first_bad, verdict.reason) == (False, position, "changed"), verdict.detail


def test_a_missing_damaged_or_exchanged_bundle_is_named(home: Home) -> None:
    archived(home, 1025)
    entries = home.archive / "tile" / "entries"
    whole = {path.name: path.read_bytes() for path in entries.iterdir()}

    def outcome(name: str, content: bytes | None) -> tuple[int | None, str | None]:
        path = entries / name
        path.unlink() if content is None else path.write_bytes(content)
        verdict = verify(home)
        path.write_bytes(whole[name])
        assert not verdict.ok
        return verdict.first_bad, verdict.reason

    assert outcome("002.gz", None) == (513, "missing")
    assert outcome("002.gz", b"") == (513, "missing")
    assert outcome("002.gz", whole["001.gz"]) == (513, "changed")
    # The checksum at the end is not part of any event.
    assert outcome("002.gz", whole["002.gz"][:-1]) == (None, "changed")
    unpacked = gzip.decompress(whole["001.gz"])
    assert outcome("001.gz", gzip.compress(unpacked[:-1])) == (512, "missing")
    first, reason = outcome("001.gz", whole["001.gz"][: len(whole["001.gz"]) // 2])
    assert (257 <= (first or 0) <= 512, reason) == (True, "missing")
    assert verify(home).ok


def test_a_bundle_that_cannot_be_read_is_a_coded_error_for_readers(home: Home) -> None:
    archived(home, 1025)
    path = home.archive / "tile" / "entries" / "001.gz"
    for content in (b"", b"nonsense", zlib.compress(b"x"), gzip.compress(b"\0\1x"), gzip.compress(b"\0\1x" * 256)):
        path.write_bytes(content)
        with small.opened(home) as held:
            assert len(held.backend.rows(0, 256)) == 256
            with pytest.raises(LedgerDamaged, match="archived event"):
                held.backend.rows(256, 10)


def test_a_boundary_moved_by_hand_does_not_hide_what_is_gone(home: Home) -> None:
    archived(home, 1025)
    for statement, first in (
        ("UPDATE archives SET through = 512", 513),
        ("DELETE FROM archives", 2),
        # Bundles that do not exist for rows that do: the events are intact, the storage is not.
        ("UPDATE archives SET through = 1280", None),
    ):
        copy = small.copy(home, home.root.with_name(f"copy-{first}"))
        with small.tampering(copy) as connection:
            connection.execute(statement)
        verdict = verify(copy)
        assert (verdict.ok, verdict.first_bad) == (False, first), statement


_DYING = """
import os, signal, sys
from pathlib import Path
from control_plane.ledger.archive import archive_prefix
from control_plane.ledger.home import Home
from control_plane.ledger.sqlite_backend import SQLiteBackend
from tests.ledger import small

left = int(sys.argv[2])

def die(name, _):
    global left
    if name in ("open", "os.rename", "os.mkdir", "sqlite3.connect"):
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

with small.opened(Home(Path(sys.argv[1]))) as held:
    import control_plane.ledger.audit
    sys.addaudithook(die)
    archive_prefix(held, 1281)
    print(-left)
"""


def die_while_archiving(home: Home, moment: int) -> subprocess.CompletedProcess[str]:
    """Archive in a process that kills itself before its nth look at the disk; 0 lets it live and count them."""
    return subprocess.run(
        [sys.executable, "-c", _DYING, str(home.root), str(moment)],
        check=False,
        cwd=Path(__file__).parents[2],
        timeout=60,
        capture_output=True,
        text=True,
    )


@pytest.mark.requirement("LEDGER-92")
def test_an_archiving_that_dies_anywhere_leaves_every_event_and_can_be_repeated(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = all_rows(home)
    monkeypatch.setenv("CONTROL_PLANE_WITNESS", str(tmp_path / "witness"))
    moments = int(die_while_archiving(small.copy(home, tmp_path / "whole"), 0).stdout)
    assert moments > 20
    for moment in range(1, moments + 1, moments // 10):
        # Of the same ledger each copy has a future of its own.
        monkeypatch.setenv("CONTROL_PLANE_WITNESS", str(tmp_path / f"witness-{moment}"))
        copy = small.copy(home, tmp_path / f"dies-{moment}")
        assert die_while_archiving(copy, moment).returncode == -signal.SIGKILL
        assert all_rows(copy)[:SIZE] == before
        assert verify(copy).ok
        archived(copy, 1281)
        assert all_rows(copy)[:SIZE] == before
        assert live(copy)[1] == 1281
        assert verify(copy).ok


def test_a_copy_without_its_archive_says_what_is_missing(home: Home) -> None:
    archived(home, 1025)
    shutil.rmtree(home.archive)
    verdict = verify(home)
    assert (verdict.ok, verdict.first_bad, verdict.reason) == (False, 2, "missing")


def test_only_sqlite_has_an_archive(home: Home) -> None:
    class Elsewhere:
        backend = object()

    with pytest.raises(ArchiveRefused):
        archive_prefix(Elsewhere(), 300)  # type: ignore[arg-type]
    assert archive_due(Elsewhere()) is None  # type: ignore[arg-type]


def test_another_process_reads_on_while_events_move(home: Home) -> None:
    before = all_rows(home)
    with small.opened(home) as reader, small.opened(home) as mover:
        first = reader.backend.rows(0, 700)
        archive_prefix(mover, 1025)
        rest = reader.backend.rows(700, SIZE)
    assert (first + rest)[:SIZE] == before
    assert os.path.exists(home.archive)
