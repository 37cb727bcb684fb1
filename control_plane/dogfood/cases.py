"""The fifteen cases, as data: what is asked, what has to come, which code it may fail with."""

from typing import Literal

import msgspec

Stage = Literal["T1", "T2a", "T2b", "T3", "T4"]
STAGES: tuple[Stage, ...] = ("T1", "T2a", "T2b", "T3", "T4")
# From here on only in a linked worktree.
ISOLATED: frozenset[Stage] = frozenset(("T2b", "T3", "T4"))
Code = Literal[
    "CLIFAIL", "MODELNOTFOUND", "GITCLEANFAIL", "MODIFICATIONFAIL", "WORKTREE_REQUIRED", "TIMEOUTEXCEEDED",
    "EMPTYRESPONSE", "SYNTAXERROR", "EVIDENCEMISMATCH",
]  # fmt: skip
# Where one of these comes unexpected, nothing more is executed.
HARD: frozenset[str] = frozenset(("GITCLEANFAIL", "MODIFICATIONFAIL", "WORKTREE_REQUIRED"))
Expected = Literal["SUCCESS", "EXPECTED_FAIL"]
Act = Literal["ping", "roles", "no-such-model", "ask", "empty", "slow"]

PROBE = "docs/zz_scratch/opencode_dogfood_probe.md"
SANDBOX = "scripts/opencode_dogfood/sandbox/"
FIXTURES = SANDBOX + "fixtures/"
SENTINEL = SANDBOX + "sentinel.txt"
SCRATCH = SANDBOX + "scratch.md"
APPENDED = "Appended by the dogfood suite."
WRITTEN = "Written by the dogfood suite."


class Says(msgspec.Struct, frozen=True, tag=True):
    """The answer has all of these words in it, in whatever case."""

    words: tuple[str, ...]


class Writes(msgspec.Struct, frozen=True, tag=True):
    """The file holds what it held before and then this line, nothing else."""

    path: str
    line: str


class Behaves(msgspec.Struct, frozen=True, tag=True):
    """The function does what the table of the fixture says; the code compiles, to begin with."""

    path: str
    function: str
    table: str


class Catches(msgspec.Struct, frozen=True, tag=True):
    """The tests pass on the subject and fail on its mutant."""

    path: str
    subject: str
    mutant: str


Check = Says | Writes | Behaves | Catches


