"""A wake-up call that is safe to ring from a signal handler or a finalizer, in the middle of another ring."""

import contextlib
import threading


class Bell(threading.Event):
    """An event that resets itself when somebody was woken; one lock of the interpreter, no Python code under it."""

    def __init__(self) -> None:
        self._silence = threading.Lock()
        self._silence.acquire()

    def is_set(self) -> bool:
        return not self._silence.locked()

    def set(self) -> None:
        if self._silence.locked():
            with contextlib.suppress(RuntimeError):
                self._silence.release()

    def clear(self) -> None:
        self._silence.acquire(blocking=False)

    def wait(self, timeout: float | None = None) -> bool:
        return self._silence.acquire(timeout=-1 if timeout is None else timeout)
