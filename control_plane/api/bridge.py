"""The agent bridge over HTTP: nine methods, a stream of a thread's messages, and its figures for Prometheus."""

from collections import Counter as Tally
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, Final

import anyio.to_thread
import msgspec
import structlog
from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.exceptions import HTTPException
from litestar.params import FromPath, FromQuery
from litestar.response import Stream
from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from ..access.tokens import Caller
from ..bridge.auditing import iso
from ..bridge.caller import actor_of
from ..bridge.faults import BridgeFault, Forbidden, Internal, InvalidArgument, RateLimited, Unauthorized
from ..bridge.news import LOOK_EVERY, News
from ..bridge.requests import REQUESTS
from ..bridge.rules import Actor
from ..bridge.state import DAY, MINUTE
from ..errors import ControlPlaneError
from ..plane import ControlPlane

PREFIX: Final = "/v1/"
PAGE: Final = 100
BEAT_EVERY = 15.0
_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
_OF_ACCESS: Final = {
    "access.unauthorized": Unauthorized,
    "access.forbidden": Forbidden,
    "http.too-many-streams": RateLimited,
}


class Desk:
    """One for each server: answers calls, counts them, and tells those who watch a thread until the server ends."""

    def __init__(
        self, plane: ControlPlane, registry: CollectorRegistry, ending: Callable[[], bool] = lambda: False
    ) -> None:
        self.plane, self.bridge, self._ending = plane, plane.bridge, ending
        self.log = structlog.get_logger("control_plane.bridge")
        self._requests = Counter(
            "bridge_requests", "Calls of the bridge.", ("operation", "method", "status_code"), registry=registry
        )
        self._took = Histogram(
            "bridge_request_duration_seconds",
            "How long calls took.",
            ("operation",),
            buckets=_BUCKETS,
            registry=registry,
        )
        self._errors = Counter("bridge_errors", "Calls that were refused.", ("code",), registry=registry)
        self._reads: deque[float] = deque(maxlen=1000)
        registry.register(_Figures(self))

    def answer(self, method: str, caller: Caller, raw: bytes | None, request_id: str) -> tuple[int, dict[str, Any]]:
        clock = self.plane.ledger.clock
        begun = clock.monotonic()
        operation = method if method in REQUESTS else "unknown"
        try:
            status, content = 200, self._called(method, caller, raw, request_id)
        except BridgeFault as fault:
            status, content = fault.status, refusal(fault, request_id, clock.now())
            self._errors.labels(fault.wire).inc()
            self.log.warning("denied", operation=operation, code=fault.wire, trace=list(fault.trace), why=fault.what,
                             request_id=request_id)  # fmt: skip
        except Exception:
            self.log.exception("unexpected", operation=operation, request_id=request_id)
            defect = Internal("something went wrong here", cure="the server's log knows more under this request_id")
            status, content = defect.status, refusal(defect, request_id, clock.now())
            self._errors.labels(defect.wire).inc()
        took = clock.monotonic() - begun
        self._requests.labels(operation, "POST", str(status)).inc()
        self._took.labels(operation).observe(took)
        if operation == "read_messages":
            self._reads.append(took)
        return status, content

    def _called(self, method: str, caller: Caller, raw: bytes | None, request_id: str) -> dict[str, Any]:
        bridge = self.bridge
        stranger = Actor(str(caller.agent or caller.subject)[:128], caller.role, request=request_id)
        try:
            actor = actor_of_caller(caller, request_id)
            if raw is None:
                raise InvalidArgument("the body is too large", why="the limit is 1 MiB")
        except BridgeFault as fault:
            bridge.refuse(stranger, method, fault, (), "")
            raise
        return bridge.call(method, actor, raw)

    def read_quantiles(self) -> dict[str, float]:
        times = sorted(self._reads)
        if not times:
            return {}
        return {q: times[min(len(times) - 1, int(float(q) * len(times)))] for q in ("0.5", "0.95")}

    async def messages(self, thread: str, since: int, actor: Actor) -> AsyncIterator[bytes]:
        """Server-sent events: each message once, in order, from `since` on."""
        quiet = 0.0
        with News(self.bridge) as news:
            try:
                yield b": here\n\n"
                while not self._ending():
                    news.forget()
                    asked = msgspec.json.encode({"thread_id": thread, "since_seq": since, "limit": PAGE})
                    page = await anyio.to_thread.run_sync(self.bridge.call, "read_messages", actor, asked)
                    for message in page["messages"]:
                        yield b"id: %d\nevent: message\ndata: %s\n\n" % (message["seq"], msgspec.json.encode(message))
                    since = page["next_seq"]
                    while not self._ending() and self._newest(thread) <= since and not await news.wait():
                        quiet += LOOK_EVERY
                        if quiet >= BEAT_EVERY:
                            quiet = 0.0
                            yield b": beat\n\n"
            except BridgeFault as fault:
                # Taken out of the thread, or the thread was archived, while watching.
                yield b"event: end\ndata: %s\n\n" % msgspec.json.encode({"code": fault.wire})

    def _newest(self, thread: str) -> int:
        found = self.bridge.state.threads.get(thread)
        return 2**62 if found is None or found.archived else found.last_seq


DeskGiven = NamedDependency[Desk]


def actor_of_caller(caller: Caller, request_id: str) -> Actor:
    return actor_of(caller.role, caller.agent, caller.workspace, caller.session, request_id, owner=caller.jti is None)


