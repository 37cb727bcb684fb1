"""Why a record was not let in: codes that programs rely on, each with one meaning and one place among the checks."""

from enum import StrEnum


class Reason(StrEnum):
    """In the order in which they are looked for; the first that applies is the one that is told."""

    MALFORMED = "malformed"
    SCHEMA_UNKNOWN = "schema_unknown"
    UNSIGNED = "unsigned_event"
    UNKNOWN_KEY = "unknown_key"
    REVOKED_KEY = "revoked_key"
    INVALID_SIGNATURE = "invalid_signature"
    MISSING_TRACE_ID = "missing_trace_id"
    EXPIRED = "expired"
    REPLAYED = "replayed"
