"""The control loop: asks the worker, watches what it does, and decides when it is done, stuck or out of budget."""

import os
import queue
import socket
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ..clock import Clock
from ..errors import ControlPlaneError
from . import events as e
from .asking import Asked
from .checking import missing_from, named_in, run_check
from .detector import Detector, Loop
from .events import Outcome
from .port import Alive, Died, Erred, Idle, Resumed, Retrying, Signal, Spent, Stop, Worker
from .reviewing import Reviewer, ask_aside
from .rules import EXITS, FATAL, Next, Review, after_idle, after_loop, answer_to, error_kind, nudge
from .sampling import Sample
from .service import RunBook
from .state import Run
from .steps import Recorded, recorded
from .trace import Chunk, Seen, TextSaid, Told, ToolEnded
from .tree import READING, Tree
from .verdicts import Checked, Judged, counted, judge

Tell = Callable[[str, dict[str, Any]], None]
OFTEN = (e.CallSeen, e.TextSeen)
SLICE_S, SHOWN = 0.25, 300
RESUME = "The session was interrupted. Look at what is done already, and go on with the task:\n"
STALLED = "Nothing came for {0:g} seconds, so the turn was ended. Go on, in smaller steps, without commands that wait."


class Finished(Exception):
    """The run is over."""

    def __init__(self, outcome: Outcome, reason: str) -> None:
        super().__init__(reason)
        self.outcome, self.reason = outcome, reason


