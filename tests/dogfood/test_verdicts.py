"""Each verdict of the suite, with an agent whose deeds are functions: gates, codes, evidence."""

import base64
import json
from pathlib import Path

import jsonschema
import pytest

from control_plane.dogfood.cases import CASES, FIXTURES, HARD, PROBE, SANDBOX, SCRATCH, SENTINEL, STAGES, WRITTEN
from control_plane.dogfood.client import TooSlow
from control_plane.dogfood.git import Git, GitFailed
from control_plane.dogfood.policy import DELETE_ALLOWLIST, may_write
from control_plane.dogfood.results import status_of
from control_plane.dogfood.shelf import RUNNING
from tests.dogfood.ground import REPO, Ground, git
from tests.dogfood.hands import GOOD, Deed, both, codes, played, removes, says, writes

SCHEMAS = REPO / "scripts/opencode_dogfood/schemas"


def late(root: Path) -> str:
    raise TooSlow("no answer in time")


CHEATS: list[tuple[str, Deed, str]] = [
    ("T2B01", both(GOOD["T2B01"], writes("README.md", "mine")), "MODIFICATIONFAIL"),
    ("T2B01", both(GOOD["T2B01"], writes(FIXTURES + "median.json", "[]")), "MODIFICATIONFAIL"),
    ("T3C02", both(GOOD["T3C02"], writes("scripts/opencode_dogfood/run_suite.py", "")), "MODIFICATIONFAIL"),
    ("T2A01", both(removes("README.md"), GOOD["T2A01"]), "GITCLEANFAIL"),
    ("T2A02", both(removes(SENTINEL), GOOD["T2A02"]), "GITCLEANFAIL"),
    ("T3C02", both(GOOD["T3C02"], says("")), "EMPTYRESPONSE"),
    ("T3C01", writes(SANDBOX + "slugify.py", "def slugify(text:\n"), "SYNTAXERROR"),
    ("T2B01", both(GOOD["T2B01"], writes(SANDBOX + "more.md", "x")), "EVIDENCEMISMATCH"),
    ("T2B01", says("done"), "EVIDENCEMISMATCH"),
    ("T2B03", says("deleted it"), "EVIDENCEMISMATCH"),
    ("T2B03", both(removes("README.md"), removes(SENTINEL)), "MODIFICATIONFAIL"),
    ("T2A03", late, "TIMEOUTEXCEEDED"),
    ("T3C01", writes(SANDBOX + "slugify.py", "def slugify(text):\n    return text\n"), "EVIDENCEMISMATCH"),
    ("T3C03", writes(SANDBOX + "test_clamp.py", "def test_nothing():\n    pass\n"), "EVIDENCEMISMATCH"),
]


