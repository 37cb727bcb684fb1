"""Expressions that run in linear time (RE2), and bundles of them that cost one pass when none matches."""

import re
from collections.abc import Sequence
from functools import cache
from typing import Any

from .. import extras
from ..errors import MissingExtra
from .errors import BadPattern

LONGEST, CHUNK = 2000, 12
_UNICODE = re.compile(r"\\u\{([0-9a-fA-F]{1,6})\}|\\u([0-9a-fA-F]{4})")
_MEMORY = 32 << 20


@cache
def _engine() -> Any:
    """RE2, loaded when the first pattern is compiled: a plane that only routes needs none of it."""
    try:
        import re2  # noqa: PLC0415
    except ImportError:
        raise MissingExtra("guardrails need the package google-re2", cure=extras.install()) from None
    return re2


def glob_expression(glob: str) -> str:
    """`**/` any folders, `**` anything, `*` within a segment, everything else literal; anchored at both ends."""
    parts = re.split(r"(\*\*/|\*\*|\*)", glob.removeprefix("./"))
    spelled = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*"}
    return "^(?:" + "".join(spelled.get(part) or literal(part) for part in parts) + ")$"


def literal(text: str) -> str:
    """The expression that matches exactly this."""
    return "".join(char if char.isalnum() or ord(char) > 127 else f"\\x{{{ord(char):x}}}" for char in text)


def compiled(expression: str, *, ignore_case: bool = False, dot_all: bool = False) -> Any:
    """One expression, or `BadPattern` with the reason; what needs backtracking is refused, never run."""
    if len(expression) > LONGEST:
        raise BadPattern(f"a pattern has {len(expression):,} characters", why=f"the limit is {LONGEST:,}")
    re2 = _engine()
    options = re2.Options()
    options.log_errors = False
    options.max_mem = _MEMORY
    options.case_sensitive = not ignore_case
    options.dot_nl = dot_all
    text = _UNICODE.sub(lambda found: f"\\x{{{found[1] or found[2]}}}", expression)
    try:
        return re2.compile(text.encode(), options)
    except (re2.error, UnicodeEncodeError) as fault:
        why = fault.args[0].decode() if fault.args and isinstance(fault.args[0], bytes) else str(fault)
        raise BadPattern(
            f"the pattern {expression[:80]!r} cannot be used",
            why=why,
            cure="look-around and back-references need backtracking; write it without them",
        ) from None


class Bundle:
    """Many expressions with a number each; groups of groups are asked first, single ones only where a group hits."""

    def __init__(self, entries: Sequence[tuple[int, str]], *, ignore_case: bool = False, dot_all: bool = False) -> None:
        self._compile = lambda text: compiled(text, ignore_case=ignore_case, dot_all=dot_all)
        self._whole = lambda texts: _union(texts, ignore_case, dot_all)
        self._groups = [self._group(part) for part in _parts(entries, CHUNK * CHUNK)]

    def hits(self, text: bytes) -> set[int]:
        found: set[int] = set()
        for union, members in self._groups:
            if union is None or union.search(text) is not None:
                for inner, singles in members:
                    if inner is None or inner.search(text) is not None:
                        found.update(number for number, single in singles if single.search(text) is not None)
        return found

    def _group(self, entries: Sequence[tuple[int, str]]) -> tuple[Any, list[tuple[Any, list[tuple[int, Any]]]]]:
        members = [
            (self._joined(part), [(number, self._compile(text)) for number, text in part])
            for part in _parts(entries, CHUNK)
        ]
        return (self._joined(entries) if len(members) > 1 else None), members

    def _joined(self, entries: Sequence[tuple[int, str]]) -> Any:
        # Too large a union is no fault of its members: then they are asked one by one.
        try:
            return self._whole([text for _, text in entries]) if len(entries) > 1 else None
        except BadPattern:
            return None


def _parts(entries: Sequence[tuple[int, str]], size: int) -> list[Sequence[tuple[int, str]]]:
    return [entries[at : at + size] for at in range(0, len(entries), size)]


def _union(expressions: list[str], ignore_case: bool, dot_all: bool) -> Any:
    re2 = _engine()
    options = re2.Options()
    options.log_errors = False
    options.max_mem = _MEMORY
    options.never_capture = True
    options.case_sensitive = not ignore_case
    options.dot_nl = dot_all
    texts = [_UNICODE.sub(lambda found: f"\\x{{{found[1] or found[2]}}}", text) for text in expressions]
    try:
        return re2.compile("|".join(f"(?:{text})" for text in texts).encode(), options)
    except re2.error as fault:
        raise BadPattern("too many patterns at once", why=str(fault)) from None
