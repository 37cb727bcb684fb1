"""One browser for a file of tests; a plane, a server and a browser context of its own for each test.

A browser that outlived its file would hold an event loop on to whatever this process tests next.
"""

import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import NoReturn

import pytest
from playwright.async_api import Browser, async_playwright, expect

from control_plane import ControlPlane
from control_plane.api.stream import Hub
from control_plane.proving import HandClock
from tests.browser import chromium
from tests.dashboard.house import ARMS, House, served


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


# A busy machine is no failure of the page.
expect.set_options(timeout=30_000)


@pytest.fixture(scope="module")
async def browser(anyio_backend: str) -> AsyncIterator[Browser | str]:
    """Chromium, or why there is none."""
    path = chromium()
    if path is None:
        yield "no chromium here; `python tests/browser.py` installs it where root may"
        return
    async with async_playwright() as playwright:
        found = await playwright.chromium.launch(
            executable_path=path, args=["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]
        )
        yield found
        await found.close()


@pytest.fixture
async def house(
    tmp_path: Path, browser: Browser | str, could_not_run: Callable[[str], NoReturn]
) -> AsyncIterator[House]:
    clock, hub = HandClock(), Hub()
    async with contextlib.AsyncExitStack() as stack:
        plane = stack.enter_context(
            ControlPlane.open(tmp_path / ".opencode/control-plane", catalogue=ARMS, clock=clock, background=False)
        )
        url = await stack.enter_async_context(served(plane, hub))
        yield House(plane, clock, hub, url, browser, could_not_run, [], stack)
