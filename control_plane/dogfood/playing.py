"""One case: ask, look at what changed, keep the evidence, judge."""

import os
import re
from collections.abc import Mapping
from pathlib import Path

from ..clock import Clock
from . import policy
from .cases import Case, Code
from .checks import Fault, check
from .client import Client, ClientFailed, ModelRejected, TooSlow
from .git import Git, Place
from .results import CaseResult, Evidence, status_of, to_json
from .shelf import RunFolder
from .tree import Changes, changes, look

ROLES = ("worker", "reviewer")
NO_SUCH_MODEL = "dogfood-no-such-model"
ALWAYS = ("stdout.txt", "stderr.txt", "git_status.txt", "repo_commit.txt", "worktree_check.txt", "calls.txt")
LARGEST_ITEM = 4 << 20


class Playing:
    def __init__(
        self, place: Place, git: Git, folder: RunFolder, head: str, standalone: bool, clock: Clock,
        originals: Mapping[str, bytes], shelf: Path,
    ) -> None:  # fmt: skip
        self.place, self.git, self.folder, self.head, self.standalone = place, git, folder, head, standalone
        self.clock, self.originals, self.shelf = clock, originals, shelf

    def play(self, case: Case, client: Client) -> CaseResult:
        before = look(self.place.root, self.git, self.shelf)
        begun = self.clock.monotonic()
        client.calls()
        answers, fault = self._act(case, client)
        took = int((self.clock.monotonic() - begun) * 1e3)
        calls = client.calls()
        changed = changes(before, look(self.place.root, self.git, self.shelf))
        lines = "".join(f"{one}\n" for one in calls)
        if case.act == "roles" and fault is None:
            fault = self._roles(client, [(one.role, one.key) for one in calls])
        if fault is None:
            # Only calls that got an answer name a model; two names of one model begin alike.
            other = [one.served for one in calls if one.served and not _same(one.asked, one.served)]
            fault = Fault("MODELNOTFOUND", f"{other[0]} answered instead of the model asked for") if other else None
        verdict = self._unsafe(case, changed) or fault or self._lacking(case, answers, changed)
        evidence = self._capture(case, "\n".join(answers), verdict, changed, lines)
        if verdict is None:
            verdict = self._miscounted(case, evidence, changed)
        if case.deletes is not None and case.deletes in changed.deleted:
            # The sentinel has done its work; the stages that follow start from a whole tree.
            (self.place.root / case.deletes).write_bytes(self.originals[case.deletes])
        return self._result(case, verdict, evidence, took, client)

    def refuse(self, case: Case, fault: Fault) -> CaseResult:
        """Nothing was executed."""
        evidence = self._capture(case, "", fault, Changes(), "")
        return self._result(case, fault, evidence, 0, None)

    def _act(self, case: Case, client: Client) -> tuple[list[str], Fault | None]:
        try:
            return self._asked(case, client), None
        except ModelRejected as fault:
            return [], Fault("MODELNOTFOUND", str(fault))
        except TooSlow as fault:
            return [], Fault("TIMEOUTEXCEEDED", str(fault))
        except ClientFailed as fault:
            return [], Fault("CLIFAIL", str(fault))

    def _asked(self, case: Case, client: Client) -> list[str]:
        budget = case.budget_s
        match case.act:
            case "ping":
                return [client.ask(case.prompt, budget_s=budget, transport=way) for way in client.transports]
            case "roles":
                return [client.ask(case.prompt, role=role, budget_s=budget) for role in ROLES]
            case "no-such-model":
                return [client.ask(case.prompt, model=NO_SUCH_MODEL, budget_s=budget)]
            case "slow":
                return [client.ask(case.prompt, budget_s=budget, hold_s=10 * budget)]
            case "empty":
                answer = client.ask("", budget_s=budget)
                if not client.alive():
                    raise ClientFailed("OpenCode is gone after an empty prompt")
                return [answer]
            case "ask":
                return [client.ask(case.prompt, budget_s=budget)]

    def _roles(self, client: Client, seen: list[tuple[str, str]]) -> Fault | None:
        wanted = {role: client.fingerprint(role) for role in ROLES}
        if len(set(wanted.values())) < len(ROLES):
            return Fault("EVIDENCEMISMATCH", "both roles have one key, so nothing shows which was picked")
        if sorted(seen) != sorted(wanted.items()):
            return Fault("EVIDENCEMISMATCH", f"{len(seen)} calls, not one of each role with its own key")
        return None

    def _unsafe(self, case: Case, changed: Changes) -> Fault | None:
        """Deletions before modifications: they cannot be looked at any more."""
        outside = [
            path for path in (*changed.created, *changed.modified) if not policy.may_write(self.place.root, path)
        ]
        gone = [path for path in changed.deleted if not policy.may_delete(path)]
        if case.deletes is not None and case.deletes in gone and (len(gone) > 1 or changed.created or changed.modified):
            return Fault("MODIFICATIONFAIL", "more was changed than the file that had to go")
        if gone:
            return Fault("GITCLEANFAIL", f"deleted: {', '.join(gone[:5])}")
        if outside:
            return Fault("MODIFICATIONFAIL", f"written outside the allowlist: {', '.join(outside[:5])}")
        return None

    def _lacking(self, case: Case, answers: list[str], changed: Changes) -> Fault | None:
        if case.act == "empty":
            return None
        if not all(answer.strip() for answer in answers):
            return Fault("EMPTYRESPONSE", "the model returned no content")
        for answer in answers:
            for one in case.checks:
                if fault := check(one, answer, self.place.root, self.originals):
                    return fault
        if case.expected == "EXPECTED_FAIL":
            return None
        written = {one.path for one in case.checks if hasattr(one, "path")}
        unasked = [path for path in (*changed.created, *changed.modified) if path not in written]
        if unasked:
            return Fault("EVIDENCEMISMATCH", f"written though nobody asked: {', '.join(unasked[:5])}")
        return None

    def _miscounted(self, case: Case, evidence: tuple[Evidence, ...], changed: Changes) -> Fault | None:
        wanted = len(ALWAYS) + bool(changed) + case.items
        if len(evidence) != wanted:
            return Fault("EVIDENCEMISMATCH", f"{len(evidence)} files of evidence, not {wanted}")
        return None

    def _capture(
        self, case: Case, answer: str, fault: Fault | None, changed: Changes, calls: str
    ) -> tuple[Evidence, ...]:
        base = f"evidence/{case.id}/"
        told = {
            "stdout.txt": answer.encode(), "stderr.txt": f"{fault.code}: {fault.why}\n".encode() if fault else b"",
            "git_status.txt": self.git.status(), "repo_commit.txt": f"{self.git.head()}\n".encode(),
            "worktree_check.txt": self.place.told.encode(), "calls.txt": calls.encode(),
        }  # fmt: skip
        if changed:
            told["git_diff.txt"] = self.git.name_status()
        for number, path in enumerate(changed.created, 1):
            told[f"item_{number:02d}.{_ending(path)}"] = _content(self.place.root / path)
        written = [self.folder.write(base + name, raw) for name, raw in told.items()]
        return tuple(sorted(written, key=lambda one: os.fsencode(one.path)))

    def _result(
        self, case: Case, fault: Fault | None, evidence: tuple[Evidence, ...], took: int, client: Client | None
    ) -> CaseResult:
        code: Code | None = fault.code if fault else None
        status = status_of(case.expected, case.expected_code, code)
        if status == "FAIL" and fault is None:
            fault = Fault("EVIDENCEMISMATCH", f"{case.expected_code} had to come, and did not")
        transports = client.transports if client is not None and case.act == "ping" else ("port",)
        result = CaseResult(
            case_id=case.id, stage=case.stage, expected_outcome=case.expected,
            actual_outcome="FAIL" if code else "SUCCESS", status=status,
            failure_code=fault.code if fault else None, reason=fault.why if fault else "", run_id=self.folder.name,
            standalone=self.standalone, duration_ms=took, model_id=client.model if client is not None else None,
            transport=",".join(transports) if client is not None else None, repo_commit=self.head, evidence=evidence,
        )  # fmt: skip
        self.folder.write(f"cases/{case.id}.result.json", to_json(result))
        return result


def _same(asked: str, served: str) -> bool:
    """Providers answer with the dated name of a model, or without their own name before it."""
    asked, served = asked.rsplit("/", 1)[-1].lower(), served.rsplit("/", 1)[-1].lower()
    return served == asked or served.startswith(asked + "-") or asked.startswith(served + "-")


def _ending(path: str) -> str:
    suffix = path.rsplit("/", 1)[-1].rpartition(".")[2]
    return suffix if "." in path.rsplit("/", 1)[-1] and re.fullmatch(r"[A-Za-z0-9]{1,8}", suffix) else "bin"


def _content(path: Path) -> bytes:
    """A link is kept as what it says, never as what it leads to."""
    if path.is_symlink():
        return os.fsencode(os.readlink(path))
    if not path.is_file():
        return b""
    with path.open("rb") as file:
        return file.read(LARGEST_ITEM)
