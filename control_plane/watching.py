"""What a plane does beside its callers: follows other processes, lets the witness see the head, keeps snapshots."""

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import anyio
import anyio.from_thread

from .cadence import Cadence, Entry, Poll, Summary
from .clock import Clock

if TYPE_CHECKING:
    from .bridge.supervising import Supervisor
    from .runner.service import RunBook

OTHERS_EVERY, TOLD_EVERY, WITNESS_EVERY, SNAPSHOT_EVERY, ARCHIVE_EVERY = 0.1, 0.01, 0.25, 60.0, 300.0
NOTICE_EVERY, HEED_EVERY = 0.02, 0.5


class Watch:
    """One thread with one event loop for every recurring piece of work of the process."""

    def __init__(self, clock: Clock, polls: tuple[Poll, ...], *, coordinated: bool) -> None:
        self._cadence = Cadence(clock, coordinated=coordinated)
        for poll in polls:
            self._cadence.add(poll)
        self._loop: anyio.from_thread.BlockingPortal | None = None
        self._ready = threading.Event()
        self._thread = threading.Thread(target=anyio.run, args=(self._run,), name="control-plane-watch", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        if not self._thread.is_alive():
            return
        self._ready.wait()
        assert self._loop is not None
        self._loop.start_task_soon(self._stop)
        self._thread.join()

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        self.start()
        try:
            yield
        finally:
            self.stop()

    def list(self) -> tuple[Entry, ...]:
        return self._cadence.list()

    def summary(self) -> Summary:
        return self._cadence.summary()

    async def _run(self) -> None:
        async with anyio.from_thread.BlockingPortal() as self._loop:
            self._ready.set()
            await self._cadence.run()

    async def _stop(self) -> None:
        self._cadence.stop()


def follow_others(changed: Callable[[], bool], catch_up: Callable[[], object]) -> None:
    if changed():
        catch_up()


def supervision(supervisor: "Supervisor") -> tuple[Poll, ...]:
    """The bridge's beat, and a look in between at what other processes wrote."""
    return (
        Poll(name="bridge-supervisor", owner="bridge", interval=supervisor.every, run=_beat(supervisor), threaded=True),
        Poll(name="bridge-notice", owner="bridge", interval=NOTICE_EVERY, run=supervisor.notice, threaded=True),
    )


def heeding(book: "RunBook", run: str, stop: Callable[[str], None]) -> tuple[Poll, ...]:
    """Whether somebody asked for the end of a run, from whichever process."""

    def heed() -> None:
        book.heed(run, stop)

    return (Poll(name="run-stop", owner="runner", interval=HEED_EVERY, run=heed, threaded=True),)


def _beat(supervisor: "Supervisor") -> Callable[[], None]:
    def beat() -> None:
        supervisor.tick()

    return beat
