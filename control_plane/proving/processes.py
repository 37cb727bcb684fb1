"""A part of a proof in a process of its own: it says lines of JSON, and it may be killed at any moment."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).parents[2]


class Process:
    """Plays `play` of `script`, a file or the name of a module; `before` may name a program that runs it.

    One that stands `apart` does not get the Ctrl-C that is meant for whoever started it.
    """

    def __init__(
        self,
        script: Path | str,
        play: str,
        told: Mapping[str, object],
        *,
        environment: Mapping[str, str] | None = None,
        before: Sequence[str] = (),
        python: str = sys.executable,
        apart: bool = False,
    ) -> None:
        # Tracing would be measured as ours, and a killed process leaves half a report.
        untraced = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
        named = ["-m", script] if isinstance(script, str) else [str(script)]
        self.process = subprocess.Popen(  # noqa: S603 - the proof's own script
            [*before, python, *named, "--play", play, json.dumps(told)],
            env={**untraced, "PYTHONPATH": str(_ROOT), **(environment or {})},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=apart,
        )

    def lines(self) -> Iterator[dict[str, Any]]:
        """What it says, until it ends."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with_braces = line.strip()
            if with_braces.startswith("{") and with_braces.endswith("}"):
                yield json.loads(with_braces)

    def next(self) -> dict[str, Any]:
        return next(self.lines(), {})

    def tell(self, **words: object) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(words) + "\n")
        self.process.stdin.flush()

    def kill(self) -> int:
        """SIGKILL: no handler, no flush, no goodbye; answers the exit code, which tells whether it was still there."""
        self.process.kill()
        return self.end()

    def end(self) -> int:
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                stream.close()
        return self.process.wait(timeout=60)


def say(**words: object) -> None:
    """From inside a play: one line to whoever started it."""
    sys.stdout.write(json.dumps(words) + "\n")
    sys.stdout.flush()


def heard() -> dict[str, Any]:
    """From inside a play: the next line from whoever started it; empty when nobody is there any more."""
    line = sys.stdin.readline()
    return json.loads(line) if line.strip() else {}
