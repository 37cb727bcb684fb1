"""The small languages of sed and awk: which files their scripts write, which commands they run."""

import re
from typing import TYPE_CHECKING

from .linear import every, there, without
from .options import split_options
from .world import UNKNOWN, Leaves

if TYPE_CHECKING:
    from .reader import Call, Reader

_ADDRESS = re.compile(
    r"\s*(?:(?:\d+|\$|/(?:\\.|[^/\n\\])*/[IM]*|\\(.)(?:\\.|(?!\1)[^\\])*\1[IM]*)(?:~\d+)?\s*,?\s*[+~]?)*\s*!*\s*"
)
_LINE = re.compile(r"[^\n]*")
_TEXTUAL, _FILED = "aic", "wWrR"
_STRING = r'"((?:[^"\\]|\\.)*)"'
# In the words of RE2: a program of any length is looked through once.
_RUN = r"\bsystem\s*\(\s*([^;{}\n]*)|\|&?\s*([^|&;{}\n]+)|([^;{}\n|]+?)\|&?\s*getline"
_MADE = r"""print[^;{}]*>\s*[^\s"&|]|print[^;{}]*>>?\s*\(?\s*"[^"]*"\s*[\pL\pN_"$(]"""
_SHELL = re.compile(r"^\s*(?:/\S*/)?(?:ba|da|z|k)?sh\b")


def sed(reader: "Reader", call: "Call") -> str | None:
    words = call.words
    edits = any(re.match(r"^(?:-[nErsuz]*i|--in-place)", word) for word in words[1:])
    options, rest = split_options(words, ("-e", "-f", "--expression", "--file", "-l"))
    given = {"-e", "-f", "--expression", "--file"} & options.keys()
    spelled = [words[at + 1] for at, word in enumerate(words[:-1]) if re.match(r"^-[nErsuz]*e$|^--expression$", word)]
    spelled += [word.partition("=")[2] for word in words if word.startswith("--expression=")]
    spelled += [word[2:] for word in words[1:] if re.match(r"^-e.", word)]
    script = "\n".join(spelled if given or spelled else rest[:1])
    within = reader
    if file := options.get("-f") or options.get("--file"):
        within, text, _ = reader.to_run(file, call.cwd)
        sed_script(within, text or "")
    sed_script(reader, script)
    for one in (rest if given or spelled else rest[1:]) if edits else ():
        reader.write(one, script, "sed -i", leaves=Leaves.CHANGED)
    reader.blur(within)
    return None


def sed_script(reader: "Reader", script: str) -> None:
    """Walks through the commands of a sed script; what cannot be followed is only held against the guarded places."""
    at = 0
    while at < len(script):
        reader.world.effort.spend()
        found = _ADDRESS.match(script, at)
        at = found.end() if found else at
        command = script[at : at + 1]
        at += 1
        if command in ("s", "y") and at < len(script):
            at = _substitution(reader, script, at)
        elif command == "e":
            line = _LINE.match(script, at)
            at = _behind(line, at)
            if line is not None and line[0].strip():
                reader.script(line[0].strip())
            else:
                reader.opaque.append("sed runs what it reads")
        elif command and command in _FILED + _TEXTUAL:
            line = _LINE.match(script, at)
            at = _behind(line, at)
            if command in "wW" and line is not None:
                _written(reader, line[0])


def _substitution(reader: "Reader", script: str, at: int) -> int:
    mark, seen = script[at], 0
    at += 1
    while at < len(script) and seen < 2:
        seen += script[at] == mark
        at += 2 if script[at] == "\\" else 1
    while at < len(script) and script[at] in "gpiImM0123456789e":
        if script[at] == "e":
            reader.opaque.append("sed runs what it replaced")
        at += 1
    if script[at : at + 1] == "w":
        line = _LINE.match(script, at + 1)
        _written(reader, line[0] if line else "")
        at = _behind(line, at)
    return at


def _behind(line: "re.Match[str] | None", at: int) -> int:
    return line.end() if line is not None else at


def _written(reader: "Reader", name: str) -> None:
    reader.write(name.strip(), None, "sed")
    reader.write(re.split(r"[;}]", name)[0].strip(), None, "sed")


def awk_script(reader: "Reader", program: str, told: list[str]) -> None:
    """`told`: what the program is given besides its text. A name or a command that it puts together may be any of it."""
    made = there(_MADE, program)
    for command in every(_RUN, program):
        texts = every(_STRING, command)
        plain = without(_STRING, command, "").strip(' ()\t"')
        if _SHELL.match(texts[0] if texts else "") and "system" not in command and len(texts) == 1 and "|" in program:
            reader.opaque.append("awk hands a shell what it prints")
        if plain and not plain.startswith("getline"):
            made = True
        for text in texts:
            reader.script(text.replace('\\"', '"') + (UNKNOWN if plain and text.endswith((" ", "'")) else ""), depth=2)
    if made:
        for text in (program, *every(_STRING, program), *told):
            reader.mention(text, "awk")
