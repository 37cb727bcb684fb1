"""The audit itself: keys of every time, many processes, progress, an end when it is asked for."""

import base64
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from control_plane.clock import Clock
from control_plane.ledger.audit import Verdict, verify
from control_plane.ledger.backend_evidence import BackendEvidence
from control_plane.ledger.evidence import Evidence
from control_plane.ledger.facts import STREAM, KeysChanged
from control_plane.ledger.home import Home
from control_plane.ledger.keyring import key_change
from control_plane.ledger.keys import load_key
from control_plane.ledger.notes import Checkpoint, Note, Signer
from control_plane.ledger.rowscan import suspects
from control_plane.ledger.scanpool import SHARE, WORTH_SHARING, scan
from control_plane.ledger.sqlite_evidence import SQLiteEvidence
from tests.ledger import small


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return small.begin(tmp_path / "home")


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("large")
        patch.setenv("CONTROL_PLANE_WITNESS", str(folder / "witness"))
        home = small.begin(folder / "home")
        small.grow(home, WORTH_SHARING + 2 * SHARE, batch=2000)
        yield home


@pytest.mark.requirement("LEDGER-79")
def test_a_verdict_has_the_fields_of_the_contract(home: Home) -> None:
    small.grow(home, 99)
    said = json.loads(msgspec.json.encode(verify(home)))
    root = said["root"]
    assert {name: said[name] for name in ("ok", "events", "position", "first_bad", "reason")} == {
        "ok": True,
        "events": 100,
        "position": 100,
        "first_bad": None,
        "reason": None,
    }
    with small.opened(home) as held:
        assert base64.b64decode(root) == held.root_at(100)


def test_an_opened_home_and_its_folder_get_the_same_verdict(home: Home) -> None:
    small.grow(home, 700)
    with small.opened(home) as held:
        assert verify(held) == verify(home)


def test_an_audit_leaves_the_home_as_it_was(home: Home) -> None:
    small.grow(home, 700)
    before = {path: path.read_bytes() for path in home.root.rglob("*") if path.is_file()}
    assert verify(home).ok
    after = {path: path.read_bytes() for path in home.root.rglob("*") if path.is_file()}
    # What SQLite keeps beside a database that is being read holds no content.
    assert {path: content for path, content in after.items() if content and path.suffix != ".db-shm"} == {
        path: content for path, content in before.items() if content and path.suffix != ".db-shm"
    }


def test_an_audit_needs_no_key(home: Home) -> None:
    small.grow(home, 10)
    home.key.unlink()
    assert verify(home).ok


@pytest.mark.requirement("LEDGER-79")
@pytest.mark.parametrize("workers", [1, 2, 3])
def test_several_processes_share_the_rows_and_say_the_same(large: Home, workers: int) -> None:
    told: list[int] = []
    verdict = verify(large, workers, lambda done, total: told.append(done))
    size = WORTH_SHARING + 2 * SHARE + 1
    assert (verdict.ok, verdict.events) == (True, size)
    assert told == sorted(told)
    assert told[-1] == size


@pytest.mark.parametrize("workers", [1, 2])
def test_the_first_of_several_bad_events_is_named_whoever_finds_it(large: Home, tmp_path: Path, workers: int) -> None:
    copy = small.copy(large, tmp_path / "copy")
    with small.tampering(copy) as connection:
        connection.execute("UPDATE stored_events SET state = x'7b7d' WHERE rowid IN (70000, 70001, 120000)")
    verdict = verify(copy, workers)
    assert (verdict.ok, verdict.first_bad, verdict.reason) == (False, 70000, "changed")


class Counting:
    """Evidence that counts how many ranges were asked of this process."""

    def __init__(self, evidence: SQLiteEvidence) -> None:
        self._evidence, self.ranges = evidence, 0

    def __getattr__(self, name: str) -> object:
        return getattr(self._evidence, name)

    def hashes(self, first: int, last: int) -> list[bytes] | None:
        self.ranges += 1
        return self._evidence.hashes(first, last)


