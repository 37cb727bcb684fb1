"""Evidence: nothing left out, nothing contradicted, nothing overwritten."""

import json
import math
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from control_plane.errors import EvidenceInvalid
from control_plane.evidence import (
    Environment,
    Evidence,
    Governance,
    Metrics,
    Rollback,
    at_least,
    at_most,
    check,
    equal,
    make_folder,
    schema,
    snapshot,
    write,
)

ENVIRONMENT = Environment(
    python="3.11.9",
    implementation="CPython",
    platform="Linux",
    machine="x86_64",
    cores=2,
    package="0.1.0",
    commit="c0ffee",
    changed=False,
)


def metrics(**more: Any) -> Metrics:
    known = {
        "of": "advice",
        "unit": "ms",
        "p50": 1.0,
        "p95": 2.0,
        "p99": 3.0,
        "accepted": 9,
        "rejected": 1,
        "errors": 0,
    }
    return Metrics(**(known | more))


EVIDENCE = Evidence(
    item="FG-99",
    at=1_800_000_000.25,
    command="python scripts/perf/fg99.py",
    before=metrics(p99=30.0),
    after=metrics(figures={"kept": True, "rate": 0.5}),
    criteria=(at_most("p99", 3.0, 5.0), at_least("kept", 100, 100), equal("parity", "full", "full")),
    artifacts=(),
    governance=Governance(result="passed", validators={"schema": True}),
    rollback=Rollback(switch="OPENCODE_X=false", validated=True, result="as before"),
    environment=ENVIRONMENT,
)


def but(**changes: Any) -> Evidence:
    return msgspec.structs.replace(EVIDENCE, **changes)


@pytest.mark.requirement("GOV-36", "FG-EVIDENCE-4")
def test_what_was_written_is_what_is_read(tmp_path: Path) -> None:
    path = write(EVIDENCE, tmp_path / "metrics", {"rows.json": b"[1]", "log.txt": b"one line\n"})
    assert path.name == "fg-99-20270115T080000.250Z.json"
    read = check(path)
    assert read.green
    assert msgspec.structs.replace(read, artifacts=()) == EVIDENCE
    assert [artifact.path for artifact in read.artifacts] == [f"{path.stem}/log.txt", f"{path.stem}/rows.json"]
    assert sorted(found.name for found in path.parent.iterdir()) == [path.stem, path.name]


def test_the_baseline_has_the_name_that_the_plan_gives_it(tmp_path: Path) -> None:
    assert write(but(item="M0"), tmp_path).name == "baseline-20270115T080000.250Z.json"


@pytest.mark.parametrize("files", [{}, {"rows.json": b"[1]"}], ids=["alone", "with artifacts"])
def test_evidence_of_the_same_moment_never_replaces_another(tmp_path: Path, files: dict[str, bytes]) -> None:
    paths = [write(but(item=item), tmp_path, files) for item in ("FG-99", "fg-99", "Fg-99")]
    assert len({*paths}) == 3
    assert [check(path).item for path in paths] == ["FG-99", "fg-99", "Fg-99"]


PARTS = {
    "item": "item",
    "command": "command",
    "before": "before",
    "after": "after",
    "criteria": "criteria",
    "artifacts": "artifacts",
    "governance": "governance",
    "rollback": "rollback",
    "environment": "environment",
    "at": "at",
}


@pytest.mark.requirement("FG-EVIDENCE-1", "FG-EVIDENCE-2", "FG-EVIDENCE-3", "FG-EVIDENCE-4", "FG-EVIDENCE-6", "GOV-36")
@pytest.mark.parametrize(
    "missing",
    [
        *[(name,) for name in PARTS],
        *[
            (side, name)
            for side in ("before", "after")
            for name in ("p50", "p95", "p99", "accepted", "rejected", "errors")
        ],
        ("rollback", "switch"),
        ("rollback", "validated"),
    ],
    ids=".".join,
)
def test_nothing_may_be_left_out(tmp_path: Path, missing: tuple[str, ...]) -> None:
    def leave_out(content: dict[str, Any]) -> None:
        part = content
        for name in missing[:-1]:
            part = part[name]
        del part[missing[-1]]

    with pytest.raises(EvidenceInvalid, match="does not fit the template"):
        check(changed(write(EVIDENCE, tmp_path), leave_out))


def changed(path: Path, change: Callable[[dict[str, Any]], object]) -> Path:
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))
    return path


