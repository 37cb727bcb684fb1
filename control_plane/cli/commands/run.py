"""`run` gives a task to a worker and watches it until it is done, stuck or out of budget."""

import argparse
import contextlib
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import BadInput
from ..command import argument, command
from ..printing import Output, is_terminal, table

if TYPE_CHECKING:
    from ...opencode.worker import OpenCodeWorker
    from ...plane import ControlPlane
    from ...runner.asking import Asked
    from ...runner.events import RunEnded
    from ...runner.notifying import Notifier
    from ...runner.reviewing import Reviewer
    from ...runner.service import RunBook
    from ...runner.state import Run

_ARGUMENTS = (
    argument("--task", help="what the worker shall do; OPENCODE_TASK"),
    argument("--working-dir", metavar="FOLDER", help="the project; . or OPENCODE_WORKING_DIR"),
    argument(
        "--worker-model", metavar="MODEL", help="provider/model; by default the router chooses among the connected"
    ),
    argument(
        "--reviewer-url", metavar="URL", help="an OpenAI-compatible address that judges the work; without one rules do"
    ),
    argument("--reviewer-model", metavar="MODEL", help="the reviewer's model"),
    argument("--max-iterations", type=int, metavar="N", help="turns of the worker at most; 10"),
    argument("--inactivity-timeout", type=float, metavar="S", help="seconds without a sign of life; 30"),
    argument("--headless", action="store_true", default=None, help="JSON lines instead of the live view"),
    argument(
        "--check",
        action="append",
        default=[],
        metavar="COMMAND",
        help="a test or lint command that must pass; else found",
    ),
    argument("--no-check", action="store_true", help="run no checks: the verdict is unverifiable"),
    argument("--expect", action="append", default=[], metavar="GLOB", help="a file that must be added or changed"),
    argument(
        "--baseline", action="store_true", help="run the checks beforehand too, to tell old failures from new ones"
    ),
    argument("--max-seconds", type=float, default=0.0, metavar="S", help="the run's budget of time; none"),
    argument("--max-calls", type=int, default=500, metavar="N", help="the run's budget of tool calls; 500"),
    argument(
        "--notify", action="append", default=[], metavar="URL", help="a webhook for the end; OPENCODE_NOTIFY, by commas"
    ),
    argument("--notify-allow", action="append", default=[], metavar="HOST", help="a private host that may be notified"),
    argument("--resume", metavar="RUN", help="go on with a run that was lost or aborted, in its session"),
    argument("--list", dest="listed", action="store_true", help="the runs that are known, instead of a run"),
    argument("--show", metavar="RUN", help="everything that a run left in the log, instead of a run"),
    argument("--stop", metavar="RUN", help="end a run in good order, whichever process it is in"),
    argument("--redeliver", action="store_true", help="send dead notifications again, instead of a run"),
    argument("--opencode", metavar="PROGRAM", help="the OpenCode to start; by default the one on the search path"),
    argument("opencode_args", nargs="*", metavar="-- ARGUMENTS", help="more arguments for `opencode serve`"),
)


@command(
    "run",
    "give a task to a worker; exits 0 completed, 3 stuck or aborted, 4 out of iterations, 5 worker failed",
    "control-plane run --list",
    arguments=_ARGUMENTS,
)
def run(arguments: argparse.Namespace, out: Output) -> int:
    from ..planes import looking

    if not (arguments.listed or arguments.show or arguments.stop or arguments.redeliver):
        return _run(arguments, out)
    with looking(arguments) as plane:
        if arguments.listed:
            return _list(plane.runs, out)
        if arguments.show:
            return _show(plane, arguments.show, out)
        if arguments.stop:
            from ..guarding import actor_of

            return _stop(plane.runs, arguments.stop, actor_of(arguments), out)
        import threading

        taken, dead = plane.runs.deliver(_notifier(arguments), threading.Event(), dead=True)
        out.answer({"delivered": taken, "dead": dead}, [f"{taken} delivered, {dead} dead"])
        return 0 if not dead else 1


