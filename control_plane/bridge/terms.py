"""Words and limits of the bridge: what callers may say, and every default of the supervisor."""

import re
from enum import StrEnum
from typing import Final

import msgspec

SCHEMA_VERSION: Final = 1
SYSTEM: Final = "bridge"
LONGEST_BODY, LONGEST_TITLE, LONGEST_REASON, LONGEST_KEY, LONGEST_METADATA = 65_536, 200, 1000, 200, 16_384
LONGEST_PROMPT: Final = 8192
MOST_PARTICIPANTS, PAGE, MOST_SUMMARISED = 100, 200, 1000
# What a session may be called: it ends up in the command line of a runtime, in the path of a URL, as a tmux target.
PANE: Final = re.compile(r"%[0-9]{1,9}")
SESSION: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,127}")
OVERRIDES: Final = ("human_override:", "coordinator_override:")


class ThreadType(StrEnum):
    CONVERSATION = "conversation"
    WORKFLOW = "workflow"
    INCIDENT = "incident"


class Status(StrEnum):
    ACTIVE = "active"
    BLOCKED = "blocked"
    RESOLVED = "resolved"
    CLOSED = "closed"


class Kind(StrEnum):
    CHAT = "chat"
    EVENT = "event"
    SYSTEM = "system"


class Step(StrEnum):
    """The way in which a wake is tried."""

    TRIGGER = "trigger"
    RESUME = "resume"
    SPAWN = "spawn"


class JobStatus(StrEnum):
    QUEUED = "queued"
    TRIGGERING = "triggering"
    DEFERRED = "deferred"
    DELIVERED = "delivered"
    TIMEOUT = "timeout"
    FAILED = "failed"
    FALLBACK_RESUME = "fallback_resume"
    FALLBACK_SPAWN = "fallback_spawn"
    DEAD_LETTER = "dead_letter"


EVENT_TYPES: Final = frozenset(
    (
        "finding_reported", "fix_pushed", "re_review_requested", "finding_verified", "finding_rejected",
        "thread_escalated", "thread_resolved",
    )
)  # fmt: skip
PROGRESS: Final = frozenset(("fix_pushed", "finding_verified", "finding_rejected", "thread_resolved"))
VERDICTS: Final = frozenset(("finding_verified", "finding_rejected"))


class Defaults(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Seconds and counts; those of the seed unless it had none."""

    poll_s: float = 5.0
    ack_timeout_s: float = 8.0
    retries: int = 2
    backoff_s: float = 2.0
    longest_backoff_s: float = 60.0
    quiet_s: float = 20.0
    recheck_s: float = 5.0
    longest_defer_s: float = 60.0
    turns_without_progress: int = 20
    identical_findings: int = 3
    resumes: int = 2
    stale_s: float = 12 * 3600.0
    triggers_a_minute: int = 10
    parallel: int = 10
    crash_loop: int = 3
    crash_window_s: float = 900.0
    # Ours: a supervisor that dies in the middle of a wake is followed by another after this time.
    lease_s: float = 30.0
    # Ours: a runtime that has to be started first takes longer than one that only has to be told.
    spawn_ack_timeout_s: float = 60.0


DEFAULTS: Final = Defaults()
