"""The page in a real browser: it loads, lives, explains, and can be used by everybody."""

import json
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from control_plane import Task
from control_plane.bridge.rules import Actor
from control_plane.bridge.terms import Status
from control_plane.governance.plugins import Observation
from control_plane.guardrails.terms import Label
from tests.dashboard.house import TOKEN, House, serious_findings, shot
from tests.guardrails.ground import RULES

pytestmark = pytest.mark.anyio
HOSTILE = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"


@pytest.mark.requirement("SERVE-24", "SERVE-46")
async def test_it_loads_without_a_complaint_and_shows_what_is_there(house: House):
    house.live_through()
    page = await house.visit()
    await expect(page.locator("#sentence")).to_contain_text("400 decisions")
    await expect(page.locator("#arms-table tbody tr")).to_have_count(4)
    await expect(page.locator("#decisions-table tbody tr")).to_have_count(15)
    assert house.complaints == []


@pytest.mark.long
@pytest.mark.requirement("SERVE-25")
async def test_it_asks_nobody_else_for_anything(house: House):
    asked: list[str] = []

    async def watch(page: Page) -> None:
        page.on("request", lambda request: asked.append(request.url))

    await house.visit(prepare=watch)
    assert len(asked) > 10
    assert [url for url in asked if not url.startswith(f"{house.url}/")] == []


@pytest.mark.requirement("SERVE-28", "SERVE-29", "SERVE-47")
async def test_a_decision_and_its_result_appear_as_they_come(house: House):
    page = await house.visit()
    await expect(page.locator("#decisions-empty")).to_be_visible()
    # The stream alone has to bring them: nothing can be asked for meanwhile.
    await page.route("**/api/panels**", lambda route: route.abort())
    advice = house.plane.advise(Task(type="code.fix", repo="acme/api"))
    house.plane.flush()
    row = page.locator("#decisions-table tbody tr").first
    await expect(row).to_contain_text("code.fix · acme/api")
    await expect(row).to_contain_text("chance")
    await expect(page.locator("#totals")).to_contain_text("Results0")
    await expect(page.get_by_role("alert")).to_contain_text("The figures are old")
    # Posted by the page's own road, as any program would.
    posted = await page.evaluate(
        """async ([token, body]) => (await fetch("/api/results", {method: "POST", body: JSON.stringify(body),
           headers: {"Authorization": `Bearer ${token}`, "Content-Type": "application/json"}})).status""",
        [TOKEN, {"decision_id": advice.decision_id, "success": True, "latency_ms": 1840, "cost_usd": 0.021}],
    )
    assert posted == 200
    await expect(row).to_contain_text("✓ success, 1.8 s, $0.0210")
    await page.unroute_all()
    await expect(page.locator("#totals")).to_contain_text("Results1")
    await expect(page.locator("#arms-table")).to_contain_text("1 runs")
    await expect(page.get_by_role("alert")).to_be_hidden()
    assert {line.split(":")[0] for line in house.complaints if "ERR_FAILED" not in line} == set()


@pytest.mark.long
@pytest.mark.requirement("SERVE-30", "SERVE-31", "FG-09-3")
async def test_arms_show_interval_cost_and_times_and_who_is_passed_over(house: House):
    house.live_through()
    house.plane.replay()
    page = await house.visit()
    row = page.locator("#arms-table tbody tr", has_text="anthropic/opus")
    await expect(row).to_contain_text(" to ")
    await expect(page.locator("#head")).to_contain_text(house.plane.ledger.checkpoint()[1].root.hex()[:12])
    figures = await row.locator("td.n").all_inner_texts()
    assert figures[0].endswith("%")
    assert figures[1].startswith("$0.")
    assert all(text.endswith(" s") for text in figures[2:])
    plot = row.locator("[role=img] canvas")
    painted = "c => c.getContext('2d').getImageData(0, 0, c.width, c.height).data.some(byte => byte)"
    assert await plot.evaluate(painted), "the chart is empty"
    await expect(page.locator("#breakers-table")).to_contain_text("acme/local")
    await expect(page.locator("#moves li").first).to_contain_text("closed → open")
    await expect(page.locator("#totals")).to_contain_text("Replay parity100.00 %")
    await row.get_by_text("as a table").click()
    await expect(page.locator("dialog caption")).to_contain_text("anthropic/opus")
    assert await page.locator("dialog tbody tr").count() > 5


