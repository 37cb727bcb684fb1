"""Whatever is done to the stored log, the audit names the first event that is not as signed, and why."""

import json
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import HealthCheck, given, reject, settings
from hypothesis import strategies as st

from control_plane.errors import ControlPlaneError, ForeignHome
from control_plane.ledger.audit import Verdict, verify
from control_plane.ledger.home import Home
from control_plane.ledger.leaf import leaf_bytes
from control_plane.ledger.merkle import leaf_hash
from control_plane.ledger.notes import Signer
from tests.ledger import small
from tests.ledger.tampering import Tampering, flip, insert, permute, shift, tampered

SIZE = 700


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Home:
    # The witness of the module's ledger lies beside it; `witnessed` puts it where each test looks.
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("tamper")
        patch.setenv("CONTROL_PLANE_WITNESS", str(folder / "witness"))
        home = small.begin(folder / "home")
        small.grow(home, SIZE - 1)
    return home


@pytest.fixture
def home(original: Home, tmp_path: Path, own_environment: Path) -> Home:
    shutil.copytree(original.root.parent / "witness", own_environment)
    return small.copy(original, tmp_path / "home")


@pytest.mark.requirement("LEDGER-79")
def test_an_untouched_ledger_verifies(home: Home) -> None:
    verdict = verify(home)
    assert (verdict.ok, verdict.events, verdict.position, verdict.first_bad) == (True, SIZE, SIZE, None)


NAMED: dict[str, tuple[Tampering | str, int, str]] = {
    "state": (lambda c: flip(c, "state", 300, 7), 300, "changed"),
    "state of the first": (lambda c: flip(c, "state", 1, 30), 1, "changed"),
    "state of the last": (lambda c: flip(c, "state", SIZE, 0), SIZE, "changed"),
    "topic": (lambda c: flip(c, "topic", 257, 3), 257, "changed"),
    "stream": (lambda c: flip(c, "originator_id", 256, 2), 256, "changed"),
    "version": (lambda c: flip(c, "originator_version", 512, 0), 512, "changed"),
    "longer state": ("UPDATE stored_events SET state = state || x'20' WHERE rowid = 9", 9, "changed"),
    "text instead of bytes": ("UPDATE stored_events SET state = CAST(state AS TEXT) WHERE rowid = 9", 9, "changed"),
    "emptied state": ("UPDATE stored_events SET state = x'' WHERE rowid = 700", 700, "changed"),
    "number as state": ("UPDATE stored_events SET state = 7 WHERE rowid = 70", 70, "changed"),
    "negative version": ("UPDATE stored_events SET originator_version = -1 WHERE rowid = 70", 70, "changed"),
    "version as text": ("UPDATE stored_events SET originator_version = 'one' WHERE rowid = 70", 70, "changed"),
    "two events": ("UPDATE stored_events SET state = x'7b7d' WHERE rowid IN (90, 600)", 90, "changed"),
    "row deleted": ("DELETE FROM stored_events WHERE rowid = 400", 400, "missing"),
    "first row deleted": ("DELETE FROM stored_events WHERE rowid = 1", 1, "missing"),
    "many deleted": ("DELETE FROM stored_events WHERE rowid BETWEEN 257 AND 512", 257, "missing"),
    "deleted and renumbered": (
        lambda c: (c.execute("DELETE FROM stored_events WHERE rowid = 300"), shift(c, 301, -1)),
        300,
        "missing",
    ),
    "last but one deleted and renumbered": (
        lambda c: (c.execute("DELETE FROM stored_events WHERE rowid = 699"), shift(c, 700, -1)),
        699,
        "missing",
    ),
    "ten deleted and renumbered": (
        lambda c: (c.execute("DELETE FROM stored_events WHERE rowid BETWEEN 20 AND 29"), shift(c, 30, -10)),
        20,
        "missing",
    ),
    "two neighbours swapped": (lambda c: permute(c, {41: 42, 42: 41}), 41, "reordered"),
    "two far ones swapped": (lambda c: permute(c, {5: 650, 650: 5}), 5, "reordered"),
    "contents swapped": (
        "CREATE TEMP TABLE t AS SELECT rowid AS r, state FROM stored_events WHERE rowid IN (6, 60);"
        "UPDATE stored_events SET state = (SELECT state FROM t WHERE r = 66 - stored_events.rowid)"
        " WHERE rowid IN (6, 60)",
        6,
        "reordered",
    ),
    "reversed": (lambda c: permute(c, {n: SIZE + 1 - n for n in range(1, SIZE + 1)}), 1, "reordered"),
    "rotated": (lambda c: permute(c, {n: 300 if n == 350 else n + 1 for n in range(300, 351)}), 300, "reordered"),
    "moved to the end": (lambda c: permute(c, {300: SIZE + 1}), 300, "reordered"),
    "added at the end": (lambda c: insert(c, SIZE + 1), SIZE + 1, "added"),
    "added far away": (lambda c: insert(c, 1 << 60), 1 << 60, "added"),
    "added at zero": (lambda c: insert(c, 0), 0, "added"),
    "added below zero": (lambda c: insert(c, -5), -5, "added"),
    "added in the middle": (lambda c: (shift(c, 300, 1), insert(c, 300)), 300, "added"),
    "added at the beginning": (lambda c: (shift(c, 1, 1), insert(c, 1)), 1, "added"),
    "cut off": ("DELETE FROM stored_events WHERE rowid > 600", 601, "truncated"),
    "last row cut off": ("DELETE FROM stored_events WHERE rowid = 700", 700, "truncated"),
    "all rows gone": ("DELETE FROM stored_events", 1, "truncated"),
    "table gone": ("DROP TABLE stored_events", 1, "truncated"),
}


