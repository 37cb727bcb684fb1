"""What people may meet, each thing with its place in docs/, and what has none.

The things come from the code that acts on them, not from the generators of the pages: a generator that leaves
something out is found, too.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple, get_args

from control_plane.api.alerts import RULES
from control_plane.bridge.requests import REQUESTS
from control_plane.cli.command import load
from control_plane.dogfood.cases import Code
from control_plane.errors import ControlPlaneError
from control_plane.flags import FIELDS
from control_plane.learning.reasons import Reason
from control_plane.ledger.findings import Reason as Finding
from control_plane.mcp.tools import TOOLS
from control_plane.pages.house import modules, subclasses
from control_plane.pages.library import class_entries, services
from control_plane.rooms import CATALOGUE

DOCS = Path(__file__).parent.parent / "docs"
NO_DOMAIN = {"pages", "cli"}


class Thing(NamedTuple):
    """`row` begins the line that says something of it in its cell, or behind a colon; where the row is the section's
    heading, the paragraph below does."""

    kind: str
    row: str
    page: str
    section: str = ""
    cell: int = 0


def things() -> list[Thing]:
    return [*commands(), *flags(), *topics(), *errors(), *alerts(), *names(), *domains(), *words()]


def commands() -> Iterator[Thing]:
    for entry in load(()):
        heading = f"## `{entry.name}`"
        yield Thing("command", heading, "cli.md", heading)
        for argument in entry.arguments:
            yield Thing("argument", f"| `{', '.join(argument.names)}", "cli.md", heading, cell=2)


def flags() -> Iterator[Thing]:
    return (Thing("flag", f"| `{name}` |", "flags.md", cell=4) for name in FIELDS)


def topics() -> Iterator[Thing]:
    for kind in CATALOGUE:
        heading = f"## `{kind.TOPIC}` version {kind.__struct_config__.tag or 1}"
        yield Thing("topic", heading, "events.md", heading)


def errors() -> Iterator[Thing]:
    modules()
    codes = {kind.code for kind in subclasses(ControlPlaneError) if "code" in vars(kind)}
    return (Thing("error", f"| `{code}` |", "errors.md", cell=2) for code in sorted(codes))


def alerts() -> Iterator[Thing]:
    for rule in RULES:
        yield Thing("alert", f"| `ControlPlane{rule.name}` |", "alerts.md", cell=4)
        yield Thing("runbook", f"`ControlPlane{rule.name}`", f"runbooks/{rule.runbook}.md")


def names() -> Iterator[Thing]:
    import control_plane

    for name in (name for name in control_plane.__all__ if not name.startswith("__")):
        yield Thing("name", f"## `{name}`", "library.md", f"## `{name}`")
    for name, kind in services().items():
        heading = f"## `plane.{name}`"
        yield Thing("name", heading, "library.md", heading)
        for entry in class_entries(kind):
            yield Thing("name", f"- `{entry.spelled}`:", "library.md", heading)


def of_plane(members: Iterable[str]) -> Iterator[Thing]:
    return (Thing("name", f"- `{name}", "library.md", "## `ControlPlane`") for name in members)


def of_server(routes: Iterable[tuple[str, str]]) -> Iterator[Thing]:
    return (Thing("route", f"| `{method} {path}` |", "routes.md", cell=5) for method, path in routes)


def domains() -> Iterator[Thing]:
    """Each room of the house has a page, and that page is about it."""
    package = DOCS.parent / "control_plane"
    for room in sorted(path.parent.name for path in package.glob("*/__init__.py")):
        if room not in NO_DOMAIN:
            yield Thing("domain", "# ", f"{room}.md")


def words() -> Iterator[Thing]:
    """What programs are answered with and people look up: tools, reasons, verdicts, exit words."""
    for tool in TOOLS:
        yield Thing("word", f"`{tool.name}`", "bridge.md" if tool.name in REQUESTS else "mcp.md")
    for page, spoken in (
        ("learning.md", [reason.value for reason in Reason]),
        ("ledger.md", [reason.value for reason in Finding]),
        ("dogfood.md", get_args(Code)),
    ):
        yield from (Thing("word", f"`{word}`", page) for word in spoken)


def of_registry(metrics: Iterable[str]) -> Iterator[Thing]:
    return (Thing("metric", f"| `{name}` |", "metrics.md", cell=4) for name in metrics)


def pages(folder: Path = DOCS) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text(encoding="utf-8") for path in folder.rglob("*.md")}


def undocumented(asked: Iterable[Thing], told: Mapping[str, str]) -> list[Thing]:
    """Those of which no page says anything where it should."""
    return [thing for thing in asked if not _says(thing, told.get(thing.page, ""))]


def _says(thing: Thing, page: str) -> bool:
    if thing.section:
        _, _, page = f"\n{page}".partition(f"\n{thing.section}\n")
        page = re.split(r"^## ", page, maxsplit=1, flags=re.MULTILINE)[0]
    if thing.row == thing.section:
        return bool(re.match(r"\s*[^\s|#-]", page))
    if thing.kind in ("runbook", "word"):
        return thing.row in page
    return any(line.startswith(thing.row) and _words(thing, line) for line in page.splitlines())


def _words(thing: Thing, line: str) -> bool:
    said = re.split(r"(?<!\\)\|", line)[thing.cell] if thing.cell else line[len(thing.row) :].rpartition("`: ")[2]
    return bool(re.search(r"[A-Za-z]{2}", said))
