"""find and fd: what they find, and what they do to it."""

import fnmatch
import os
from typing import TYPE_CHECKING

from ..errors import BadPattern
from ..patterns import compiled
from .options import split_options
from .world import UNKNOWN

if TYPE_CHECKING:
    from .reader import Call, Reader

MOST_RUNS = 200
_FD_VALUED = (
    "-e",
    "--extension",
    "-t",
    "--type",
    "-d",
    "--max-depth",
    "-E",
    "--exclude",
    "-j",
    "--threads",
    "-S",
    "-c",
)


def find(reader: "Reader", call: "Call") -> str | None:
    from .programs import run

    words = call.words
    first = next((at for at, word in enumerate(words[1:], 1) if word.startswith("-") or word in "(!"), len(words))
    roots = words[1:first] or ["."]
    names = [words[at + 1] for at, word in enumerate(words[:-1]) if word in ("-name", "-iname", "-path", "-wholename")]
    found = [
        path
        for root in roots
        if UNKNOWN not in root
        for path in _found(reader, reader.world.absolute(root, call.cwd), names)
    ]
    for at, word in enumerate(words):
        if word in ("-exec", "-execdir", "-ok", "-okdir"):
            reader.world.effort.spend(text=(len(words) - at) * len(found))
            end = next((to for to in range(at, len(words)) if words[to] in (";", "+", "\\;")), len(words))
            if words[end : end + 1] != ["+"] and "{}" in words[at + 1 : end]:
                for path in found[:MOST_RUNS]:
                    run(reader, call._replace(words=[path if word == "{}" else word for word in words[at + 1 : end]]))
                continue
            inner = [piece for word in words[at + 1 : end] for piece in (found if word == "{}" else [word])]
            named = [
                word.replace("{}", path) for word in words[at + 1 : end] for path in (found if "{}" in word else [""])
            ]
            if inner:
                run(reader, call._replace(words=inner if "{}" in words[at + 1 : end] else named))
        elif word == "-delete":
            for path in found:
                reader.write(path, "", "find -delete")
        elif word in ("-fprint", "-fprintf", "-fls", "-fprint0") and at + 1 < len(words):
            reader.write(words[at + 1], None, "find")
    return "\n".join(found)


def _found(reader: "Reader", root: str, names: list[str]) -> list[str]:
    if not reader.world.is_folder(root):
        return [root]
    every = reader.world.files_under(root)
    reader.world.effort.spend(text=len(names) * len(every) * 16)
    return [path for path in every if any(
        fnmatch.fnmatch(os.path.basename(path).lower(), name.lower()) or fnmatch.fnmatch(path, name) for name in names
    )] if names else every  # fmt: skip


def fd(reader: "Reader", call: "Call") -> str | None:
    """`fd PATTERN [FOLDER]… -x COMMAND`, which is handed each path, or -X, which is handed them all."""
    from .programs import run

    words = call.words
    at = next((at for at, word in enumerate(words) if word in ("-x", "-X", "--exec", "--exec-batch")), len(words))
    options, rest = split_options(words[:at], _FD_VALUED)
    extension = options.get("-e") or options.get("--extension")
    every = [
        path
        for root in rest[1:] or ["."]
        if UNKNOWN not in root
        for path in reader.world.files_under(reader.world.absolute(root, call.cwd))
    ]
    try:
        wanted = compiled(rest[0] if rest else "", ignore_case=True)
    except BadPattern:
        wanted = compiled("")
    found = [
        path
        for path in every
        if wanted.search(os.fsencode(os.path.basename(path)))
        and (extension is None or path.endswith(f".{extension.lstrip('.')}"))
    ]
    inner = words[at + 1 :]
    if inner:
        marked = any("{}" in word for word in inner)
        reader.world.effort.spend(text=len(inner) * len(found))
        given = [word.replace("{}", path) for word in inner for path in (found if "{}" in word else [""])]
        run(reader, call._replace(words=given if marked else [*inner, *found]))
    return "\n".join(found)
