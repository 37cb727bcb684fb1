"""Editors and awk, which write without looking like it."""

import re
from typing import TYPE_CHECKING

from .tools import split_options
from .world import UNKNOWN

if TYPE_CHECKING:
    from .reader import Call, Reader

_VIM = re.compile(r"(?:^|[|\s:])(?:w|wq|x|write|saveas|up|update)!?(?:\s+(\S+))?(?:\s*$|\||\n)")


def editor(reader: "Reader", call: "Call", name: str) -> str | None:
    """Editors and awk, which write without looking like it; None when this call is plain code."""
    words = call.words
    if re.match(r"^(?:g|m|n)?awk$", name):
        options, rest = split_options(words, ("-f", "-v", "-F", "-i", "-e"))
        program = options.get("-e") or (
            rest[0] if rest and "-f" not in options else reader.file(options.get("-f", ""), call.cwd)[0] or ""
        )
        given = [words[at + 1] for at, word in enumerate(words[:-1]) if word == "-v"]
        values = dict(one.split("=", 1) for one in given if "=" in one)
        targets = re.findall(r"print[^;{}|]{0,300}>>?\s*\(?\s*(\"[^\"]*\"|\w+)", program)
        for target in targets:
            named = target.strip('"') if target.startswith('"') else values.get(target)
            if named is None and not target.isdigit():
                candidates = [
                    *re.findall(r'"([^"]+)"', program),
                    *rest[1:],
                    *values.values(),
                    *(call.stdin or "").split(),
                ]
                for one in candidates:
                    reader.write(one, program, "awk")
            elif named:
                reader.write(named, program, "awk")
        for command in re.findall(r'system\(\s*"((?:[^"\\]|\\.)*)"|\|\s*"((?:[^"\\]|\\.)*)"', program):
            reader.script(next(filter(None, command), "").replace('\\"', '"'), depth=2)
        if options.get("-i") == "inplace" or "inplace" in words:
            for file in rest[1:]:
                reader.write(file, program, "awk -i inplace")
        return UNKNOWN
    if name in ("ed", "ex", "vim", "vi", "nvim", "emacs"):
        files = [word for word in words[1:] if not word.startswith(("-", "+"))]
        told = "\n".join([*words[1:], call.stdin or ""])
        if call.stdin is not None or len(words) > 2 or name == "ed":
            for file in files:
                reader.write(file, told, name)
            for file in _VIM.findall(told):
                reader.write(file, told, name)
        for command in re.findall(r"(?:^|[+:\s])!\s*([^\n]+)", told):
            reader.script(command, depth=2)
        if name == "emacs" and re.search(r"write-|append-to|save-buffer|rename|copy-file|delete-file", told):
            for text in re.findall(r'"([^"]+)"', told):
                reader.write(text, told, name)
        return UNKNOWN
    if name == "sqlite3":
        for target in re.findall(
            r"(?:\.output|\.once|writefile\(|\.save|\.backup)\s*'?\"?([^\s'\",)]+)",
            " ".join(words) + (call.stdin or ""),
        ):
            reader.write(target, None, name)
        return UNKNOWN
    if re.match(r"^(?:perl|ruby)", name) and any(re.match(r"^-[a-zA-Z0-9]*i", word) for word in words[1:]):
        code = next((words[at + 1] for at, word in enumerate(words[:-1]) if re.match(r"^-[a-zA-Z0-9.]*e$", word)), "")
        for file in split_options(words)[1]:
            if file != code:
                reader.write(file, code, f"{name} -i")
        return UNKNOWN
    return None
