"""What the page says of a proof: verified when all holds, NOT verified for each thing that somebody could change."""

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
from playwright.async_api import Page, Route, expect

from tests.dashboard.house import House

pytestmark = pytest.mark.anyio
Facts = dict[str, Any]


def flipped(text: str, at: int = 5) -> str:
    raw = bytearray(base64.b64decode(text))
    raw[at] ^= 1
    return base64.b64encode(raw).decode()


def other_leaf(found: Facts) -> None:
    found["leaf"] = flipped(found["leaf"], -2)


def other_hash(found: Facts) -> None:
    found["path"][0] = flipped(found["path"][0])


def shorter_path(found: Facts) -> None:
    found["path"].pop()


def longer_path(found: Facts) -> None:
    found["path"].append(found["path"][0])


def other_position(found: Facts) -> None:
    found["position"] -= 1


def other_signature(found: Facts) -> None:
    note, _, signature = found["note"].rstrip("\n").rpartition(" ")
    found["note"] = f"{note} {flipped(signature, 20)}\n"


def other_size(found: Facts) -> None:
    origin, size, rest = found["note"].split("\n", 2)
    found["note"] = f"{origin}\n{int(size) - 1}\n{rest}"


def no_signature(found: Facts) -> None:
    found["note"] = found["note"].partition("\n\n")[0] + "\n\n"


def other_key(found: Facts) -> None:
    name, _, rest = found["verifier_key"].partition("+")
    found["verifier_key"] = f"{name}x+{rest}"


CHANGES = {
    "events": (
        other_leaf,
        other_hash,
        shorter_path,
        longer_path,
        other_position,
        other_signature,
        other_size,
        other_key,
    ),
    "extension": (other_signature, other_size, no_signature, other_key),
}
EACH = [(road, change) for road, changes in CHANGES.items() for change in changes]


async def tamper(page: Page, road: str, change: Callable[[Facts], None]) -> None:
    async def between(route: Route) -> None:
        answer = await route.fetch()
        found = json.loads(await answer.text())
        change(found)
        await route.fulfill(response=answer, json=found)

    await page.route("**/api/ledger/events/*" if road == "events" else "**/api/panels/extension*", between)


async def verdict(page: Page) -> str:
    await page.locator("#verdict").evaluate("box => { box.replaceChildren(); delete box.dataset.verdict; }")
    await page.get_by_role("button", name="Verify in this browser").click()
    await page.wait_for_selector("#verdict[data-verdict]")
    return await page.locator("#verdict p").first.inner_text()


@pytest.mark.requirement("SERVE-35")
async def test_each_change_is_found_and_the_truth_is_not(house: House):
    house.live_through(hours=0.1, decisions=20)
    page = await house.visit()
    for road, change in EACH:
        await page.evaluate("localStorage.clear()")
        await tamper(page, road, change)
        told = await verdict(page)
        assert told.startswith("NOT verified"), (road, change.__name__, told)
        await page.unroute_all()
        await page.evaluate("localStorage.clear()")
        assert (await verdict(page)).startswith("Verified"), (road, change.__name__)
    assert house.complaints == []


@pytest.mark.requirement("SERVE-35")
async def test_a_log_that_grew_is_the_one_seen_before_and_another_one_is_not(house: House):
    page = await house.visit()
    for number in range(6):
        assert (await verdict(page)).startswith("Verified")
        for _ in range(number):
            house.decide()
    assert "are its beginning" in await page.locator("#verdict").inner_text()
    root = base64.b64encode(bytes(32)).decode()
    size = house.plane.ledger.size()
    for forgery in (
        {"root": root},
        {"root": root, "size": size - 3},
        {"size": size + 5},
        {"key": "another+00000000+AQ=="},
    ):
        before = await page.evaluate("localStorage.getItem('control-plane.seen')")
        await page.evaluate(
            """forged => { const seen = JSON.parse(localStorage.getItem('control-plane.seen'));
               localStorage.setItem('control-plane.seen', JSON.stringify({...seen, ...forged})); }""",
            forgery,
        )
        assert (await verdict(page)).startswith("NOT verified"), forgery
        await page.evaluate("seen => localStorage.setItem('control-plane.seen', seen)", before)
    assert (await verdict(page)).startswith("Verified")
    await page.evaluate("localStorage.setItem('control-plane.seen', '{\"key\": \"another+00000000+AQ==\"}')")
    await verdict(page)
    await page.get_by_role("button", name="Forget what was seen here").click()
    await expect(page.locator("#verdict")).to_contain_text("Verified")


@pytest.mark.requirement("SERVE-35")
async def test_an_event_that_is_shown_otherwise_than_signed_is_found(house: House):
    house.decide()
    page = await house.visit()

    async def lie(route: Route) -> None:
        answer = await route.fetch()
        found = json.loads(await answer.text())
        found["events"][0]["fact"]["success"] = False
        await route.fulfill(response=answer, json=found)

    await page.route("**/api/panels/events?*", lie)
    await page.goto(f"{house.url}/#/event?position={house.plane.ledger.size()}")
    await expect(page.locator("dialog pre")).to_contain_text('"success": false')
    await page.get_by_role("button", name="Verify this event").click()
    await expect(page.locator("dialog .verdict")).to_contain_text("NOT verified: the event that is shown")


async def test_a_browser_without_ed25519_says_that_it_cannot_say(house: House):
    page = await house.visit()
    await page.evaluate(
        "() => { crypto.subtle.importKey = () => Promise.reject(new DOMException('no', 'NotSupportedError')); }"
    )
    told = await verdict(page)
    assert told.startswith("Not checked: this browser cannot check Ed25519")


@pytest.mark.parametrize(
    ("file", "right", "wrong"),
    [
        ("believing.js", "if (!same(root, note.root))", "if (false)"),
        ("proof.js", 'return subtle().verify({ name: "Ed25519" }, key, signature, message);', "return true;"),
    ],
)
async def test_a_page_that_believed_everything_would_fail_these_tests(house: House, file: str, right: str, wrong: str):
    """A planted fault: the check itself is taken out, and a tampered proof passes."""

    async def gullible(page: Page) -> None:
        async def between(route: Route) -> None:
            answer = await route.fetch()
            text = await answer.text()
            assert right in text
            await route.fulfill(response=answer, body=text.replace(right, wrong))

        await page.route(f"**/assets/{file}", between)

    house.live_through(hours=0.1, decisions=20)
    page = await house.visit(prepare=gullible)
    await tamper(page, "events", other_hash if file == "believing.js" else other_signature)
    assert (await verdict(page)).startswith("Verified")
