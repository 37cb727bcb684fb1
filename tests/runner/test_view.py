"""What a person sees of a run, and that `q` ends it; headless it is the same as JSON lines."""

import json
import os
import pty
import sys
import threading
from pathlib import Path

import pytest
from rich.console import Console

from control_plane.cli.run_view import JsonLines, Live, PlainLines, view_for
from control_plane.opencode.port import OpenCode, check_version
from control_plane.opencode.shapes import IncompatibleServer
from control_plane.runner.asking import Asked
from control_plane.runner.sampling import Sample
from control_plane.runner.trace import Chunk, TextSaid, ToolEnded
from tests.runner.scripted import ScriptedWorker, answering

FOUND = {
    "iteration": 2,
    "kind": "cycle",
    "period": 1,
    "repeats": 4,
    "times": 1,
    "why": "the same call",
    "answer": "nudge",
}


@pytest.mark.requirement("RUN-12")
def test_the_live_view_shows_the_run_and_q_ends_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    view = Live("r1", Asked(task="x", directory=str(tmp_path)), ScriptedWorker())
    view.tell("model-chosen", {"model": "fake/one", "why": "it is cheap", "decision": ""})
    view.tell("prompt-sent", {"iteration": 2, "source": "task", "text": "do it", "model": "fake/one"})
    view.tell("words", {"text": "I look around"})
    view.tell("loop-found", FOUND)
    console = Console(width=100, record=True, file=open(os.devnull, "w"))  # noqa: SIM115 - closed below
    console.print(view.render())
    console.file.close()
    shown = console.export_text()
    for words in ("turn 2/10", "works", "I look around", "the same call → nudge", "fake/one", "q ends the run"):
        assert words in shown, words
    outer, inner = pty.openpty()
    ended = threading.Event()
    with os.fdopen(inner) as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        monkeypatch.setattr(sys, "stdout", open(os.devnull, "w"))  # noqa: SIM115 - closed below
        try:
            with view.shown(lambda why: ended.set() if why == "ended by q" else None):
                os.write(outer, b"xq")
                assert ended.wait(30)
        finally:
            sys.stdout.close()
    os.close(outer)


@pytest.mark.requirement("RUN-13")
def test_headless_prints_the_same_as_json_lines(tmp_path: Path) -> None:
    written: list[str] = []
    asked, worker = Asked(task="x", directory=str(tmp_path)), ScriptedWorker()
    view = view_for("r1", asked, worker, headless=True, terminal=True, write=written.append)
    assert isinstance(view, JsonLines)
    view.tell("loop-found", FOUND)
    told = json.loads(written[0])
    assert told | FOUND | {"event": "loop-found", "run": "r1"} == told
    plain = view_for("r1", asked, worker, headless=False, terminal=False, write=written.append)
    assert isinstance(plain, PlainLines)
    plain.tell("loop-found", FOUND)
    assert written[-1] == "  loop    the same call → nudge\n"


def test_a_sample_holds_words_once_and_calls_with_their_results() -> None:
    sample = Sample()
    for piece in ("I loo", "k around"):
        sample.see(Chunk(piece))
    sample.see(TextSaid("I look around"))
    sample.see(ToolEnded("bash", {"command": "ls"}, "\n".join(map(str, range(50))), failed=False))
    sample.see(ToolEnded("bash", {"command": "cat"}, "no", failed=True))
    sample.error("429")
    lines = sample.lines()
    assert lines[:2] == ["I look around", '[Tool: bash({"command": "ls"})]']
    assert lines[-3:] == ['[Tool: bash({"command": "cat"})]', "[Error: no]", "[Error: 429]"]
    for n in range(300):
        sample.see(TextSaid(f"line {n}"))
    assert len(sample.lines()) == 100


@pytest.mark.requirement("RUN-15", "RUN-16")
def test_another_generation_is_refused_with_clear_words() -> None:
    for version in ("2.0.1", "v2", "", "next"):
        with pytest.raises(IncompatibleServer, match="cannot be driven yet") as fault:
            check_version(version)
        assert "1.18" in fault.value.cure
    check_version("1.18.33")
    with answering((200, "text/html", "<html>")) as server, pytest.raises(IncompatibleServer, match="no OpenCode"):
        OpenCode.connect(server.url)
