"""The supervisor: looks who has to be woken, has the drivers do it, and writes down what came of it.

Every step is in the log before the next one is taken, so that another supervisor can go on where one was killed.
"""

import os
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from typing import Any

import msgspec

from ..clock import new_id
from ..errors import ControlPlaneError
from ..ledger.events import Event
from ..projections import deciding
from . import waking
from .drivers import Driver, Order, Outcome
from .events import WakeClaimed, WakeDied
from .reading import stream_of
from .service import Bridge
from .state import Job, Thread, session_key
from .terms import JobStatus, Step
from .waking import Plan

Log = Callable[..., None]


class Tick(msgspec.Struct):
    """What one look came to."""

    queued: int = 0
    sent: int = 0
    deferred: int = 0
    delivered: int = 0
    failed: int = 0
    dead: int = 0
    fault: str = ""

    @property
    def idle(self) -> bool:
        return not any((self.queued, self.sent, self.deferred, self.delivered, self.failed, self.dead))


class Supervisor:
    """`drivers` by runtime; `runtimes` says which one starts an agent that has no session."""

    def __init__(
        self, bridge: Bridge, drivers: Mapping[str, Driver], *, runtimes: Mapping[str, str] | None = None,
        log: Log | None = None, pool: Executor | None = None, holder: str | None = None,
    ) -> None:  # fmt: skip
        self._bridge, self._drivers, self._runtimes = bridge, dict(drivers), runtimes if runtimes is not None else {}
        self._log, self._pool = log or _quiet, pool
        self._clock = bridge.clock
        self.holder = holder or f"{os.getpid()}-{new_id(self._clock.now())[-6:]}"
        self._seen = -1
        self._looking = threading.Lock()

    def notice(self) -> None:
        """Look at once when something was written, by whomever."""
        self._bridge.folder.catch_up()
        if self._bridge.state.changes != self._seen:
            self.tick()

    @property
    def every(self) -> float:
        return self._bridge.limits.poll_s

    def tick(self) -> Tick:
        found = Tick()
        with self._looking:
            try:
                self._bridge.folder.catch_up()
                self._seen = self._bridge.state.changes
                self._queue(found)
                for job in self._due():
                    self._step(job, found)
            except ControlPlaneError as fault:
                found.fault = str(fault)
        name = "tick.failed" if found.fault else "tick.idle" if found.idle else "tick.completed"
        self._log(name, holder=self.holder, **{k: v for k, v in msgspec.to_builtins(found).items() if v})
        return found

    def _queue(self, found: Tick) -> None:
        """Unread and dormant: a job."""
        bridge, now = self._bridge, self._clock.now()
        for name in list(bridge.state.stirring):

            def decide(name: str = name) -> list[Event]:
                thread = bridge.state.threads[name]
                queued = waking.wake_sleepers(
                    bridge.state, thread, bridge.limits, now, lambda: f"trg_{new_id(now)}", _unread(thread)
                )
                return queued + waking.begin(bridge.state, queued, self.holder, bridge.limits, now)

            with bridge.folder.still():
                due = name in bridge.state.threads and decide()
            for event in self._write(name, decide) if due else ():
                if isinstance(event, WakeClaimed):
                    self._act(event.thread, event.job, found)
                else:
                    found.queued += 1

    def _due(self) -> list[Job]:
        with self._bridge.folder.still():
            state = self._bridge.state
            jobs = [job for name in state.stirring for job in state.threads[name].jobs.values()]
            return sorted(jobs, key=lambda job: job.due)

    def _step(self, job: Job, found: Tick) -> None:
        now, bridge = self._clock.now(), self._bridge
        with bridge.folder.still():
            what = waking.look(bridge.state, job, bridge.limits, now)
        if isinstance(what, Plan):
            self._attempt(job, found)
        elif what:
            self._settle(job, found, lambda one: waking.look(bridge.state, one, bridge.limits, now))
        elif job.status is JobStatus.TRIGGERING and job.sent is None and now >= job.lease_until:
            self._take_over(job, found)

    def _attempt(self, job: Job, found: Tick) -> None:
        """Claim it before anybody else does, then act."""
        bridge, now = self._bridge, self._clock.now()

        def decide() -> list[Event]:
            known = bridge.state.threads[job.thread].jobs.get(job.id)
            again = None if known is None else waking.look(bridge.state, known, bridge.limits, now)
            if known is None or not isinstance(again, Plan):
                return []
            session = bridge.state.sessions.get(session_key(job.workspace, job.target))
            return waking.claim(known, again, session, self.holder, bridge.limits, now)

        if self._write(job.thread, decide):
            self._act(job.thread, job.id, found)

    def _act(self, thread: str, name: str, found: Tick) -> None:
        """What was claimed is done: here, or by one of the pool while the next ones are looked at."""
        with self._bridge.folder.still():
            mine = self._bridge.state.threads[thread].jobs.get(name)
            if mine is None:
                return
            order, runtime = _order(mine), self._runtime(mine)
        self._log("wake.claimed", job=name, step=str(order.step), attempt=order.attempt, request_id=mine.request)
        if self._pool is None:
            self._drive(order, runtime, found)
        else:
            self._pool.submit(self._drive_aside, order, runtime)
            found.sent += 1

    def _drive_aside(self, order: Order, runtime: str) -> None:
        """Nobody asks what came of it: what goes wrong is told here, and the lease brings the job back."""
        try:
            self._drive(order, runtime, Tick())
        except Exception as fault:
            self._log("wake.fault", job=order.id, fault=repr(fault))

    def _drive(self, order: Order, runtime: str, found: Tick) -> None:
        outcome = self._wake(order, runtime)
        self._write_outcome(order, outcome, found)

    def _wake(self, order: Order, runtime: str) -> Outcome:
        driver = self._drivers.get(runtime)
        if driver is None:
            return Outcome("failed", "RUNTIME_NOT_FOUND")
        try:
            return driver.wake(order, self._bridge.limits.quiet_s)
        except Exception as fault:
            self._log("wake.fault", job=order.id, fault=repr(fault))
            return Outcome("failed", "DRIVER_FAULT")

    def _write_outcome(self, order: Order, outcome: Outcome, found: Tick) -> None:
        bridge, now = self._bridge, self._clock.now()

        def settled(job: Job) -> list[Event]:
            # Fenced: only the attempt that was made may be written about.
            if job.attempt != order.attempt or job.status is not JobStatus.TRIGGERING or job.sent is not None:
                return []
            if outcome.result == "sent":
                return waking.sent(job, bridge.limits, now)
            if outcome.result == "busy":
                return waking.defer(job, outcome.reason, bridge.limits.recheck_s, now)
            return waking.fail(bridge.state, job, outcome.reason, bridge.limits, now, hopeless=_hopeless(outcome))

        with bridge.folder.still():
            job = bridge.state.threads[order.thread].jobs.get(order.id)
        if job is not None:
            self._settle(job, found, settled)
        self._log(f"wake.{outcome.result}", job=order.id, attempt=order.attempt, reason=outcome.reason)

    def _take_over(self, job: Job, found: Tick) -> None:
        """Whoever had claimed it is gone: perhaps it got through, and then it must not get through twice."""
        order, runtime = _order(job), self._runtime(job)
        driver = self._drivers.get(runtime)
        try:
            through = driver is not None and driver.seen(order)
        except Exception as fault:
            self._log("wake.fault", job=order.id, fault=repr(fault))
            through = False
        self._write_outcome(order, Outcome("sent") if through else Outcome("failed", "LEASE_EXPIRED"), found)

    def _settle(self, job: Job, found: Tick, decide: Callable[[Job], Any]) -> None:
        bridge, now = self._bridge, self._clock.now()

        def events() -> list[Event]:
            thread = bridge.state.threads[job.thread]
            known = thread.jobs.get(job.id)
            decided = [] if known is None else decide(known)
            if isinstance(decided, Plan):
                return []
            for event in decided:
                if isinstance(event, WakeDied) and known is not None:
                    decided = [*decided, *waking.undeliverable(thread, known, event.reason, now)]
            return list(decided)

        for event in self._write(job.thread, events):
            word = type(event).__name__.removeprefix("Wake").lower()
            word = {"died": "dead"}.get(word, word)
            if hasattr(found, word):
                setattr(found, word, getattr(found, word) + 1)

    def _write(self, thread: str, decide: Callable[[], list[Event]]) -> list[Event]:
        bridge = self._bridge
        workspace = bridge.state.threads[thread].workspace

        def seen() -> deciding.Decision[list[Event]]:
            with bridge.folder.still():
                events = decide()
                return deciding.Decision(bridge.state.versions[workspace], events, events)

        return deciding.write(bridge.ledger, bridge.folder, stream_of(workspace), seen)

    def _runtime(self, job: Job) -> str:
        if job.step is Step.SPAWN:
            return self._runtimes.get(job.target) or job.runtime or self._runtimes.get("*", "")
        return job.runtime


def _order(job: Job) -> Order:
    assert job.step is not None
    return Order(
        job.id, job.attempt, job.step, job.thread, job.workspace, job.target, job.reason, job.prompt, job.session
    )


def _hopeless(outcome: Outcome) -> bool:
    """Trying the same again would come to the same."""
    return outcome.reason in ("RUNTIME_NOT_FOUND", "RUNTIME_OFFLINE", "PANE_NOT_BOUND")


def _unread(thread: Thread) -> str:
    return f"There are unread messages for you in the thread {thread.id}. Read them, acknowledge them, and answer."


def _quiet(*_: Any, **__: Any) -> None:
    """Nobody listens to the log."""
