"""The witness remembers the highest checkpoint, outside the database, and never takes it back by itself."""

import multiprocessing
import os
import shutil
from pathlib import Path

import pytest

from control_plane import Arm, ControlPlane, Task
from control_plane.clock import Clock
from control_plane.errors import ControlPlaneError, HomeUnusable, LedgerDamaged, Rollback
from control_plane.ledger import facts
from control_plane.ledger.audit import verify
from control_plane.ledger.events import Catalogue
from control_plane.ledger.home import Home
from control_plane.ledger.notes import Checkpoint, Note
from control_plane.ledger.opening import Opened, create_home
from control_plane.ledger.witness import Sighting, Witness, witness_folder

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


def anything(_: Sighting) -> None:
    """A log that is not there contains whatever was seen."""


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


def other_history(opened: Opened, events: int) -> None:
    first = opened.backend.stored_upto("test") + 1
    opened.backend.insert("test", first, ["test.seen"] * events, [b'{"other":1}'] * events)


@pytest.mark.requirement("LEDGER-45")
@pytest.mark.parametrize("length", [1, 2, 9])
def test_a_fork_that_was_open_before_never_replaces_what_the_witness_saw(
    home: Home, tmp_path: Path, length: int
) -> None:
    shutil.copytree(home.root, tmp_path / "fork")
    fork = Opened(Home(tmp_path / "fork"), CATALOGUE, Clock())
    fork.check()
    fork.sight()
    seen = grow(home, 2)
    other_history(fork, length)
    for _ in range(2):
        with pytest.raises(Rollback):
            fork.sight()
    assert fork.witness.refused
    assert fork.witness.fault
    fork.close()
    sighting = witness_of(home).read()
    assert sighting is not None
    assert sighting.note == seen
    verdict = verify(fork.home)
    assert (verdict.ok, verdict.reason) == (False, "rollback")
    assert verify(home).ok


@pytest.mark.requirement("LEDGER-45")
def test_a_plane_on_a_fork_says_that_it_is_not_ready_and_ends_loudly(tmp_path: Path) -> None:
    def advise(plane: ControlPlane, times: int, *, success: bool) -> None:
        for _ in range(times):
            plane.record_result(plane.advise(Task(type="t")).decision_id, success=success)
        plane.flush()

    arms = [Arm("a", model="x/a", price_in=1, price_out=1)]
    with ControlPlane.open(tmp_path / "home", catalogue=arms, background=False) as plane:
        advise(plane, 3, success=True)
    shutil.copytree(tmp_path / "home", tmp_path / "fork")
    fork = ControlPlane.open(tmp_path / "fork", catalogue=arms, background=False)
    with ControlPlane.open(tmp_path / "home", catalogue=arms, background=False) as plane:
        advise(plane, 5, success=False)
    advise(fork, 6, success=True)
    with pytest.raises(Rollback, match="not those that the witness saw"):
        fork._opened.sight()
    assert "not those that the witness saw" in fork.not_ready()
    assert [signal.points for signal in fork.health().health.signals if signal.name == "witness"] == [40]
    with pytest.raises(Rollback, match="not those that the witness saw"):
        fork.close()
    shutil.rmtree(tmp_path / "home")
    (tmp_path / "fork").rename(tmp_path / "home")
    assert verify(Home(tmp_path / "home")).reason == "rollback"


def test_processes_that_take_turns_on_one_home_each_find_the_others_note(home: Home) -> None:
    held = [Opened(home, CATALOGUE, Clock()) for _ in range(2)]
    for turn in range(6):
        own = held[turn % 2]
        own.backend.insert("test", own.backend.stored_upto("test") + 1, ["test.seen"] * 3, [b"{}"] * 3)
        own.sight()
        assert not own.witness.fault
        # Who comes late, with a note that the other one has left behind, takes nothing back.
        held[1 - turn % 2].sight()
        sighting = own.witness.read()
        assert sighting is not None
        assert sighting.note == note_of(own)
    for own in held:
        own.close()


def test_a_log_that_fell_back_is_not_shown_to_the_witness(home: Home, tmp_path: Path) -> None:
    grow(home)
    shutil.copytree(home.root, tmp_path / "early")
    grow(home, 3)
    early = Opened(Home(tmp_path / "early"), CATALOGUE, Clock())
    with pytest.raises(Rollback, match="but it had 5 events"):
        early.sight()
    early.close()


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
    witness.write(home.identity().root, grow(home, sight=False), anything)
    assert "damaged" in witness.fault
    assert witness.path.read_bytes() == content


def test_a_witness_that_saw_more_is_not_taken_back_by_a_slower_process(home: Home) -> None:
    early = grow(home)
    late = grow(home)
    slow = witness_of(home)
    slow.write(home.identity().root, early, anything)
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
    witness.write(home.identity().root, grow(home, sight=False), anything)
    assert str(witness.path) in witness.fault
    with pytest.raises(HomeUnusable):
        witness.reset(home.identity().root, "note")
    with pytest.raises(HomeUnusable):
        witness.read()


def _write_all(folder: str, ledger: str, root: str, notes: list[str]) -> None:
    from control_plane.ledger.notes import Verifier

    for note in notes:
        witness = Witness(Path(folder), ledger)
        witness.write(Verifier.parse(root), note, anything)
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
