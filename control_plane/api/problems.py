"""Errors as problem details (RFC 9457): the code that programs rely on, what, why and what to do next."""

from http import HTTPStatus
from typing import Any

import msgspec
import structlog
from litestar import Request, Response
from litestar.exceptions import HTTPException, ValidationException
from litestar.status_codes import HTTP_400_BAD_REQUEST, HTTP_500_INTERNAL_SERVER_ERROR

from ..errors import BadInput, Conflict, ControlPlaneError, JournalFull, LedgerUnavailable

MEDIA_TYPE = "application/problem+json"
_STATUS: tuple[tuple[str, int], ...] = (
    ("access.unauthorized", 401),
    ("access.forbidden", 403),
    ("access.not-configured", 503),
    ("http.request-timeout", 408),
    ("http.timeout", 503),
    ("http.too-many-streams", 429),
    ("router.unknown-decision", 404),
    ("router.unknown-arm", 400),
    ("router.not-captured", 409),
    ("policy.unknown", 404),
    ("runner.unknown-run", 404),
    ("runner.over", 409),
    ("policy.refused", 409),
    ("policy.paused", 409),
    ("policy.out-of-order", 409),
    ("milestone.", 409),
    ("review.not-waiting", 404),
    ("ledger.conflict", 409),
    ("journal.full", 503),
    ("ledger.unavailable", 503),
    ("ledger.closed", 503),
)


class Problem(msgspec.Struct, frozen=True, omit_defaults=True, rename={"kind": "type"}):
    """What every answer above 399 looks like."""

    status: int
    title: str
    code: str
    detail: str
    request_id: str
    why: str = ""
    cure: str = ""
    errors: tuple[dict[str, Any], ...] = ()
    kind: str = "about:blank"


def status_of(fault: ControlPlaneError) -> int:
    for prefix, status in _STATUS:
        if fault.code.startswith(prefix):
            return status
    if isinstance(fault, Conflict):
        return 409
    if isinstance(fault, LedgerUnavailable | JournalFull):
        return 503
    ours = fault.code.startswith(("ledger", "journal", "key", "home"))
    return 500 if ours and not isinstance(fault, BadInput) else 400


def of_fault(request: Request[Any, Any, Any], fault: ControlPlaneError) -> Response[bytes]:
    return answer(request, status_of(fault), fault.code, fault.what, why=fault.why, cure=fault.cure)


def of_http(request: Request[Any, Any, Any], fault: HTTPException) -> Response[bytes]:
    """What the framework refuses, in the same shape; a body that does not fit names each field."""
    status = fault.status_code
    code = (
        "input.invalid"
        if status == HTTP_400_BAD_REQUEST
        else f"http.{HTTPStatus(status).name.lower().replace('_', '-')}"
    )
    errors = tuple(_field(one) for one in fault.extra or ()) if isinstance(fault, ValidationException) else ()
    return answer(
        request, status, code, str(fault.detail).split(" for ")[0] or HTTPStatus(status).phrase, errors=errors
    )


def of_surprise(request: Request[Any, Any, Any], fault: Exception) -> Response[bytes]:
    """A defect of ours: said in the log, without its insides in the answer."""
    if isinstance(fault, RecursionError):
        return answer(request, HTTP_400_BAD_REQUEST, "input.invalid", "the body is nested too deeply")
    structlog.get_logger("control_plane.api").error("unexpected", error=type(fault).__name__, exc_info=fault)
    return answer(request, HTTP_500_INTERNAL_SERVER_ERROR, "internal", "something went wrong here; the log knows more")


def answer(
    request: Request[Any, Any, Any],
    status: int,
    code: str,
    detail: str,
    *,
    why: str = "",
    cure: str = "",
    errors: tuple[dict[str, Any], ...] = (),
) -> Response[bytes]:
    problem = Problem(
        status, HTTPStatus(status).phrase, code, detail, str(request.scope.get("state", {}).get("request_id", "")),
        why, cure, errors,
    )  # fmt: skip
    headers = {"WWW-Authenticate": "Bearer"} if status == HTTPStatus.UNAUTHORIZED else {}
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        headers["Retry-After"] = "1"
    return Response(msgspec.json.encode(problem), status_code=status, media_type=MEDIA_TYPE, headers=headers)


def _field(one: Any) -> dict[str, Any]:
    told = one if isinstance(one, dict) else {"message": str(one)}
    return {name: str(told[name]) for name in ("key", "message", "source") if told.get(name)}
