"""What operators do by command, and how the time since is told."""

import json
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from control_plane.bridge.looking_back import look_back
from control_plane.bridge.terms import Status
from control_plane.cli import main
from control_plane.cli.supervising import settings_of
from control_plane.errors import SettingsError
from tests.bridge.conftest import BOSS, EXEC, REVIEWER, House

Ask = Callable[..., Any]


@pytest.fixture
def ask(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Ask:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CONTROL_PLANE_HOME", str(tmp_path / "home"))

    def ask(*words: str, code: int = 0) -> Any:
        found = main(["bridge", *words, "--json"])
        out, err = capsys.readouterr()
        assert found == code, err
        return json.loads(out) if code == 0 else json.loads(err.splitlines()[-1])["error"]

    return ask


@pytest.fixture
def thread(ask: Ask) -> str:
    told = {"workspace_id": "w1", "title": "t", "type": "workflow", "participants": ["exec", "reviewer"]}
    made: str = ask("call", "create_thread", json.dumps(told), "--actor", "ann")["thread_id"]
    return made


def asked(**told: Any) -> str:
    return json.dumps(told)


@pytest.mark.requirement("BRIDGEOPS-41", "BRIDGEOPS-42", "BRIDGEOPS-43", "BRIDGEOPS-44", "BRIDGEOPS-45", "BRIDGEOPS-26")
def test_operators_look_block_unblock_and_close_and_the_audit_names_them(ask: Ask, thread: str) -> None:
    at = ("--thread-id", thread, "--actor", "ann")
    ask("call", "post_message", asked(thread_id=thread, kind="chat", body="x", to=["reviewer"]), "--actor", "ann")
    assert ask("escalate-thread", *at, "--reason", "in circles")["status"] == "blocked"
    assert ask("threads", "--status", "blocked")[0]["thread_id"] == thread
    assert ask("unblock-thread", *at, "--reason", "seen to")["previous_status"] == "blocked"
    ask("escalate-thread", *at, "--reason", "again")
    assert "human_override:" in ask("override-close-thread", *at, "--reason", "enough", code=2)["cure"]
    ask("participant", "add", *at, "--agent-id", "third")
    ask("feedback", *at, "false-positive", "--note", "nearly done")
    assert ask("override-close-thread", *at, "--reason", "human_override: enough")["status"] == "closed"
    facts = ask("inspect-thread", "--thread-id", thread)
    assert (facts["status"], facts["participants"], facts["messages"][0]["body"]) == (
        "closed", ["exec", "reviewer", "third"], "x",
    )  # fmt: skip
    assert {"triggers", "sessions", "waited_for"} <= set(facts)
    ask("archive-thread", *at, "--reason", "old")
    rows = ask("audit", "--since", "1h")
    assert [row["operation"] for row in rows] == [
        "create_thread", "post_message", "update_thread_status", "update_thread_status", "update_thread_status",
        "add_participant", "give_feedback", "update_thread_status", "archive_thread",
    ]  # fmt: skip
    assert {row["actor_agent_id"] for row in rows} == {"ann"}
    assert ask("escalate-thread", *at, "--reason", "x", code=2)["code"] == "bridge.not-found"


@pytest.mark.requirement("BRIDGE-22", "BRIDGEOPS-109", "BRIDGEOPS-110", "BRIDGEOPS-111", "BRIDGEOPS-112")
def test_a_review_compares_cycle_times_with_the_time_before(house: House) -> None:
    for span in (1000.0, 100.0):
        thread = house.thread()
        finding = house.say(thread, REVIEWER, "off by one", event="finding_reported")["message_id"]
        house.clock.pass_by(span)
        house.say(thread, REVIEWER, "good", event="finding_verified", in_reply_to=finding)
        house.bridge.set_status(thread, Status.RESOLVED, "done", BOSS)
        house.clock.pass_by(86400)
    stuck = house.thread()
    for _ in range(3):
        house.say(stuck, REVIEWER, "the same", event="finding_reported")
    house.bridge.feedback(stuck, "false-positive", "it was another file", BOSS)
    house.bridge.set_status(stuck, Status.ACTIVE, "go on", BOSS)
    house.bridge.feedback(stuck, "true-positive", "", BOSS)
    for _ in range(5):
        house.tick(1)
    house.refused("read_messages", EXEC, thread_id="th_none")
    house.plane.flush()
    now = house.clock.now()
    events = [one.event for one in house.plane.ledger.read(limit=10_000)]
    told = look_back(events, now - 86400 - 500, now + 1)
    assert told["baseline"]["finding_cycle_s"] == {"count": 1, "p50": 1000.0, "p95": 1000.0}
    assert told["now"]["finding_cycle_s"] == {"count": 1, "p50": 100.0, "p95": 100.0}
    assert told["now"]["thread_cycle_s"]["p50"] == 100.0
    assert told["now"]["escalations"] == {"identical-finding": 1}
    assert (told["now"]["false_positive_share"], told["now"]["notes"]) == (0.5, ["it was another file"])
    assert told["now"]["dead_letters"] == {"RUNTIME_NOT_FOUND": 1}
    assert {one["what"] for one in told["backlog"]} == {
        "dead letters: RUNTIME_NOT_FOUND", "escalations: identical-finding", "refused: NOT_FOUND",
        "blocks that were wrong",
    }  # fmt: skip


def test_a_token_of_the_home_is_for_one_agent_and_ends(ask: Ask, thread: str) -> None:
    words = ("--agent-id", "exec", "--role", "participant", "--workspace-id", "w1", "--session-id", "s1")
    told = ask("token", *words, "--ttl", "90m")
    assert told["claims"]["exp"] - told["claims"]["iat"] == 5400
    assert (told["claims"]["agent_id"], told["claims"]["role"]) == ("exec", "participant")
    assert ask("token", *words, "--ttl", "soon", code=2)["code"] == "input.invalid"
    assert ask("token", *words, "--ttl", "99d", code=2)["code"] == "input.invalid"


@pytest.mark.requirement("BRIDGEOPS-56", "BRIDGE-10")
@pytest.mark.parametrize(
    "words",
    [
        ("bridge", "supervise", "--json"),
        pytest.param(("serve", "--port", "0", "--json", "--bridge", "wakes.toml"), marks=pytest.mark.long),
    ],
    ids=lambda words: words[0],
)
def test_a_supervisor_as_a_process_wakes_and_ends_on_a_signal(
    ask: Ask, thread: str, tmp_path: Path, words: tuple[str, ...]
) -> None:
    ask("call", "post_message", asked(thread_id=thread, kind="chat", body="x", to=["reviewer"]))
    (tmp_path / "wakes.toml").write_text("[limits]\npoll_s = 5.0\n")
    import os

    environment = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
    environment["PYTHONPATH"] = str(Path(__file__).parents[2])
    with subprocess.Popen(
        [sys.executable, "-m", "control_plane", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        env=environment,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        begun = json.loads(process.stdout.readline())
        assert begun.get("every_s") == (5.0 if words[0] == "bridge" else None)
        told: list[dict[str, Any]] = []
        late = threading.Timer(60, process.kill)
        late.start()
        while not any(one["event"] == "tick.completed" for one in told):
            line = process.stderr.readline()
            assert line, "it ended before it did anything"
            told.append(json.loads(line))
        if "url" in begun:
            assert httpx.get(f"{begun['url']}/health", timeout=60).status_code == 200
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
        late.cancel()
        assert process.returncode == 0
    facts = ask("inspect-thread", "--thread-id", thread)
    assert facts["undeliverable"][0]["reason"] == "RUNTIME_NOT_FOUND"


def test_a_server_wakes_whom_its_homes_settings_name_and_else_nobody(house: House, tmp_path: Path) -> None:
    assert settings_of(house.plane, None) is None
    own = house.plane.token_file.parent / "bridge.toml"
    own.write_text('[runtimes]\nreviewer = "tmux"\n')
    found = settings_of(house.plane, None)
    assert found is not None
    assert found.runtimes == {"reviewer": "tmux"}
    (tmp_path / "other.toml").write_text("[nobody]\n")
    with pytest.raises(SettingsError, match=r"other\.toml"):
        settings_of(house.plane, str(tmp_path / "other.toml"))


def test_commands_show_people_what_programs_get(ask: Ask, thread: str, capsys: pytest.CaptureFixture[str]) -> None:
    ask("call", "post_message", asked(thread_id=thread, kind="chat", body="two\nlines \x1b[31m", to=["reviewer"]))
    for words in (
        ("inspect-thread", "--thread-id", thread), ("threads",), ("jobs",), ("jobs", "--dead"), ("audit",), ("review",),
        ("supervise", "--once"), ("jobs", "--dead"), ("inspect-thread", "--thread-id", thread),
    ):  # fmt: skip
        assert main(["bridge", *words]) == 0
        out = capsys.readouterr().out
        assert out
        assert "\x1b" not in out
    assert "could not be woken (RUNTIME_NOT_FOUND)" in out
    assert msgspec.json.decode(msgspec.json.encode(ask("threads")))[0]["undeliverable"]
