"""One run: entry, stages with their gates, cases, exit."""

import base64
import contextlib
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from ..clock import Clock
from ..ledger.flock import lock
from . import policy
from .cases import BY_ID, CASES, FIXTURES, HARD, ISOLATED, PROBE, STAGES, Case, Stage
from .checks import Fault
from .client import Client, ClientFailed
from .git import Git, GitFailed, Place
from .playing import Playing
from .results import CaseLine, CaseResult, RunSummary, to_json
from .shelf import SUMS, RunFolder, broken

SAY = Callable[[str], None]


class Plan(NamedTuple):
    """What is to be run; a standalone case needs no earlier stage."""

    cases: tuple[Case, ...]
    standalone: bool = False
    fail_fast: bool = False
    keep_worktree: bool = False

    @property
    def whole(self) -> bool:
        return len(self.cases) == len(CASES)

    def with_budget(self, seconds: float) -> "Plan":
        """For a slow provider; what is expected to be late keeps its own."""
        return self._replace(
            cases=tuple(
                case if case.act == "slow" else msgspec.structs.replace(case, budget_s=seconds) for case in self.cases
            )
        )


class Ended(NamedTuple):
    summary: RunSummary
    root: str
    folder: RunFolder


class Stop(Exception):
    """Nothing more is executed."""


class Suite:
    """`connect` starts OpenCode in a folder; it is called once, when the entry checks have held."""

    def __init__(self, place: Place, git: Git, connect: Callable[[Path], Client], clock: Clock, say: SAY) -> None:
        self.place, self.git, self.clock, self.say = place, git, clock, say
        self._connect = connect
        self._client: Client | None = None
        self._results: dict[str, CaseResult] = {}
        self._stop: str | None = None
        self._declare: Callable[[int], None] = lambda _: None

    @property
    def shelf(self) -> Path:
        return self.place.main / policy.EVIDENCE.rstrip("/")

    def run(self, plan: Plan) -> Ended:
        head = self.git.head()
        folder = RunFolder.begin(self.shelf)
        with self._alone():
            for left, told in broken(self.shelf):
                self._tidy_after(left, told)
            originals = self._originals()
            self._declare = lambda pid: folder.declare(
                {"worktree": str(self.place.root), "commit": head, "opencode": pid}, originals
            )
            self._declare(0)
            try:
                self._stages(plan, folder, head, originals)
                ended = self._finish(plan, folder, head)
                if ended.summary.final_verdict == "PASS":
                    self._put_back(originals)
            finally:
                self._end_client()
                folder.end()
        return ended

    def remove_worktree(self) -> None:
        """After a PASS of the whole suite; git refuses where something would be lost."""
        Git(self.place.main).remove_worktree(self.place.root)

    def _stages(self, plan: Plan, folder: RunFolder, head: str, originals: Mapping[str, bytes]) -> None:
        try:
            self._enter(plan, folder, head)
            playing = Playing(self.place, self.git, folder, head, plan.standalone, self.clock, originals, self.shelf)
            for stage in STAGES:
                cases = [case for case in plan.cases if case.stage == stage]
                if not cases:
                    continue
                if not plan.standalone:
                    self._gate(stage, plan, head)
                self._no_pending(policy.WRITE_ALLOWLIST)
                for case in cases:
                    self._case(playing, case, plan)
                self._leave(stage, cases, folder)
        except Stop as stop:
            self._stop = str(stop)
        except GitFailed as fault:
            self._stop = f"MODIFICATIONFAIL: git cannot say what changed: {fault}"

    def _case(self, playing: Playing, case: Case, plan: Plan) -> None:
        try:
            if self._client is None:
                self._client = self._connect(self.place.root)
                self._declare(self._client.pid)
            result = playing.play(case, self._client)
        except ClientFailed as fault:
            result = playing.refuse(case, Fault("CLIFAIL", str(fault)))
        self._keep(result)
        if result.status == "FAIL" and (result.failure_code in HARD or plan.fail_fast or self._client is None):
            raise Stop(f"{case.id}: {result.failure_code}")

    def _keep(self, result: CaseResult) -> None:
        self._results[result.case_id] = result
        code = f" {result.failure_code}" if result.failure_code else ""
        why = f" ({result.reason})" if result.status == "FAIL" else ""
        self.say(f"[{result.stage}] {result.case_id} {result.status}{code} {result.duration_ms} ms{why}")

    # Entry.

    def _enter(self, plan: Plan, folder: RunFolder, head: str) -> None:
        isolated = [case for case in plan.cases if case.stage in ISOLATED]
        if isolated and not self.place.linked:
            playing = Playing(self.place, self.git, folder, head, plan.standalone, self.clock, {}, self.shelf)
            fault = Fault("WORKTREE_REQUIRED", f"{isolated[0].stage} runs in a linked git worktree only")
            self._keep(playing.refuse(isolated[0], fault))
            raise Stop("WORKTREE_REQUIRED")
        for needed in (PROBE, FIXTURES):
            if not (self.place.root / needed).exists():
                raise Stop(f"entry: {needed} is missing")
        self._no_pending(policy.LEFT_BY_SUITE)

    def _no_pending(self, allowed: tuple[str, ...]) -> None:
        pending = [path for path in self.git.pending() if not policy.may_write(self.place.root, path, allowed)]
        if pending:
            raise Stop(f"pending changes: {', '.join(pending[:5])}")
        if not os.access(self.shelf, os.W_OK):
            raise Stop("the evidence folder is not writable")

    def _gate(self, stage: Stage, plan: Plan, head: str) -> None:
        at = STAGES.index(stage)
        if at == 0:
            return
        before = STAGES[at - 1]
        cases = [case.id for case in CASES if case.stage == before]
        if any(case.stage == before for case in plan.cases):
            if all(self._passed(case) for case in cases):
                return
        elif self._passed_earlier(cases, head):
            return
        raise Stop(f"gate: {stage} needs {before}, which did not pass")

    def _passed(self, case: str) -> bool:
        return case in self._results and self._results[case].status == "PASS"

    def _passed_earlier(self, cases: Sequence[str], head: str) -> bool:
        """In a finished run on this very commit."""
        for path in self.shelf.glob("RUN_*/run_summary.json"):
            with contextlib.suppress(msgspec.DecodeError, OSError):
                told = msgspec.json.decode(path.read_bytes(), type=RunSummary)
                good = {line.case_id for line in told.cases if line.status == "PASS"}
                if told.repo_commit == head and not told.standalone and good.issuperset(cases):
                    return True
        return False

    # Exit.

    def _leave(self, stage: Stage, cases: Sequence[Case], folder: RunFolder) -> None:
        faults = folder.faults()
        missing = [case.id for case in cases if not folder.has(f"cases/{case.id}.result.json")]
        if faults or missing:
            raise Stop(f"exit of {stage}: the evidence is not as it was written: {', '.join((faults + missing)[:5])}")

    def _finish(self, plan: Plan, folder: RunFolder, head: str) -> Ended:
        lines = tuple(self._line(case) for case in CASES)
        counts = {status: sum(line.status == status for line in lines) for status in ("PASS", "FAIL", "SKIPPED")}
        good = all(self._passed(case.id) for case in plan.cases) and self._stop is None
        summary = RunSummary(
            run_id=folder.name, repo_commit=head, standalone=plan.standalone, total_cases=len(CASES),
            passed=counts["PASS"], failed=counts["FAIL"], skipped=counts["SKIPPED"],
            final_verdict="PASS" if good else "FAIL", stop_reason=self._stop,
            opencode_version=self._client.version if self._client is not None else None, cases=lines,
        )  # fmt: skip
        folder.write("run_summary.json", to_json(summary))
        root = folder.seal()
        assert folder.has(SUMS)
        return Ended(summary, root, folder)

    def _line(self, case: Case) -> CaseLine:
        result = self._results.get(case.id)
        if result is None:
            return CaseLine(case_id=case.id, stage=case.stage, status="SKIPPED")
        return CaseLine(case_id=case.id, stage=case.stage, status=result.status, failure_code=result.failure_code)

    def _end_client(self) -> None:
        if self._client is not None:
            self._client.close()

    # The worktree.

    @contextlib.contextmanager
    def _alone(self) -> Any:
        """Two runs in one worktree would see each other's changes: the second waits."""
        path = Path(self.git.line("rev-parse", "--absolute-git-dir")) / "opencode_dogfood.lock"
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            lock(handle)
            yield
        finally:
            os.close(handle)

    def _originals(self) -> dict[str, bytes]:
        """What of the files that may be written is there before the run."""
        found = {}
        for name in policy.WRITE_ALLOWLIST:
            path = self.place.root / name
            if name == policy.EVIDENCE:
                continue
            for file in [path] if path.is_file() else path.rglob("*") if path.is_dir() else ():
                if file.is_file() and not file.is_symlink() and "__pycache__" not in file.parts:
                    found[file.relative_to(self.place.root).as_posix()] = file.read_bytes()
        return found

    def _put_back(self, originals: Mapping[str, bytes]) -> None:
        """The worktree as the run found it, so that it can be removed without force."""
        now = self._originals()
        # The note of an earlier run may be anybody's: only what a case may write is touched.
        for path, raw in originals.items():
            if now.get(path) != raw and policy.may_write(self.place.root, path):
                (self.place.root / path).write_bytes(raw)
        for path in now.keys() - originals.keys():
            if policy.may_write(self.place.root, path):
                (self.place.root / path).unlink()

    def _tidy_after(self, left: RunFolder, told: Mapping[str, Any]) -> None:
        """A killed run leaves the files that it had made; those of this worktree are put back."""
        self.say(f"{left.name} did not end; it is marked as broken")
        end_orphan(left_pid(told))
        originals = left_files(told)
        here = told.get("worktree") == str(self.place.root) and told.get("commit") == self.git.head()
        if here and originals is not None:
            self._put_back(originals)


