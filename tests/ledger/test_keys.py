"""Keys come and go by signed events, and a change that dies half way is taken up again."""

import contextlib
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from control_plane.clock import Clock
from control_plane.errors import (
    ControlPlaneError,
    KeyMissing,
    KeyRetired,
    KeyUnknown,
    KeyUnsafe,
    LedgerUnavailable,
)
from control_plane.ledger import key_changes
from control_plane.ledger.facts import KeysChanged
from control_plane.ledger.home import Home
from control_plane.ledger.journal import Journal
from control_plane.ledger.keyring import key_change
from control_plane.ledger.keys import create_key, load_key
from control_plane.ledger.ledger import Ledger
from control_plane.ledger.notes import Note
from control_plane.ledger.opening import Opened
from tests.ledger.keyed import CATALOGUE, Seen, head_signers, own_key, say


@pytest.mark.requirement("LEDGER-35", "LEDGER-36", "LEDGER-41")
def test_a_new_home_has_a_signing_key_and_a_recovery_key_that_only_their_owner_reads(home: Home) -> None:
    for path in (home.key, home.recovery_key):
        assert path.stat().st_mode & 0o777 == 0o600
    assert own_key(home) == home.identity().root
    assert load_key(home.recovery_key, "any").verifier.public != own_key(home).public


@pytest.mark.requirement("LEDGER-35")
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666])
def test_a_key_that_others_can_read_is_refused(home: Home, mode: int) -> None:
    home.key.chmod(mode)
    with pytest.raises(KeyUnsafe, match="chmod 600"):
        Opened(home, CATALOGUE, Clock())


@pytest.mark.parametrize("content", [b"", b"hello", b"\xff\xfe", b"-----BEGIN PRIVATE KEY-----\nAAAA\n"])
def test_a_key_file_with_something_else_in_it_is_a_coded_error(home: Home, content: bytes) -> None:
    home.key.write_bytes(content)
    with pytest.raises(KeyMissing, match="not a private key"):
        load_key(home.key, "any")


def test_a_key_of_another_kind_and_a_folder_in_a_keys_place_are_coded_errors(tmp_path: Path) -> None:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

    path = tmp_path / "x25519.key"
    path.touch(mode=0o600)
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    path.write_bytes(X25519PrivateKey.generate().private_bytes(encoding, form, serialization.NoEncryption()))
    with pytest.raises(KeyMissing, match="not an Ed25519 key"):
        load_key(path, "any")
    with pytest.raises(KeyMissing, match="cannot be read"):
        load_key(tmp_path, "any")


def test_making_a_key_never_overwrites_one(tmp_path: Path) -> None:
    create_key(tmp_path / "a.key", "any")
    before = (tmp_path / "a.key").read_bytes()
    with pytest.raises(FileExistsError):
        create_key(tmp_path / "a.key", "any")
    assert (tmp_path / "a.key").read_bytes() == before


@pytest.mark.requirement("LEDGER-37")
def test_a_rotation_is_an_event_signed_by_the_old_key_and_the_next_commit_by_the_new(
    home: Home, opened: Opened, open_ledger: Callable[[], Ledger]
) -> None:
    old = own_key(home)
    changed = key_changes.rotate(opened, "yearly")
    assert (changed.position, changed.retired) == (2, (old,))
    assert CATALOGUE.decode(*opened.backend.own_rows()[1][3:]).TOPIC == KeysChanged.TOPIC
    assert head_signers(opened) == [old]
    assert own_key(home) == changed.admitted != old
    assert not home.next_key.exists()
    say(open_ledger(), "after")
    assert head_signers(opened) == [changed.admitted]
    assert opened.keyring().current() == [changed.admitted]


@pytest.mark.requirement("LEDGER-39")
def test_what_a_retired_key_signed_still_verifies_with_it_and_only_up_to_its_end(home: Home, opened: Opened) -> None:
    old = own_key(home)
    with opened.backend.tree() as tree:
        first = Note.parse(tree.last_note() or "")
    new = key_changes.rotate(opened).admitted
    keyring = opened.keyring()
    assert first.signed_by(keyring.valid_at(1)) == [old]
    assert [keyring.valid_at(size) for size in (1, 2, 3)] == [[old], [old, new], [new]]


