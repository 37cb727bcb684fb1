"""After installation nothing changes: what the model sees is what it saw, and advice lies beside what was done."""

import json
import re

import pytest

from control_plane.opencode.installing import FILE
from tests.opencode.world import A, B, World

# A real OpenCode starts slowly where others are at work.
pytestmark = pytest.mark.timeout(400)

IDS = re.compile(rb"(ses|msg|prt|call|evt)_[0-9A-Za-z]+")
PROMPTS = ("fix the failing bug", 'CALL read {"filePath": "notes.txt"}', "SAY one\nplease explain how it works")


def bodies(world: World) -> list[bytes]:
    """What the model server is asked, without ids."""
    before = len(world.model.asked())
    for text in PROMPTS:
        session = world.port.create_session("same")
        world.port.prompt(session.id, text)
    return [IDS.sub(b"ID", one["raw"]) for one in world.model.asked()[before:]]


def history_of(world: World) -> None:
    """What OpenCode itself remembers of all this is taken in once, and not counted twice."""
    database = world.user / ".local/share/opencode/opencode.db"
    before = json.loads(world.cli("report", "--since", "1d", "--json"))
    told = json.loads(world.cli("import", "opencode", "--database", str(database), "--json"))
    answers = len(world.model.asked())
    assert told["answers"] == told["new"] == answers
    assert told["cost_usd"] == pytest.approx(answers * 0.0012)
    assert set(told["models"]) == {A, B}
    assert json.loads(world.cli("import", "opencode", "--database", str(database), "--json"))["new"] == 0
    after = json.loads(world.cli("report", "--since", "1d", "--json"))
    # Beside what the plugin saw there are the turns of the time before it.
    assert after["turns"] == before["turns"] + len(PROMPTS) == before["turns"] + after["imported_turns"]
    assert after["spent_usd"] == pytest.approx(answers * 0.0012)
    assert after["known"] == 0
    assert "hello from" not in json.dumps(world.events("turns.history-imported"))


def told_in_the_home(bare: World, *secrets: bytes) -> list[bytes]:
    files = [path for path in bare.home.rglob("*") if path.is_file() and path.name != "token"]
    assert bare.home / "ledger.db" in files
    log = b"".join(path.read_bytes() for path in files)
    return [secret for secret in secrets if secret in log]


@pytest.mark.long
@pytest.mark.requirement(
    "OPENCODE-32", "OPENCODE-33", "OPENCODE-54",
    "OPENCODE-01", "OPENCODE-02", "OPENCODE-03", "OPENCODE-04", "OPENCODE-07", "OPENCODE-19", "OPENCODE-22",
    "OPENCODE-37", "OPENCODE-39", "OPENCODE-41", "OPENCODE-58",
)  # fmt: skip
def test_in_observe_mode_the_request_is_the_same_and_advice_is_recorded_beside_it(bare: World) -> None:
    (bare.project / "notes.txt").write_text("a note\n")
    bare.start()
    without = bodies(bare)
    bare.stop()
    told = bare.install()
    assert told["opencode"] == "1.18.33"
    assert told["models"] == 3
    assert (bare.project / ".opencode/plugin" / FILE).exists()
    bare.serve()
    bare.start()
    bare.ready()
    observed = bodies(bare)
    assert observed == without
    session = bare.port.create_session("observed")
    bare.port.prompt(session.id, "a secret plan: fix the bug", model=B)
    ended = bare.ended(session.id)
    begun = bare.of_session("turns.turn-begun", session.id)[-1]
    assert (begun["picked"], begun["used"], begun["task_type"]) == ("hand", B, "code.fix")
    assert begun["advised"] in (A, B)
    assert begun["advised_decision"]
    # It came to rest, and that is all that is known.
    assert bare.events("turns.turn-judged") == []
    result = next(one for one in bare.events("router.result-recorded") if one["arm"] == B and one.get("latency_ms"))
    assert result.get("success") is None
    assert result["cost_usd"] == pytest.approx(ended["usage"]["cost_usd"])
    assert told_in_the_home(bare, b"secret plan", b"sk-secret-of-the-provider", b"hello from") == []
    status = json.loads(bare.cli("opencode", "status", "--json"))
    assert status["installed"]
    assert status["current"]
    assert status["serving"]
    assert not status["auto"]
    assert status["ended"] >= 4
    assert status["known"] == 0
    history_of(bare)
    assert json.loads(bare.cli("opencode", "install", "--remove", "--json"))["removed"]
    assert not (bare.project / ".opencode/plugin" / FILE).exists()
