# ruff: noqa: E501 - a line is a call of the worker
"""Writes the corpus anew: `python -m tests.runner.making`. A trace is a few lines here and many in its file.

`begins` is the line at which the loop's first repetition begins, `period` how many lines one repetition takes.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

CORPUS = Path(__file__).parent / "corpus"
Line = dict[str, Any]
LOOPS: dict[str, tuple[int, int, list[Line]]] = {}
BENIGN: dict[str, list[Line]] = {}


def call(tool: str, args: Line | str, output: str, failed: bool | None = None, **more: Any) -> Line:
    if isinstance(args, str):
        args = {"command": args}
    return (
        {"type": "tool", "tool": tool, "args": args, "output": output}
        | ({} if failed is None else {"failed": failed})
        | more
    )


def text(said: str) -> Line:
    return {"type": "text", "text": said}


def user(said: str) -> Line:
    return {"type": "user", "text": said}


def loop(name: str, before: list[Line], unit: list[Line], times: int = 12) -> None:
    LOOPS[name] = len(before) + 1, len(unit), [*before, *unit * times]


def turning(name: str, before: list[Line], period: int, lines: list[Line]) -> None:
    """A loop whose repetitions differ in what makes no difference."""
    LOOPS[name] = len(before) + 1, period, [*before, *lines]


START = [
    user("the parser fails on empty input, mend it"),
    call("read", {"filePath": "src/parser.py"}, "def parse(text):\n    return text.split()[0]\n", tree="t0"),
    call("grep", {"pattern": "parse\\(", "path": "src"}, "src/parser.py:1\nsrc/main.py:7", tree="t0"),
]
PYTEST = "FAILED tests/test_parser.py::test_empty - IndexError: list index out of range\n1 failed, 3 passed"


def cycles() -> None:
    loop("period-1-read", START, [call("read", {"filePath": "src/parser.py"}, "def parse(text): ...")])
    loop("period-1-test-run", START, [call("bash", "pytest -q", PYTEST, True, tree="t0")])
    unit = [call("read", {"filePath": f"src/{name}.py"}, f"# {name}", tree="t0") for name in "abcdefghij"]
    for period in (2, 3, 4, 5, 7, 10):
        loop(f"period-{period}", START, unit[:period], 7)
    loop("period-13", START, [call("read", {"filePath": f"m{n}.py"}, f"# {n}", tree="t0") for n in range(13)], 6)
    edit = {"filePath": "src/parser.py"}
    there = call("edit", {**edit, "oldString": "[0]", "newString": "[:1]"}, "edited", tree="t1")
    back = call("edit", {**edit, "oldString": "[:1]", "newString": "[0]"}, "edited", tree="t0")
    loop("edit-there-and-back", START, [there, back], 8)
    red, green = call("bash", "pytest -q", PYTEST, True, tree="t1"), call("bash", "pytest -q", PYTEST, True, tree="t0")
    loop("edit-test-revert-test", START, [there, red, back, green], 6)
    todo = call("todowrite", {"todos": [{"content": "mend the parser", "status": "in_progress"}]}, "1 todo")
    loop("the-same-plan", START, [todo], 10)
    loop("empty-result", START, [call("grep", {"pattern": "def parse_all", "path": "."}, "")], 9)


def disguised_calls() -> None:
    words = [
        "Run the tests",
        "Let me run the tests again",
        "Execute the test suite",
        "Check whether tests pass now",
    ] * 3
    turning(
        "paraphrased-description",
        START,
        1,
        [call("bash", {"command": "pytest -q", "description": said}, PYTEST, True, tree="t0") for said in words],
    )
    turning("paraphrased-thought", START, 2, [
        line for number in range(10) for line in (
            text(["I should look at the parser.", "Now I will view parser.py.", "Let me open the parser source."][number % 3]),
            call("read", {"filePath": "src/parser.py"}, "def parse(text): ..."),
        )
    ])  # fmt: skip
    ordered = [
        {"pattern": "parse", "path": "src", "include": "*.py"},
        {"include": "*.py", "path": "src", "pattern": "parse"},
    ]
    turning("reordered-keys", START, 1, [call("grep", ordered[n % 2], "src/main.py:7") for n in range(12)])
    turning(
        "white-space",
        START,
        1,
        [call("bash", f"make {' ' * (n % 3)}test{' ' * (n % 4)}", "make: *** [test] Error 1", True) for n in range(12)],
    )
    turning(
        "dot-slash",
        START,
        1,
        [call("read", {"filePath": ("./" if n % 2 else "") + "src/a.py"}, "a = 1") for n in range(12)],
    )


def disguised_answers() -> None:
    turning("changing-instants", START, 1, [
        call("bash", "make check", f"[2026-02-05T10:{n:02}:11.52{n}Z] check began\nnothing to do, took {n * 0.31 + 1:.2f}s")
        for n in range(12)
    ])  # fmt: skip
    turning("changing-ids", START, 1, [
        call("webfetch", {"url": "http://127.0.0.1/api"}, f"Error: 500 internal error (request req_{n * 7919 + 48213:x}9a{n})", True)
        for n in range(12)
    ])  # fmt: skip
    turning("changing-uuid", START, 1, [
        call("bash", "deploy", f"error: trace 7c9e6679-7425-40de-944b-e07fc1f9{n:04x} refused at 0x7ffe{n:04x}", True)
        for n in range(12)
    ])  # fmt: skip
    turning("cross-message", START, 3, [
        line for n in range(9)
        for line in (text(f"Step {n}: trying."), call("read", {"filePath": "a.py"}, "a"), call("bash", "pytest", "1 failed", True))
    ])  # fmt: skip
    turning(
        "auto-continue",
        START,
        2,
        [line for _ in range(9) for line in (call("bash", "ls", "a.py b.py"), user("Continue."))],
    )
    turning(
        "counted-attempts",
        START,
        1,
        [
            call("bash", f"echo attempt {n} && make", "make: *** No rule to make target 'all'. Stop.", True)
            for n in range(12)
        ],
    )
    turning(
        "temporary-names",
        START,
        1,
        [call("bash", "build", f"wrote /tmp/build-{n * 991:x}q/out.log\nlink failed", True) for n in range(12)],
    )


def failures() -> None:
    edit = {"filePath": "src/parser.py", "newString": "x"}
    turning("edit-never-fits", START, 1, [
        call("edit", {**edit, "oldString": "return text" + " " * n + f".split({n})"}, "oldString not found in content", True, tree="t0")
        for n in range(14)
    ])  # fmt: skip
    turning("edit-never-fits-read", START, 2, [
        line for n in range(9) for line in (
            call("edit", {**edit, "oldString": f"variant {n}"}, "oldString not found in content", True, tree="t0"),
            call("read", {"filePath": "src/parser.py"}, "def parse(text): ...", tree="t0"),
        )
    ])  # fmt: skip
    loop("two-errors-in-turn", START, [
        call("bash", "npm install", "npm ERR! code ERESOLVE", True), call("bash", "npm install --force", "npm ERR! code EPERM", True),
    ], 8)  # fmt: skip
    loop("denied", START, [call("bash", "sudo apt install jq", "The user rejected permission to use this tool", True)])
    loop(
        "invalid-tool",
        START,
        [call("invalid", {"tool": "fix", "error": "no such tool"}, "The arguments are invalid", True)],
    )
    turning(
        "error-numbers",
        START,
        1,
        [call("bash", "node run.js", f"Error: worker {4000 + n} died, exit code 134", True) for n in range(12)],
    )

    turning("failed-attempts", START, 1, [call("bash", "deploy", f"Attempt {n} failed: timeout") for n in range(12)])


def wandering() -> None:
    calls = [call("read", {"filePath": f"{name}.py"}, f"# {name}", tree="t0") for name in "abcd"]
    order = [0, 1, 2, 3, 0, 2, 1, 3, 3, 0, 2, 1, 0, 1, 3, 2, 1, 0, 2, 3, 0, 3, 1, 2, 2, 0, 3, 1, 3, 1, 0, 2, 1, 3, 2, 0]
    turning("round-and-round", START, 4, [calls[at] for at in order])
    pending = call("bash", "sleep 60 && gh run view 7", "in_progress")
    LOOPS["waits-for-ever"] = len(START) + 1, 40, [*START, *({**pending, "at": 60.0 * n} for n in range(60))]


def words() -> None:
    say = [
        "I will now fix the empty-input bug in parser.py.", "Let me fix that bug in parser.py for empty input.",
        "Now I'm going to fix parser.py so that empty input works; the bug is there.",
        "Fixing the empty input bug in parser.py now.", "OK, the parser.py bug with empty input: I'll fix it next.",
    ]  # fmt: skip
    turning("monologue", START, 1, [text(say[n % 5]) for n in range(15)])
    loop("the-same-message", START, [text("I have completed the task.")], 9)
    turning(
        "monologue-continued",
        START,
        2,
        [line for n in range(12) for line in (text(say[n % 5]), user("Please continue."))],
    )
    chanted = "I need to check the file again. "
    LOOPS["chant"] = len(START) + 1, 1, [*START, *({"type": "chunk", "text": chanted} for _ in range(60))]
    pieces = chanted * 60
    LOOPS["chant-small-chunks"] = len(START) + 1, 5, [
        *START, *({"type": "chunk", "text": pieces[at : at + 7]} for at in range(0, len(pieces), 7))
    ]  # fmt: skip
    LOOPS["chant-in-one-message"] = len(START) + 1, 1, [*START, text("The answer is: " + "yes, and then no, " * 80)]
    LOOPS["chant-with-counter"] = len(START) + 1, 1, [
        *START, *({"type": "chunk", "text": f"Attempt {n}: the build is still red, trying once more. "} for n in range(60))
    ]  # fmt: skip
    LOOPS["chant-of-marks"] = (
        len(START) + 1,
        40,
        [*START, *({"type": "chunk", "text": "!!!!!!!!!!!!"} for _ in range(200))],
    )
    back = ["Let me think about it.", "Actually, wait a moment.", "The parser must be wrong.", "Let me think about it."]
    LOOPS["chant-of-sentences"] = len(START) + 1, 2, [
        *START, *({"type": "chunk", "text": back[(n * n) % 4] + " " + ("Hmm. " if n % 3 else "")} for n in range(90))
    ]  # fmt: skip


def waiting() -> None:
    states = ["queued"] * 4 + ["in_progress"] * 14 + ["completed success"]
    BENIGN["poll-ci"] = [
        *START,
        *(call("bash", "sleep 30; gh run view 7", s, at=30.0 * n) for n, s in enumerate(states)),
    ]
    BENIGN["poll-job-tool"] = [
        *START,
        *(call("job_status", {"id": 7}, f"status: {s}") for s in ["pending"] * 12 + ["done"]),
    ]
    BENIGN["poll-progress"] = [*START, *(call("job_status", {"id": 7}, f"progress: {n * 7}%") for n in range(15))]
    BENIGN["wait-for-server"] = [
        *START, *(call("bash", "sleep 2; curl -s localhost:8000/health", "connection refused", True) for _ in range(9)),
        call("bash", "sleep 2; curl -s localhost:8000/health", "ok"),
    ]  # fmt: skip
    BENIGN["poll-and-log"] = [*START, *(
        line for n in range(12)
        for line in (call("wait", {"seconds": 20}, "waited"), call("bash", "tail -n 1 train.log", "epoch 3 running"))
    )]  # fmt: skip
    BENIGN["rollout"] = [
        *START,
        *(call("bash", "kubectl get pods", "web-1 ContainerCreating: pending") for _ in range(8)),
    ]

    silent = [call("BashOutput", {"bash_id": "1"}, "") for _ in range(8)]
    BENIGN["poll-a-shell"] = [*START, *silent, call("BashOutput", {"bash_id": "1"}, "done")]
    BENIGN["not-ready-yet"] = [*START, *(call("bash", "pg_isready", "server not ready", True) for _ in range(8))]
    BENIGN["pods-start"] = [
        *START,
        *(call("bash", "kubectl get pods", "web-1 0/1 ContainerCreating") for _ in range(8)),
    ]


def batches() -> None:
    BENIGN["batch-read"] = [*START, *(call("read", {"filePath": f"src/m{n}.py"}, "") for n in range(25))]
    BENIGN["batch-rename"] = [*START, *(
        call("edit", {"filePath": f"src/m{n}.py", "oldString": "old", "newString": "new"}, "edited", tree=f"b{n}") for n in range(20)
    )]  # fmt: skip
    BENIGN["batch-same-answer"] = [
        *START,
        *(call("bash", f"ruff check src/m{n}.py", "All checks passed!") for n in range(20)),
    ]
    BENIGN["batch-numbered-failures"] = [*START, *(
        call("webfetch", {"url": f"http://127.0.0.1/item/{n}"}, "404 not found", True) for n in range(9)
    )]  # fmt: skip
    BENIGN["pages-by-offset"] = [*START, *(
        call("read", {"filePath": "big.log", "offset": n * 200, "limit": 200}, f"lines {n * 200}…") for n in range(15)
    )]  # fmt: skip
    BENIGN["pages-by-cursor"] = [*START, *(call("next_page", {}, f"items {n * 10} to {n * 10 + 9}") for n in range(15))]


def progress() -> None:
    BENIGN["edit-test-edit"] = [*START, *(
        line for n in range(9) for line in (
            call("edit", {"filePath": "src/a.py", "oldString": f"v{n}", "newString": f"v{n + 1}"}, "edited", tree=f"e{n}"),
            call("bash", "pytest -q", PYTEST, True, tree=f"e{n}"),
        )
    )]  # fmt: skip
    BENIGN["edit-test-edit-without-tree"] = [*START, *(
        line for n in range(9) for line in (
            call("edit", {"filePath": "src/a.py", "oldString": f"v{n}", "newString": f"v{n + 1}"}, "edited"),
            call("bash", "pytest -q", "1 failed", True),
        )
    )]  # fmt: skip
    BENIGN["test-after-each-change-by-hand"] = [
        *START,
        *(call("bash", "make test", "1 failed", True, tree=f"h{n}") for n in range(7)),
    ]
    BENIGN["retry-three-times"] = [
        *START, *(call("bash", "npm ci", "npm ERR! network timeout", True) for _ in range(3)), call("bash", "npm ci", "added 9"),
    ]  # fmt: skip
    BENIGN["status-now-and-then"] = [*START, *(
        line for n in range(10) for line in (
            call("bash", "git status --short", "M src/a.py"), call("read", {"filePath": f"src/n{n}.py"}, f"# {n}"),
        )
    )]  # fmt: skip
    BENIGN["same-call-other-results"] = [
        *START,
        *(call("bash", "git log -1 --format=%s", f"commit number {n}") for n in range(9)),
    ]
    BENIGN["fewer-failures"] = [*START, *(call("bash", "make fix", f"{9 - n} issues left") for n in range(9))]
    BENIGN["new-request-each-time"] = [
        line for n in range(8) for line in (user(f"what of module {n}?"), call("bash", "git status", "clean"), text("Clean."))
    ]  # fmt: skip
    BENIGN["fewer-failed-tests"] = [
        *START,
        *(call("bash", "fixer && pytest", f"{9 - n} failed, {n} passed", True) for n in range(9)),
    ]
    BENIGN["two-by-two"] = [*START, *[call("bash", "git diff", "…"), call("bash", "git status", "M a")] * 2]


def saying() -> None:
    parts = [
        "The parser reads tokens from a stream and hands them on.", "Errors carry a position, a code and a cure.",
        "Caching happens in the resolver, keyed by content digest.", "The scheduler owns every timer and its budget.",
        "Deployment needs one volume and two environment variables.", "Benchmarks run nightly on dedicated hardware.",
    ]  # fmt: skip
    BENIGN["report-in-messages"] = [user("explain the system"), *map(text, parts)]
    table = "| name | state |\n|---|---|\n" + "".join(f"| row {n} | ok |\n" for n in range(60))
    BENIGN["table"] = [
        user("list all"),
        *({"type": "chunk", "text": table[at : at + 20]} for at in range(0, len(table), 20)),
    ]
    code = "```c\nint zeros[] = {\n" + "  0, 0, 0, 0, 0, 0, 0, 0,\n" * 30 + "};\n```\n"
    BENIGN["code-with-zeros"] = [
        user("write it"),
        *({"type": "chunk", "text": code[at : at + 25]} for at in range(0, len(code), 25)),
    ]
    rule = "Summary\n" + "=" * 120 + "\nAll is well.\n" + "-" * 120 + "\n"
    BENIGN["rules-of-marks"] = [
        user("sum up"),
        *({"type": "chunk", "text": rule[at : at + 30]} for at in range(0, len(rule), 30)),
    ]
    items = "".join(
        f"- module_{n}: checked, {['no findings', 'one warning', 'two warnings'][n % 3]} in {n * 7} lines\n"
        for n in range(50)
    )
    BENIGN["list-of-findings"] = [
        user("list"),
        *({"type": "chunk", "text": items[at : at + 33]} for at in range(0, len(items), 33)),
    ]
    BENIGN["short-progress-notes"] = [START[0], *(
        line for n in range(8) for line in (text("Next file."), call("read", {"filePath": f"x{n}.py"}, f"# {n}"))
    )]  # fmt: skip


def written() -> Iterator[tuple[str, str]]:
    """Each file's name and content."""
    for make in (
        cycles, disguised_calls, disguised_answers, failures, wandering, words, waiting, batches, progress, saying,
    ):  # fmt: skip
        make()
    places = []
    for name, (begins, period, lines) in sorted(LOOPS.items()):
        places.append({"name": name, "begins": begins, "period": period})
        yield f"loops/{name}.jsonl", "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
    for name, lines in sorted(BENIGN.items()):
        yield f"benign/{name}.jsonl", "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
    yield "loops.json", json.dumps(places, indent=1) + "\n"


def main() -> None:
    for name, content in written():
        path = CORPUS / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")


if __name__ == "__main__":
    main()
