"""The page of the guardrails in a real browser: what is in force, what was decided, who is protected."""

import json

import pytest
from playwright.async_api import expect

from control_plane.guardrails import answering
from tests.dashboard.house import House, serious_findings

HOSTILE = "<img src=x onerror=alert(1)>"
RULES = {
    "version": "1.0",
    "skills": {
        "secrets": {
            "type": "guardrail", "enforcement": "block", "priority": "critical", "description": "secrets stay",
            "fileTriggers": {"pathPatterns": ["secret/**"]}, "blockMessage": "Not {file_path}.",
        }
    },
}  # fmt: skip


@pytest.mark.anyio
async def test_the_guardrails_are_seen_as_they_stand(house: House):
    guard = house.plane.guard
    folder = house.plane.token_file.parents[2] / ".claude" / "skills"
    folder.mkdir(parents=True)
    (folder / "skill-rules.json").write_text(json.dumps(RULES))
    written = {"filePath": str(folder.parents[1] / "secret" / "key.txt"), "content": "x"}
    told = answering.check(
        guard, "write", written, session=HOSTILE, cwd=str(folder.parents[1]),
        told={"OPENCODE_ENFORCEMENT_MODE": "enforce"},
    )  # fmt: skip
    assert told.decision == "block"
    house.plane.flush()
    page = await house.visit()
    await page.get_by_role("link", name="Guard", exact=True).click()
    await expect(page.locator("#guard-sentence")).to_contain_text("are in force")
    await expect(page.locator("#guard-facts")).to_contain_text("Blocked1")
    await expect(page.locator("#sessions li")).to_contain_text([HOSTILE])
    await expect(page.locator("#beyond li").first).to_be_visible()
    assert await serious_findings(page) == []
    await page.set_viewport_size({"width": 390, "height": 800})
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    await page.locator("#guard-facts").get_by_role("link", name="1", exact=True).first.click()
    await expect(page.locator("#drawer-body")).to_contain_text("guard.decided")
    assert house.complaints == []