@pytest.mark.requirement("LEDGER-79", "LEDGER-105", "LEDGER-106", "LEDGER-107", "LEDGER-108", "LEDGER-109")
@pytest.mark.parametrize(("tampering", "position", "reason"), NAMED.values(), ids=NAMED)
def test_tampering_is_named_by_position_and_reason(
    home: Home, tampering: Tampering | str, position: int, reason: str
) -> None:
    verdict = tampered(home, tampering)
    assert (verdict.ok, verdict.first_bad, verdict.reason) == (False, position, reason), verdict.detail


def rows_untouched(verdict: Verdict) -> bool:
    return not verdict.ok and verdict.first_bad is None and "intact" in verdict.detail


TREES = {
    "a leaf hash": "UPDATE tiles SET hashes = zeroblob(32) || substr(hashes, 33) WHERE level = 0 AND number = 1",
    "a leaf hash of the last tile": "UPDATE tiles SET hashes = substr(hashes, 1, 64) || zeroblob(32) || "
    "substr(hashes, 97) WHERE level = 0 AND number = 2",
    "a short tile": "UPDATE tiles SET hashes = substr(hashes, 1, 32) WHERE level = 0 AND number = 0",
    "no hashes": "UPDATE tiles SET hashes = x'' WHERE level = 0",
    "text": "UPDATE tiles SET hashes = 'nonsense' WHERE level = 0 AND number = 0",
    "the upper level": "UPDATE tiles SET hashes = randomblob(64) WHERE level = 1",
    "one tile gone": "DELETE FROM tiles WHERE level = 0 AND number = 1",
    "a level gone": "DELETE FROM tiles WHERE level = 1",
    "all gone": "DELETE FROM tiles",
    "the table gone": "DROP TABLE tiles",
    "one too many": "INSERT INTO tiles VALUES (0, 77, x'00')",
    "one too long": "UPDATE tiles SET hashes = hashes || zeroblob(32) WHERE level = 0 AND number = 2",
}


@pytest.mark.parametrize("tampering", TREES.values(), ids=TREES)
def test_a_damaged_tree_is_found_and_the_events_are_called_intact(home: Home, tampering: str) -> None:
    verdict = tampered(home, tampering)
    assert (verdict.ok, verdict.first_bad, verdict.reason) == (False, None, "changed"), verdict.detail
    assert "tree" in verdict.detail


