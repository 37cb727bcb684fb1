"""The suite as a user runs it, where no OpenCode is needed: refusals, run ids, a kill, evidence that others verify."""

import json
import signal
import sqlite3
import subprocess
from pathlib import Path

import jsonschema
import pytest
from securesystemslib import dsse as theirs
from securesystemslib.signer import SSlibKey

from control_plane.dogfood.cases import CASES, PROBE, SCRATCH
from control_plane.dogfood.results import Evidence
from control_plane.dogfood.shelf import root_of
from control_plane.dogfood.suite import plan_of
from control_plane.ledger.notes import Verifier
from tests.dogfood.ground import FORBIDDEN, REPO, Ground, git
from tests.opencode.world import until

pytestmark = pytest.mark.long


@pytest.mark.requirement("DOGFOOD-140", "DOGFOOD-97", "DOGFOOD-04")
def test_an_unknown_case_or_stage_is_bad_usage_and_leaves_nothing(ground: Ground) -> None:
    assert ground.run(ground.main, "--case", "T9Z99").code == 2
    assert plan_of(None, ["T1", "T7"]) is plan_of("T1", []) is None
    assert not ground.shelf.exists()
    assert ground.run(ground.main, "--help").code == 0
    assert len(ground.run(ground.main, "--dry-run").out.splitlines()) == len(CASES) == 15


@pytest.mark.requirement(
    "DOGFOOD-10", "DOGFOOD-11", "DOGFOOD-80", "DOGFOOD-94", "DOGFOOD-100", "DOGFOOD-138", "DOGFOOD-139", "DOGFOOD-112",
    "DOGFOOD-135",
)  # fmt: skip
def test_outside_a_worktree_nothing_that_writes_is_executed(tmp_path: Path) -> None:
    (tmp_path / "worktrees").mkdir()
    ground = Ground(tmp_path / "worktrees")
    done = ground.run(ground.main, "--case", "T3C01")
    assert (done.code, done.codes) == (1, {"T3C01": "WORKTREE_REQUIRED"})
    assert done.summary["standalone"]
    assert done.case("T3C01")["standalone"]
    assert "[T3] T3C01 FAIL WORKTREE_REQUIRED" in done.out
    assert done.summary["opencode_version"] is None, "OpenCode was not even started"
    # A clone in such a folder is no worktree of git's either.
    clone = tmp_path / "worktrees" / "clone"
    git(tmp_path, "clone", "-q", str(ground.main), str(clone))
    whole = ground.run(clone)
    assert whole.codes == {"T2B01": "WORKTREE_REQUIRED"}
    assert (whole.summary["stop_reason"], whole.summary["skipped"]) == ("WORKTREE_REQUIRED", 14)
    assert "[T2b] T2B01 FAIL WORKTREE_REQUIRED" in whole.out


@pytest.mark.requirement("DOGFOOD-76", "DOGFOOD-89", "DOGFOOD-114", "DOGFOOD-146")
def test_without_a_client_the_run_fails_with_clifail_and_the_worktree_stays(ground: Ground) -> None:
    root = ground.worktree()
    done = ground.run(root)
    assert (done.code, done.codes) == (1, {"T1C01": "CLIFAIL"})
    assert "[T1] T1C01 FAIL CLIFAIL" in done.out
    assert root.is_dir()
    calls = ground.git_calls()
    assert calls
    assert not [words for words in calls if set(words) & set(FORBIDDEN)]


@pytest.mark.requirement("DOGFOOD-103")
def test_where_no_evidence_can_be_written_nothing_is_executed(ground: Ground) -> None:
    (ground.main / "artifacts").write_text("a file where a folder has to be")
    done = ground.run(ground.main, "--case", "T1C01")
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith("dogfood.evidence: the evidence folder cannot be written")


@pytest.mark.requirement("DOGFOOD-141", "DOGFOOD-08")
def test_two_runs_at_once_have_two_ids(ground: Ground) -> None:
    runs = [
        subprocess.Popen(ground.command("--case", "T1C01"), cwd=ground.main, env=ground.env(), stdout=subprocess.PIPE)
        for _ in range(2)
    ]
    told = [run.communicate(timeout=120)[0].decode() for run in runs]
    ids = [next(word for word in out.split() if word.startswith("RUN_")) for out in told]
    assert sorted(ids) == ["RUN_0001", "RUN_0002"]
    assert all((ground.shelf / name / "run_summary.json").is_file() for name in ids)


@pytest.mark.requirement("DOGFOOD-142")
def test_after_a_kill_the_next_run_starts_clean_and_the_broken_one_is_marked(ground: Ground) -> None:
    root = ground.worktree()
    hanging = ground.folder / "hanging"
    hanging.write_text("#!/bin/sh\nwhile kill -0 $PPID 2>/dev/null; do sleep 0.2; done\n")
    hanging.chmod(0o755)
    broken = ground.command("--opencode", str(hanging), "--case", "T2B01")
    run = subprocess.Popen(broken, cwd=root, env=ground.env(), stdout=subprocess.DEVNULL)
    running = ground.shelf / "RUN_0001/running.json"
    until(running.exists)
    left = json.loads(running.read_bytes())
    # The agent was at work when the power went.
    (root / SCRATCH).write_text("half")
    (root / PROBE).write_text("broken")
    run.send_signal(signal.SIGKILL)
    run.wait(30)
    done = ground.run(root, "--case", "T1C01")
    assert done.summary["run_id"] == "RUN_0002"
    assert done.codes == {"T1C01": "CLIFAIL"}, "not refused for pending changes"
    assert git(root, "status", "--porcelain") == ""
    assert (ground.shelf / "RUN_0001/BROKEN.json").is_file()
    assert left["pid"] == run.pid
    assert not running.exists()


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Ground:
    """A repository in which a run has ended and its evidence is committed."""
    ground = Ground(tmp_path_factory.mktemp("finished"))
    ground.run(ground.main, "--case", "T1C01", "--home", str(ground.folder / "home"))
    git(ground.main, "add", "-A")
    git(ground.main, "commit", "-qm", "evidence")
    return ground


