"""The places that a text may name: the word itself, what stands behind an option's sign, what a language inside it spells."""

import re
from collections.abc import Iterator

from .world import UNKNOWN

_SIGN = re.compile(r"[=:@,]")
_BETWEEN = re.compile(rf"[\s'\"`;|&<>(){{}}\[\],=:@!$%#{UNKNOWN}]+")
_CLUSTER = 6
LONGEST_WORD = 4096


def places(text: str) -> Iterator[str]:
    """Everything in this text that could be a path; a superset, for only guarded places are looked for in it."""
    if len(text) <= LONGEST_WORD and "\n" not in text:
        yield from _of_word(text)
    for piece in _BETWEEN.split(text.replace("\\/", "/").replace("\\", " ")):
        if "/" in piece or "." in piece:
            yield piece.lstrip("-") if piece.startswith("-") else piece


def _of_word(word: str) -> Iterator[str]:
    if UNKNOWN in word:
        # What is known of it up to its last folder.
        word = word[: word.index(UNKNOWN)].rpartition("/")[0]
    if not word.startswith("-"):
        yield word
    for sign in _SIGN.finditer(word):
        yield word[sign.end() :]
    if word.startswith("-") and not word.startswith("--"):
        yield from (word[at:] for at in range(2, min(_CLUSTER, len(word))))
