"""`guard hook` and `guard off`: what must work fast, and without a server."""

import argparse
import os
import sys

from ..command import argument, command
from ..printing import Output


@command(
    "guard hook",
    "answer a client's hook: JSON on stdin, exit 0, 1 or 2 by its contract",
    "control-plane guard hook --example",
    arguments=(argument("--example", action="store_true", help="answer an example instead of stdin"),),
)
def guard_hook(arguments: argparse.Namespace, out: Output) -> int:
    from ..hooked import reply

    told = reply(EXAMPLE if arguments.example else sys.stdin.buffer.read(), arguments.home)
    out.text(told.stdout or ("allowed\n" if arguments.example else ""))
    if told.stderr:
        out.say(told.stderr.rstrip("\n"))
    return told.exit


EXAMPLE = (
    b'{"hook_event_name": "PreToolUse", "session_id": "example", "tool_name": "Write",'
    b' "tool_input": {"file_path": "notes.txt", "content": "x"}}'
)


@command(
    "guard off",
    "take the guardrails out for a while, from outside, even when nothing answers",
    "control-plane guard off --for 1h",
    "control-plane guard off --back",
    arguments=(
        argument("--for", dest="duration", default="1h", metavar="TIME", help="30m, 1h, 8h; at most 24h"),
        argument("--actor", default="", help="who; by default the user of this system"),
        argument("--back", action="store_true", help="bring them back now"),
    ),
)
def guard_off(arguments: argparse.Namespace, out: Output) -> int:
    from ...durations import seconds_of
    from ...guardrails import outside
    from ...guardrails.hooking import home_beside
    from ..hooked import opening

    home = home_beside(arguments.home, os.environ)
    actor = arguments.actor or os.environ.get("USER", "") or "somebody"
    if arguments.back:
        try:
            with opening(os.environ.get("CONTROL_PLANE_HOME", ""))(home) as plane:
                plane.guard.switch_on(actor)
        finally:
            outside.switch_back(home)
        out.answer({"off": False}, ["guardrails are back"])
        return 0
    until = outside.switch_off(home, seconds_of(arguments.duration, outside.LONGEST_OFF), actor)
    out.answer(
        {"off": True, "until": until, "actor": actor},
        [f"guardrails are off for {arguments.duration}; the log will say so when it opens next"],
    )
    return 0
