"""Names the modules of which the tests reach too little, from the report that `make cover` writes.

usage: python scripts/release/covered.py [--report FILE] [--json]

Exit 0: each module above 80 % of its lines and branches, all of them at 92 % or more; 1: one is not; 3: no report.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from rows import Row, tell

PROJECT = Path(__file__).parents[2]
REPORT = PROJECT / ".opencode" / "metrics" / "coverage.json"
MODULE, ALL = 80.0, 92.0


def covered(report: Path = REPORT) -> list[Row]:
    if not report.exists():
        return [Row("coverage", "not run", "there is no report: make cover")]
    told = json.loads(report.read_text(encoding="utf-8"))
    shares = {name: float(one["summary"]["percent_covered"]) for name, one in told["files"].items()}
    rows = [
        Row(f"coverage {name}", "fails", f"{share:.1f} % of its lines and branches")
        for name, share in sorted(shares.items(), key=lambda one: one[1])
        if share <= MODULE
    ]
    whole = float(told["totals"]["percent_covered"])
    fine = whole >= ALL and told["meta"]["branch_coverage"] and bool(shares)
    rows.append(Row("coverage", "holds" if fine else "fails", f"{whole:.2f} % of {len(shares)} modules, with branches"))
    return rows


def main(words: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--report", type=Path, default=REPORT, help="what `coverage json` wrote")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(words)
    return tell(covered(options.report), options.json)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
