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
_VERBS_THAT_READ = """
    add annotate apply am blame branch cat-file check-attr check-ignore cherry cherry-pick commit count-objects describe diff diff-files
    diff-index diff-tree difftool fetch for-each-ref fsck gc grep hash-object help log ls-files ls-remote ls-tree maintenance merge
    merge-base name-rev notes pack-refs prune pull push range-diff rebase reflog remote reset rev-list rev-parse revert shortlog show
    show-branch show-ref status stripspace switch symbolic-ref tag update-ref var verify-commit verify-tag version whatchanged write-tree
    archive format-patch bisect commit-tree interpret-trailers rerere
"""
_READS = frozenset(_VERBS_THAT_READ.split())
_READ_PAIRS = frozenset((
    ("stash", "list"), ("stash", "show"), ("stash", "pop"), ("stash", "apply"), ("stash", "drop"), ("worktree", "list"), ("worktree", "prune"),
    ("submodule", "status"), ("submodule", "update"), ("submodule", "foreach"), ("bundle", "verify"), ("bundle", "list-heads"),
    ("config", "--get"), ("config", "-l"), ("config", "--list"),
))  # fmt: skip
# `:/path` and `:(glob)path` are looked up from the top.
_MAGIC = re.compile(r"^:(?:\([a-z,]*\)|/|!)+")
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
    _mentioned(reader, verb, rest, options, files, cwd)
    for path in _changed(reader, verb, rest, options, files, cwd):
        reader.write(path, None, f"git {verb}", cwd=cwd, tree=True)
    if verb == "rev-parse":
        return reader.world.project + "\n" if "--show-toplevel" in options else "0000000\n"
    return "main\n" if verb in ("describe", "branch", "symbolic-ref", "hash-object") else None


def _mentioned(
    reader: "Reader", verb: str, rest: list[str], options: dict[str, str], files: list[str], cwd: str
) -> None:
    """What a verb is told of that is not known to read only; of the others, where they put what they print."""
    for option, value in options.items():
        if option.startswith(("-o", "--output")):
            reader.mention(value or option[2:], f"git {verb}", cwd=cwd)
        elif verb == "grep" and option.startswith(("-O", "--open-files")):
            reader.script(value or option[2:])
    if verb in _READS or {"--cached", "--staged", "--dry-run", "-n", "--check"} & set(rest):
        return
    if rest[:1] and (verb, rest[0]) in _READ_PAIRS:
        return
    for word in [
        *files,
        *(f"{option}={value}" for option, value in options.items() if option not in ("-m", "--message")),
    ]:
        bare = _MAGIC.sub("", word)
        here = reader.world.project if bare != word else cwd
        for one in (bare, *(reader.world.matches(os.path.join(here, bare)) if "*" in bare or "?" in bare else ())):
            reader.mention(one, f"git {verb}", cwd=here)


def _from_verb_on(reader: "Reader", call: "Call") -> tuple[list[str], str]:
    """The words from the verb on, and the folder that they are meant for."""
    words, cwd = call.words, call.cwd
    at = 1
    while at < len(words) and words[at].startswith("-"):
        if words[at] == "-C" and at + 1 < len(words):
            cwd = reader.world.absolute(words[at + 1], cwd)
        if words[at] == "-c" and at + 1 < len(words) and _RUN.match(words[at + 1]):
            reader.script(words[at + 1].partition("=")[2].lstrip("!"))
        if words[at].startswith("--exec-path=") or (
            words[at] == "-c" and "".join(words[at + 1 : at + 2]).lower().startswith("core.hookspath=")
        ):
            reader.opaque.append("git is told to run other programs than its own")
        if words[at].startswith(("--work-tree", "--git-dir")):
            reader.mention(words[at] if "=" in words[at] else "".join(words[at + 1 : at + 2]), "git")
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
            return [path for path in files if reader.world.holds(reader.world.absolute(path, cwd), exists=True)]
        case "restore" if not ({"--staged", "-S"} & options.keys() and not {"--worktree", "-W"} & options.keys()):
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
    texts = [reader.to_run(patch, cwd)[:2] for patch in patches] or [(reader, call.stdin)]
    for within, text in texts:
        if text is None or UNKNOWN in text:
            if patches or call.stdin is not None:
                reader.opaque.append(f"{via} applies a patch that only the running command knows")
            continue
        for path, content in patched_files(text, strip):
            within.write(path, content, via, cwd=cwd)
        reader.blur(within)


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
