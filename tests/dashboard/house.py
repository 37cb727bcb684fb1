"""A served control plane in which something happens, and a page in a real browser that looks at it."""

import asyncio
import contextlib
import functools
import random
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import uvicorn
from axe_playwright_python import base as axe
from playwright.async_api import Browser, ConsoleMessage, Page

from control_plane import Arm, ControlPlane, Task
from control_plane.access.tokens import Access
from control_plane.api.app import create_app
from control_plane.api.serving import listening
from control_plane.api.stream import Hub
from control_plane.proving import HandClock

TOKEN = "the-token-of-this-house"
ARMS = (
    Arm("anthropic/opus", prior=0.8, price_in=5, price_out=25),
    Arm("anthropic/sonnet", prior=0.7, price_in=3, price_out=15),
    Arm("openai/gpt", prior=0.65, price_in=1.5, price_out=10),
    Arm("acme/local", prior=0.5),
)
AXE = Path(axe.__file__).with_name("axe.min.js")
ARTIFACTS = Path(__file__).parents[2] / "tmp" / "artifacts"
SERIOUS = ("serious", "critical")


class Quiet(uvicorn.Server):
    """Signals belong to pytest."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def served(plane: ControlPlane, hub: Hub) -> AsyncIterator[str]:
    sock = listening("127.0.0.1", 0)
    app = create_app(plane, Access(lambda: TOKEN, {}, plane.ledger.clock.now), hub)
    server = Quiet(uvicorn.Config(app, log_config=None, access_log=False, lifespan="on"))  # type: ignore[arg-type]
    running = asyncio.create_task(server.serve(sockets=[sock]))
    try:
        yield f"http://127.0.0.1:{sock.getsockname()[1]}"
    finally:
        hub.close()
        server.should_exit = True
        await running
        sock.close()


class House(NamedTuple):
    plane: ControlPlane
    clock: HandClock
    hub: Hub
    url: str
    browser: Browser | str
    could_not_run: Callable[[str], NoReturn]
    complaints: list[str]
    stack: contextlib.AsyncExitStack

    async def visit(
        self,
        *,
        theme: str = "light",
        width: int = 1280,
        token: str | None = TOKEN,
        prepare: Callable[[Page], Awaitable[None]] | None = None,
    ) -> Page:
        """A page of its own, open on the dashboard; every complaint of the browser is kept."""
        if isinstance(self.browser, str):
            self.could_not_run(self.browser)
        context = await self.browser.new_context(
            color_scheme=theme,  # type: ignore[arg-type]
            viewport={"width": width, "height": 900},
            locale="en-GB",
            timezone_id="UTC",
        )
        self.stack.push_async_callback(context.close)
        context.set_default_timeout(30_000)
        page = await context.new_page()
        page.on("console", functools.partial(heard, self.complaints))
        page.on("pageerror", lambda fault: self.complaints.append(f"pageerror: {fault}"))
        if prepare is not None:
            await prepare(page)
        await page.goto(self.url if token is None else f"{self.url}/#token={token}")
        if token == TOKEN:
            await page.wait_for_selector("#link[data-state=live]")
            await page.wait_for_selector("#totals dd")
        return page

    def decide(self, kind: str = "code.fix", **facts: Any) -> str:
        """One advice and its result, in the ledger when this returns."""
        advice = self.plane.advise(Task(type=kind))
        self.plane.record_result(advice.decision_id, **{"success": True, "latency_ms": 900.0, "cost_usd": 0.01} | facts)
        self.plane.flush()
        return advice.decision_id

    def live_through(self, hours: float = 3.0, decisions: int = 400) -> None:
        """Some history, the same each time: one arm is slow, one fails at the end until its breaker opens."""
        random_ = random.Random(5)
        usual = {"anthropic/opus": 2400, "anthropic/sonnet": 1300, "openai/gpt": 1800, "acme/local": 300}
        good = {"anthropic/opus": 0.88, "anthropic/sonnet": 0.8, "openai/gpt": 0.7, "acme/local": 0.45}
        for number in range(decisions):
            self.clock.pass_by(hours * 3600 / decisions)
            kind = random_.choice(("code.fix", "code.review", "docs.write", "test.write"))
            some = None if random_.random() < 0.6 else (random_.choice(ARMS).name,)
            repo = random_.choice(("acme/api", "acme/web"))
            advice = self.plane.advise(Task(type=kind, repo=repo, candidates=some))
            late = number > decisions * 0.7 and advice.arm == "openai/gpt"
            taken = usual[advice.arm] * random_.lognormvariate(0, 0.35) * (3 if late else 1)
            self.plane.record_result(
                advice.decision_id, success=random_.random() < good[advice.arm], latency_ms=taken,
                cost_usd=taken / 90_000, tokens_in=int(taken / 2), tokens_out=300,
            )  # fmt: skip
            if number % 50 == 0:
                self.plane.flush()
        self.plane.flush()
        for _ in range(6):
            self.clock.pass_by(1)
            self.plane.record_result(arm="acme/local", task=Task(type="code.fix"), error="timeout", latency_ms=60_000.0)
            self.plane.flush()


def heard(complaints: list[str], message: ConsoleMessage) -> None:
    if message.type in ("error", "warning"):
        complaints.append(f"{message.type}: {message.text}")


async def shot(page: Page, name: str) -> None:
    ARTIFACTS.mkdir(parents=True, exist_ok=True)
    await page.screenshot(path=ARTIFACTS / f"dashboard-{re.sub('[^a-z0-9]+', '-', name)}.png", full_page=True)


async def serious_findings(page: Page, within: str = "body", *, rule: str | None = None) -> list[str]:
    """What axe-core calls serious or critical, one line each; all rules or one."""
    if await page.evaluate("typeof axe") == "undefined":
        await page.evaluate(AXE.read_text())
    only = {"runOnly": {"type": "rule", "values": [rule]}} if rule else {}
    asked = [within, {"resultTypes": ["violations"], **only}]
    found = await page.evaluate("([within, how]) => axe.run(within, how)", asked)
    return [
        f"{one['id']} ({one['impact']}): {node['target']} {node['failureSummary'].splitlines()[-1].strip()}"
        for one in found["violations"]
        if one["impact"] in SERIOUS
        for node in one["nodes"]
    ]