@pytest.mark.requirement("GOV-36")
@pytest.mark.parametrize(
    ("change", "why"),
    {
        "a pass that is none": (lambda e: e["criteria"][0].update(value=6.0), "p99 says pass=True of 6.0 <= 5.0"),
        "a failure that is none": (lambda e: e["criteria"][0].update({"pass": False}), "p99 says pass=False"),
        "a value that is gone": (lambda e: e["criteria"][0].update(value=None), "p99 says pass=True of None"),
        "a value of another kind": (lambda e: e["criteria"][0].update(value="3"), "p99 says pass=True of 3 <= 5.0"),
        "no criterion": (lambda e: e.update(criteria=[]), "no criterion"),
        "no command": (lambda e: e.update(command=" "), "names no command"),
        "no switch": (lambda e: e["rollback"].update(switch=""), "names no switch"),
        "a path of one machine": (lambda e: e.update(command="python /opt/x/fg99.py"), "path of one machine"),
        "percentiles that fall": (lambda e: e["after"].update(p95=0.5), "do not rise"),
        "fewer than none": (lambda e: e["before"].update(rejected=-1), "below zero"),
        "an artifact elsewhere": (
            lambda e: e.update(artifacts=[{"path": "../x", "sha256": ""}]),
            "does not lie beside the evidence",
        ),
        "an unknown field": (lambda e: e.update(hostname="h"), "unknown field"),
        "another template": (lambda e: e.update(template=2), "template"),
        "an unknown governance result": (lambda e: e["governance"].update(result="fine"), "governance"),
    }.values(),
)
def test_evidence_that_contradicts_itself_is_not_believed(
    tmp_path: Path, change: Callable[[dict[str, Any]], object], why: str
) -> None:
    with pytest.raises(EvidenceInvalid, match=why.replace("(", r"\(")):
        check(changed(write(EVIDENCE, tmp_path), change))


@pytest.mark.requirement("FG-EVIDENCE-4")
def test_an_artifact_that_changed_or_is_gone_is_noticed(tmp_path: Path) -> None:
    path = write(EVIDENCE, tmp_path, {"rows.json": b"[1]"})
    artifact = tmp_path / check(path).artifacts[0].path
    artifact.write_bytes(b"[2]")
    with pytest.raises(EvidenceInvalid, match="not the file that"):
        check(path)
    artifact.unlink()
    with pytest.raises(EvidenceInvalid, match="cannot be read"):
        check(path)


@pytest.mark.parametrize("value", [None, math.nan, math.inf, -math.inf], ids=str)
def test_a_value_that_is_missing_or_no_number_never_passes(value: float | None) -> None:
    criteria = (at_most("x", value, 1.0), at_least("x", value, 1.0), equal("x", value, 1.0))
    assert [criterion.passed for criterion in criteria] == [False] * 3
    assert not but(criteria=criteria).green


@pytest.mark.parametrize(
    ("evidence", "green"),
    [
        (EVIDENCE, True),
        (but(governance=Governance()), True),
        (but(governance=Governance(result="failed")), False),
        (but(rollback=Rollback(switch="X", validated=False, result="no effect")), False),
        (but(criteria=(at_most("x", 1, 2), at_most("y", 3, 2))), False),
        (but(criteria=()), False),
    ],
    ids=["all well", "governance not run", "governance failed", "rollback without effect", "one fails", "none asked"],
)
def test_green_means_that_everything_asked_for_was_seen(evidence: Evidence, green: bool) -> None:
    assert evidence.green is green


@pytest.mark.parametrize("faulty", [but(criteria=()), but(after=metrics(p50=math.nan)), but(command="~/x")])
def test_faulty_evidence_is_refused_before_anything_is_written(tmp_path: Path, faulty: Evidence) -> None:
    with pytest.raises(EvidenceInvalid):
        write(faulty, tmp_path / "metrics")
    assert not (tmp_path / "metrics").exists()


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(EvidenceInvalid, match="cannot be written to"):
        write(EVIDENCE, tmp_path / "file")
    with pytest.raises(EvidenceInvalid, match="cannot be written to"):
        make_folder(tmp_path / "file" / "below")
    with pytest.raises(EvidenceInvalid, match="cannot be read"):
        check(tmp_path / "nothing.json")


@pytest.mark.requirement("GOV-36")
def test_the_schema_names_every_part_as_required() -> None:
    definition = schema()["$defs"]["Evidence"]
    assert {*definition["required"]} == {*PARTS}
    assert definition["additionalProperties"] is False
    assert "pass" in schema()["$defs"]["Criterion"]["required"]


@pytest.mark.requirement("FG-09-1")
def test_the_environment_names_the_commit_and_whether_its_files_were_changed(tmp_path: Path) -> None:
    def git(*words: str) -> str:
        who = ("-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "commit.gpgsign=false")
        return subprocess.run(
            ["git", "-C", str(tmp_path), *who, *words], check=True, capture_output=True, text=True
        ).stdout

    git("init", "-q")
    (tmp_path / "file").write_text("one")
    git("add", "file")
    git("commit", "-q", "-m", "first")
    clean = snapshot(tmp_path)
    assert (clean.commit, clean.changed) == (git("rev-parse", "HEAD").strip(), False)
    (tmp_path / "file").write_text("two")
    assert snapshot(tmp_path).changed


def test_outside_a_checkout_there_is_no_commit(tmp_path: Path) -> None:
    outside = snapshot(tmp_path)
    assert (outside.commit, outside.changed) == ("", False)
    assert outside.cores >= 1
    assert outside.python.startswith("3.")


def test_a_checkout_that_git_cannot_read_has_no_commit(tmp_path: Path) -> None:
    (tmp_path / ".git").write_text("gitdir: nowhere")
    assert snapshot(tmp_path).commit == ""
