"""The baseline is kept as evidence, tells what it should, and changes nothing; a watcher that interferes fails it."""

import json
from pathlib import Path

import pytest

from control_plane import ControlPlane
from control_plane.cli import main as control_plane
from control_plane.errors import BadInput
from control_plane.evidence import check
from control_plane.governance.events import PolicyProposed, PolicyRefused
from control_plane.ledger.home import Home
from control_plane.proving import arms
from control_plane.proving.baseline import plugin_states, policy_updates
from tests.scripts.proofs import failed, load, run, shown

SCRIPT = "scripts/perf/m0_baseline.py"
FROM = {"policy": "router", "policy_hash": "0" * 64, "actor": "somebody"}


@pytest.mark.requirement("M0-1", "M0-2", "M0-5", "M0-PASS", "M0-ROLLBACK", "QUAL-OUT-1")
def test_a_baseline_is_kept_and_changes_no_decision(tmp_path: Path) -> None:
    evidence = shown(SCRIPT, "baseline", tmp_path, "--quick")
    assert evidence.item == "M0"
    assert evidence.after.accepted == 400
    assert 0.0 < evidence.after.p50 <= evidence.after.p95 <= evidence.after.p99
    assert evidence.after.figures["policy_acceptance_ratio"] == "no update yet"
    assert evidence.rollback.switch == "remove scripts/perf/m0_baseline.py"


def test_a_watcher_that_interferes_fails_the_baseline(tmp_path: Path) -> None:
    assert load(SCRIPT).main(["--quick", "--metrics", str(tmp_path)], fault="nosy") == 1
    assert failed(tmp_path) == {"decisions that take another path when they are watched"}


@pytest.mark.requirement("M0-3", "GOV-43")
def test_policy_updates_of_a_ledger_are_counted(tmp_path: Path) -> None:
    with ControlPlane.open(tmp_path / "home", catalogue=arms(2), background=False) as plane:
        for number in range(3):
            plane.record(
                PolicyProposed(at=1.0, **FROM, policy_revision=number, document="{}", reason="a test", envelope="")
            )
        plane.record(PolicyRefused(at=1.0, **FROM, to="canary", verdict="no-simulation"))
        plane.flush()
        size = plane.ledger.size()
        assert policy_updates(Home(tmp_path / "home")) == {
            "policy_updates_accepted": 3,
            "policy_updates_rejected": 1,
            "policy_acceptance_ratio": 0.75,
            "policy_rejection_ratio": 0.25,
        }
        assert plane.ledger.size() == size


@pytest.mark.requirement("M0-4", "GOV-43")
def test_plugins_are_counted_by_state(tmp_path: Path) -> None:
    (tmp_path / ".opencode" / "plugin").mkdir(parents=True)
    for name in ("one.js", "two.ts", "read.me"):
        (tmp_path / ".opencode" / "plugin" / name).write_text("")
    (tmp_path / "there.mjs").write_text("")
    (tmp_path / "opencode.jsonc").write_text(
        '{"plugin": ["./there.mjs", ["./gone.mjs", {"loud": true}], "somebody-elses@1.0"], /* as is */}'
    )
    assert plugin_states(tmp_path) == {"discovered": 3, "not_discovered": 1, "unknown": 1}
    (tmp_path / "opencode.json").write_text("{")
    with pytest.raises(BadInput, match=r"opencode\.json cannot be read"):
        plugin_states(tmp_path)


@pytest.mark.requirement("M0-PASS")
def test_the_command_keeps_the_same_evidence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert control_plane(["baseline", "--decisions", "60", "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    (path,) = Path(".opencode/metrics").glob("baseline-*.json")
    assert printed == json.loads(path.read_text())
    assert check(path).command == "control-plane baseline"
    assert not Path(".opencode/control-plane").exists()
    # One that is named has to be there.
    assert control_plane(["baseline", "--decisions", "60", "--home", str(tmp_path / "home")]) == 2
    assert not (tmp_path / "home").exists()


def test_bad_usage_exits_with_two(tmp_path: Path) -> None:
    assert run(SCRIPT, "--sideways", folder=tmp_path).returncode == 2