def forge_tile(connection: sqlite3.Connection, position: int) -> None:
    """Change a row and its leaf hash in the tree alike: without the key, the tree above betrays both."""
    connection.execute("UPDATE stored_events SET state = x'7b7d' WHERE rowid = ?", (position,))
    stream, version, topic = connection.execute(
        "SELECT originator_id, originator_version, topic FROM stored_events WHERE rowid = ?", (position,)
    ).fetchone()
    leaf = leaf_hash(leaf_bytes(stream, version, topic, b"{}"))
    number, offset = divmod(position - 1, 256)
    (tile,) = connection.execute("SELECT hashes FROM tiles WHERE level = 0 AND number = ?", (number,)).fetchone()
    forged = tile[: offset * 32] + leaf + tile[offset * 32 + 32 :]
    connection.execute("UPDATE tiles SET hashes = ? WHERE level = 0 AND number = ?", (forged, number))


@pytest.mark.requirement("LEDGER-79")
@pytest.mark.parametrize(("position", "first", "last"), [(300, 257, 512), (690, 1, SIZE)])
def test_a_row_changed_together_with_its_leaf_hash_is_bounded_by_what_is_signed(
    home: Home, position: int, first: int, last: int
) -> None:
    verdict = tampered(home, lambda c: forge_tile(c, position))
    assert (verdict.ok, verdict.first_bad, verdict.reason) == (False, first, "changed")
    assert f"between positions {first} and {last}" in verdict.detail


def rewrite_note(connection: sqlite3.Connection, change: Callable[[str], str]) -> None:
    (note,) = connection.execute("SELECT note FROM checkpoints ORDER BY size DESC LIMIT 1").fetchone()
    connection.execute("UPDATE checkpoints SET note = ?", (change(note),))


NOTES: dict[str, tuple[Callable[[str], str], str]] = {
    "size": (lambda note: note.replace(f"\n{SIZE}\n", "\n699\n"), "bad-signature"),
    "root": (lambda note: note.replace(note.split("\n")[2][:4], "AAAA", 1), "bad-signature"),
    "origin": (lambda note: note.replace("/ledger/", "/lodger/", 1), "bad-signature"),
    "an extension line": (lambda note: note.replace("\n\n", "\nmore\n\n"), "bad-signature"),
    "signature": (lambda note: note[:-9] + ("A" if note[-9] != "A" else "B") + note[-8:], "bad-signature"),
    "signature stripped": (lambda note: note[: note.index("\n\n") + 2], "bad-signature"),
    "name of the key": (lambda note: note.replace("— control-plane", "— uncontrol-plane"), "bad-signature"),
    "empty": (lambda note: "", "bad-signature"),
    "not text": (lambda note: "\x00\x01", "bad-signature"),
    "a foreign key": (lambda note: foreign().note(note[: note.index("\n\n") + 1]), "unknown-key"),
    "a foreign key of the same name": (
        lambda note: foreign(note.split("\n")[0]).note(note[: note.index("\n\n") + 1]),
        "unknown-key",
    ),
}


def foreign(name: str = "elsewhere.dev/ledger/x") -> Signer:
    return Signer(name, Ed25519PrivateKey.generate())


@pytest.mark.requirement("LEDGER-79", "LEDGER-114")
@pytest.mark.parametrize(("change", "reason"), NOTES.values(), ids=NOTES)
def test_an_altered_checkpoint_leaves_its_events_unsigned(
    home: Home, change: Callable[[str], str], reason: str
) -> None:
    verdict = tampered(home, lambda c: rewrite_note(c, change))
    assert (verdict.ok, verdict.first_bad, verdict.reason) == (False, 1, reason), verdict.detail


@pytest.mark.parametrize("tampering", ["DELETE FROM checkpoints", "DROP TABLE checkpoints"])
def test_a_log_without_checkpoints_is_older_than_what_the_witness_saw(home: Home, tampering: str) -> None:
    verdict = tampered(home, tampering)
    assert (verdict.ok, verdict.first_bad, verdict.reason) == (False, 1, "rollback")