@pytest.mark.requirement(
    "DOGFOOD-09", "DOGFOOD-47", "DOGFOOD-48", "DOGFOOD-52", "DOGFOOD-55", "DOGFOOD-95", "DOGFOOD-104", "DOGFOOD-105",
    "DOGFOOD-108", "DOGFOOD-144", "DOGFOOD-32", "DOGFOOD-58", "DOGFOOD-49", "DOGFOOD-50", "DOGFOOD-51", "DOGFOOD-53",
    "DOGFOOD-54", "DOGFOOD-19", "DOGFOOD-36", "DOGFOOD-75", "DOGFOOD-118",
)  # fmt: skip
def test_a_run_leaves_what_the_schemas_say_and_the_next_one_takes_the_next_number(ground: Ground) -> None:
    root = ground.worktree()
    ended, lines = played(root, GOOD)
    again, _ = played(root, GOOD)
    run = ended.folder.path
    summary = json.loads((run / "run_summary.json").read_bytes())
    case, of_run = (json.loads((SCHEMAS / f"{n}.schema.json").read_bytes()) for n in ("case_result", "run_summary"))
    jsonschema.validate(summary, of_run, cls=jsonschema.Draft7Validator)
    results = {one.id: json.loads((run / f"cases/{one.id}.result.json").read_bytes()) for one in CASES}
    for told in results.values():
        jsonschema.validate(told, case, cls=jsonschema.Draft7Validator)
        paths = [one["path"] for one in told["evidence"]]
        assert paths == sorted(paths, key=str.encode)
        names = {path.rsplit("/", 1)[-1] for path in paths}
        assert names >= {"stdout.txt", "stderr.txt", "git_status.txt", "repo_commit.txt", "worktree_check.txt"}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(results["T1C03"] | {"failure_code": None}, case, cls=jsonschema.Draft7Validator)
    assert (summary["final_verdict"], summary["passed"], summary["total_cases"]) == ("PASS", 15, 15)
    assert [ended.summary.run_id, again.summary.run_id] == ["RUN_0001", "RUN_0002"]
    assert (run / "evidence/T2B01/item_01.md").read_text() == WRITTEN + "\n"
    assert (run / "evidence/T2B02/git_diff.txt").read_text() == f"M\t{PROBE}\n"
    assert (run / "evidence/T2B03/git_diff.txt").read_text() == f"M\t{PROBE}\nD\t{SENTINEL}\n"
    assert lines[0].startswith("[T1] T1C01 PASS")
    assert again.summary.final_verdict == "PASS", "the worktree was put back"


@pytest.mark.requirement("DOGFOOD-02")
def test_two_runs_of_the_same_deeds_leave_the_same_evidence(ground: Ground) -> None:
    root = ground.worktree()
    first, second = (played(root, GOOD)[0].folder.path for _ in range(2))
    names = [path.relative_to(first) for path in sorted((first / "evidence").rglob("*")) if path.is_file()]
    different = [name for name in names if (first / name).read_bytes() != (second / name).read_bytes()]
    assert (len(names), different) == (2 * (15 * 6 + 6 + 4), [])


@pytest.mark.requirement(
    "DOGFOOD-06", "DOGFOOD-13", "DOGFOOD-15", "DOGFOOD-78", "DOGFOOD-79", "DOGFOOD-81", "DOGFOOD-82", "DOGFOOD-83",
    "DOGFOOD-84", "DOGFOOD-93", "DOGFOOD-106", "DOGFOOD-133",
)  # fmt: skip
@pytest.mark.parametrize(("case", "deed", "code"), CHEATS)
def test_a_cheat_is_caught_with_its_code_and_what_is_dangerous_stops_the_run(
    ground: Ground, case: str, deed: Deed, code: str
) -> None:
    ended, lines = played(ground.worktree(), GOOD | {case: deed}, case=None if code in HARD else case)
    assert codes(ended) == {case: code}
    assert (ended.summary.final_verdict, ended.summary.passed + ended.summary.failed + ended.summary.skipped) == (
        "FAIL", 15,
    )  # fmt: skip
    line = next(line for line in lines if f" {case} FAIL" in line)
    assert line.startswith(f"[{next(one.stage for one in CASES if one.id == case)}] {case} FAIL {code}")
    if code in HARD:
        after = [one for one in ended.summary.cases if one.case_id > case]
        assert {one.status for one in after} <= {"SKIPPED"}
        assert ended.summary.stop_reason == f"{case}: {code}"


def test_an_agent_that_only_talks_passes_no_case_that_asks_for_anything(ground: Ground) -> None:
    idle = {case.id: says("All done.") for case in CASES}
    ended, _ = played(ground.worktree(), idle)
    assert codes(ended) == {"T1C01": "EVIDENCEMISMATCH", "T1C02": "EVIDENCEMISMATCH"}
    ended, _ = played(ground.worktree("silent"), {case.id: says("") for case in CASES})
    assert codes(ended) == {"T1C01": "EMPTYRESPONSE", "T1C02": "EMPTYRESPONSE"}
    others = {case.id for case in CASES if case.stage in ("T2a", "T2b", "T3")}
    alone = [played(ground.main.parent / "silent", idle, case=case) for case in sorted(others)]
    assert {name for run, _ in alone for name in codes(run)} == others


