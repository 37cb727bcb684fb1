"""What went wrong, in three short lines with the code at the end; never a traceback."""

import contextlib
import os
import sys

from ..errors import ControlPlaneError
from .printing import Output, to_json

CHECK_FAILED = 1
BAD_USAGE = 2
INTERRUPTED = 130
SILENT_PIPE = 141

# These say that something was looked at and did not hold; everything else could not be done as asked.
_FAILED_CHECKS = ("ledger.damaged", "ledger.rollback", "proof.", "key.bad-signature", "note.", "envelope.")


class SystemRefused(ControlPlaneError):
    """The operating system refused a file or a socket."""

    code = "system.refused"


class Interrupted(ControlPlaneError):
    """Ctrl-C, before it was done."""

    code = "interrupted"


class Internal(ControlPlaneError):
    """A defect of ours."""

    code = "internal"


def report(fault: ControlPlaneError, out: Output) -> int:
    if out.as_json:
        body = {"code": fault.code, "what": fault.what, "why": fault.why, "cure": fault.cure}
        out.say(to_json({"error": body}))
    else:
        labelled = (("", fault.what), ("  why   ", fault.why), ("  next  ", fault.cure))
        lines = [label + _one_line(text) for label, text in labelled if text]
        out.say(*lines[:-1], f"{lines[-1]} [{fault.code}]")
    return exit_code(fault)


def warn(what: str, fault: ControlPlaneError, out: Output) -> int:
    """The result is given all the same, with these words beside it; the exit code that follows from the fault."""
    if out.as_json:
        body = {"code": fault.code, "what": f"{what}: {fault.what}", "why": fault.why, "cure": fault.cure}
        out.say(to_json({"warning": body}))
    else:
        out.say(f"{what}: {_one_line(str(fault))} [{fault.code}]")
    return exit_code(fault)


def exit_code(fault: ControlPlaneError) -> int:
    return CHECK_FAILED if fault.code.startswith(_FAILED_CHECKS) else BAD_USAGE


def refused(fault: OSError) -> SystemRefused:
    name = f"{fault.filename}: " if fault.filename else ""
    return SystemRefused(f"{name}{os.strerror(fault.errno)}" if fault.errno else str(fault) or type(fault).__name__)


def unexpected(fault: Exception, out: Output) -> int:
    what = f"unexpected {type(fault).__name__}: {_one_line(str(fault))}"
    if out.as_json:
        return report(Internal(what, cure="CONTROL_PLANE_DEBUG=1 shows where"), out)
    out.say(f"{what} (CONTROL_PLANE_DEBUG=1 shows where) [internal]")
    return BAD_USAGE


def interrupted(out: Output) -> int:
    done = out.progress.sentence()
    report(Interrupted("interrupted", why=done or ("" if out.answered else "before there was a result")), out)
    return INTERRUPTED


def forget_stdout() -> None:
    """Nobody reads on: what is still buffered must not fail once more at exit."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, sys.stdout.fileno())
        os.close(null)


def _one_line(text: str) -> str:
    return " ".join(text.split())