def _run(arguments: argparse.Namespace, out: Output) -> int:
    from ...opencode.worker import OpenCodeWorker

    asked = _asked(arguments)
    worker = OpenCodeWorker(
        Path(asked.directory), os.environ, binary=arguments.opencode, title=asked.task[:60],
        more=arguments.opencode_args,
    )  # fmt: skip
    # OpenCode takes seconds to start: everything else is loaded and opened meanwhile.
    with contextlib.closing(worker):
        worker.launch()
        from ..planes import deciding

        with deciding(arguments) as plane:
            ended = _controlled(arguments, out, plane, asked, worker)
    return ended.exit_code


def _controlled(
    arguments: argparse.Namespace, out: Output, plane: "ControlPlane", asked: "Asked", worker: "OpenCodeWorker"
) -> "RunEnded":
    from ...clock import new_id
    from ...runner.loop import Control
    from ...watching import Watch, heeding
    from ..run_view import view_for

    book = plane.runs
    book.end_lost()
    resumed, notifier = _resumed(book, arguments.resume), _notifier(arguments)
    urls = [*arguments.notify, *filter(None, os.environ.get("OPENCODE_NOTIFY", "").split(","))]
    for url in urls:
        notifier.check(url)
    name = new_id(plane.ledger.clock.now())
    headless = bool(_given(arguments, "headless", _truth, False)) or out.as_json
    view = view_for(name, asked, worker, headless=headless, terminal=is_terminal(sys.stdout), write=out.text)
    control = Control(book, name, asked, worker, reviewer=_reviewer(arguments), tell=view.tell, resumes=resumed)
    watch = Watch(plane.ledger.clock, heeding(book, name, control.stop), coordinated=False)
    with view.shown(control.stop), _signals(control.stop), watch.running():
        ended = control.run()
    if urls:
        facts = {"outcome": ended.outcome, "reason": ended.reason, "verdict": ended.verdict, "task": asked.task[:500],
                 "exit_code": ended.exit_code, "iterations": ended.iterations, "cost_usd": ended.cost_usd}  # fmt: skip
        book.owe(name, urls, facts)
    _deliver(book, notifier, view.tell)
    plane.flush()
    return ended


def _deliver(book: "RunBook", notifier: "Notifier", tell: Callable[[str, dict[str, Any]], None]) -> None:
    import threading

    stop = threading.Event()
    with _signals(lambda _: stop.set()):
        taken, dead = book.deliver(notifier, stop)
    if taken or dead:
        tell("notified", {"delivered": taken, "dead": dead})


def _asked(arguments: argparse.Namespace) -> "Asked":
    import shlex

    from ...runner.asking import Asked

    directory = Path(_given(arguments, "working_dir", str, ".")).absolute()
    task = _given(arguments, "task", str, "")
    if not task and arguments.resume:
        task = "go on"
    checks = tuple(tuple(shlex.split(one)) for one in arguments.check)
    if not checks and not arguments.no_check and directory.is_dir():
        checks = _found_checks(directory)
    return Asked(
        task=task, directory=str(directory), model=_given(arguments, "worker_model", str, ""),
        max_iterations=_given(arguments, "max_iterations", int, 10),
        inactivity_s=_given(arguments, "inactivity_timeout", float, 30.0), checks=checks,
        expect=tuple(arguments.expect), baseline=arguments.baseline, budget_s=arguments.max_seconds,
        most_calls=arguments.max_calls,
    )  # fmt: skip


def _found_checks(directory: Path) -> tuple[tuple[str, ...], ...]:
    """What the stop checks would run for this project, tests among them."""
    from ...guardrails.planning import MANIFESTS, plan

    there = [name for name in MANIFESTS if (directory / name).is_file()]
    return tuple(check.command for check in plan(str(directory), there, most=4, tests=True).checks)


def _reviewer(arguments: argparse.Namespace) -> "Reviewer | None":
    from ...runner.reviewing import Reviewer

    url = _given(arguments, "reviewer_url", str, "")
    if not url:
        return None
    patience = _variable("OPENCODE_REVIEWER_TIMEOUT", float, 30.0)
    return Reviewer(
        url, _given(arguments, "reviewer_model", str, "reviewer"), os.environ.get("OPENCODE_REVIEWER_KEY", ""), patience
    )