@pytest.mark.requirement("DOGFOOD-77")
def test_another_model_or_a_registry_that_takes_any_name_is_caught(ground: Ground) -> None:
    ended, _ = played(ground.worktree(), GOOD, case="T2A01", served="cheaper")
    assert codes(ended) == {"T2A01": "MODELNOTFOUND"}
    ended, _ = played(ground.worktree("other"), GOOD, "T1", registry=False)
    assert codes(ended) == {"T1C03": "EVIDENCEMISMATCH"}


@pytest.mark.requirement("DOGFOOD-12", "DOGFOOD-14")
@pytest.mark.parametrize(
    "path",
    ["README.md", "../out.md", "/etc/passwd", SANDBOX + "../run_suite.py", SANDBOX + "link/a.md", SANDBOX + "a\\b", "",
     FIXTURES + "policy.md", "docs/zz_scratch/other.md", "scripts/opencode_dogfood/sandboxed.py", SANDBOX + "link.md"],
)  # fmt: skip
def test_no_path_leads_around_the_allowlist(tmp_path: Path, path: str) -> None:
    (tmp_path / SANDBOX).mkdir(parents=True)
    (tmp_path / SANDBOX / "link").symlink_to("/tmp", target_is_directory=True)
    (tmp_path / SANDBOX / "link.md").symlink_to("../../../README.md")
    assert not may_write(tmp_path, path)
    assert all(may_write(tmp_path, good) for good in (PROBE, SCRATCH, "logs/agent_calls/1.txt"))
    assert DELETE_ALLOWLIST == ()


@pytest.mark.requirement("DOGFOOD-33", "DOGFOOD-34", "DOGFOOD-35")
def test_a_case_passes_only_with_what_was_expected() -> None:
    assert status_of("SUCCESS", None, None) == "PASS"
    assert status_of("EXPECTED_FAIL", "GITCLEANFAIL", "GITCLEANFAIL") == "PASS"
    assert status_of("SUCCESS", None, "CLIFAIL") == "FAIL"
    assert status_of("EXPECTED_FAIL", "GITCLEANFAIL", "MODIFICATIONFAIL") == "FAIL"
    assert status_of("EXPECTED_FAIL", "GITCLEANFAIL", None) == "FAIL"


@pytest.mark.requirement(
    "DOGFOOD-01", "DOGFOOD-03", "DOGFOOD-101", "DOGFOOD-113", "DOGFOOD-111", "DOGFOOD-46", "DOGFOOD-44"
)
def test_a_stage_needs_the_one_before(ground: Ground) -> None:
    root = ground.worktree()
    refused, _ = played(root, GOOD, "T2a")
    assert refused.summary.stop_reason == "gate: T2a needs T1, which did not pass"
    failing, _ = played(root, GOOD | {"T1C01": says("no")}, fail_fast=False)
    assert (failing.summary.passed, failing.summary.failed, failing.summary.skipped) == (2, 1, 12)
    stopped, _ = played(root, GOOD | {"T1C01": says("no")}, fail_fast=True)
    assert (stopped.summary.passed, stopped.summary.failed, stopped.summary.skipped) == (0, 1, 14)
    first, _ = played(root, GOOD, "T1")
    then, _ = played(root, GOOD, "T2a")
    assert [first.summary.final_verdict, then.summary.final_verdict] == ["PASS", "PASS"]
    assert {one.stage for one in then.summary.cases if one.status == "PASS"} == {"T2a"}
    assert STAGES.index("T2a") == 1


