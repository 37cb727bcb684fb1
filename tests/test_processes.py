"""Programs that are run: bounded in time and words, ended with all that they started."""

import os
import sys
import threading
from pathlib import Path

from control_plane import processes
from tests.guardrails.test_stop import gone
from tests.opencode.world import until

# Starts a child that would live for ever, says its number, and does what it is told then.
PARENT = "import subprocess, sys, time; c = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']); "


def run(source: str, folder: Path, timeout_s: float = 30.0, stop: threading.Event | None = None) -> processes.Ran:
    command = [sys.executable, "-c", source]
    return processes.run(command, folder, os.environ, timeout_s, stop=stop, head=20, tail=30)


def test_its_beginning_and_its_end_are_kept_and_all_of_it_is_counted(tmp_path: Path) -> None:
    ran = run("print('a' * 20 + 'b' * 1_000_000 + 'c' * 29)", tmp_path)
    assert (ran.code, ran.size) == (0, 1_000_050)
    assert ran.said == "a" * 20 + "\n… 1,000,000 bytes left out …\n" + "c" * 29 + "\n"


def test_a_child_that_it_leaves_behind_goes_too(tmp_path: Path) -> None:
    ran = run(PARENT + "print(c.pid, flush=True)", tmp_path)
    assert ran.code == 0
    until(lambda: gone(int(ran.said)))


def test_when_the_time_is_over_its_whole_group_goes(tmp_path: Path) -> None:
    ran = run(PARENT + "print(c.pid, flush=True); time.sleep(600)", tmp_path, 1.0)
    assert ran.code is None
    until(lambda: gone(int(ran.said)))


def test_it_ends_when_somebody_stops_it(tmp_path: Path) -> None:
    stop, begun = threading.Event(), tmp_path / "begun"
    threading.Thread(target=lambda: (until(begun.exists), stop.set())).start()
    source = f"import pathlib, time; pathlib.Path({str(begun)!r}).touch(); time.sleep(600)"
    ran = run(source, tmp_path, 600.0, stop)
    assert (ran.code, ran.fault) == (None, "")


def test_a_program_that_is_not_there_is_told(tmp_path: Path) -> None:
    assert "nowhere" in processes.run(["/nowhere/at-all"], tmp_path, {}, 1.0, head=1, tail=1).fault