@pytest.mark.requirement("LEDGER-37")
def test_a_running_ledger_takes_up_the_new_key_at_its_next_commit(
    opened: Opened, open_ledger: Callable[[], Ledger]
) -> None:
    running = open_ledger()
    say(running, "before")
    for _ in range(3):
        new = key_changes.rotate(opened).admitted
        say(running, "after")
        assert head_signers(opened) == [new]
        running.record(Seen(at=1.0, what="journal"))
        running.flush()
        assert head_signers(opened) == [new]


def test_threads_that_write_while_keys_rotate_never_sign_with_a_retired_key(
    opened: Opened, open_ledger: Callable[[], Ledger]
) -> None:
    signed: dict[int, str] = {}
    done = threading.Event()
    same_process = Ledger(
        opened.backend,
        Journal(opened.home.journal, segments=1, segment_bytes=1 << 16),
        CATALOGUE,
        Clock(),
        threaded=False,
    )
    ledgers = [same_process, open_ledger()]

    def write(ledger: Ledger) -> None:
        while not done.is_set():
            say(ledger, "x")
            note, checkpoint = ledger.checkpoint()
            signed[checkpoint.size] = note

    threads = [threading.Thread(target=write, args=(ledger,)) for ledger in ledgers]
    for thread in threads:
        thread.start()
    for _ in range(4):
        key_changes.rotate(opened)
    done.set()
    for thread in threads:
        thread.join(30)
    keyring = opened.keyring()
    assert len(keyring.terms()) == 5
    for size, note in signed.items():
        Note.parse(note).signed_by(keyring.valid_at(size))
    same_process._journal.close()


_WRITER = """
import sys
from pathlib import Path
from tests.ledger.keyed import CATALOGUE, say
from control_plane.clock import Clock
from control_plane.ledger.home import Home
from control_plane.ledger.journal import Journal
from control_plane.ledger.ledger import Ledger
from control_plane.ledger.opening import Opened
from control_plane.errors import ControlPlaneError
home = Home(Path(sys.argv[1]))
ledger = Ledger(Opened(home, CATALOGUE, Clock()).backend, Journal(home.journal, segments=1), CATALOGUE, Clock())
for line in sys.stdin:
    try:
        print(say(ledger, line.strip()), flush=True)
    except ControlPlaneError as fault:
        print(fault.code, flush=True)
ledger.close()
"""


