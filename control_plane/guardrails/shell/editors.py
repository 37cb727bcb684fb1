"""Editors and awk, which write without looking like it."""

import re
from typing import TYPE_CHECKING

from .options import split_options
from .scripting import awk_script
from .world import UNKNOWN, Leaves

if TYPE_CHECKING:
    from .reader import Call, Reader

_VIM = re.compile(r"(?:^|[|\s:])(?:w|wq|x|write|saveas|up|update)!?(?:\s+(\S+))?(?:\s*$|\||\n)")


_AWK, _IN_PLACE = re.compile(r"(?:g|m|n)?awk"), re.compile(r"perl|ruby")
_CMDLETS = re.compile(
    r"(?i)(?:remove|set|clear|move|copy|rename|new)-(?:item|content)|add-content|out-file|tee-object|>|\b(?:rm|del|mv|cp|sc|ni)\b"
)
_SQL = re.compile(r"(?i)\b(?:create|insert|update|delete|drop|alter|replace|vacuum|reindex|attach)\b")
# Commands of sqlite3 that only show or set how it shows.
_SHOWING = frozenset((
    "tables", "schema", "indexes", "indices", "databases", "dump", "headers", "header", "mode", "width", "quit", "exit", "timer", "nullvalue",
    "separator", "print", "show", "stats", "fullschema", "explain", "eqp", "changes", "echo", "help", "timeout", "bail", "prompt", "dbinfo",
))  # fmt: skip
_ATTACH = re.compile(r"(?i)\b(?:attach|vacuum\s+into)\b")
_EDITORS = frozenset(("ed", "ex", "vim", "vi", "nvim", "emacs"))


def editor(reader: "Reader", call: "Call", name: str) -> str | None:
    """Editors and awk, which write without looking like it; None when this call is plain code."""
    if _AWK.fullmatch(name):
        _awk(reader, call)
    elif name in _EDITORS:
        _text_editor(reader, call, name)
    elif name in ("pwsh", "powershell"):
        _powershell(reader, call, name)
    elif name == "sqlite3":
        _sqlite(reader, call, name)
    elif _IN_PLACE.match(name) and any(re.match(r"^-(?![MmI])[a-zA-Z0-9]*i", word) for word in call.words[1:]):
        _in_place(reader, call, name)
    else:
        return None
    return UNKNOWN


def _awk(reader: "Reader", call: "Call") -> None:
    words = call.words
    options, rest = split_options(words, ("-f", "-v", "-F", "-i", "-e"))
    within, program = reader, options.get("-e") or (rest[0] if rest else "")
    if "-f" in options:
        within, text, _ = reader.to_run(options["-f"], call.cwd)
        program = text or ""
    given = [words[at + 1] for at, word in enumerate(words[:-1]) if word == "-v"]
    values = dict(one.split("=", 1) for one in given if "=" in one)
    for target in re.findall(r"print[^;{}|]{0,300}>>?\s*(?:\(\s*)?(\"[^\"]*\"|\w+)", program):
        named = target.strip('"') if target.startswith('"') else values.get(target)
        if named:
            within.write(named, program, "awk")
        elif named is None and not target.isdigit():
            # A name that is made up at work: whatever the call mentions may be it.
            mentioned = (*re.findall(r'"([^"]+)"', program), *rest[1:], *values.values(), *(call.stdin or "").split())
            for one in mentioned:
                within.write(one, program, "awk")
    awk_script(within, program, [*rest[1:], *values.values(), call.stdin or ""])
    if "inplace" in words or "-iinplace" in words or "--include=inplace" in words:
        for file in rest[1:]:
            within.write(file, program, "awk -i inplace", leaves=Leaves.CHANGED)
    reader.blur(within)


def _text_editor(reader: "Reader", call: "Call", name: str) -> None:
    words = call.words
    files = [word for word in words[1:] if not word.startswith(("-", "+"))]
    told = "\n".join([*words[1:], call.stdin or ""])
    viewed = "-R" in words and call.stdin is None and not any(re.match(r"\+.|-[cSseE]|--cmd", word) for word in words)
    if not viewed and (call.stdin is not None or len(words) > 2 or name == "ed"):
        for file in (*files, *_VIM.findall(told)):
            reader.write(file, told, name, leaves=Leaves.CHANGED)
        reader.mention(told, name)
    for command in re.findall(r"(?:^|[+:\s])!\s*([^\n]+)", told):
        reader.script(command, depth=2)
    if name == "emacs" and re.search(r"write-|append-to|save-buffer|rename|copy-file|delete-file", told):
        for text in re.findall(r'"([^"]+)"', told):
            reader.write(text, told, name)


def _powershell(reader: "Reader", call: "Call", name: str) -> None:
    told = "\n".join([*call.words[1:], call.stdin or ""])
    if _CMDLETS.search(told):
        for one in re.findall(r"[^\s'\";|(){}]+", told):
            reader.write(one, told, name)


def _sqlite(reader: "Reader", call: "Call", name: str) -> None:
    told = " ".join(call.words) + (call.stdin or "")
    for target in re.findall(r"(?:\.output|\.once|writefile\(|\.save|\.backup)\s*'?\"?([^\s'\",)]+)", told):
        reader.write(target, None, name)
    for command, rest in re.findall(r"(?:^|[\s'\";])\.([a-z]+)[ \t]*([^\n]*)", told):
        if command in ("shell", "system"):
            reader.script(rest.strip("'\""))
        elif command not in _SHOWING:
            reader.mention(told, name)
    if _ATTACH.search(told):
        reader.mention(told, name)
    files = split_options(call.words, ("-cmd", "-init", "-separator", "-nullvalue"))[1]
    if files and _SQL.search(told):
        reader.write(files[0], None, name)


def _in_place(reader: "Reader", call: "Call", name: str) -> None:
    """perl -i and ruby -i."""
    words = call.words
    code = next((words[at + 1] for at, word in enumerate(words[:-1]) if re.match(r"^-[a-zA-Z0-9.]*e$", word)), "")
    for file in split_options(words)[1]:
        if file != code:
            reader.write(file, code, f"{name} -i", leaves=Leaves.CHANGED)
