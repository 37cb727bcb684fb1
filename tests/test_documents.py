"""The pages that people write: each claim names what shows it, and nothing of the house is left out."""

import re
import tomllib

import pytest

from control_plane.api.alerts import RULES
from control_plane.bridge.faults import BridgeFault
from control_plane.bridge.requests import REQUESTS
from tests.documented import DOCS

LINKS = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")

SHOWN_BY = re.compile(r"\| `(tests/[\w/]+\.py)(?:::(test_\w+))?` \|$", re.MULTILINE)


@pytest.mark.requirement("SHIP-25", "REL-03")
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


README = (DOCS.parent / "README.md").read_text(encoding="utf-8")
# Who reads it, what is run there, and where the reader goes on.
READERS = {
    "## Five minutes for who builds an orchestrator": (
        ["ControlPlane.open(", "plane.advise(", "plane.record_result(", "plane.explain("], ["library.md", "errors.md"],
    ),
    "## Five minutes for who uses OpenCode, or Claude Code": (
        ["opencode install", "$ control-plane opencode auto on", "$ control-plane guard check", "import opencode"],
        ["opencode.md", "guardrails.md"],
    ),
    "## Five minutes for who operates it": (
        ["$ control-plane serve", "$ control-plane policy", "$ control-plane simulate", "$ control-plane bridge"],
        ["runbooks", "alerts.md", "playbook.md", "flags.md", "bridge.md"],
    ),
    "## Five minutes for who trusts nobody": (
        ["$ control-plane ledger verify", "$ control-plane ledger prove", "$ control-plane replay"],
        ["ledger.md", "threats.md", "events.md"],
    ),
}  # fmt: skip


@pytest.mark.requirement("SHIP-03", "SHIP-04", "SHIP-05", "SHIP-06", "DOCS-01", "DOCS-SC-1")
@pytest.mark.parametrize("heading", READERS)
def test_the_readme_takes_each_reader_by_the_hand(heading: str) -> None:
    """That its commands and programs work is shown by running them."""
    section = README.partition(f"{heading}\n")[2].partition("\n## ")[0]
    runs, leads_to = READERS[heading]
    assert [words for words in runs if words not in section] == []
    assert [page for page in leads_to if f"](docs/{page})" not in section] == []


@pytest.mark.requirement("SHIP-02", "DOCS-SC-1")
def test_the_readme_begins_with_a_picture_and_two_commands() -> None:
    beginning = README.partition("\n## ")[0]
    picture = re.search(r"!\[[^\]]{20,}\]\((docs/\w+\.png)\)", beginning)
    assert picture is not None
    assert (DOCS.parent / picture[1]).read_bytes().startswith(b"\x89PNG")
    block = re.search(r"^```sh\n(.*?)^```$", beginning, re.MULTILINE | re.DOTALL)
    assert block is not None
    assert [line.partition("  ")[0] for line in block[1].splitlines()] == [
        "make advise",
        ".venv/bin/control-plane demo",
    ]


def test_every_page_can_be_reached_from_the_readme() -> None:
    seen, left = set(), [DOCS.parent / "README.md"]
    while left:
        page = left.pop()
        if page not in seen and page.suffix == ".md":
            seen.add(page)
            text = page.read_text(encoding="utf-8")
            left += [(page.parent / link).resolve() for link in LINKS.findall(text) if (page.parent / link).exists()]
    pages = {path for path in DOCS.rglob("*.md") if "zz_scratch" not in path.parts}
    assert {path.name for path in pages - seen} - {path.name for path in (DOCS / "runbooks").glob("*.md")} == set()


@pytest.mark.requirement("SHIP-29")
def test_every_runbook_says_where_to_look_and_what_to_do_and_is_named_by_whoever_calls_for_it() -> None:
    named = {rule.runbook for rule in RULES} | set(LINKS.findall((DOCS / "runbooks" / "bridge.md").read_text("utf-8")))
    for page in (DOCS / "runbooks").glob("*.md"):
        text = page.read_text(encoding="utf-8")
        assert {page.stem, page.name} & named or page.stem == "bridge", page.name
        assert page.stem == "bridge" or ("\n## Where to look\n" in text and "\n## What to do\n" in text), page.name
    playbook = (DOCS / "playbook.md").read_text(encoding="utf-8")
    assert playbook.count("\n## Incident: ") >= 3
    assert "\n## Rollback\n" in playbook


@pytest.mark.requirement("BRIDGEOPS-01")
def test_the_bridges_page_has_its_aim_every_method_every_role_and_every_refusal() -> None:
    page = (DOCS / "bridge.md").read_text(encoding="utf-8")
    assert "\n## What it is for\n" in page
    assert "\n## Who may do what\n" in page
    table = page.partition("\n## The methods\n")[2]
    assert [method for method in REQUESTS if f"| `{method}` |" not in table] == []
    assert [fault.wire for fault in BridgeFault.__subclasses__() if fault.wire not in table] == []


@pytest.mark.requirement("DOCS-SC-3")
def test_who_contributes_is_led_to_the_design_and_its_rules() -> None:
    text = (DOCS.parent / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert [page for page in ("architecture.md", "upgrades.md") if f"docs/{page}" not in text] == []
    assert "\n## How we build\n" in text
    assert "\n## How we test\n" in text
