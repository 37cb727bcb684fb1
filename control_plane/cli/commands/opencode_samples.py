"""`opencode samples` lets the log keep the beginnings of prompts, redacted; without it no word of them is kept."""

import argparse

from ..command import argument, command
from ..printing import Output


@command(
    "opencode samples",
    "keep the redacted beginning of each prompt, for those who look into the log later; off unless it is turned on",
    "control-plane opencode samples off",
    arguments=(
        argument("state", choices=("on", "off"), help="on or off"),
        argument("--actor", default="", help="who; by default the user of this system"),
    ),
)
def samples(arguments: argparse.Namespace, out: Output) -> int:
    from ..guarding import actor_of
    from ..planes import deciding

    on = arguments.state == "on"
    with deciding(arguments) as plane:
        plane.turns.sample(on=on, actor=actor_of(arguments))
    told = "samples are on, once OpenCode is started again: up to 400 characters of a prompt, redacted, stay in the log"
    out.answer({"samples": on}, [told if on else "samples are off: no word of a prompt is kept from now on"])
    return 0
