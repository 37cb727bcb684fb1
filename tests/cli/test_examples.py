"""Every example that --help shows is run as it stands."""

import json
import shlex
import shutil
import time
from pathlib import Path

import pytest

from control_plane.cli import command
from control_plane.evidence import write
from control_plane.learning.keys import read_private
from control_plane.learning.signing import sign
from control_plane.ledger.home import Home
from control_plane.ledger.keys import create_key
from tests.cli.conftest import Run
from tests.evidence.samples import sample
from tests.guardrails.ground import RULES

EXAMPLES = [(entry.name, example) for entry in command.load(()) for example in entry.examples]


@pytest.fixture
def desk(home: Home) -> Path:
    """What the examples name lies in the working folder: the offline key, and another host's."""
    shutil.copy(home.recovery_key, "recovery.key")
    other = create_key(Path("other-host.key"), home.identity().origin).verifier
    Path("other-host.pub").write_text(str(other))
    Path("control-plane.toml").write_text('[[arms]]\nname = "acme/one"\n[[arms]]\nname = "acme/two"\n')
    write(sample(at=time.time()), Path(".opencode/metrics"))
    agents_key(home)
    Path("careful.toml").write_text('name = "careful"\n[router]\nsuccess_value_usd = 5.0\n')
    rules = Path(".claude/skills/skill-rules.json")
    rules.parent.mkdir(parents=True)
    rules.write_text(json.dumps(RULES))
    Path("scores.json").write_text(json.dumps({"candidate": [1.0] * 20, "baseline": [0.5] * 20}))
    return Path.cwd()


def agents_key(home: Home) -> None:
    """An agent's key, a record that it would sign, and one that it has signed."""
    key = create_key(Path("agent.key"), home.identity().origin).verifier
    Path("agent.pub").write_text(str(key))
    predicate = {"kind": "outcome", "task_type": "code.fix", "trace_id": "trace-1", "ts": time.time(), "success": True}
    Path("session.jsonl").write_text('{"kind": "edit", "at": 1.0, "session": "s-1", "suppressions": 1}\n')
    Path("predicate.json").write_text(json.dumps(predicate))
    Path("records.jsonl").write_bytes(sign(predicate, read_private(Path("agent.key").read_bytes())) + b"\n")


PROPOSED = "control-plane policy propose careful.toml --actor ann --reason tried"
GATES_OFF = "control-plane flags flip OPENCODE_SIM_GATE false --actor ann --reason tried"
CHECKED = "control-plane guard check --path src/db/client.ts"
# What must have happened before an example makes sense.
BEFORE = {
    "explain": "control-plane advise --task-type code.fix",
    "guard explain": CHECKED,
    "guard label": CHECKED,
    "guard canary": CHECKED,
    "opencode auto": "control-plane opencode install --unchecked",
    "plugins release": "control-plane plugins observe guard --policy-violation",
    "evidence verify": "control-plane evidence record .opencode/metrics",
    "ledger revoke-key": "control-plane ledger key admit other-host.pub",
    "learn ingest": "control-plane learn key add reviewer agent.pub",
    "learn key revoke": "control-plane learn key add reviewer agent.pub",
    "memory forget": "control-plane memory add 'The staging database is rebuilt every night'",
    "review resolve": "control-plane review add guard --id r-17",
    "policy show": PROPOSED,
    "policy evaluate": PROPOSED,
    "policy record": f"{PROPOSED}\ncontrol-plane policy evaluate careful scores.json --out evaluation.dsse.json",
    "policy advance": f"{PROPOSED}\n{GATES_OFF}",
    "policy rollback": f"{PROPOSED}\n{GATES_OFF}\ncontrol-plane policy advance careful --actor ann --reason tried",
    "review feedback": "control-plane review add guard --id r-17\ncontrol-plane review resolve r-17 --approve",
}


def thread(run: Run, *, closed: bool = False) -> str:
    """A thread of the bridge with two participants."""
    asked = {"workspace_id": "w", "title": "t", "type": "workflow", "participants": ["exec", "reviewer"]}
    made: str = json.loads(run("bridge", "call", "create_thread", json.dumps(asked), "--json").out)["thread_id"]
    if closed:
        run("bridge", "override-close-thread", "--thread-id", made, "--reason", "human_override: done")
    return made


@pytest.mark.parametrize(("name", "example"), EXAMPLES, ids=[example for _, example in EXAMPLES])
def test_the_example_works(name: str, example: str, desk: Path, run: Run) -> None:
    if "$DECISION" in example:
        advised = run("advise", "--task-type", "code.fix", "--json")
        example = example.replace("$DECISION", json.loads(advised.out)["decision_id"])
    if "$THREAD" in example or "$CLOSED" in example:
        example = example.replace("$THREAD", thread(run)).replace("$CLOSED", thread(run, closed=True))
    for line in (*BEFORE.get(name, "").splitlines(), example):
        program, *words = shlex.split(line)
        assert program == "control-plane"
        ran = run(*words)
        assert (ran.code, ran.err) == (0, "")
        assert ran.out
