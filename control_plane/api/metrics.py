"""What Prometheus reads: taken from the folds when it asks; only requests are counted as they come."""

import contextlib
from collections.abc import Iterator, Sequence

import msgspec
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from ..health import Health
from ..ledger.backend import Row
from ..plane import ControlPlane
from ..router.projection import ROUTER
from ..router.tail_summary import summary

_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_FAST_BUCKETS = (0.00001, 0.000025, 0.00005, 0.0001, 0.00025, *_BUCKETS)


class _At(msgspec.Struct):
    """Of an event, only when it was."""

    at: float


_when = msgspec.json.Decoder(_At).decode


class Meters:
    def __init__(self, plane: ControlPlane) -> None:
        self._registry = CollectorRegistry(auto_describe=False)
        self._requests = Counter(
            "control_plane_requests", "Requests by route and status.", ("method", "route", "status"),
            registry=self._registry,
        )  # fmt: skip
        self._took = Histogram(
            "control_plane_request_seconds", "How long requests took.", ("method", "route"), buckets=_BUCKETS,
            registry=self._registry,
        )  # fmt: skip
        self._refused = Counter(
            "control_plane_refused", "Requests that were refused at the door.", ("code",), registry=self._registry
        )
        self._decided = Histogram(
            "control_plane_decision_seconds", "How long advice took, without the HTTP around it.",
            buckets=_FAST_BUCKETS, registry=self._registry,
        )  # fmt: skip
        self._lag = Histogram(
            "control_plane_commit_lag_seconds", "From the oldest event of a commit to its commit.",
            buckets=_BUCKETS, registry=self._registry,
        )  # fmt: skip
        self._late = Histogram(
            "control_plane_event_loop_late_seconds", "How late the server's event loop came to what was due.",
            buckets=_BUCKETS, registry=self._registry,
        )  # fmt: skip
        self._latest = Gauge(
            "control_plane_event_loop_late_max_seconds", "The latest that it ever came.", registry=self._registry
        )
        self._clock, self._worst = plane.ledger.clock, 0.0
        self._known: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}
        self.requests = 0
        self._registry.register(_House(plane))

    def seen(self, method: str, route: str, status: int, seconds: float) -> None:
        self.requests += 1
        known = self._known.get((method, route, status))
        if known is None:
            known = (self._requests.labels(method, route, str(status)), self._took.labels(method, route))
            self._known[method, route, status] = known
        known[0].inc()
        known[1].observe(seconds)

    def decided(self, seconds: float) -> None:
        self._decided.observe(seconds)

    def late(self, seconds: float) -> None:
        """What the loop's watch tells; once a while, so the worst is kept beside the buckets."""
        self._late.observe(seconds)
        if seconds > self._worst:
            self._worst = seconds
            self._latest.set(seconds)

    def on_commit(self, rows: Sequence[Row]) -> None:
        with contextlib.suppress(msgspec.MsgspecError):
            self._lag.observe(max(0.0, self._clock.now() - _when(rows[0].state).at))

    def refused(self, code: str) -> None:
        self._refused.labels(code).inc()

    @property
    def registry(self) -> CollectorRegistry:
        """Where others of the edge put theirs."""
        return self._registry

    def text(self) -> tuple[bytes, str]:
        return generate_latest(self._registry), CONTENT_TYPE_LATEST


class _House:
    """Everything that the folds know already."""

    def __init__(self, plane: ControlPlane) -> None:
        self._plane = plane

    def describe(self) -> Iterator[Metric]:
        return iter(())

    def collect(self) -> Iterator[Metric]:
        plane, health = self._plane, self._plane.health()
        yield from _totals(plane, health)
        yield from _arms(plane, health)
        yield from _governance(health)


def _counter(name: str, text: str, value: float) -> Metric:
    return CounterMetricFamily(f"control_plane_{name}", text, value=value)


def _gauge(name: str, text: str, value: float | None) -> Iterator[Metric]:
    """A figure that nobody measured is left out, not shown as nought."""
    if value is not None:
        yield GaugeMetricFamily(f"control_plane_{name}", text, value=value)


def _totals(plane: ControlPlane, health: Health) -> Iterator[Metric]:
    counters = plane.ledger.counters
    yield _counter("decisions", "Advice that was given.", health.decisions)
    yield _counter("results", "Results that were recorded.", health.results)
    yield _counter("commits", "Commits of this process.", counters.commits)
    yield _counter("committed_events", "Events that this process committed.", counters.events)
    yield _counter("flush_retries", "Commits that had to be tried again.", counters.retries)
    yield _counter("poll_overlaps", "Polls that were due while they still ran.", health.polls["overlaps"])
    yield from _gauge("journal_depth", "Events in the journal that are not committed yet.", health.backlog)
    yield from _gauge("commit_failing", "Attempts in a row that failed to commit.", counters.failing_for)
    yield from _gauge("ledger_position", "The position of the log.", health.position)
    yield from _gauge("health_score", "0 to 100.", health.health.score)
    yield from _gauge("replay_parity", "Share of decisions that replay as recorded.", health.replay_parity)


def _arms(plane: ControlPlane, health: Health) -> Iterator[Metric]:
    state, now = plane.folder.state(ROUTER), plane.ledger.clock.now()
    latency = GaugeMetricFamily("control_plane_arm_latency_ms", "Recent latency of an arm.", labels=("arm", "quantile"))
    penalties = GaugeMetricFamily("control_plane_arm_tail_penalty", "Share of a success.", labels=("arm",))
    with plane.folder.still():
        names, shares = tuple(state.tails), dict(state.penalties)
    for name in names:
        # Let go between two arms: whoever asks for advice may need the states as well.
        with plane.folder.still():
            found = summary(state.tails[name], now)
        for quantile, value in (("0.5", found.p50), ("0.95", found.p95), ("0.99", found.p99)):
            if value is not None:
                latency.add_metric((name, quantile), value)
    for name, share in shares.items():
        penalties.add_metric((name,), share)
    yield latency
    yield penalties
    cooled = GaugeMetricFamily("control_plane_cooled", "1 while a breaker is not closed.", labels=("name", "state"))
    for one in health.cooled:
        cooled.add_metric((one["name"], one["state"]), 1.0)
    yield cooled
    yield from _gauge("strategies_bypassed", "Strategies that are passed over.", health.strategy_health.active_bypass)


def _governance(health: Health) -> Iterator[Metric]:
    rejected = CounterMetricFamily(
        "control_plane_records_rejected", "Learning records that were not let in.", labels=("reason",)
    )
    for reason, count in health.rejected_records.items():
        rejected.add_metric((reason,), count)
    yield rejected
    slo = health.review["slo"]
    yield from _gauge("review_age_p95_hours", "Age of what waits for a person.", slo["p95_hours"])
    yield from _gauge("review_pending", "How much waits for a person.", health.review["pending"])
    quality = health.retrieval_quality
    yield from _gauge("retrieval_map", "MAP@K of memory retrieval.", quality["value"])
    yield from _gauge("retrieval_grounded_recall", "Grounded recall of memory retrieval.", quality["grounded_recall"])