@pytest.mark.requirement("LEDGER-110", "LEDGER-115")
def test_an_old_copy_put_back_is_a_rollback_from_its_end_on(home: Home, tmp_path: Path) -> None:
    old = small.copy(home, tmp_path / "old")
    small.grow(home, 50)
    assert verify(home).ok
    verdict = verify(old)
    assert (verdict.ok, verdict.first_bad, verdict.reason, verdict.position) == (False, SIZE + 1, "rollback", SIZE)


@pytest.mark.requirement("LEDGER-115")
def test_a_consistent_cut_of_rows_tree_and_checkpoints_is_a_rollback(home: Home, tmp_path: Path) -> None:
    small.grow(home, 9000)
    with small.tampering(home) as connection:
        (kept,) = connection.execute("SELECT MIN(size) FROM checkpoints").fetchone()
        connection.execute("DELETE FROM stored_events WHERE rowid > ?", (kept,))
        connection.execute("DELETE FROM checkpoints WHERE size > ?", (kept,))
    verdict = verify(home)
    assert (verdict.ok, verdict.first_bad, verdict.reason) == (False, kept + 1, "rollback")


def test_events_changed_between_kept_checkpoints_are_bounded_by_them(home: Home) -> None:
    small.grow(home, 9000)
    with small.tampering(home) as connection:
        kept = [size for (size,) in connection.execute("SELECT size FROM checkpoints ORDER BY size")]
        forge_tile(connection, 6000)
        connection.execute("DELETE FROM tiles WHERE level > 0")
    verdict = verify(home)
    assert len(kept) == 3
    assert (verdict.ok, verdict.reason, verdict.first_bad) == (False, "changed", kept[0] + 1)


def test_an_altered_witness_is_named_and_the_events_are_not_blamed(home: Home, own_environment: Path) -> None:
    (witness,) = own_environment.glob("*.json")
    whole = witness.read_text()
    for altered, reason in (
        (whole.replace(f"\\n{SIZE}\\n", "\\n600\\n"), "bad-signature"),
        (whole.replace(f"\\n{SIZE}\\n", "\\n900\\n"), "bad-signature"),
        ("{", "bad-signature"),
        ("", "bad-signature"),
    ):
        witness.write_text(altered)
        verdict = verify(home)
        assert (verdict.ok, verdict.first_bad, verdict.reason) == (False, None, reason), altered
    witness.write_text(json.dumps({**json.loads(whole), "root_key": str(foreign().verifier)}))
    assert verify(home).reason == "unknown-key"
    witness.unlink()
    verdict = verify(home)
    assert verdict.ok
    assert "witness" in verdict.detail


def test_a_ledger_signed_anew_under_another_key_is_not_this_ledger(
    home: Home, tmp_path: Path, own_environment: Path
) -> None:
    other = small.begin(tmp_path / "other")
    small.grow(other, SIZE - 1)
    shutil.copy(other.database, home.database)
    verdict = verify(home)
    assert (verdict.ok, verdict.first_bad) == (False, 1)
    assert verdict.reason in ("unknown-key", "bad-signature")


@pytest.mark.parametrize("content", [b"", b"nonsense" * 1000, b"SQLite format 3\0" + b"\xff" * 8000])
def test_a_file_that_is_no_ledger_gets_a_verdict_or_a_coded_error(home: Home, content: bytes) -> None:
    home.database.write_bytes(content)
    assert outcome(home) in CLEAR


def test_a_missing_database_is_a_coded_error(home: Home) -> None:
    home.database.unlink()
    with pytest.raises(ForeignHome):
        verify(home)


COLUMNS = st.sampled_from(["state", "topic", "originator_id", "originator_version"])
POSITIONS = st.integers(1, SIZE)


@pytest.mark.requirement("LEDGER-105")
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(column=COLUMNS, position=POSITIONS, place=st.integers(0, 200), bit=st.sampled_from([1, 2, 4, 128]))
def test_every_single_byte_counts(home: Home, column: str, position: int, place: int, bit: int) -> None:
    before = home.database.read_bytes()
    try:
        verdict = tampered(home, lambda c: flip(c, column, position, place, bit))
    except sqlite3.IntegrityError:
        reject()  # the name of another event: the table itself refuses it
    finally:
        home.database.write_bytes(before)
    assert (verdict.ok, verdict.first_bad, verdict.reason) == (False, position, "changed")


