"""The generated pages are what the code says, and nothing that people may meet is missing from the docs."""

import re
from pathlib import Path

import pytest

from control_plane import Arm, ControlPlane
from control_plane.access.tokens import WRITES, Access
from control_plane.api.app import create_app
from control_plane.api.bridge import Desk
from control_plane.api.metrics import Meters
from control_plane.api.problems import _STATUS
from control_plane.errors import ControlPlaneError
from control_plane.pages import PAGES
from control_plane.pages.errors import FAMILIES, errors
from control_plane.pages.house import subclasses
from control_plane.pages.metrics import figures
from control_plane.pages.routes import routes
from control_plane.pages.signatures import shown_default
from tests.documented import DOCS, of_plane, of_registry, of_server, pages, things, undocumented


@pytest.mark.requirement("LEDGER-09", "SHIP-22", "SHIP-23", "SHIP-24", "DOCS-02")
@pytest.mark.parametrize("page", PAGES)
def test_a_generated_page_is_what_the_code_says(page: str) -> None:
    written = (DOCS.parent / page).read_text(encoding="utf-8")
    assert written == PAGES[page](), "run `make pages` (`python -m control_plane.pages`)"


@pytest.mark.requirement("SHIP-21", "SHIP-30", "DOCS-SC-2")
def test_no_page_says_where_the_checkout_lies() -> None:
    assert shown_default(Path("/here")) == "…"
    assert shown_default(7) == "7"


def test_everything_that_people_may_meet_has_its_place_in_the_docs() -> None:
    assert undocumented(things(), pages()) == []


@pytest.mark.requirement("SHIP-30", "DOCS-SC-2")
def test_whatever_an_open_plane_and_its_server_offer_has_its_place_in_the_docs(tmp_path: Path) -> None:
    with ControlPlane.open(tmp_path / "home", catalogue=[Arm("acme/one")], background=False) as plane:
        assert undocumented(of_plane(name for name in dir(plane) if name[0] != "_"), pages()) == []
        served = offered(plane)
    assert undocumented(of_server(served), pages()) == []
    assert served == {(route.method, route.path) for route in routes()}


def offered(plane: ControlPlane) -> set[tuple[str, str]]:
    """What the server really answers; the framework adds OPTIONS and HEAD by itself."""
    app = create_app(plane, Access(lambda: "token", {}, plane.ledger.clock.now))._app  # type: ignore[attr-defined]
    found = {
        (method, route.path_format)
        for route in app.routes
        for method in (route.methods or ["POST"])
        if method not in ("OPTIONS", "HEAD")
    }
    return {(method, path.rstrip("/") or "/") for method, path in found}


@pytest.mark.requirement("SHIP-30")
def test_every_figure_that_is_exposed_has_its_place_in_the_docs(tmp_path: Path) -> None:
    with ControlPlane.open(tmp_path / "home", catalogue=[Arm("acme/one")], background=False) as plane:
        meters = Meters(plane)
        Desk(plane, meters.registry)
        exposed = {line.split()[2] for line in meters.text()[0].decode().splitlines() if line.startswith("# TYPE")}
    exposed = {name for name in exposed if not name.endswith("_created")}
    assert len(exposed) > 30
    assert undocumented(of_registry(exposed), pages()) == []
    assert exposed < {figure.name for figure in figures()}


def test_every_role_of_the_routes_is_one_that_there_is() -> None:
    roles = {route.role for route in routes()}
    assert roles <= {"none", "any", "any but participant", "the bridge's", "any; tools ask for their own", *WRITES}
    assert {"none", "any", "participant", "operator", "admin"} <= roles


@pytest.mark.requirement("ERR-OUT-1")
def test_every_family_of_errors_says_who_acts_and_where_it_is_written_what_to_do() -> None:
    families = {kind.code.partition(".")[0] for kind in errors()}
    assert families == FAMILIES.keys()
    for family in FAMILIES.values():
        assert family.who
        assert (DOCS / family.page).is_file(), family


def test_every_status_belongs_to_a_code_that_there_is() -> None:
    codes = [kind.code for kind in subclasses(ControlPlaneError)]
    assert [prefix for prefix, _ in _STATUS if not any(code.startswith(prefix) for code in codes)] == []


def test_topics_begin_with_their_domain() -> None:
    from control_plane.rooms import CATALOGUE

    assert {kind.TOPIC.partition(".")[0] for kind in CATALOGUE} <= {
        "ledger", "router", "learning", "policy", "flag", "milestone", "plugin", "evidence", "review", "memory",
        "guard", "bridge", "runner", "dogfood", "access", "turns",
    }  # fmt: skip


PATHS = re.compile(r"`((?:tests|scripts|control_plane|benchmarks|docs|opencode-config)/[\w./-]*\w)`")
LINKS = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")


@pytest.mark.parametrize("page", [*(DOCS.parent).glob("*.md"), *DOCS.rglob("*.md")], ids=lambda page: page.name)
def test_what_a_page_points_at_is_there(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    gone = [link for link in LINKS.findall(text) if not (page.parent / link).exists()]
    gone += [path for path in PATHS.findall(text) if not (DOCS.parent / path).exists()]
    assert gone == []