@pytest.mark.requirement("DOGFOOD-143", "DOGFOOD-56", "DOGFOOD-107", "DOGFOOD-57", "DOGFOOD-07", "DOGFOOD-124")
@pytest.mark.parametrize("ends", ["lf", "crlf"])
def test_evidence_verifies_from_a_fresh_clone_with_coreutils(finished: Ground, tmp_path: Path, ends: str) -> None:
    clone = tmp_path / "clone"
    crlf = ["-c", "core.autocrlf=true", "-c", "core.eol=crlf"] if ends == "crlf" else []
    git(tmp_path, *crlf, "clone", "-q", str(finished.main), str(clone))
    if ends == "crlf":
        assert b"\r\n" in (clone / "README.md").read_bytes()
    run = clone / "artifacts/ledger/opencode_dogfood/RUN_0001"
    sidecars = sorted(run.rglob("*.sha256"))
    assert len(sidecars) >= 10
    for sidecar in (*sidecars, run / "SHA256SUMS"):
        done = subprocess.run(
            ["sha256sum", "--strict", "-c", sidecar.name], check=False, cwd=sidecar.parent, capture_output=True
        )
        assert done.returncode == 0, (sidecar, done.stderr)
    listed = [line.split(" *", 1) for line in (run / "SHA256SUMS").read_text().splitlines()]
    files = [Evidence(path, digest, (run / path).stat().st_size) for digest, path in listed]
    assert root_of(files) == (run / "root.txt").read_text().strip()
    (run / "run_summary.json").write_bytes(b"{}")
    done = subprocess.run(["sha256sum", "-c", "SHA256SUMS"], check=False, cwd=run, capture_output=True)
    assert done.returncode == 1


@pytest.mark.requirement("DOGFOOD-145", "DOGFOOD-125", "DOGFOOD-110")
def test_the_statement_verifies_with_securesystemslib_and_the_ledger_has_the_root(finished: Ground) -> None:
    run = finished.shelf / "RUN_0001"
    public = Verifier.parse((run / "key.txt").read_text().strip())
    key = SSlibKey(public.hint.hex(), "ed25519", "ed25519", {"public": public.public.hex()})
    envelope = theirs.Envelope.from_dict(json.loads((run / "result.dsse.json").read_bytes()))
    assert envelope.verify([key], 1)
    told = json.loads(envelope.payload)
    root = (run / "root.txt").read_text().strip()
    assert told["predicateType"] == "https://in-toto.io/attestation/test-result/v0.1"
    assert told["subject"] == [{"name": "RUN_0001", "digest": {"sha256": root}}]
    assert (told["predicate"]["result"], told["predicate"]["failedTests"]) == ("FAILED", ["T1C01"])
    with sqlite3.connect(finished.folder / "home/ledger.db") as rows:
        (state,) = rows.execute("SELECT state FROM stored_events WHERE topic = 'dogfood.run-finished'").fetchone()
    rows.close()
    event = json.loads(state)
    assert (event["run"], event["verdict"], event["root"]) == ("RUN_0001", "FAIL", root)


@pytest.mark.requirement(
    "DOGFOOD-20", "DOGFOOD-21", "DOGFOOD-22", "DOGFOOD-23", "DOGFOOD-24", "DOGFOOD-25", "DOGFOOD-26", "DOGFOOD-27",
    "DOGFOOD-28", "DOGFOOD-29", "DOGFOOD-30", "DOGFOOD-31", "DOGFOOD-37", "DOGFOOD-38", "DOGFOOD-39", "DOGFOOD-40",
    "DOGFOOD-41", "DOGFOOD-42", "DOGFOOD-43", "DOGFOOD-45",
)  # fmt: skip
def test_the_schemas_take_what_was_written_and_nothing_that_differs_in_a_field(finished: Ground) -> None:
    run, schemas = finished.shelf / "RUN_0001", REPO / "scripts/opencode_dogfood/schemas"
    wrong = {
        "schema_id": "x", "schema_version": "2", "case_id": "X1", "stage": "T5", "expected_outcome": "x",
        "actual_outcome": "x", "status": "x", "failure_code": None, "run_id": "RUN_1", "duration_ms": 0.5,
        "repo_commit": "abc", "evidence": [], "model_id": 1, "transport": 1, "total_cases": 14, "passed": -1,
        "failed": 16, "skipped": "0", "final_verdict": "x",
    }  # fmt: skip
    for file, name in (("cases/T1C01.result.json", "case_result"), ("run_summary.json", "run_summary")):
        told = json.loads((run / file).read_bytes())
        schema = json.loads((schemas / f"{name}.schema.json").read_bytes())
        jsonschema.Draft7Validator.check_schema(schema)
        validator = jsonschema.Draft7Validator(schema)
        assert validator.is_valid(told)
        for field in told.keys() & wrong.keys():
            assert not validator.is_valid(told | {field: wrong[field]}), field
        for field in schema["required"]:
            assert not validator.is_valid({key: value for key, value in told.items() if key != field}), field


@pytest.mark.requirement("DOGFOOD-122")
def test_the_script_holds_no_rule_of_its_own(ground: Ground) -> None:
    """Whoever exchanges the script exchanges no gate."""
    script = (ground.main / "scripts/opencode_dogfood/run_suite.py").read_text()
    assert "control_plane.dogfood.suite" in script
    assert not any(word in script for word in ("ALLOWLIST", "GITCLEANFAIL", "status_of"))
