"""How a signature is spelled for people: names without their modules, defaults that fit on a line."""

import inspect
import re
from collections.abc import Callable
from pathlib import PurePath
from typing import Any, Final

_MODULES: Final = re.compile(r"\b(?:[a-z_]\w*\.)+(?=[A-Za-z_])")
_LONGEST: Final = 24


def spelled(annotation: Any) -> str:
    if annotation is inspect.Signature.empty:
        return ""
    text = annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)
    return _MODULES.sub("", text).replace("NoneType", "None").replace("'", "")


def signature(name: str, function: Callable[..., Any]) -> str:
    """As it is called: without the first argument of a method."""
    found = inspect.signature(function)
    given = [one for one in found.parameters.values() if one.name not in ("self", "cls")]
    parts, starred = [], False
    for one in given:
        if one.kind is one.KEYWORD_ONLY and not starred:
            parts.append("*")
        starred = starred or one.kind in (one.KEYWORD_ONLY, one.VAR_POSITIONAL)
        parts.append(_parameter(one))
    answers = spelled(found.return_annotation)
    return f"{name}({', '.join(parts)})" + (f" -> {answers}" if answers else "")


def shown_default(value: Any) -> str:
    # Where something lies differs from machine to machine.
    if isinstance(value, PurePath):
        return "…"
    text = repr(value)
    return text if len(text) <= _LONGEST and " at 0x" not in text else "…"


def _parameter(one: inspect.Parameter) -> str:
    stars = "*" if one.kind is one.VAR_POSITIONAL else "**" if one.kind is one.VAR_KEYWORD else ""
    kind = spelled(one.annotation)
    default = "" if one.default is one.empty else f" = {shown_default(one.default)}"
    return f"{stars}{one.name}{f': {kind}' if kind else ''}{default}"
