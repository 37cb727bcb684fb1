"""The page's files: what the server answers for them, and that the wheel holds them."""

import hashlib
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import httpx
import pytest

from control_plane import Arm, ControlPlane
from control_plane.access.tokens import Access
from control_plane.api.app import create_app
from control_plane.dashboard.browsing import Filter, browse
from control_plane.dashboard.figures import interval, quantile
from control_plane.dashboard.files import read_files
from control_plane.proving import HandClock

ROOT = Path(__file__).parents[2]
STATIC = ROOT / "control_plane" / "dashboard" / "static"
OURS = [path for path in STATIC.iterdir() if path.suffix in (".html", ".js") and path.name != "uplot.js"]


@pytest.fixture
def plane(tmp_path: Path):
    with ControlPlane.open(
        tmp_path / "home", catalogue=[Arm("acme/a"), Arm("acme/b")], clock=HandClock(), background=False
    ) as plane:
        yield plane


@pytest.fixture
async def client(plane: ControlPlane):
    app = create_app(plane, Access(lambda: "token", {}, plane.ledger.clock.now))
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        yield client


@pytest.mark.anyio
@pytest.mark.requirement("SERVE-24", "SERVE-38")
async def test_page_and_files_need_no_token_and_carry_a_strict_policy(client: httpx.AsyncClient):
    page = await client.get("/")
    assert page.status_code == 200
    names = sorted(set(re.findall(r'<(?:script|link)[^>]* (?:src|href)="(/[^"]*)"', page.text)))
    assert names == sorted(f"/assets/{name}" for name in
                           ("icon.svg", "main.js", "style.css", "theme.js", "uplot.css", "uplot.js"))  # fmt: skip
    for path in ("/", *names, "/assets/proof.js", "/assets/uplot.LICENSE.txt"):
        answer = await client.get(path)
        assert answer.status_code == 200
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "trusted-types 'none'" in policy
        assert "unsafe" not in policy
        assert "http" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        again = await client.get(path, headers={"If-None-Match": answer.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")


@pytest.mark.anyio
@pytest.mark.parametrize("name", ["index.html", "nothing.js", "../files.py", "..%2ffiles.py", "%2e%2e/token", ""])
async def test_nothing_else_can_be_asked_for(client: httpx.AsyncClient, name: str):
    assert (await client.get(f"/assets/{name}")).status_code in (401, 404)


@pytest.mark.requirement("SERVE-38", "SERVE-39")
@pytest.mark.parametrize("path", OURS, ids=lambda path: path.name)
def test_nothing_is_inline_and_no_markup_is_made_of_text(path: Path):
    text = path.read_text()
    for word in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", " eval(", "new Function", "cssText",
                 "DOMParser", "srcdoc", "javascript:", "http://", "https://"):  # fmt: skip
        assert word not in text, word
    if path.suffix == ".html":
        assert not re.search(r"<style|\sstyle=|\son[a-z]+=", text)
        assert re.findall(r"<script(?![^>]*\ssrc=)", text) == []


@pytest.mark.requirement("SERVE-25", "FG-SUITE-4")
def test_the_installed_package_holds_the_page_and_its_files(tmp_path: Path):
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)],
        cwd=ROOT, check=True, capture_output=True, timeout=120,
    )  # fmt: skip
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(tmp_path / "site", [name for name in packed.namelist() if "/dashboard/" in name])
    held = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in STATIC.iterdir()}
    unpacked = tmp_path / "site" / "control_plane" / "dashboard" / "static"
    assert {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in unpacked.iterdir()} == held
    assert set(read_files()) == set(held)


@pytest.mark.anyio
async def test_the_events_behind_a_figure_are_found_page_by_page(client: httpx.AsyncClient, plane: ControlPlane):
    for number in range(30):
        plane.review.add("guard-hit", f"number {number}")
    client.headers["Authorization"] = "Bearer token"
    seen, before = [], 0
    while before is not None:
        page = (await client.get(f"/api/panels/events?topic=review.&limit=7&before={before}")).json()
        seen += [one["fact"]["evidence"] for one in page["events"]]
        before = page["before"]
    assert seen == [f"number {number}" for number in reversed(range(30))]
    one = (await client.get("/api/panels/events", params={"field": "evidence", "value": "number 3"})).json()
    assert [found["fact"]["evidence"] for found in one["events"]] == ["number 3"]
    for wrong in ("limit=0", "limit=9999", "since=-1", "before=x"):
        answer = await client.get(f"/api/panels/events?{wrong}")
        assert (answer.status_code, answer.json()["code"]) == (400, "input.invalid")


def test_a_long_search_stops_and_says_where_it_goes_on(plane: ControlPlane, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("control_plane.dashboard.browsing.FARTHEST", 10)
    monkeypatch.setattr("control_plane.dashboard.browsing.CHUNK", 4)
    for number in range(30):
        plane.review.add("guard-hit", f"number {number}")
    page = browse(plane.ledger, Filter(field="evidence", value="number 0"))
    assert page.events == ()
    looks = 1
    while page.before is not None:
        page = browse(plane.ledger, Filter(field="evidence", value="number 0"), page.before)
        looks += 1
        if page.events:
            break
    assert len(page.events) == 1
    assert looks > 2


@pytest.mark.parametrize(
    ("successes", "judged", "low", "high"),
    [(0, 10, 0.0, 0.278), (5, 10, 0.237, 0.763), (10, 10, 0.722, 1.0), (90, 100, 0.826, 0.945), (1, 1, 0.207, 1.0)],
)
def test_the_interval_is_wilsons(successes: int, judged: int, low: float, high: float):
    assert interval(successes, judged) == pytest.approx((low, high), abs=0.001)
    assert interval(0, 0) is None


def test_a_percentile_is_a_value_that_was_measured():
    assert quantile([], 0.5) is None
    assert [quantile(range(1, 101), share) for share in (0.5, 0.95, 0.99)] == [50, 95, 99]
    assert quantile([7.0], 0.99) == 7.0


def test_a_correction_takes_the_place_of_what_it_corrects(plane: ControlPlane):
    from control_plane import Task
    from control_plane.dashboard.recent import Recent

    recent = Recent(plane.ledger)
    advice = plane.advise(Task(type="code.fix"))
    for success in (True, True, False):
        plane.record_result(advice.decision_id, success=success, latency_ms=10.0)
        plane.flush()
        recent.catch_up()
    (only,) = recent.results.values()
    assert only.success is False
