"""When two calls are the same call, two results the same result, and when a call is a way of waiting."""

import os.path
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import msgspec

_SORTED = msgspec.json.Encoder(order="sorted", enc_hook=repr).encode
# Words for people: the same command under another description is the same command.
ASIDES = frozenset(
    ("description", "thought", "thoughts", "reasoning", "explanation", "reason", "rationale", "justification",
     "intent", "purpose", "why", "toolsummary", "toolaction", "commentary", "security_risk", "is_background_ok")
)  # fmt: skip
_VOLATILE = re.compile(
    r"\b\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d)?(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?)?"  # dates and instants
    r"|\b\d{1,2}:\d\d:\d\d(?:[.,]\d+)?"
    r"|\b(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun),? [A-Z]?[a-z0-9]{1,3} [A-Za-z0-9]{1,4}\b"
    r"|\b[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b"  # uuids
    r"|\b0x[0-9a-fA-F]+\b"
    r"|\b(?=[0-9a-f]*\d)(?=[0-9a-f]*[a-f])[0-9a-f]{7,64}\b"  # digests
    r"|\b[a-z]{2,12}[_-](?=[A-Za-z0-9]*\d)[A-Za-z0-9]{6,}\b"  # req_8f3a…
    r"|\b\d+(?:\.\d+)? ?(?:ns|µs|us|ms|s|sec|secs|seconds?|min|minutes?)\b"  # durations
    r"|\b(?:pid|PID)[ =:]*\d+"
    r"|/tmp/[\w.-]+|\b\d{10,}\b"
)
_NUMBER = re.compile(r"\d+")
# What a failure counts is its substance: fewer of them is progress.
_UNCOUNTED = re.compile(
    r"\d+(?![\d ]*(?:\d|(?:tests? |checks? )?(?:failed|failing|failures?|errors?|passed"
    r"|issues?|problems?|warnings?|left"
    r"|remaining|todo|of)\b))"
)
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_ERROR = re.compile(
    r"^\W*(?:\w+\W+){0,3}?(?:error|exception|fatal|failure|failed|traceback|permission denied|command not found)\b"
    r"|\bexit(?:ed)?(?: with)?(?: code| status)?:? *[1-9]\d*\b|^traceback ",
    re.IGNORECASE,
)
_HINTS = ("error", "exception", "fatal", "fail", "traceback", "denied", "not found", "exit")
_WAITS_TOOL = re.compile(
    r"(?:^|[_.-])(?:sleep|wait|poll|await|watch|monitor|status|progress|output|logs?)(?:$|[_.-])", re.IGNORECASE
)
_WAITS = re.compile(r"\bsleep +\d|\bwait\b(?!ing)|--wait\b|--watch\b|\bgh run watch\b|\brollout status\b")
_PENDING = re.compile(
    r"\b(?:pending|running|in[ _-]?progress|queued|waiting|building|starting|initiali[sz]ing|provisioning|processing"
    r"|not (?:yet )?ready|creating|deploying|scheduled|still|incomplete|unfinished|warming)\b",
    re.IGNORECASE,
)
_SETTLED = re.compile(r"\b(?:failed|failure|error|passed|exception|traceback|denied)\b", re.IGNORECASE)
_COUNTER = re.compile(r"\b(attempt|try|retry|round|iteration)([ _#:=-]*)\d+", re.IGNORECASE)
_PLACES = ("filepath", "file_path", "path", "file", "filename", "url", "uri", "directory", "dir")
_SAID, _LONGEST = 240, 20_000


def call_of(tool: str, args: Mapping[str, Any]) -> bytes:
    """A call without what changes nothing: order of keys, white space, words for people, `./`."""
    kept = {name: value for name, value in args.items() if name.lower() not in ASIDES}
    raw = _SORTED(kept or dict(args))
    for blank in (b"\\n", b"\\t", b"\\r"):
        if blank in raw:
            raw = raw.replace(blank, b" ")
    text = b" ".join(raw.split())
    for before, after in ((b'" ', b'"'), (b' "', b'"'), (b"./", b""), (b"//", b"/")):
        if before in text:
            text = _up(text) if before == b"./" else text.replace(before, after)
    return tool.lower().encode() + b" " + text


def _up(text: bytes) -> bytes:
    """`./x` is `x`; `../x` is not."""
    return re.sub(rb"(?<![\w.])\./", b"", text)


@lru_cache(4096)
def result_of(output: str) -> str:
    """A result without instants, durations, identifiers and temporary names."""
    return " ".join(_VOLATILE.sub("~", output[:_LONGEST]).split())


@lru_cache(4096)
def failure_of(output: str) -> str:
    """How something failed: no number in it matters, as long as the call and the workspace are the same."""
    uncounted = _COUNTER.sub(r"\1\2#", result_of(output))
    return _UNCOUNTED.sub("#", uncounted)[:2000].lower()


def failed(flag: bool | None, output: str) -> bool:
    """What the tool says; where it says nothing, what its words begin with."""
    if flag is not None:
        return flag
    head = output[:_SAID].lower()
    return any(word in head for word in _HINTS) and bool(_ERROR.search(head))


def target_of(tool: str, args: Mapping[str, Any]) -> str:
    """What a call is aimed at: a place where it names one, else its words without counters and made-up names."""
    named = {name.lower(): value for name, value in args.items()}
    for name in _PLACES:
        value = named.get(name)
        if isinstance(value, str) and value:
            return f"{tool.lower()} {os.path.normpath(value)}"
    return _COUNTER.sub(r"\1\2#", _VOLATILE.sub("~", call_of(tool, args).decode("utf-8", "replace")))


def waits(tool: str, args: Mapping[str, Any], output: str) -> bool:
    """Whether a call that repeats is one that waits for something to come."""
    named = _CAMEL.sub("_", tool)
    if _WAITS_TOOL.search(named) or any(isinstance(value, str) and _WAITS.search(value) for value in args.values()):
        return True
    if len(output) > _SAID or _SETTLED.search(output):
        return False
    return bool(_PENDING.search(_CAMEL.sub(" ", output)))
