"""A project with rules in force, the plane in its home, and a call as a client makes it."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from control_plane import Arm, ControlPlane
from control_plane.guardrails.hits import Answer
from control_plane.guardrails.service import Guard
from control_plane.proving import HandClock
from tests.guardrails.ground import RULES

DB = "src/db/client.ts"
Write = Callable[..., Answer]


@pytest.fixture(autouse=True)
def unbraked(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENCODE_ENFORCEMENT_MODE", "OPENCODE_ENFORCE_FAMILIES", "OPENCODE_STOP_CHECK_MODE",
                 "CLAUDE_PROJECT_DIR", "CONTROL_PLANE_HOME"):  # fmt: skip
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "project"
    for name, text in ((DB, "export const client = 1\n"), ("src/app.ts", "x\n")):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    write_rules(folder, RULES)
    monkeypatch.chdir(folder)
    return folder


def write_rules(project: Path, rules: dict[str, Any]) -> None:
    path = project / ".claude/skills/skill-rules.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(rules))


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def home(project: Path) -> Path:
    return project / ".opencode/control-plane"


@pytest.fixture
def plane(home: Path, clock: HandClock) -> Iterator[ControlPlane]:
    with ControlPlane.open(home, catalogue=[Arm("acme/one")], clock=clock, background=False) as plane:
        yield plane


@pytest.fixture
def guard(plane: ControlPlane) -> Guard:
    return plane.guard


@pytest.fixture
def write(guard: Guard) -> Write:
    def write(path: str = DB, content: str = "x", session: str = "s", **environment: str) -> Answer:
        told = {"file_path": path, "content": content}
        return guard.check("Write", told, session=session, environment=environment)

    return write


def enforced(guard: Guard, write: Write, family: str = "database", labels: int = 59) -> None:
    """The only way up: enough hits that people found right."""
    for number in range(labels):
        answer = write(session=f"burn-in-{number}")
        guard.ledger.flush()
        guard.label(answer.decision, "TP", rule=answer.hits[0].rule, actor="ann")
    guard.promote(family, actor="ann")
