"""OpenCode's own history is read wherever it lies, and nothing is written there."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from control_plane.opencode.history import HistoryUnreadable, past_steps

TIMES = {"created": 1000, "completed": 3000}
DATA = {"role": "assistant", "providerID": "acme", "modelID": "one", "cost": 0.5, "time": TIMES}


@pytest.mark.parametrize("name", ["plain", "with space", "a#b", "a?b=c", "100%41", "ü"])
def test_a_folder_may_have_any_name(tmp_path: Path, name: str) -> None:
    path = tmp_path / name / "opencode.db"
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as rows:
        rows.execute("CREATE TABLE message (id TEXT, session_id TEXT, data TEXT)")
        rows.execute("INSERT INTO message VALUES ('m1', 's1', ?)", (json.dumps(DATA),))
        rows.commit()
    (step,) = past_steps(path)
    assert (step.model, step.usage.cost_usd, step.usage.latency_ms) == ("acme/one", 0.5, 2000)
    assert [one.name for one in tmp_path.iterdir()] == [name]


def test_a_file_that_is_no_database_is_refused_with_a_code(tmp_path: Path) -> None:
    path = tmp_path / "opencode.db"
    path.write_bytes(b"no database" * 100)
    with pytest.raises(HistoryUnreadable):
        past_steps(path)
