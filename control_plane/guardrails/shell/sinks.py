"""Whether code spells out every place that it writes to: then what it writes may come from anywhere."""

import re

_LITERAL = r"""(?<!\w)[rb]?(?:'[^'\\{}\n]*'|"[^"\\{}\n]*")"""
_NAME = r"[A-Za-z_]\w*"
_HEADS = re.compile(
    rf"\bopen\s*\(\s*({_LITERAL}|{_NAME})\s*(?=[,)])"
    rf"|\b(?:writeFileSync|writeFile|appendFileSync|appendFile)\s*\(\s*({_LITERAL}|{_NAME})\s*(?=,)"
    rf"|(?<![\w.)])(?:(?:pathlib\.)?Path\(\s*({_LITERAL})\s*\)|({_NAME}))\.write_(?:text|bytes)\s*(?=\()"
)
_INTO_OPENED = re.compile(rf"(?<![\w.])({_NAME})\.write(?:lines)?\s*\(|\bdump\s*\(")


def places_spelled(text: str, writes: "re.Pattern[str]") -> bool:
    """`writes` finds calls that write; none may be left beside those whose place is a plain text."""
    opened = set(re.findall(rf"\bas\s+({_NAME})\s*:|(?<![\w.])({_NAME})\s*=\s*(?:io\.)?open\s*\(", text))
    handles = {one or other for one, other in opened}

    def spelled(found: re.Match[str]) -> str:
        place = next(filter(None, found.groups()), "")
        return "" if place[-1:] in "'\"" or _bound_once(place, text) else found[0]

    rest = re.sub(r"\)\.write\s*\(", ")(", _HEADS.sub(spelled, text))
    rest = _INTO_OPENED.sub(lambda found: "" if found[1] is None or found[1] in handles else found[0], rest)
    return "open(" not in rest and writes.search(rest) is None


def _bound_once(name: str, text: str) -> bool:
    bound = rf"(?<![\w.]){name}\s*(?::\s*\w+\s*)?(?:[-+*/|]|:)?=(?!=)"
    whole = rf"(?<![\w.]){name}\s*=\s*(?:(?:pathlib\.)?Path\(\s*)?{_LITERAL}\s*\)?\s*(?:;|\n|$)"
    other = rf"\b(?:for|as|import|global|nonlocal)\s+{name}\b|[,(\[*]\s*{name}\s*(?:,[^()\n]*)?[\])]?\s*(?:=(?!=)|in\b|=>)|(?:def|function|lambda)\b[^:{{]*\b{name}\b|\b{name}\s*(?:=>|,[^()\n=]*=(?!=))"
    return len(re.findall(bound, text)) == 1 == len(re.findall(whole, text)) and re.search(other, text) is None
