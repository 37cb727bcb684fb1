"""Files of a repository that may be anybody's: whatever is in them becomes a finding, never an exception."""

import os
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from ...jsonc import loads
from .findings import Report

MOST_BYTES = 4 << 20
_SKIPPED = frozenset(("node_modules", ".git", ".venv", "dist", "build", "__pycache__"))
_DEPTH = 8


def present(root: Path, names: Sequence[str]) -> list[Path]:
    """Those of the named files that are there."""
    return [path for name in names if (path := root / name).is_file()]


def read_text(root: Path, path: Path, report: Report) -> str | None:
    where = told(root, path)
    report.looked_at.append(where)
    try:
        if path.stat().st_size > MOST_BYTES:
            report.error(where, f"is larger than {MOST_BYTES >> 20} MiB")
            return None
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        report.error(where, "is not UTF-8")
    except OSError as fault:
        report.error(where, f"cannot be read: {os.strerror(fault.errno or 0)}")
    return None


def read_object(root: Path, path: Path, report: Report) -> dict[str, Any] | None:
    """The object in a file of JSON, comments and trailing commas allowed."""
    text = read_text(root, path, report)
    if text is None:
        return None
    try:
        value = loads(text.encode())
    except (msgspec.DecodeError, ValueError, RecursionError) as fault:
        report.error(told(root, path), f"is not JSON: {fault}")
        return None
    if not isinstance(value, dict):
        report.error(told(root, path), f"must hold an object, not {kind_of(value)}")
        return None
    return value


def read_toml(root: Path, path: Path, report: Report) -> dict[str, Any] | None:
    text = read_text(root, path, report)
    if text is None:
        return None
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as fault:
        report.error(told(root, path), f"is not TOML: {fault}")
        return None


def find_all(root: Path, suffixes: Sequence[str], stems: Sequence[str] = ()) -> Iterator[Path]:
    """Files of these endings (and names, where any are given), not too deep and in nothing that was installed."""
    for folder, below, files in os.walk(root):
        depth = len(Path(folder).relative_to(root).parts)
        below[:] = sorted(name for name in below if name not in _SKIPPED) if depth < _DEPTH else []
        for name in sorted(files):
            path = Path(folder) / name
            if path.suffix in suffixes and (not stems or path.stem in stems):
                yield path


def told(root: Path, path: Path) -> str:
    return path.relative_to(root).as_posix()


def kind_of(value: object) -> str:
    """The word of JSON for it."""
    names = {dict: "an object", list: "a list", str: "text", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")


def objects(value: object) -> dict[str, Any]:
    """The value where it is an object, else nothing."""
    return value if isinstance(value, dict) else {}


def listed(value: object) -> list[Any]:
    """The value where it is a list, else nothing."""
    return value if isinstance(value, list) else []
