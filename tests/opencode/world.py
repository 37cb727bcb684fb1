"""A world of its own for each group of tests: a scripted model, a project, a home, a control plane, a real OpenCode."""

import contextlib
import http.client
import json
import os
import platform
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from control_plane.ledger.flock import lock
from control_plane.opencode.port import OpenCode
from control_plane.opencode.running import Running
from control_plane.opencode.shapes import Event, Message
from tests.opencode.scripted_model import Scripted

REPO = Path(__file__).parents[2]
PINS = Path(__file__).parent / "real"
VERSION = "1.18.33"
CACHE = REPO / ".cache" / f"opencode-{VERSION}"
STUB = {"dependencies": {"@opencode-ai/plugin": VERSION}}
A, B = "fake/fake-a", "fake/fake-b"


class Unobtainable(Exception):
    """This machine has no OpenCode to test with."""


def obtained() -> "str | Unobtainable":
    """The pinned OpenCode, or why there is none."""
    try:
        return obtain()
    except Unobtainable as lacking:
        return lacking


def obtain() -> str:
    """The pinned OpenCode, installed once for all tests of this checkout; by hash, no script of it is run."""
    machine = {"x86_64": "x64", "amd64": "x64", "arm64": "arm64", "aarch64": "arm64"}.get(
        platform.machine().lower(), "?"
    )
    name = f"opencode-{sys.platform}-{machine}"
    binary = CACHE / "node_modules" / name / "bin" / "opencode"
    npm = shutil.which("npm")
    CACHE.mkdir(parents=True, exist_ok=True)
    handle = os.open(CACHE / "lock", os.O_RDWR | os.O_CREAT)
    try:
        lock(handle)
        if not binary.exists():
            if npm is None:
                raise Unobtainable("npm is not installed")
            for pin in PINS.iterdir():
                shutil.copy(pin, CACHE)
            words = [npm, "install", "--ignore-scripts", "--no-audit", "--no-fund"]
            done = subprocess.run(words, cwd=CACHE, capture_output=True, text=True, timeout=150, check=False)
            if done.returncode or not binary.exists():
                raise Unobtainable(f"npm could not install opencode-ai {VERSION}: {done.stderr.strip()[-200:]}")
    finally:
        os.close(handle)
    return str(binary)


def put_stub(place: Path) -> None:
    (place / "node_modules").mkdir(parents=True)
    (place / "package.json").write_text(json.dumps(STUB))
    (place / "package-lock.json").write_text(json.dumps({"name": "stub", "lockfileVersion": 3, "packages": {"": STUB}}))


