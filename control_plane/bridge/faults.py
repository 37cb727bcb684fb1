"""Every refusal of the bridge, with the code and the status that its callers are told.

BridgeFault
├── InvalidArgument      INVALID_ARGUMENT            400
├── Unauthorized         UNAUTHORIZED                401
├── Forbidden            FORBIDDEN                   403
├── WorkspaceMismatch    WORKSPACE_MISMATCH          403
├── NotFound             NOT_FOUND                   404
├── Stale                CONFLICT                    409
├── InvalidTransition    INVALID_THREAD_TRANSITION   409
├── IdempotencyConflict  IDEMPOTENCY_CONFLICT        409
├── RateLimited          RATE_LIMITED                429
└── Internal             INTERNAL                    500
"""

from typing import ClassVar

from ..errors import ControlPlaneError


class BridgeFault(ControlPlaneError):
    """What the bridge refuses."""

    code = "bridge"
    wire: ClassVar[str] = "INTERNAL"
    status: ClassVar[int] = 500
    retryable: ClassVar[bool] = False

    def __init__(self, what: str, *, why: str = "", cure: str = "", reason: str = "") -> None:
        super().__init__(what, why=why, cure=cure)
        self.reason = reason
        # The checks that the call had passed, for the log of what was denied.
        self.trace: tuple[str, ...] = ()


class InvalidArgument(BridgeFault):
    """The request does not fit its method; `INVALID_ARGUMENT`."""

    code, wire, status = "bridge.invalid-argument", "INVALID_ARGUMENT", 400


class Unauthorized(BridgeFault):
    """The token is missing or not believed; `UNAUTHORIZED`."""

    code, wire, status = "bridge.unauthorized", "UNAUTHORIZED", 401


class Forbidden(BridgeFault):
    """The role, or the agent, may not do that here; `FORBIDDEN`."""

    code, wire, status = "bridge.forbidden", "FORBIDDEN", 403


class WorkspaceMismatch(BridgeFault):
    """The thread belongs to another workspace than the token; `WORKSPACE_MISMATCH`."""

    code, wire, status = "bridge.workspace-mismatch", "WORKSPACE_MISMATCH", 403


class NotFound(BridgeFault):
    """No such thread, message or method; `NOT_FOUND`."""

    code, wire, status = "bridge.not-found", "NOT_FOUND", 404


class Stale(BridgeFault):
    """The thread changed since the caller looked; `CONFLICT`."""

    code, wire, status = "bridge.conflict", "CONFLICT", 409


class InvalidTransition(BridgeFault):
    """A thread does not go from that status to this one; `INVALID_THREAD_TRANSITION`."""

    code, wire, status = "bridge.invalid-transition", "INVALID_THREAD_TRANSITION", 409


class IdempotencyConflict(BridgeFault):
    """The key was used for another message; `IDEMPOTENCY_CONFLICT`."""

    code, wire, status = "bridge.idempotency-conflict", "IDEMPOTENCY_CONFLICT", 409


class RateLimited(BridgeFault):
    """That agent was triggered too often in the last minute; `RATE_LIMITED`."""

    code, wire, status, retryable = "bridge.rate-limited", "RATE_LIMITED", 429, True


class Internal(BridgeFault):
    """A defect of ours, or the store failed; `INTERNAL`."""

    code, wire, status, retryable = "bridge.internal", "INTERNAL", 500, True