@pytest.mark.long
@pytest.mark.requirement("SERVE-37")
async def test_a_figure_leads_to_exactly_the_events_behind_it(house: House):
    house.live_through(hours=0.2, decisions=60)
    page = await house.visit()
    arm = house.plane.advise(Task(type="code.fix")).arm
    house.plane.flush()
    runs = house.plane.stats().arms[arm].results
    link = page.locator("#arms-table tbody tr", has_text=arm).locator("td:nth-child(4) a")
    await link.click()
    rows = page.locator("dialog tbody tr")
    await expect(rows).to_have_count(min(runs, 50))
    assert set(await rows.locator("td:nth-child(3)").all_inner_texts()) == {"router.result-recorded"}
    assert all(f"arm {arm}" in text for text in await rows.locator("td:nth-child(4)").all_inner_texts())
    await rows.first.locator("a").click()
    await expect(page.locator("dialog pre")).to_contain_text(f'"arm": "{arm}"')
    await page.get_by_role("button", name="Verify this event").click()
    await expect(page.locator("dialog .verdict")).to_contain_text("Verified")
    bare = "a => a.matches('dd > span, td.n:not(:has(a))') ? 0 : 1"
    assert await page.locator("#totals dd > *").evaluate_all(f"all => all.map({bare}).every(Boolean)")


@pytest.mark.long
@pytest.mark.requirement("SERVE-29")
async def test_a_decision_opens_to_its_score_and_the_smallest_flip(house: House):
    house.live_through(hours=0.2, decisions=60)
    page = await house.visit()
    await page.locator("#decisions-table tbody tr th a").first.click()
    dialog = page.locator("dialog")
    await expect(dialog).to_contain_text("Smallest change")
    await expect(dialog).to_contain_text("yes, to the same path")
    await expect(dialog.locator("tbody tr.taken .bar.plus").first).to_be_visible()
    await expect(dialog.locator("tbody tr.taken .bar.minus").first).to_be_visible()
    await shot(page, "decision")
    await page.keyboard.press("Escape")
    await expect(dialog).to_be_hidden()
    assert page.url == f"{house.url}/"
    assert house.complaints == []


@pytest.mark.long
@pytest.mark.requirement("SERVE-33", "SERVE-34", "SERVE-36", "FG-11-3")
async def test_reviews_retrieval_and_flags_are_there_and_a_review_is_decided(house: House):
    item = house.plane.review.add("guard-hit", "a recursive delete")
    house.clock.pass_by(25 * 3600)
    page = await house.visit()
    row = page.locator("#waits-table tbody tr")
    await expect(row).to_contain_text("a recursive delete")
    await expect(row).to_contain_text("▲ 25.0 h")
    await expect(page.locator("#retrieval-table")).to_contain_text("0.70")
    await expect(page.locator("#retrieval-caption")).to_contain_text("unknown")
    house.plane.flips.flip("OPENCODE_TAIL_SLO", "false", actor="ana", reason="too many alarms")
    await expect(page.locator("#flags-set")).to_contain_text("OPENCODE_TAIL_SLO")
    await expect(page.locator("#flags-set")).to_contain_text("ledger")
    await row.get_by_role("button", name=f"Approve {item}").click()
    await expect(page.locator("#waits-empty")).to_be_visible()
    assert house.plane.review.status().by_status["approved"] == 1
    assert house.complaints == []


@pytest.mark.requirement("SERVE-26", "SERVE-27", "SERVE-48", "SERVE-51")
async def test_axe_finds_nothing_serious_in_either_look(house: House):
    house.live_through(decisions=60)
    house.plane.review.add("guard-hit", "a recursive delete")
    house.plane.policies.propose('name = "careful"\n', actor="ana", reason="less cost")
    house.plane.flips.flip("OPENCODE_TAIL_SLO", "false", actor="ana", reason="too many alarms")
    page = await house.visit()
    # Between the two looks only colours differ.
    for theme, ground, rule in (("light", "rgb(255, 255, 255)", None), ("dark", "rgb(20, 23, 28)", "color-contrast")):
        await page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
        assert await page.evaluate("getComputedStyle(document.body).backgroundColor") == ground
        assert await serious_findings(page, rule=rule) == []
        await page.locator("#decisions-table tbody tr th a").first.click()
        await expect(page.locator("dialog .bar").first).to_be_visible()
        assert await serious_findings(page, "dialog", rule=rule) == []
        if rule is None:
            await page.locator("dialog").get_by_text("All events").click()
            await expect(page.locator("dialog .fact").first).to_be_visible()
            assert await serious_findings(page, "dialog") == []
        await page.keyboard.press("Escape")
        await shot(page, theme)
    # Planted: it does find what is wrong.
    await page.evaluate("document.getElementById('verify').textContent = ''")
    await page.evaluate("document.getElementById('sentence').style.color = '#444444'")
    for place, rule in (("#proof", "button-name"), ("#health", "color-contrast")):
        (found,) = await serious_findings(page, place, rule=rule)
        assert found.startswith(rule)


