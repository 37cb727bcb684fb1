"""What the programs write that a shell command may call: wrappers, shells, interpreters, tools that edit files."""

import json
import os
import re
import shlex
from collections.abc import Callable
from typing import TYPE_CHECKING

from . import builtins, editors, launching
from .interpreters import INTERPRETER, inline, interpreter
from .lexer import unescape
from .reading import OPERANDS, READS, exposed
from .world import UNKNOWN
from .wrappers import LOADERS, WRAPPERS, wrapped

if TYPE_CHECKING:
    from .reader import Call, Reader

Program = Callable[["Reader", "Call"], "str | None"]
SHELLS = {"sh", "bash", "dash", "zsh", "ksh", "ash", "mksh", "fish", "rbash"}
_OUTPUT = re.compile(r"^(?:-o|--?(?:[a-z0-9-]+_)?out(?:[_-]?(?:put|file|dir|folder|path))*)$", re.IGNORECASE)


def run(reader: "Reader", call: "Call") -> str | None:
    """Read one simple command; answers what it prints, None when that cannot be foretold."""
    words = call.words
    reader.world.effort.spend(text=sum(map(len, words)))
    if UNKNOWN in words[0]:
        reader.opaque.append("which program runs is known to the running command only")
        return None
    # `=rm` is where zsh finds rm.
    name = os.path.basename(words[0].lstrip("="))
    if name in reader.functions:
        return _function(reader, words, name)
    if name in reader.aliases:
        return _aliased(reader, words, name)
    if name in WRAPPERS or name.startswith(LOADERS):
        return wrapped(reader, call, name)
    if name in SHELLS:
        return _shell(reader, call)
    if name in (".", "source"):
        return _sourced(reader, call)
    if INTERPRETER.match(name):
        return editors.editor(reader, call, name) or interpreter(reader, call, name)
    return _told(reader, call, name)


def _told(reader: "Reader", call: "Call", name: str) -> str | None:
    """A program with its words; those that it is not known to read only are kept as places that it may write."""
    from . import tools

    known = tools.PROGRAMS.get(name) or (_package_script if name in ("npm", "pnpm", "yarn") else None)
    builtins.heed(reader, call, name)
    launching.started(reader, call, name)
    if not reader.guessing or known is not None:
        for word in exposed([name, *call.words[1:]]):
            reader.mention(word, name)
        for text in (call.stdin or "", *reader.words.handed) if known is None and name not in READS else ():
            reader.mention(text, name)
    return known(reader, call) if known is not None else _program(reader, call)


def _function(reader: "Reader", words: list[str], name: str) -> str | None:
    positional, reader.words.positional = reader.words.positional, words
    reader._depth += 1
    try:
        return reader._run(reader.functions[name]) if reader._depth < 12 else UNKNOWN
    finally:
        reader._depth -= 1
        reader.words.positional = positional


def _aliased(reader: "Reader", words: list[str], name: str) -> str | None:
    text = reader.aliases.pop(name)
    try:
        return reader.script(" ".join([text, *map(shlex.quote, words[1:])]))
    finally:
        reader.aliases[name] = text


def _shell(reader: "Reader", call: "Call") -> str | None:
    words = call.words
    at = 1
    while at < len(words) and (words[at][:1] in "-+" and words[at] not in ("-", "--")):
        if words[at][:1] == "-" and not words[at].startswith("--") and "c" in words[at][1:]:
            rest = words[at + 1 :]
            while rest and rest[0].startswith("-"):
                rest.pop(0)
            return reader.script(rest[0], rest[1:] or ["sh"]) if rest else None
        if words[at] in ("--rcfile", "--init-file") and at + 1 < len(words):
            _script_file(reader, call, words[at + 1 : at + 2])
        at += 2 if words[at] in ("-o", "+o", "-O", "+O", "--rcfile", "--init-file") else 1
    at += at < len(words) and words[at] == "--"
    if at < len(words) and words[at] not in ("-", "/dev/stdin") and not words[at].startswith("/dev/fd/"):
        return _script_file(reader, call, words[at:])
    if at < len(words) and words[at].startswith("/dev/fd/"):
        reader.opaque.append("a shell runs the output of another command")
        return None
    return _fed(reader, call.stdin, words[at:])


def _fed(reader: "Reader", stdin: str | None, positional: list[str]) -> str | None:
    if stdin is None:
        return ""
    return reader.script(stdin, positional or ["sh"])


def _sourced(reader: "Reader", call: "Call") -> str | None:
    if len(call.words) < 2:
        return ""
    if call.words[1].startswith("/dev/fd/"):
        reader.opaque.append("a shell sources the output of another command")
        return None
    if call.words[1] in ("/dev/stdin", "-"):
        return _fed(reader, call.stdin, [])
    return _script_file(reader, call, call.words[1:])


