"""The page of the dogfood suite's runs, in a real browser."""

import pytest
from playwright.async_api import expect

from control_plane.dogfood.events import RunFinished
from tests.dashboard.house import House, serious_findings


def finished(house: House, run: str, root: str, failures: dict[str, str]) -> None:
    house.plane.ledger.append(
        "dogfood",
        [
            RunFinished(
                at=house.clock.now(), run=run, commit="c" * 40, verdict="FAIL" if failures else "PASS",
                standalone=False, passed=15 - len(failures), failed=len(failures), skipped=0, failures=failures,
                stop_reason="", root=root, key="k",
            )
        ],
    )  # fmt: skip


@pytest.mark.anyio
@pytest.mark.requirement("DOGFOOD-126")
async def test_each_run_is_a_page(house: House):
    hostile = "<img src=x onerror=alert(1)>"
    finished(house, "RUN_0001", "1" * 64, {})
    finished(house, "RUN_0002", "2" * 64, {"T2B01": "MODIFICATIONFAIL", hostile: "CLIFAIL"})
    page = await house.visit()
    await page.get_by_role("link", name="Dogfood", exact=True).click()
    rows = page.locator("#runs-table tbody tr")
    await expect(rows).to_have_count(2)
    await expect(rows.first).to_contain_text("T2B01 MODIFICATIONFAIL")
    await expect(rows.nth(1)).to_contain_text("PASS")
    assert await serious_findings(page) == []
    await page.get_by_role("link", name="RUN_0002").click()
    await expect(page.locator("#run-title")).to_have_text("RUN_0002: FAIL")
    await expect(page.locator("#run-table")).to_contain_text("2" * 64)
    await expect(page.locator("#run-table")).to_contain_text(hostile)
    await expect(page.locator("#runs")).to_be_hidden()
    assert await serious_findings(page) == []
    assert house.complaints == []
