"""Which records of a key came in already: nothing is forgotten that could still be let in, and memory is bounded.

When a key's memory is full, its oldest record is forgotten and the window begins after it; one agent's flood
narrows its own window and nobody else's.
"""

from heapq import heappop, heappush

import msgspec

WINDOW = 86_400.0
# How far a producer's clock may be ahead of ours.
AHEAD = 300.0
MOST = 65_536


class Seen(msgspec.Struct):
    """`horizon`: records as old as this, or older, are refused."""

    digests: set[bytes] = set()
    order: list[tuple[float, bytes]] = []
    horizon: float = float("-inf")


def within(seen: Seen | None, ts: float, now: float) -> bool:
    """Whether the time of a record lies where a repetition would be noticed."""
    return now - WINDOW < ts <= now + AHEAD and (seen is None or ts > seen.horizon)


def remember(seen: Seen, digest: bytes, ts: float, now: float) -> None:
    if digest in seen.digests:
        return
    seen.digests.add(digest)
    heappush(seen.order, (ts, digest))
    while seen.order and (len(seen.order) > MOST or seen.order[0][0] <= now - WINDOW):
        oldest, gone = heappop(seen.order)
        seen.digests.discard(gone)
        seen.horizon = max(seen.horizon, oldest)
