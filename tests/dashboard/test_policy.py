"""A policy is followed, and led, from draft to enforce on the page."""

import pytest
from playwright.async_api import expect

from control_plane.governance.state import STAGES
from control_plane.ledger.home import Home
from control_plane.ledger.keys import load_key
from control_plane.proving.attempts import Attempts, Keys, stranger
from tests.dashboard.house import House, shot

pytestmark = pytest.mark.anyio
POLICY = 'name = "careful"\ndescription = "asks for the strict flag"\n[flags]\nOPENCODE_TAIL_SLO = "false"\n'


@pytest.mark.requirement("SERVE-32", "SERVE-50")
async def test_from_draft_to_enforce_and_one_step_back(house: House):
    plane = house.plane
    root = plane.token_file.parent
    own = load_key(Home(root).key, Home(root).identity().origin)
    keys = Keys(own, stranger(own.verifier.name), stranger(own.verifier.name))
    page = await house.visit()
    await expect(page.locator("#policies-empty")).to_be_visible()
    plane.policies.propose(POLICY, actor="ana", reason="tails are noise here")
    article = page.get_by_role("article", name="careful")
    here, reason = article.locator("[aria-current=step]"), article.get_by_label("Reason")
    await expect(here).to_have_text("draft")
    await expect(article).to_contain_text("missing_policy_sim_gate")
    await reason.fill("too early")
    await article.get_by_role("button", name="Advance to simulated").click()
    await expect(article.get_by_role("status")).to_contain_text("careful stays at draft: missing_policy_sim")
    assert plane.policies.show("careful").stage == "draft"
    complaints, house.complaints[:] = list(house.complaints), []
    assert len(complaints) == 1
    assert "409" in complaints[0] or "400" in complaints[0]
    for stage in STAGES[1:]:
        for kind in ("simulation", "evaluation"):
            plane.policies.record(Attempts(plane, "careful", kind, keys, 5).good())
        await expect(article).to_contain_text("✓ simulation gate: ok")
        await reason.fill(f"on to {stage}")
        await article.get_by_role("button", name=f"Advance to {stage}").click()
        await expect(here).to_have_text(stage)
        assert plane.policies.show("careful").stage == stage
        if stage == "canary":
            await expect(article).to_contain_text("for 10 % of the work")
            await shot(page, "policy at canary")
    await expect(article).to_contain_text("in force")
    await expect(page.locator("#flags-set")).to_contain_text("OPENCODE_TAIL_SLO")
    await reason.fill("back again")
    await article.get_by_role("button", name="Roll back").click()
    await expect(here).to_have_text("canary")
    await article.get_by_text("How it came here").click()
    await expect(article.locator("details li").first).to_contain_text("rolled back · canary · owner: back again")
    await expect(article.locator("details")).to_contain_text("refused")
    assert house.complaints == []
