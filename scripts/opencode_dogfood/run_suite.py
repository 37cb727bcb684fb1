"""The dogfood suite: fifteen cases against a real OpenCode; exit 0 only when the verdict is PASS.

Run it in a linked git worktree: stages T2b, T3 and T4 let an agent write. Keys by role come from the environment:
DOGFOOD_KEY_WORKER and DOGFOOD_KEY_REVIEWER.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

# The suite looks at every file of the worktree; its own run leaves none.
sys.dont_write_bytecode = True

from control_plane import ControlPlane  # noqa: E402
from control_plane.clock import Clock  # noqa: E402
from control_plane.dogfood.cases import STAGES  # noqa: E402
from control_plane.dogfood.client import Client  # noqa: E402
from control_plane.dogfood.git import Git, Place  # noqa: E402
from control_plane.dogfood.suite import Ended, Plan, Suite, plan_of  # noqa: E402
from control_plane.errors import ControlPlaneError  # noqa: E402
from control_plane.opencode.dogfooding import ROLES, Driven  # noqa: E402


def main(arguments: Sequence[str]) -> int:
    asked = reader().parse_args(arguments)
    plan = plan_of(asked.case, asked.stages.split(","), fail_fast=asked.fail_fast, keep_worktree=asked.keep_worktree)
    if plan is None:
        print(f"there is no such case or stage: {asked.case or asked.stages}", file=sys.stderr)
        return 2
    if asked.budget is not None:
        plan = plan.with_budget(asked.budget)
    if asked.dry_run:
        for case in plan.cases:
            print(f"[{case.stage}] {case.id} {case.expected} {case.purpose}")
        return 0
    if not asked.provider:
        print("name the provider: --provider URL, or DOGFOOD_PROVIDER", file=sys.stderr)
        return 2
    try:
        return run(asked, plan)
    except ControlPlaneError as fault:
        print(f"{fault.code}: {fault}", file=sys.stderr)
        return 1


def run(asked: argparse.Namespace, plan: Plan) -> int:
    git = Git(Path.cwd())
    place = git.place()
    suite = Suite(place, git, lambda root: client(asked, root), Clock(), lambda line: print(line, flush=True))
    ended = suite.run(plan)
    record(asked, place, ended)
    summary = ended.summary
    passed = summary.final_verdict == "PASS"
    print(
        f"{summary.run_id} {summary.final_verdict}: {summary.passed} passed, {summary.failed} failed, "
        f"{summary.skipped} skipped of {summary.total_cases}"
        + (f"; stopped: {summary.stop_reason}" if summary.stop_reason else "")
    )
    print(f"evidence: {ended.folder.path}\nroot: {ended.root}")
    if passed and plan.whole and place.linked and not plan.keep_worktree:
        suite.remove_worktree()
        print(f"removed the worktree {place.root}")
    return 0 if passed else 1


def client(asked: argparse.Namespace, root: Path) -> Client:
    keys = {role: os.environ.get(f"DOGFOOD_KEY_{role.upper()}", "") for role in ROLES}
    ways = {"both": ("port", "http"), "port": ("port",), "http": ("http",)}[asked.transport]
    return Driven(asked.opencode, root, asked.provider, asked.model, keys, ways)


def record(asked: argparse.Namespace, place: Place, ended: Ended) -> None:
    """The signed statement beside the evidence, and the run in the ledger."""
    home = asked.home or os.environ.get("CONTROL_PLANE_HOME") or str(place.main / ".opencode" / "control-plane")
    with ControlPlane.open(home, background=False) as plane:
        plane.dogfood.record(ended.folder, ended.summary, ended.root)


def reader() -> argparse.ArgumentParser:
    told = argparse.ArgumentParser(prog="run_suite.py", description=__doc__)
    told.add_argument("--case", metavar="ID", help="one case alone, without the earlier stages")
    told.add_argument("--stages", default=",".join(STAGES), help="of %(default)s")
    told.add_argument("--fail-fast", action="store_true", help="stop at the first case that fails")
    told.add_argument("--dry-run", action="store_true", help="say what would be run")
    told.add_argument("--provider", default=os.environ.get("DOGFOOD_PROVIDER"), metavar="URL",
                      help="base address of an OpenAI-compatible provider")  # fmt: skip
    told.add_argument("--model", default=os.environ.get("DOGFOOD_MODEL", "default"), help="as the provider names it")
    told.add_argument("--opencode", default=os.environ.get("DOGFOOD_OPENCODE"), metavar="FILE", help="the program")
    told.add_argument("--transport", choices=("both", "port", "http"), default="both", help="how T1C01 pings")
    told.add_argument("--budget", type=float, metavar="SECONDS", help="of each case, instead of its own")
    told.add_argument("--home", help="of the ledger; by default that of the main worktree")
    told.add_argument("--keep-worktree", action="store_true", help="leave the worktree even after a PASS")
    return told


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
