"""The bill of materials is whole and valid; an advisory is found, and what nobody could be asked about is no pass."""

import json
import sys
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import ClassVar

import asking
import audit
import pytest
import requests
import sbom
from sbom import Pin

TODAY = date(2026, 11, 21)


@pytest.fixture(scope="module")
def bill(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("bill") / "sbom.cdx.json"
    row = sbom.bill_of_materials(path, sbom.pins())
    assert row.state == "holds", row.seen
    return path.read_text(encoding="utf-8")


@pytest.mark.requirement("SHIP-42")
def test_the_bill_names_every_pinned_package_with_its_digests(bill: str) -> None:
    told = json.loads(bill)
    assert (told["bomFormat"], told["specVersion"]) == ("CycloneDX", "1.6")
    assert told["metadata"]["component"]["name"] == "opencode-control-plane"
    listed = {(one["name"], one["version"]): one for one in told["components"]}
    assert listed.keys() == {(pin.name, pin.version) for pin in sbom.pins()}
    assert {"cryptography", "litestar", "mcp", "psycopg"} <= {name for name, _ in listed}
    assert all(len(digest["content"]) == 64 for one in listed.values() for digest in one["hashes"])
    assert sum("licenses" in one for one in listed.values()) > 0.8 * len(listed)
    assert "://" not in bill.replace("http://cyclonedx.org/schema/", "")


@pytest.mark.requirement("SHIP-42")
@pytest.mark.parametrize(
    ("change", "found"),
    [
        (lambda told: told["components"].pop(), "is missing"),
        (lambda told: told["components"][0].update({"bom-ref": "sly@6"}), "sly@6 is not pinned"),
        (lambda told: told["components"][0].pop("hashes"), "has no digest"),
        (lambda told: told["dependencies"].clear(), "nothing needs"),
        (lambda told: told["components"][0].update(type="thing"), "not CycloneDX 1.6"),
        (lambda told: told.update(bomFormat="another"), "not CycloneDX 1.6"),
    ],
    ids=["missing", "unpinned", "undigested", "unneeded", "mistyped", "another-format"],
)
def test_a_bill_that_is_not_whole_is_refused(bill: str, change: object, found: str) -> None:
    told = json.loads(bill)
    change(told)  # type: ignore[operator]
    assert found in "; ".join(sbom.faults(json.dumps(told), sbom.pins()))


def test_a_package_that_is_not_installed_here_is_no_pass(tmp_path: Path) -> None:
    row = sbom.bill_of_materials(tmp_path / "bill.json", [*sbom.pins(), Pin("no-such-package", "1", ("0" * 64,))])
    assert (row.state, list(tmp_path.iterdir())) == ("not run", [])


def test_the_list_that_users_install_holds_the_base_and_the_same_versions() -> None:
    lists = {name: {pin.ref for pin in sbom.pins(sbom.PINS.with_name(f"{name}.txt"))} for name in ("test", "extras")}
    assert lists["extras"] <= lists["test"]


def speaking(folder: Path, told: object, code: int = 0) -> list[str]:
    """A program that says this in place of pip-audit."""
    script = folder / "speaking.py"
    text = told if isinstance(told, str) else json.dumps(told)
    script.write_text(f"import sys\nprint({text!r})\nprint('no route', file=sys.stderr)\nsys.exit({code})\n")
    return [sys.executable, str(script)]


def lists(folder: Path, more: str = "") -> Path:
    place = folder / "requirements"
    place.mkdir()
    (place / "base.txt").write_text("sound==1 --hash=sha256:0\n")
    (place / "advisories.toml").write_text(more)
    return place


SOUND = {"name": "sound", "version": "1", "vulns": []}
ILL = {"name": "ill", "version": "2", "vulns": [{"id": "PYSEC-2026-1", "aliases": ["CVE-2026-7"], "fix_versions": []}]}
SKIPPED = {"name": "lost", "skip_reason": "could not be audited"}
ENTRY = '[[accepted]]\nid = "{}"\npackage = "ill"\ngrade = "{}"\nwhy = "it is not called"\nuntil = {}\n'
LOW = ENTRY.format("CVE-2026-7", "low", "2027-01-31")
VERDICTS = {
    "no advisory": ({"dependencies": [SOUND]}, 0, "", 0),
    "an advisory": ({"dependencies": [SOUND, ILL]}, 1, "", 1),
    "an advisory of a lower grade": ({"dependencies": [ILL]}, 1, LOW, 0),
    "a high one cannot be accepted": ({"dependencies": [ILL]}, 1, LOW.replace("low", "high"), 1),
    "nor for ever": ({"dependencies": [ILL]}, 1, LOW.replace("2027", "2025"), 1),
    "nor without a reason": ({"dependencies": [ILL]}, 1, LOW.replace("it is not called", ""), 1),
    "nor another package's": ({"dependencies": [ILL]}, 1, LOW.replace('"ill"', '"sound"'), 1),
    "nobody could be asked about one": ({"dependencies": [SOUND, SKIPPED]}, 0, "", 3),
    "nothing was asked about": ({"dependencies": []}, 0, "", 3),
    "no answer": ("Traceback", 1, "", 3),
}


@pytest.mark.requirement("SHIP-43", "SHIP-47")
@pytest.mark.parametrize(("told", "code", "more", "verdict"), VERDICTS.values(), ids=VERDICTS)
def test_an_advisory_fails_and_silence_is_no_pass(
    tmp_path: Path, told: object, code: int, more: str, verdict: int
) -> None:
    rows = audit.audit(lists(tmp_path, more), speaking(tmp_path, told, code), TODAY)
    assert audit.tell(rows, as_json=True) == verdict


@pytest.mark.requirement("SHIP-47")
def test_without_pip_audit_it_is_no_pass(tmp_path: Path) -> None:
    (row,) = audit.audit(lists(tmp_path), [str(tmp_path / "nowhere")], TODAY)
    assert row.state == "not run"


class Index(BaseHTTPRequestHandler):
    """Knows each package's own page, and no page of one version but the second package's."""

    PAGES: ClassVar = {
        "/it/json": {"info": {"version": "2.0"}, "vulnerabilities": ["of the newest"]},
        "/it/3/json": {"info": {"version": "3"}, "vulnerabilities": ["of the version"]},
    }

    def do_GET(self) -> None:
        page = self.PAGES.get(self.path)
        self.send_response(200 if page else 404)
        self.end_headers()
        self.wfile.write(json.dumps(page).encode())

    def log_message(self, format: str, *words: object) -> None: ...


@pytest.mark.parametrize(
    ("page", "said"),
    [("it/3", ["of the version"]), ("it/2", ["of the newest"]), ("it/1.9", None), ("lost/2", None)],
    ids=["a page of the version", "the newest", "an older one", "no such package"],
)
@pytest.mark.requirement("SHIP-47")
def test_the_packages_page_answers_for_its_newest_version_only(page: str, said: list[str] | None) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), Index) as index, requests.Session() as plain:
        Thread(target=index.serve_forever, daemon=True).start()
        answer = asking.Asking(plain).get(f"http://127.0.0.1:{index.server_port}/{page}/json", timeout=10)
        index.shutdown()
    assert answer.ok == (said is not None)
    assert said is None or answer.json()["vulnerabilities"] == said


@pytest.mark.requirement("SHIP-43")
def test_every_pinned_list_is_asked_about_by_make_audit() -> None:
    from tests.test_skeleton import recipe

    steps = recipe("audit")
    assert "requirements/release.txt" in steps
    assert steps.strip().endswith("scripts/release/audit.py")
