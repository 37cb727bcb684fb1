"""`flags flip` changes a flag while everything runs, by a signed event."""

import argparse

from ..command import argument, command
from ..printing import Output, pairs


@command(
    "flags flip",
    "flip a flag by a signed event: below the environment, above the default",
    "control-plane flags flip OPENCODE_TAIL_SLO false --actor ann --reason 'tails are wrong'",
    "control-plane flags flip OPENCODE_TAIL_SLO default --actor ann --reason 'tails are right again'",
    arguments=(
        argument("name", metavar="NAME", help="the flag, as in flags.env.example"),
        argument("value", metavar="VALUE", help="its value from here on; `default` takes the flip back"),
        argument("--policy", metavar="NAME", help="what asks for a strict flip, and was simulated"),
        argument("--actor", required=True, metavar="NAME", help="who wants it; kept in the signed event"),
        argument("--reason", required=True, metavar="WORDS", help="why; kept in the signed event"),
    ),
)
def flags_flip(arguments: argparse.Namespace, out: Output) -> int:
    import os

    from ...flags import explain
    from ...governance.rules import StepRefused
    from ..planes import deciding

    name, value = arguments.name, None if arguments.value == "default" else arguments.value
    with deciding(arguments) as plane:
        try:
            plane.flips.flip(name, value, actor=arguments.actor, reason=arguments.reason, policy=arguments.policy)
        except StepRefused as fault:
            out.answer({"ok": False, "verdict": fault.verdict, "why": fault.why}, [fault.what, f"  why   {fault.why}"])
            return 1
        now = explain(name, os.environ, plane.flips.held())
    if now.source == "environment":
        out.say(f"note: the environment says {name}={now.value}, and stands above this flip")
    facts = {"ok": True, "name": name, "flipped_to": value, "value": now.value, "source": now.source}
    out.answer(facts, pairs([("flag", name), ("value", now.value), ("from", now.source)]))
    return 0
