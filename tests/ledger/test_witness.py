"""The witness remembers the highest checkpoint, outside the database, and never takes it back by itself."""

import multiprocessing
import os
import shutil
from pathlib import Path

import pytest

from control_plane.clock import Clock
from control_plane.errors import ControlPlaneError, HomeUnusable, LedgerDamaged, Rollback
from control_plane.ledger import facts
from control_plane.ledger.events import Catalogue
from control_plane.ledger.home import Home
from control_plane.ledger.notes import Checkpoint, Note
from control_plane.ledger.opening import Opened, create_home
from control_plane.ledger.witness import Witness, witness_folder

CATALOGUE = Catalogue(facts.EVENTS)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "home")
    create_home(home, CATALOGUE, Clock())
    return home


def grow(home: Home, events: int = 1, *, sight: bool = True) -> str:
    """Append so many events, let the witness see them; the note of the head."""
    opened = Opened(home, CATALOGUE, Clock())
    first = opened.backend.stored_upto("test") + 1
    opened.backend.insert("test", first, ["test.seen"] * events, [b"{}"] * events)
    if sight:
        opened.sight()
    note = note_of(opened)
    opened.close()
    return note


def note_of(opened: Opened) -> str:
    with opened.backend.tree() as tree:
        return tree.last_note() or ""


def check(home: Home) -> None:
    opened = Opened(home, CATALOGUE, Clock())
    try:
        opened.check()
    finally:
        opened.close()


def witness_of(home: Home) -> Witness:
    return Witness(witness_folder(), home.identity().ledger)


@pytest.mark.requirement("LEDGER-44")
def test_the_highest_checkpoint_lies_outside_the_home(home: Home) -> None:
    note = grow(home, 3)
    witness = witness_of(home)
    sighting = witness.read()
    assert sighting is not None
    assert (sighting.note, sighting.root_key) == (note, home.identity().root_key)
    assert home.root not in witness.path.parents
    assert os.environ["CONTROL_PLANE_WITNESS"] in str(witness.path)


@pytest.mark.parametrize(
    ("environment", "folder"),
    [
        ({"CONTROL_PLANE_WITNESS": "/w"}, "/w"),
        ({"XDG_STATE_HOME": "/state"}, "/state/control-plane/witness"),
        ({}, "~/.local/state/control-plane/witness"),
    ],
)
def test_the_witness_lies_where_the_environment_says_or_beside_the_users_state(
    environment: dict[str, str], folder: str
) -> None:
    assert witness_folder(environment) == Path(folder).expanduser()


@pytest.mark.requirement("LEDGER-45")
def test_an_old_copy_put_back_is_refused_at_opening(home: Home, tmp_path: Path) -> None:
    grow(home)
    shutil.copytree(home.root, tmp_path / "copy")
    grow(home)
    check(home)
    with pytest.raises(Rollback, match="ends at position 2, but it had 3 events") as refused:
        check(Home(tmp_path / "copy"))
    assert "witness --reset" in refused.value.cure


@pytest.mark.requirement("LEDGER-45")
def test_a_ledger_with_another_history_of_the_same_length_is_refused(home: Home, tmp_path: Path) -> None:
    shutil.copytree(home.root, tmp_path / "fork")
    fork = Home(tmp_path / "fork")
    opened = Opened(fork, CATALOGUE, Clock())
    opened.backend.insert("test", 1, ["test.seen"] * 3, [b'{"other":1}'] * 3)
    opened.close()
    grow(home, 2)
    with pytest.raises(Rollback, match="not those that the witness saw"):
        check(fork)


@pytest.mark.requirement("LEDGER-45")
def test_a_ledger_that_began_under_another_key_is_refused(home: Home) -> None:
    grow(home)
    witness = witness_of(home)
    content = witness.path.read_text()
    other = Home(home.root.parent / "other")
    create_home(other, CATALOGUE, Clock())
    witness.path.write_text(content.replace(home.identity().root_key, other.identity().root_key))
    with pytest.raises(Rollback, match="another key"):
        check(home)


@pytest.mark.parametrize(
    "content",
    [b"", b"{}", b"\xff", b"[1]", b'{"root_key":"k","note":"n"}', b'{"root_key":"k","note":"o\\n1\\nAA==\\n\\n"}'],
)
def test_a_witness_with_something_else_in_it_is_damaged_and_stays_as_it_is(home: Home, content: bytes) -> None:
    witness = witness_of(home)
    witness.path.parent.mkdir(parents=True, exist_ok=True)
    witness.path.write_bytes(content)
    with pytest.raises(LedgerDamaged, match="witness --reset"):
        check(home)
    witness.write(home.identity().root, grow(home, sight=False))
    assert "damaged" in witness.fault
    assert witness.path.read_bytes() == content


def test_a_witness_that_saw_more_is_not_taken_back_by_a_slower_process(home: Home) -> None:
    early = grow(home)
    late = grow(home)
    slow = witness_of(home)
    slow.write(home.identity().root, early)
    sighting = slow.read()
    assert sighting is not None
    assert sighting.note == late
    assert not slow.fault


def test_a_reset_begins_again_lower(home: Home) -> None:
    early = grow(home)
    grow(home)
    witness = witness_of(home)
    witness.reset(home.identity().root, early)
    sighting = witness.read()
    assert sighting is not None
    assert sighting.note == early


def test_a_witness_that_cannot_be_written_is_reported_and_stops_nobody(home: Home, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    witness = Witness(tmp_path / "file" / "witness", home.identity().ledger)
    witness.write(home.identity().root, grow(home, sight=False))
    assert str(witness.path) in witness.fault
    with pytest.raises(HomeUnusable):
        witness.reset(home.identity().root, "note")
    with pytest.raises(HomeUnusable):
        witness.read()


def _write_all(folder: str, ledger: str, root: str, notes: list[str]) -> None:
    from control_plane.ledger.notes import Verifier

    for note in notes:
        witness = Witness(Path(folder), ledger)
        witness.write(Verifier.parse(root), note)
        if witness.fault:
            raise AssertionError(witness.fault)


def test_processes_that_sight_at_once_leave_the_highest(home: Home) -> None:
    origin = home.identity().origin
    notes = [f"{Checkpoint(origin, size, bytes(32)).text()}\n— {origin} AAAAAAAA\n" for size in range(1, 101)]
    assert Note.parse(notes[0]).checkpoint().size == 1
    arguments = [
        (str(witness_folder()), home.identity().ledger, home.identity().root_key, notes[start::2]) for start in (0, 1)
    ]
    spawn = multiprocessing.get_context("spawn")
    processes = [spawn.Process(target=_write_all, args=args) for args in arguments]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0]
    sighting = witness_of(home).read()
    assert sighting is not None
    assert sighting.checkpoint().size == 100


def test_opening_goes_on_without_a_witness(home: Home) -> None:
    grow(home)
    witness_of(home).path.unlink()
    check(home)


def test_every_refusal_of_a_witness_carries_a_code(home: Home) -> None:
    grow(home)
    witness_of(home).path.write_bytes(b"?")
    with pytest.raises(ControlPlaneError) as refused:
        check(home)
    assert refused.value.code == "ledger.damaged"