@pytest.mark.requirement("DOGFOOD-96", "DOGFOOD-98", "DOGFOOD-99", "DOGFOOD-102", "DOGFOOD-134")
def test_a_run_starts_on_a_clean_tree_only_and_its_own_writing_is_no_hindrance(ground: Ground) -> None:
    root = ground.worktree()
    (root / "README.md").write_text("changed")
    ended, _ = played(root, GOOD, "T1")
    assert (ended.summary.stop_reason, ended.summary.skipped) == ("pending changes: README.md", 15)
    for name in (PROBE, FIXTURES):
        other = ground.worktree(f"without-{len(name)}")
        git(other, "rm", "-rq", name)
        git(other, "commit", "-qm", "without")
        assert played(other, GOOD, "T1")[0].summary.stop_reason == f"entry: {name} is missing"
    # T3 begins while the probe and the scratch file of T2b are pending.
    assert played(ground.worktree("clean"), GOOD, "T1", "T2a", "T2b", "T3")[0].summary.passed == 13


def test_evidence_that_is_touched_during_the_run_fails_it(ground: Ground) -> None:
    def tampers(root: Path) -> str:
        (ground.shelf / "RUN_0001/cases/T1C01.result.json").write_text("{}")
        return GOOD["T2A01"](root)

    ended, _ = played(ground.worktree(), GOOD | {"T2A01": tampers})
    assert ended.summary.final_verdict == "FAIL"
    assert "exit of T2a" in str(ended.summary.stop_reason)


def test_a_run_that_breaks_off_is_marked_by_the_next(ground: Ground) -> None:
    root = ground.worktree()

    def surprises(where: Path) -> str:
        raise RuntimeError("nobody thought of this")

    with pytest.raises(RuntimeError):
        played(root, GOOD | {"T2A02": surprises})
    ended, lines = played(root, GOOD, "T1")
    assert lines[0] == "RUN_0001 did not end; it is marked as broken"
    assert (ended.summary.run_id, ended.summary.final_verdict) == ("RUN_0002", "PASS")
    assert (ground.shelf / "RUN_0001/BROKEN.json").is_file()


def noted(ground: Ground, run: str, note: bytes) -> None:
    (ground.shelf / run).mkdir(parents=True)
    (ground.shelf / run / RUNNING).write_bytes(note)


def test_a_note_of_a_broken_run_cannot_write_beside_what_the_suite_may_write(ground: Ground) -> None:
    root = ground.worktree()
    outside, raw = root.parent / "outside.txt", base64.b64encode(b"planted").decode()
    told = {"worktree": str(root), "commit": Git(root).head(), "pid": 0, "opencode": "1",
            "originals": {f"../{outside.name}": raw, str(outside): raw, "README.md": raw}}  # fmt: skip
    noted(ground, "RUN_0001", json.dumps(told).encode())
    _, lines = played(root, GOOD, "T1")
    assert lines[0] == "RUN_0001 did not end; it is marked as broken"
    assert not outside.exists()
    assert not (root / "README.md").exists() or b"planted" not in (root / "README.md").read_bytes()


@pytest.mark.parametrize("note", [b"", b"{", b"[]", b'{"originals": {"x": 3}, "opencode": "one"}'])
def test_a_note_that_cannot_be_read_keeps_nobody_from_running(ground: Ground, note: bytes) -> None:
    noted(ground, "RUN_0001", note)
    ended, lines = played(ground.worktree(), GOOD, "T1")
    assert (lines[0], ended.summary.final_verdict) == ("RUN_0001 did not end; it is marked as broken", "PASS")


def test_what_git_cannot_answer_fails_closed_and_git_is_never_forced(ground: Ground) -> None:
    root = ground.worktree()

    def breaks(where: Path) -> str:
        (where / ".git").write_text("gitdir: /nowhere\n")
        return "READY"

    ended, _ = played(root, GOOD | {"T1C02": breaks})
    assert "MODIFICATIONFAIL" in str(ended.summary.stop_reason)
    for words in (("clean", "-fd"), ("reset", "--hard"), ("checkout", "--", "."), ("worktree", "remove", "--force")):
        with pytest.raises(GitFailed):
            Git(ground.main).ask(*words)
