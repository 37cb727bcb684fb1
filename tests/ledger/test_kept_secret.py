"""A secret that is made at first use: once, whole, its owner's alone, and never an empty one."""

import stat
import threading
from pathlib import Path

import pytest

from control_plane import Arm, ControlPlane
from control_plane.errors import KeyUnsafe
from control_plane.ledger.keys import kept_secret


def test_of_many_who_make_it_at_once_all_get_the_same(tmp_path: Path) -> None:
    path, start, found = tmp_path / "secret", threading.Barrier(8), []

    def ask(number: int) -> None:
        start.wait()
        found.append(kept_secret(path, bytes([65 + number]) * 32))

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert set(found) == {path.read_bytes()}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_an_empty_one_is_refused(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"\n")
    with pytest.raises(KeyUnsafe, match="is empty"):
        kept_secret(tmp_path / "secret", b"fresh")


def test_no_plane_opens_over_an_empty_secret_of_its_decision_ids(tmp_path: Path) -> None:
    home = tmp_path / "home"
    ControlPlane.open(home, catalogue=[Arm("acme/one")]).close()
    next(home.rglob("ids.key")).write_bytes(b"")
    with pytest.raises(KeyUnsafe, match=r"ids\.key is empty"):
        ControlPlane.open(home, catalogue=[Arm("acme/one")])
