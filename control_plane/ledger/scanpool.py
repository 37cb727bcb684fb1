"""A scan of the rows shared among processes, each with its own connection; what one leaves undone is done here."""

import contextlib
import os
import queue
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from .evidence import Evidence
from .rowscan import BLOCK, suspects

OnProgress = Callable[[int, int], None]
Share = tuple[int, int]
# How many events one process takes at a time, and from how many on a second process is worth its start.
SHARE = 8 * BLOCK
WORTH_SHARING = 100_000
_PACKAGES = Path(__file__).parents[2]


def scan(
    evidence: Evidence, last: int, on_progress: OnProgress, *, workers: int = 1, files: tuple[Path, Path] | None = None
) -> list[int]:
    """The suspect tiles of positions 1 to `last`; `files` are the database and archive that others may open."""
    shares = deque((first, min(first + SHARE - 1, last)) for first in range(1, last + 1, SHARE))
    found: list[int] = []
    done = 0
    if files is not None and workers > 1 and last >= WORTH_SHARING and sys.executable:
        for first, end, numbers in _shared(shares, workers, files):
            found += numbers
            done += end - first + 1
            on_progress(done, last)
    while shares:
        first, end = shares.popleft()
        found += suspects(evidence, first, end)
        done += end - first + 1
        on_progress(done, last)
    return sorted(found)


def _shared(shares: deque[Share], workers: int, files: tuple[Path, Path]) -> Iterator[tuple[int, int, list[int]]]:
    answers: queue.SimpleQueue[tuple[int, int, list[int]] | None] = queue.SimpleQueue()
    programs = [_start(files) for _ in range(workers)]
    for program in programs:
        threading.Thread(target=_order, args=(program, shares, answers), daemon=True).start()
    try:
        running = workers
        while running:
            answer = answers.get()
            if answer is None:
                running -= 1
            else:
                yield answer
    finally:
        for program in programs:
            _end(program)


def _start(files: tuple[Path, Path]) -> "subprocess.Popen[str]":
    path = os.pathsep.join(filter(None, (str(_PACKAGES), os.environ.get("PYTHONPATH"))))
    return subprocess.Popen(  # noqa: S603 - this very program, on the files that are being audited
        [sys.executable, "-m", f"{__package__}.rowscan", *map(str, files)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
    )


def _order(program: "subprocess.Popen[str]", shares: deque[Share], answers: "queue.SimpleQueue[Any]") -> None:
    """Give one process share after share; a share that it does not answer goes back."""
    assert program.stdin is not None
    assert program.stdout is not None
    try:
        while shares:
            share = shares.popleft()
            try:
                program.stdin.write(f"{share[0]} {share[1]}\n")
                program.stdin.flush()
                answer = program.stdout.readline()
            except (OSError, ValueError):
                answer = ""
            if not answer.endswith("\n"):
                shares.append(share)
                return
            answers.put((*share, list(map(int, answer.split()))))
    except IndexError:
        return  # another process took the last share between our look and our grasp
    finally:
        answers.put(None)


def _end(program: "subprocess.Popen[str]") -> None:
    # Without orders it ends by itself, after a share at most.
    for pipe in (program.stdin, program.stdout):
        assert pipe is not None
        with contextlib.suppress(OSError):
            pipe.close()
    program.wait()
