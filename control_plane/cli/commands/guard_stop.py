"""Stop checks by command: what would run or runs for a set of files, and how that is set by scope."""

import argparse
import os
from typing import Any

from ..command import argument, command
from ..guarding import ACTOR, actor_of, guarding
from ..printing import Output


@command(
    "guard stop-check",
    "plan, or with --execute run, the checks of what a session edited; exit 1 when one failed",
    "control-plane guard stop-check --edited src/app.ts",
    arguments=(
        argument("--session", default="command-line", metavar="NAME", help="the session"),
        argument("--edited", action="append", metavar="FILE", help="these files instead of the session's own"),
        argument("--execute", action="store_const", const=True, help="run them whatever the scope says"),
        argument("--plan", dest="execute", action="store_const", const=False, help="only plan them"),
    ),
)
def guard_stop_check(arguments: argparse.Namespace, out: Output) -> int:
    from ...guardrails.stopping import stop

    with guarding(arguments) as guard:
        edited = [guard.relative(path) for path in arguments.edited] if arguments.edited else None
        told = stop(guard, arguments.session, os.environ, edited=edited, execute=arguments.execute)
    facts: dict[str, Any] = {
        "mode": told.mode, "blocks": told.blocks, "round": told.round, "message": told.message,
        "roots": list(told.plan.roots), "dropped": told.plan.dropped,
        "plan": [{"root": one.root, "kind": one.kind, "command": list(one.command)} for one in told.plan.checks],
        "results": [
            {"command": list(one.check.command), "root": one.check.root, "outcome": one.outcome,
             "exit_code": one.exit_code, "seconds": round(one.seconds, 3), "output": one.said}
            for one in told.results
        ],
    }  # fmt: skip
    out.answer(facts, told.message.splitlines() or ["nothing to check"])
    return 1 if any(one.outcome in ("failed", "timed-out") for one in told.results) else 0


@command(
    "guard stop-mode",
    "plan or execute stop checks in a scope, with its own cap and time-out",
    "control-plane guard stop-mode execute --scope packages/web --timeout 300",
    arguments=(
        argument("mode", choices=("plan", "execute"), help="plan or execute"),
        argument("--scope", default="", metavar="FOLDER", help="only there (default: the whole project)"),
        argument("--max-commands", type=int, metavar="N", help="at most so many"),
        argument("--timeout", type=float, metavar="SECONDS", help="for each command (default: 120)"),
        argument("--tests", action=argparse.BooleanOptionalAction, help="with or without tests"),
        ACTOR,
    ),
)
def guard_stop_mode(arguments: argparse.Namespace, out: Output) -> int:
    with guarding(arguments) as guard:
        guard.set_stop(
            arguments.scope, arguments.mode, actor=actor_of(arguments), max_commands=arguments.max_commands,
            timeout_s=arguments.timeout, include_test=arguments.tests,
        )  # fmt: skip
    where = arguments.scope or "everywhere"
    out.answer({"scope": arguments.scope, "mode": arguments.mode}, [f"stop checks: {arguments.mode} {where}"])
    return 0
