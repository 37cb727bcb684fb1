"""What a plane does beside its callers: follows other processes, lets the witness see the head, keeps snapshots."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import anyio
import anyio.from_thread

from .cadence import Cadence, Entry, Poll, Summary
from .clock import Clock
from .errors import ControlPlaneError

if TYPE_CHECKING:
    from .bridge.supervising import Supervisor
    from .runner.service import RunBook

OTHERS_EVERY, WITNESS_EVERY, SNAPSHOT_EVERY, ARCHIVE_EVERY = 0.1, 0.25, 60.0, 300.0
NOTICE_EVERY, HEED_EVERY = 0.02, 0.5
# What comes after a pause is followed at once; in a stream of commits each look gathers for so long, at most.
SOON_S, LATEST_S, LONGEST_S = 0.002, 0.016, 1.0


class Watch:
    """One thread with one event loop for every recurring piece of work of the process; and one that follows others."""

    def __init__(
        self, clock: Clock, polls: tuple[Poll, ...], *, coordinated: bool, follower: "Follower | None" = None
    ) -> None:
        self._follower = follower
        self._cadence = Cadence(clock, coordinated=coordinated)
        for poll in polls:
            self._cadence.add(poll)
        self._loop: anyio.from_thread.BlockingPortal | None = None
        self._ready = threading.Event()
        self._thread = threading.Thread(target=anyio.run, args=(self._run,), name="control-plane-watch", daemon=True)

    def start(self) -> None:
        self._thread.start()
        if self._follower is not None:
            self._follower.start()

    def stop(self) -> None:
        if not self._thread.is_alive():
            return
        if self._follower is not None:
            self._follower.stop()
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


class Follower:
    """Sleeps until the database tells of somebody else's commit; a poll looks too, for what was told to nobody."""

    def __init__(
        self, wait: Callable[[float], bool], end_waits: Callable[[], None], catch_up: Callable[[], object]
    ) -> None:
        self._wait, self._end_waits, self._catch_up = wait, end_waits, catch_up
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="control-plane-follower", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._ended.set()
        if self._thread.is_alive():
            self._end_waits()
            self._thread.join()

    def _run(self) -> None:
        pause = SOON_S
        while not self._ended.is_set():
            began = time.monotonic()
            try:
                if self._wait(LONGEST_S):
                    pause = SOON_S if time.monotonic() - began > LATEST_S else min(2 * pause, LATEST_S)
                    self._catch_up()
                    self._ended.wait(pause)
            except ControlPlaneError:
                # The poll says so, in the list of the cadence.
                self._ended.wait(OTHERS_EVERY)


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