class World:
    def __init__(self, binary: str, folder: Path, *, cost: dict[str, Any] | None = None, **more: Any) -> None:
        self.binary, self.folder, self.model = binary, folder, Scripted()
        self.project = folder / "project"
        self.home = self.project / ".opencode" / "control-plane"
        self.user, self.server, self.resident = folder / "user", None, None
        self.env = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("OPENCODE_", "XDG_", "CONTROL_PLANE_"))
        }
        self.env |= {
            "HOME": str(self.user), "TMPDIR": str(folder / "tmp"), "XDG_CONFIG_HOME": str(self.user / ".config"),
            "XDG_DATA_HOME": str(self.user / ".local/share"), "XDG_STATE_HOME": str(self.user / ".local/state"),
            "XDG_CACHE_HOME": str(self.user / ".cache"), "OPENCODE_DISABLE_AUTOUPDATE": "1",
            "OPENCODE_DISABLE_MODELS_FETCH": "1", "PYTHONPATH": str(REPO),
            "CONTROL_PLANE_WITNESS": str(folder / "witness"),
            # Nothing but loopback can be reached.
            "HTTP_PROXY": "http://127.0.0.1:9", "HTTPS_PROXY": "http://127.0.0.1:9", "http_proxy": "http://127.0.0.1:9",
            "https_proxy": "http://127.0.0.1:9", "NO_PROXY": "127.0.0.1,localhost", "no_proxy": "127.0.0.1,localhost",
        }  # fmt: skip
        for made in (self.project, folder / "tmp", self.user):
            made.mkdir(parents=True, exist_ok=True)
        for place in (self.user / ".config/opencode", self.project / ".opencode"):
            put_stub(place)
        traits = {"tool_call": True, "limit": {"context": 128000, "output": 8192}} | ({"cost": cost} if cost else {})
        self.config: dict[str, Any] = {
            "autoupdate": False, "share": "disabled", "model": A, "small_model": "fake/fake-small",
            "enabled_providers": ["fake"],
            "provider": {"fake": {
                "npm": "@ai-sdk/openai-compatible", "name": "Fake",
                "options": {"baseURL": self.model.url, "apiKey": "sk-secret-of-the-provider"},
                "models": {name: {"name": name, **traits} for name in ("fake-a", "fake-b", "fake-small")},
            }},
            **more,
        }  # fmt: skip
        self.write_config()

    def write_config(self) -> None:
        (self.project / "opencode.json").write_text(json.dumps(self.config))

    def cli(self, *words: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "control_plane", *words], cwd=self.project, env=self.env, capture_output=True,
            text=True, timeout=120, check=False,
        )  # fmt: skip
        assert done.returncode == 0, (words, done.stdout, done.stderr)
        return done.stdout

    def install(self, *words: str) -> dict[str, Any]:
        told: dict[str, Any] = json.loads(self.cli("opencode", "install", "--opencode", self.binary, "--json", *words))
        return told

    def rules(self, told: dict[str, Any]) -> None:
        """Guardrails of the project."""
        folder = self.project / ".claude/skills"
        folder.mkdir(parents=True)
        (folder / "skill-rules.json").write_text(json.dumps(told))

    def settle(self, **settings: Any) -> None:
        """Give the installed plugin other settings."""
        path = self.project / ".opencode/plugin/control-plane.js"
        text = path.read_text()
        line = next(line for line in text.splitlines() if line.startswith("const SETTINGS = "))
        told = json.loads(line.removeprefix("const SETTINGS = ")) | settings
        path.write_text(text.replace(line, f"const SETTINGS = {json.dumps(told)}"))

    def serve(self) -> None:
        """The control plane, as the plugin would start it."""
        with (self.folder / "serve.log").open("ab") as log:
            self.resident = subprocess.Popen(
                [sys.executable, "-m", "control_plane", "opencode", "serve"], cwd=self.project, env=self.env,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        until(lambda: self.address.exists() and json.loads(self.address.read_text())["pid"] == self.resident.pid)

    def kill(self) -> None:
        """The control plane dies without a word."""
        assert self.resident is not None
        self.resident.send_signal(signal.SIGKILL)
        self.resident.wait(10)
        self.resident = None

    def ask(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Ask the control plane itself."""
        told = json.loads(self.address.read_text())
        parts = urlsplit(told["url"])
        connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=30)
        token = (self.home / "token").read_text().strip()
        with contextlib.closing(connection):
            headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
            connection.request("POST", path, json.dumps(body), headers)
            answer: dict[str, Any] = json.loads(connection.getresponse().read())
        return answer

    @property
    def address(self) -> Path:
        return self.home / "opencode-server.json"

    def start(self) -> OpenCode:
        self.server = Running(self.binary, self.project, self.env, log=self.folder / "opencode.log")
        return self.server.port

    def stop(self) -> None:
        if self.server is not None:
            self.server.stop()
            self.server = None

    @property
    def port(self) -> OpenCode:
        assert self.server is not None
        return self.server.port

    def events(self, topic: str) -> list[dict[str, Any]]:
        """What the log holds, read without any code of the program."""
        with contextlib.closing(sqlite3.connect(f"file:{self.home / 'ledger.db'}?mode=ro", uri=True)) as rows:
            found = rows.execute("SELECT state FROM stored_events WHERE topic = ? ORDER BY rowid", (topic,)).fetchall()
        return [json.loads(state) for (state,) in found]

    def of_session(self, topic: str, session: str) -> list[dict[str, Any]]:
        return [one for one in self.events(topic) if one.get("session") == session]

    def ended(self, session: str, turns: int = 1) -> dict[str, Any]:
        until(lambda: len(self.of_session("turns.turn-ended", session)) >= turns)
        return self.of_session("turns.turn-ended", session)[-1]

    def ready(self) -> None:
        """The plugin has said hello: the first turn of a session that nobody looks at makes it load."""
        session = self.port.create_session("warm up")

        def told() -> bool:
            self.port.prompt(session.id, "SAY warm", model=A)
            return bool(self.of_session("turns.turn-begun", session.id))

        until(told)
        self.ended(session.id)

    def last_answer(self, session: str) -> Message:
        return [one for one in self.port.messages(session) if one.info.role == "assistant"][-1]

    def close(self) -> None:
        self.stop()
        if self.resident is not None:
            self.resident.terminate()
            self.resident.wait(20)
        elif self.address.exists():
            with contextlib.suppress(ProcessLookupError):
                os.kill(json.loads(self.address.read_text())["pid"], signal.SIGTERM)
        self.model.close()


@contextlib.contextmanager
def watched(port: OpenCode) -> Iterator[list[Event]]:
    """Every event while this is held."""
    import threading

    seen: list[Event] = []
    stream = port.events()
    thread = threading.Thread(target=_collect, args=(stream, seen), daemon=True)
    thread.start()
    try:
        yield seen
    finally:
        stream.close()
        thread.join(5)


def _collect(stream: Any, seen: list[Event]) -> None:
    seen.extend(stream)


def until(true: Callable[[], object], seconds: float = 60.0) -> None:
    """Wait for what comes by itself; the limit is wide, for a busy machine."""
    limit = time.monotonic() + seconds
    while not true():
        if time.monotonic() > limit:
            raise AssertionError("it did not come in time")
        time.sleep(0.03)
