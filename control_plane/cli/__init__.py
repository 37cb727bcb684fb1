"""The command line; what a hook asks is answered before anything else is loaded.

0 fine, 1 a check failed, 2 bad usage or input; 130 after Ctrl-C. Results go to stdout, everything else to stderr.
"""

import sys
from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    words = list(sys.argv[1:] if argv is None else argv)
    if words[:2] == ["guard", "hook"]:
        from .hooked import answer, named_home

        plain, home = named_home(words)
        if plain:
            return answer(home)
    from .running import run

    return run(words)