class Control:
    """One run, from its first event to its last; `stop` may be called from a signal handler or another thread."""

    def __init__(
        self, book: RunBook, name: str, asked: Asked, worker: Worker, *, reviewer: Reviewer | None = None,
        tell: Tell = lambda *_: None, resumes: Run | None = None, environment: Mapping[str, str] | None = None,
        clock: Clock | None = None,
    ) -> None:  # fmt: skip
        self.name, self._book, self._asked, self._worker = name, book, asked, worker
        self._reviewer, self._tell, self._resumes = reviewer, tell, resumes
        self._clock = clock or book.clock
        self._environment = environment if environment is not None else os.environ
        self._signals: queue.SimpleQueue[Signal] = queue.SimpleQueue()
        self._ending = threading.Event()
        self._detector, self._sample = Detector(), Sample()
        self._tree = Tree(Path(asked.directory))
        self._now_tree = self._tree.hash()
        self._iteration, self._calls, self._found, self._stalls = 0, 0, 0, 0
        self._model = self._decision = self._session = ""
        self._failed: list[str] = []
        self._summaries: list[str] = []
        self._before: tuple[str, ...] = ()
        self._judged = Judged("unverifiable", "nothing was checked")
        self._began, self._error, self._settled = self._clock.monotonic(), "", Spent()

    def stop(self, why: str) -> None:
        self._ending.set()
        self._signals.put(Stop(why))

    def run(self) -> e.RunEnded:
        """Whatever happens, the worker is gone and the end is in the log when this returns."""
        outcome: Outcome = "worker-failed"
        reason, spent = "", Spent()
        self._begin()
        try:
            self._go()
        except Finished as end:
            outcome, reason = end.outcome, end.reason
        except ControlPlaneError as fault:
            reason = str(fault)
            self._note("worker-erred", e.WorkerErred(**self._facts(), kind="program", what=reason[:2000]))
        except BaseException as fault:
            outcome, reason = "aborted", f"{type(fault).__name__}: {fault}"
            raise
        finally:
            try:
                spent = self._spent()
            finally:
                self._worker.close()
                ended = self._end(outcome, reason, spent)
        return ended

    # The way through it.

    def _begin(self) -> None:
        asked = self._asked
        begun = e.RunBegun(
            run=self.name, task=asked.task, directory=asked.directory, model=asked.model,
            max_iterations=asked.max_iterations, inactivity_s=asked.inactivity_s,
            reviewer=self._reviewer.url if self._reviewer else "", tree=self._now_tree,
            pid=os.getpid(), host=socket.gethostname(), resumes=self._resumes.id if self._resumes else "",
            at=self._now(),
        )  # fmt: skip
        self._note("run-begun", begun)
        if self._resumes is not None:
            for call in self._resumes.newest:
                told = Recorded(call.call, call.result, call.target, call.tree, call.failing, call.waiting)
                self._detector.recorded(told, call.at)

    def _go(self) -> None:
        began, asked = self._clock.monotonic(), self._asked
        session = self._resumes.session if self._resumes is not None else ""
        self._session = self._worker.start(self._signals.put, session)
        if self._ending.is_set():
            raise Finished("aborted", self._why_stopped())
        started = e.WorkerStarted(
            run=self.name, session=self._session, version=self._worker.version, pid=self._worker.pid,
            seconds=round(self._clock.monotonic() - began, 3), at=self._now(),
        )  # fmt: skip
        self._note("worker-started", started)
        # Its first look at the models takes OpenCode as long as its start did.
        self._choose()
        if asked.baseline:
            self._before = tuple(name for one in self._run_checks() for name in counted(one.said).failures)
        self._detector.see(Told(asked.task) if self._resumes is None else Told(own=True))
        feedback, source = (RESUME + asked.task, "resume") if session else (asked.task, "task")
        while self._iteration < asked.max_iterations:
            self._iteration += 1
            self._ask(feedback, source)
            step = self._turn()
            if step.outcome is not None:
                raise Finished(step.outcome, step.reason)
            feedback, source = step.feedback, step.source
        raise Finished("max-iterations", f"not done after {asked.max_iterations} iterations: {step.reason}")

    def _choose(self) -> None:
        models = [] if self._asked.model else self._worker.models()
        self._model, self._decision, why = self._book.choose(self._asked, models, self._failed)
        self._tell("model-chosen", {"model": self._model, "decision": self._decision, "why": why})

    def _ask(self, text: str, source: str) -> None:
        sent = e.PromptSent(**self._facts(), source=source, text=text, model=self._model, decision=self._decision)
        self._note("prompt-sent", sent)
        if source not in ("task", "resume"):
            self._detector.see(Told(text, own=True))
        self._worker.ask(text, self._model)

    def _turn(self) -> Next:
        """Until the worker is idle, errs, loops, or says nothing for too long."""
        quiet_since = self._clock.monotonic()
        while True:
            self._check_budget()
            try:
                signal = self._signals.get(timeout=SLICE_S)
            except queue.Empty:
                if self._clock.monotonic() - quiet_since < self._asked.inactivity_s:
                    continue
                return self._stalled()
            quiet_since = self._clock.monotonic()
            step = self._signal(signal)
            if step is not None:
                return step

    def _signal(self, signal: Signal) -> Next | None:
        if isinstance(signal, (ToolEnded, TextSaid, Chunk, Told)):
            return self._seen(signal)
        if isinstance(signal, Idle):
            self._stalls = 0
            return self._idle()
        if isinstance(signal, Erred):
            return self._erred(signal)
        if isinstance(signal, Retrying):
            self._tell("worker-retries", {"attempt": signal.attempt, "what": signal.what})
            if signal.attempt <= self._asked.most_retries:
                return None
            self._abort()
            return self._erred(Erred("retries", f"{signal.what} (tried {signal.attempt} times)", signal.status))
        if isinstance(signal, Died):
            self._note("worker-erred", e.WorkerErred(**self._facts(), kind="died", what=signal.what[:2000]))
            self._error = "connection"
            raise Finished("worker-failed", f"the worker's server died: {signal.what}")
        if isinstance(signal, Stop):
            self._abort()
            raise Finished("aborted", signal.why)
        if isinstance(signal, Resumed):
            what = f"the stream of events was cut and goes on ({signal.times})"
            self._note("worker-erred", e.WorkerErred(**self._facts(), kind="stream", what=what))
        assert isinstance(signal, (Resumed, Alive))
        return None

    # What the worker does.

    def _seen(self, seen: Seen) -> Next | None:
        self._sample.see(seen)
        if isinstance(seen, ToolEnded):
            loop = self._called(seen)
        else:
            loop = self._detector.see(seen)
            if isinstance(seen, TextSaid):
                self._note("text-seen", e.TextSeen(**self._facts(), text=seen.text[:8000]))
            elif isinstance(seen, Chunk):
                self._tell("words", {"text": seen.text})
        return self._looped(loop) if loop is not None else None

    def _called(self, seen: ToolEnded) -> Loop | None:
        self._calls += 1
        if seen.tool not in READING:
            self._now_tree = self._tree.hash()
        at = self._now()
        told = recorded(ToolEnded(seen.tool, seen.args, seen.output, seen.failed, self._now_tree, at))
        shown = f"{seen.tool} {str(seen.args)[:SHOWN]} → {seen.output[:SHOWN]}"
        facts = self._facts()
        self._note("call-seen", e.CallSeen(**facts, tool=seen.tool, shown=shown, **told._asdict()))
        return self._detector.recorded(told, at)

    def _looped(self, loop: Loop) -> Next:
        self._found += 1
        answer = answer_to(loop, self._found)
        self._note("loop-found", e.LoopFound(**self._facts(), **loop._asdict(), answer=answer))
        self._abort()
        if answer == "abort":
            raise Finished("stuck", f"{loop.why}; told of {self._found} times")
        if answer == "review" and self._reviewer is not None:
            return after_loop(self._review({"loop": loop.why}), loop)
        return Next(None, loop.why, nudge(loop), "detector")

    def _idle(self) -> Next:
        self._check_workspace()
        judged = self._judged
        review = None
        if self._reviewer is not None:
            review = self._review(
                {"verdict": judged.verdict, "checks": judged.reason, "changed": list(self._tree.changed())[:50]}
            )
        told = judged.checked.said[-4000:] if judged.checked is not None else ""
        return after_idle(review, judged.verdict, judged.reason, told)

    def _stalled(self) -> Next:
        self._stalls += 1
        what = f"nothing came for {self._asked.inactivity_s:g} s"
        self._note("worker-erred", e.WorkerErred(**self._facts(), kind="stall", what=what))
        self._abort()
        if self._stalls >= 2:
            self._error = "timeout"
            raise Finished("stuck", f"{what}, twice in a row")
        return Next(None, what, STALLED.format(self._asked.inactivity_s), "inactivity")

    def _erred(self, erred: Erred) -> Next:
        """A model that fails is left for another one where the router has one; else the worker failed."""
        self._note(
            "worker-erred", e.WorkerErred(**self._facts(), kind=erred.kind, what=erred.what[:2000], status=erred.status)
        )
        self._sample.error(erred.what)
        self._error = error_kind(erred.status)
        self._drain_idle()
        if erred.kind in ("model", "retries") and self._model and not self._asked.model and len(self._failed) < 2:
            failed = self._model
            self._settle(self._spent(), success=False, error=self._error or None)
            self._failed.append(failed)
            self._choose()
            if self._model and self._model not in self._failed:
                return Next(None, erred.what, self._asked.task, "retry")
        hint = " (the model refuses the request)" if erred.status in FATAL else ""
        raise Finished("worker-failed", f"{erred.what}{hint}")

    # Judging.

    def _review(self, facts: dict[str, Any]) -> Review | None:
        assert self._reviewer is not None
        asked = (self._asked.task, self._sample.lines(), tuple(self._summaries), facts)
        answer = ask_aside(self._reviewer, self._clock, self._ending, asked)
        if answer is None:
            raise Finished("aborted", self._why_stopped())
        review, tries, errors = answer
        said = review or Review("")
        self._note("reviewed", e.Reviewed(**self._facts(), **said._asdict(), tries=tries, errors=errors))
        if review is not None:
            self._summaries = [*self._summaries[-4:], f"{review.action}: {review.reason}"]
        return review

    def _run_checks(self) -> list[Checked]:
        timeout, environment = self._asked.check_timeout_s, self._environment
        return [run_check(one, self._tree, environment, timeout, self._ending) for one in self._asked.checks]

    def _check_workspace(self) -> None:
        """Three witnesses; when files changed while they were asked, they are asked once more."""
        for _ in range(2):
            checked = self._run_checks()
            changed = self._tree.changed()
            missing = missing_from(self._tree.folder, self._asked.expect, changed)
            self._now_tree = self._tree.hash()
            self._judged = judge(checked, self._before, missing, self._now_tree)
            if self._judged.verdict != "stale":
                break
        judged, one = self._judged, self._judged.checked
        named = [path for path in named_in(self._asked.task) if not (self._tree.folder / path).exists()]
        reason = judged.reason + (f"; named in the task and not there: {', '.join(named[:5])}" if named else "")
        self._judged = judged._replace(reason=reason)
        reached = e.VerdictReached(
            **self._facts(), verdict=judged.verdict, reason=reason, tree=self._now_tree,
            command=one.command if one else (), exit_code=one.exit_code if one else None,
            passed=judged.counted.passed or 0, failed=judged.counted.failed, skipped=judged.counted.skipped,
            known=judged.known, changed=changed[:200], missing=missing,
        )  # fmt: skip
        self._note("verdict-reached", reached)

    # The end, and what all of it needs.

    def _check_budget(self) -> None:
        asked = self._asked
        over = 0 < asked.budget_s < self._clock.monotonic() - self._began
        if over or self._calls > asked.most_calls:
            self._abort()
            spent = f"{asked.budget_s:g} s" if over else f"{asked.most_calls} calls"
            raise Finished("max-iterations", f"the budget of {spent} is spent")

    def _abort(self) -> None:
        """The turn ends; what is still on its way from it is not the next turn's."""
        try:
            self._worker.abort()
        except ControlPlaneError:
            return
        self._drain_idle()

    def _drain_idle(self) -> None:
        """Until the aborted turn has said that it is over; a Stop or a death stays."""
        kept: list[Signal] = []
        until = self._clock.monotonic() + 5.0
        while self._clock.monotonic() < until:
            try:
                signal = self._signals.get(timeout=SLICE_S)
            except queue.Empty:
                break
            if isinstance(signal, (Stop, Died)):
                kept.append(signal)
                break
        for signal in kept:
            self._signals.put(signal)

    def _why_stopped(self) -> str:
        while True:
            signal = self._signals.get()
            if isinstance(signal, Stop):
                return signal.why

    def _spent(self) -> Spent:
        try:
            return self._worker.spent()
        except ControlPlaneError:
            return Spent()

    def _settle(self, spent: Spent, *, success: bool | None, error: str | None) -> None:
        """What this model spent since the one before it, and what came of that, back to the router."""
        before, self._settled = self._settled, spent
        part = Spent(
            max(0.0, spent.cost_usd - before.cost_usd), max(0, spent.tokens_in - before.tokens_in),
            max(0, spent.tokens_out - before.tokens_out), spent.model,
        )  # fmt: skip
        seconds = self._clock.monotonic() - self._began
        self._book.settle(self._decision, part, seconds, success=success, error=error)
        self._decision = ""

    def _end(self, outcome: Outcome, reason: str, spent: Spent) -> e.RunEnded:
        judged = self._judged.verdict if outcome in ("completed", "max-iterations") else ""
        success = {"completed": True if judged == "verified" else None, "aborted": None}.get(outcome, False)
        error = "cancelled" if outcome == "aborted" else (self._error or None) if success is False else None
        self._settle(spent, success=success, error=error)
        ended = e.RunEnded(
            run=self.name, outcome=outcome, exit_code=EXITS[outcome], reason=reason[:4000], verdict=judged,
            iterations=self._iteration, seconds=round(self._clock.monotonic() - self._began, 3),
            cost_usd=spent.cost_usd, tokens_in=spent.tokens_in, tokens_out=spent.tokens_out, at=self._now(),
        )  # fmt: skip
        self._note("run-ended", ended)
        return ended

    def _note(self, kind: str, event: e.RunEvent) -> None:
        """Into the log, then to whoever looks on."""
        if isinstance(event, OFTEN):
            self._book.note(event)
        else:
            self._book.write(self.name, event)
        facts = {name: getattr(event, name) for name in event.__struct_fields__ if name not in ("run", "at")}
        self._tell(kind, facts)

    def _facts(self) -> dict[str, Any]:
        return {"run": self.name, "iteration": self._iteration, "at": self._now()}

    def _now(self) -> float:
        return self._clock.now()
