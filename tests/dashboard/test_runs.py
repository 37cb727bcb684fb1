"""The pages of runs in a real browser: what a worker does while it does it, and the button that ends it."""

import os
import socket

import pytest
from playwright.async_api import expect

from control_plane import Task
from control_plane.runner import events as e
from tests.dashboard.house import House, serious_findings

HOSTILE = "<img src=x onerror=alert(1)>"


def begin(house: House, run: str, task: str) -> None:
    """A run that this process has."""
    now = house.clock.now()
    house.plane.runs.write(
        run,
        e.RunBegun(run=run, at=now, task=task, directory="/srv/acme", max_iterations=10, inactivity_s=30.0,
                   pid=os.getpid(), host=socket.gethostname()),
        e.WorkerStarted(run=run, at=now, session="ses_1", version="1.18.33"),
    )  # fmt: skip


def turn(house: House, run: str, number: int, source: str, text: str, decision: str = "") -> None:
    at = house.clock.now() + number
    told = e.PromptSent(
        run=run, at=at, iteration=number, source=source, text=text, model="acme/local", decision=decision
    )
    house.plane.runs.write(run, told)


def checked(run: str, verdict: e.Verdict, number: int, at: float) -> e.VerdictReached:
    return e.VerdictReached(
        run=run, at=at, iteration=number, verdict=verdict, reason="3 tests passed", tree="ab" * 32,
        command=("pytest", "-q"), exit_code=0, passed=3, changed=("a.py", HOSTILE), missing=("b.py",),
    )  # fmt: skip


@pytest.mark.anyio
@pytest.mark.requirement("RUN-14")
async def test_each_run_is_a_page_that_follows_it(house: House):
    begin(house, "r1", HOSTILE)
    advice = house.plane.advise(Task(type="run"))
    house.plane.flush()
    page = await house.visit()
    await page.get_by_role("link", name="Runs", exact=True).click()
    await expect(page.locator("#runs-table tbody tr")).to_contain_text([HOSTILE])
    await expect(page.locator("#runs-table tbody tr")).to_contain_text(["running"])
    assert await serious_findings(page) == []
    await page.get_by_role("link", name=HOSTILE).click()
    await expect(page.locator("#turns-empty")).to_be_visible()
    turn(house, "r1", 1, "task", "write a.py", advice.decision_id)
    await expect(page.locator("#turns-table tbody tr")).to_contain_text(["write a.py"])
    turn(house, "r1", 2, "detector", "go on otherwise", advice.decision_id)
    now = house.clock.now()
    loop = e.LoopFound(run="r1", at=now, iteration=2, kind="cycle", period=1, repeats=4, times=1, why="make, 4 times",
                       answer="nudge")  # fmt: skip
    error = e.WorkerErred(run="r1", at=now, iteration=2, kind="model", what=HOSTILE, status=429)
    house.plane.runs.write("r1", loop, error, checked("r1", "verified", 2, now))
    await expect(page.locator("#turns-table tbody tr")).to_have_count(2)
    await expect(page.locator("#happened-table tbody tr")).to_contain_text(["make, 4 times", HOSTILE])
    for words in ("verified: 3 tests passed", "pytest -q → exit 0; 3 passed", "a.py", "b.py", "abababababab"):
        await expect(page.locator("#check")).to_contain_text(words)
    assert await serious_findings(page) == []
    await page.set_viewport_size({"width": 390, "height": 800})
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    ended = e.RunEnded(run="r1", at=now + 60, outcome="completed", exit_code=0, reason="3 tests passed",
                       verdict="verified", iterations=2, cost_usd=0.5, tokens_in=1200, tokens_out=34)  # fmt: skip
    house.plane.runs.write("r1", ended)
    await expect(page.locator("#run-state")).to_contain_text("completed: 3 tests passed")
    await expect(page.locator("#run-facts")).to_contain_text("$0.5000, 1,200 tokens in, 34 out")
    await expect(page.locator("#stop")).to_be_hidden()
    await page.locator("#run-facts").get_by_role("link", name="acme/local").click()
    await expect(page.locator("#drawer-title")).to_contain_text("Why")
    assert house.complaints == []


@pytest.mark.anyio
@pytest.mark.requirement("RUN-14")
async def test_a_run_is_stopped_from_its_page(house: House):
    begin(house, "r1", "write a.py")
    page = await house.visit()
    await page.goto(f"{house.url}/assets/runs.html?run=r1")
    await page.get_by_role("button", name="Stop this run").click()
    await expect(page.locator("#run-state")).to_contain_text("stopping")
    await expect(page.locator("#run-facts")).to_contain_text("Stop asked byowner")
    await expect(page.locator("#stop")).to_be_hidden()
    heard: list[str] = []
    house.plane.runs.heed("r1", heard.append)
    assert heard == ["stopped by owner"]
    await page.goto(f"{house.url}/assets/runs.html?run=r7")
    await expect(page.locator("#notice")).to_contain_text("there is no run r7")
