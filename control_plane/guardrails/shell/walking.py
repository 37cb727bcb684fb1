"""Looks names up on the disk, but only in the project: what lies elsewhere is nobody's to be told of."""

import fnmatch
import os
import re
from collections.abc import Iterator

from .effort import Effort

LONGEST_PATH = 4096
PASSED_BY = (".git", "node_modules", ".venv")
_MAGIC = re.compile(r"[*?\[]")


def inside(path: str, root: str) -> bool:
    return path == root or path.startswith(root.rstrip("/") + "/")


def matches(pattern: str, root: str, effort: Effort) -> Iterator[str]:
    """What a glob stands for; above the project it is followed towards the project only."""
    if len(pattern) <= LONGEST_PATH:
        yield from _follow("", re.sub(r"(?:\*\*/)+", "**/", pattern).strip("/").split("/"), root, effort)


def files_under(folder: str, root: str, effort: Effort) -> Iterator[str]:
    """The files of a tree, or of the project when that is a part of the tree."""
    real = os.path.realpath(folder)
    top = real if inside(real, root) else root
    if not inside(top, real):
        return
    for parent, folders, files in os.walk(top):
        effort.spend(entries=len(folders) + len(files) + 1)
        folders[:] = sorted(one for one in folders if one not in PASSED_BY)
        place = folder.rstrip("/") + parent[len(real.rstrip("/")) :]
        yield from (f"{place}/{file}" for file in files)


def _follow(folder: str, parts: list[str], root: str, effort: Effort) -> Iterator[str]:
    head, rest = parts[0], parts[1:]
    if _MAGIC.search(head):
        if head == "**" and rest:
            yield from _follow(folder, rest, root, effort)
        for name, is_folder in _entries(folder, root, effort):
            yield from _onward(f"{folder}/{name}", is_folder, parts, root, effort)
    elif rest:
        yield from _follow(f"{folder}/{head}", rest, root, effort)
    elif inside(os.path.realpath(folder), root) and os.path.lexists(f"{folder}/{head}"):
        yield f"{folder}/{head}"


def _onward(path: str, is_folder: bool, parts: list[str], root: str, effort: Effort) -> Iterator[str]:
    """What an entry that may meet the first of these parts leads to."""
    head, rest = parts[0], parts[1:]
    if head != "**" and not fnmatch.fnmatchcase(path.rpartition("/")[2], head):
        return
    if not rest:
        yield path
    if head == "**" and is_folder:
        yield from _follow(path, parts, root, effort)
    elif head != "**" and rest and os.path.isdir(path):
        yield from _follow(path, rest, root, effort)


def _entries(folder: str, root: str, effort: Effort) -> list[tuple[str, bool]]:
    real = os.path.realpath(folder or "/")
    if inside(real, root):
        try:
            with os.scandir(real) as found:
                entries = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in found]
        except OSError:
            return []
        effort.spend(entries=len(entries) + 1)
        return sorted(entries)
    if inside(root, real):
        return [(root[len(real) :].strip("/").partition("/")[0], True)]
    return []
