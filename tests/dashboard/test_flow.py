"""Many events: the page keeps its size, holds still for a reader, and keeps up with the screen."""

import asyncio
import time
from collections.abc import Callable

import pytest
from playwright.async_api import Page, expect

from control_plane import ControlPlane, Task
from tests.dashboard.house import ARMS, House

pytestmark = pytest.mark.anyio


@pytest.mark.requirement("SERVE-28")
async def test_a_flood_does_not_grow_the_page_and_a_reader_is_not_disturbed(house: House):
    house.live_through(decisions=60)
    page = await house.visit()
    table, rows = page.locator("#decisions-table"), page.locator("#decisions-table tbody tr")
    await expect(rows).to_have_count(15)
    size = await page.evaluate("document.querySelectorAll('*').length")
    for number in range(40):
        for _ in range(15):
            house.plane.advise(Task(type=f"flood.{number}"))
        house.plane.flush()
        await asyncio.sleep(0)
    await expect(rows.first).to_contain_text("flood.39")
    await expect(rows).to_have_count(15)
    assert await page.evaluate("document.querySelectorAll('*').length") < size + 60
    await rows.first.locator("th a").focus()
    house.decide("while.reading")
    # Told over the same stream, later than the decision.
    await expect(page.locator("#totals")).to_contain_text("Decisions661")
    await expect(table).not_to_contain_text("while.reading")
    await page.get_by_role("button", name="Pause").click()
    await expect(page.get_by_role("button", name="Go on")).to_have_attribute("aria-pressed", "true")
    house.decide("while.paused")
    await expect(page.locator("#totals")).to_contain_text("Decisions662")
    await expect(table).not_to_contain_text("while.paused")
    await page.get_by_role("button", name="Go on").click()
    await expect(rows.first).to_contain_text("while.paused")
    await expect(page.locator("#news")).to_contain_text("new decision")
    assert house.complaints == []


async def frames(page: Page, seconds: float, each: Callable[[], None]) -> tuple[float, float]:
    """Frames a second, and the median of their distance in ms, while `each` is called 25 times a second."""
    await page.evaluate(
        """() => { const mine = globalThis.frames_ = []; let last = performance.now();
           const next = () => { const now = performance.now(); mine.push(now - last); last = now;
             if (globalThis.frames_ === mine) requestAnimationFrame(next); }; requestAnimationFrame(next); }"""
    )
    begun = time.monotonic()
    for number in range(int(25 * seconds)):
        each()
        await asyncio.sleep(max(0.0, begun + 0.04 * (number + 1) - time.monotonic()))
    gaps = sorted(await page.evaluate("frames_"))
    return len(gaps) / (time.monotonic() - begun), gaps[len(gaps) // 2]


@pytest.mark.long
async def test_fifty_events_a_second_leave_the_frames_alone(house: House):
    house.live_through(decisions=1000)
    page = await house.visit()

    def happen() -> None:
        house.clock.pass_by(0.04)
        advice = house.plane.advise(Task(type="code.fix"))
        house.plane.record_result(advice.decision_id, success=True, latency_ms=900.0, cost_usd=0.01)

    idle, _ = await frames(page, 4, lambda: None)
    busy, median = await frames(page, 10, happen)
    print(f"{idle:.1f} frames/s with nothing to show, {busy:.1f} with 50 events/s, median {median:.1f} ms")
    assert round(busy) >= 60


@pytest.mark.long
async def test_what_another_process_writes_appears_as_well(house: House):
    page = await house.visit()
    home = house.plane.token_file.parent
    with ControlPlane.open(home, catalogue=ARMS, clock=house.clock, background=False) as other:
        other.advise(Task(type="elsewhere"))
    await expect(page.locator("#decisions-table tbody tr").first).to_contain_text("elsewhere")
