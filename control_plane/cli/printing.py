"""Results to stdout, words to stderr; aligned, as wide as the terminal, coloured only where a person looks on."""

import os
import sys
from collections.abc import Iterable, Sequence
from typing import Any, TextIO

from .progress import Progress, Silent, TerminalProgress

_COLOURS = {"red": "31", "green": "32", "yellow": "33", "bold": "1", "dim": "2"}


class Output:
    def __init__(self, *, as_json: bool = False) -> None:
        self.as_json = as_json
        self.progress: Progress = Silent("", "")
        self.answered = False
        for stream in (sys.stdout, sys.stderr):
            # A name that is not UTF-8 is shown as it is, not refused.
            if hasattr(stream, "reconfigure"):
                stream.reconfigure(errors="backslashreplace")

    def answer(self, facts: Any, lines: Iterable[str]) -> None:
        """The result: `facts` as one JSON document, or `lines` for people."""
        if self.as_json:
            self.text(to_json(facts) + "\n")
        else:
            self.text("".join(f"{line}\n" for line in lines))

    def text(self, text: str) -> None:
        """Exactly this on stdout."""
        self.answered = True
        self.progress.clear()
        if sys.stdout is not None:
            sys.stdout.write(text)

    def bytes(self, content: bytes) -> None:
        """Exactly these bytes on stdout."""
        self.progress.clear()
        if sys.stdout is not None:
            sys.stdout.flush()
            sys.stdout.buffer.write(content)

    def say(self, *lines: str) -> None:
        """Words beside the result, on stderr."""
        self.progress.clear()
        if sys.stderr is not None:
            sys.stderr.write("".join(f"{line}\n" for line in lines))

    def started(self, done: str, unit: str, *, beside_result: bool = False) -> Progress:
        """Progress of long work, as in `verified` … `events`; seen on a terminal only, and not between results."""
        terminal = is_terminal(sys.stderr) and os.environ.get("TERM") != "dumb"
        terminal = terminal and not (beside_result and is_terminal(sys.stdout))
        self.progress = TerminalProgress(sys.stderr, done, unit) if terminal else Silent(done, unit)
        return self.progress

    def flush(self) -> None:
        self.progress.clear()
        if sys.stdout is not None:
            sys.stdout.flush()


def to_json(facts: Any) -> str:
    import json

    return json.dumps(facts, ensure_ascii=False).encode("utf-8", "backslashreplace").decode()


def is_terminal(stream: TextIO | None) -> bool:
    return stream is not None and not stream.closed and stream.isatty()


def paint(text: str, colour: str) -> str:
    """Colour as a second sign, for a terminal that wants it."""
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb" or not is_terminal(sys.stdout):
        return text
    return f"\033[{_COLOURS[colour]}m{text}\033[0m"


def pairs(facts: Iterable[tuple[str, str]]) -> list[str]:
    """Names and values, aligned; a value goes on below itself where the terminal ends."""
    rows = list(facts)
    width = max((len(name) for name, _ in rows), default=0)
    return [line for name, value in rows for line in hanging(f"{name:<{width}}  ", value)]


def hanging(head: str, text: str) -> list[str]:
    """Words after a head, and below each other where the terminal is too narrow; one line where nobody looks on.

    What has no blank, such as a path, stays in one piece: somebody may want to copy it.
    """
    whole, width = f"{head}{text}".rstrip(), terminal_width()
    if width is None or len(whole) <= width or "\n" in whole:
        return [whole]
    import textwrap

    room = max(width - len(head), 20)
    lines = textwrap.wrap(text, room, break_long_words=False, break_on_hyphens=False)
    return [f"{head if at == 0 else ' ' * len(head)}{line}" for at, line in enumerate(lines)]


def table(
    heads: Sequence[str], rows: Sequence[Sequence[str]], *, right: Iterable[int] = (), whole: bool = False
) -> list[str]:
    """Columns with their heads, figures to the right; cut to the terminal's width unless they are to be copied."""
    columns = list(zip(heads, *rows, strict=True))
    widths = [max(map(len, column)) for column in columns]
    to_right = set(right)
    lines = [
        "  ".join(
            cell.rjust(width) if at in to_right else cell.ljust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in (heads, *rows)
    ]
    return lines if whole else [fitted(line) for line in lines]


def fitted(line: str) -> str:
    """No longer than the terminal is wide; whole where nobody looks on."""
    width = terminal_width()
    return line if width is None or len(line) <= width else line[: width - 1] + "…"


def terminal_width() -> int | None:
    """How many columns somebody who looks on has; none where nobody does."""
    if not is_terminal(sys.stdout):
        return None
    import shutil

    return shutil.get_terminal_size().columns
