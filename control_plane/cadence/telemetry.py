"""How well the beat is kept: counted as it goes, summed up when somebody asks."""

import msgspec
from hdrh.histogram import HdrHistogram

_MICROSECOND = 1e-6
_LONGEST = 3_600_000_000


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """Lateness is from due to begun. A beat collides when it shares its slot, or begins while another one runs."""

    polls: int
    ticks: int
    collisions: int
    collision_rate: float
    overlaps: int
    missed: int
    failures: int
    largest_concurrency: int
    lateness_p50_ms: float
    lateness_p95_ms: float
    lateness_p99_ms: float
    lateness_max_ms: float


class Telemetry:
    def __init__(self, slot: float) -> None:
        self.ticks = self.collisions = self.overlaps = self.missed = self.failures = 0
        self.running = self.largest_concurrency = 0
        self._lateness = HdrHistogram(1, _LONGEST, 2)
        self._slot = slot
        self._last_slot, self._last_collided = -1, False

    def began(self, due: float, now: float) -> None:
        slot = round(due / self._slot)
        shared = slot == self._last_slot
        collided = shared or self.running > 0
        # The first one of a slot that is shared collided as well, but could not know it.
        self.collisions += collided + (shared and not self._last_collided)
        self._last_slot, self._last_collided = slot, collided
        self.ticks += 1
        self.running += 1
        self.largest_concurrency = max(self.largest_concurrency, self.running)
        self._lateness.record_value(max(1, min(_LONGEST, int((now - due) / _MICROSECOND))))

    def ended(self) -> None:
        self.running -= 1

    def summary(self, polls: int) -> Summary:
        late = self._lateness
        p50, p95, p99, longest = (late.get_value_at_percentile(rank) / 1000 for rank in (50, 95, 99, 100))
        return Summary(
            polls=polls,
            ticks=self.ticks,
            collisions=self.collisions,
            collision_rate=self.collisions / self.ticks if self.ticks else 0.0,
            overlaps=self.overlaps,
            missed=self.missed,
            failures=self.failures,
            largest_concurrency=self.largest_concurrency,
            lateness_p50_ms=p50,
            lateness_p95_ms=p95,
            lateness_p99_ms=p99,
            lateness_max_ms=longest,
        )
