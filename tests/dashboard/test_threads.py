"""The page of threads in a real browser: what is blocked, who is waited for, who could not be woken."""

import json

import pytest
from playwright.async_api import expect

from control_plane.bridge.rules import Actor
from control_plane.bridge.supervising import Supervisor
from control_plane.bridge.terms import Status
from tests.dashboard.house import TOKEN, House, serious_findings

BOSS, EXEC = Actor("boss", "coordinator", "w1"), Actor("exec", "participant", "w1")


def begin(house: House, title: str) -> str:
    asked = {"workspace_id": "w1", "title": title, "type": "workflow", "participants": ["exec", "reviewer"]}
    return house.plane.bridge.call("create_thread", BOSS, json.dumps(asked).encode())["thread_id"]


@pytest.mark.anyio
@pytest.mark.requirement("BRIDGE-27", "BRIDGEOPS-21")
async def test_threads_and_wakes_are_seen_as_they_stand(house: House):
    hostile = "<img src=x onerror=alert(1)>"
    first, second = begin(house, "Review of the parser"), begin(house, hostile)
    said = {"thread_id": first, "kind": "chat", "body": "look"}
    house.plane.bridge.call("post_message", EXEC, json.dumps(said).encode())
    house.plane.bridge.set_status(second, Status.BLOCKED, "in circles", BOSS)
    page = await house.visit()
    await page.get_by_role("link", name="Threads", exact=True).click()
    rows = page.locator("#threads-table tbody tr")
    await expect(rows).to_have_count(2)
    await expect(page.get_by_role("row").filter(has_text=hostile)).to_contain_text("blocked")
    await expect(page.get_by_role("row").filter(has_text="Review of the parser")).to_contain_text("reviewer since")
    await expect(page.locator("#jobs-empty")).to_be_visible()
    Supervisor(house.plane.bridge, {}).tick()
    await expect(page.locator("#jobs-table tbody tr")).to_contain_text(["dead letter"])
    await expect(page.get_by_role("row").filter(has_text="Review of the parser")).to_contain_text("RUNTIME_NOT_FOUND")
    await page.locator("#status").select_option("blocked")
    await expect(rows).to_have_count(1)
    assert await serious_findings(page) == []
    await page.set_viewport_size({"width": 390, "height": 800})
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert house.complaints == []
    assert TOKEN not in page.url


@pytest.mark.anyio
@pytest.mark.requirement("BRIDGE-27")
async def test_without_a_token_the_page_says_where_to_give_one(house: House):
    page = await house.visit(token=None)
    await page.goto(f"{house.url}/assets/threads.html")
    await expect(page.locator("#notice")).to_contain_text("open the dashboard first")