@st.composite
def tamperings(draw: st.DrawFn) -> tuple[Tampering, int, str]:
    """One act of tampering, the first position that it touches, and its name."""
    first, second = sorted(draw(st.lists(POSITIONS, min_size=2, max_size=2, unique=True)))
    count = draw(st.integers(1, 30))
    # Nothing follows a tail that was deleted: then it is a truncation.
    first = min(first, SIZE - count)
    acts: dict[str, tuple[Tampering, int, str]] = {
        "delete": (
            lambda c: c.execute("DELETE FROM stored_events WHERE rowid BETWEEN ? AND ?", (first, first + count - 1)),
            first,
            "missing",
        ),
        "delete and renumber": (
            lambda c: (
                c.execute("DELETE FROM stored_events WHERE rowid BETWEEN ? AND ?", (first, first + count - 1)),
                shift(c, first + count, -count),
            ),
            first,
            "missing",
        ),
        "truncate": (lambda c: c.execute("DELETE FROM stored_events WHERE rowid >= ?", (second,)), second, "truncated"),
        "swap": (lambda c: permute(c, {first: second, second: first}), first, "reordered"),
        "insert": (lambda c: (shift(c, first, 1), insert(c, first)), first, "added"),
        "append": (lambda c: insert(c, SIZE + 1), SIZE + 1, "added"),
    }
    return acts[draw(st.sampled_from(sorted(acts)))]


@pytest.mark.requirement("LEDGER-106", "LEDGER-107", "LEDGER-108", "LEDGER-109")
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(act=tamperings())
def test_any_tampering_is_named_exactly(home: Home, act: tuple[Tampering, int, str]) -> None:
    tampering, position, reason = act
    before = home.database.read_bytes()
    verdict = tampered(home, tampering)
    home.database.write_bytes(before)
    assert (verdict.ok, verdict.first_bad, verdict.reason) == (False, position, reason)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.integers(0, 1 << 20), bit=st.sampled_from([1, 16, 128]))
def test_a_flipped_bit_anywhere_in_the_file_never_makes_other_events_pass(home: Home, place: int, bit: int) -> None:
    before = home.database.read_bytes()
    damaged = bytearray(before)
    damaged[place % len(before)] ^= bit
    home.database.write_bytes(damaged)
    try:
        seen = outcome(home)
        assert seen in CLEAR or events_of(bytes(damaged), home) == events_of(before, home)
    finally:
        home.database.write_bytes(before)


@pytest.mark.requirement("LEDGER-105")
def test_a_row_whose_id_was_damaged_in_the_file_is_named_although_all_rows_are_there(home: Home) -> None:
    content = home.database.read_bytes()
    # How the row of position 168 begins: its id, the size of its header, the id's empty column.
    begins = b"\x81\x28\x06\x00"
    assert content.count(begins) == 1
    home.database.write_bytes(content.replace(begins, b"\x80\x28\x06\x00"))
    verdict = verify(home)
    assert (verdict.ok, verdict.first_bad) == (False, 168), verdict.detail


def test_a_schema_that_is_no_text_is_a_coded_error(home: Home) -> None:
    content = home.database.read_bytes()
    assert b"originator_version INTEGER" in content
    home.database.write_bytes(content.replace(b"originator_version INTEGER", b"originator_v\xe9\xffsion INTEGER", 1))
    assert outcome(home) in CLEAR
    with pytest.raises(ControlPlaneError), small.opened(home):
        pass


CLEAR = {"not ok", "ledger.damaged", "ledger.unavailable", "home.foreign"}


def outcome(home: Home) -> str:
    """What an audit says, in a word; a traceback says nothing."""
    try:
        return "ok" if verify(home).ok else "not ok"
    except ControlPlaneError as fault:
        return fault.code


def events_of(content: bytes, home: Home) -> list[tuple[object, ...]]:
    home.database.write_bytes(content)
    with small.tampering(home) as connection:
        return connection.execute("SELECT * FROM stored_events NOT INDEXED ORDER BY rowid").fetchall()
