"""From what somebody typed to a query: it is cut into words and each is quoted, so it can be no more than its words."""

import re

MOST = 48
_WORD = re.compile(r"[^\W_]+")
_PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
# They say nothing about the subject; a query of nothing else is taken as it is.
_COMMON = frozenset(
    _WORD.findall(
        "a about after all also an and any are as at be because been before but by can did do does for from get had "
        "has have how i if in into is it its may must my no not of on or our should so some that the their them then "
        "there these they this to up us was we were what when where which while who why will with would you your"
    )
)


def matching(words: str) -> str:
    """The MATCH expression for a text: any of its words, each quoted, so that none of them is an operator."""
    found = _WORD.findall(words)
    found += [part for word in found for part in parts(word)]
    known = dict.fromkeys(word.lower() for word in found)
    telling = [word for word in known if word not in _COMMON] or list(known)
    return " OR ".join(f'"{word}"' for word in telling[:MOST])


def parts(text: str) -> list[str]:
    """What names in camel case are made of."""
    mixed = (word for word in _WORD.findall(text) if not word.islower() and not word.isupper())
    return [part.lower() for word in mixed if len(found := _PART.findall(word)) > 1 for part in found]
