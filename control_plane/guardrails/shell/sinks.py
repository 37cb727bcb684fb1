"""Whether code spells out every place that it writes to: then what it writes may come from anywhere."""

import re
from collections.abc import Callable
from typing import NamedTuple

_LITERAL = r"""(?<!\w)[rb]?(?:'[^'\\{}\n]*'|"[^"\\{}\n]*")"""
_NAME = r"[A-Za-z_]\w*"
_HEADS = re.compile(
    rf"(?<![.\w])open\s*\(\s*({_LITERAL}|{_NAME})\s*(?=[,)])"
    rf"|\b(?:writeFileSync|writeFile|appendFileSync|appendFile)\s*\(\s*({_LITERAL}|{_NAME})\s*(?=,)"
    rf"|(?<![\w.)])(?:(?:pathlib\.)?Path\(\s*({_LITERAL})\s*\)|({_NAME}))\.write_(?:text|bytes)\s*(?=\()"
)
_INTO_OPENED = re.compile(rf"(?<![\w.])({_NAME})\.write(?:lines)?\s*\(|\bdump\s*\(")


class Spelled(NamedTuple):
    """The places that code writes to, and the code without the calls that write there."""

    places: tuple[str, ...]
    rest: str


def spelled_places(text: str, writes: Callable[[str], bool]) -> Spelled | None:
    """`writes` finds calls that write; none may be left beside those whose place is a plain text."""
    places: list[str] = []
    opened = set(re.findall(rf"\bas\s+({_NAME})\s*:|(?<![\w.])({_NAME})\s*=\s*(?:io\.)?open\s*\(", text))
    handles = {one or other for one, other in opened}

    def spelled(found: re.Match[str]) -> str:
        place = next(filter(None, found.groups()), "")
        literal = place if place[-1:] in "'\"" else _bound_once(place, text)
        places.append(re.sub(r"^[rb]?['\"]|['\"]$", "", literal))
        return "" if literal else found[0]

    rest = re.sub(r"\)\.write\s*\(", ")(", _HEADS.sub(spelled, text))
    rest = _INTO_OPENED.sub(lambda found: "" if found[1] is None or found[1] in handles else found[0], rest)
    return Spelled(tuple(places), rest) if "open(" not in rest and not writes(rest) else None


def _bound_once(name: str, text: str) -> str:
    """The one text that this name stands for in the whole code, or nothing."""
    bound = rf"(?<![\w.]){name}\s*(?::\s*\w+\s*)?(?:[-+*/|]|:)?=(?!=)"
    whole = rf"(?<![\w.]){name}\s*=\s*(?:(?:pathlib\.)?Path\(\s*)?({_LITERAL})\s*\)?\s*(?:;|\n|$)"
    other = rf"\b(?:for|as|import|global|nonlocal)\s+{name}\b|[,(\[{{*]\s*{name}\s*(?:,[^()\n]*)?[\])}}]?\s*(?:=(?!=)|in\b|=>)|(?:def|function|lambda)\b[^:{{]*\b{name}\b|\b{name}\s*(?:=>|,[^()\n=]*=(?!=))"
    texts = re.findall(whole, text)
    alone = len(re.findall(bound, text)) == 1 == len(texts) and re.search(other, text) is None
    return str(texts[0]) if alone else ""
