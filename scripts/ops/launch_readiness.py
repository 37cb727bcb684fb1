"""Writes the bridge's launch page from the newest evidence of its levels and drills: what holds, what does not.

usage: python scripts/ops/launch_readiness.py [--metrics DIR] [--page FILE]
"""

import argparse
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from control_plane.errors import ControlPlaneError
from control_plane.evidence import METRICS, Evidence, check

PAGE = Path("docs/bridge-launch.md")
WANTED = {"bridge-sli": "scripts/perf/bridge_sli_baseline.py", "bridge-drills": "scripts/ops/bridge_drills.py"}
_HEAD = """# The bridge: ready to launch?

Written by `python scripts/ops/launch_readiness.py` from the evidence in `.opencode/metrics/`.

"""
OWNERS = """## Who owns what

| area | owner | signs off |
|---|---|---|
| product: aim, use | the product owner | the pilot's users say that nothing is copied by hand |
| platform: service, storage, operations | the platform engineer | the levels and the drills above |
| security: policy, threats | the security owner | `tests/bridge/test_http.py`: roles, tokens, malformed payloads |
| agent workflow: runtimes, users | the agent-workflow owner | `tests/bridge/test_workflow.py`: two real sessions |

Alerts: `docs/alerts.yaml`, each with a runbook, tested by `tests/api/test_alerts.py`.

Pilot sign-off: nobody has signed yet. Whoever signs writes name and day here, and what was still open then.

Afterwards: within two weeks `control-plane bridge review --since 14d` compares cycle times with the time before, counts
escalations and false positives, gathers what operators said (`bridge feedback`), and orders what to do next.
"""


def newest(folder: Path, item: str) -> Evidence | None:
    paths = sorted(folder.glob(f"{item}-*.json"))
    return check(paths[-1]) if paths else None


def page(folder: Path) -> tuple[str, bool]:
    """The page, and whether all of it holds."""
    parts, ready = [_HEAD], True
    for item, script in WANTED.items():
        evidence = newest(folder, item)
        parts.append(f"## `{script}`\n\n")
        if evidence is None:
            parts.append(f"It has not run here: `python {script}`.\n\n")
            ready = False
            continue
        day = datetime.fromtimestamp(evidence.at, UTC).strftime("%Y-%m-%d %H:%M")
        load = evidence.after.figures.get("load_average")
        where = f"{evidence.environment.cores} cores" + ("" if load is None else f", load average {load:.1f}")
        parts.append(f"`{evidence.command}` on {day} UTC, {where}\n\n| | seen | wanted | |\n|---|---|---|---|\n")
        for one in evidence.criteria:
            seen = f"{one.value:.4g}" if isinstance(one.value, float) else str(one.value)
            word = "holds" if one.passed else "**does not hold**"
            parts.append(f"| {one.name} | {seen} | {one.comparison} {one.limit} | {word} |\n")
            ready &= one.passed
        parts.append("\n")
    parts.append(f"{'Everything measured holds.' if ready else 'Not everything holds: see above.'}\n\n")
    return "".join(parts) + OWNERS, ready


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--metrics", type=Path, default=METRICS, help="where the evidence lies")
    parser.add_argument("--page", type=Path, default=PAGE, help="where the page goes")
    options = parser.parse_args(arguments)
    try:
        text, ready = page(options.metrics)
    except ControlPlaneError as fault:
        sys.stderr.write(f"{fault}\n")
        return 2
    options.page.write_text(text)
    sys.stdout.write(f"{options.page}: {'ready' if ready else 'not ready'}\n")
    return 0 if ready else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