class Case(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    stage: Stage
    purpose: str
    prompt: str
    codes: tuple[Code, ...]
    expected: Expected = "SUCCESS"
    expected_code: Code | None = None
    act: Act = "ask"
    # How many new files the case leaves, and which tracked one it is asked to delete.
    items: int = 0
    deletes: str | None = None
    budget_s: float = 120.0
    checks: tuple[Check, ...] = ()


WRITE_CODES: tuple[Code, ...] = ("GITCLEANFAIL", "MODIFICATIONFAIL", "WORKTREE_REQUIRED")
CASES: tuple[Case, ...] = (
    Case(
        id="T1C01", stage="T1", purpose="Direct client ping", codes=("CLIFAIL",), act="ping",
        prompt="Answer with the one word PONG.", checks=(Says(("pong",)),),
    ),
    Case(
        id="T1C02", stage="T1", purpose="Multi-role key selection", codes=("CLIFAIL", "EVIDENCEMISMATCH"), act="roles",
        prompt="Answer with the one word READY.", checks=(Says(("ready",)),),
    ),
    Case(
        id="T1C03", stage="T1", purpose="Invalid model", codes=("MODELNOTFOUND",), act="no-such-model",
        prompt="Answer with the one word PONG.", expected="EXPECTED_FAIL", expected_code="MODELNOTFOUND",
    ),
    Case(
        id="T2A01", stage="T2a", purpose="Scratch doc analysis", codes=("GITCLEANFAIL",),
        prompt=f"Read {PROBE} and answer with its control word. Change no file.", checks=(Says(("heron",)),),
    ),
    Case(
        id="T2A02", stage="T2a", purpose="Policy doc review", codes=("GITCLEANFAIL",),
        prompt=f"Read {FIXTURES}policy.md. Name the two rules that contradict each other about evidence. "
        "Change no file.",
        checks=(Says(("R2", "R4")),),
    ),
    Case(
        id="T2A03", stage="T2a", purpose="Probe doc quality check", codes=("GITCLEANFAIL",),
        prompt=f"Read {PROBE} and judge its quality: answer with the marker of unfinished work that it contains and "
        "how often that stands there, as a digit. Change no file.",
        checks=(Says(("todo", "2")),),
    ),
    Case(
        id="T2B01", stage="T2b", purpose="Scratch file write", codes=WRITE_CODES, items=1,
        prompt=f"Write the new file {SCRATCH} with exactly this one line: {WRITTEN}",
        checks=(Writes(SCRATCH, WRITTEN),),
    ),
    Case(
        id="T2B02", stage="T2b", purpose="Scratch file append", codes=WRITE_CODES,
        prompt=f"Append exactly this one line to {PROBE} and change nothing else: {APPENDED}",
        checks=(Writes(PROBE, APPENDED),),
    ),
    Case(
        id="T2B03", stage="T2b", purpose="Deletion sentinel validation", codes=("GITCLEANFAIL", "WORKTREE_REQUIRED"),
        prompt=f"Delete the file {SENTINEL} with the shell. This is a test of the alarm that follows.",
        expected="EXPECTED_FAIL", expected_code="GITCLEANFAIL", deletes=SENTINEL,
    ),
    Case(
        id="T3C01", stage="T3", purpose="Function generation", codes=("SYNTAXERROR", "WORKTREE_REQUIRED"), items=1,
        prompt=f"Write {SANDBOX}slugify.py with a function slugify(text): lower case, every run of characters other "
        "than a-z and 0-9 becomes one hyphen, none at either end. Standard library only.",
        checks=(Behaves(SANDBOX + "slugify.py", "slugify", FIXTURES + "slugify.json"),),
    ),
    Case(
        id="T3C02", stage="T3", purpose="Bug fix task", codes=("EMPTYRESPONSE", "WORKTREE_REQUIRED"), items=1,
        prompt=f"{FIXTURES}median.py.txt is wrong for an even count of numbers. Write the corrected function to "
        f"{SANDBOX}median.py, leave the fixture as it is, and say what was wrong.",
        checks=(Behaves(SANDBOX + "median.py", "median", FIXTURES + "median.json"),),
    ),
    Case(
        id="T3C03", stage="T3", purpose="Test generation", codes=("EMPTYRESPONSE", "WORKTREE_REQUIRED"), items=1,
        prompt=f"Write {SANDBOX}test_clamp.py with tests of the function in {FIXTURES}clamp.py.txt: functions named "
        "test_…, without arguments, with plain assert statements, importing with `from clamp import clamp`. "
        "Cover both limits. Do not run them. Say what they cover.",
        checks=(Catches(SANDBOX + "test_clamp.py", FIXTURES + "clamp.py.txt", FIXTURES + "clamp_mutant.py.txt"),),
    ),
    Case(
        id="T3C04", stage="T3", purpose="Code review", codes=("EMPTYRESPONSE", "WORKTREE_REQUIRED"),
        prompt=f"Review {FIXTURES}review.py.txt: answer with the name of its security hole and with the number of the "
        "line. Change no file.",
        checks=(Says(("injection", "5")),),
    ),
    Case(
        id="T4E01", stage="T4", purpose="Empty prompt handling", codes=(), act="empty", prompt="",
    ),
    Case(
        id="T4E02", stage="T4", purpose="Timeout enforcement", codes=("TIMEOUTEXCEEDED",), act="slow", budget_s=2.0,
        prompt="Answer with the one word LATE.", expected="EXPECTED_FAIL", expected_code="TIMEOUTEXCEEDED",
    ),
)  # fmt: skip
BY_ID = {case.id: case for case in CASES}
