"""The pages that people write: each claim names what shows it, and nothing of the house is left out."""

import re
import tomllib

import pytest

from tests.documented import DOCS

SHOWN_BY = re.compile(r"\| `(tests/[\w/]+\.py)(?:::(test_\w+))?` \|$", re.MULTILINE)


@pytest.mark.requirement("SHIP-25")
def test_every_claim_of_the_threat_model_names_the_test_that_shows_it() -> None:
    page = (DOCS / "threats.md").read_text(encoding="utf-8")
    sections = re.split(r"^## ", page, flags=re.MULTILINE)[1:]
    assert len(sections) == 7
    for section in sections:
        claims = [line for line in section.splitlines() if line.startswith("| ")][1:]
        shown = SHOWN_BY.findall(section)
        assert len(shown) == len(claims) >= 3, section.partition("\n")[0]
        assert "Does not hold:" in section
        for file, name in shown:
            assert f"def {name}(" in (DOCS.parent / file).read_text(encoding="utf-8") or not name, (file, name)


@pytest.mark.requirement("SHIP-26")
def test_each_figure_has_the_command_that_reproduces_it_and_no_benchmark_is_left_out() -> None:
    page = (DOCS / "performance.md").read_text(encoding="utf-8")
    rows = [line for line in page.splitlines() if line.startswith("| ") and not line.startswith("| what ")]
    commands = [re.search(r"\| `(?:pytest|python)(?: -s| --long| -m)* ([\w./]+)[^`|]*` \|$", row) for row in rows]
    assert [row for row, command in zip(rows, commands, strict=True) if command is None] == []
    told = {command[1] for command in commands if command is not None}
    files = {path for path in told if "/" in path}
    assert [path for path in files if not (DOCS.parent / path).exists()] == []
    project = DOCS.parent
    measured = [
        *project.glob("benchmarks/test_*.py"),
        *project.glob("scripts/*/fg*.py"),
        *project.glob("scripts/perf/*.py"),
    ]
    assert {str(path.relative_to(project)) for path in measured} <= files


@pytest.mark.requirement("DOCS-OUT-1", "SHIP-20", "DOCS-03")
def test_the_architecture_names_every_room_and_every_library_with_its_reason() -> None:
    page = (DOCS / "architecture.md").read_text(encoding="utf-8")
    table = "".join(line for line in page.splitlines(keepends=True) if line.startswith("| `"))
    settings = tomllib.loads((DOCS.parent / "pyproject.toml").read_text(encoding="utf-8"))
    project = settings["project"]
    extras = project["optional-dependencies"]
    asked = [
        *project["dependencies"],
        *(one for name in extras if name not in ("test", "bench") for one in extras[name]),
    ]
    libraries = {re.split(r"[\[<>=;]", one)[0] for one in asked}
    assert [name for name in sorted(libraries) if f"`{name}`" not in table] == []
    floor = next(row for row in settings["tool"]["importlinter"]["contracts"][0]["layers"] if "(router)" in row)
    rooms = re.findall(r"\((\w+)\)", floor)
    assert len(rooms) > 10
    assert [room for room in rooms if f"| `{room}` |" not in table] == []
    ways = re.findall(
        r"^\d+\. \*\*\w", page.partition("## The way of one decision")[2].partition("\n## ")[0], re.MULTILINE
    )
    assert len(ways) == 10
    assert len(re.findall(r"^- \*\*", page.partition("## Decisions, and why")[2], re.MULTILINE)) >= 20


@pytest.mark.requirement("SHIP-27")
def test_the_comparison_says_of_each_peer_what_it_does_better() -> None:
    page = (DOCS / "comparison.md").read_text(encoding="utf-8")
    rows = [line.split("|") for line in page.splitlines() if line.startswith("| [")]
    assert {re.findall(r"\[(.*?)\]", row[1])[0] for row in rows} == {
        "LiteLLM",
        "OPA",
        "Temporal",
        "KurrentDB",
        "Sigstore",
    }
    assert all(len(row[3]) > 80 for row in rows)
    assert "## When not to take this one" in page
