"""Agents' keys, records and what was learned, by command."""

import io
import json
import sys
import time
from pathlib import Path

import pytest

from tests.cli.conftest import Ran, Run

pytestmark = pytest.mark.usefixtures("home")


@pytest.fixture
def agent(run: Run) -> str:
    Path("control-plane.toml").write_text('[[arms]]\nname = "acme/one"\n[[arms]]\nname = "acme/two"\n')
    assert run("learn", "key", "make", "agent.key").code == 0
    assert run("learn", "key", "add", "ann", "agent.key.pub").code == 0
    return "agent.key"


def predicate(number: int = 1, **changes: object) -> dict[str, object]:
    return {
        "kind": "anti-pattern", "pattern": "type_suppression", "severity": "high", "task_type": "code.fix",
        "session": "s-1", "trace_id": f"trace-{number}", "ts": time.time(), **changes,
    }  # fmt: skip


def signed(run: Run, key: str, *predicates: object) -> Path:
    Path("predicates.jsonl").write_text("".join(json.dumps(one) + "\n" for one in predicates))
    ran = run("learn", "sign", "--key", key, "predicates.jsonl")
    assert (ran.code, ran.err) == (0, "")
    path = Path("records.jsonl")
    path.write_text(ran.out)
    return path


def ingested(run: Run, *words: str) -> tuple[int, dict]:
    ran: Ran = run("learn", "ingest", *words, "--json")
    return ran.code, ran.json()


@pytest.mark.requirement("GOV-01", "GOV-03")
def test_records_go_in_once_and_the_exit_code_says_whether_all_did(run: Run, agent: str):
    path = signed(run, agent, predicate(1), predicate(2))
    assert ingested(run, str(path)) == (0, {"accepted": 2, "rejected": 0, "reasons": {}})
    path.write_bytes(path.read_bytes() + b"\r\n\r\nnonsense\n" + json.dumps(predicate(3)).encode())
    reasons = {"malformed": 1, "replayed": 2, "unsigned_event": 1}
    assert ingested(run, str(path)) == (1, {"accepted": 0, "rejected": 4, "reasons": reasons})
    status = run("learn", "status", "--json").json()
    assert {name: count for name, count in status["reasons"].items() if count} == reasons
    assert run("learn", "ingest", str(path)).code == 1
    advice = run("learn", "advice", "--task-type", "code.fix", "--json").json()
    assert advice["should_pause"]
    assert advice["warnings"]


def test_records_come_from_standard_input_too(run: Run, agent: str, monkeypatch: pytest.MonkeyPatch):
    content = signed(run, agent, predicate()).read_bytes()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
    assert ingested(run, "-")[0] == 0


def test_a_revoked_key_lets_nothing_in(run: Run, agent: str):
    path = signed(run, agent, predicate())
    assert run("learn", "key", "revoke", "ann", "--reason", "lost").code == 0
    assert ingested(run, str(path)) == (1, {"accepted": 0, "rejected": 1, "reasons": {"revoked_key": 1}})
    (key,) = run("learn", "key", "list", "--json").json()
    assert key["name"] == "ann"
    assert key["revoked"] is not None


@pytest.mark.requirement("FG-04-ROLLBACK")
def test_the_environment_weakens_the_mode_and_the_log_says_so(run: Run, agent: str, monkeypatch: pytest.MonkeyPatch):
    Path("unsigned.jsonl").write_text(json.dumps(predicate()))
    assert ingested(run, "unsigned.jsonl")[1]["reasons"] == {"unsigned_event": 1}
    monkeypatch.setenv("OPENCODE_LEARNING_SIGNING_MODE", "allow-unsigned")
    assert ingested(run, "unsigned.jsonl")[1]["accepted"] == 1
    lines = [json.loads(line) for line in run("ledger", "export", "--format", "jsonl").out.splitlines()]
    (changed,) = [line for line in lines if line["topic"] == "learning.signing-mode-changed"]
    assert json.dumps(changed["data"]).count('"warning"') == 1


@pytest.mark.requirement("GOV-05")
def test_what_a_session_shows_is_signed_and_goes_in(run: Run, agent: str):
    events = [{"kind": "error", "at": time.time() - 9 + n, "session": "s-1", "error_type": "E7"} for n in range(5)]
    Path("session.jsonl").write_text("".join(json.dumps(event) + "\n" for event in events))
    found = run("learn", "detect", "session.jsonl", "--task-type", "code.fix", "--trace-id", "t-1")
    assert [json.loads(line)["pattern"] for line in found.out.splitlines()] == ["broken_state"]
    path = signed(run, agent, *map(json.loads, found.out.splitlines()))
    assert ingested(run, str(path))[1]["accepted"] == 1
    assert run("learn", "pin", "broken_state", "--task-type", "code.fix", "--actor", "ann").code == 0
    assert "does not fade" not in run("learn", "pin", "broken_state", "--task-type", "x", "--actor", "a", "--undo").out


def test_bad_input_is_told_and_nothing_is_made(run: Run, agent: str):
    Path("bad.json").write_text("[1, 2]")
    for words in (
        ("sign", "--key", agent, "bad.json"),
        ("sign", "--key", agent, "agent.key.pub"),
        ("sign", "--key", "agent.key.pub", "bad.json"),
        ("sign", "--key", "missing.key", "bad.json"),
        ("ingest", "missing.jsonl"),
        ("ingest", "."),
        ("key", "add", "bob", "agent.key"),
        ("key", "add", "bob", "bad.json"),
        ("detect", "bad.json", "--task-type", "code.fix", "--trace-id", "t"),
        ("pin", "moody", "--task-type", "code.fix", "--actor", "ann"),
        ("key", "add", "two words", "agent.key.pub"),
        ("key", "revoke", "nobody"),
        ("key", "make", "agent.key"),
        ("key", "make", "no/such/../folder\0"),
    ):
        ran = run("learn", *words)
        assert ran.code == 2, words
        assert "Traceback" not in ran.err


def test_a_key_that_others_can_read_is_used_with_a_note(run: Run, agent: str):
    Path(agent).chmod(0o644)
    Path("one.json").write_text(json.dumps(predicate()))
    ran = run("learn", "sign", "--key", agent, "one.json")
    assert ran.code == 0
    assert "chmod 600" in ran.err
