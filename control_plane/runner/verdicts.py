"""What a run of tests says: its exit code first, then what it counted. Words like "all passed" prove nothing."""

import re
from typing import NamedTuple

from .events import Verdict


class Counted(NamedTuple):
    """None where the output tells no number."""

    passed: int | None = None
    failed: int = 0
    skipped: int = 0
    failures: tuple[str, ...] = ()


class Checked(NamedTuple):
    """One command that was run in the workspace."""

    command: tuple[str, ...]
    exit_code: int | None
    said: str
    tree: str
    kind: str = "test"


class Judged(NamedTuple):
    verdict: Verdict
    reason: str
    checked: Checked | None = None
    counted: Counted = Counted()
    known: tuple[str, ...] = ()


_ANSI = re.compile(r"\x1b\[[0-9;]*m")
_NUMBERED = {
    "passed": re.compile(r"\b(\d+) (?:passed|passing|pass)\b"),
    "failed": re.compile(r"\b(\d+) (?:failed|failing|fail|errors?)\b"),
    "skipped": re.compile(r"\b(\d+) (?:skipped|pending|ignored|todo|deselected|xfailed)\b"),
}
_UNITTEST = re.compile(r"^Ran (\d+) tests? in", re.MULTILINE)
_UNITTEST_MORE = re.compile(r"\b(failures|errors|skipped)=(\d+)")
_NODE = re.compile(r"^# (pass|fail|skipped|todo) (\d+)$", re.MULTILINE)
_GO = re.compile(r"^(ok|FAIL|---\s+FAIL:|---\s+PASS:|---\s+SKIP:|\?)\s+(\S+)", re.MULTILINE)
_NAMES = re.compile(
    r"^(?:FAILED|ERROR) (\S+)|^--- FAIL: (\S+)|^\s*(?:✕|✗|×) (.+)$|^not ok \d+ -? ?(.+)$|^(?:FAIL|ERROR): (\S+)"
    r"|^test (\S+) \.\.\. FAILED",
    re.MULTILINE,
)


def counted(said: str) -> Counted:
    """From what pytest, unittest, jest, vitest, mocha, node, go and cargo print."""
    said = _ANSI.sub("", said)
    failures = tuple(dict.fromkeys(next(filter(None, found)).strip() for found in _NAMES.findall(said)))
    ran = _UNITTEST.search(said)
    if ran:
        more = {name: int(number) for name, number in _UNITTEST_MORE.findall(said)}
        failed, skipped = more.get("failures", 0) + more.get("errors", 0), more.get("skipped", 0)
        return Counted(int(ran[1]) - failed - skipped, failed, skipped, failures)
    node = {name: int(number) for name, number in _NODE.findall(said)}
    if "pass" in node:
        return Counted(node["pass"], node.get("fail", 0), node.get("skipped", 0) + node.get("todo", 0), failures)
    go = [word.split()[-1].strip(":") for word, _ in _GO.findall(said)]
    if go and ("ok" in go or "FAIL" in go) and not _NUMBERED["passed"].search(said):
        return Counted(go.count("PASS") or go.count("ok"), go.count("FAIL"), go.count("SKIP"), failures)
    told = {name: _counts(pattern, said) for name, pattern in _NUMBERED.items()}
    if re.search(r"\bno tests ran\b|\bcollected 0 items\b|\bNo tests found\b|\b0 tests\b|\bno test files\b", said):
        told["passed"] = told["passed"] or 0
    if all(value is None for value in told.values()):
        return Counted(failures=failures)
    return Counted(told["passed"] or 0, told["failed"] or 0, told["skipped"] or 0, failures)


def _counts(pattern: re.Pattern[str], said: str) -> int | None:
    """The last line that counts is the sum; cargo has one for each crate."""
    if said.count("test result:") > 1:
        lines = [line for line in said.splitlines() if "test result:" in line]
        return sum(int(found[1]) for line in lines if (found := pattern.search(line)))
    summed = [line for line in said.splitlines() if re.match(r"\s*Tests:?\s", line)]
    numbers = pattern.findall("\n".join(summed)) or pattern.findall(said)
    return int(numbers[-1]) if numbers else None


def judge(checked: list[Checked], before: tuple[str, ...], missing: tuple[str, ...], tree: str) -> Judged:
    """Three witnesses: the files that were expected, the tests' own exit and count, and the tree that they ran on."""
    if missing:
        return Judged("failed", f"expected and not there: {', '.join(missing[:5])}", checked[0] if checked else None)
    if not checked:
        return Judged("unverifiable", "there is nothing to run that would show it")
    against = next(filter(None, (_against(one, before) for one in checked)), None)
    if against is not None:
        return against
    if any(one.tree != tree for one in checked):
        return Judged("stale", "files changed after the checks ran", checked[0], counted(checked[0].said))
    return _worth([(one, counted(one.said)) for one in checked if one.kind == "test"], checked[0])


def _against(one: Checked, before: tuple[str, ...]) -> Judged | None:
    """What one command has against it."""
    told, name = counted(one.said), " ".join(one.command)
    if one.exit_code is None:
        return Judged("unverifiable", f"{name} did not end in time or could not be run", one, told)
    if one.exit_code != 0:
        if one.kind == "test" and told.passed == 0 and not told.failed and not told.failures:
            return Judged("unverifiable", f"{name} ran no test", one, told)
        return _failed(one, told, before)
    if told.failed:
        return Judged("failed", f"{told.failed} failed although {name} ended with 0", one, told)
    return None


def _worth(tests: list[tuple[Checked, Counted]], first: Checked) -> Judged:
    """What it is worth that all ended with 0."""
    if not tests:
        return Judged("unverifiable", "only linting and types were checked, no test ran", first)
    ran = [(one, told) for one, told in tests if told.passed != 0]
    if not ran:
        one, told = tests[0]
        return Judged("unverifiable", "every test was skipped" if told.skipped else "no test ran", one, told)
    one, told = ran[0]
    if told.passed is None:
        return Judged("verified", f"{' '.join(one.command)} ended with 0; it counts nothing", one, told)
    return Judged("verified", f"{told.passed} passed, {told.skipped} skipped", one, told)


def _failed(one: Checked, told: Counted, before: tuple[str, ...]) -> Judged:
    known = tuple(name for name in told.failures if name in before)
    reason = f"{' '.join(one.command)} ended with {one.exit_code}"
    if known and len(known) == len(told.failures):
        reason += f"; all {len(known)} failures were there before"
    elif known:
        reason += f"; {len(told.failures) - len(known)} new failures, {len(known)} were there before"
    return Judged("failed", reason, one, told, known)
