"""Two processes on each log, started again whenever they are killed, and everything that they acknowledged."""

import os
import signal
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec

from ..bridge.rules import Actor
from ..plane import ControlPlane
from ..proving.processes import Process
from .playing import AGAIN, ARMS, GUARDED, WORKSPACE

MODULE = "control_plane.soak.playing"
SEATS, THREADS = 2, 2
PARTS = ("result", "post", "check")
_PATIENCE_S, _STARTS = 60.0, 20
_RULES = {
    "version": "1.0",
    "skills": {
        "database": {
            "type": "guardrail",
            "enforcement": "block",
            "fileTriggers": {"pathPatterns": [GUARDED]},
            "blockMessage": "{file_path} is guarded.",
        }
    },
}


class Site(msgspec.Struct, frozen=True):
    """One log, and where it lies."""

    name: str
    home: str
    state: str | None
    threads: tuple[str, ...]
    library: str | None


def settle(name: str, folder: Path, address: str | None, library: str | None) -> Site:
    """A project with rules, a home, and threads to talk in."""
    project = folder / name
    rules = project / ".claude/skills/skill-rules.json"
    rules.parent.mkdir(parents=True)
    rules.write_bytes(msgspec.json.encode(_RULES))
    place = str(project / ".opencode" / "control-plane")
    home, state = (place, None) if address is None else (address, place)
    agents = [f"{name}-{number}" for number in range(SEATS)]
    with ControlPlane.open(home, state_dir=state, catalogue=ARMS, background=False) as plane:
        asked = {"workspace_id": WORKSPACE, "title": "soak", "type": "workflow", "participants": agents}
        boss = Actor("boss", "coordinator", WORKSPACE)
        threads = [
            plane.bridge.call("create_thread", boss, msgspec.json.encode(asked))["thread_id"] for _ in range(THREADS)
        ]
    return Site(name, home, state, tuple(threads), library)


class Heard:
    """What the processes of one log said, whoever of them is still alive."""

    def __init__(self) -> None:
        self.results: dict[str, float] = {}
        self.posts: list[tuple[str, str, int]] = []
        self.checks: list[tuple[str, bool, str]] = []
        self.wakes: Counter[tuple[str, int]] = Counter()
        self.refused: Counter[str] = Counter()
        self.broken: list[str] = []
        self.felt: Counter[str] = Counter()

    def note(self, line: dict[str, Any]) -> None:
        match line:
            case {"result": [decision, latency]}:
                self.results[decision] = latency
            case {"post": [thread, key, seq]}:
                self.posts.append((thread, key, seq))
            case {"check": [decision, guarded, live]}:
                self.checks.append((decision, guarded, live))
            case {"wake": [job, attempt]}:
                self.wakes[job, attempt] += 1
            case {"refused": why}:
                self.refused[why.split(":")[1].strip()] += 1
            case {"broken": why}:
                self.broken.append(why)


class Seat:
    """One place for a process; who sits there changes, the agent's name does not."""

    def __init__(self, site: Site, number: int, heard: Heard, load: float, fault: str) -> None:
        self.site, self.heard, self._load, self._fault = site, heard, load, fault
        self.agent = f"{site.name}-{number}"
        self.kills = 0
        self.spoken: Counter[str] = Counter()
        self._ahead, self._spoke = 0.0, threading.Condition()
        self._answers: list[dict[str, Any]] = []
        self.start()

    def start(self) -> None:
        told = {
            "home": self.site.home, "state": self.site.state, "agent": self.agent, "threads": self.site.threads,
            "library": self.site.library, "ahead": self._ahead, "load": self._load,
            "fault": self._fault,
        }  # fmt: skip
        preloaded = {"LD_PRELOAD": self.site.library} if self.site.library else {}
        self._process = Process(MODULE, "house", told, environment=preloaded, apart=True)
        self._ready, self._ended = threading.Event(), False
        self._began = False
        self._listener = threading.Thread(target=self._listen, args=(self._process, self._ready), daemon=True)
        self._listener.start()

    def _listen(self, process: Process, ready: threading.Event) -> None:
        for line in process.lines():
            with self._spoke:
                self.heard.note(line)
                self.spoken.update(line.keys() & set(PARTS))
                self._ended = self._ended or "ended" in line
                if "felt" in line:
                    self._answers.append(line)
                self._spoke.notify_all()
            if "ready" in line:
                self._began = True
                ready.set()
        ready.set()

    def wait_until_ready(self) -> None:
        for _ in range(_STARTS):
            self._ready.wait(_PATIENCE_S)
            if self._began or not self._again():
                break
        if not self._began:
            self.heard.broken.append(f"{self.agent} did not start")

    def _again(self) -> bool:
        """Whether it ended because its database was away; then the next one is started."""
        self._listener.join(_PATIENCE_S)
        if self._listener.is_alive() or self._process.process.wait(_PATIENCE_S) != AGAIN:
            return False
        self._process.end()
        self.start()
        return True

    def tell(self, **words: Any) -> None:
        self._ahead = words.get("ahead", self._ahead)
        try:
            self._process.tell(**words)
        except OSError:
            self.heard.broken.append(f"{self.agent} was gone when it was told {', '.join(words)}")

    def ask(self, what: str) -> dict[str, Any]:
        """What it feels of a fault; empty when it does not answer."""
        with self._spoke:
            self._answers.clear()
        self.tell(felt=what)
        with self._spoke:
            self._spoke.wait_for(lambda: bool(self._answers), _PATIENCE_S)
            return self._answers[-1] if self._answers else {}

    def kill(self) -> bool:
        """SIGKILL; whether it was still at work."""
        self._process.process.kill()
        self._listener.join(_PATIENCE_S)
        code = self._process.end()
        killed = code == -signal.SIGKILL
        self.kills += killed
        if not killed and code != AGAIN:
            self.heard.broken.append(f"{self.agent} had ended before it was killed")
        return killed

    def speaks(self) -> bool:
        """Whether every part is heard of again, from now on."""
        with self._spoke:
            before = Counter(self.spoken)
            return self._spoke.wait_for(lambda: all(self.spoken[part] > before[part] for part in PARTS), _PATIENCE_S)

    def stop(self) -> None:
        """In good order: the last results are flushed and the home is closed."""
        self.tell(stop=True)
        self._listener.join(_PATIENCE_S)
        if self._listener.is_alive():
            self.heard.broken.append(f"{self.agent} did not end")
            self._process.process.kill()
        code = self._process.end()
        if not self._ended or code != 0:
            self.heard.broken.append(f"{self.agent} ended with {os.strerror(-code) if code < 0 else f'exit {code}'}")

    def abandon(self) -> None:
        """Whatever it is doing."""
        self._process.process.kill()
        self._process.process.wait(_PATIENCE_S)
