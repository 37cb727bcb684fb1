"""The stop runner: which checks fit, whether they run, how long, how much they may say, and what is written down."""

import json
import os
import signal
import sys
from pathlib import Path

import pytest

from control_plane.clock import Clock
from control_plane.errors import BadInput
from control_plane.guardrails import events as e
from control_plane.guardrails import running, stopping
from control_plane.guardrails.planning import Check, plan
from control_plane.guardrails.replaying import read
from control_plane.guardrails.running import run_check
from tests.opencode.world import until


def write(project: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = project / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return project


def commands(project: Path, *edited: str, tests: bool = False, most: int = 6) -> list[tuple[str, str]]:
    return [(one.root, " ".join(one.command)) for one in plan(str(project), edited, most=most, tests=tests).checks]


def package(**scripts: str) -> str:
    return json.dumps({"scripts": scripts})


@pytest.mark.requirement("GUARD-31", "ROLLOUT-21")
@pytest.mark.parametrize(
    ("files", "edited", "expected"),
    [
        ({"package.json": package(check="c", typecheck="t", lint="l", build="b", test="x")}, "src/a.ts",
         ["npm run check", "npm run lint", "npm run build"]),
        ({"package.json": package(typecheck="t")}, "a.tsx", ["npm run typecheck"]),
        ({"package.json": package(), "tsconfig.json": "{}"}, "a.ts", ["npx --no-install tsc --noEmit"]),
        ({"package.json": package(build="b"), "prisma/schema.prisma": ""}, "prisma/schema.prisma",
         ["npm run build", "npx --no-install prisma generate"]),
        ({"package.json": package()}, "a.js", []),
        ({"package.json": "no json"}, "a.js", []),
        ({"pyproject.toml": "[tool.ruff]\n[tool.mypy]\n"}, "src/a.py", ["ruff check .", "mypy ."]),
        ({"pyproject.toml": "[tool.pyright]\n", "uv.lock": ""}, "a.py", ["uv run --no-sync pyright"]),
        ({"pyproject.toml": "[tool.ruff]\n", "poetry.lock": ""}, "a.py", ["poetry run ruff check ."]),
        ({"pyproject.toml": "["}, "a.py", []),
        ({"Cargo.toml": "", "Cargo.lock": ""}, "src/main.rs",
         ["cargo check --all-targets --locked", "cargo clippy --locked"]),
        ({"go.mod": ""}, "main.go", ["go build ./...", "go vet ./..."]),
        ({}, "a.py", []),
        ({"pyproject.toml": "[tool.ruff]\n"}, "../outside.py", []),
        ({"pyproject.toml": "[tool.ruff]\n"}, "/etc/hosts.py", []),
    ],
)  # fmt: skip
def test_each_language_has_its_checks(tmp_path, files, edited, expected):
    assert [command for _, command in commands(write(tmp_path, files), edited)] == expected


@pytest.mark.requirement("GUARD-32", "ROLLOUT-21")
@pytest.mark.parametrize(
    ("lock", "manager"),
    [("pnpm-lock.yaml", "pnpm"), ("yarn.lock", "yarn"), ("bun.lockb", "bun"), ("bun.lock", "bun"),
     ("package-lock.json", "npm"), (None, "npm")],
)  # fmt: skip
def test_a_monorepo_has_one_lock_file_at_the_top_and_many_roots(tmp_path, lock, manager):
    one = package(lint="l")
    write(tmp_path, {"package.json": one, "packages/a/package.json": one, "packages/b/package.json": one,
                     "services/api/pyproject.toml": "[tool.ruff]\n", "crates/x/Cargo.toml": ""})  # fmt: skip
    if lock:
        (tmp_path / lock).touch()
    edited = ("packages/a/src/x.ts", "packages/a/y.ts", "packages/b/z.ts", "services/api/m.py", "crates/x/src/l.rs")
    assert commands(tmp_path, *edited) == [
        ("packages/a", f"{manager} run lint"), ("packages/b", f"{manager} run lint"),
        ("services/api", "ruff check ."), ("crates/x", "cargo check --all-targets"), ("crates/x", "cargo clippy"),
    ]  # fmt: skip
    assert commands(tmp_path, "top.ts") == [(".", f"{manager} run lint")]


def test_the_field_package_manager_is_heard_before_a_lock_file(tmp_path):
    write(tmp_path, {"package.json": json.dumps({"packageManager": "pnpm@9.0.0", "scripts": {"lint": "l"}}),
                     "yarn.lock": ""})  # fmt: skip
    assert commands(tmp_path, "a.ts") == [(".", "pnpm run lint")]


@pytest.mark.requirement("GUARD-33", "ROLLOUT-22")
def test_tests_are_opt_in_and_the_cap_says_how_many_it_dropped(tmp_path):
    write(tmp_path, {"pyproject.toml": "[tool.ruff]\n[tool.mypy]\n[tool.pytest]\n"})
    assert [c for _, c in commands(tmp_path, "a.py")] == ["ruff check .", "mypy ."]
    assert [c for _, c in commands(tmp_path, "a.py", tests=True)] == ["ruff check .", "mypy .", "pytest -q"]
    made = plan(str(tmp_path), ["a.py"], most=1, tests=True)
    assert ([one.command for one in made.checks], made.dropped) == ([("ruff", "check", ".")], 2)


def check_of(source: str, root: str = ".") -> Check:
    return Check(root, "check", (sys.executable, "-S", "-c", source))


@pytest.mark.requirement("GUARD-35")
def test_a_time_out_kills_the_whole_process_group(tmp_path):
    marker = tmp_path / "pid"
    inner = f"import os, time; open({str(marker)!r}, 'w').write(str(os.getpid())); time.sleep(600)"
    outer = (
        "import subprocess, sys, time\n"
        f"subprocess.Popen([sys.executable, '-S', '-c', {inner!r}])\n"
        "time.sleep(600)"
    )  # fmt: skip
    result = run_check(str(tmp_path), check_of(outer), 4.0, os.environ, Clock())
    assert (result.outcome, result.exit_code) == ("timed-out", None)
    assert result.seconds < 60
    pid = int(marker.read_text())
    until(lambda: gone(pid))


def gone(pid: int) -> bool:
    """Dead, or a zombie that only waits for its parent to ask."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


@pytest.mark.requirement("GUARD-36")
def test_output_is_bounded_at_both_ends_and_counted_whole(tmp_path):
    source = "import sys\nprint('begins')\nsys.stdout.write('x' * 5_000_000)\nprint('ends')\nsys.exit(3)"
    result = run_check(str(tmp_path), check_of(source), 60, os.environ, Clock())
    assert (result.outcome, result.exit_code) == ("failed", 3)
    assert result.output_bytes > 5_000_000
    assert len(result.said) < running.HEAD + running.TAIL + 100
    assert result.said.startswith("begins")
    assert result.said.endswith("ends\n")
    assert "left out" in result.said


def test_no_shell_reads_a_command(tmp_path):
    result = run_check(
        str(tmp_path), Check(".", "check", ("echo", "$(touch pwned)", ";", "touch", "pwned")), 20, os.environ, Clock()
    )
    assert (result.said, (tmp_path / "pwned").exists()) == ("$(touch pwned) ; touch pwned\n", False)


def test_a_program_that_is_not_there_is_no_failure_of_the_session(tmp_path):
    assert run_check(str(tmp_path), Check(".", "check", ("/nowhere/x",)), 5, {}, Clock()).outcome == "not-found"


@pytest.fixture
def tools(project, monkeypatch):
    """Programs of the project's own making: `ruff` and `mypy` do as their files say."""
    bin_folder = project / "bin"
    bin_folder.mkdir()

    def tool(name: str, script: str) -> None:
        (bin_folder / name).write_text(f"#!/bin/sh\n{script}\n")
        (bin_folder / name).chmod(0o755)

    tool("ruff", "exit 0")
    tool("mypy", "echo found 1 error; exit 1")
    write(project, {"pyproject.toml": "[tool.ruff]\n[tool.mypy]\n", "web/package.json": package(lint="l")})
    monkeypatch.setenv("PATH", f"{bin_folder}:{os.environ['PATH']}")
    return tool


@pytest.mark.requirement("ROLLOUT-03", "GUARD-37")
def test_plan_is_the_default_and_runs_nothing(guard, plane, project, tools):
    tools("ruff", "touch ran; exit 1")
    told = stopping.stop(guard, "s", os.environ, edited=["a.py"])
    assert (told.blocks, told.mode, (project / "ran").exists()) == (False, "plan", False)
    assert told.message.splitlines() == ["[STOP CHECK PLAN] .: ruff check .", "[STOP CHECK PLAN] .: mypy ."]
    plane.flush()
    (planned,) = [event for _, event in read(plane.ledger) if isinstance(event, e.StopPlanned)]
    assert (planned.mode, planned.commands) == ("plan", (("ruff", "check", "."), ("mypy", ".")))


@pytest.mark.requirement("GUARD-33", "GUARD-37", "GUARD-30", "ROLLOUT-20", "ROLLOUT-23")
def test_execute_by_scope_sends_back_three_times_for_one_cause(guard, plane, project, tools):
    guard.set_stop("services", "execute", actor="ann")
    assert stopping.stop(guard, "s", os.environ, edited=["a.py"]).mode == "plan"
    guard.set_stop("", "execute", actor="ann")
    rounds = [stopping.stop(guard, "s", os.environ, edited=["a.py"]) for _ in range(5)]
    assert [(one.blocks, one.round) for one in rounds] == [(True, 1), (True, 2), (True, 3), (False, 3), (False, 3)]
    assert "found 1 error" in rounds[0].message
    tools("ruff", "exit 1")
    other = stopping.stop(guard, "s", os.environ, edited=["a.py"])
    assert (other.blocks, other.round) == (True, 1), "another cause counts for itself"
    assert stopping.stop(guard, "t", os.environ, edited=["a.py"]).round == 1, "and so does another session"
    plane.flush()
    checked = [event for _, event in read(plane.ledger) if isinstance(event, e.StopChecked)]
    assert {(one.command, one.outcome) for one in checked[:2]} == {
        (("ruff", "check", "."), "passed"), (("mypy", "."), "failed"),
    }  # fmt: skip
    assert all(b"found 1 error" not in row[4] for row in plane.ledger.rows(0, 1000)), "only its size and digest"


def test_the_brake_of_the_caller_makes_it_a_plan_again(guard, tools):
    guard.set_stop("", "execute", actor="ann")
    braked = {**os.environ, "OPENCODE_STOP_CHECK_MODE": "plan"}
    assert stopping.stop(guard, "s", braked, edited=["a.py"]).mode == "plan"


def test_a_caller_may_execute_where_nobody_here_said_otherwise(guard, tools, monkeypatch):
    eager = {**os.environ, "OPENCODE_STOP_CHECK_MODE": "execute"}
    assert stopping.stop(guard, "s", eager, edited=["a.py"]).mode == "execute"
    guard.set_stop("", "plan", actor="ann")
    assert stopping.stop(guard, "s", eager, edited=["a.py"]).mode == "plan"
    guard.set_stop("", "execute", actor="ann")
    monkeypatch.setenv("OPENCODE_STOP_CHECK_MODE", "plan")
    assert stopping.stop(guard, "s", {**os.environ}, edited=["a.py"]).mode == "plan"


@pytest.mark.requirement("GUARD-34", "ROLLOUT-22")
def test_the_time_out_is_120_s_and_can_be_tuned_by_scope(guard, tools):
    assert stopping.TIMEOUT_S == 120.0
    tools("mypy", "sleep 600")
    guard.set_stop("", "execute", actor="ann", timeout_s=0.5)
    told = stopping.stop(guard, "s", os.environ, edited=["a.py"])
    assert {one.check.command[0]: one.outcome for one in told.results} == {"ruff": "passed", "mypy": "timed-out"}
    assert told.blocks
    assert guard.state().counts.stop_timed_out == 1
    for wrong in ({"timeout_s": 0}, {"max_commands": 0}, {"timeout_s": 1e9}):
        with pytest.raises(BadInput):
            guard.set_stop("", "execute", **wrong)
    with pytest.raises(BadInput):
        guard.set_stop("", "sometimes")


def test_what_cannot_be_run_is_said_and_blocks_nobody(guard, project, tools, monkeypatch):
    guard.set_stop("", "execute", actor="ann")
    told = stopping.stop(guard, "s", {"PATH": "/nowhere"}, edited=["a.py"])
    assert (told.blocks, "could not run: ruff check ." in told.message) == (False, True)


def test_a_child_that_was_killed_is_a_failure(tmp_path):
    result = run_check(str(tmp_path), check_of("import os; os.kill(os.getpid(), 9)"), 20, os.environ, Clock())
    assert (result.outcome, result.exit_code) == ("failed", -signal.SIGKILL)
