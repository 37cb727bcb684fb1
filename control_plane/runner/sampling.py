"""The last lines of what a worker says and does, as a reviewer reads them."""

import json
from collections import deque
from itertools import islice

from .trace import Chunk, Seen, TextSaid, ToolEnded

LINES, WIDTH, RESULT_LINES = 100, 400, 12


class Sample:
    """Words as they come, never twice: the whole message replaces the pieces that made it up."""

    def __init__(self) -> None:
        self._lines: deque[str] = deque(maxlen=LINES)
        self._saying = ""

    def see(self, seen: Seen) -> None:
        if isinstance(seen, Chunk):
            self._saying = (self._saying + seen.text)[-8000:]
        elif isinstance(seen, TextSaid):
            self._saying = ""
            self._say(seen.text)
        elif isinstance(seen, ToolEnded):
            self._settle()
            self._lines.append(f"[Tool: {seen.tool}({json.dumps(seen.args, ensure_ascii=False)[:WIDTH]})]")
            mark = "[Error: " if seen.failed else "[Result: "
            told = [line[:WIDTH] for line in seen.output.splitlines()]
            cut = [*told[: RESULT_LINES // 2], "…", *told[-RESULT_LINES // 2 :]] if len(told) > RESULT_LINES else told
            self._lines.extend([mark + "\n".join(cut) + "]"])

    def error(self, what: str) -> None:
        self._settle()
        self._lines.append(f"[Error: {what[:WIDTH]}]")

    def lines(self) -> list[str]:
        self._settle()
        whole = "\n".join(self._lines).splitlines()
        return list(islice(whole, max(0, len(whole) - LINES), None))

    def _settle(self) -> None:
        if self._saying:
            self._say(self._saying)
            self._saying = ""

    def _say(self, text: str) -> None:
        self._lines.extend(line[:WIDTH] for line in text.splitlines() if line.strip())
