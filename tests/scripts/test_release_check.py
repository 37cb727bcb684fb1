"""The checklist fails on what is open, wrong or changed, and never passes what it could not look at."""

import subprocess
from pathlib import Path
from types import ModuleType

import audit
import check
import mutants
import packages
import pytest
import sbom
import suite
from packages import PROJECT
from rows import Row, exit_code, tell

from tests.test_requirements import load_manifest

SHOWN = {"id": "REL-01", "text": "It holds.", "source": "seed 001, phase 6"}
CHANGELOG = (
    "# Changelog\n\nWords.\n\n## 1.2.3 - 2026-01-31\n\n- It does more.\n\n## 1.2.2 - 2025-01-01\n\n- It began.\n"
)


@pytest.mark.requirement("SHIP-40")
def test_every_requirement_of_the_checklist_is_looked_at() -> None:
    manifest = load_manifest()
    rows = {row.what: row for row in check.of_this_project()}
    wanted = [one for one in manifest if one["id"].split("-")[0] in check.FAMILIES or "go-live" in one["source"]]
    assert rows.keys() == {one["id"] for one in wanted}
    assert len(rows) > 50
    assert {name for name, row in rows.items() if row.state == "fails"} == {o["id"] for o in wanted if o.get("open")}
    assert rows["TEST-01"].seen.startswith("tests/")


@pytest.mark.requirement("SHIP-40")
@pytest.mark.parametrize(
    ("entry", "shown", "state"),
    [
        (SHOWN, {"REL-01": ["tests/test_it.py"]}, ["holds"]),
        ({**SHOWN, "open": True}, {}, ["fails"]),
        (SHOWN, {}, ["fails"]),
        ({**SHOWN, "id": "BRIDGE-7", "source": "seed 002, go-live checklist", "open": True}, {}, ["fails"]),
        ({**SHOWN, "id": "BRIDGE-7", "open": True}, {}, []),
    ],
    ids=["shown", "open", "shown by nothing", "go-live", "no part of a release"],
)
def test_what_is_open_fails(entry: dict[str, object], shown: dict[str, list[str]], state: list[str]) -> None:
    assert [row.state for row in check.requirements([entry], shown)] == state


@pytest.mark.requirement("SHIP-39", "REL-01", "REL-SC-1")
def test_this_version_is_the_changelogs_newest_entry() -> None:
    changelog = (PROJECT / "CHANGELOG.md").read_text(encoding="utf-8")
    row = check.versions(changelog)
    assert row.state == "holds", row.seen
    assert check.__version__ == "1.0.0"
    # For users, by what they do: no word of our own rooms' names alone.
    assert changelog.count("\n### ") >= 6


@pytest.mark.requirement("SHIP-39")
@pytest.mark.parametrize(
    ("changelog", "state"),
    [
        (CHANGELOG, "holds"),
        (CHANGELOG.replace("1.2.3", "1.2.4"), "fails"),
        (CHANGELOG.replace("## 1.2.3 - 2026-01-31", "## Unreleased"), "fails"),
        (CHANGELOG.replace(" - 2026-01-31", ""), "fails"),
        (CHANGELOG.replace("01-31", "13-31"), "fails"),
        (CHANGELOG.replace("- It does more.", ""), "fails"),
        ("", "fails"),
    ],
    ids=["right", "another version", "unreleased", "without a day", "no such day", "without words", "empty"],
)
def test_a_changelog_that_does_not_tell_of_this_version_fails(changelog: str, state: str) -> None:
    assert check.versions(changelog, "1.2.3").state == state


def test_a_tree_with_changes_fails_and_one_that_git_does_not_know_is_not_run(tmp_path: Path) -> None:
    assert check.tree(tmp_path).state == "not run"
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    assert check.tree(tmp_path).state == "holds"
    (tmp_path / "new").touch()
    assert check.tree(tmp_path).state == "fails"


@pytest.mark.parametrize(
    ("page", "state"),
    [
        ("| posts | 1 | >= 1 | holds |\n\nEverything measured holds.\n", "holds"),
        ("| posts | 1 | >= 2 | **does not hold** |\n\nNot everything holds: see above.\n", "fails"),
        ("It has not run here: `python it.py`.\n\nNot everything holds: see above.\n", "fails"),
        ("", "fails"),
    ],
    ids=["holds", "one does not", "not run", "empty"],
)
def test_a_launch_page_that_says_no_fails(page: str, state: str) -> None:
    assert check.launched(page).state == state


@pytest.mark.requirement("SHIP-41")
def test_a_package_without_a_digest_fails(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("good==1 \\\n    --hash=sha256:" + "0" * 64 + "\nbad==2\n")
    (row,) = check.hashed([tmp_path / "list.txt"])
    assert (row.state, "bad" in row.seen, "good" in row.seen) == ("fails", True, False)
    assert [row.state for row in check.hashed([])] == ["fails"]
    rows = check.hashed(sorted((PROJECT / "requirements").glob("*.txt")))
    assert {row.state for row in rows} == {"holds"}
    assert len(rows) >= 6


def test_a_gate_that_does_not_close_is_told(tmp_path: Path) -> None:
    (tmp_path / "bad.py").write_text("import os\n")
    (tmp_path / "good.py").write_text('"""Nothing."""\n')
    rows = check.gates(
        [("ruff", "check", "--isolated", "good.py"), ("ruff", "check", "--isolated", "bad.py")], tmp_path
    )
    assert [row.state for row in rows] == ["holds", "fails"]


@pytest.mark.parametrize(
    ("states", "code"),
    [(["holds"], 0), (["holds", "fails", "not run"], 1), (["holds", "not run"], 3), ([], 3)],
)
def test_the_exit_code_is_that_of_the_worst_line(
    states: list[str], code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [Row(str(number), state, "") for number, state in enumerate(states)]  # type: ignore[arg-type]
    assert exit_code(rows) == tell(rows, as_json=False) == code
    assert f"{len(states)} looked at" in capsys.readouterr().out


@pytest.mark.parametrize("script", [audit, check, mutants, packages, sbom, suite], ids=lambda script: script.__name__)
def test_bad_usage_exits_with_two(script: ModuleType) -> None:
    with pytest.raises(SystemExit) as ended:
        script.main(["--sideways"])
    assert ended.value.code == 2


@pytest.mark.long
@pytest.mark.requirement("QUAL-01", "QUAL-SC-1")
def test_style_types_and_floors_have_nothing_to_say() -> None:
    assert [row for row in check.gates() if row.state != "holds"] == []


@pytest.mark.long
@pytest.mark.requirement("SHIP-40")
def test_the_whole_checklist_comes_to_its_end(capsys: pytest.CaptureFixture[str]) -> None:
    code = check.main(["--whole"])
    told = capsys.readouterr().out
    assert code in (0, 1, 3)
    assert "installs and advises on Python 3.13" in told
    assert "Traceback" not in told
