"""M0: a snapshot of latency and reliability, policy updates and plugin states, before anything is changed.

usage: python scripts/perf/m0_baseline.py [--quick] [--json] [--metrics DIR]
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from control_plane.ledger.home import home_of
from control_plane.proving import Findings, run_proof
from control_plane.proving.baseline import ITEM, baseline

SCRIPT = "scripts/perf/m0_baseline.py"


def prove(quick: bool, fault: str = "") -> Findings:
    home = home_of(None)
    return baseline(400 if quick else 5_000, Path.cwd(), home if home.exists() else None, nosy=fault == "nosy")


def main(arguments: Sequence[str], fault: str = "") -> int:
    """`fault="nosy"` lets the watcher interfere, so that a test can see this proof fail."""
    return run_proof(ITEM, SCRIPT, __doc__, lambda quick: prove(quick, fault), arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
