"""What callers send: the field names of the library, nothing else."""

import msgspec

from ..router.terms import Task


class TaskBody(Task, frozen=True, forbid_unknown_fields=True):
    """A task; only `type` must be there."""


class ResultBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What came of a decision, or of an arm that was used without one."""

    decision_id: str | None = None
    arm: str | None = None
    task: TaskBody | None = None
    success: bool | None = None
    latency_ms: float | None = None
    ttft_ms: float | None = None
    cost_usd: float | None = None
    tokens_in: int | None = None
    tokens_out: int | None = None
    error: str | None = None
    step: int = 0
    verified: bool | None = None
    retry_after_s: float | None = None
    model_served: str | None = None


class Recorded(msgspec.Struct, frozen=True):
    recorded: bool
