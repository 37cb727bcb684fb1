"""Programs that apply changes: git and patch."""

import itertools
import os
import re
from typing import TYPE_CHECKING

from .options import split_options
from .patches import patched_files
from .world import UNKNOWN

if TYPE_CHECKING:
    from .reader import Call, Reader


# Settings of git that are commands.
_RUN = re.compile(
    r"^(?:alias\.[\w-]+=!|(?:core\.(?:editor|pager|sshcommand|fsmonitor|askpass)|sequence\.editor|diff\.external"
    r"|gpg\.program|credential\.helper|.+\.(?:textconv|command|cmd|driver|clean|smudge|process))=)", re.IGNORECASE
)  # fmt: skip
_RUNS_OTHERS = ("config", "submodule", "bisect", "rebase", "filter-branch", "difftool")


def git(reader: "Reader", call: "Call") -> str | None:
    words, cwd = _from_verb_on(reader, call)
    verb, rest = (words[0] if words else ""), words[1:]
    options, files = split_options(
        ["git", *rest], ("-o", "--output", "-b", "-B", "-s", "--source", "-m", "--directory")
    )
    for name in ("-o", "--output"):
        if name in options and verb in ("diff", "format-patch", "archive", "log", "show"):
            reader.write(options[name], None, f"git {verb}", cwd=cwd)
    if verb in ("apply", "am") and not {"--check", "--stat", "--numstat", "--summary"} & options.keys():
        _apply(reader, call, [f for f in files if f != "-"], f"git {verb}", 1, cwd)
    elif verb in _RUNS_OTHERS:
        _others(reader, verb, rest)
    for path in _changed(reader, verb, rest, options, files, cwd):
        reader.write(path, None, f"git {verb}", cwd=cwd, tree=True)
    if verb == "rev-parse":
        return reader.world.project + "\n" if "--show-toplevel" in options else "0000000\n"
    return "main\n" if verb in ("describe", "branch", "symbolic-ref", "hash-object") else None


def _from_verb_on(reader: "Reader", call: "Call") -> tuple[list[str], str]:
    """The words from the verb on, and the folder that they are meant for."""
    words, cwd = call.words, call.cwd
    at = 1
    while at < len(words) and words[at].startswith("-"):
        if words[at] == "-C" and at + 1 < len(words):
            cwd = reader.world.absolute(words[at + 1], cwd)
        if words[at] == "-c" and at + 1 < len(words) and _RUN.match(words[at + 1]):
            reader.script(words[at + 1].partition("=")[2].lstrip("!"))
        at += 2 if words[at] in ("-C", "-c", "--git-dir", "--work-tree", "--namespace") else 1
    return words[at:], cwd


def _changed(
    reader: "Reader", verb: str, rest: list[str], options: dict[str, str], files: list[str], cwd: str
) -> list[str]:
    """What the verb changes in the tree that is checked out."""
    match verb:
        case "checkout" | "restore" if "--" in rest:
            return rest[rest.index("--") + 1 :]
        case "checkout":
            return [path for path in files if os.path.exists(reader.world.absolute(path, cwd))]
        case "restore":
            return files
        case "mv" | "rm" if "--cached" not in options:
            return files
        case "reset" if "--hard" in options:
            return ["."]
        case "clean" if any(re.match("^-[a-z]*[xX]", one) for one in options):
            return ["."]
        case "read-tree":
            return ["."]
        case "checkout-index":
            return files or ["."]
        case "worktree" if files[:1] in (["remove"], ["move"]):
            return files[1:]
    return []


def _others(reader: "Reader", verb: str, rest: list[str]) -> None:
    """Commands of git that have another command run."""
    if verb == "config":
        for name, value in itertools.pairwise(rest):
            if _RUN.match(f"{name}={value}"):
                reader.script(value.lstrip("!"))
    elif verb in ("submodule", "bisect"):
        word = "foreach" if verb == "submodule" else "run"
        if word in rest:
            reader.script(" ".join(one for one in rest[rest.index(word) + 1 :] if one != "--recursive"))
    else:
        for at, word in enumerate(rest):
            if word in ("-x", "--exec", "--extcmd") or word.endswith("-filter"):
                reader.script(" ".join(rest[at + 1 : at + 2]))
            elif word.startswith(("--exec=", "--extcmd=")):
                reader.script(word.partition("=")[2])


def _apply(reader: "Reader", call: "Call", patches: list[str], via: str, strip: int, cwd: str) -> None:
    texts = [reader.file(patch, cwd)[0] for patch in patches] or [call.stdin]
    for text in texts:
        if text is None or UNKNOWN in text:
            if patches or call.stdin is not None:
                reader.opaque.append(f"{via} applies a patch that only the running command knows")
            continue
        for path, content in patched_files(text, strip):
            reader.write(path, content, via, cwd=cwd)


def patch(reader: "Reader", call: "Call") -> str | None:
    options, files = split_options(
        call.words, ("-i", "-o", "-d", "--input", "--output", "--directory", "-p", "--strip")
    )
    cwd = reader.world.absolute(options.get("-d") or options.get("--directory") or ".", call.cwd)
    output = options.get("-o") or options.get("--output")
    named = [one for one in (options.get("-i") or options.get("--input"), *files[1:]) if one]
    if output or files:
        reader.write(output or files[0], call.stdin, "patch", cwd=cwd)
    level = options.get("-p") or options.get("--strip") or "0"
    for strip in {int(level) if level.isdigit() else 0, 0, 1}:
        _apply(reader, call, named, "patch", strip, cwd)
    return None
