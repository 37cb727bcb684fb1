"""From declared commands to a parser; `--home`, `--state-dir` and `--json` may stand before or after any word."""

import argparse
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from ..errors import ControlPlaneError
from .command import Command

_EVERYWHERE: dict[str, Any] = {"home": None, "state_dir": None, "json": False}
_ABOUT = "One append-only log of signed events: what decided, why, and the proof of it."


class BadUsage(ControlPlaneError):
    """The command line itself is wrong."""

    code = "input.usage"


class Parser(argparse.ArgumentParser):
    """Says what is wrong in our own words; `--hel` is not `--help`, for scripts outlive abbreviations."""

    def __init__(self, **options: Any) -> None:
        super().__init__(allow_abbrev=False, formatter_class=argparse.RawDescriptionHelpFormatter, **options)

    def error(self, message: str) -> NoReturn:
        raise BadUsage(_printable(message), cure=f"see `{self.prog} --help`")

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if isinstance(action, argparse._SubParsersAction) and value not in action.choices:
            raise unknown_command(self, str(value), list(action.choices))
        super()._check_value(action, value)


class _Version(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        from importlib import metadata

        try:
            version = metadata.version("opencode-control-plane")
        except metadata.PackageNotFoundError:
            version = "(not installed, run from its source)"
        sys.stdout.write(f"control-plane {version}\n")
        parser.exit()


def build(commands: Sequence[Command], *, listing: bool = False) -> Parser:
    """A parser for these commands; for a listing of what there is their first words do."""
    root = Parser(prog="control-plane", description=_ABOUT, epilog=_examples(commands[:3] if commands else ()))
    root.add_argument("--version", action=_Version, nargs=0, help="print the version and leave")
    _add_everywhere(root)
    root.set_defaults(run=None, words=())
    groups: dict[tuple[str, ...], Any] = {}
    parsers: dict[tuple[str, ...], Parser] = {(): root}
    for entry in commands:
        words = tuple(entry.name.split())
        for depth in range(1, 2 if listing else len(words) + 1):
            if words[:depth] not in parsers:
                about = entry.help if depth == len(words) else _group_help(commands, words[:depth])
                parsers[words[:depth]] = _child(parsers, groups, words[:depth], about)
        if listing:
            continue
        parser = parsers[words]
        parser.description, parser.epilog = entry.help, _examples([entry])
        parser.set_defaults(run=entry.run)
        for names, options in entry.arguments:
            parser.add_argument(*names, **options)
    return root


def complete_arguments(parser: Parser, words: Sequence[str]) -> argparse.Namespace:
    arguments = parser.parse_args(words)
    for name, default in _EVERYWHERE.items():
        if not hasattr(arguments, name):
            setattr(arguments, name, default)
    if arguments.run is None:
        prog = " ".join(["control-plane", *arguments.words])
        raise BadUsage(f"{prog} needs a command", cure=f"see `{prog} --help`")
    return arguments


def unknown_command(parser: argparse.ArgumentParser, word: str, known: list[str]) -> BadUsage:
    from difflib import get_close_matches

    close = get_close_matches(word, known, n=1)
    cure = f"did you mean `{parser.prog} {close[0]}`?" if close else f"see `{parser.prog} --help`"
    return BadUsage(f"{parser.prog} knows no {_printable(word)!r}", why=f"it knows {', '.join(known)}", cure=cure)


def _child(
    parsers: dict[tuple[str, ...], Parser], groups: dict[tuple[str, ...], Any], words: tuple[str, ...], about: str
) -> Parser:
    parent = words[:-1]
    if parent not in groups:
        groups[parent] = parsers[parent].add_subparsers(title="commands", metavar="COMMAND", parser_class=Parser)
    child: Parser = groups[parent].add_parser(words[-1], help=about, description=about)
    child.set_defaults(words=words)
    _add_everywhere(child)
    return child


def _add_everywhere(parser: Parser) -> None:
    # Suppressed defaults: what was said before the command must not be unsaid behind it.
    parser.add_argument("--home", metavar="HOME", default=argparse.SUPPRESS, help="a folder or postgresql://…")
    parser.add_argument(
        "--state-dir", metavar="FOLDER", default=argparse.SUPPRESS, help="this host's own files when HOME is PostgreSQL"
    )
    parser.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="one JSON document on stdout")


def _group_help(commands: Sequence[Command], words: tuple[str, ...]) -> str:
    inside = [entry.name.split()[len(words)] for entry in commands if tuple(entry.name.split()[: len(words)]) == words]
    return ", ".join(dict.fromkeys(inside))


def _examples(commands: Sequence[Command]) -> str:
    lines = [f"  {example}" for entry in commands for example in entry.examples]
    return "\n".join(["examples:" if len(lines) > 1 else "example:", *lines]) if lines else ""


def _printable(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()