def refusal(fault: BridgeFault, request_id: str, now: float) -> dict[str, Any]:
    details = {"why": fault.why, "cure": fault.cure, "reason": fault.reason}
    error: dict[str, Any] = {"code": fault.wire, "message": fault.what, "retryable": fault.retryable}
    if any(details.values()):
        error["details"] = {name: value for name, value in details.items() if value}
    return {"error": error, "request_id": request_id, "occurred_at": iso(now)}


def refused_at_the_door(fault: ControlPlaneError, request_id: str, now: float) -> bytes:
    """What the door refuses, in the words of the bridge."""
    kind = _OF_ACCESS.get(fault.code, Internal)
    return msgspec.json.encode(refusal(kind(fault.what, why=fault.why, cure=fault.cure), request_id, now))


@post("/v1/mcp/{method:str}", status_code=200, include_in_schema=False, summary="One of the bridge's methods")
async def call(method: FromPath[str], request: Request[Any, Any, Any], desk: DeskGiven) -> Response[bytes]:
    try:
        raw: bytes | None = await request.body()
    except HTTPException:
        raw = None
    told = (method, request.state.caller, raw, request.state.request_id)
    status, content = await anyio.to_thread.run_sync(desk.answer, *told)
    return Response(msgspec.json.encode(content), status_code=status, media_type="application/json")


@get("/v1/threads/{thread:str}/messages", include_in_schema=False)
async def watch(
    thread: FromPath[str], request: Request[Any, Any, Any], desk: DeskGiven, since_seq: FromQuery[int] = 0
) -> Response[Any]:
    """Messages as they come, beside reading them by cursor."""
    state = request.state
    asked = msgspec.json.encode({"thread_id": thread, "since_seq": since_seq, "limit": 1})
    status, content = await anyio.to_thread.run_sync(
        desk.answer, "read_messages", state.caller, asked, state.request_id
    )
    if status != 200:
        return Response(msgspec.json.encode(content), status_code=status, media_type="application/json")
    actor = actor_of_caller(state.caller, state.request_id)
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return Stream(desk.messages(thread, since_seq, actor), media_type="text/event-stream", headers=headers)


@get("/api/bridge/threads", include_in_schema=False)
async def threads(
    request: Request[Any, Any, Any], desk: DeskGiven, status: FromQuery[str | None] = None
) -> Response[bytes]:
    """What a page of threads shows: those that the caller may look at, with who is waited for, and the wakes."""
    caller, request_id = request.state.caller, request.state.request_id

    def look() -> tuple[int, Any]:
        try:
            actor = actor_of_caller(caller, request_id)
        except BridgeFault as fault:
            return fault.status, refusal(fault, request_id, desk.plane.ledger.clock.now())
        bridge = desk.bridge
        return 200, {
            "threads": bridge.threads(actor, status=status),
            "jobs": bridge.jobs(actor),
            "dead": bridge.jobs(actor, dead=True)[-50:],
        }

    code, content = await anyio.to_thread.run_sync(look)
    return Response(msgspec.json.encode(content), status_code=code, media_type="application/json")


HANDLERS = (call, watch, threads)


class _Figures:
    """What the fold knows, read when Prometheus asks."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def describe(self) -> Iterator[Metric]:
        return iter(())

    def collect(self) -> Iterator[Metric]:
        plane = self._desk.plane
        now = plane.ledger.clock.now()
        with plane.folder.still():
            state = self._desk.bridge.state
            totals = state.totals
            by_status = Tally(str(thread.status) for thread in state.threads.values() if not thread.archived)
            loops, wakes, refused = dict(totals.loops), dict(totals.wakes), dict(totals.refused)
            minute = sum(at > now - MINUTE for at in totals.posted_at)
            day = sum(at > now - DAY for at in totals.escalated_at)
            messages, escalations = totals.messages, totals.escalations
            undelivered = sum(len(thread.undeliverable) for thread in state.threads.values())
        yield CounterMetricFamily("bridge_messages", "Messages posted.", value=messages)
        yield GaugeMetricFamily("bridge_messages_per_minute", "Messages posted in the last minute.", value=minute)
        yield _labelled(GaugeMetricFamily, "bridge_threads", "Threads by status.", "status", by_status)
        yield CounterMetricFamily("bridge_escalations", "Threads that were blocked.", value=escalations)
        yield GaugeMetricFamily("bridge_escalations_per_day", "Threads blocked in the last day.", value=day)
        yield _labelled(CounterMetricFamily, "bridge_loop_detections", "Blocks by a guard.", "guard", loops)
        results = {name: wakes.get(name, 0) for name in ("triggered", "already_active", "failed", "fallback_spawned")}
        yield _labelled(CounterMetricFamily, "bridge_wake_attempts", "Wakes that ended, by result.", "result", results)
        ended = sum(results.values())
        share = results["failed"] / ended if ended else 0.0
        yield GaugeMetricFamily("bridge_delivery_failure_ratio", "Share of wakes given up.", value=share)
        yield GaugeMetricFamily("bridge_undeliverable", "Participants who could not be woken.", value=undelivered)
        yield _labelled(CounterMetricFamily, "bridge_refused", "Refusals in the audit.", "code", refused)
        yield _labelled(
            GaugeMetricFamily, "bridge_read_latency_seconds", "Of the last 1,000 reads.", "quantile",
            self._desk.read_quantiles(),
        )  # fmt: skip


def _labelled(kind: Any, name: str, text: str, label: str, values: Any) -> Metric:
    family: Metric = kind(name, text, labels=(label,))
    for key, value in sorted(values.items()):
        family.add_metric((key,), value)  # type: ignore[attr-defined]
    return family
