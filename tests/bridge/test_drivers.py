"""Drivers against what they drive: a real tmux, a stand-in for Codex, and what an OpenCode server is asked."""

import json
import os
import shlex
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from control_plane.bridge.configuring import Settings, drivers_of, read_settings
from control_plane.bridge.drivers import Order, Outcome
from control_plane.bridge.drivers.codex import Codex
from control_plane.bridge.drivers.opencode import OpenCode
from control_plane.bridge.drivers.processes import running
from control_plane.bridge.drivers.tmux import Tmux, typed
from control_plane.bridge.supervising import Supervisor
from control_plane.bridge.terms import JobStatus, Step
from control_plane.errors import SettingsError
from tests.bridge.conftest import REVIEWER, House

BEAT = {"management_mode": "managed", "resumable": True, "status": "idle"}


def order(step: Step = Step.TRIGGER, **more) -> Order:
    facts = {"session": "s1", "prompt": "look", "reason": "unread"} | more
    return Order("trg_1", 1, step, "th_1", "w1", "reviewer", **facts)


def until(met: Callable[[], bool]) -> None:
    pause = threading.Event()
    for _ in range(600):
        if met():
            return
        pause.wait(0.05)
    raise AssertionError("it did not happen within half a minute")


def test_an_envelope_is_one_line_without_control_characters() -> None:
    told = order(prompt="rm\n-rf\x1b[2J \x03/\tx", reason="a\nb").envelope()
    assert told == "[BRIDGE_TRIGGER id=trg_1 attempt=1 thread=th_1 reason=a b] rm -rf [2J  / x"


class Terminal:
    """A tmux server of its own, with one pane that writes down each line that is typed into it."""

    def __init__(self, folder: Path) -> None:
        self.socket, self.typed = str(folder / "s"), folder / "typed"
        listener = f"import sys; f = open({str(self.typed)!r}, 'a')\nfor line in sys.stdin: f.write(line); f.flush()"
        command = shlex.join([sys.executable, "-c", listener])
        self.tmux("-f", "/dev/null", "new-session", "-d", "-s", "agent", "-x", "200", "-y", "50", command)
        self.pane = self.tmux("display-message", "-p", "-t", "agent", "#{pane_id}").strip()

    def driver(self, pane: str | None = None) -> Tmux:
        """As an operator configures it: this pane is the reviewer's, who is a Python program."""
        bound = {"w1": {"reviewer": pane or self.pane}}
        return Tmux(socket=self.socket, panes=bound, programs=[Path(sys.executable).name])

    def tmux(self, *words: str) -> str:
        environment = {name: value for name, value in os.environ.items() if name != "TMUX"}
        done = subprocess.run(
            ["tmux", "-S", self.socket, *words], capture_output=True, text=True, timeout=20, check=True, env=environment
        )
        return done.stdout

    def lines(self) -> list[str]:
        return self.typed.read_text().splitlines() if self.typed.exists() else []


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    # Not under pytest's own folder: the path of a socket is short.
    with tempfile.TemporaryDirectory(prefix="tm") as folder:
        terminal = Terminal(Path(folder))
        yield terminal
        subprocess.run(["tmux", "-S", terminal.socket, "kill-server"], capture_output=True, timeout=20, check=False)


@pytest.mark.requirement("BRIDGE-13")
def test_a_wake_is_typed_into_a_pane_as_one_line(terminal: Terminal) -> None:
    driver, asked = terminal.driver(), order(session=terminal.pane, prompt="C-c Enter; $(x) `y` -t it's\x03")
    assert driver.wake(asked, 20) == Outcome("sent")
    until(lambda: len(terminal.lines()) == 1)
    assert terminal.lines() == [typed(asked)]
    assert typed(asked).endswith("] C-c Enter    x   y  -t it\N{RIGHT SINGLE QUOTATION MARK}s")
    assert driver.seen(asked)
    assert not driver.seen(order(session=terminal.pane, reason="else").__class__("trg_2", 1, Step.TRIGGER, *("",) * 5))
    assert terminal.driver("%99").wake(order(session="%99"), 20) == Outcome("failed", "RUNTIME_NOT_FOUND")


