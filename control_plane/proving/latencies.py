"""Percentiles of what a proof timed, from `hdrhistogram`; nothing is averaged, the slowest call is kept."""

from collections.abc import Iterable

from ..evidence import Metrics
from ..evidence.template import Value

_LONGEST_NS = 3_600_000_000_000


class Latencies:
    """Times in seconds go in, percentiles in milliseconds come out."""

    def __init__(self, seconds: Iterable[float] = ()) -> None:
        from hdrh.histogram import HdrHistogram  # noqa: PLC0415 - slow to import, and only proofs need it

        self._histogram = HdrHistogram(1, _LONGEST_NS, 3)
        self.count, self.longest = 0, 0.0
        for value in seconds:
            self.add(value)

    def add(self, seconds: float) -> None:
        self.count += 1
        self.longest = max(self.longest, seconds)
        self._histogram.record_value(min(_LONGEST_NS, max(1, round(seconds * 1e9))))

    def at(self, percentile: float) -> float:
        """Milliseconds; 0 when nothing was timed."""
        return float(self._histogram.get_value_at_percentile(percentile)) / 1e6 if self.count else 0.0

    def metrics(
        self, of: str, *, accepted: int = 0, rejected: int = 0, errors: int = 0, figures: dict[str, Value] | None = None
    ) -> Metrics:
        return Metrics(
            of=of,
            unit="ms",
            p50=self.at(50),
            p95=self.at(95),
            p99=self.at(99),
            accepted=accepted,
            rejected=rejected,
            errors=errors,
            figures={"p99_9": self.at(99.9), "longest": self.longest * 1e3, "timed": self.count, **(figures or {})},
        )
