"""Which calls that may touch a file, a database or a socket a piece of code makes, seen from inside the interpreter."""

import sys
import threading
from collections import Counter
from collections.abc import Callable
from types import FrameType
from typing import Any

# Built-in calls that reach the operating system's files, and those of them that do not.
_MODULES = ("posix", "_io", "io", "sqlite3", "_sqlite3", "mmap", "_socket", "socket", "fcntl", "psycopg_binary")
_HARMLESS = frozenset(("posix.getpid", "posix.urandom", "posix.fspath", "posix.register_at_fork"))


class Touches:
    """While it is on, every built-in call of the threads that it watches is looked at."""

    def __init__(self) -> None:
        self.found: Counter[tuple[str, str, str]] = Counter()

    def watch_new_threads(self) -> None:
        """Threads that start from now on are watched as long as they live."""
        threading.setprofile(self._seen)

    def during(self, action: Callable[[], object]) -> tuple[str, ...]:
        """The calls that `action` makes in this thread."""
        before, own = self.found.copy(), threading.current_thread().name
        sys.setprofile(self._seen)
        try:
            action()
        finally:
            sys.setprofile(None)
        return tuple(f"{call} in {where}" for thread, call, where in sorted(self.found - before) if thread == own)

    def listed(self) -> list[str]:
        """Every call with its thread, the place that made it, and how often."""
        return [f"{thread}: {call} in {where} × {count}" for (thread, call, where), count in sorted(self.found.items())]

    def _seen(self, frame: FrameType, event: str, called: Any) -> None:
        if event != "c_call":
            return
        name = name_of(called)
        if name.startswith(_MODULES) and name not in _HARMLESS:
            module = frame.f_globals.get("__name__", "?")
            place = f"{module}.{frame.f_code.co_name}"
            self.found[threading.current_thread().name, name, place] += 1


def name_of(called: Any) -> str:
    """`posix.write`, `sqlite3.Cursor.execute`, `_io.TextIOWrapper.write`."""
    owner = getattr(called, "__self__", None)
    if owner is None or type(owner).__name__ == "module":
        return f"{called.__module__}.{called.__name__}"
    kind = owner if isinstance(owner, type) else type(owner)
    return f"{kind.__module__}.{kind.__qualname__}.{called.__name__}"