def test_nothing_is_typed_into_a_pane_that_nobody_bound_to_the_agent(terminal: Terminal) -> None:
    mine = order(session=terminal.pane)
    elsewhere = Order("trg_1", 1, Step.TRIGGER, "th_1", "w2", "reviewer", "unread", "look", terminal.pane)
    for driver, asked in (
        (Tmux(socket=terminal.socket), mine),
        (terminal.driver("%7"), mine),
        (terminal.driver(), elsewhere),
        (terminal.driver(), order(session="agent")),
        (terminal.driver(), order(session="")),
    ):
        assert driver.wake(asked, 0) == Outcome("failed", "PANE_NOT_BOUND")
        assert not driver.seen(asked)
    assert terminal.lines() == []


@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_a_pane_whose_agent_has_ended_is_left_alone_and_its_shell_runs_nothing(
    terminal: Terminal, tmp_path: Path, shell: str
) -> None:
    ran, read = tmp_path / "ran", tmp_path / "read"
    pane = terminal.tmux("new-window", "-P", "-F", "#{pane_id}", "-t", "agent", shell).strip()
    driver = terminal.driver(pane)
    asked = order(session=pane, prompt=f"; touch {ran}; $(touch {ran}) `touch {ran}` | touch {ran} & (touch {ran}) '")
    until(lambda: driver.wake(asked, 0) == Outcome("busy", "AGENT_NOT_IN_PANE"))
    # What if it ends between the look and the last key: the shell gets the very line.
    for line in (typed(asked), f"touch {read}"):
        terminal.tmux("send-keys", "-t", pane, "-l", "--", line)
        terminal.tmux("send-keys", "-t", pane, "Enter")
    until(read.exists)
    assert not ran.exists()


@pytest.mark.requirement("BRIDGE-13", "BRIDGEOPS-70", "BRIDGEOPS-87")
def test_a_pane_at_which_a_person_types_is_left_alone(terminal: Terminal) -> None:
    pid, seat = os.forkpty()
    if pid == 0:
        os.environ.pop("TMUX", None)
        os.environ["TERM"] = "xterm"
        os.execvp("tmux", ["tmux", "-S", terminal.socket, "attach", "-t", "agent"])
    driver, asked = terminal.driver(), order(session=terminal.pane)
    drain = threading.Thread(target=_drain, args=(seat,), daemon=True)
    drain.start()
    try:
        until(lambda: terminal.tmux("list-clients", "-t", "agent") != "")
        os.write(seat, b"typing")
        until(lambda: driver.wake(asked, 3600) == Outcome("busy", "OPERATOR_BUSY"))
        assert terminal.lines() == []
        # The quiet window has passed: a person who is only attached does not hold it up.
        assert driver.wake(asked, 0) == Outcome("sent")
    finally:
        terminal.tmux("detach-client", "-s", "agent")
        os.waitpid(pid, 0)
        drain.join(10)
        os.close(seat)


def _drain(seat: int) -> None:
    try:
        while os.read(seat, 4096):
            pass
    except OSError:
        return


@pytest.mark.requirement("BRIDGE-13")
def test_tmux_starts_a_pane_where_there_is_none(terminal: Terminal, tmp_path: Path) -> None:
    told = tmp_path / "told"
    script = f"import sys, pathlib; pathlib.Path({str(told)!r}).write_text(sys.argv[1])"
    driver, asked = Tmux(socket=terminal.socket, spawn=[sys.executable, "-c", script]), order(Step.SPAWN)
    assert driver.wake(asked, 20) == Outcome("sent")
    until(lambda: told.exists() and told.read_text() == asked.envelope())
    assert Tmux(socket=terminal.socket).wake(asked, 20) == Outcome("failed", "RUNTIME_NOT_FOUND")


