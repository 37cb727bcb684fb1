"""Loops that are made of words: one message that chants, and messages that say the same again in other words."""

import re
from collections import Counter

_FENCE = re.compile(r"```.*?(?:```|\Z)", re.DOTALL)
_TABLE = re.compile(r"^\s*\|.*$", re.MULTILINE)
_ITEM = re.compile(r"^\s*(?:[-*+•]|\d+[.)]) .*$", re.MULTILINE)
_SENTENCES = re.compile(r"(?<=[.!?…])\s+|\n+")
_TOKEN = re.compile(r"[\u3040-\u9fff\uac00-\ud7af]|[^\W_][\w./-]*")
_NUMBER = re.compile(r"\d+")
_ENDINGS = ("ing", "edly", "ed", "ies", "es", "s", "e")
_COMMON = frozenset(
    """
    a about again all already also am an and another any are as at attempt attempting back be because been
    before being but by can continue could did do does doing done each first for from get give go going good got
    had has have he her here him his how i if ill im in into is it its just keep last let lets like ll look
    looking make me might moment more most must my need needs new next no not now of ok okay on once one or
    other our out over please proceed proceeding re ready right same see shall she should so some step still
    such sure take than that the their them then there these they thing things this those through time to too
    try trying two up us use ve very want was way we well were what when where which while who will with work
    would yes yet you your
    """.split()  # noqa: SIM905 - a paragraph reads better than a hundred quotes
)
TAIL, NEEDLE = 6000, 24
_LEAST_SPAN, _PLAIN_SPAN, _CODE_SPAN = 160, 400, 1600


def chant(text: str, least: int) -> tuple[str, int] | None:
    """The unit that the end of a text repeats without end, and how often."""
    tail = newest(text)
    prose = " ".join(_TABLE.sub("", _FENCE.sub("", tail)).lower().split())
    found = _periodic(prose, least, _LEAST_SPAN)
    if not found and _NUMBER.search(prose):
        # Lines of a list may well differ by a number only.
        counted = " ".join(_TABLE.sub("", _ITEM.sub("", _FENCE.sub("", tail))).lower().split())
        found = _periodic(_NUMBER.sub("#", counted), least * 2, _LEAST_SPAN * 2)
    found = found or _again(tail, least)
    return found or _periodic(" ".join(tail.split()), least * 5, _CODE_SPAN)


def newest(text: str) -> str:
    """The end of a text; one that is cut inside a block of code still begins with it."""
    if len(text) <= TAIL:
        return text
    return ("```" if text[:-TAIL].count("```") % 2 else "") + text[-TAIL:]


def _periodic(text: str, least: int, span: int) -> tuple[str, int] | None:
    """Whether the end of a text has one period; the last words are looked for before themselves."""
    # A message may break off in mid-unit, so the period is that of the last words, wherever they stand in it.
    needle = text[-NEEDLE:]
    if len(needle) < NEEDLE:
        return None
    at = text.rfind(needle, 0, len(text) - 1)
    if at < 0:
        return None
    period = len(text) - NEEDLE - at
    length = _agreement(text, period) + period
    unit = text[-period:]
    worded = any(letter.isalpha() for letter in unit)
    times = length // period
    if times < least or length < (span if worded else max(span, _PLAIN_SPAN)):
        return None
    return unit.strip(), times


def _agreement(text: str, period: int) -> int:
    """How many characters at the end equal those one period before."""
    low, high = 0, len(text) - period
    while low < high:
        middle = (low + high + 1) // 2
        if text[len(text) - middle :] == text[len(text) - middle - period : len(text) - period]:
            low = middle
        else:
            high = middle - 1
    return low


def _again(tail: str, least: int) -> tuple[str, int] | None:
    """A sentence that comes back and back among others: most of the last ones are one or two sentences."""
    said = [" ".join(one.lower().split()) for one in _SENTENCES.split(_TABLE.sub("", _FENCE.sub("", tail)))]
    newest = [one for one in said if len(one.split()) >= 3][-4 * least :]
    if len(newest) < 2 * least:
        return None
    commonest = Counter(newest).most_common(3)
    if commonest[0][1] >= least and sum(times for _, times in commonest) * 2 >= len(newest):
        return commonest[0]
    return None


def meaning(text: str) -> frozenset[str]:
    """The words of a message that carry it, without their endings."""
    return frozenset(
        _stem(token.rstrip("./-")) for token in _TOKEN.findall(text.lower().replace("'", ""))
        if token.rstrip("./-") not in _COMMON
    ) - {""}  # fmt: skip


def _stem(word: str) -> str:
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word[: -len(ending)]
    return word


class Monologue:
    """Messages in a row without a call between them: how many of them bring nothing new."""

    KEPT = 8

    def __init__(self) -> None:
        self.said: list[frozenset[str]] = []
        self.stale = 0

    def add(self, text: str) -> int:
        """How many messages in a row say the same, this one among them."""
        words = meaning(text)
        if self.said and _nothing_new(words, self.said):
            self.stale += 1
        else:
            self.stale = 0
        self.said = [*self.said[-self.KEPT + 1 :], words]
        return self.stale + 1

    def forget(self) -> None:
        self.said, self.stale = [], 0


def _nothing_new(words: frozenset[str], said: list[frozenset[str]]) -> bool:
    if not words:
        return True
    if max(len(words & one) / len(words | one) for one in said) >= 0.5:
        return True
    known = frozenset[str]().union(*said)
    return len(words - known) / len(words) <= 0.34
