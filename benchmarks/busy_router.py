"""A host that never yields and decides at a fixed rate: `python -m benchmarks.busy_router HOME RATE SECONDS RESULTS`.

Each decision is timed from the moment it was due to the moment it was done, while committer and fold run. With
RESULTS every decision gets its result at once, which is written and folded too.
"""

import json
import os
import sys
import time
from pathlib import Path

from benchmarks.busy_host import percentile
from benchmarks.router_home import ARMS, TASKS, fill
from control_plane import ControlPlane
from control_plane.proving import arms

LEARNED = 100_000


def taken_by_others() -> float:
    """Seconds that this thread was ready to run while somebody else did, as Linux tells."""
    try:
        return int(Path("/proc/thread-self/schedstat").read_text().split()[1]) / 1e9
    except OSError:
        return 0.0


def serve(plane: ControlPlane, rate: int, seconds: float, *, results: bool) -> dict[str, float]:
    advise, record, now = plane.advise, plane.record_result, time.perf_counter
    for task in TASKS:
        advise(task)
    plane.flush()
    size, count = plane.ledger.size(), int(rate * seconds)
    late, others, start = [0.0] * count, taken_by_others(), now()
    for number in range(count):
        due = start + number / rate
        while now() < due:
            pass
        decision = advise(TASKS[number % len(TASKS)]).decision_id
        if results:
            record(decision, success=True, latency_ms=100.0, cost_usd=0.01)
        late[number] = now() - due
    took, others = now() - start, taken_by_others() - others
    backlog = plane.ledger.backlog
    plane.flush()
    plane.folder.catch_up()
    figures = {
        f"p{name}_us": percentile(late, share) * 1e6 for name, share in (("50", 0.5), ("99", 0.99), ("999", 0.999))
    }
    return figures | {
        "decisions": float(count),
        "seconds": took,
        "stored": float(plane.ledger.size() - size),
        "backlog": float(backlog),
        "longest_us": max(late) * 1e6,
        "taken_by_others_s": others,
    }


def main(home: str, rate: str, seconds: str, results: str) -> None:
    os.environ.setdefault("CONTROL_PLANE_WITNESS", f"{home}-witness")
    fill(Path(home), LEARNED)
    with ControlPlane.open(home, catalogue=arms(ARMS)) as plane:
        print(json.dumps(serve(plane, int(rate), float(seconds), results=results == "true")))


if __name__ == "__main__":
    main(*sys.argv[1:])
