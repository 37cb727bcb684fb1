"""What does not fit a policy's file, in words for whoever wrote it."""

import re

_KINDS = {
    "float": "a number",
    "int": "a whole number",
    "str": "text",
    "bool": "true or false",
    "object": "a table",
    "array": "a list",
}
_UNKNOWN = re.compile(r"Object contains unknown field `(.*)`")
_MISSING = re.compile(r"Object missing required field `(.*)`")
_KIND = re.compile(r"Expected `([^`]+)`, got `([^`]+)`")
_BOUND = re.compile(r"Expected `[^`]+` (>=|<=|>|<) (\S+)")
_BOUNDS = {">=": "at least", "<=": "at most", ">": "more than", "<": "less than"}
_TWICE = re.compile(r"(?:Cannot overwrite a value|Cannot declare .*|Cannot mutate .*) (\(at .*\))")
NAME_TAKES = "it takes a-z, 0-9 and dashes, begins with a letter or a digit, and has 64 of them at most"


def of_shape(fault: Exception) -> str:
    """From the decoder's sentence, which names types and patterns, to ours, which names places and limits."""
    said, _, at = str(fault).partition(" - at `$")
    place = at.strip("`.").removesuffix("[...]")
    if found := _UNKNOWN.search(said):
        return f"{f'[{place}]' if place else 'a policy'} knows no {found[1]}"
    if found := _MISSING.search(said):
        return f"{place + '.' if place else ''}{found[1]} is missing"
    if found := _BOUND.search(said):
        return f"{place} must be {_BOUNDS[found[1]]} {float(found[2]):g}"
    if found := _KIND.search(said):
        wanted, got = (_KINDS.get(kind, kind) for kind in found.groups())
        return f"{place or 'the file'} must be {wanted}, not {got}"
    if "matching regex" in said:
        return f"{place}: {NAME_TAKES}"
    return f"{place}: {said}" if place else said


def of_toml(fault: Exception) -> str:
    """A name that stands twice is called that; all else TOML's own reader says well, with line and column."""
    return _TWICE.sub(r"the same name stands there twice \1", str(fault))
