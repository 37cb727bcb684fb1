"""High-dynamic-range buckets of milliseconds: where a value lies, and which percentiles a sparse set of counts has.

A state keeps its counts as {bucket: count}, which encodes as it is; the numbering is that of `hdrhistogram`, which
answers the percentiles. Fine buckets are exact to 1 %, coarse ones to 6 %.
"""

from collections.abc import Mapping, Sequence

LONGEST_MS = 86_400_000  # a day; longer counts as that
FINE, COARSE = 2, 1  # significant digits
PARTS = 1024  # of a call: weights in whole numbers, as the library counts


def fine_bucket(ms: float) -> int:
    value = whole_ms(ms)
    shift = value.bit_length() - 8
    return (shift << 7) + (value >> shift) if shift > 0 else value


def coarse_bucket(ms: float) -> int:
    value = whole_ms(ms)
    shift = value.bit_length() - 5
    return (shift << 4) + (value >> shift) if shift > 0 else value


def fine_floor(bucket: int) -> int:
    """The smallest value of a fine bucket."""
    shift = (bucket >> 7) - 1
    return ((bucket & 127) + 128) << shift if shift > 0 else bucket


def coarse_ceiling(bucket: int) -> int:
    """The largest value of a coarse bucket."""
    shift = (bucket >> 4) - 1
    return (((bucket & 15) + 17) << shift) - 1 if shift > 0 else bucket


def whole_ms(ms: float) -> int:
    if 0.0 <= ms <= LONGEST_MS:
        return int(ms)
    return LONGEST_MS if ms > 0.0 else 0


def percentiles(weights: Mapping[int, float], wanted: Sequence[float], digits: int = FINE) -> list[float | None]:
    """The values at the wanted percentiles, from weights by bucket; None where nothing weighs."""
    # Imported here: a command that asks for no percentile should not wait for the library.
    from hdrh.histogram import HdrHistogram  # noqa: PLC0415

    histogram = HdrHistogram(1, LONGEST_MS, digits)
    for bucket in sorted(weights):
        histogram.record_value(histogram.get_value_from_index(bucket), int(weights[bucket] * PARTS + 0.5))
    if not histogram.get_total_count():
        return [None for _ in wanted]
    found: dict[float, int] = histogram.get_percentile_to_value_dict(list(wanted))
    return [float(found[percentile]) for percentile in wanted]
