"""A run as it is seen: live on a terminal, as JSON lines headless, and as plain lines into a pipe."""

import contextlib
import json
import os
import select
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Protocol

from ..clock import Clock

if TYPE_CHECKING:
    from rich.console import RenderableType

    from ..runner.asking import Asked
    from ..runner.port import Worker

Write = Callable[[str], None]
Stop = Callable[[str], None]
KEPT = 200


class View(Protocol):
    def tell(self, kind: str, facts: dict[str, Any]) -> None: ...
    def shown(self, stop: Stop) -> contextlib.AbstractContextManager[None]: ...


def view_for(run: str, asked: "Asked", worker: "Worker", *, headless: bool, terminal: bool, write: Write) -> View:
    if headless:
        return JsonLines(run, write)
    return Live(run, asked, worker) if terminal else PlainLines(run, write)


class JsonLines:
    def __init__(self, run: str, write: Write) -> None:
        self._run, self._write, self._now = run, write, Clock().now

    def tell(self, kind: str, facts: dict[str, Any]) -> None:
        self._write(json.dumps({"event": kind, "run": self._run, "at": self._now(), **facts}, ensure_ascii=True) + "\n")
        sys.stdout.flush()

    @contextlib.contextmanager
    def shown(self, _stop: Stop) -> Iterator[None]:
        yield


class PlainLines:
    def __init__(self, run: str, write: Write) -> None:
        self._run, self._write = run, write

    def tell(self, kind: str, facts: dict[str, Any]) -> None:
        line = line_of(kind, facts)
        if line:
            self._write(line + "\n")
            sys.stdout.flush()

    @contextlib.contextmanager
    def shown(self, _stop: Stop) -> Iterator[None]:
        self._write(f"run {self._run}\n")
        yield


def line_of(kind: str, facts: dict[str, Any]) -> str:
    """One line for people, or nothing."""
    told = {
        "model-chosen": lambda f: f"model     {f['model'] or 'as OpenCode is set'}  ({f['why']})",
        "worker-started": lambda f: f"worker    OpenCode {f['version']}, session {f['session']}, {f['seconds']:.1f} s",
        "prompt-sent": lambda f: f"turn {f['iteration']:<4} {f['source']}: {_line(f['text'])}",
        "call-seen": lambda f: f"  call    {'✗ ' if f['failing'] else ''}{_line(f['shown'])}",
        "text-seen": lambda f: f"  says    {_line(f['text'])}",
        "loop-found": lambda f: f"  loop    {f['why']} → {f['answer']}",
        "reviewed": lambda f: f"  review  {f['action'] or 'no answer'} {_line(f['reason'] or '; '.join(f['errors']))}",
        "worker-erred": lambda f: f"  error   {f['kind']}: {_line(f['what'])}",
        "worker-retries": lambda f: f"  retry   {f['attempt']}: {_line(f['what'])}",
        "verdict-reached": lambda f: f"  checks  {f['verdict']}: {_line(f['reason'])}",
        "run-ended": lambda f: f"{f['outcome']}  {_line(f['reason'])}  ({f['iterations']} turns, ${f['cost_usd']:.4f})",
        "notified": lambda f: f"notified  {f['delivered']} delivered, {f['dead']} dead",
    }.get(kind)
    return told(facts) if told is not None else ""


def _line(text: str) -> str:
    return " ".join(text.split())[:160]


class Live:
    """Header, what the worker says, what happened, footer; `q` ends the run in good order."""

    def __init__(self, run: str, asked: "Asked", worker: "Worker") -> None:
        self._run, self._asked, self._worker = run, asked, worker
        self._words, self._lines = "", deque[str](maxlen=KEPT)
        self._state, self._iteration, self._model = "starts", 0, asked.model
        self._began, self._lock = time.monotonic(), threading.Lock()

    def tell(self, kind: str, facts: dict[str, Any]) -> None:
        with self._lock:
            if kind == "words":
                self._words = (self._words + facts["text"])[-6000:]
            elif kind == "text-seen":
                self._words = (self._words + "\n")[-6000:]
            if kind == "prompt-sent":
                self._iteration, self._state = facts["iteration"], "works"
            if kind == "model-chosen":
                self._model = facts["model"]
            if kind == "run-ended":
                self._state = facts["outcome"]
            line = line_of(kind, facts)
            if line:
                self._lines.append(line)

    @contextlib.contextmanager
    def shown(self, stop: Stop) -> Iterator[None]:
        from rich.live import Live as Screen

        ending = threading.Event()
        with _keys(lambda: stop("ended by q"), ending), Screen(get_renderable=self.render, refresh_per_second=8):
            try:
                yield
            finally:
                ending.set()

    def render(self) -> "RenderableType":
        from rich.console import Group
        from rich.panel import Panel
        from rich.text import Text

        with self._lock:
            up = int(time.monotonic() - self._began)
            head = f"turn {self._iteration}/{self._asked.max_iterations}   {self._state}   up {up // 60}:{up % 60:02}"
            words = "\n".join(self._words.splitlines()[-12:])
            lines = "\n".join(list(self._lines)[-12:])
            foot = f"{self._model or 'OpenCode chooses'}   {self._worker.url or 'starts'}   q ends the run"
        return Group(
            Text(f"run {self._run}   {head}", style="bold"), Panel(Text(words), title="worker"),
            Panel(Text(lines), title="what happened"), Text(foot, style="dim"),
        )  # fmt: skip


@contextlib.contextmanager
def _keys(end: Callable[[], None], ending: threading.Event) -> Iterator[None]:
    """`q` is heard while this is held; the terminal is as it was afterwards."""
    if not sys.stdin.isatty():
        yield
        return
    import termios
    import tty

    handle = sys.stdin.fileno()
    before = termios.tcgetattr(handle)
    wake, waker = os.pipe()

    def listen() -> None:
        while not ending.is_set():
            ready, _, _ = select.select([handle, wake], [], [])
            if wake in ready:
                return
            if os.read(handle, 1) in (b"q", b"Q"):
                end()

    tty.setcbreak(handle)
    thread = threading.Thread(target=listen, name="keys", daemon=True)
    thread.start()
    try:
        yield
    finally:
        os.write(waker, b"x")
        thread.join(2)
        os.close(wake)
        os.close(waker)
        termios.tcsetattr(handle, termios.TCSADRAIN, before)
