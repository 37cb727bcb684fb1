"""A check with 200 rules takes at most 1 ms at p99, in a process that writes its log meanwhile."""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from control_plane import Arm, ControlPlane
from control_plane.guardrails.service import Guard

ROUNDS, CHECKS, BAR_S = 7, 2000, 0.001


def rules() -> dict[str, object]:
    skills = {}
    for n in range(200):
        skills[f"family{n % 20}-rule-{n}"] = {
            "type": "guardrail",
            "enforcement": "block" if n % 3 else "warn",
            "promptTriggers": {"keywords": [f"word{n}"], "intentPatterns": [f"(create|add).*thing{n}"]},
            "fileTriggers": {
                "pathPatterns": [f"src/area{n}/**/*.ts", f"lib/{n}/*.py", f"**/special{n}.*"],
                "pathExclusions": ["**/*.test.ts"],
                "contentPatterns": [f"from 'package{n}'", "(a+)+$"] if n % 2 else [],
            },
        }
    return {"version": "1.0", "skills": skills}


@pytest.fixture(scope="module")
def guard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guard]:
    project = tmp_path_factory.mktemp("project")
    path = project / ".claude/skills/skill-rules.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(rules()))
    with ControlPlane.open(project / ".opencode/control-plane", catalogue=[Arm("acme/one")]) as plane:
        yield plane.guard


BODY = "const line = 1 // aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!\n" * 100
CALLS: dict[str, Callable[[Guard, Path, int], object]] = {
    "a file that no rule knows": lambda guard, at, n: write(guard, at / f"docs/{n}.md", n),
    "a file that a rule blocks": lambda guard, at, n: write(guard, at / f"src/area{n % 200}/deep/c.ts", n),
    "a command": lambda guard, at, n: guard.check(
        "Bash", {"command": f"npm test && echo {n} > notes.txt"}, session=f"s{n % 30}", environment={}
    ),
    "a prompt": lambda guard, at, n: guard.prompt("add a thing " * 20, session=f"s{n % 30}", environment={}),
}


def write(guard: Guard, path: Path, n: int) -> object:
    return guard.check("Write", {"file_path": str(path), "content": BODY}, session=f"s{n % 30}", environment={})


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_a_check_takes_at_most_a_millisecond(guard: Guard, call: Callable[[Guard, Path, int], object]) -> None:
    """By the clock, in the quietest of some rounds; beside it what the thread itself used."""
    walls, owns = [], []
    for _ in range(ROUNDS):
        wall, own = [], []
        for n in range(CHECKS):
            began, used = time.perf_counter(), time.thread_time()
            call(guard, Path(guard.project), n)
            own.append(time.thread_time() - used)
            wall.append(time.perf_counter() - began)
        guard.ledger.flush()
        walls.append(sorted(wall)[int(CHECKS * 0.99)])
        owns.append(sorted(own)[int(CHECKS * 0.99)])
    print(f"p99 wall {min(walls) * 1e3:.3f} ms, own time {min(owns) * 1e3:.3f} ms")
    assert min(walls) <= BAR_S
