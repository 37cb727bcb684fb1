"""Calls of one arm that were advised and have not ended: those already slow count before they are over."""

import msgspec

MOST = 64
PATIENCE_S = 60.0  # after which a call counts as never reported, not as slow
REPORTED = 20.0  # results seen before silence means anything
MEMORY = 256.0


class Running(msgspec.Struct):
    started: dict[str, float] = {}
    reported: float = 0.0
    lost: float = 0.0


def began(running: Running, decision: str, now: float) -> None:
    started = running.started
    started[decision] = now
    oldest = next(iter(started))
    if len(started) > MOST or abs(now - started[oldest]) >= PATIENCE_S:
        del started[oldest]
        running.lost += 1.0


def ended(running: Running, decision: str) -> None:
    if running.started.pop(decision, None) is not None:
        running.reported += 1.0
        if running.reported >= MEMORY:
            running.reported *= 0.5
            running.lost *= 0.5


def elapsed_ms(running: Running, now: float) -> list[float]:
    """How long each has taken; nothing where callers do not usually report: then silence says nothing."""
    if running.reported < REPORTED or running.lost * 20.0 > running.reported:
        return []
    return [1000.0 * (now - at) for at in running.started.values() if 0.0 <= now - at < PATIENCE_S]