@pytest.fixture
def writer(home: Home) -> Iterator[Callable[[str], str]]:
    """Another process that holds the ledger open and appends each line that it is told."""
    process = subprocess.Popen(
        [sys.executable, "-c", _WRITER, str(home.root)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin is not None
    assert process.stdout is not None
    stdin, stdout = process.stdin, process.stdout

    def tell(line: str) -> str:
        stdin.write(line + "\n")
        stdin.flush()
        return stdout.readline().strip()

    yield tell
    process.communicate(timeout=30)
    assert process.returncode == 0


@pytest.mark.requirement("LEDGER-37", "LEDGER-38")
def test_another_process_signs_with_the_new_key_and_is_refused_once_its_key_is_revoked(
    home: Home, opened: Opened, writer: Callable[[str], str]
) -> None:
    assert writer("one") == "2"
    new = key_changes.rotate(opened).admitted
    assert writer("two") == "4"
    assert head_signers(opened) == [new]
    key_changes.revoke(opened, own_key(home))
    assert writer("three") == "key.retired"
    assert opened.backend.size() == 5


@pytest.mark.requirement("LEDGER-38", "LEDGER-43")
def test_a_process_that_kept_the_retired_key_can_sign_nothing_more(
    home: Home, opened: Opened, open_ledger: Callable[[], Ledger]
) -> None:
    kept = home.key.read_bytes()
    running = open_ledger()
    key_changes.rotate(opened)
    home.key.write_bytes(kept)
    with pytest.raises(KeyRetired) as refused:
        say(running, "too late")
    assert "position 2" in refused.value.why
    assert opened.backend.size() == 2


@pytest.mark.requirement("LEDGER-43")
def test_a_host_whose_key_was_never_admitted_can_sign_nothing(home: Home) -> None:
    home.key.unlink()
    stranger = create_key(home.key, home.identity().origin).verifier
    opened = Opened(home, CATALOGUE, Clock())
    with pytest.raises(KeyUnknown) as refused:
        opened.backend.insert("test", 1, ["test.seen"], [b"{}"])
    assert f"ledger key admit {stranger}" in refused.value.cure
    opened.close()


@pytest.mark.requirement("LEDGER-43")
def test_nobody_builds_on_a_head_that_a_stranger_signed(
    home: Home, opened: Opened, open_ledger: Callable[[], Ledger], tmp_path: Path
) -> None:
    """The tree is right and the note well formed; only the key was never admitted."""
    running = open_ledger()
    stranger = create_key(tmp_path / "stranger.key", home.identity().origin)
    with opened.backend.tree() as tree:
        note = Note.parse(tree.last_note() or "")
    with contextlib.closing(sqlite3.connect(home.database)) as connection, connection:
        connection.execute("UPDATE checkpoints SET note = ?", (stranger.note(note.text),))
    for refused in (opened.check, lambda: say(running, "on top of it")):
        with pytest.raises(KeyUnknown, match="no known key"):
            refused()
    assert opened.backend.size() == 1


def test_two_rotations_at_once_both_go_through(home: Home) -> None:
    both = [Opened(home, CATALOGUE, Clock()) for _ in range(2)]
    threads = [threading.Thread(target=key_changes.rotate, args=(opened,)) for opened in both]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    terms = both[0].keyring().terms()
    assert [(term.since, term.until) for term in terms.values()] == [(0, 2), (2, 3), (3, None)]
    assert both[1].keyring().current() == [own_key(home)]
    for opened in both:
        opened.close()


def test_an_admitted_key_of_another_host_signs_beside_the_first(home: Home, opened: Opened) -> None:
    first = home.key.read_bytes()
    origin = home.identity().origin
    home.key.unlink()
    second = create_key(home.key, origin).verifier
    second_file = home.key.read_bytes()
    home.key.write_bytes(first)
    key_changes.admit(opened, second)
    home.key.write_bytes(second_file)
    other_host = Opened(home, CATALOGUE, Clock())
    other_host.backend.insert("test", 1, ["test.seen"], [b"{}"])
    assert head_signers(other_host) == [second]
    home.key.write_bytes(first)
    opened.backend.insert("test", 2, ["test.seen"], [b"{}"])
    assert head_signers(opened) == [opened.identity.root]
    other_host.close()


def test_a_key_change_that_would_not_be_believed_is_never_stored(home: Home, opened: Opened, tmp_path: Path) -> None:
    old = own_key(home)
    key_changes.rotate(opened)
    other_name = create_key(tmp_path / "other.key", "elsewhere").verifier
    for key in (old, own_key(home), other_name):
        with pytest.raises(KeyUnknown):
            key_changes.admit(opened, key)
    assert opened.backend.size() == 2
    opened.check()


def test_a_change_decided_on_an_old_view_is_checked_again_inside_the_transaction(
    home: Home, opened: Opened, tmp_path: Path
) -> None:
    """Another host revokes the same key between this host's look and its turn: the second revocation is refused."""
    other = create_key(tmp_path / "other.key", home.identity().origin).verifier
    key_changes.admit(opened, other)
    signer = load_key(home.key, home.identity().origin)
    envelope = key_change(home.identity().origin, signer, "revoked", retires=(other,))
    key_changes.revoke(opened, other)
    with pytest.raises(ControlPlaneError, match="not in use"):
        key_changes._store(opened, signer, envelope)
    opened.check()


@pytest.mark.requirement("LEDGER-38", "LEDGER-40")
def test_what_a_running_host_recorded_under_a_revoked_key_waits_for_the_next_key(
    home: Home, opened: Opened, offline: Path
) -> None:
    own = Opened(home, CATALOGUE, Clock())
    running = Ledger(own.backend, Journal(home.journal, segments=2, segment_bytes=1 << 16), CATALOGUE, Clock())
    key_changes.revoke(opened, own_key(home))
    running.record(Seen(at=1.0, what="journal"))
    with pytest.raises(LedgerUnavailable, match="signs nothing more"):
        running.flush(30)
    assert opened.backend.size() == 2
    key_changes.recover(opened, offline)
    running.flush(30)
    assert [row[3] for row in opened.backend.rows(3, 9)] == [Seen.TOPIC]
    running.close()
