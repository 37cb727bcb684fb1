"""Finds the command, runs it, and turns whatever happens into words and an exit code."""

import os

from ..errors import ControlPlaneError
from . import faults
from .command import first_word, load
from .parsing import Parser, build, complete_arguments
from .printing import Output


def run(words: list[str]) -> int:
    out = Output(as_json="--json" in words)
    try:
        code = _run(words, out)
        out.flush()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else faults.BAD_USAGE
    except KeyboardInterrupt:
        code = faults.interrupted(out)
        faults.forget_stdout()
    except BrokenPipeError:
        code = faults.SILENT_PIPE
        faults.forget_stdout()
    except ControlPlaneError as fault:
        code = faults.report(fault, out)
    except OSError as fault:
        code = faults.report(faults.refused(fault), out)
        faults.forget_stdout()
    except Exception as fault:
        if os.environ.get("CONTROL_PLANE_DEBUG") == "1":
            raise
        code = faults.unexpected(fault, out)
    return code


def _run(words: list[str], out: Output) -> int:
    parser: Parser = build(load(words), listing=not first_word(words))
    arguments = complete_arguments(parser, words)
    out.as_json = arguments.json
    code: int = arguments.run(arguments, out)
    return code