@pytest.fixture
def codex(tmp_path: Path) -> Iterator[tuple[Codex, Path]]:
    """A stand-in executable that writes down how it was called."""
    calls, program = tmp_path / "calls", tmp_path / "codex"
    program.write_text(
        f"#!{sys.executable}\nimport json, os, sys\n"
        f"told = json.dumps([sys.argv[1:], os.environ['BRIDGE_TRIGGER_ID']])\n"
        f"with open({str(calls)!r}, 'a') as f: f.write(told + '\\n')\n"
    )
    program.chmod(0o755)
    yield Codex(tmp_path / "spool", command=[str(program)]), calls
    until(lambda: running() == 0)


@pytest.mark.requirement("BRIDGE-14", "BRIDGEOPS-07")
def test_codex_is_resumed_or_begun_once_for_each_attempt(codex: tuple[Codex, Path]) -> None:
    driver, calls = codex
    again, fresh = order(Step.RESUME), Order("trg_2", 1, Step.SPAWN, "th_1", "w1", "reviewer", "unread", "look")
    assert not driver.seen(again)
    for asked in (again, again, fresh):
        assert driver.wake(asked, 20) == Outcome("sent")
    until(lambda: calls.exists() and len(calls.read_text().splitlines()) == 2)
    told = sorted(json.loads(line) for line in calls.read_text().splitlines())
    assert told == [
        [["exec", "--", fresh.envelope()], "trg_2"],
        [["exec", "resume", "--", "s1", again.envelope()], "trg_1"],
    ]
    assert driver.seen(again)


def test_a_session_that_is_an_option_or_a_path_reaches_no_runtime(codex: tuple[Codex, Path]) -> None:
    driver, calls = codex
    for name in ('-cnotify=["sh","-c","id"]', "--help", "a b", "../x", "s;x", "%0"):
        assert driver.wake(order(Step.RESUME, session=name), 20) == Outcome("failed", "RUNTIME_NOT_FOUND")
        assert OpenCode("http://127.0.0.1:1").wake(order(session=name), 20) == Outcome("failed", "RUNTIME_NOT_FOUND")
    assert running() == 0
    assert not calls.exists()


def test_a_heartbeat_names_a_session_as_its_runtime_does(house: House) -> None:
    option = '-cnotify=["sh","-c","id"]'
    for runtime, wrong in {
        "tmux": ["agent", "%", "%0;x", "%0 ", "s1"], "codex": ["%0", option, "-s", "a/b", "s" * 129],
        "opencode": ["ses_1/abort?x=", "..", "%1"], "terminal": ["a b", option, "é", "{last}", "%1\n"],
    }.items():  # fmt: skip
        for name in wrong:
            assert house.refused("heartbeat_session", REVIEWER, **BEAT, runtime=runtime, session_id=name)
    for runtime, name in (("tmux", "%0"), ("terminal", "%12"), ("codex", "0199-abc"), ("opencode", "ses_1A")):
        house.call("heartbeat_session", REVIEWER, **BEAT, runtime=runtime, session_id=name)


def test_only_configured_drivers_wake(house: House, tmp_path: Path) -> None:
    """Somebody names a pane, or a session of Codex, of a house that configured neither."""
    house.supervisor = Supervisor(house.bridge, drivers_of(Settings(), tmp_path))
    house.beat(runtime="tmux", session_id="%0")
    thread = house.thread()
    house.say(thread)
    for after in (1, 1, 1, 1):
        house.tick(after)
    assert (house.job(thread).status, house.job(thread).why) == (JobStatus.DEAD_LETTER, "RUNTIME_NOT_FOUND")


def test_where_codex_is_missing_the_wake_fails_and_may_be_tried_again(tmp_path: Path) -> None:
    driver = Codex(tmp_path / "spool", command=["/nowhere/codex"])
    for _ in range(2):
        assert driver.wake(order(), 20) == Outcome("failed", "RUNTIME_NOT_FOUND")
    assert not driver.seen(order())


@pytest.mark.requirement("BRIDGE-14", "BRIDGEOPS-07", "BRIDGEOPS-85")
def test_a_dormant_codex_is_woken_from_a_message(house: House, codex: tuple[Codex, Path]) -> None:
    driver, calls = codex
    house.supervisor = Supervisor(house.bridge, {"codex": driver})
    house.beat(runtime="codex", session_id="0199-abc")
    thread = house.thread()
    house.say(thread)
    house.tick(1)
    until(lambda: calls.exists() and calls.read_text().endswith("\n"))
    (words, job) = json.loads(calls.read_text())
    assert words[:4] == ["exec", "resume", "--", "0199-abc"]
    assert f"id={job} attempt=1 thread={thread}" in words[4]
    assert house.job(thread).status is JobStatus.TRIGGERING


