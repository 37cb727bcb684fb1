"""What a caller with a weak token may have the guardrails do on the server's behalf: look, and no more."""

from pathlib import Path

import pytest

from tests.access.issuing import claims, signed

pytestmark = pytest.mark.anyio


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project whose check leaves a file behind when it runs, with a program of its own."""
    folder = tmp_path / "project"
    (folder / "bin").mkdir(parents=True)
    (folder / "bin/ruff").write_text(f"#!/bin/sh\nenv > {folder}/ran\n")
    (folder / "bin/ruff").chmod(0o755)
    (folder / "pyproject.toml").write_text("[tool.ruff]\n")
    monkeypatch.chdir(folder)
    monkeypatch.setenv("PATH", f"{folder}/bin:/usr/bin:/bin")
    monkeypatch.setenv("PRICE_KEY", "zx81")
    monkeypatch.delenv("OPENCODE_STOP_CHECK_MODE", raising=False)
    return folder


async def stopped(client, clock, role, **env):
    headers = {"Authorization": f"Bearer {signed(claims(clock.now(), role=role))}"}
    body = {"session": "s", "edited": ["a.py"], "env": env}
    return (await client.post("/api/guard/stop", json=body, headers=headers)).json()["verdict"]


async def test_a_participant_may_make_stop_checks_a_plan_but_not_have_them_run(project, client, clock, plane):
    assert await stopped(client, clock, "participant", OPENCODE_STOP_CHECK_MODE="execute") == "planned"
    assert not (project / "ran").exists()
    plane.guard.set_stop("", "execute", actor="ann")
    assert await stopped(client, clock, "participant", OPENCODE_STOP_CHECK_MODE="plan") == "planned"
    assert await stopped(client, clock, "participant", OPENCODE_STOP_CHECK_MODE="execute") == "passed"


async def test_an_operator_may_have_them_run_and_they_get_no_keys(project, client, clock):
    assert await stopped(client, clock, "operator", OPENCODE_STOP_CHECK_MODE="execute") == "passed"
    told = (project / "ran").read_text()
    assert ("PATH=" in told, "CI=1" in told, "PRICE_KEY" in told) == (True, True, False)
