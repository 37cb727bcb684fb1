"""Tables written behind the log: complete, in one transaction with their position, and never the only copy."""

from pathlib import Path

import anyio
import msgspec
import pytest

from control_plane.projections.views import View, Views
from tests.ledger.small import CATALOGUE, Noted
from tests.projections.test_folding import Paper

NOTES = View(
    "notes",
    1,
    ("notes",),
    ("CREATE TABLE notes (position INTEGER PRIMARY KEY, text TEXT)",),
    lambda position, event: [("INSERT INTO notes VALUES (?, ?)", (position, event.text))],
    (Noted,),
)


def written(path: Path, paper: Paper, view: View = NOTES) -> list[tuple[int, str]]:
    async def write() -> list[tuple[int, str]]:
        views = Views(path, CATALOGUE, (view,))
        await views.open()
        await views.write_behind(paper.rows)
        assert views.position == len(paper.rows_held)
        found = await views.fetch("SELECT position, text FROM notes ORDER BY position")
        await views.close()
        return found

    return anyio.run(write)


def expected(events: int) -> list[tuple[int, str]]:
    return [(n, str(n)) for n in range(1, events + 1)]


@pytest.mark.requirement("LEDGER-77")
def test_a_view_holds_every_event_once_however_often_it_is_written(tmp_path: Path):
    path = tmp_path / "views.db"
    assert written(path, Paper(list(range(1, 31)))) == expected(30)
    assert written(path, Paper(list(range(1, 31)))) == expected(30)
    assert written(path, Paper(list(range(1, 5001)))) == expected(5000)


@pytest.mark.requirement("LEDGER-78")
def test_a_deleted_view_file_is_rebuilt(tmp_path: Path):
    path = tmp_path / "views.db"
    written(path, Paper(list(range(1, 31))))
    for file in tmp_path.iterdir():
        file.unlink()
    assert written(path, Paper(list(range(1, 41)))) == expected(40)


def test_a_new_version_of_a_view_is_rebuilt(tmp_path: Path):
    path = tmp_path / "views.db"
    written(path, Paper(list(range(1, 31))))
    louder = msgspec.structs.replace(
        NOTES,
        version=2,
        write=lambda position, event: [("INSERT INTO notes VALUES (?, ?)", (position, event.text + "!"))],
    )
    assert written(path, Paper(list(range(1, 31))), louder)[0] == (1, "1!")