@pytest.mark.long
@pytest.mark.requirement("SERVE-26")
async def test_the_look_can_be_chosen_and_stays(house: House):
    page = await house.visit(theme="light")
    ground = "getComputedStyle(document.body).backgroundColor"
    light = await page.evaluate(ground)
    await page.get_by_role("button", name="Theme: system").click()
    await page.get_by_role("button", name="Theme: light").click()
    assert await page.evaluate(ground) != light
    await page.reload()
    await expect(page.get_by_role("button", name="Theme: dark")).to_be_visible()
    assert await page.evaluate(ground) != light


@pytest.mark.requirement("SERVE-49")
async def test_a_narrow_page_does_not_scroll_sideways(house: House):
    house.live_through(decisions=100)
    house.plane.policies.propose(f'name = "{"a-long-name-" * 5}x"\n', actor="ana", reason="less cost")
    page = await house.visit(width=390)
    await page.get_by_role("button", name="Verify in this browser").click()
    await expect(page.locator("#verdict")).to_contain_text("Verified")
    for address in ("", "#/events?topic=router.", "#/event?position=3"):
        if address:
            await page.goto(f"{house.url}/{address}")
            await expect(page.locator("dialog :is(tbody tr, pre)").first).to_be_visible()
        for width in (390, 320):
            await page.set_viewport_size({"width": width, "height": 800})
            assert await page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
            assert await page.locator("dialog").evaluate("d => d.scrollWidth - d.clientWidth") <= 0
    await page.keyboard.press("Escape")
    await page.set_viewport_size({"width": 390, "height": 800})
    await shot(page, "390px")
    for button in await page.locator("main button:visible").all():
        box = await button.bounding_box()
        assert box is not None
        assert box["height"] >= 24, await button.inner_text()


@pytest.mark.long
@pytest.mark.requirement("SERVE-27")
async def test_the_keyboard_alone_is_enough(house: House):
    house.decide()
    page = await house.visit()
    await page.keyboard.press("Tab")
    assert await page.evaluate("document.activeElement.textContent") == "Skip to the figures"
    await page.keyboard.press("Enter")
    assert await page.evaluate("document.activeElement.id") == "main"
    link = page.locator("#decisions-table tbody tr th a")
    await page.locator("#pause").focus()
    for _ in range(5):
        await page.keyboard.press("Tab")
        if await link.evaluate("a => a === document.activeElement"):
            break
    assert await link.evaluate("a => getComputedStyle(a).outlineStyle") == "solid"
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("dialog", name="Why")).to_be_visible()
    assert await page.evaluate("document.activeElement.id") == "drawer-title"
    await page.keyboard.press("Escape")
    await expect(link).to_be_focused()
    for role, count in (("banner", 1), ("main", 1), ("navigation", 1), ("contentinfo", 1)):
        assert await page.get_by_role(role).count() == count  # type: ignore[arg-type]
    assert await page.locator("table:not(:has(caption))").count() == 0


@pytest.mark.long
@pytest.mark.requirement("SERVE-39")
async def test_what_others_wrote_is_text_and_nothing_else(house: House):
    house.decide(HOSTILE, error=None, model_served=HOSTILE)
    house.plane.review.add("guard-hit", HOSTILE)
    house.plane.policies.propose('name = "careful"\n', actor=HOSTILE[:90], reason=HOSTILE)
    page = await house.visit()
    await expect(page.locator("#decisions-table tbody tr").first).to_contain_text(HOSTILE)
    await expect(page.locator("#waits-table")).to_contain_text(HOSTILE)
    await page.locator("#decisions-table tbody tr th a").first.click()
    await expect(page.locator("dialog .bar").first).to_be_visible()
    for address in (
        "#/events?topic=router.",
        f"#/events?topic={HOSTILE}&field=x&value={HOSTILE}",
        "#/event?position=3",
    ):
        await page.goto(f"{house.url}/{address}")
        await expect(page.locator("dialog :is(tbody tr, pre, .empty)").first).to_be_visible()
        assert await page.locator("dialog img, dialog script").count() == 0
    assert await page.locator("main img, main script").count() == 0
    assert await page.title() == "control plane"
    assert house.complaints == []


