"""How a command is declared: one decorator on one function, in a file named after the command's first word.

Files are imported only when their command is called, and import what they need inside their functions,
so that `control-plane --help` and a hook's call cost no more than Python itself.
"""

import argparse
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

from .printing import Output

Run = Callable[[argparse.Namespace, Output], int]

VALUED = ("--home", "--state-dir")
_FOLDER = Path(__file__).parent / "commands"
_DECLARED: "dict[str, Command]" = {}


class Argument(NamedTuple):
    names: tuple[str, ...]
    options: dict[str, Any]


class Command(NamedTuple):
    """`name` is what people type, words parted by a space; `examples` are run by a test."""

    name: str
    help: str
    examples: tuple[str, ...]
    arguments: tuple[Argument, ...]
    run: Run


def argument(*names: str, **options: Any) -> Argument:
    """What `argparse` takes for one argument."""
    return Argument(names, options)


def command(name: str, help: str, *examples: str, arguments: Sequence[Argument] = ()) -> Callable[[Run], Run]:
    """Declare a command; the function answers the exit code."""

    def declare(run: Run) -> Run:
        _DECLARED[name] = Command(name, help, examples, tuple(arguments), run)
        return run

    return declare


def load(words: Sequence[str]) -> list[Command]:
    """The commands that these words may mean: those under the first word, or all when it is none of ours."""
    files = sorted(path.stem for path in _FOLDER.glob("[a-z]*.py"))
    first = first_word(words)
    chosen = [file for file in files if _serves(file, first)] or files
    for file in chosen:
        import_module(f"{__package__}.commands.{file}")
    return [
        entry for name, entry in sorted(_DECLARED.items()) if any(_serves(file, name.split()[0]) for file in chosen)
    ]


def first_word(words: Sequence[str]) -> str:
    """The command's; empty where none is named."""
    values = {at + 1 for at, word in enumerate(words) if word in VALUED}
    return next((word for at, word in enumerate(words) if at not in values and not word.startswith("-")), "")


def _serves(file: str, word: str) -> bool:
    """`ledger.py` and `ledger_keys.py` both hold commands that begin with `ledger`."""
    return file == word.replace("-", "_") or file.partition("_")[0] == word
