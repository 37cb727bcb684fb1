"""A snapshot saves time and decides nothing: without its seal, its log or its version it is passed over."""

from pathlib import Path

import msgspec
import pytest

from control_plane.projections.folding import Folder
from control_plane.projections.snapshots import KEPT, Snapshots
from tests.projections.test_folding import HEARD, Paper, texts

KEY = b"k" * 32


def root_at(position: int) -> bytes:
    return position.to_bytes(32)


@pytest.fixture
def folder() -> Folder:
    folder = Folder(Paper(list(range(1, 101))), [HEARD])
    folder.catch_up()
    return folder


@pytest.mark.requirement("LEDGER-72")
def test_a_fold_goes_on_from_its_snapshot(tmp_path: Path, folder: Folder):
    Snapshots(tmp_path, KEY).save(folder, root_at)
    later = Folder(Paper(list(range(1, 151))), [HEARD])
    assert Snapshots(tmp_path, KEY).load(later, (HEARD,), root_at) == 100
    assert later.catch_up() == 50
    assert texts(later) == [str(n) for n in range(1, 151)]


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda path: path.write_bytes(path.read_bytes()[:-1] + b"!"), id="changed"),
        pytest.param(lambda path: path.write_bytes(path.read_bytes()[:40]), id="cut off"),
        pytest.param(lambda path: path.write_bytes(b""), id="empty"),
    ],
)
def test_a_damaged_snapshot_is_passed_over(tmp_path: Path, folder: Folder, spoil):
    spoil(Snapshots(tmp_path, KEY).save(folder, root_at))
    assert Snapshots(tmp_path, KEY).load(Folder(Paper([]), [HEARD]), (HEARD,), root_at) == 0


def test_a_snapshot_of_another_key_log_or_version_is_passed_over(tmp_path: Path, folder: Folder):
    Snapshots(tmp_path, KEY).save(folder, root_at)
    fresh = Folder(Paper([]), [HEARD])
    assert Snapshots(tmp_path, b"x" * 32).load(fresh, (HEARD,), root_at) == 0
    assert Snapshots(tmp_path, KEY).load(fresh, (HEARD,), lambda position: b"another log".ljust(32)) == 0
    newer = msgspec.structs.replace(HEARD, version=2)
    assert Snapshots(tmp_path, KEY).load(Folder(Paper([]), [newer]), (newer,), root_at) == 0


def test_an_older_snapshot_serves_when_the_newest_is_damaged(tmp_path: Path, folder: Folder):
    snapshots = Snapshots(tmp_path, KEY)
    snapshots.save(folder, root_at)
    longer = Folder(Paper(list(range(1, 121))), [HEARD])
    longer.catch_up()
    snapshots.save(longer, root_at).write_bytes(b"")
    assert snapshots.load(Folder(Paper([]), [HEARD]), (HEARD,), root_at) == 100


def test_old_snapshots_make_room(tmp_path: Path):
    snapshots = Snapshots(tmp_path, KEY)
    for events in range(10, 60, 10):
        folder = Folder(Paper(list(range(1, events + 1))), [HEARD])
        folder.catch_up()
        snapshots.save(folder, root_at)
    assert len(list(tmp_path.iterdir())) == KEPT


def test_a_log_without_events_needs_no_snapshot(tmp_path: Path):
    assert Snapshots(tmp_path, KEY).save(Folder(Paper([]), [HEARD]), root_at) is None