@pytest.mark.long
@pytest.mark.requirement("SERVE-38")
async def test_markup_would_be_stopped_by_the_browser_itself(house: House):
    page = await house.visit()
    blocked = await page.evaluate(
        "() => { try { document.body.innerHTML += '<i>x</i>'; return 'let in'; } catch (no) { return no.name; } }"
    )
    assert blocked == "TypeError"
    assert any("TrustedHTML" in line for line in house.complaints)


@pytest.mark.long
async def test_the_token_is_asked_for_once_and_never_sent_in_an_address(house: House):
    asked: list[str] = []

    async def watch(page: Page) -> None:
        page.on("request", lambda request: asked.append(request.url))

    page = await house.visit(token=None, prepare=watch)
    await page.get_by_label("Token").fill("not-the-token")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("alert")).to_contain_text("not this control plane's")
    await page.get_by_label("Token").fill(TOKEN)
    await page.keyboard.press("Enter")
    await expect(page.locator("#link")).to_have_text("live")
    await page.reload()
    await expect(page.locator("#link")).to_have_text("live")
    assert [url for url in asked if TOKEN in url] == []
    assert "local" not in await page.evaluate(f"Object.values(localStorage).join().includes('{TOKEN}') ? 'local' : ''")
    other = await house.visit()
    assert TOKEN not in other.url
    assert {line.split(":")[0] for line in house.complaints} == {"error"}
    assert all("401" in line for line in house.complaints)


@pytest.mark.long
@pytest.mark.requirement("SERVE-28")
async def test_after_a_break_of_the_stream_nothing_is_missing(house: House):
    page = await house.visit()
    await page.route("**/api/events", lambda route: route.abort())
    house.hub.close()
    await expect(page.locator("#link")).to_contain_text("reconnecting")
    for number in range(3):
        house.decide(f"while.away.{number}")
    house.hub.closed = False
    await page.unroute_all()
    await expect(page.locator("#link")).to_have_text("live")
    await expect(page.locator("#decisions-table tbody tr")).to_have_count(3)
    await expect(page.locator("#decisions-table tbody tr").first).to_contain_text("while.away.2")
    await expect(page.locator("#notice")).to_be_hidden()


@pytest.mark.long
@pytest.mark.requirement("SERVE-33")
async def test_whatever_wants_a_person_stands_in_one_list_oldest_first(house: House, tmp_path: Path):
    rules = tmp_path / ".claude/skills/skill-rules.json"
    rules.parent.mkdir(parents=True)
    rules.write_text(json.dumps(RULES))
    plane, clock = house.plane, house.clock
    page = await house.visit()
    await expect(page.locator("#waits-empty")).to_be_visible()
    answer = plane.guard.check("Write", {"file_path": "src/db/client.ts", "content": "x"}, session="s")
    assert answer.hits
    clock.pass_by(60)
    plane.plugins.observe("noisy", Observation(policy_violation=True))
    clock.pass_by(60)
    boss = Actor("boss", "coordinator", "w1")
    asked = {"workspace_id": "w1", "title": "t", "type": "workflow", "participants": ["exec"]}
    thread = plane.bridge.call("create_thread", boss, json.dumps(asked).encode())["thread_id"]
    plane.bridge.set_status(thread, Status.BLOCKED, "stuck", boss)
    rows = page.locator("#waits-table tbody tr")
    await expect(rows).to_have_count(len(answer.hits) + 2)
    assert await rows.locator("td:nth-child(2)").all_inner_texts() == [
        *["guard hit"] * len(answer.hits), "plugin in quarantine", "blocked thread",
    ]  # fmt: skip
    await expect(rows.last).to_contain_text(f"control-plane bridge unblock-thread --thread-id {thread}")
    await expect(page.locator("#review-facts")).to_contain_text(f"Guard hits without a label{len(answer.hits)}")
    await rows.first.get_by_role("button", name="Wrong").click()
    await expect(rows).to_have_count(len(answer.hits) + 1)
    assert [hit.label for hit in plane.guard.state().hits.values()].count(Label.FP) == 1
    assert house.complaints == []
