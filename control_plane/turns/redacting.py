"""Takes out of a prompt what nobody should find in a log: code, secrets, names, addresses, folders of people.

It errs on the side of too much: what looks random enough to be a secret is taken for one.
"""

import math
import re
from collections import Counter

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