def _notifier(arguments: argparse.Namespace) -> "Notifier":
    """The secret is the environment's; without one it is the home's own, kept beside its token."""
    from ...ledger.keys import kept_secret
    from ...runner.notifying import Notifier
    from ..homes import named_home

    secret = os.environ.get("OPENCODE_NOTIFY_SECRET", "")
    if not secret:
        path = named_home(arguments).root / "webhook-secret"
        secret = kept_secret(path, os.urandom(32).hex().encode()).decode().strip()
    allowed = {*arguments.notify_allow, *filter(None, os.environ.get("OPENCODE_NOTIFY_ALLOW", "").split(","))}
    return Notifier(secret, frozenset(allowed))


def _resumed(book: "RunBook", name: str | None) -> "Run | None":
    if not name:
        return None
    found = book.run(name)
    if not found.outcome:
        raise BadInput(f"run {name} is not over", why=f"process {found.pid} on {found.host} is at it")
    return found


def _list(book: "RunBook", out: Output) -> int:
    book.end_lost()
    runs = list(book.state.runs.values())
    facts = [
        {"run": one.id, "task": one.task, "outcome": one.outcome or "running", "verdict": one.verdict,
         "reason": one.reason, "iterations": one.iteration, "calls": one.calls, "model": one.model,
         "cost_usd": one.cost_usd, "stop_asked": one.stop_asked}
        for one in runs
    ]  # fmt: skip
    rows = [(one.id, one.outcome or "running", one.verdict, str(one.iteration), one.task[:60]) for one in runs]
    lines = table(("run", "outcome", "verdict", "turns", "task"), rows) if rows else ["no runs yet"]
    out.answer(facts, lines)
    return 0


def _stop(book: "RunBook", name: str, actor: str, out: Output) -> int:
    book.ask_to_stop(name, actor)
    state = book.told(name).line.state
    out.answer({"run": name, "state": state}, [f"run {name}: {state}"])
    return 0


def _show(plane: "ControlPlane", name: str, out: Output) -> int:
    """As it lies in the log, in its order."""
    import json

    plane.runs.run(name)
    found: list[dict[str, Any]] = []
    after = 0
    while rows := plane.ledger.rows(after, 4096):
        after = rows[-1][0]
        for position, _, _, topic, state in rows:
            told = json.loads(state) if topic.startswith("runner.") else {}
            if told.get("run") == name:
                found.append({"position": position, "event": topic.removeprefix("runner."), **told})
    lines = [f"{one['position']:>7}  {one['event']:<16}  {_words(one)}" for one in found]
    out.answer(found, lines)
    return 0


def _words(told: dict[str, Any]) -> str:
    left_out = ("position", "event", "run", "v", "at", "call", "result", "target", "tree")
    return "  ".join(f"{name} {str(value)[:80]!r}" for name, value in told.items() if name not in left_out and value)[
        :240
    ]


class _signals:  # noqa: N801 - reads as `with _signals(…)`
    """SIGINT and SIGTERM end the run in good order; what stood before comes back."""

    def __init__(self, stop: Callable[[str], object]) -> None:
        self._stop, self._before = stop, dict[int, Any]()

    def __enter__(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            self._before[number] = signal.signal(number, self._told)

    def __exit__(self, *_: object) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)

    def _told(self, number: int, _: object) -> None:
        self._stop(f"ended by {signal.Signals(number).name}")


def _given(arguments: argparse.Namespace, name: str, kind: Callable[[str], Any], default: Any) -> Any:
    """The argument, else its variable, else the default."""
    told = getattr(arguments, name)
    return told if told is not None else _variable(f"OPENCODE_{name.upper()}", kind, default)


def _variable(variable: str, kind: Callable[[str], Any], default: Any) -> Any:
    raw = os.environ.get(variable)
    if raw is None:
        return default
    try:
        return kind(raw)
    except ValueError:
        raise BadInput(f"{variable} = {raw!r} is no number", cure="unset it, or give a number") from None


def _truth(raw: str) -> bool:
    return raw.strip().lower() in ("1", "true", "yes", "on")
