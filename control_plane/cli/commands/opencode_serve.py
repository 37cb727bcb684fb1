"""`opencode serve` is what the plugin asks; it ends when nobody asks any more, and `opencode stop` ends it now."""

import argparse
import math

from ... import extras
from ...errors import BadInput
from ..command import argument, command
from ..printing import Output, pairs

IDLE_MINUTES = 10.0


@command(
    "opencode serve",
    "the server that plugins of this home share; they start it themselves",
    "control-plane opencode serve --check",
    arguments=(
        argument("--check", action="store_true", help="make the token, try the address, say both, and end"),
        argument(
            "--idle-minutes", type=float, default=IDLE_MINUTES, metavar="N",
            help="end when nobody has asked for so long; 0 never (default: 10)",
        ),
    ),
)  # fmt: skip
def serve(arguments: argparse.Namespace, out: Output) -> int:
    extras.need("serve", "the server of the plugin")
    from ...api.serving import listening, log_as_json, token_of
    from ...api.serving import serve as run
    from ...opencode import resident
    from ...plane import ControlPlane
    from ..homes import named_home
    from ..planes import made

    home, idle_s = named_home(arguments), 60 * checked_minutes(arguments.idle_minutes)
    made(home)
    with resident.alone(home.root) as nobody_else:
        if not nobody_else:
            address = resident.announced_at(home.root)
            out.answer({"url": address.url if address else None, "already": True}, ["another process serves this home"])
            return 0
        log_as_json()
        sock = listening("127.0.0.1", 0)
        url = f"http://127.0.0.1:{sock.getsockname()[1]}"
        with ControlPlane.open(arguments.home, state_dir=arguments.state_dir) as plane:
            token_of(plane)
            out.answer({"url": url, "already": False}, pairs([("url", url), ("token", str(plane.token_file))]))
            out.flush()
            if arguments.check:
                sock.close()
                return 0
            with resident.announced(home.root, url):
                run(plane, sock, {}, idle_s=idle_s or None)
    return 0


@command(
    "opencode stop",
    "end the server that the plugin started; the plugin starts it again when OpenCode next needs it",
    "control-plane opencode stop",
)
def stop(arguments: argparse.Namespace, out: Output) -> int:
    from ...opencode import resident
    from ..homes import named_home

    home = named_home(arguments)
    stopped = home.root.is_dir() and resident.stop(home.root)
    gone = not stopped or resident.gone(home.root)
    words = ("stopped" if gone else "told to end, and still at work") if stopped else "no server runs for this home"
    out.answer({"stopped": stopped, "gone": gone}, [words])
    return 0


def checked_minutes(minutes: float) -> float:
    if not (math.isfinite(minutes) and 0 <= minutes <= 10_000):
        raise BadInput("--idle-minutes is a number from 0 to 10000", cure="0 lets it run until somebody stops it")
    return minutes