class Asked(BaseHTTPRequestHandler):
    """What an OpenCode server answers to a bridge; the real one is in test_workflow."""

    asked: list[tuple[str, str, object]]
    status = 204

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.asked.append(("POST", self.path, body))
        made = self.path.partition("?")[0] == "/session"
        self._answer(200 if made else self.status, b'{"id": "ses_new"}' if made else b"")

    def do_GET(self) -> None:
        texts = [body["parts"][0]["text"] for _, path, body in self.asked if "prompt_async" in path]
        self._answer(200, json.dumps([{"parts": [{"type": "text", "text": text}]} for text in texts]).encode())

    def _answer(self, status: int, content: bytes) -> None:
        self.send_response(status)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Nobody listens."""


@pytest.fixture
def server() -> Iterator[tuple[str, type[Asked]]]:
    handler = type("Handler", (Asked,), {"asked": []})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as http:
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield f"http://127.0.0.1:{http.server_address[1]}", handler
        http.shutdown()
        thread.join()


def test_opencode_is_prompted_in_its_session_or_in_a_new_one(server: tuple[str, type[Asked]]) -> None:
    url, handler = server
    driver, asked = OpenCode(url, directory="/a b", model="fake/one", agent="build"), order(session="ses_1")
    assert not driver.seen(asked)
    assert driver.wake(asked, 20) == Outcome("sent")
    body = {"parts": [{"type": "text", "text": asked.envelope()}], "agent": "build",
            "model": {"providerID": "fake", "modelID": "one"}}  # fmt: skip
    assert handler.asked == [("POST", "/session/ses_1/prompt_async?directory=%2Fa%20b", body)]
    assert driver.seen(asked)
    assert driver.wake(order(Step.SPAWN, session=""), 20) == Outcome("sent")
    assert [path.partition("?")[0] for _, path, _ in handler.asked[1:]] == ["/session", "/session/ses_new/prompt_async"]
    handler.status = 404
    assert driver.wake(asked, 20) == Outcome("failed", "RUNTIME_NOT_FOUND")
    handler.status = 500
    assert driver.wake(asked, 20) == Outcome("failed", "RUNTIME_OFFLINE")


def test_where_no_server_answers_the_runtime_is_offline() -> None:
    driver = OpenCode("http://127.0.0.1:1")
    assert driver.wake(order(), 20) == Outcome("failed", "RUNTIME_OFFLINE")
    assert not driver.seen(order())


def test_settings_name_drivers_runtimes_and_limits(tmp_path: Path) -> None:
    file = tmp_path / "bridge.toml"
    file.write_text(
        '[runtimes]\nreviewer = "oc"\n[drivers.oc]\nkind = "opencode"\nurl = "http://127.0.0.1:1"\n'
        "[limits]\nack_timeout_s = 3.0\n"
    )
    settings = read_settings(file)
    assert (settings.runtimes, settings.limits.ack_timeout_s, settings.limits.retries) == ({"reviewer": "oc"}, 3.0, 2)
    assert sorted(drivers_of(settings, tmp_path)) == ["oc"]
    tmux = "[drivers.x]\nkind = 'tmux'\n"
    for wrong in (
        "[limits]\nack = 1", "[drivers.x]\nkind = 'else'", "x", "[drivers.x]\nkind = 'opencode'",
        "[runtimes]\nreviewer = 'tmux'", f"{tmux}panes.w1.reviewer = '%0'", f"{tmux}programs = ['zsh']",
        f"{tmux}programs = ['claude']\npanes.w1.reviewer = 'main'",
    ):  # fmt: skip
        file.write_text(wrong)
        with pytest.raises(SettingsError):
            drivers_of(read_settings(file), tmp_path)
