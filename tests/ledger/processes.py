"""Other processes that wait at the start line, so that they truly run at once."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
PRELUDE = """
import json, sys
def ready():
    print("ready", flush=True)
    sys.stdin.readline()
def answer(value):
    print(json.dumps(value), flush=True)
"""


class Process:
    """A script that says `ready()`, waits for `go`, and gives an `answer(...)` at the end."""

    def __init__(self, script: str, *arguments: object, **environment: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", PRELUDE + script, *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        )

    def wait_until_ready(self) -> None:
        assert self._process.stdout is not None
        if self._process.stdout.readline() != "ready\n":
            raise AssertionError(self._process.communicate(timeout=60)[1])

    def go(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write("go\n")
        self._process.stdin.flush()

    def result(self) -> Any:
        out, err = self._process.communicate(timeout=120)
        assert (self._process.returncode, err) == (0, "")
        return json.loads(out)


def race(*processes: Process) -> list[Any]:
    """Start them together; their answers."""
    for process in processes:
        process.wait_until_ready()
    for process in processes:
        process.go()
    return [process.result() for process in processes]
