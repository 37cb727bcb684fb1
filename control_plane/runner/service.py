"""The way in: writes what happens in runs, asks the router for the worker's model, and settles what is left over."""

import json
import os
import socket
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from ..clock import new_id
from ..errors import Conflict
from ..ledger.events import Event
from ..ledger.ledger import Ledger
from ..projections.folding import Folder
from .addresses import Addresses
from .asking import Asked
from .errors import EndpointRefused, RunIsOver, UnknownRun
from .events import NoticeDead, NoticeDelivered, NoticeQueued, RunEnded, StopAsked
from .notifying import Delivered, Notifier
from .port import Spent
from .projection import RUNS
from .rules import EXITS
from .showing import Details, Line, details_of, line_of
from .state import Notice, Run, Runs

TASK_TYPE = "run"


class Deciding(Protocol):
    @property
    def advise(self) -> Callable[[Any], Any]: ...
    @property
    def record_result(self) -> Callable[..., None]: ...


class RunBook:
    """`arms` leads from a model to its arm."""

    def __init__(
        self, ledger: Ledger, folder: Folder, plane: Deciding, task: Callable[..., Any], arms: Mapping[str, str],
        home: Path,
    ) -> None:  # fmt: skip
        self._ledger, self._folder, self._plane, self._task, self._arms = ledger, folder, plane, task, arms
        self.clock, self._addresses = ledger.clock, Addresses(home)

    @property
    def state(self) -> Runs:
        """What is known; hold `still` while looking at more than one thing."""
        self._folder.catch_up()
        return self._folder.state(RUNS)

    def write(self, run: str, *events: Event) -> None:
        """Into the run's stream, behind everything that was noted before; there when this returns."""
        self._ledger.flush()
        self._ledger.append(f"run-{run}", events)

    def note(self, event: Event) -> None:
        """What comes often: journalled at once, in the ledger a moment later; it carries its run's name."""
        self._ledger.record(event)

    def run(self, name: str) -> Run:
        """One run; refused when there is none of that name."""
        found = self.state.runs.get(name)
        if found is None:
            raise UnknownRun(f"there is no run {name:.60}", cure="control-plane run --list")
        return found

    def shown(self) -> list[Line]:
        """Every run that is known, the newest first."""
        runs, gone = self.state.runs, {run.id for run in self.lost()}
        with self._folder.still():
            return [line_of(run, gone=run.id in gone) for run in reversed(runs.values())]

    def told(self, name: str) -> Details:
        """One run with what happened in it."""
        run, gone = self.run(name), any(one.id == name for one in self.lost())
        with self._folder.still():
            return details_of(run, gone=gone)

    # Ending it from elsewhere.

    def ask_to_stop(self, name: str, by: str) -> None:
        """Its own process ends it, wherever that is; where that is gone, the run is ended as lost."""
        run = self.run(name)
        if any(one.id == name for one in self.end_lost()):
            return
        if run.outcome:
            raise RunIsOver(f"run {name} is over: {run.outcome}", cure="control-plane run --list")
        if not run.stop_asked:
            self.write(name, StopAsked(run=name, by=by, at=self.clock.now()))

    def heed(self, name: str, stop: Callable[[str], None]) -> None:
        """Tell a run of this process that somebody wants it to end."""
        run = self.state.runs.get(name)
        if run is not None and run.stop_asked and not run.outcome:
            stop(f"stopped by {run.stop_asked}")

    # The worker's model.

    def choose(self, asked: Asked, connected: Sequence[str], failed: Sequence[str] = ()) -> tuple[str, str, str]:
        """(model, decision, why): the pinned one, the router's, or OpenCode's own where no arm is connected."""
        if asked.model:
            return asked.model, "", "named by --worker-model"
        open_to = [model for model in connected if model in self._arms and model not in failed]
        if not open_to:
            return "", "", "no connected model is in the catalogue"
        arms = tuple(self._arms[model] for model in open_to)
        advice = self._plane.advise(
            self._task(
                type=TASK_TYPE, repo=os.path.basename(asked.directory), description=asked.task[:2000], candidates=arms
            )
        )
        models = {arm: model for model, arm in self._arms.items()}
        reason = advice.reasons[0] if advice.reasons else "the highest score"
        return models.get(advice.arm, advice.model or ""), advice.decision_id, reason

    def settle(self, decision: str, spent: Spent, seconds: float, *, success: bool | None, error: str | None) -> None:
        """What came of it, back to the router; unknown stays unknown."""
        if not decision:
            return
        self._plane.record_result(
            decision, success=success, latency_ms=seconds * 1000, cost_usd=spent.cost_usd, tokens_in=spent.tokens_in,
            tokens_out=spent.tokens_out, error=error, model_served=spent.model or None,
        )  # fmt: skip

    # What is left over.

    def lost(self) -> list[Run]:
        """Runs that never ended and whose process, on this host, is gone."""
        here = socket.gethostname()
        return [
            run for run in self.state.runs.values()
            if not run.outcome and run.host == here and not _lives(run.pid)
        ]  # fmt: skip

    def end_lost(self) -> list[Run]:
        """Each is ended in the log, once, whoever looks first; it can be resumed by its name."""
        ended = []
        for run in self.lost():
            event = RunEnded(
                run=run.id, outcome="lost", exit_code=EXITS["lost"], reason="its process ended without a word",
                verdict=run.verdict, iterations=run.iteration, at=self.clock.now(),
            )  # fmt: skip
            try:
                # A stream of its own with one event: of two who find it, one writes it.
                self._ledger.append(f"run-{run.id}-lost", [event], expected=0)
            except Conflict:
                continue
            ended.append(run)
        return ended

    # Notifications.

    def owe(self, run: str, urls: Sequence[str], facts: Mapping[str, object]) -> list[str]:
        """Queued in the log first, so that a crash between here and the endpoint loses none."""
        now, names = self.clock.now(), []
        for url in urls:
            name = f"nt_{new_id(now)}"
            body = json.dumps({"id": name, "type": "runner.run-ended", "run": run, **facts}, sort_keys=True)
            self.write(run, NoticeQueued(run=run, notice=name, url=self._addresses.keep(url), body=body, at=now))
            names.append(name)
        return names

    def deliver(self, notifier: Notifier, stop: Any, *, dead: bool = False) -> tuple[int, int]:
        """Everything that is owed, of earlier runs too; `dead` tries the dead letters again. (taken, dead)"""
        taken = failed = 0
        for name, notice in list(self.state.owed.items()):
            if notice.dead and not dead:
                continue
            fine, tries, status, why = self._delivered(notifier, stop, name, notice)
            now = self.clock.now()
            if fine:
                self.write(notice.run, NoticeDelivered(run=notice.run, notice=name, tries=tries, status=status, at=now))
                taken += 1
            elif not stop.is_set():
                self.write(notice.run, NoticeDead(run=notice.run, notice=name, tries=tries, why=why, at=now))
                failed += 1
        return taken, failed

    def _delivered(self, notifier: Notifier, stop: Any, name: str, notice: Notice) -> Delivered:
        try:
            url = self._addresses.of(notice.url)
        except EndpointRefused as fault:
            return False, 0, 0, fault.what
        return notifier.deliver(self.clock, stop, name, url, notice.body)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
