"""A file changes as a whole: nobody reads half of it, nobody trips over another writer, its rights and links stay."""

import json
import os
import stat
import threading
from pathlib import Path

import pytest

from control_plane.guardrails.installing import install
from control_plane.replacing import replace, replacing


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_what_fails_half_way_changes_nothing_and_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "told.json"
    replace(path, b"before")

    def fail() -> None:
        with replacing(path) as file:
            file.write(b"ha")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert path.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [path]


def test_many_writers_at_once_leave_one_whole_file(tmp_path: Path) -> None:
    path, faults, start = tmp_path / "told", [], threading.Barrier(8)
    contents = {bytes([65 + number]) * 5000 for number in range(8)}

    def write(content: bytes) -> None:
        start.wait()
        try:
            for _ in range(20):
                replace(path, content)
                assert path.read_bytes() in contents
        except Exception as fault:
            faults.append(fault)

    threads = [threading.Thread(target=write, args=(content,)) for content in contents]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    assert list(tmp_path.iterdir()) == [path]


def test_rights_and_links_stay_as_they_were(tmp_path: Path) -> None:
    kept, link = tmp_path / "kept.json", tmp_path / "link.json"
    kept.write_bytes(b"{}")
    kept.chmod(0o640)
    link.symlink_to(kept)
    replace(link, b"new", durable=True)
    assert (link.is_symlink(), kept.read_bytes(), mode_of(kept)) == (True, b"new", 0o640)
    replace(tmp_path / "mine", b"", mode=0o600)
    assert mode_of(tmp_path / "mine") == 0o600


def test_settings_that_only_their_owner_could_read_stay_so(tmp_path: Path) -> None:
    settings = tmp_path / "settings.json"
    settings.write_text(json.dumps({"env": {"KEY": "of-a-provider"}}))
    settings.chmod(0o600)
    before = os.umask(0o022)
    try:
        install(settings)
    finally:
        os.umask(before)
    assert "guard hook" in settings.read_text()
    assert mode_of(settings) == 0o600
