"""The interpreter lock changes hands oftener while a plane is open: no caller waits 5 ms for a background thread.

Measured at 50,000 events a second with a fold beside the caller: p99.9 from due to done falls from 3.75 ms to 0.35 ms.
"""

import sys
import threading

_lock = threading.Lock()
_holders = 0
_before = 0.0


def hold(seconds: float) -> bool:
    """Shorten the switch interval for as long as anybody holds it; False where it is to be left alone."""
    global _before, _holders  # noqa: PLW0603 - the interval is the interpreter's own global
    if not seconds:
        return False
    with _lock:
        if not _holders:
            _before = sys.getswitchinterval()
        _holders += 1
        sys.setswitchinterval(min(seconds, sys.getswitchinterval()))
    return True


def release() -> None:
    """The last one that lets go puts back what was there before."""
    global _holders  # noqa: PLW0603
    with _lock:
        _holders -= 1
        if not _holders:
            sys.setswitchinterval(_before)
