"""What bash runs by itself: texts that it evaluates as arithmetic, call-backs, and variables that hold commands or files."""

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from .lexer import substitutions
from .options import split_options

if TYPE_CHECKING:
    from .reader import Call, Reader

# They evaluate names of variables, and so the subscripts in these, once more.
_EVALUATING = frozenset((
    "[", "[[", "declare", "export", "let", "local", "mapfile", "printf", "read", "readarray", "readonly", "test", "typeset",
    "unset", "wait", "compgen", "complete", "getopts",
))  # fmt: skip
_CALLED_BACK = {"mapfile": "-C", "readarray": "-C", "compgen": "-CF", "complete": "-CF", "fc": "-e", "bind": "-x"}
_INDEX = re.compile(r"\w\[[^\]]*(?:\$\(|`)")
PROMPTS = frozenset(("PS0", "PS1", "PS2", "PS4", "PROMPT"))
STARTED_WITH = frozenset(("BASH_ENV", "ENV", "PYTHONSTARTUP", "ZDOTDIR"))
INJECTED = frozenset(("LD_PRELOAD", "LD_AUDIT", "DYLD_INSERT_LIBRARIES"))
OPTIONS_OF = {"NODE_OPTIONS": "node", "PERL5OPT": "perl", "RUBYOPT": "ruby"}
FILLED = frozenset((
    "HISTFILE", "LESSHISTFILE", "GIT_TRACE", "GIT_TRACE2", "GIT_TRACE_SETUP", "GIT_TRACE2_EVENT", "GIT_TRACE_PACKET", "GIT_INDEX_FILE",
    "SSLKEYLOGFILE", "NODE_V8_COVERAGE", "PYTHONPYCACHEPREFIX", "COVERAGE_FILE", "MYSQL_HISTFILE", "PSQL_HISTORY", "SQLITE_HISTORY",
    "NODE_REPL_HISTORY", "GIT_WORK_TREE", "GIT_DIR", "CARGO_TARGET_DIR", "GOBIN", "TMPDIR",
))  # fmt: skip
CALLED_BY_NAME = frozenset(("command_not_found_handle", "command_not_found_handler", "precmd", "preexec"))


def heed(reader: "Reader", call: "Call", name: str) -> None:
    """What this builtin of bash evaluates or calls back."""
    words = call.words
    if name in _EVALUATING and (name != "printf" or "-v" in words):
        for word in words[1:]:
            evaluate(reader, word)
    if (letters := _CALLED_BACK.get(name)) is not None:
        for at, word in enumerate(words[1:-1], 1):
            if word.startswith("-") and word[-1] in letters[1:]:
                reader.script(words[at + 1].partition(":")[2] if name == "bind" else words[at + 1])
    if (own := _OWN.get(name)) is not None:
        own(reader, call)


def evaluate(reader: "Reader", text: str) -> None:
    """The commands that would run when this text is expanded."""
    if "$(" in text or "`" in text:
        for command in substitutions(text):
            reader.output(command)


def variable(reader: "Reader", name: str, value: str) -> None:
    """What it means that a variable of this name holds this value."""
    if name in PROMPTS:
        evaluate(reader, value)
    elif name in STARTED_WITH and value:
        reader.start(["." if name.endswith("ENV") else "python3", value])
    elif _INDEX.search(value):
        # Wherever bash takes the variable for a number, it evaluates this.
        evaluate(reader, value)
    elif name == "BASH_ALIASES":
        reader.script(value)
    elif name in INJECTED and value:
        reader.opaque.append(f"{name} puts code into every program")
    elif name in OPTIONS_OF:
        reader.start([OPTIONS_OF[name], *value.split(), "-e", "1"])
    elif name in FILLED:
        reader.mention(value, name)


def _history(reader: "Reader", call: "Call") -> None:
    for at, word in enumerate(call.words[1:-1], 1):
        if word in ("-w", "-a"):
            reader.write(call.words[at + 1], None, "history")


def _hash(reader: "Reader", call: "Call") -> None:
    options, names = split_options(call.words, ("-p",))
    for name in names if "-p" in options else ():
        reader.aliases[name] = options["-p"]


def _enable(reader: "Reader", call: "Call") -> None:
    if any(word.startswith("-") and "f" in word for word in call.words[1:]):
        reader.opaque.append("the shell loads a library")


_OWN: dict[str, Callable[["Reader", "Call"], None]] = {"history": _history, "hash": _hash, "enable": _enable}
