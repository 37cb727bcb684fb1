"""A learning record: features of what an agent saw, never a word of its prompts; read from a signed payload."""

from datetime import datetime
from typing import Annotated, Any, Literal, NamedTuple

import msgspec

from ..ledger.dsse import STATEMENT_TYPE
from .envelope import parse
from .patterns import ANTI_PATTERNS, POSITIVE_PATTERNS
from .reasons import Reason

PREDICATE_TYPE = "https://control-plane.dev/learning-record/v1"
# Beyond this a time is meant in milliseconds: as seconds it would lie in the year 5138.
_MILLISECONDS = 1e11

# Names, not prose: no space, nothing that does not print.
Word = Annotated[str, msgspec.Meta(pattern=r"\A[\w.:/@+#~=-]{1,200}\Z")]
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
Count = Annotated[int, msgspec.Meta(ge=0, le=1_000_000_000)]
Share = Annotated[float, msgspec.Meta(ge=0.0, le=1.0)]
Seconds = Annotated[float, msgspec.Meta(ge=0.0, le=1e15)]
Moment = Annotated[str, msgspec.Meta(max_length=40)]
Kind = Literal["anti-pattern", "positive-pattern", "outcome", "tool-usage"]
Severity = Literal["critical", "high", "medium", "low", "info"]


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """The predicate. `arm` names the arm that did it, `place` where (a path or a hash), `trace_id` the trace."""

    kind: Kind
    task_type: Name
    ts: Seconds | Moment
    pattern: Word | None = None
    severity: Severity = "info"
    session: Word | None = None
    trace_id: str | None = None
    repo: Name | None = None
    arm: Name | None = None
    tool: Word | None = None
    error_type: Word | None = None
    place: Word | None = None
    attempt: Count = 0
    success: bool | None = None
    lines_changed: Count | None = None
    tokens: Count | None = None
    metric: Annotated[float, msgspec.Meta(ge=-1e9, le=1e9)] | None = None
    quota: Share = 0.0


class StrictRecord(Record, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A record of which every field is known: it can be kept whole."""


class _Subject(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: Word
    digest: dict[Word, Word]


class _Statement(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    _type: str
    predicateType: str  # noqa: N815 - the field's name in the in-toto format
    subject: tuple[_Subject, ...]
    predicate: dict[str, Any]


class Read(NamedTuple):
    """`plain`: there is nothing in the payload but features, so the envelope may be kept as it came."""

    record: Record
    ts: float
    plain: bool


def read(payload: bytes, *, signed: bool) -> Read | Reason:
    """The record in a payload; an unsigned one may come without the statement around it."""
    try:
        fields = parse(payload)
    except (ValueError, RecursionError):
        return Reason.MALFORMED
    if not isinstance(fields, dict):
        return Reason.MALFORMED
    bare = not signed and not fields.keys() & {"_type", "predicateType", "predicate"}
    if not bare and (fields.get("_type"), fields.get("predicateType")) != (STATEMENT_TYPE, PREDICATE_TYPE):
        return Reason.SCHEMA_UNKNOWN
    return _record(fields if bare else fields.get("predicate"), plain=bare or _is_plain(fields))


def _record(predicate: object, *, plain: bool) -> Read | Reason:
    try:
        record: Record = msgspec.convert(predicate, StrictRecord)
    except (msgspec.ValidationError, OverflowError):
        plain = False
        try:
            record = msgspec.convert(predicate, Record)
        except (msgspec.ValidationError, OverflowError):
            return Reason.MALFORMED
    ts = seconds(record.ts)
    if ts is None or not _makes_sense(record):
        return Reason.MALFORMED
    trace = record.trace_id
    if trace is None or not trace.strip():
        return Reason.MISSING_TRACE_ID
    if len(trace) > 200 or not trace.isprintable() or " " in trace:
        return Reason.MALFORMED
    return Read(record, ts, plain)


def seconds(ts: float | str) -> float | None:
    """Seconds or milliseconds since 1970, or an RFC 3339 time with its offset."""
    if not isinstance(ts, str):
        return ts / 1000.0 if ts >= _MILLISECONDS else float(ts)
    try:
        moment = datetime.fromisoformat(ts)
        return moment.timestamp() if moment.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None


def _makes_sense(record: Record) -> bool:
    if not all(name is None or name.isprintable() for name in (record.task_type, record.repo, record.arm)):
        return False
    if record.kind == "anti-pattern":
        return record.pattern in ANTI_PATTERNS
    if record.kind == "positive-pattern":
        return record.pattern in POSITIVE_PATTERNS
    return True


def _is_plain(fields: dict[str, Any]) -> bool:
    try:
        msgspec.convert(fields, _Statement)
    except msgspec.ValidationError:
        return False
    return True