def test_shares_that_no_other_process_answers_are_done_here(large: Home, tmp_path: Path) -> None:
    nowhere = (tmp_path / "nothing.db", tmp_path)
    evidence = Counting(SQLiteEvidence(large.database, large.archive))
    size = WORTH_SHARING + 2 * SHARE + 1
    told: list[int] = []
    found = scan(evidence, size, lambda done, _: told.append(done), workers=2, files=nowhere)  # type: ignore[arg-type]
    evidence._evidence.close()
    assert found == []
    assert told[-1] == size
    assert evidence.ranges == -(-size // 4096)


# What a shell starts in the background does not hear SIGINT, unless it says that it will.
_INTERRUPTED = """
import signal
import sys
from pathlib import Path
signal.signal(signal.SIGINT, signal.default_int_handler)
from control_plane.ledger.audit import verify
from control_plane.ledger.home import Home

def told(done, total):
    print("begun", flush=True)
    sys.stdin.readline()

try:
    verify(Home(Path(sys.argv[1])), 2, told)
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""


def test_an_interrupted_audit_ends_with_all_its_processes(large: Home) -> None:
    program = subprocess.Popen(
        [sys.executable, "-c", _INTERRUPTED, str(large.root)],
        cwd=Path(__file__).parents[2],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert program.stdout is not None
    assert program.stdout.readline() == "begun\n"
    # As a terminal does it: to the whole group.
    os.killpg(program.pid, signal.SIGINT)
    out, err = program.communicate(timeout=30)
    assert (out, err, program.returncode) == ("interrupted\n", "", 0)
    with pytest.raises(ProcessLookupError):
        os.killpg(program.pid, 0)


def test_commits_that_arrive_during_an_audit_do_not_disturb_it(home: Home) -> None:
    small.grow(home, 2000)
    stop = threading.Event()

    def write() -> None:
        while not stop.is_set():
            small.grow(home, 20, batch=10)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        verdicts = [verify(home) for _ in range(15)]
    finally:
        stop.set()
        writer.join()
    assert [verdict.detail for verdict in verdicts if not verdict.ok] == []
    assert verdicts[-1].events > verdicts[0].events


def change_keys(home: Home, *, admits: Signer | None, retires: Signer | None) -> None:
    """A key change as the log knows it, without the care that the command takes."""
    origin = home.identity().origin
    envelope = key_change(
        origin,
        load_key(home.key, origin),
        "a test",
        admits=admits,
        retires=(retires.verifier,) if retires else (),
    )
    with small.opened(home) as held:
        event = KeysChanged(at=Clock().now(), envelope=envelope)
        version = held.backend.stored_upto(STREAM) + 1
        held.backend.insert(STREAM, version, [event.TOPIC], [held.catalogue.encode(event)])


def use_key(home: Home, key: Ed25519PrivateKey) -> None:
    from cryptography.hazmat.primitives import serialization as ser

    pem = key.private_bytes(ser.Encoding.PEM, ser.PrivateFormat.PKCS8, ser.NoEncryption())
    home.key.write_bytes(pem)


@pytest.fixture
def rotated(home: Home) -> tuple[Home, Signer]:
    """A log of 5,000 events under one key and 5,000 under the next, and the retired key."""
    small.grow(home, 5000, batch=500)
    origin = home.identity().origin
    old, key = load_key(home.key, origin), Ed25519PrivateKey.generate()
    change_keys(home, admits=Signer(origin, key), retires=old)
    use_key(home, key)
    small.grow(home, 5000, batch=500)
    return home, old


@pytest.mark.requirement("LEDGER-39")
def test_each_part_verifies_with_the_key_of_its_time(rotated: tuple[Home, Signer]) -> None:
    home, _ = rotated
    verdict = verify(home)
    assert (verdict.ok, verdict.events) == (True, 10_002), verdict.detail
    with small.tampering(home) as connection:
        notes = [Note.parse(note) for (note,) in connection.execute("SELECT note FROM checkpoints ORDER BY size")]
    assert len({note.signatures[0][1] for note in notes}) == 2


@pytest.mark.requirement("LEDGER-43")
@pytest.mark.parametrize("by", ["the retired key", "nobody's key"])
def test_a_head_signed_by_a_key_that_may_not_is_found(rotated: tuple[Home, Signer], by: str) -> None:
    home, old = rotated
    signer = old if by == "the retired key" else Signer(home.identity().origin, Ed25519PrivateKey.generate())
    with small.tampering(home) as connection:
        sizes = [size for (size,) in connection.execute("SELECT size FROM checkpoints ORDER BY size")]
        (note,) = connection.execute("SELECT note FROM checkpoints WHERE size = ?", (sizes[-1],)).fetchone()
        forged = signer.note(Note.parse(note).checkpoint().text())
        connection.execute("UPDATE checkpoints SET note = ? WHERE size = ?", (forged, sizes[-1]))
    verdict = verify(home)
    assert (verdict.ok, verdict.first_bad, verdict.reason) == (False, sizes[-2] + 1, "unknown-key")


@pytest.mark.parametrize(
    ("tampering", "position", "reason"),
    [
        ("UPDATE stored_events SET topic = 'router.noted' WHERE rowid = 5002", 5002, "changed"),
        ("UPDATE stored_events SET state = state || ' ' WHERE rowid = 5002", 5002, "changed"),
        ("DELETE FROM stored_events WHERE rowid = 5002", 5002, "missing"),
        ("DELETE FROM stored_events WHERE rowid > 5000", 5001, "truncated"),
        ("UPDATE stored_events SET state = state || ' ' WHERE rowid = 1", 1, "changed"),
    ],
)
def test_a_tampered_change_of_keys_is_named_and_not_the_signatures_that_depend_on_it(
    rotated: tuple[Home, Signer], tampering: str, position: int, reason: str
) -> None:
    home, _ = rotated
    with small.tampering(home) as connection:
        connection.execute(tampering)
    verdict = verify(home)
    assert (verdict.ok, verdict.first_bad, verdict.reason) == (False, position, reason), verdict.detail


def test_a_foreign_signature_before_the_first_changed_event_is_named_first(rotated: tuple[Home, Signer]) -> None:
    home, _ = rotated
    stranger = Signer(home.identity().origin, Ed25519PrivateKey.generate())
    with small.tampering(home) as connection:
        size, note = connection.execute("SELECT size, note FROM checkpoints ORDER BY size").fetchone()
        forged = stranger.note(Note.parse(note).checkpoint().text())
        connection.execute("UPDATE checkpoints SET note = ? WHERE size = ?", (forged, size))
        connection.execute("UPDATE stored_events SET state = x'7b7d' WHERE rowid = 9000")
    verdict = verify(home)
    assert (verdict.ok, verdict.first_bad, verdict.reason) == (False, 1, "unknown-key")


def test_a_key_change_without_authority_is_named(home: Home) -> None:
    small.grow(home, 20)
    stranger = Signer(home.identity().origin, Ed25519PrivateKey.generate())
    envelope = key_change(home.identity().origin, stranger, "mine now", admits=stranger)
    with small.opened(home) as held:
        event = KeysChanged(at=1.0, envelope=envelope)
        held.backend.insert("elsewhere", 1, [event.TOPIC], [held.catalogue.encode(event)])
    verdict = verify(home)
    assert (verdict.ok, verdict.first_bad, verdict.reason) == (False, 22, "unknown-key")


def test_a_history_that_went_on_from_an_old_copy_is_not_the_one_the_witness_saw(home: Home, tmp_path: Path) -> None:
    small.grow(home, 300)
    old = small.copy(home, tmp_path / "old")
    small.grow(home, 100)
    (seen,) = (path for path in Path(os.environ["CONTROL_PLANE_WITNESS"]).glob("*.json"))
    sighting = seen.read_bytes()
    # It would refuse to see the other history.
    seen.unlink()
    small.grow(old, 200, batch=7, at=5.0)
    seen.write_bytes(sighting)
    verdict = verify(old)
    assert (verdict.ok, verdict.first_bad, verdict.reason) == (False, None, "rollback")


def test_an_earlier_checkpoint_of_another_history_is_found(home: Home) -> None:
    small.grow(home, 9000, batch=500)
    origin = home.identity().origin
    with small.tampering(home) as connection:
        (size,) = connection.execute("SELECT MIN(size) FROM checkpoints").fetchone()
        forged = load_key(home.key, origin).note(Checkpoint(origin, size, bytes(32)).text())
        connection.execute("UPDATE checkpoints SET note = ? WHERE size = ?", (forged, size))
    verdict = verify(home)
    assert (verdict.ok, verdict.reason) == (False, "changed")
    assert f"checkpoint of {size}" in verdict.detail


def test_a_checkpoint_filed_under_another_size_is_found(home: Home) -> None:
    small.grow(home, 9000, batch=500)
    with small.tampering(home) as connection:
        connection.execute("UPDATE checkpoints SET size = size - 1 WHERE size = (SELECT MIN(size) FROM checkpoints)")
    verdict = verify(home)
    assert (verdict.ok, verdict.first_bad, verdict.reason) == (False, 1, "bad-signature")


def test_a_store_behind_the_port_is_audited_alike(home: Home) -> None:
    small.grow(home, 700)
    with small.opened(home) as held, ExitStack() as stack:
        evidences: tuple[Evidence, Evidence] = (
            stack.enter_context(closing(SQLiteEvidence(home.database, home.archive))),
            stack.enter_context(closing(BackendEvidence(held.backend))),
        )
        for ask in (
            lambda e: e.notes()[0][0],
            lambda e: e.hashes(1, 700),
            lambda e: e.found(300, 310),
            lambda e: e.lowest(),
            lambda e: e.beyond(700),
            lambda e: list(e.everything()),
            lambda e: e.own_rows(),
            lambda e: e.count(),
            lambda e: suspects(e, 1, 701),
        ):
            one, other = map(ask, evidences)
            assert one == other


def test_a_foreign_topic_is_never_looked_up(home: Home) -> None:
    with small.opened(home) as held:
        held.backend.insert("x", 1, ["os:system"], [b'{"TOPIC": "os:system"}'])
    verdict: Verdict = verify(home)
    # The witness was not told: it saw an older head, which is contained.
    assert verdict.ok