def left_pid(told: Mapping[str, Any]) -> int:
    pid = told.get("opencode")
    return pid if isinstance(pid, int) else 0


def left_files(told: Mapping[str, Any]) -> dict[str, bytes] | None:
    """What lay there before that run; None where its note cannot be read."""
    listed = told.get("originals")
    try:
        return {path: base64.b64decode(raw) for path, raw in listed.items()} if isinstance(listed, dict) else None
    except (TypeError, ValueError):
        return None


def end_orphan(pid: int) -> None:
    """The OpenCode that a killed run left behind, if that number is still a server of OpenCode."""
    with contextlib.suppress(OSError):
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        if pid > 0 and b"serve" in words and b"--hostname" in words:
            os.kill(pid, signal.SIGTERM)


def plan_of(
    case: str | None, stages: Sequence[str], *, fail_fast: bool = False, keep_worktree: bool = False
) -> Plan | None:
    """None where a name is unknown."""
    if case is not None:
        return Plan((BY_ID[case],), standalone=True, keep_worktree=keep_worktree) if case in BY_ID else None
    if not stages or any(stage not in STAGES for stage in stages):
        return None
    chosen = tuple(one for one in CASES if one.stage in stages)
    return Plan(chosen, fail_fast=fail_fast, keep_worktree=keep_worktree)
