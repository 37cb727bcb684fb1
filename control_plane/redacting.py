"""Takes out of what others said what nobody should find in a log.

Out of a prompt: code, secrets, names, addresses, folders of people. That errs on the side of too much: what looks
random enough to be a secret is taken for one. Out of names, paths and reasons: secrets of known forms only, since ids
are random.
"""

import math
import re
from collections import Counter
from collections.abc import Iterable
from functools import lru_cache
from typing import Any, TypeVar, cast

import msgspec

T = TypeVar("T")
LONGEST, KEPT = 20_000, 400
_NAMED = re.compile(
    r"""((?:pass(?:word|wd|phrase)?|pwd|secret|token|credentials?|auth(?:orization)?|cookie"""
    r"""|(?:api|access|private|secret)[-_ ]?key)["']?\s*(?:[:=]|\bis\b)\s*)(?:"[^"\n]*"|'[^'\n]*'|\S+)""",
    re.IGNORECASE,
)
_PREFIXED = re.compile(
    r"\b(?:sk|pk|rk|ghp|gho|ghs|github_pat|glpat|hf|xox[a-z]|npm|pypi|AKIA|ASIA|AIza|eyJ)[-_]?[\w.-]{10,}"
)
_RULES: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("[code]", re.compile(r"(```|~~~).*?(\1|\Z)", re.DOTALL)),
    ("[code]", re.compile(r"`[^`\n]+`")),
    ("[key]", re.compile(r"-----BEGIN [^-]+-----.*?(-----END [^-]+-----|\Z)", re.DOTALL)),
    (r"\1[login]@", re.compile(r"(\b[a-z][a-z0-9+.-]*://)[^\s/@]+@", re.IGNORECASE)),
    ("[secret]", re.compile(r"\b(?:bearer|basic)\s+\S+", re.IGNORECASE)),
    (r"\1[secret]", _NAMED),
    ("[secret]", _PREFIXED),
    ("[address]", re.compile(r"[\w.+-]+@[\w-]+\.[\w.-]+")),
    (r"\1[user]", re.compile(r"([/\\](?:home|Users)[/\\])[^\s/\\:]+")),
    ("[address]", re.compile(r"\b\d{1,3}(?:\.\d{1,3}){3}\b")),
)
# Bounded and anchored at words: linear, whatever it is given.
_KNOWN = re.compile(
    r"""-----BEGIN[ _][A-Z _]{0,40}KEY-----(?:.*?-----END[ _][A-Z _]{0,40}-----|.*)"""
    r"""|(?P<scheme>\b[A-Za-z][A-Za-z0-9+.-]{0,20}:/{1,2})[^\s/@:]{0,200}:[^\s/@]{1,200}@"""
    r"""|(?<![A-Za-z0-9])(?:"""
    r"""(?:sk|pk|rk)[-_](?=[\w-]{0,200}?\d)[\w-]{20,}|gh[a-z]_\w{20,}|github_pat_\w{20,}|glpat-[\w-]{16,}"""
    r"""|xox[a-z]-[\w-]{10,}|hf_\w{20,}|npm_\w{20,}|pypi-[\w-]{20,}|A[KS]IA[A-Z0-9]{12,}|AIza[\w-]{30,}"""
    r"""|eyJ[\w-]{8,}\.[\w-]{4,}(?:\.[\w-]*)?)""",
    re.DOTALL,
)
# A login in a URL has at least nine letters; names that come again and again are looked at once.
_SHORTEST, _LONGEST_NAME = 9, 256
_LONG = re.compile(r"[A-Za-z0-9+/=_-]{16,}")


def redacted(text: str) -> str:
    """The beginning of it, without what is secret; what was cut off in the middle of a word goes with it."""
    if len(text) > LONGEST:
        text = re.sub(r"\S+\Z", "", text[:LONGEST])
    for instead, pattern in _RULES:
        text = pattern.sub(instead, text)
    text = _LONG.sub(lambda found: "[secret]" if _random(found[0]) else found[0], text)
    return text if len(text) <= KEPT else f"{text[:KEPT]}…"


def _random(word: str) -> bool:
    """Letters and digits mixed, or more different letters than words have."""
    counts = Counter(word)
    entropy = -sum(n / len(word) * math.log2(n / len(word)) for n in counts.values())
    mixed = any(c.isdigit() for c in word) and any(c.isalpha() for c in word)
    return entropy > (3.0 if mixed else 4.2)


def without_secrets(text: str) -> str:
    """A name, a path or a reason as it is, but for secrets of known forms."""
    if len(text) < _SHORTEST:
        return text
    clean = _known(text) if len(text) <= _LONGEST_NAME else _found(text)
    return text if clean is None else clean


def without_secrets_in(told: T, fields: Iterable[str] | None = None) -> T:
    """The same, when nothing was found; `fields` of a struct, or all its texts."""
    if isinstance(told, str):
        return cast("T", without_secrets(told))
    if isinstance(told, tuple):
        parts = tuple(map(without_secrets_in, told))
        return told if all(map(_same, parts, told)) else cast("T", parts)
    if isinstance(told, msgspec.Struct):
        names = told.__struct_fields__ if fields is None else fields
        found = {name: (old := getattr(told, name), without_secrets_in(old)) for name in names}
        changed = {name: new for name, (old, new) in found.items() if new is not old}
        return cast("T", msgspec.structs.replace(told, **changed)) if changed else told
    return told


def _same(one: Any, other: Any) -> bool:
    return one is other


def _instead(found: re.Match[str]) -> str:
    return f"{found['scheme']}[login]@" if found["scheme"] else "[secret]"


def _found(text: str) -> str | None:
    """What stands for it; None for itself, so that whoever asks gets the very text that he gave."""
    clean = _KNOWN.sub(_instead, text)
    return None if clean == text else clean


_known = lru_cache(maxsize=4096)(_found)
