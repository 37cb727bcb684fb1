"""From a policy's file to the artifact that its next step asks for, and the command that makes it."""

import json
import random
from pathlib import Path

import pytest

from control_plane import ControlPlane, Policy, Task
from control_plane.governance.artifacts import digest_of
from control_plane.governance.document import read_policy
from control_plane.ledger.dsse import open_envelope
from control_plane.simulating import PolicyDiffers, artifact
from tests.plane.conftest import ARMS, Hand

FILE = 'name = "careful"\n[router]\nfloor = 0.4\n[simulation]\np95_ms = 1500.0\n'
BY = {"actor": "ann", "reason": "tried"}


@pytest.fixture
def plane(open_plane, clock: Hand, monkeypatch: pytest.MonkeyPatch) -> ControlPlane:
    """Much was explored, so that the log can speak for another policy; each time alike, for of a hundred logs made by
    chance two would say that it is worse.
    """
    monkeypatch.setenv("OPENCODE_REPLAY_SEED", "1")
    plane = open_plane(catalogue=ARMS[:3], policy=Policy(floor=0.5))
    chance = random.Random(1)
    for _ in range(300):
        clock.time += 0.5
        advice = plane.advise(Task(type="code.fix"))
        plane.record_result(advice.decision_id, success=chance.random() < 0.7, latency_ms=800.0, cost_usd=0.01)
    return plane


@pytest.mark.requirement("GOV-22", "GOV-19")
def test_the_signed_simulation_opens_the_policys_next_step(plane: ControlPlane) -> None:
    document = read_policy(FILE)
    plane.policies.propose(FILE, **BY)
    found = plane.simulate(document)
    assert found.latency.p95_limit_ms == 1_500.0
    envelope = artifact(plane.policies, document, found)
    said = json.loads(open_envelope(envelope, plane._opened.keyring().current()))
    assert said["predicate"]["acceptance_ratio"] == found.acceptance_ratio == 1.0
    assert said["predicate"]["details"]["estimates"]["success"]["dr"]["value"] == found.estimates["success"].dr.value
    assert plane.policies.advance("careful", simulation=envelope, **BY).stage == "simulated"
    assert len(digest_of(envelope)) == 64


@pytest.mark.requirement("GOV-23")
def test_a_file_that_was_not_what_was_proposed_gets_no_artifact(plane: ControlPlane) -> None:
    plane.policies.propose(FILE.replace("0.4", "0.3"), **BY)
    document = read_policy(FILE)
    with pytest.raises(PolicyDiffers):
        artifact(plane.policies, document, plane.simulate(document))


def test_a_simulation_of_a_part_is_bound_to_that_part(plane: ControlPlane) -> None:
    document = read_policy(FILE)
    plane.policies.propose(FILE, **BY)
    found = plane.simulate(document, until=200)
    said = json.loads(open_envelope(artifact(plane.policies, document, found), plane._opened.keyring().current()))
    assert said["predicate"]["ledger_position"] == 200


def test_progress_reaches_the_whole(plane: ControlPlane) -> None:
    seen: list[tuple[int, int]] = []
    plane.simulate(None, progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (300, 300)
    assert seen == sorted(seen)


@pytest.fixture
def lived_in(plane: ControlPlane, tmp_path: Path) -> Path:
    plane.policies.propose(FILE, **BY)
    plane.close()
    (tmp_path / "careful.toml").write_text(FILE)
    return tmp_path


def test_the_command_tells_people_and_programs_and_writes_the_artifact(
    lived_in: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from control_plane.cli import main

    words = ["simulate", str(lived_in / "careful.toml"), "--home", str(lived_in / "home")]
    assert main([*words, "--artifact", str(lived_in / "careful.dsse")]) == 0
    told = capsys.readouterr().out
    for word in ("doubly robust", "decisions", "300 of them evidence", "risk"):
        assert word in told
    assert json.loads((lived_in / "careful.dsse").read_bytes())["payloadType"] == "application/vnd.in-toto+json"
    assert main([*words, "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["accepted"] == 300
    assert set(facts["estimates"]["success"]) >= {"ips", "snips", "dr", "delta", "effective"}