def _script_file(reader: "Reader", call: "Call", words: list[str]) -> str | None:
    """A script's own text, when it can be read; one from before the session is the project's own affair."""
    within, text, young = reader.to_run(words[0], call.cwd)
    if text is None:
        if reader.world.absolute(words[0], call.cwd) in reader.drafts:
            reader.opaque.append("a script runs whose text only the running command knows")
        return None
    first = text[:200].partition("\n")[0]
    if first.startswith("#!") and not any(shell in first for shell in ("sh", "env -S bash")):
        return inline(within, call, text, words[1:], strict=young)
    kept = len(reader.opaque)
    printed = within.script(text, words if within is reader else None)
    reader.blur(within)
    if not young:
        del reader.opaque[kept:]
    return printed if within is reader else None


def _package_script(reader: "Reader", call: "Call") -> str | None:
    """`npm run x` is what package.json says that it is; `npm exec x` is x."""
    words = [word for word in call.words[1:] if not word.startswith("-")]
    if words[:1] in (["exec"], ["x"], ["dlx"]):
        at = call.words.index(words[0]) + 1
        rest = [word for at, word in enumerate(call.words[at:]) if word != "--"]
        return run(reader, call._replace(words=rest)) if rest else None
    name = words[1] if words[:1] in (["run"], ["run-script"]) and len(words) > 1 else (words[0] if words else "")
    text, young = reader.file("package.json", call.cwd)
    try:
        scripts = json.loads(text or "{}").get("scripts", {})
        script = scripts.get(name) if isinstance(scripts, dict) else None
    except (ValueError, AttributeError, RecursionError):
        return None
    if young and isinstance(script, str):
        behind = call.words[call.words.index("--") + 1 :] if "--" in call.words else []
        return reader.script(" ".join([script, *behind]), depth=3)
    return None


def _program(reader: "Reader", call: "Call") -> str | None:
    """A file that is run by its path is read like a script; any other program is unknown to us."""
    if "/" in call.words[0]:
        _, text, young = reader.to_run(call.words[0], call.cwd)
        draft = reader.world.absolute(call.words[0], call.cwd) in reader.drafts
        if (text is not None and "\0" not in text and young) or draft:
            return _script_file(reader, call, call.words)
    _results(reader, call)
    _started(reader, call)
    return None


def _started(reader: "Reader", call: "Call") -> None:
    """What a program that we do not know may start, for it stands among its words."""
    words = call.words
    if os.path.basename(words[0]) in READS or os.path.basename(words[0]) in OPERANDS or reader.guessing:
        return
    for at, given in enumerate(words[1:], 1):
        # `CC='sh x'` as well.
        word = given.partition("=")[2] if " " in given and "=" in given.split(" ")[0] else given
        first = os.path.basename(word.split(maxsplit=1)[0]) if word.strip() else ""
        if (first in SHELLS or INTERPRETER.match(first)) and not word.startswith("-"):
            reader.script(word) if " " in word else reader.start(words[at:])
            return
        place = reader.world.absolute(word, call.cwd) if "/" in word and UNKNOWN not in word else ""
        if place and (place in reader.drafts or reader.world.is_file(place, runs=True)):
            if (reader.to_run(place, call.cwd)[1] or "").startswith("#!"):
                _script_file(reader, call, words[at:])
            return


def _results(reader: "Reader", call: "Call") -> None:
    """Where a program that we do not know says that it puts what it makes."""
    words = call.words
    for at, word in enumerate(words[1:], 1):
        name, sign, value = word.partition("=")
        if _OUTPUT.match(name):
            place = value if sign else (words[at + 1] if at + 1 < len(words) else "")
            reader.write(place, None, "a program", tree=UNKNOWN not in place and reader.world.is_folder(
                reader.world.absolute(place, call.cwd)))  # fmt: skip


def printed_by_echo(words: list[str]) -> str:
    escapes, newline = False, "\n"
    while words and re.match(r"^-[neE]+$", words[0]):
        escapes, newline = escapes or "e" in words[0], "" if "n" in words[0] else newline
        words = words[1:]
    text = " ".join(words)
    return (unescape(text) if escapes or "\\" in text else text) + newline


def printed_by_printf(words: list[str]) -> str:
    if not words:
        return ""
    shape, values = unescape(words[0]), list(words[1:])
    out, rounds = "", 0
    while rounds < 64:
        rounds += 1
        pieces = re.split(r"(%(?:[-+ #0-9]*(?:\.\d+)?[sdibqcuxX]|%))", shape)
        for piece in pieces:
            if piece == "%%":
                out += "%"
            elif re.match(r"^%.*[sdibqcuxX]$", piece):
                value = values.pop(0) if values else ""
                out += unescape(value) if piece.endswith("b") else value
            else:
                out += piece
        if not values or len(pieces) == 1:
            break
    return out
